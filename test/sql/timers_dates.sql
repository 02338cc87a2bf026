-- Anniversaries and milestones.  Clocks are given throughout, all in the past of any
-- real one: a run as of a time before its rule was made takes the rule for older.
BEGIN;
DELETE FROM nudge.rules;
DELETE FROM nudge.users;
DELETE FROM nudge.segments;
TRUNCATE nudge.pending, nudge.events, nudge.actions, nudge.timers, nudge.timer_firings, nudge.timer_signals;
SELECT nudge.run_timers();

SET timezone = 'UTC';
CREATE FUNCTION pg_temp.made(config jsonb) RETURNS void LANGUAGE sql AS $$
    SELECT nudge.create_rule(config || '{"type": "time_based"}')
$$;
CREATE VIEW fired AS
    SELECT r.name, p.user_id, p.occurrence, p.fired_at, p.action_data ->> 'date' AS date,
           p.action_data ->> 'occurs_at' AS occurs_at
    FROM nudge.pending p JOIN nudge.rules r USING (rule_id);
CREATE VIEW due AS
    SELECT r.name, t.user_id, t.due_at, t.occurrence FROM nudge.timers t JOIN nudge.rules r USING (rule_id);

INSERT INTO nudge.users (user_id, email, timezone, profile, created_at) VALUES
    ('leap', 'l@example.com', 'Europe/Berlin', '{"birthday": "1992-02-29"}', '2019-01-01 12:00+00'),
    ('may', 'm@example.com', 'America/New_York', '{"birthday": "1990-05-17"}', '2019-01-01 12:00+00'),
    ('instant', 'i@example.com', 'Asia/Tokyo', '{"birthday": "1990-05-17T20:00:00Z"}', '2019-01-01 12:00+00'),
    ('nodate', 'n@example.com', NULL, '{"birthday": "soon"}', '2019-01-01 12:00+00'),
    ('baby', 'b@example.com', NULL, '{"birthday": "2021-05-17"}', '2019-01-01 12:00+00'),
    ('nobody', 'x@example.com', NULL, '{}', '2019-01-01 12:00+00');

-- No warning: time makes it fire, not a condition
SELECT pg_temp.made('{"name": "birthday", "schedule": {"kind": "anniversary", "attribute": "profile.birthday",
    "offset": "-3 days", "at": "09:00"}}');
SELECT nudge.run_timers('2021-01-01');
SELECT * FROM due ORDER BY user_id;
-- 29 February is the 28th in 2021: three days before is the 25th, 09:00 in Berlin
SELECT nudge.run_timers('2021-02-25 07:59:59+00');
SELECT nudge.run_timers('2021-02-25 08:00+00');
SELECT nudge.run_timers('2021-02-25 08:00+00');
SELECT * FROM fired;
-- The date of an instant is the user's: in Tokyo the 18th
SELECT nudge.run_timers('2021-05-31');
SELECT * FROM fired WHERE date > '2021-03' ORDER BY user_id;
SELECT user_id, reason, metadata FROM nudge.events WHERE event_type = 'skipped' ORDER BY user_id;
SELECT * FROM due ORDER BY user_id;
-- In a leap year it is the 29th: three days before is the 26th
SELECT nudge.run_timers('2024-02-26 08:00+00');
SELECT * FROM fired WHERE user_id = 'leap' ORDER BY occurrence;

-- The date moves: so does the timer; another change of the profile does not matter
UPDATE nudge.users SET profile = '{"birthday": "1990-06-20"}' WHERE user_id = 'may';
SELECT count(*) FROM nudge.timer_signals;
UPDATE nudge.users SET profile = profile || '{"tier": "gold"}', phone = '+1' WHERE user_id = 'may';
SELECT count(*) FROM nudge.timer_signals;
SELECT nudge.run_timers('2024-03-01');
SELECT * FROM due WHERE user_id = 'may';
-- The zone moves, and the user with it
UPDATE nudge.users SET timezone = 'Asia/Tokyo' WHERE user_id = 'may';
SELECT nudge.run_timers('2024-03-01');
SELECT * FROM due WHERE user_id = 'may';
-- The date is cleared
UPDATE nudge.users SET profile = '{}' WHERE user_id = 'may';
SELECT nudge.run_timers('2024-07-01');
SELECT * FROM due WHERE user_id = 'may';
SELECT count(*) FROM fired WHERE user_id = 'may' AND occurrence = '2024';
-- It comes back on the day itself, less than grace after the time
UPDATE nudge.users SET profile = '{"birthday": "1990-07-04"}' WHERE user_id = 'may';
SELECT nudge.run_timers('2024-07-01 10:00+00');
SELECT user_id, occurrence, fired_at FROM fired WHERE user_id = 'may' AND occurrence = '2024';
-- and is set right after that: once a year is enough
UPDATE nudge.users SET profile = '{"birthday": "1990-07-05"}' WHERE user_id = 'may';
SELECT nudge.run_timers('2024-07-02 10:00+00');
SELECT * FROM due WHERE user_id = 'may';
-- A run as of an earlier time fires nothing twice
SELECT nudge.run_timers('2021-05-31'), nudge.run_timers('2024-02-26 08:00+00');

