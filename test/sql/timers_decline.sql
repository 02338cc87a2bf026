-- Engagement decline: no action of given types for some time.  Clocks are given.
BEGIN;
DELETE FROM nudge.rules;
DELETE FROM nudge.users;
DELETE FROM nudge.segments;
TRUNCATE nudge.pending, nudge.events, nudge.actions, nudge.timers, nudge.timer_firings, nudge.timer_signals;
SELECT nudge.run_timers();

SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE FUNCTION pg_temp.act(user_id text, action_type text, at text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.actions (user_id, action_type, occurred_at) VALUES (user_id, action_type, (at || '+00')::timestamptz)
$$;
CREATE VIEW fired AS
    SELECT r.name, p.user_id, p.fired_at, p.action_data ->> 'last_action_at' AS last_action_at
    FROM nudge.pending p JOIN nudge.rules r USING (rule_id);
CREATE VIEW watched AS
    SELECT r.name, t.user_id, t.due_at, t.started_at FROM nudge.timers t JOIN nudge.rules r USING (rule_id);

SELECT nudge.create_rule('{"name": "quiet", "type": "time_based", "schedule": {"kind": "decline", "types": ["login", "view"], "after": "14 days"}}') IS NOT NULL;
INSERT INTO nudge.users (user_id) VALUES ('never');
SELECT pg_temp.act('u', 'login', '2021-03-01 12:00'), pg_temp.act('u', 'other', '2021-03-05 12:00');
SELECT nudge.run_timers('2021-03-01 12:00+00');
SELECT * FROM watched;
-- Actions of a user who is watched for long are not signalled one by one.  (The clock
-- of the insert path is the real one, hence a time ahead.)
UPDATE nudge.timers SET due_at = '2999-01-01';
SELECT pg_temp.act('u', 'view', '2021-03-10 12:00');
SELECT count(*) FROM nudge.timer_signals;
UPDATE nudge.timers SET due_at = '2021-03-15 12:00+00';
-- The line moves with the last action
SELECT nudge.run_timers('2021-03-15 12:00+00');
SELECT * FROM watched;
-- It is crossed once
SELECT nudge.run_timers('2021-03-24 11:59:59+00'), nudge.run_timers('2021-03-24 12:00+00'), nudge.run_timers('2021-03-30'), nudge.run_timers('2022-03-30');
SELECT * FROM fired;
SELECT * FROM watched;
-- and again only after a return
SELECT pg_temp.act('u', 'other', '2021-04-01 12:00');
SELECT nudge.run_timers('2021-05-01');
SELECT pg_temp.act('u', 'login', '2021-05-01 12:00');
SELECT nudge.run_timers('2021-05-15 12:00+00'), nudge.run_timers('2021-05-16');
SELECT * FROM fired ORDER BY fired_at;
-- An action at the very end of the time is in time
SELECT pg_temp.act('u', 'login', '2021-06-01 12:00'), pg_temp.act('u', 'login', '2021-06-15 12:00');
SELECT nudge.run_timers('2021-06-15 13:00+00');
-- Two spells while nothing ran: one too old, one not
SELECT pg_temp.act('u', 'login', '2021-07-20 12:00');
SELECT nudge.run_timers('2021-08-03 13:00+00');
SELECT user_id, reason, metadata FROM nudge.events WHERE event_type = 'skipped';
SELECT * FROM fired ORDER BY fired_at;
-- An earlier run
SELECT nudge.run_timers('2021-05-16');

-- A rule for all types, made when there is a history already: it looks at users with a row,
-- and those who crossed the line long ago are left alone until they return
INSERT INTO nudge.users (user_id) VALUES ('recent'), ('long_ago'), ('u');
SELECT pg_temp.act('recent', 'any', '2021-09-01 12:00'), pg_temp.act('long_ago', 'any', '2021-01-01 12:00');
SELECT nudge.run_timers('2021-09-01 12:00+00');
SELECT nudge.create_rule('{"name": "any", "type": "time_based", "schedule": {"kind": "engagement_decline", "after": "7 days"}}') IS NOT NULL;
SELECT nudge.run_timers('2021-09-02 12:00+00');
SELECT * FROM watched WHERE name = 'any' ORDER BY user_id;
SELECT nudge.run_timers('2021-09-08 12:00+00');
SELECT pg_temp.act('long_ago', 'back', '2021-09-09 12:00');
SELECT nudge.run_timers('2021-09-16 12:00+00');
SELECT * FROM fired WHERE name = 'any' ORDER BY fired_at;
ROLLBACK;
