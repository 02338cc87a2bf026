-- Stages of users: kept by actions and by time, followed by rules, counted by week
-- Times are long past, so that the real one does not matter.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
DELETE FROM nudge.rules;
DELETE FROM nudge.users;
DELETE FROM nudge.segments;
TRUNCATE nudge.pending, nudge.events, nudge.actions, nudge.lifecycle_states, nudge.lifecycle_transitions,
    nudge.lifecycle_checks, nudge.lifecycle_progress;
RESET client_min_messages;
CREATE TEMP TABLE shipped AS TABLE nudge.lifecycle_stages;
SELECT name, position, match, lasts FROM nudge.lifecycle_stages ORDER BY position;

INSERT INTO nudge.templates (template_id, subject, body_text) VALUES ('lifecycle', 'Hello', 'Hello');
SELECT count(nudge.create_rule(c.config)) FROM (VALUES
    (jsonb '{"name": "follows", "type": "behavioral", "template_id": "lifecycle", "conditions": [
        {"type": "action_type", "parameters": {"types": ["lifecycle_changed"]}},
        {"type": "action_attribute", "parameters": {"path": "to", "value": "churned"}}]}'),
    ('{"name": "stage", "type": "lifecycle", "template_id": "lifecycle", "conditions": [
        {"type": "lifecycle_stage", "parameters": {"stage": "won_back"}}]}')) AS c (config);

-- What users do at a time: history, which fires no rule
CREATE FUNCTION did(user_id text, at timestamptz, times integer DEFAULT 1, source text DEFAULT 'web') RETURNS void
LANGUAGE sql AS $$
    INSERT INTO nudge.actions (user_id, action_type, source, occurred_at, recorded_at)
    SELECT user_id, 'visit_' || t, source, at, at FROM generate_series(1, times) AS t