-- Paused: nothing; active again: not what was meanwhile
UPDATE nudge.rules SET status = 'paused' WHERE name = 'birthday';
SELECT nudge.run_timers('2025-02-26');
SELECT count(*) FROM due;
UPDATE nudge.rules SET status = 'active' WHERE name = 'birthday';
SELECT nudge.run_timers('2025-03-01');
SELECT * FROM due ORDER BY user_id;
-- Deleted
DELETE FROM nudge.rules WHERE name = 'birthday';
SELECT nudge.run_timers('2025-03-01');
SELECT count(*) FROM nudge.timers;
SELECT count(*) FROM nudge.timer_rules;

-- Clocks are put forward in Berlin on 2021-03-28 at 02:00, and back on 2021-10-31 at 03:00
SELECT t, nudge.local_instant(t, 'Europe/Berlin') FROM unnest('{2021-03-28 01:59:59, 2021-03-28 02:00, 2021-03-28 02:30,
    2021-03-28 03:00, 2021-10-31 01:59:59, 2021-10-31 02:00, 2021-10-31 02:30, 2021-10-31 03:00}'::timestamp[]) AS t;
-- Midnight that there is not; a day that there is not; a zone of old times
SELECT nudge.local_instant('2018-11-04 00:00', 'America/Sao_Paulo'), nudge.local_instant('2011-12-30 09:00', 'Pacific/Apia'),
       nudge.local_instant('1880-01-01 00:00', 'Europe/Berlin'), nudge.local_instant('2090-07-01 00:00', 'Europe/Berlin'),
       nudge.local_instant('2090-07-01 00:00', 'UTC');
-- The same by a search for the first instant that shows the time or a later one
CREATE FUNCTION pg_temp.first_showing(wall timestamp, zone text) RETURNS timestamptz LANGUAGE sql AS $$
    SELECT min(i) FROM generate_series((wall AT TIME ZONE 'UTC') - interval '27 hours', (wall AT TIME ZONE 'UTC') + interval '27 hours',
                                       interval '15 minutes') AS i
    WHERE i AT TIME ZONE zone >= wall
$$;
SELECT z, t, nudge.local_instant(t, z), pg_temp.first_showing(t, z)
FROM unnest('{Europe/Berlin, America/New_York, Australia/Lord_Howe, Africa/Casablanca, Asia/Tehran, Pacific/Apia, UTC}'::text[]) AS z
CROSS JOIN generate_series(timestamp '2010-01-01', '2012-12-31', interval '7 hours 15 minutes') AS t
WHERE nudge.local_instant(t, z) <> pg_temp.first_showing(t, z);

-- An anniversary in the gap and in the repeat
INSERT INTO nudge.users (user_id, timezone, profile) VALUES
    ('gap', 'Europe/Berlin', '{"birthday": "1990-03-28"}'), ('repeat', 'Europe/Berlin', '{"birthday": "1990-10-31"}');
SELECT pg_temp.made('{"name": "at night", "schedule": {"kind": "anniversary", "attribute": "profile.birthday", "at": "02:30"}}');
SELECT nudge.run_timers('2021-01-01');
SELECT * FROM due WHERE user_id IN ('gap', 'repeat') ORDER BY user_id;
DELETE FROM nudge.rules;

-- Milestones: once, some time after a date
SELECT pg_temp.made('{"name": "30 days", "schedule": {"kind": "milestone", "attribute": "created_at", "after": "30 days", "at": "09:00"}}');
SELECT pg_temp.made('{"name": "6 months", "schedule": {"kind": "milestone", "attribute": "profile.joined", "after": "6 months"}}');
SELECT pg_temp.made('{"name": "2 hours", "schedule": {"kind": "milestone", "attribute": "created_at", "after": "2 hours"}}');
DELETE FROM nudge.users;
INSERT INTO nudge.users (user_id, timezone, profile, created_at) VALUES
    ('m', 'America/New_York', '{"joined": "2021-08-31"}', '2021-03-01 03:30+00');
