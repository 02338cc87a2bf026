-- Figures worked out by hand, their definitions, and that they outlive what they are
-- made of.  In transactions that are undone.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE FUNCTION pg_temp.nothing() RETURNS void LANGUAGE sql AS $$
    TRUNCATE nudge.events, nudge.messages, nudge.message_results, nudge.conversions, nudge.rescored_messages, nudge.rollup_progress,
        nudge.message_rollups, nudge.rule_rollups, nudge.hour_rollups, nudge.segment_rollups, nudge.fatigue_rollups, nudge.latency_rollups, nudge.cap_usage
$$;
BEGIN;
SELECT pg_temp.nothing();
SET LOCAL nudge.timezone = 'Europe/Berlin';
INSERT INTO nudge.rules (name, trigger_type) VALUES ('ru_a', 'behavioral'), ('ru_b', 'behavioral');
SELECT max(rule_id) FILTER (WHERE name = 'ru_a') AS a, max(rule_id) FILTER (WHERE name = 'ru_b') AS b FROM nudge.rules \gset
-- Ten messages of rule a on the 2nd of March (Berlin: the first was made on the 1st of UTC), due 8 seconds before
INSERT INTO nudge.messages (message_id, user_id, rule_id, channel, recipient, template_id, variant, timezone, segments, priority, created_at, due_at, week_before)
SELECT 870000000 + i, 'ru_' || i, :a, CASE WHEN i > 8 THEN 'push' ELSE 'email' END, 'x', 't', CASE WHEN i % 2 = 0 THEN 'even' END,
       CASE WHEN i = 10 THEN 'Asia/Tokyo' END, CASE WHEN i <= 4 THEN '{gold,new}' WHEN i <= 6 THEN '{new}' ELSE '{}' END::text[], 'high',
       t.at, t.at - interval '8 s', CASE WHEN i <= 4 THEN 0 WHEN i <= 8 THEN 4 + i % 2 ELSE 2 END
FROM generate_series(1, 10) AS i, LATERAL (SELECT timestamptz '2026-03-01 23:30+00' + (i - 1) * interval '1 hour' AS at) AS t;
-- 8 sent half a minute later, one refused for good, one still in the queue
INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, recorded_at)
SELECT user_id, CASE WHEN message_id = 870000009 THEN 'failed' ELSE 'sent' END, rule_id, message_id, created_at + interval '30 s'
FROM nudge.messages WHERE message_id <> 870000010;
CREATE FUNCTION pg_temp.happen(type text, ids int[], after interval, key text DEFAULT 'k', flag text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, flag, occurred_at, recorded_at, event_key)
    SELECT user_id, type, rule_id, message_id, flag, created_at + after, created_at + after, key
    FROM nudge.messages WHERE message_id - 870000000 = ANY (ids)
$$;
SELECT pg_temp.happen('delivered', '{1,2,3,4,5,6}', '1 min'), pg_temp.happen('bounced', '{7}', '1 min'), pg_temp.happen('bounced', '{8}', '1 min'),
       -- opened by 4 people, two of them twice; days later; by a machine
       pg_temp.happen('opened', '{1,2,3,5}', '1 hour'), pg_temp.happen('opened', '{1,2}', '3 days', 'twice'), pg_temp.happen('opened', '{4,6}', '1 min', 'm', 'machine'),
       pg_temp.happen('clicked', '{1}', '2 hours'), pg_temp.happen('clicked', '{1}', '3 hours', 'twice'), pg_temp.happen('clicked', '{6}', '2 hours', 'm', 'machine'),
       pg_temp.happen('unsubscribed', '{3}', '2 hours'), pg_temp.happen('complained', '{5}', '2 hours');
