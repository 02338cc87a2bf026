-- Recommendations for a rule: which of its messages convert, what would bring more of
-- them, applying that and taking it back
\getenv abs_srcdir PG_ABS_SRCDIR
\set no_figures :abs_srcdir '/include/no_figures.sql'
\i :no_figures
SET client_min_messages = warning;
SET timezone = 'UTC';
SET intervalstyle = postgres;
\set SHOW_CONTEXT never
\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/sent_messages.sql'
\i :include_file
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
-- All kinds, without what differs from run to run
CREATE FUNCTION pg_temp.found(rule bigint) RETURNS TABLE (kind text, what text, sent int, converted int, low numeric, high numeric, confidence numeric, against text, draft jsonb)
LANGUAGE sql AS $$
    SELECT k.key, (e.value - '{sent,conversions,conversion_rate,conversion_rate_low,conversion_rate_high,confidence,against,draft,recommendation_id}'::text[])::text,
        (e.value ->> 'sent')::int, (e.value ->> 'conversions')::int, round((e.value ->> 'conversion_rate_low')::numeric, 3),
        round((e.value ->> 'conversion_rate_high')::numeric, 3), round((e.value ->> 'confidence')::numeric, 4),
        concat_ws('/', e.value #>> '{against,conversions}', e.value #>> '{against,sent}'), nullif(e.value -> 'draft', 'null')
    FROM jsonb_each(nudge.adaptive_recommendations(rule) - '{rule_id,messages}'::text[]) k
    CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(k.value) WHEN 'array' THEN k.value ELSE jsonb_build_array(k.value) END) e
    WHERE e.value <> 'null'
$$;

-- The z-test: (0.15 - 0.1 - 1 / 300) / sqrt(0.125 * 0.875 * 2 / 300) = 1.72820, below which there are 0.95802 of a normal distribution
SELECT round(nudge.confidence_greater(45, 300, 30, 300)::numeric, 5) AS greater, round(nudge.confidence_greater(30, 300, 45, 300)::numeric, 5) AS less,
    round(nudge.confidence_greater(2, 33, 0, 70)::numeric, 4) AS few,
    round(nudge.confidence_greater(5, 50, 10, 100)::numeric, 6) AS same, round(nudge.confidence_greater(0, 9, 0, 9)::numeric, 6) AS none, nudge.confidence_greater(0, 0, 1, 9) AS unknown,
    nudge.confidence_greater(10000000, 10000000, 0, 10000000) AS surely;

--
-- NULL under 100 messages
--
INSERT INTO nudge.segments (name) VALUES ('ar vip'), ('ar rest');
SELECT pg_temp.new_rule('ar rule', false) AS rule \gset
SELECT nudge.adaptive_recommendations(:rule) IS NULL AS without;
SELECT pg_temp.send(:rule, 59, '2026-02-02 09:00', converted => 10, users => 'ar1'), pg_temp.send(:rule, 40, '2026-02-03 09:00', converted => 10, users => 'ar2');
SELECT nudge.adaptive_recommendations(:rule) IS NULL AS too_few;
-- what was not sent does not count
INSERT INTO nudge.messages (user_id, rule_id, channel, recipient, priority, fired_at, created_at)
SELECT 'ar_unsent', :rule, 'email', 'x@example.com', 'normal', '2026-02-02 09:00', '2026-02-02 09:00' FROM generate_series(1, 10);
SELECT nudge.adaptive_recommendations(:rule) IS NULL AS too_few;
SELECT pg_temp.send(:rule, 1, '2026-02-02 09:00', users => 'ar3');
-- with a hundred there is an answer; without poor cohorts, nothing in it
SELECT nudge.adaptive_recommendations(:rule) - 'rule_id' AS answer;

--
-- Good cohorts against poor ones.  Messages 5 hours after firing, at nine, to ar vip,
-- with one message before convert; the others do not.
--
DELETE FROM nudge.rules WHERE rule_id = :rule;
SELECT pg_temp.new_rule('ar rule', false) AS rule \gset
SELECT count(pg_temp.send(:rule, 59, d, converted => 6, delay => '5 hours', segments => '{ar vip}', week_before => 1, variant => 'short', users => 'ar' || d)),
    count(pg_temp.send(:rule, 59, d + interval '6 hours', converted => 0, delay => '30 minutes', segments => '{ar rest}', week_before => 3, users => 'as' || d))
