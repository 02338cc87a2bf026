-- rules.send_time = 'best': the user's own hour, else that of the rule's segments, else
-- the rule's, within a day, through daylight saving
SET client_min_messages = warning;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
INSERT INTO nudge.templates (template_id, subject, body_text) VALUES ('st', 's', 'x');
INSERT INTO nudge.segments (name) VALUES ('st_seg'), ('st_other');
INSERT INTO nudge.rules (rule_id, name, trigger_type, template_id, send_time, segments, delay) VALUES
    (7543001, 'st own', 'behavioral', 'st', 'best', '{}', '0'), (7543002, 'st segment', 'behavioral', 'st', 'best', '{st_seg}', '0'),
    (7543003, 'st unknown', 'behavioral', 'st', 'best', '{}', '0'), (7543004, 'st asap', 'behavioral', 'st', 'asap', '{}', '0'),
    (7543005, 'st late', 'behavioral', 'st', 'best', '{}', '30 hours');
INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters)
SELECT r, 0, 'action_type', jsonb_build_object('types', jsonb_build_array('st_' || r)) FROM generate_series(7543001, 7543005) AS r;

-- Messages made at some local hour, so many of them opened an hour later
CREATE FUNCTION pg_temp.sent(rule bigint, day date, local_hour int, n int, opened int, zone text, segs text[] DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
    WITH m AS (
        INSERT INTO nudge.messages (user_id, rule_id, channel, recipient, priority, fired_at, created_at, timezone, segments)
        SELECT 'st_x' || g, rule, 'email', 'x@example.com', 'normal', t, t, zone, segs
        FROM generate_series(1, n) AS g, (SELECT (day + make_time(local_hour, 10, 0)) AT TIME ZONE zone AS t) AS x
        RETURNING message_id, user_id, created_at),
    k AS (SELECT m.*, row_number() OVER () AS i FROM m)
    INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, occurred_at, recorded_at, event_key)
    SELECT k.user_id, e.t, rule, k.message_id, k.created_at + interval '1 hour', k.created_at + interval '1 hour', 'test'
    FROM k JOIN (VALUES ('sent', n), ('opened', opened)) AS e (t, most) ON k.i <= e.most $$;
-- the rule's own: 9 is best, 14 has but two messages, and nearly all at 18 were opened too long ago
SELECT pg_temp.sent(7543001, '2020-05-20', 9, 60, 30, 'Europe/Berlin'), pg_temp.sent(7543001, '2020-05-20', 14, 2, 2, 'America/New_York'),
       pg_temp.sent(7543001, '2020-05-21', 20, 60, 15, 'Europe/Berlin'), pg_temp.sent(7543001, '2020-01-20', 18, 100, 99, 'Europe/Berlin');
-- those of other rules to the segment's users count for the segment's rule: 7 in New York is best; its own would say 21
SELECT pg_temp.sent(7543004, '2020-05-20', 7, 80, 40, 'America/New_York', '{st_other,st_seg}'), pg_temp.sent(7543004, '2020-05-20', 12, 80, 20, 'America/New_York', '{st_seg}'),
       pg_temp.sent(7543004, '2020-05-20', 13, 80, 80, 'America/New_York', '{st_other}'), pg_temp.sent(7543002, '2020-05-20', 21, 50, 20, 'UTC'), pg_temp.sent(7543002, '2020-05-20', 22, 60, 2, 'UTC');