-- Triggers: 12 were scheduled, 3 dropped at once, of which 2 capped; later 1 was skipped and 1 given up.  What follows a message nobody opened is none of its own
INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, reason, recorded_at)
SELECT 'ru_t', v.type, :a, CASE WHEN v.pending THEN i END, v.reason, timestamptz '2026-03-02 12:00+00'
FROM (VALUES ('scheduled', 12, true, NULL), ('scheduled', 2, true, 'fallback'), ('capped', 2, false, 'daily'), ('held_out', 1, false, NULL), ('capped', 1, true, 'daily'),
             ('skipped', 1, true, 'expired'), ('dead', 1, true, NULL), ('failed', 5, true, 'error'), ('would_trigger', 4, false, NULL)) AS v (type, n, pending, reason),
     generate_series(1, v.n) AS i;
-- Conversions: user 1 within the week of the message; user 2 after more than 7 days, user 7 whom it never reached, and user 6 whose machine opened
INSERT INTO nudge.conversions (user_id, value, occurred_at, recorded_at) VALUES
    ('ru_1', 20, '2026-03-08 12:00+00', '2026-03-08 12:00+00'), ('ru_1', 10, '2026-03-08 13:00+00', '2026-03-08 13:00+00'),
    ('ru_2', 99, '2026-03-09 01:00+00', '2026-03-09 01:00+00'), ('ru_7', 99, '2026-03-03 00:00+00', '2026-03-03 00:00+00'),
    ('ru_6', 5, '2026-03-03 00:00+00', '2026-03-03 00:00+00');

-- 15 triggers; 6 of 8 were delivered (0.75), 4 opened (0.5), 1 clicked (0.125; of those opened 0.25), 3 conversions worth 35
\x on
SELECT rule_id = :a AS a, name, total_triggers, capped, skipped, held_out, sent, delivered, opened, clicked, conversions, unsubscribes, complaints, bounces, failures, revenue,
       delivery_rate, open_rate, round(open_rate_low::numeric, 6) AS open_rate_low, round(open_rate_high::numeric, 6) AS open_rate_high, click_rate, click_to_open_rate,
       conversion_rate, unsubscribe_rate, spam_rate, bounce_rate, revenue_per_email, conversion_value
FROM nudge.rule_performance WHERE name LIKE 'ru\_%' ORDER BY name;
\x off
CREATE TEMP VIEW figures AS
    SELECT 'day' AS what, to_char(day, 'YYYY-MM-DD') AS which, total_triggers, sent, delivered, opened, clicked, conversions, revenue FROM nudge.rule_performance_daily
    UNION ALL SELECT 'channel', channel, NULL, sent, delivered, opened, clicked, conversions, revenue FROM nudge.channel_performance
    UNION ALL SELECT 'template', template_id || ', ' || channel, NULL, sent, delivered, opened, clicked, conversions, revenue FROM nudge.template_performance
    UNION ALL SELECT 'variant', coalesce(variant, '(none)'), NULL, sent, delivered, opened, clicked, conversions, revenue FROM nudge.variant_performance
    UNION ALL SELECT 'segment', segment, NULL, sent, delivered, opened, clicked, conversions, revenue FROM nudge.segment_performance
    UNION ALL SELECT 'weekday, hour', format('%s %s', weekday, hour), NULL, sent, NULL, opened, clicked, conversions, NULL FROM nudge.send_time_performance
    ORDER BY 1, 2;
TABLE figures;
-- 4 messages to users who had none in the week before, of which 3 were opened; 4 to those with 4 or more, of which 1: 1 - 0.25/0.75
SELECT name, none_sent, none_opened, none_open_rate, many_sent, many_opened, many_open_rate, round(frequency_fatigue_score::numeric, 6) AS frequency_fatigue_score
FROM nudge.frequency_fatigue WHERE name LIKE 'ru\_%' ORDER BY name;
SELECT step, amount, round(of_step_before::numeric, 4) AS of_step_before, round(of_triggers::numeric, 4) AS of_triggers FROM nudge.funnel WHERE rule_id = :a ORDER BY place;
SELECT count(*), bool_and(of_step_before IS NULL AND of_triggers IS NULL) AS nothing FROM nudge.funnel WHERE rule_id = :b;
-- 8 s are 2^(12/4); 38 s lie between 2^(20/4) and 2^(21/4)
SELECT * FROM nudge.queue_latency ORDER BY step;
SELECT l, nudge.latency_bucket(l) FROM unnest('{-1 s,0,0.25 s,0.26 s,1 s,1.01 s,8 s,8.01 s,1 day,100 years}'::interval[]) AS l;