FROM generate_series('2026-02-02 09:00'::timestamptz, '2026-02-06 09:00', '1 day') AS d;
SELECT * FROM pg_temp.found(:rule);
SELECT jsonb_object_keys(nudge.adaptive_recommendations(:rule)) AS keys;
-- a conversion is a message's here where it is one in the figures: not past the window of its goal
SELECT sum(conversions) AS conversions FROM nudge.rule_cohorts(:rule) WHERE dimension = 'hour';
BEGIN;
INSERT INTO nudge.conversion_goals (name, action_type, "window") VALUES ('ar quick', 'none', '1 second');
UPDATE nudge.conversions SET goal = 'ar quick' WHERE user_id LIKE 'ar%';
SELECT sum(conversions) AS conversions FROM nudge.rule_cohorts(:rule) WHERE dimension = 'hour';
ROLLBACK;
-- what the figures are of: 30 of 295
SELECT jsonb_pretty((nudge.adaptive_recommendations(:rule) -> 'optimal_delay_range') - '{recommendation_id,confidence}'::text[]);
-- asking again does not pile up
SELECT kind, draft, evidence ->> 'sent' AS sent, applied_at, optimization_id FROM nudge.recommendations WHERE rule_id = :rule ORDER BY kind;
SELECT sum(recommendation_id) AS ids FROM nudge.recommendations WHERE rule_id = :rule \gset
SELECT nudge.adaptive_recommendations(:rule) IS NOT NULL AS again;
SELECT count(*), sum(recommendation_id) = :ids AS same FROM nudge.recommendations WHERE rule_id = :rule;

--
-- Applying and undoing
--
SELECT max(recommendation_id) FILTER (WHERE kind = 'optimal_delay_range') AS delay, max(recommendation_id) FILTER (WHERE kind = 'effective_time_windows') AS hours,
    max(recommendation_id) FILTER (WHERE kind = 'successful_user_segments') AS segment, max(recommendation_id) FILTER (WHERE kind = 'frequency_sweet_spots') AS cap
FROM nudge.recommendations WHERE rule_id = :rule \gset
UPDATE nudge.rules SET delay = '1 day 30 minutes', segments = '{ar rest}' WHERE rule_id = :rule;
INSERT INTO nudge.frequency_caps (rule_id, period, max_messages) VALUES (:rule, 'weekly', 9);
SELECT kind, severity, before, after, evidence ->> 'sent' AS sent, regexp_replace(reason, '\d+', 'N') AS reason, undone_at
FROM unnest(ARRAY[:delay, :hours, :segment, :cap]) AS r, nudge.apply_recommendation(r);
SELECT delay, send_between, segments FROM nudge.rules WHERE rule_id = :rule;
SELECT period, max_messages FROM nudge.frequency_caps WHERE rule_id = :rule;
SELECT kind, applied_at IS NOT NULL AS applied, (SELECT o.rule_id = r.rule_id FROM nudge.optimizations o WHERE o.optimization_id = r.optimization_id) AS recorded
FROM nudge.recommendations r WHERE rule_id = :rule ORDER BY kind;
-- nothing more is to be changed
SELECT kind, what, draft FROM pg_temp.found(:rule);
\pset format unaligned
\pset tuples_only on
SELECT regexp_replace(pg_temp.refused(format('SELECT nudge.apply_recommendation(%s)', :cap)), '(recommendation \d+|at .* as optimization \d+)', 'X', 'g');
-- back, exactly; the one by the recommendation, the other by the optimization
SELECT kind FROM nudge.undo_recommendation(:delay);
SELECT o.kind FROM nudge.recommendations r, nudge.undo_optimization(r.optimization_id) o WHERE r.recommendation_id = :hours;
SELECT kind FROM nudge.undo_recommendation(:cap);
SELECT delay, send_between, segments FROM nudge.rules WHERE rule_id = :rule;
SELECT period, max_messages FROM nudge.frequency_caps WHERE rule_id = :rule;
SELECT regexp_replace(pg_temp.refused(format('SELECT nudge.undo_recommendation(%s)', :hours)), '(optimization \d+|at \S+ .*UTC|\S+(?= has undone it))', 'X', 'g');
UPDATE nudge.rules SET segments = '{}' WHERE rule_id = :rule;
SELECT regexp_replace(pg_temp.refused(format('SELECT nudge.undo_recommendation(%s)', :segment)), '(rule|optimization) \d+', '\1 N', 'g');
\pset format aligned
\pset tuples_only off
-- asked again, what was taken back is recommended again
SELECT kind, draft FROM pg_temp.found(:rule);
SELECT kind, count(*), count(applied_at) AS applied FROM nudge.recommendations WHERE rule_id = :rule GROUP BY 1 ORDER BY 1;
-- a recommendation that does not hold any more is gone
SELECT max(recommendation_id) AS stale FROM nudge.recommendations WHERE rule_id = :rule AND kind = 'effective_time_windows' \gset
UPDATE nudge.rules SET send_between = '{09:00,10:00}' WHERE rule_id = :rule;
SELECT nudge.adaptive_recommendations(:rule) IS NOT NULL AS again;
\pset format unaligned
\pset tuples_only on
SELECT regexp_replace(pg_temp.refused(format('SELECT nudge.apply_recommendation(%s)', :stale)), '\d+ does', 'N does', 'g');
\pset format aligned
\pset tuples_only off

--
-- Too little data, and too little difference
--
-- 29 messages are too few, 30 will do (a good rate: 4 of 29, 4 of 30)
SELECT pg_temp.new_rule('ar 29', false) AS few, pg_temp.new_rule('ar 30', false) AS enough, pg_temp.new_rule('ar 4 percent', false) AS middling,
    pg_temp.new_rule('ar one', false) AS one \gset
