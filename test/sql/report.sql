--
-- Reports and advice, by examples worked by hand
--
\getenv abs_srcdir PG_ABS_SRCDIR
\set no_figures :abs_srcdir '/include/no_figures.sql'
\i :no_figures
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;
INSERT INTO nudge.users (user_id) SELECT 'u' || n FROM generate_series(1, 200) AS n;
INSERT INTO nudge.rules (name, trigger_type) VALUES ('weak', 'behavioral'), ('strong', 'behavioral'), ('young', 'behavioral');
SELECT min(rule_id) AS weak, min(rule_id) + 1 AS strong, min(rule_id) + 2 AS young FROM nudge.rules \gset
-- So many messages of a rule, made some days ago at an hour (UTC), of which the first so many were opened, clicked, and so on
CREATE FUNCTION pg_temp.send(rule bigint, days integer, hour integer, n integer, opened integer, clicked integer, unsubscribed integer DEFAULT 0, week integer DEFAULT 0) RETURNS void
LANGUAGE sql AS $$
    WITH m AS (
        INSERT INTO nudge.messages (user_id, rule_id, channel, recipient, template_id, segments, priority, created_at, due_at, week_before)
        SELECT 'u' || g, rule, 'email', 'r', 't', CASE WHEN g <= 50 THEN '{gold}' ELSE '{}' END::text[], 'normal', t.at, t.at, week
        FROM generate_series(1, n) AS g, (SELECT ((now() AT TIME ZONE 'UTC')::date - days + make_interval(hours => hour)) AT TIME ZONE 'UTC' AS at) AS t
        RETURNING message_id, user_id, created_at)
    INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, pending_id, occurred_at, recorded_at, event_key)
    SELECT m.user_id, v.type, rule, m.message_id, 1, m.created_at, m.created_at, v.key
    FROM (SELECT *, row_number() OVER (ORDER BY message_id) AS place FROM m) AS m
    JOIN (VALUES ('sent', NULL, n), ('delivered', 'k', n), ('opened', 'k', opened), ('clicked', 'k', clicked), ('unsubscribed', 'k', unsubscribed)) AS v (type, key, most) ON m.place <= v.most
$$;
-- weak, these 30 days: 100 at 9:00 of which 20 are opened, 100 at 20:00 of which 4 are; 2 clicks, 2 unsubscribe
SELECT pg_temp.send(:weak, 3, 9, 100, 20, 2, 2), pg_temp.send(:weak, 4, 20, 100, 4, 0) \g /dev/null
-- the 30 days before: 100 of which 40 were opened
SELECT pg_temp.send(:weak, 40, 9, 100, 40, 10) \g /dev/null
-- strong: 200 of which 100 are opened and 20 clicked; young: too few
SELECT pg_temp.send(:strong, 2, 9, 200, 100, 20), pg_temp.send(:young, 2, 9, 60, 0, 0) \g /dev/null
INSERT INTO nudge.conversions (user_id, value, occurred_at, recorded_at)
SELECT 'u' || n, 7.50, now() - interval '1 day', now() - interval '1 day' FROM generate_series(1, 3) AS n;

SELECT jsonb_pretty(r -> 'base_metrics') AS base, jsonb_pretty(r -> 'performance_indicators' -> 'open_rate') AS open_rate,
       r -> 'performance_indicators' -> 'revenue_per_email' AS revenue_per_email
FROM nudge.performance_report(:weak) AS r;
SELECT array_agg(k ORDER BY k COLLATE "C") AS keys FROM nudge.performance_report(:weak) AS r, jsonb_object_keys(r) AS k;
-- Now 24 of 200, before 40 of 100, others 100 of 260: z = 5.57 and 6.30
SELECT o.of, round((c -> 'open_rate' ->> 'value')::numeric, 4) AS value, round((c -> 'open_rate' ->> 'other')::numeric, 4) AS other,
       c -> 'open_rate' -> 'significant' AS significant, (c -> 'open_rate' ->> 'p_value')::float8 < 1e-7 AS surely
FROM nudge.performance_report(:weak) AS r, unnest('{previous_period,all_rules}'::text[]) AS o (of), LATERAL (SELECT r -> 'comparative_analysis' -> o.of AS c) AS x;
SELECT o ->> 'metric' AS metric, o -> 'value' AS value, o ->> 'side' AS side, o -> 'threshold' AS threshold, o -> 'areas' AS areas
FROM nudge.performance_report(:weak) AS r, jsonb_array_elements(r -> 'optimization_opportunities') AS o;
-- 10 days, of which the first is 9 days ago: the day before yesterday counts, 40 days ago does not
SELECT r -> 'time_period' ->> 'days' AS days, r -> 'base_metrics' -> 'emails_sent' AS sent FROM unnest(ARRAY['1 day', '36 hours', '4 days', '100 days']::interval[]) AS p, nudge.performance_report(:weak, p) AS r;

-- What could be better of all that was sent: opens 64 of 300, clicks 12 of 300, 2 of 300 unsubscribed, no conversions
SELECT jsonb_pretty(nudge.optimize_rule(:weak) - 'performance_summary') AS advice;
SELECT s -> 'sent' AS sent, s -> 'open_rate' AS open_rate, s -> 'messages_missing' AS missing
FROM nudge.optimize_rule(:weak) AS r, LATERAL (SELECT r -> 'performance_summary' AS s) AS x;
-- Better at 9:00 (60 of 200) than else (4 of 100): its lower bound is 0.241
SELECT hour, sent, round(open_rate::numeric, 3) AS open_rate, round(open_rate_low::numeric, 3) AS low, other_rate FROM nudge.best_open_hour(:weak);
-- Nothing on too little
SELECT nudge.optimize_rule(:young) - 'performance_summary' AS young;
SELECT r -> 'recommendations' AS young FROM nudge.performance_report(:young) AS r;
-- A strong one, then tired users: of 100 with 4 messages in the week before 20 open, half of them else: 1 - 0.2 / 0.5 = 0.6
SELECT nudge.optimize_rule(:strong) -> 'suggested_actions' AS strong, nudge.optimize_rule(:strong) -> 'optimization_recommendations' -> 0 ->> 'metric' AS below;
SELECT pg_temp.send(:strong, 1, 9, 100, 20, 5, 0, 4) \g /dev/null
SELECT jsonb_pretty(nudge.optimize_rule(:strong) -> 'suggested_actions') AS tired;

-- The test of two shares: 24 of 200 and 40 of 100 (z = 5.568); nothing to compare; all alike
SELECT nudge.two_proportion_test(24, 200, 40, 100)::numeric(12, 11) AS p, round(nudge.two_proportion_test(50, 100, 40, 100)::numeric, 6) AS "z 1.4213: 0.155",
       nudge.two_proportion_test(0, 0, 1, 2) AS nothing, nudge.two_proportion_test(5, 4, 1, 2) AS more_than_all, nudge.two_proportion_test(0, 10, 0, 20) AS none;

-- Names are escaped, in a page without messages too
UPDATE nudge.rules SET name = '</title><b> & "quoted"' WHERE rule_id = :young;
SELECT nudge.report(:young) LIKE '%<h1>&lt;/title&gt;&lt;b&gt; &amp; &quot;quoted&quot;</h1>%' AS escaped, nudge.report() LIKE '%<td>&lt;/title&gt;%' AS listed;
DELETE FROM nudge.messages;
DELETE FROM nudge.events;
DELETE FROM nudge.conversions;
SELECT nudge.report() LIKE '<!DOCTYPE html>%</html>' AS empty, nudge.report(:young, '1 day') LIKE '%Nothing is past its threshold%' AS of_one;
ROLLBACK;