-- too little: 99 messages
SELECT pg_temp.sent(7543003, '2020-05-20', 9, 50, 30, 'UTC'), pg_temp.sent(7543003, '2020-05-20', 10, 49, 3, 'UTC');
SELECT pg_temp.sent(7543005, '2020-05-20', 9, 60, 30, 'UTC'), pg_temp.sent(7543005, '2020-05-20', 10, 60, 3, 'UTC');
SELECT nudge.update_send_hours('2020-06-01');
SELECT r.name, h.hour, h.basis, h.sent, h.opened, round(h.rate::numeric, 3) AS rate FROM nudge.rules r LEFT JOIN nudge.send_hours h USING (rule_id) WHERE r.name LIKE 'st %' ORDER BY r.rule_id;
-- (30 + 20 · 47 / 122) / (60 + 20)
SELECT round((30 + 20 * 47 / 122.0) / 80, 3) AS by_hand;
-- one message more and the rule has enough
SELECT pg_temp.sent(7543003, '2020-05-20', 10, 1, 0, 'UTC');
SELECT nudge.update_send_hours('2020-06-01');
SELECT hour FROM nudge.send_hours WHERE rule_id = 7543003;
-- the same from rollups
BEGIN;
SELECT nudge.rollup() > 0 AS counted;
CREATE TEMP TABLE before AS SELECT rule_id, hour, basis, sent, opened FROM nudge.send_hours;
SELECT nudge.update_send_hours('2020-06-01');
SELECT count(*) FROM (SELECT rule_id, hour, basis, sent, opened FROM nudge.send_hours EXCEPT TABLE before) AS other;
ROLLBACK;
DELETE FROM nudge.send_hours WHERE rule_id = 7543003;

-- The user's own: 18 and 19 speak for each other against 8; machines, two messages and old ones do not count
INSERT INTO nudge.users (user_id, email, timezone) VALUES
    ('st_new', 'a@example.org', 'Europe/Berlin'), ('st_evening', 'b@example.org', 'Europe/Berlin'), ('st_few', 'c@example.org', 'Europe/Berlin'),
    ('st_machine', 'd@example.org', 'Europe/Berlin'), ('st_old', 'e@example.org', 'Europe/Berlin'), ('st_night', 'f@example.org', 'UTC'), ('st_ny', 'g@example.org', 'America/New_York');
INSERT INTO nudge.segment_members (segment, user_id) SELECT 'st_seg', user_id FROM nudge.users WHERE user_id LIKE 'st\_%';
CREATE FUNCTION pg_temp.opened(usr text, at timestamp, id bigint, type text DEFAULT 'opened', flag text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.events (user_id, event_type, message_id, flag, occurred_at, recorded_at, event_key)
    SELECT usr, type, id, flag, t, t, 'st' || type || at FROM (SELECT at AT TIME ZONE timezone AS t FROM nudge.users WHERE user_id = usr) AS x $$;
SELECT pg_temp.opened('st_evening', '2020-05-20 18:50', -1), pg_temp.opened('st_evening', '2020-05-21 18:10', -2), pg_temp.opened('st_evening', '2020-05-22 19:10', -3),
       pg_temp.opened('st_evening', '2020-05-23 08:10', -4), pg_temp.opened('st_evening', '2020-05-24 08:15', -5, 'clicked'), pg_temp.opened('st_evening', '2020-05-24 08:20', -5);
SELECT pg_temp.opened('st_few', '2020-05-20 18:50', -6), pg_temp.opened('st_few', '2020-05-21 18:50', -7), pg_temp.opened('st_few', '2020-05-21 19:50', -7);
SELECT pg_temp.opened('st_machine', ('2020-05-2' || n || ' 03:00')::timestamp, -10 - n, flag => 'machine'), pg_temp.opened('st_old', ('2020-01-2' || n || ' 03:00')::timestamp, -20 - n)
FROM generate_series(1, 5) AS n;
-- around midnight
SELECT pg_temp.opened('st_night', '2020-05-20 23:50', -31), pg_temp.opened('st_night', '2020-05-21 23:40', -32), pg_temp.opened('st_night', '2020-05-23 00:10', -33),
       pg_temp.opened('st_night', '2020-05-24 12:10', -34), pg_temp.opened('st_night', '2020-05-25 12:15', -35);
SELECT u.user_id, nudge.send_hour(u.user_id, 7543001, '2020-06-01') AS own, nudge.send_hour(u.user_id, 7543002, '2020-06-01') AS segment,
       nudge.send_hour(u.user_id, 7543003, '2020-06-01') AS unknown
FROM nudge.users u WHERE u.user_id LIKE 'st\_%' ORDER BY 1;
SELECT nudge.send_hour('st_nobody', 7543001), nudge.send_hour(NULL, 7543001), nudge.send_hour('st_evening', NULL, '2020-06-01'), nudge.send_hour('st_evening', -1, '2020-06-01');

-- When triggers go
CREATE FUNCTION pg_temp.due(rule bigint, fired timestamptz) RETURNS TABLE (usr text, at text, due text, waits interval) LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM nudge.pending WHERE rule_id BETWEEN 7543001 AND 7543005;
    DELETE FROM nudge.messages WHERE user_id IN (SELECT user_id FROM nudge.users WHERE user_id LIKE 'st\_%');
    INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at)
    SELECT user_id, rule, 'normal', fired, fired + delay FROM nudge.users, nudge.rules WHERE user_id LIKE 'st\_%' AND rule_id = rule;
    PERFORM nudge.execute_pending(20, fired + delay) FROM nudge.rules WHERE rule_id = rule;
    RETURN QUERY
        SELECT u.user_id, to_char(fired AT TIME ZONE u.timezone, 'DD HH24:MI'),
               CASE WHEN p.user_id IS NULL THEN 'sent' ELSE to_char(p.due_at AT TIME ZONE u.timezone, 'DD HH24:MI') END, p.due_at - fired
        FROM nudge.users u LEFT JOIN nudge.pending p ON p.user_id = u.user_id AND p.rule_id = rule WHERE u.user_id LIKE 'st\_%' ORDER BY 1;
