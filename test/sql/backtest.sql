--
-- Drafts of rules over recorded actions
--
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;
INSERT INTO nudge.users (user_id, email, timezone) VALUES ('ann', 'ann@example.com', 'Europe/Oslo'), ('bob', 'bob@example.com', NULL);
INSERT INTO nudge.templates (template_id, subject, body_text) VALUES ('t', 's', 'b');
-- What was recorded in the past fires nothing; ann at 23:30 UTC is on her next day.
INSERT INTO nudge.actions (user_id, action_type, action_data, occurred_at, recorded_at)
SELECT v.u, v.t, jsonb_build_object('order_id', v.o), v.at::timestamptz, v.at::timestamptz
FROM (VALUES ('ann', 'view', 1, '2026-03-02 10:00Z'), ('ann', 'view', 1, '2026-03-02 11:00Z'), ('ann', 'view', 2, '2026-03-02 23:30Z'),
             ('ann', 'purchase', 1, '2026-03-03 09:00Z'), ('ann', 'view', 3, '2026-03-04 09:00Z'),
             ('bob', 'view', 1, '2026-03-02 10:00Z'), ('bob', 'view', 1, '2026-03-09 10:00Z'), ('bob', 'view', 9, '2026-03-20 10:00Z')) AS v (u, t, o, at);

-- All views: 6 in the time that is asked for, both ends included
SELECT b - 'from' - 'to' FROM nudge.backtest('{"name": "d", "type": "behavioral", "conditions": [{"type": "action_type", "parameters": {"types": ["view"]}}]}',
                                             '2026-03-02 10:00Z', '2026-03-09 10:00Z') AS b;
-- One a day by the user's clock: ann's second view on 2 March is capped, that at 23:30 is of 3 March
SELECT user_id, fired_at, day, outcome, reason FROM nudge.backtest_triggers(
    '{"name": "d", "type": "behavioral", "max_frequency": {"daily": 1}, "conditions": [{"type": "action_type", "parameters": {"types": ["view"]}}]}',
    '2026-03-01', '2026-04-01');
-- The history is that up to the action: nobody had bought before 3 March, and the second view within an hour is ann's alone
SELECT user_id, fired_at FROM nudge.backtest_triggers(
    '{"name": "d", "type": "behavioral", "conditions": [{"type": "action_type", "parameters": {"types": ["view"]}}, {"type": "action_count", "parameters": {"action_type": "purchase", "within": "7 days", "min": 1}}]}',
    '2026-03-01', '2026-04-01');
SELECT user_id, fired_at FROM nudge.backtest_triggers(
    '{"name": "d", "type": "behavioral", "conditions": [{"type": "action_count", "parameters": {"action_type": "view", "within": "1 hour", "min": 2}}]}',
    '2026-03-01', '2026-04-01');
SELECT user_id, fired_at FROM nudge.backtest_triggers(
    '{"name": "d", "type": "behavioral", "conditions": [{"type": "action_type", "parameters": {"types": ["view"]}}, {"type": "purchase_behavior", "operator": "equals", "parameters": {"threshold": 0}}]}',
    '2026-03-01', '2026-04-01');
-- Re-entry: once; after a week; once for each order
SELECT r.reentry, user_id, fired_at, outcome, reason
FROM (VALUES (1, '"once"'::jsonb), (2, '{"after": "7 days"}'), (3, '{"key": "$.order_id"}'), (4, '{"key": "$.none"}')) AS r (n, reentry),
     nudge.backtest_triggers(jsonb_build_object('name', 'd', 'type', 'behavioral', 'reentry', r.reentry, 'conditions',
         '[{"type": "action_type", "parameters": {"types": ["view"]}}]'::jsonb), '2026-03-01', '2026-04-01')
ORDER BY r.n, user_id, fired_at;
-- Held out: everybody, and nobody
SELECT h, (nudge.backtest(jsonb_build_object('name', 'd', 'type', 'behavioral', 'holdout_percent', h), '2026-03-01', '2026-04-01')) ->> 'held_out'
FROM unnest('{0,100}'::int[]) AS h;

-- Global caps count what other rules sent besides; the draft of a rule that exists takes its place
SELECT nudge.create_rule('{"name": "Other", "type": "behavioral", "template_id": "t", "conditions": [{"type": "action_type", "parameters": {"types": ["signup"]}}]}') AS other \gset
INSERT INTO nudge.frequency_caps (period, max_messages) VALUES ('weekly', 2);
INSERT INTO nudge.cap_usage VALUES ('ann', ARRAY[:other], '{email}', '{2026-03-02}', '{1}');
INSERT INTO nudge.messages (user_id, rule_id, channel, recipient, priority, fired_at, created_at, timezone)
VALUES ('ann', :other, 'email', 'ann@example.com', 'normal', '2026-03-02 10:30Z', '2026-03-02 11:00Z', 'Europe/Oslo');
SELECT user_id, fired_at, outcome, reason FROM nudge.backtest_triggers(
    '{"name": "d", "type": "behavioral", "conditions": [{"type": "action_type", "parameters": {"types": ["view"]}}]}', '2026-03-01', '2026-03-08');