-- The same from the tables; a second time nothing is left
CREATE TEMP TABLE before AS TABLE figures;
CREATE TEMP TABLE rules_before AS TABLE nudge.rule_performance;
SELECT nudge.rollup('2026-03-03') AS some, nudge.rollup('2026-04-01') AS rest, nudge.rollup('2026-04-02') AS nothing;
SELECT count(*) AS live FROM nudge.message_facts;
TABLE figures EXCEPT TABLE before;
SELECT count(*) AS differ FROM (TABLE nudge.rule_performance EXCEPT TABLE rules_before) AS d;

-- A rule that is deleted keeps its figures; a rule without any has zeros
DELETE FROM nudge.rules WHERE rule_id = :a;
SELECT rule_id = :a AS a, name, total_triggers, sent, opened, revenue, open_rate, open_rate_low, conversion_value FROM nudge.rule_performance
WHERE rule_id IN (:a, :b) ORDER BY 1 DESC;

-- What is past its retention goes, and the figures stay; a rebuild leaves them alone
-- but for days that are whole
INSERT INTO nudge.messages (message_id, user_id, rule_id, channel, recipient, priority, created_at) VALUES (870000020, 'ru_1', :b, 'email', 'x', 'high', '2026-03-20 12:00+00');
INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, event_key, recorded_at) VALUES ('ru_1', 'delivered', :b, 870000020, 'd', '2026-04-03 12:00+00');
DELETE FROM before; INSERT INTO before TABLE figures;
-- (has counted only up to the 1st of April; what was recorded later stays in any case)
SELECT nudge.maintain('2026-06-10 12:00+00') ->> 'rows_deleted' AS deleted, nudge.prune_conversions('2026-06-10 12:00+00') AS conversions;
SELECT count(*) FROM nudge.messages; SELECT count(*) FROM nudge.events; SELECT gone_before, nudge.first_whole_day() FROM nudge.rollup_progress;
TABLE figures EXCEPT ALL TABLE before;
SELECT nudge.rebuild_rollups() AS rebuilt;
TABLE figures EXCEPT ALL TABLE before;
UPDATE nudge.rule_rollups SET opened = 100 WHERE day < '2026-03-12';
SELECT nudge.rebuild_rollups('2026-03-01') AS rebuilt;
SELECT sum(opened) AS opened FROM nudge.rule_rollups;
-- what has not been counted yet is, before it is deleted
SELECT nudge.maintain('2026-08-10 12:00+00') ->> 'rows_deleted' AS deleted;
SELECT counted_to, gone_before FROM nudge.rollup_progress;
SELECT delivered FROM nudge.rule_performance WHERE rule_id = :b;
SELECT count(*) FROM nudge.events;
ROLLBACK;

-- A month that is past its retention goes as soon as all in it has been counted, however
-- late it is in that month; what is recorded now cannot have been
BEGIN;
SELECT pg_temp.nothing();
SELECT nudge.maintain() IS NOT NULL AS made;
SELECT 'events_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM') AS month \gset
INSERT INTO nudge.messages (message_id, user_id, rule_id, channel, recipient, priority, created_at)
VALUES (870000001, 'ru_m', 1, 'email', 'x', 'high', date_trunc('month', now()));
INSERT INTO nudge.events (user_id, event_type, message_id, event_key, recorded_at)
VALUES ('ru_m', 'delivered', 870000001, 'd', date_trunc('month', now())), ('ru_m', 'opened', 870000001, 'o', now());
SELECT s -> 'kept' ? :'month' AS kept, s -> 'partitions_dropped' ? :'month' AS dropped FROM nudge.maintain(now() + interval '200 days') AS s;
SELECT event_type FROM nudge.events;
DELETE FROM nudge.events WHERE event_type = 'opened';
SELECT s -> 'kept' ? :'month' AS kept, s -> 'partitions_dropped' ? :'month' AS dropped FROM nudge.maintain(now() + interval '200 days') AS s;
SELECT event_type FROM nudge.events;
SELECT delivered, opened FROM nudge.channel_performance;
ROLLBACK;