SELECT nudge.run_timers('2021-03-01');
SELECT * FROM due ORDER BY name;
SELECT nudge.run_timers('2021-03-01 05:30+00');
SELECT nudge.run_timers('2021-03-30 13:00+00');
-- The last of February is half a year after the last of August
SELECT nudge.run_timers('2022-02-28 14:00+00');
SELECT * FROM fired WHERE user_id = 'm' ORDER BY fired_at;
SELECT count(*) FROM due;
UPDATE nudge.users SET profile = '{"joined": "2021-09-01"}';
SELECT nudge.run_timers('2022-03-01 14:00+00');
SELECT * FROM fired WHERE user_id = 'm' AND name = '6 months' ORDER BY fired_at;

-- Conditions, segments, caps and testing hold for time as they do for actions
DELETE FROM nudge.rules;
INSERT INTO nudge.segments (name) VALUES ('vip');
INSERT INTO nudge.segment_members (segment, user_id) VALUES ('vip', 'a'), ('vip', 'b');
DELETE FROM nudge.users;
INSERT INTO nudge.users (user_id, profile) VALUES ('a', '{"d": "2021-01-01", "tier": "gold"}'),
    ('b', '{"d": "2021-01-01"}'), ('c', '{"d": "2021-01-01", "tier": "gold"}');
SELECT pg_temp.made('{"name": "gold vip", "schedule": {"kind": "milestone", "attribute": "profile.d", "after": "1 day"},
    "segmentation_rules": ["vip"],
    "conditions": [{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "gold"}},
                   {"type": "action_type", "parameters": {"types": ["never"]}}]}');
SELECT pg_temp.made('{"name": "tested", "status": "testing", "schedule": {"kind": "milestone", "attribute": "profile.d", "after": "1 day"}}');
SELECT pg_temp.made('{"name": "capped", "max_frequency": {"daily": 1}, "schedule": {"kind": "milestone", "attribute": "profile.d", "after": "1 day"}}');
SELECT nudge.run_timers('2021-01-02 09:00+00');
SELECT name, user_id FROM fired WHERE name IN ('gold vip', 'tested', 'capped') ORDER BY 1, 2;
SELECT r.name, e.user_id, e.event_type FROM nudge.events e JOIN nudge.rules r USING (rule_id)
WHERE r.name IN ('gold vip', 'tested') ORDER BY 1, 2, 3;

-- A point in time stays the same occurrence when the user moves to where it is another day
SAVEPOINT moving;
INSERT INTO nudge.users (user_id, profile) VALUES ('mover', '{"joined": "2021-01-05T15:30:00Z", "visit": "2021-01-05T15:30:00Z"}');
SELECT pg_temp.made('{"name": "moving milestone", "schedule": {"kind": "milestone", "attribute": "profile.joined", "after": "1 hour"}}'),
       pg_temp.made('{"name": "moving reminder", "schedule": {"kind": "reminder", "attribute": "profile.visit", "offset": "1 hour"}}');
SELECT nudge.run_timers('2021-01-05 18:00+00') > 0 AS fired;
UPDATE nudge.users SET timezone = 'Asia/Tokyo' WHERE user_id = 'mover';
SELECT nudge.run_timers('2021-01-05 20:00+00') AS moved, nudge.run_timers('2021-01-07 20:00+00') AS later;
SELECT name, count(*) FROM fired WHERE user_id = 'mover' GROUP BY name ORDER BY name;
ROLLBACK TO moving;

-- Actions do not fire such rules
SELECT nudge.register_action('a', 'timer');
SELECT name, matched FROM nudge.evaluate('a', 'timer') ORDER BY name;
SELECT name, outcome, reason, detail -> 'next_due' AS next_due FROM nudge.explain('a', 'timer') ORDER BY name;
SAVEPOINT s;
SELECT nudge.run_timers(NULL);
ROLLBACK TO s;
SELECT nudge.run_timers('infinity');
ROLLBACK TO s;
SET TRANSACTION READ ONLY;
SELECT nudge.run_timers('2020-01-01');
ROLLBACK;