SELECT b -> 'capped_by' AS capped_by, (b -> 'overlaps' -> 0) - 'rule_id' AS overlaps, b -> 'by_day' AS by_day
FROM nudge.backtest('{"name": "d", "type": "behavioral", "max_frequency": {"daily": 1}, "conditions": [{"type": "action_type", "parameters": {"types": ["view"]}}]}',
                    '2026-03-01', '2026-03-08') AS b;
SELECT user_id, fired_at, outcome, reason FROM nudge.backtest_triggers(
    '{"name": "Other", "type": "behavioral", "conditions": [{"type": "action_type", "parameters": {"types": ["view"]}}]}', '2026-03-01', '2026-03-08')
WHERE user_id = 'ann';
SELECT nudge.backtest(nudge.rule_document(:other), '2026-03-01', '2026-03-08') ->> 'triggers' AS triggers;

-- Nothing has happened
SELECT (SELECT count(*) FROM nudge.rules WHERE name IN ('d', 'Other')) AS rules, (SELECT count(*) FROM nudge.pending WHERE user_id IN ('ann', 'bob')) AS pending,
       (SELECT count(*) FROM nudge.events WHERE user_id IN ('ann', 'bob')) AS events;

-- What happened to messages counts from when it was recorded
INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, occurred_at, recorded_at)
VALUES ('ann', 'opened', :other, 1, '2026-03-03 00:00Z', '2026-03-03 12:00Z');
SELECT user_id, fired_at FROM nudge.backtest_triggers(
    '{"name": "d", "type": "behavioral", "conditions": [{"type": "message_engagement", "operator": "opened", "parameters": {"rule": "Other", "within": "30 days"}}]}', '2026-03-01', '2026-04-01');
ROLLBACK;


-- What fired as it was recorded fires when it is replayed, and what was capped is capped
BEGIN;
SELECT setseed(0.4);
INSERT INTO nudge.users (user_id, timezone, profile)
SELECT 'u' || n, (ARRAY['Europe/Oslo', 'Asia/Tokyo', NULL])[1 + n % 3], jsonb_build_object('tier', (ARRAY['gold', 'none'])[1 + n % 2]) FROM generate_series(1, 12) AS n;
CREATE TEMP TABLE drafts AS
SELECT jsonb_build_object('name', 'r' || n, 'type', (ARRAY['behavioral', 'engagement', 'lifecycle'])[1 + n % 3], 'conditions', c) || o AS config
FROM (VALUES
    (1, '[{"type": "action_type", "parameters": {"types": ["a", "b"]}}]', '{"max_frequency": {"daily": 3}}'),
    (2, '[{"type": "action_count", "parameters": {"action_type": "a", "within": "1 hour", "min": 3}}]', '{}'),
    (3, '[{"type": "action_count", "parameters": {"action_type": ["a", "b"], "within": "1 day", "max": 4}}, {"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "gold"}}]', '{"reentry": "once"}'),
    (4, '[{"type": "action_attribute", "operator": "greater_than", "parameters": {"path": "n", "value": 50}}]', '{"reentry": {"key": "$.k"}}'),
    (5, '[{"any": [{"type": "action_type", "parameters": {"types": ["c"]}}, {"not": {"type": "action_count", "parameters": {"action_type": "b", "within": "2 days"}}}]}]', '{"holdout_percent": 50}'),
    (6, '[{"type": "purchase_behavior", "operator": "less_than", "parameters": {"threshold": 3}}, {"type": "action_type", "parameters": {"types": ["purchase", "c"]}}]', '{"max_frequency": {"weekly": 2}}')) AS v (n, c0, o0)
CROSS JOIN LATERAL (SELECT c0::jsonb AS c, o0::jsonb AS o) AS j;
SELECT count(nudge.create_rule(config)) FROM drafts;
DO $$
BEGIN
    FOR i IN 1 .. 20 LOOP
        INSERT INTO nudge.actions (user_id, action_type, action_data)
        SELECT 'u' || 1 + floor(random() * 12), (ARRAY['a', 'b', 'c', 'purchase'])[1 + floor(random() * 4)],
               jsonb_build_object('n', floor(random() * 100), 'k', floor(random() * 5))
        FROM generate_series(1, 1 + floor(random() * 30)::integer);
    END LOOP;
END
$$;
-- Holdouts go by the id of the rule, which a draft does not have
WITH live AS (
    SELECT r.name, e.action_id, CASE e.event_type WHEN 'scheduled' THEN 'fired' ELSE e.event_type END AS outcome
    FROM nudge.events e JOIN nudge.rules r USING (rule_id)
    WHERE e.event_type IN ('scheduled', 'capped')),
replayed AS (
    SELECT d.config ->> 'name' AS name, t.action_id, t.outcome
    FROM drafts d CROSS JOIN LATERAL nudge.backtest_triggers(d.config, now(), now()) AS t
    WHERE t.outcome IN ('fired', 'capped'))
SELECT name, outcome, count(*) > 5 AS some, count(*) FILTER (WHERE l.action_id IS NULL OR r.action_id IS NULL) AS differ
FROM live l FULL JOIN replayed r USING (name, action_id, outcome)
WHERE name <> 'r5'
GROUP BY name, outcome ORDER BY name, outcome;
ROLLBACK;