-- A conversion is the last message's, by the time of delivery that was reported, also where
-- that is before the message was made: a day after it, 7 days after it, and a minute later
BEGIN;
SELECT pg_temp.nothing();
INSERT INTO nudge.messages (message_id, user_id, rule_id, channel, recipient, template_id, priority, created_at)
VALUES (870000001, 'ru_d', 1, 'email', 'x', 'last', 'high', '2026-03-10 12:00+00'), (870000002, 'ru_d', 1, 'email', 'x', 'first', 'high', '2026-03-10 12:00+00');
INSERT INTO nudge.events (user_id, event_type, message_id, flag, occurred_at, recorded_at, event_key)
VALUES ('ru_d', 'delivered', 870000001, 'before_message', '2026-03-05 12:00+00', '2026-03-10 12:00+00', 'd'),
       ('ru_d', 'delivered', 870000002, 'before_message', '2026-03-01 12:00+00', '2026-03-10 12:00+00', 'd');
INSERT INTO nudge.conversions (user_id, value, occurred_at, recorded_at) VALUES
    ('ru_d', 1, '2026-03-06 12:00+00', '2026-03-10 12:00+00'), ('ru_d', 20, '2026-03-12 12:00+00', '2026-03-12 12:00+00'),
    ('ru_d', 300, '2026-03-12 12:01+00', '2026-03-12 12:01+00');
SELECT template_id, conversions, revenue FROM nudge.template_performance ORDER BY template_id;
ROLLBACK;

-- A user's week is told by the messages themselves where they do not say (before 0.4.0)
BEGIN;
SELECT pg_temp.nothing();
INSERT INTO nudge.messages (message_id, user_id, rule_id, channel, recipient, priority, created_at)
SELECT 870000000 + i, 'ru_w', 1, 'email', 'x', 'high', timestamptz '2026-03-01' + d.day * interval '1 day'
FROM unnest('{0,1,2,3,3,8,20}'::float8[]) WITH ORDINALITY AS d (day, i);
INSERT INTO nudge.events (user_id, event_type, message_id, recorded_at) SELECT user_id, 'sent', message_id, created_at FROM nudge.messages;
SELECT week_before, sent FROM nudge.message_facts ORDER BY created_at, week_before;
ROLLBACK;

-- One run at a time, by whoever may
CREATE ROLE regress_nudge_executor;
CREATE ROLE regress_nudge_analyst;
SELECT nudge.grant_access('regress_nudge_executor', 'executor'), nudge.grant_access('regress_nudge_analyst', 'analyst');
BEGIN;
SELECT pg_temp.nothing();
INSERT INTO nudge.messages (message_id, user_id, rule_id, channel, recipient, priority, created_at, timezone) VALUES (870000000, 'ru_1', 1, 'email', 'x', 'high', '2026-03-01', 'Asia/Tokyo');
INSERT INTO nudge.events (user_id, event_type, message_id, event_key, recorded_at) VALUES ('ru_1', 'opened', 870000000, 'd', '2026-03-01');
SET ROLE regress_nudge_analyst;
SELECT opened FROM nudge.channel_performance;
SELECT hour, opened FROM nudge.send_time_performance;
SELECT count(*) >= 0 AS may FROM nudge.funnel, nudge.frequency_fatigue, nudge.queue_latency, nudge.rule_performance;
SET ROLE regress_nudge_executor;
SELECT nudge.rollup('2026-04-01') AS moved, nudge.rebuild_rollups() AS rebuilt;
RESET ROLE;
SELECT opened FROM nudge.channel_performance;
ROLLBACK;
SELECT nudge.revoke_access('regress_nudge_executor', 'executor'), nudge.revoke_access('regress_nudge_analyst', 'analyst');
DROP ROLE regress_nudge_executor, regress_nudge_analyst;