$$;
CREATE FUNCTION look(at timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    moved integer := nudge.run_lifecycle(at);
BEGIN
    RETURN (SELECT moved || ' moved: ' || string_agg(concat_ws(' ', u.user_id, coalesce(u.lifecycle_stage, '-')), ', ' ORDER BY u.user_id)
            FROM nudge.users u);
END
$$;
CREATE VIEW told AS
    SELECT a.user_id, a.action_type, a.source, a.action_data, a.occurred_at
    FROM nudge.actions a WHERE a.action_type = 'lifecycle_changed';

-- One user through all stages
INSERT INTO nudge.users (user_id, created_at) VALUES ('ann', '2021-01-01');
SELECT did('ann', '2021-01-01', 2);
SELECT look('2021-01-01 01:00');
-- nothing has happened: the time has not come
SELECT look('2021-01-07 23:59');
SELECT look('2021-01-08 00:01');
-- the first stage is no transition
INSERT INTO nudge.users (user_id, created_at) VALUES ('bob', '2021-01-07');
SELECT did('bob', '2021-01-08', 5);
SELECT look('2021-01-08 00:02');
-- the line is crossed 14 days after the last action
SELECT look('2021-01-15 00:00');
SELECT look('2021-01-15 00:00:00.000001');
SELECT look('2021-01-30 23:59');
SELECT look('2021-01-31 00:00:00.000001');
-- what the engine records is no sign of life, and later actions do not count
SELECT did('ann', '2021-02-01', 3, 'pg_nudge');
SELECT did('ann', '2021-06-01');
SELECT look('2021-02-02');
SELECT look('2021-04-01 00:00:00.000001');
-- back again, for 14 days
SELECT did('ann', '2021-04-02');
SELECT look('2021-04-02 12:00');
SELECT did('ann', '2021-04-10');
SELECT look('2021-04-16 11:59');
SELECT look('2021-04-16 12:00');
SELECT look('2021-04-16 12:00');
-- straight from one stage to one far off
SELECT look('2021-07-31');
SELECT user_id, action_type, source, action_data, occurred_at FROM told ORDER BY user_id, occurred_at;
-- rules follow: whoever churned, and ann as long as she is won back
SELECT p.user_id, r.name, count(*) FROM nudge.pending p JOIN nudge.rules r USING (rule_id) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM nudge.lifecycle_flow ORDER BY week, from_stage NULLS FIRST, to_stage;
-- a week begins at Monday's midnight in nudge.timezone
SET nudge.timezone = 'Asia/Tokyo';
INSERT INTO nudge.lifecycle_transitions VALUES ('eve', 'a', 'b', '2021-01-03 14:59'), ('eve', 'a', 'b', '2021-01-03 15:00'),
    ('eve', 'a', 'b', '2021-01-04'), ('pat', 'a', 'b', '2021-01-04');
SELECT week, users FROM nudge.lifecycle_flow WHERE from_stage = 'a' ORDER BY week;

-- Old transitions go, by whole weeks, and their numbers stay; what comes late is added
BEGIN;
DELETE FROM nudge.lifecycle_transitions WHERE from_stage IS DISTINCT FROM 'a';
INSERT INTO nudge.lifecycle_transitions
SELECT u, NULL, 'b', w - d
FROM (SELECT date_trunc('week', now() - interval '90 days', 'Asia/Tokyo') AS w) AS oldest,
    (VALUES ('kept', interval '0'), ('gone', interval '1 us'), ('gone', interval '2 us')) AS v (u, d);
CREATE TEMP TABLE flow AS TABLE nudge.lifecycle_flow;
SELECT nudge.prune_transitions();
SELECT user_id FROM nudge.lifecycle_transitions;
SELECT week < '2022-01-01', from_stage, to_stage, users FROM nudge.lifecycle_weeks ORDER BY week;
TABLE flow EXCEPT TABLE nudge.lifecycle_flow;
TABLE nudge.lifecycle_flow EXCEPT TABLE flow;
INSERT INTO nudge.lifecycle_transitions VALUES ('late', 'a', 'b', '2021-01-04'), ('late', NULL, 'b', '2021-01-04');
SELECT nudge.prune_transitions(), nudge.prune_transitions();
SELECT week, from_stage, users FROM nudge.lifecycle_flow WHERE week < '2022-01-01' ORDER BY week, from_stage;
ROLLBACK;
RESET nudge.timezone;
DELETE FROM nudge.lifecycle_transitions WHERE from_stage = 'a';

-- Who is not looked at: no row is written, not even a transaction id is used
SELECT nudge.run_lifecycle('2021-07-31');
BEGIN;
SELECT nudge.run_lifecycle('2021-07-31');
SELECT pg_current_xact_id_if_assigned();
COMMIT;

-- Live actions are heard at once, also those of the same transaction
BEGIN;
INSERT INTO nudge.users (user_id, created_at) VALUES ('cat', now() - interval '20 days');
SELECT nudge.run_lifecycle();
SELECT lifecycle_stage FROM nudge.users WHERE user_id = 'cat';
SELECT nudge.register_action('cat', 'visit');
SELECT nudge.run_timers();
SELECT lifecycle_stage FROM nudge.users WHERE user_id = 'cat';
COMMIT;
INSERT INTO nudge.users (user_id) VALUES ('dan');
CALL nudge.run('1 ms');
SELECT user_id, lifecycle_stage FROM nudge.users WHERE user_id = 'dan';
UPDATE nudge.users SET created_at = created_at - interval '10 days' WHERE user_id = 'dan';
SELECT nudge.register_action('dan', 'visit');
CALL nudge.run('1 ms');
SELECT user_id, lifecycle_stage FROM nudge.users WHERE user_id = 'dan';

-- Users without a row have no stage; users who go leave nothing to be looked at
SELECT nudge.register_action('nobody', 'visit');
DELETE FROM nudge.users WHERE user_id IN ('cat', 'dan');
SELECT nudge.run_lifecycle();
SELECT user_id FROM nudge.lifecycle_states ORDER BY user_id;
SELECT count(*) FROM nudge.lifecycle_checks;

-- Other stages: all users are looked at; the last that holds counts
INSERT INTO nudge.lifecycle_stages (name, position, conditions, match) VALUES
    ('vip', 7, '[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "gold"}},
                 {"type": "segment", "parameters": {"segment": "friends"}}]', 'any');
INSERT INTO nudge.segments (name) VALUES ('friends');
INSERT INTO nudge.lifecycle_stages (name, position, conditions, match) VALUES
    ('vip', 7, '[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "gold"}},
                 {"type": "segment", "parameters": {"segment": "friends"}}]', 'any');
INSERT INTO nudge.segment_members (segment, user_id) VALUES ('friends', 'bob');
SELECT look('2021-08-01');
-- and where stages go by what is known of users, changes of users are heard
UPDATE nudge.users SET profile = '{"tier": "gold"}' WHERE user_id = 'ann';
SELECT look('2021-08-01 00:01');
UPDATE nudge.users SET profile = '{"tier": "iron"}' WHERE user_id = 'ann';
UPDATE nudge.users SET profile = profile;
SELECT count(*) FROM nudge.lifecycle_checks;
SELECT look('2021-08-01 00:02');

-- A stage that is gone: whom no other holds for has none
DELETE FROM nudge.segments WHERE name = 'friends';
DELETE FROM nudge.lifecycle_stages WHERE name = 'vip';
DELETE FROM nudge.segments WHERE name = 'friends';
DELETE FROM nudge.lifecycle_stages WHERE name = 'churned';
UPDATE nudge.lifecycle_stages SET conditions = '[]' WHERE name = 'won_back';
DELETE FROM nudge.rules;
DELETE FROM nudge.lifecycle_stages WHERE name NOT IN ('new', 'won_back');
UPDATE nudge.lifecycle_stages SET position = 8 - position;
SELECT name, position FROM nudge.lifecycle_stages ORDER BY position;
SELECT look('2021-08-02');
SELECT user_id, action_data FROM told WHERE occurred_at BETWEEN '2021-08-01' AND '2021-08-02' ORDER BY occurred_at, user_id;
SELECT name FROM nudge.lifecycle_removed_stages ORDER BY name;

-- Two stages that want each other do not keep a run busy
TRUNCATE nudge.lifecycle_stages;
SELECT look('2021-08-02');
SELECT name FROM nudge.lifecycle_removed_stages ORDER BY name;
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES
    ('start', 1, '[{"not": {"type": "lifecycle_stage", "parameters": {"stages": ["a", "b"]}}}]'),
    ('a', 2, '[{"type": "lifecycle_stage", "parameters": {"stages": ["start", "b"]}}]'),
    ('b', 3, '[{"type": "lifecycle_stage", "parameters": {"stage": "a"}}]');
SELECT look('2021-08-03');
SELECT look('2021-08-04');
SELECT look('2021-08-05');
SELECT look('2021-08-06');

-- Those who were there before any stage do not count in the flow
DELETE FROM nudge.lifecycle_checks;
TRUNCATE nudge.lifecycle_states, nudge.lifecycle_progress;
UPDATE nudge.users SET lifecycle_stage = NULL;
SELECT count(*) FROM nudge.lifecycle_transitions;
SELECT look('2021-08-06');
SELECT count(*) FROM nudge.lifecycle_transitions;

-- More users than a step takes, with actions of one transaction
DELETE FROM nudge.lifecycle_stages;
INSERT INTO nudge.users (user_id, created_at) SELECT 'u' || i, '2021-01-01' FROM generate_series(1, 2500) AS i;
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES
    ('buyer', 9, '[{"type": "action_count", "parameters": {"action_type": "purchase"}}]');
SELECT nudge.run_lifecycle();
INSERT INTO nudge.actions (user_id, action_type) SELECT 'u' || i, 'purchase' FROM generate_series(1, 2500) AS i;
SELECT nudge.run_lifecycle();
SELECT lifecycle_stage, count(*) FROM nudge.users WHERE user_id LIKE 'u%' GROUP BY 1;

-- What the engine records does not make a user return from a decline in engagement
DELETE FROM nudge.lifecycle_stages;
INSERT INTO nudge.lifecycle_stages TABLE shipped;
SELECT nudge.create_rule('{"name": "decline", "type": "time_based", "template_id": "lifecycle",
                           "schedule": {"kind": "decline", "after": "7 days"}}') > 0 AS created;
INSERT INTO nudge.users (user_id, created_at) VALUES ('fay', now() - interval '40 days');
SELECT nudge.run_timers();
SELECT nudge.register_action('fay', 'visit');
SELECT nudge.run_timers();
SELECT nudge.run_timers(now() + interval '7 days 1 hour');
SELECT nudge.run_timers(now() + interval '14 days 1 hour');
SELECT count(*) FROM told WHERE user_id = 'fay';
SELECT nudge.run_timers(now() + interval '21 days 2 hours');

-- action_type "*": any action of the user's own, in segments by both ways
SELECT did('eve', now() - interval '1 day', 2), did('eve', now(), 9, 'pg_nudge'), did('eve', now() - interval '9 days');
INSERT INTO nudge.users (user_id) VALUES ('eve');
INSERT INTO nudge.segments (name, conditions) VALUES
    ('two', '[{"type": "action_count", "parameters": {"action_type": "*", "within": "2 days", "count": 2}}]'),
    ('three', '[{"type": "action_count", "parameters": {"action_type": ["*", "visit_1"], "min": 3, "max": 3}}]'),
    ('idle', '[{"type": "action_count", "operator": "did_not", "parameters": {"action_type": "*", "within": "1 hour"}}]');
SELECT s.name, nudge.in_segment('eve', s.name), 'eve' IN (SELECT nudge.segment_users(s.name))
FROM nudge.segments s ORDER BY s.name;
SELECT nudge.create_rule('{"name": "third", "type": "behavioral", "template_id": "lifecycle", "conditions": [
    {"type": "action_count", "parameters": {"action_type": "*", "within": "2 days", "count": 3}}]}') IS NOT NULL AS created;
SELECT cardinality(nudge.register_action('eve', 'other')), cardinality(nudge.register_action('eve', 'more'));

DROP VIEW IF EXISTS told;
DROP FUNCTION IF EXISTS look, did;
DELETE FROM nudge.rules;
DELETE FROM nudge.users;
DELETE FROM nudge.segments;
DELETE FROM nudge.templates WHERE template_id = 'lifecycle';
DELETE FROM nudge.lifecycle_stages;
INSERT INTO nudge.lifecycle_stages TABLE shipped;
TRUNCATE nudge.pending, nudge.events, nudge.actions, nudge.lifecycle_states, nudge.lifecycle_transitions,
    nudge.lifecycle_checks, nudge.lifecycle_progress;
SELECT name FROM nudge.lifecycle_removed_stages;
