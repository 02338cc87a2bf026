-- Reminders before or after a date that an attribute or an action gives
BEGIN;
DELETE FROM nudge.rules;
DELETE FROM nudge.users;
DELETE FROM nudge.segments;
TRUNCATE nudge.pending, nudge.events, nudge.actions, nudge.timers, nudge.timer_firings, nudge.timer_signals;
SELECT nudge.run_timers();

SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE FUNCTION pg_temp.act(user_id text, action_type text, at text, data jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.actions (user_id, action_type, occurred_at, action_data) VALUES (user_id, action_type, (at || '+00')::timestamptz, data)
$$;
CREATE VIEW fired AS
    SELECT r.name, p.user_id, p.fired_at, p.occurrence, p.action_type, p.action_data
    FROM nudge.pending p JOIN nudge.rules r USING (rule_id);
CREATE VIEW due AS
    SELECT r.name, t.user_id, t.key, t.due_at, t.occurrence FROM nudge.timers t JOIN nudge.rules r USING (rule_id);

-- Of an attribute
SELECT nudge.create_rule('{"name": "renewal", "type": "time_based", "schedule":
    {"kind": "reminder", "attribute": "profile.renewal_date", "offset": "-1 day", "at": "08:00"}}') IS NOT NULL;
INSERT INTO nudge.users (user_id, timezone, profile) VALUES
    ('r', 'Europe/Berlin', '{"renewal_date": "2021-03-29"}'), ('s', NULL, '{"renewal_date": "2021-04-10"}'),
    ('t', NULL, '{"renewal_date": "no date"}'), ('v', NULL, '{"renewal_date": null}');
SELECT nudge.run_timers('2021-03-01');
SELECT * FROM due ORDER BY user_id;
SELECT nudge.run_timers('2021-03-28 06:00+00');
-- It moves when the date moves, and what has fired is done with
UPDATE nudge.users SET profile = '{"renewal_date": "2022-03-29"}' WHERE user_id = 'r';
UPDATE nudge.users SET profile = '{"renewal_date": "2021-04-20"}' WHERE user_id = 's';
SELECT nudge.run_timers('2021-04-09 08:00+00'), nudge.run_timers('2021-04-19 08:00+00');
SELECT * FROM due ORDER BY user_id;
-- and vanishes when it is cleared, however that is done
UPDATE nudge.users SET profile = '{}' WHERE user_id = 'r';
SELECT nudge.run_timers('2021-04-20');
UPDATE nudge.users SET profile = '{"renewal_date": "2021-06-01"}' WHERE user_id IN ('r', 's');
SELECT nudge.run_timers('2021-04-20');
DELETE FROM nudge.users WHERE user_id = 's';
UPDATE nudge.users SET profile = '{"renewal_date": 5}' WHERE user_id = 'r';
SELECT * FROM due ORDER BY user_id;
SELECT nudge.run_timers('2021-06-01');
SELECT * FROM due ORDER BY user_id;
-- A date that is moved back to where the reminder went out already
UPDATE nudge.users SET profile = '{"renewal_date": "2021-03-29"}' WHERE user_id = 'r';
SELECT nudge.run_timers('2021-03-28 07:00+00');
SELECT user_id, fired_at, occurrence FROM fired ORDER BY 2;
DELETE FROM nudge.rules;

-- After a point in time, by hours that pass
SELECT nudge.create_rule('{"name": "after", "type": "time_based", "schedule":
    {"kind": "reminder", "attribute": "profile.visit", "offset": "2 hours"}}') IS NOT NULL;
UPDATE nudge.users SET profile = '{"visit": "2021-03-28 01:30"}' WHERE user_id = 'r';
SELECT nudge.run_timers('2021-03-28');
SELECT * FROM due;
DELETE FROM nudge.rules;

-- Of an action
SELECT nudge.create_rule('{"name": "appointment", "type": "time_based", "schedule":
    {"kind": "reminder", "action": "appointment_booked", "path": "$.starts_at", "offset": "-1 day",
     "unless": ["appointment_cancelled"], "key": "$.id"}}') IS NOT NULL;
SELECT pg_temp.act('a', 'appointment_booked', '2021-05-01 10:00', '{"id": 1, "starts_at": "2021-05-10T15:00:00+02:00", "doctor": "Who"}');
SELECT pg_temp.act('a', 'appointment_booked', '2021-05-01 11:00', '{"id": 2, "starts_at": "2021-05-11T15:00:00+02:00"}');
SELECT pg_temp.act('b', 'appointment_booked', '2021-05-01 10:00', '{"id": 1, "starts_at": "2021-05-10T15:00:00+02:00"}');
SELECT pg_temp.act('c', 'appointment_booked', '2021-05-01 10:00', '{"id": 1, "starts_at": "2021-05-10T15:00:00+02:00"}');
SELECT nudge.run_timers('2021-05-01 12:00+00');
SELECT * FROM due ORDER BY user_id, key;
-- One moves, one is cancelled, one of another's is not
SELECT pg_temp.act('a', 'appointment_booked', '2021-05-02 10:00', '{"id": 1, "starts_at": "2021-05-09T15:00:00+02:00", "doctor": "No"}');
SELECT pg_temp.act('b', 'appointment_cancelled', '2021-05-02 10:00', '{"id": 1}');
SELECT pg_temp.act('c', 'appointment_cancelled', '2021-05-02 10:00', '{"id": 7}');
SELECT nudge.run_timers('2021-05-02 12:00+00');
SELECT * FROM due ORDER BY user_id, key;
-- Without a key all are
SELECT pg_temp.act('c', 'appointment_cancelled', '2021-05-02 13:00');
-- What comes in late does not undo what came after it
SELECT pg_temp.act('a', 'appointment_booked', '2021-05-01 09:00', '{"id": 1, "starts_at": "2021-05-30T15:00:00+02:00"}');
SELECT pg_temp.act('b', 'appointment_booked', '2021-05-01 09:00', '{"id": 1, "starts_at": "2021-05-30T15:00:00+02:00"}');
SELECT nudge.run_timers('2021-05-08 13:00+00');
SELECT nudge.run_timers('2021-05-10 13:00+00');
SELECT user_id, fired_at, occurrence, action_type, action_data FROM fired WHERE name = 'appointment' ORDER BY fired_at;
SELECT * FROM due;
-- Booked less than the offset ahead, and no date at all
SELECT pg_temp.act('a', 'appointment_booked', '2021-06-01 10:00', '{"id": 3, "starts_at": "2021-06-01T20:00:00Z"}'),
       pg_temp.act('a', 'appointment_booked', '2021-06-01 10:00', '{"id": 4, "starts_at": "2021-05-20T20:00:00Z"}'),
       pg_temp.act('a', 'appointment_booked', '2021-06-01 10:00', '{"id": 5, "starts_at": [1]}'),
       pg_temp.act('a', 'appointment_booked', '2021-06-01 10:00', '{"id": 6}');
SELECT nudge.run_timers('2021-06-01 10:00+00');
SELECT * FROM due;
-- A rule that is made when there are dates already; dates by a local time; a user who moves
DELETE FROM nudge.rules;
INSERT INTO nudge.users (user_id, timezone) VALUES ('d', 'Asia/Tokyo');
SELECT pg_temp.act('d', 'booked', '2021-07-01 10:00', '{"day": "2021-07-10"}'), pg_temp.act('d', 'booked', '2021-07-02 10:00', '{"day": "2021-07-12"}');
SELECT nudge.create_rule('{"name": "day", "type": "time_based", "schedule":
    {"kind": "reminder", "action": "booked", "path": "$.day", "offset": "-1 day", "at": "18:00"}}') IS NOT NULL;
SELECT nudge.run_timers('2021-07-03');
SELECT * FROM due;
UPDATE nudge.users SET timezone = 'America/New_York' WHERE user_id = 'd';
SELECT nudge.run_timers('2021-07-03');
SELECT * FROM due;
SELECT nudge.run_timers('2021-07-11 22:00+00');
-- A user whose id changes, dates and time zone with it
SELECT nudge.create_rule('{"name": "by id", "type": "time_based", "schedule": {"kind": "reminder", "attribute": "profile.renewal_date", "at": "08:00"}}') IS NOT NULL,
       nudge.create_rule('{"name": "daily", "type": "time_based", "schedule": {"kind": "recurring", "every": "1 day"}}') IS NOT NULL;
DELETE FROM nudge.users;
INSERT INTO nudge.users (user_id, timezone, profile) VALUES ('was', 'Asia/Tokyo', '{"renewal_date": "2021-08-10"}');
SELECT nudge.run_timers('2021-08-01');
UPDATE nudge.users SET user_id = 'is';
SELECT nudge.run_timers('2021-08-01'), nudge.run_timers('2021-08-09 23:00+00');
SELECT user_id, fired_at FROM fired WHERE name = 'by id';
UPDATE nudge.users SET user_id = 'other', timezone = 'Asia/Kathmandu';
SELECT nudge.run_timers('2021-08-10 00:00+00');
SELECT timezone FROM nudge.timer_clocks ORDER BY 1;
ROLLBACK;