END
$$;
SELECT * FROM pg_temp.due(7543001, '2020-06-01 07:30+00');
SELECT * FROM pg_temp.due(7543002, '2020-06-01 07:30+00');
SELECT count(*) FILTER (WHERE due = 'sent') AS unknown FROM pg_temp.due(7543003, '2020-06-01 07:30+00');
SELECT count(*) FILTER (WHERE due = 'sent') AS asap FROM pg_temp.due(7543004, '2020-06-01 07:30+00');
-- after the delay
SELECT * FROM pg_temp.due(7543005, '2020-06-01 07:30+00') WHERE usr IN ('st_new', 'st_evening');
SELECT DISTINCT e.event_type, e.reason FROM nudge.events e WHERE e.rule_id = 7543005 AND e.user_id = 'st_new';
-- it goes then, or when the executor comes by later
SELECT executed, deferred FROM nudge.execute_pending(20, '2020-06-03 08:00+00');
SELECT executed, deferred FROM nudge.execute_pending(20, '2020-06-05 11:00+00');
-- daylight saving: the clock goes on at 2 in the night, and back at 3; the wait is never more than 25 hours
UPDATE nudge.send_hours SET hour = 2 WHERE rule_id = 7543001;
SELECT * FROM pg_temp.due(7543001, '2020-03-28 12:00+00') WHERE usr = 'st_new';
SELECT * FROM pg_temp.due(7543001, '2020-03-29 00:30+00') WHERE usr = 'st_new';
SELECT * FROM pg_temp.due(7543001, '2020-10-24 01:00+00') WHERE usr = 'st_new';
SELECT * FROM pg_temp.due(7543001, '2020-10-25 01:30+00') WHERE usr = 'st_new';
UPDATE nudge.send_hours SET hour = 1 WHERE rule_id = 7543001;
SELECT * FROM pg_temp.due(7543001, '2020-10-24 23:59+00') WHERE usr = 'st_new';
SELECT * FROM pg_temp.due(7543001, '2020-10-25 00:00+00') WHERE usr = 'st_new';
-- no hour of a zone that is a half hour off is missed
UPDATE nudge.users SET timezone = 'Asia/Kolkata' WHERE user_id = 'st_new';
SELECT * FROM pg_temp.due(7543001, '2020-06-01 20:31+00') WHERE usr = 'st_new';
SELECT bool_and(waits IS NULL OR waits BETWEEN '0' AND '25 hours') AS within_a_day, count(*) FILTER (WHERE waits IS NULL) AS at_once
FROM generate_series('2020-03-28 00:00+00', '2020-03-30 00:00+00', interval '1 hour') AS g (t) CROSS JOIN LATERAL pg_temp.due(7543001, g.t);

