--
-- Caps as the executor decides them: by the user's calendar, in the window in
-- which a trigger fired, in order of firing.
--
SET client_min_messages = warning;
SET timezone = 'UTC';

INSERT INTO nudge.templates (template_id, channel, body_text) VALUES ('cp', 'email', 'x'), ('cp', 'sms', 'x');
CREATE FUNCTION pg_temp.rule(name text, channels text[] DEFAULT '{email}', type nudge.trigger_type DEFAULT 'behavioral')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.rules (name, trigger_type, template_id, channels) VALUES ('cp ' || name, type, 'cp', channels)
$$;
CREATE FUNCTION pg_temp.cap(rule text, period nudge.cap_period, most int, channel text DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.frequency_caps (rule_id, channel, period, max_messages)
    VALUES ((SELECT rule_id FROM nudge.rules WHERE name = 'cp ' || rule), channel, period, most)
$$;
CREATE FUNCTION pg_temp.who(who text, timezone text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.users (user_id, email, phone, timezone, preferences)
    VALUES ('cp_' || who, 'x@example.org', '+49', timezone, '{"sms_enabled": true}')
$$;
-- A trigger that fired at a time, due then
CREATE FUNCTION pg_temp.fire(who text, rule text, fired timestamptz, due interval DEFAULT '0') RETURNS boolean LANGUAGE sql AS $$
    INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at)
    SELECT 'cp_' || who, rule_id, 'normal', fired, fired + due FROM nudge.rules WHERE name = 'cp ' || rule
    RETURNING true
$$;
-- When each trigger fired and what became of it; executed one by one, in order of firing
CREATE FUNCTION pg_temp.outcome(who text, times timestamptz[], rule text)
RETURNS TABLE (fired timestamptz, event text, reason text) LANGUAGE plpgsql AS $$
BEGIN
    FOREACH fired IN ARRAY times LOOP
        PERFORM pg_temp.fire(who, rule, fired);
        PERFORM nudge.execute_pending(as_of => fired);
        SELECT e.event_type, e.reason INTO event, reason FROM nudge.events e
        WHERE e.user_id = 'cp_' || who ORDER BY e.event_id DESC LIMIT 1;
        RETURN NEXT;
    END LOOP;
END
$$;

-- Daily, around midnight of the user (Tokyo is 9 hours ahead of UTC, Honolulu 10 behind)
SELECT pg_temp.rule('daily'), pg_temp.cap('daily', 'daily', 1);
SELECT pg_temp.who('tokyo', 'Asia/Tokyo'), pg_temp.who('honolulu', 'Pacific/Honolulu'), pg_temp.who('utc');
SELECT * FROM pg_temp.outcome('tokyo', '{2020-03-02 14:59:59.999999, 2020-03-02 15:00:00, 2020-03-03 14:59:59.999999, 2020-03-03 15:00}', 'daily');
SELECT * FROM pg_temp.outcome('honolulu', '{2020-03-02 09:59:59.999999, 2020-03-02 10:00:00, 2020-03-03 09:59:59, 2020-03-03 10:00}', 'daily');
SELECT * FROM pg_temp.outcome('utc', '{2020-03-02 23:59:59.999999, 2020-03-03, 2020-03-03 23:59:59}', 'daily');
-- Without a time zone of one's own: nudge.timezone
SET nudge.timezone = 'Asia/Tokyo';
SELECT * FROM pg_temp.outcome('utc', '{2020-03-10 14:59:59, 2020-03-10 15:00, 2020-03-11 14:59}', 'daily');
RESET nudge.timezone;
-- A day of 23 hours and one of 25
SELECT pg_temp.who('berlin', 'Europe/Berlin');
SELECT * FROM pg_temp.outcome('berlin', '{2020-03-28 22:59:59, 2020-03-28 23:00, 2020-03-29 21:59:59, 2020-03-29 22:00,
    2020-10-24 21:59:59, 2020-10-24 22:00, 2020-10-25 22:59:59, 2020-10-25 23:00}', 'daily');

-- Weekly: ISO weeks from Monday, also over the turn of a year
SELECT pg_temp.rule('weekly'), pg_temp.cap('weekly', 'weekly', 2), pg_temp.who('week');
SELECT * FROM pg_temp.outcome('week', '{2020-03-01 23:59, 2020-03-02, 2020-03-04, 2020-03-08 23:59:59, 2020-03-09,
    2020-12-28, 2020-12-31, 2021-01-01, 2021-01-03 23:59, 2021-01-04}', 'weekly');

-- Monthly, in a leap year and another
SELECT pg_temp.rule('monthly'), pg_temp.cap('monthly', 'monthly', 1), pg_temp.who('month', 'America/New_York');
SELECT * FROM pg_temp.outcome('month', '{2020-02-01 05:00, 2020-03-01 04:59, 2020-03-01 05:00, 2020-04-01 03:59,
    2020-04-01 04:00, 2021-02-01 05:00, 2021-03-01 04:59, 2021-03-01 05:00}', 'monthly');

-- A trigger belongs to the window in which it fired, whenever it is due
SELECT pg_temp.who('late');
SELECT count(pg_temp.fire('late', 'daily', fired, due)) FROM (VALUES
    ('2020-03-02 10:00+00'::timestamptz, '3 days'::interval), ('2020-03-02 11:00+00', '1 day'), ('2020-03-03 10:00+00', '2 days')) AS v (fired, due);
SELECT * FROM nudge.execute_pending(as_of => '2020-03-05 10:00+00');
SELECT p.fired_at, e.event_type, e.reason FROM nudge.events e LEFT JOIN nudge.messages p USING (message_id) WHERE e.user_id = 'cp_late' ORDER BY e.event_id;
SELECT day, messages FROM nudge.cap_counters WHERE user_id = 'cp_late' ORDER BY day;

-- In order of firing within a batch, not of id or due time
SELECT pg_temp.who('order');
SELECT pg_temp.fire('order', 'daily', '2020-03-02 12:00+00', '-5 hours');
SELECT pg_temp.fire('order', 'daily', '2020-03-02 11:00+00', '-3 hours');
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-03-02 13:00+00');
SELECT fired_at FROM nudge.messages WHERE user_id = 'cp_order';

-- All caps of a rule must allow; a batch of many
SELECT pg_temp.rule('many'), pg_temp.cap('many', 'daily', 2), pg_temp.cap('many', 'weekly', 3), pg_temp.who('many');
SELECT count(pg_temp.fire('many', 'many', day + n * interval '1 min'))
FROM (VALUES ('2020-03-02'::timestamptz), ('2020-03-03'), ('2020-03-09')) AS d (day), generate_series(1, 5) AS n;
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-03-10');
SELECT fired_at FROM nudge.messages WHERE user_id = 'cp_many' ORDER BY message_id;

-- Caps by channel: only for the channel that is taken
SELECT pg_temp.rule('channels', '{sms}'), pg_temp.cap('channels', 'daily', 1, 'email'), pg_temp.cap('channels', 'daily', 2, 'sms'), pg_temp.who('channels');
SELECT event, reason FROM pg_temp.outcome('channels', '{2020-03-02 10:00, 2020-03-02 11:00, 2020-03-02 12:00}', 'channels');

-- Global caps: every rule's messages count, but not a transactional rule's
SELECT pg_temp.rule('a'), pg_temp.rule('b', '{sms}'), pg_temp.rule('paid', type => 'transactional'), pg_temp.who('global'), pg_temp.who('global_sms');
SELECT pg_temp.outcome('global', '{2020-03-02 08:00}', 'a');
-- made afterwards, and counts what the window has seen
SELECT pg_temp.cap(NULL, 'daily', 2), pg_temp.cap(NULL, 'weekly', 1, 'sms');
SELECT event, reason FROM pg_temp.outcome('global', '{2020-03-02 09:00}', 'paid');
SELECT event, reason FROM pg_temp.outcome('global', '{2020-03-02 10:00}', 'b');
SELECT event, reason FROM pg_temp.outcome('global', '{2020-03-02 11:00}', 'a');
SELECT event, reason FROM pg_temp.outcome('global', '{2020-03-02 12:00, 2020-03-02 13:00}', 'paid');
SELECT event, reason FROM pg_temp.outcome('global', '{2020-03-03 10:00}', 'a');
SELECT event, reason FROM pg_temp.outcome('global_sms', '{2020-03-03 10:00, 2020-03-04 10:00, 2020-03-09 10:00}', 'b');
-- A transactional rule still has its own caps
SELECT pg_temp.cap('paid', 'daily', 4);
SELECT event, reason FROM pg_temp.outcome('global', '{2020-03-02 14:00, 2020-03-02 15:00}', 'paid');
DELETE FROM nudge.frequency_caps WHERE rule_id IS NULL;

-- A place is given back once, on the day on which the trigger fired, also after a move to another time zone
SELECT pg_temp.who('back', 'Asia/Tokyo');
SELECT event, reason FROM pg_temp.outcome('back', '{2020-03-02 16:00, 2020-03-02 17:00}', 'daily');
UPDATE nudge.users SET timezone = 'America/New_York' WHERE user_id = 'cp_back';
SELECT nudge.cap_release('cp_back', rule_id, 'email', '2020-03-02 16:00') FROM nudge.rules WHERE name = 'cp daily';
SELECT nudge.cap_release('cp_back', rule_id, 'email', '2020-03-02 16:00') FROM nudge.rules WHERE name = 'cp daily';
SELECT nudge.cap_release('cp_nobody', 1, 'email', '2020-03-02 16:00'), nudge.cap_release('cp_back', 1, NULL, '2020-03-02 16:00') IS NULL AS nothing;
UPDATE nudge.users SET timezone = 'Asia/Tokyo' WHERE user_id = 'cp_back';
SELECT event, reason FROM pg_temp.outcome('back', '{2020-03-02 18:00, 2020-03-02 19:00}', 'daily');

-- Old counts are forgotten, but not while a trigger may still come that counts with them
SELECT pg_temp.who('old');
SELECT event FROM pg_temp.outcome('old', '{2020-01-01 10:00, 2020-02-29 10:00, 2020-03-10 10:00}', 'daily');
SELECT day FROM nudge.cap_counters WHERE user_id = 'cp_old' ORDER BY day;
UPDATE nudge.rules SET delay = '90 days' WHERE name = 'cp weekly';
SELECT event FROM pg_temp.outcome('old', '{2020-05-20 10:00}', 'daily');
SELECT day FROM nudge.cap_counters WHERE user_id = 'cp_old' ORDER BY day;

-- The same under the other isolation levels
SELECT pg_temp.who('levels');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT event, reason FROM pg_temp.outcome('levels', '{2020-03-02 10:00, 2020-03-02 11:00}', 'daily');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT event, reason FROM pg_temp.outcome('levels', '{2020-03-02 12:00, 2020-03-03 11:00, 2020-03-03 12:00}', 'daily');
COMMIT;
SELECT day, messages FROM nudge.cap_counters WHERE user_id = 'cp_levels' ORDER BY day;

DELETE FROM nudge.rules WHERE name LIKE 'cp %';
DELETE FROM nudge.templates WHERE template_id = 'cp';
DELETE FROM nudge.users WHERE user_id LIKE 'cp\_%';
DELETE FROM nudge.cap_usage WHERE user_id LIKE 'cp\_%';
DELETE FROM nudge.message_queue WHERE user_id LIKE 'cp\_%';