SELECT pg_temp.send(:few, 29, '2026-02-02 09:00', converted => 4, users => 'ar1', delay => '90 minutes'), pg_temp.send(:few, 200, '2026-02-04 09:00', users => 'ar2'),
    pg_temp.send(:enough, 30, '2026-02-02 09:00', converted => 4, users => 'ar1', delay => '90 minutes'), pg_temp.send(:enough, 200, '2026-02-04 09:00', users => 'ar2'),
-- not more than 5 %
    pg_temp.send(:middling, 200, '2026-02-02 00:00', converted => 10, users => 'ar1', delay => '90 minutes'), pg_temp.send(:middling, 200, '2026-02-04 00:00', users => 'ar2'),
-- two of 33 do not surely convert better than none of 70
    pg_temp.send(:one, 33, '2026-02-02 09:00', converted => 2, users => 'ar1', delay => '90 minutes'), pg_temp.send(:one, 70, '2026-02-04 09:00', users => 'ar2');
SELECT r.name, f.what, f.sent, f.converted, f.low, f.confidence, f.against, f.draft
FROM nudge.rules r, pg_temp.found(r.rule_id) f WHERE r.rule_id IN (:few, :enough, :middling, :one) AND f.kind = 'optimal_delay_range' ORDER BY 1;

-- a converted message counts once; a conversion is that of the last delivered message
SELECT pg_temp.new_rule('ar touch', false) AS touch, pg_temp.new_rule('ar later', false) AS later \gset
SELECT pg_temp.send(:touch, 100, '2026-02-02 00:00', converted => 10, users => 'ar1');
SELECT sent, conversions FROM nudge.rule_cohorts(:touch) WHERE dimension = 'week_before';
INSERT INTO nudge.conversions (user_id, occurred_at, recorded_at) SELECT user_id, occurred_at, recorded_at FROM nudge.conversions WHERE user_id LIKE 'ar1' || :touch || '\_%';
SELECT sent, conversions FROM nudge.rule_cohorts(:touch) WHERE dimension = 'week_before';
UPDATE nudge.messages SET user_id = replace(user_id, '_', '_x') WHERE rule_id = :touch AND user_id LIKE '%\_1%';
SELECT sent, conversions FROM nudge.rule_cohorts(:touch) WHERE dimension = 'week_before';
-- delivered before the conversion, as far as was known then
UPDATE nudge.events SET recorded_at = recorded_at + interval '1 day' WHERE user_id = 'ar1' || :touch || '_2' AND event_type = 'delivered';
UPDATE nudge.events SET occurred_at = occurred_at + interval '1 day' WHERE user_id = 'ar1' || :touch || '_3' AND event_type = 'delivered';
DELETE FROM nudge.events WHERE user_id = 'ar1' || :touch || '_4' AND event_type = 'delivered';
SELECT sent, conversions FROM nudge.rule_cohorts(:touch) WHERE dimension = 'week_before';
-- the hour is one of the user's clock
UPDATE nudge.messages SET timezone = 'Asia/Tokyo' WHERE rule_id = :touch;
SELECT place AS hour, sent FROM nudge.rule_cohorts(:touch) WHERE dimension = 'hour' ORDER BY 1;
-- fewer messages than before are no sweet spot
SELECT pg_temp.new_rule('ar more', false) AS more \gset
SELECT pg_temp.send(:more, 100, '2026-02-02 00:00', converted => 10, week_before => 3, users => 'ar1'), pg_temp.send(:more, 100, '2026-02-04 00:00', week_before => 0, users => 'ar2');
SELECT kind, what, draft FROM pg_temp.found(:more) WHERE kind = 'frequency_sweet_spots';

--
-- A watched rule without conversions takes the delay that converts, where no hour does
--
SELECT pg_temp.new_rule('ar delay') AS delay \gset
UPDATE nudge.optimization_thresholds SET threshold = 0 WHERE metric LIKE 'min%' AND metric <> 'min_conversion_rate';
SELECT count(pg_temp.send(:delay, 5, d + h * interval '1 hour', converted => (h % 3 = 0)::int, delay => '3 hours', users => 'ar1' || d || h)),
    count(pg_temp.send(:delay, 55, d + h * interval '1 hour', users => 'ar2' || d || h))
FROM generate_series('2026-02-02'::timestamptz, '2026-02-04', '1 day') AS d, generate_series(0, 23) AS h;
SELECT before, after, reason FROM nudge.monitor_and_optimize(:delay, '2026-02-20');
SELECT evidence -> 'delay' ->> 'sent' AS sent FROM nudge.optimizations WHERE rule_id = :delay;

UPDATE nudge.optimization_thresholds t SET threshold = v.threshold
FROM (VALUES ('min_open_rate', 0.15), ('min_click_rate', 0.02)) AS v (metric, threshold) WHERE t.metric = v.metric;
DELETE FROM nudge.rules WHERE name LIKE 'ar %';
DELETE FROM nudge.segments WHERE name LIKE 'ar %';
DELETE FROM nudge.optimizations;
DELETE FROM nudge.events WHERE user_id LIKE 'a%';
DELETE FROM nudge.conversions WHERE user_id LIKE 'a%';
DELETE FROM nudge.messages WHERE user_id LIKE 'a%';
SELECT count(*) FROM nudge.recommendations;