-- The expiry counts from the hour; in the table there is room for that
UPDATE nudge.rules SET expiry = '1 hour' WHERE rule_id = 7543001;
UPDATE nudge.send_hours SET hour = 12 WHERE rule_id = 7543001;
UPDATE nudge.users SET timezone = 'UTC' WHERE user_id = 'st_new';
DELETE FROM nudge.pending WHERE rule_id = 7543001;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('st_new', 'st_7543001');
SELECT due_at - fired_at AS due, expires_at - fired_at AS expires FROM nudge.pending WHERE user_id = 'st_new';
CREATE FUNCTION pg_temp.expires(executed_at timestamptz) RETURNS text LANGUAGE sql AS $$
    DELETE FROM nudge.pending WHERE rule_id = 7543001;
    INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at, expires_at)
    SELECT 'st_new', 7543001, 'normal', t, t, t + interval '26 hours' FROM (SELECT '2020-06-01 07:30+00'::timestamptz AS t) AS x;
    SELECT executed || ' sent, ' || deferred || ' moved, ' || skipped || ' expired' FROM nudge.execute_pending(10, executed_at);
$$;
SELECT pg_temp.expires('2020-06-01 11:59+00'), pg_temp.expires('2020-06-01 12:59+00'), pg_temp.expires('2020-06-01 13:01+00');

-- explain tells of it
SELECT outcome, detail -> 'best_hour' AS best_hour FROM nudge.explain('st_ny', 'st_7543002') WHERE rule_id = 7543002;
-- a variant with an hour goes at that hour
INSERT INTO nudge.variants (rule_id, name, hour) VALUES (7543002, 'noon', 12);
SELECT outcome, detail -> 'best_hour' AS best_hour FROM nudge.explain('st_ny', 'st_7543002') WHERE rule_id = 7543002;
SELECT * FROM pg_temp.due(7543002, '2020-06-01 07:30+00') WHERE usr IN ('st_ny', 'st_evening');

-- What is refused
\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
\pset format unaligned
\pset tuples_only on
SELECT pg_temp.refused($$SELECT nudge.update_send_hours(NULL)$$);
SELECT pg_temp.refused($$SELECT nudge.update_send_hours('infinity')$$);
SELECT split_part(pg_temp.refused($$UPDATE nudge.rules SET send_time = 'soon' WHERE rule_id = 7543001$$), E'\n', 1);
SELECT split_part(pg_temp.refused($$UPDATE nudge.rules SET trigger_type = 'transactional' WHERE rule_id = 7543001$$), E'\n', 1);
BEGIN READ ONLY;
SELECT pg_temp.refused($$SELECT nudge.update_send_hours()$$);
COMMIT;
\pset tuples_only off
DELETE FROM nudge.pending WHERE rule_id BETWEEN 7543001 AND 7543005;
DELETE FROM nudge.rules WHERE rule_id BETWEEN 7543001 AND 7543005;
DELETE FROM nudge.segment_members WHERE user_id LIKE 'st\_%';
DELETE FROM nudge.segments WHERE name LIKE 'st\_%';
DELETE FROM nudge.users WHERE user_id LIKE 'st\_%';
DELETE FROM nudge.messages WHERE user_id LIKE 'st\_%';
DELETE FROM nudge.message_queue WHERE user_id LIKE 'st\_%';
DELETE FROM nudge.events WHERE user_id LIKE 'st\_%';
DELETE FROM nudge.templates WHERE template_id = 'st';
