-- Every interval or on weekdays, at a local time
BEGIN;
DELETE FROM nudge.rules;
DELETE FROM nudge.users;
DELETE FROM nudge.segments;
TRUNCATE nudge.pending, nudge.events, nudge.actions, nudge.timers, nudge.timer_firings, nudge.timer_signals;
SELECT nudge.run_timers();

SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE VIEW fired AS
    SELECT r.name, p.user_id, p.fired_at, p.occurrence FROM nudge.pending p JOIN nudge.rules r USING (rule_id);
CREATE VIEW clocks AS
    SELECT r.name, c.timezone, c.due_at, c.occurrence FROM nudge.timer_clocks c JOIN nudge.rules r USING (rule_id);
INSERT INTO nudge.segments (name) VALUES ('list');
INSERT INTO nudge.users (user_id, timezone, created_at) VALUES
    ('berlin', 'Europe/Berlin', '2020-01-01'), ('berlin2', 'Europe/Berlin', '2020-01-01'),
    ('york', 'America/New_York', '2020-01-01'), ('none', NULL, '2020-01-01'), ('out', NULL, '2020-01-01');
INSERT INTO nudge.segment_members (segment, user_id) VALUES ('list', 'berlin'), ('list', 'york'), ('list', 'none'), ('list', 'unknown');

SELECT nudge.create_rule('{"name": "days", "type": "time_based", "segmentation_rules": ["list"],
    "schedule": {"kind": "recurring", "days": ["mon", "thu"], "at": "09:00"}}') IS NOT NULL;
-- 2021-03-26 is a Friday, and the Sunday after it clocks change in Berlin.  As of a time before the
-- rule was made, it is taken for a day older, and Thursday, 09:00 in New York, is not a day ago.
SELECT nudge.run_timers('2021-03-26 12:00+00');
SELECT * FROM clocks ORDER BY timezone;
SELECT nudge.run_timers('2021-03-29 06:59:59+00'), nudge.run_timers('2021-03-29 07:00+00'), nudge.run_timers('2021-03-29 09:00+00'),
       nudge.run_timers('2021-03-29 13:00+00'), nudge.run_timers('2021-03-29 13:00+00');
SELECT * FROM fired ORDER BY fired_at;
SELECT * FROM clocks ORDER BY timezone;
-- A user who moves past the time does not miss it, one who moves back does not get it twice
UPDATE nudge.users SET timezone = 'Asia/Tokyo' WHERE user_id = 'york';
UPDATE nudge.users SET timezone = 'America/New_York' WHERE user_id = 'berlin';
SELECT nudge.run_timers('2021-04-01 05:00+00');
UPDATE nudge.users SET timezone = 'Pacific/Honolulu' WHERE user_id = 'york';
SELECT nudge.run_timers('2021-04-01 23:00+00');
SELECT * FROM fired WHERE fired_at > '2021-03-30' ORDER BY user_id;
-- A new user in a new zone
INSERT INTO nudge.users (user_id, timezone) VALUES ('apia', 'Pacific/Apia');
INSERT INTO nudge.segment_members (segment, user_id) VALUES ('list', 'apia');
SELECT nudge.run_timers('2021-04-02 00:00+00');
SELECT * FROM clocks WHERE timezone = 'Pacific/Apia';
-- A week of downtime: what is past grace is told of, for those in the segment
SELECT nudge.run_timers('2021-04-12 20:00+00');
SELECT user_id, occurrence FROM fired WHERE fired_at > '2021-04-02' ORDER BY user_id;
SELECT user_id, metadata ->> 'occurrence' AS occurrence FROM nudge.events WHERE event_type = 'skipped' AND reason = 'late' ORDER BY 2, 1;
-- A year: at most the last 31 days are
SELECT nudge.run_timers('2022-04-11 12:00+00') > 0;
SELECT metadata ->> 'occurrence' AS occurrence, count(*) FROM nudge.events
WHERE event_type = 'skipped' AND reason = 'late' AND metadata ->> 'occurrence' > '2021-05' GROUP BY 1 ORDER BY 1;
-- An earlier run
SELECT nudge.run_timers('2021-04-12 20:00+00');
DELETE FROM nudge.rules;

-- Every month from the 31st on; every two weeks; every six hours
DELETE FROM nudge.users;
INSERT INTO nudge.users (user_id, timezone, created_at) VALUES ('berlin', 'Europe/Berlin', '2020-01-01');
SELECT nudge.create_rule('{"name": "monthly", "type": "time_based",
    "schedule": {"kind": "recurring", "every": "1 month", "starting": "2021-01-31", "at": "10:00", "grace": "50 years"}}') IS NOT NULL;
SELECT nudge.create_rule('{"name": "2 weeks", "type": "time_based",
    "schedule": {"kind": "recurring", "every": "2 weeks", "starting": "2021-03-01"}}') IS NOT NULL;
SELECT nudge.create_rule('{"name": "6 hours", "type": "time_based",
    "schedule": {"kind": "recurring", "every": "6 hours", "starting": "2021-03-01", "at": "00:30"}}') IS NOT NULL;
SELECT nudge.run_timers('2021-03-01');
SELECT * FROM clocks ORDER BY name;
SELECT nudge.run_timers('2021-05-01');
SELECT name, fired_at, occurrence FROM fired WHERE name IN ('monthly', '2 weeks') ORDER BY name, occurrence;
SELECT occurrence FROM fired WHERE name = '6 hours' ORDER BY occurrence;
DELETE FROM nudge.rules;

-- Without a beginning, intervals count from the day the rule was made, here the day before.  Many
-- users, in steps
INSERT INTO nudge.users (user_id) SELECT 'n' || n FROM generate_series(1, 2500) AS n;
SELECT nudge.create_rule('{"name": "daily", "type": "time_based", "schedule": {"kind": "recurring", "every": "1 day"}}') IS NOT NULL;
SELECT nudge.run_timers('2021-07-01 08:00+00'), nudge.run_timers('2021-07-01 09:00+00'), nudge.run_timers('2021-07-01 09:00+00');
SELECT count(*), count(DISTINCT user_id) FROM fired WHERE name = 'daily';
-- A clock that is set to another time of the same day
UPDATE nudge.rules SET schedule = schedule || '{"at": "10:00"}';
SELECT nudge.run_timers('2021-07-01 10:00+00'), nudge.run_timers('2021-07-02 10:00+00');
ROLLBACK;
