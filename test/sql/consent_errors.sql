-- What cannot be said about consent, suppressions and quiet hours; nothing changes.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.try(statement text) RETURNS TABLE (state text, message text, detail text, hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    state := 'no error';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END
$$;
\x
-- nudge.suppress and nudge.unsuppress
SELECT * FROM pg_temp.try($$SELECT nudge.suppress()$$);
SELECT * FROM pg_temp.try($$SELECT nudge.suppress('ce', reason => 'bored')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.suppress('ce', reason => NULL)$$);
SELECT * FROM pg_temp.try($$SELECT nudge.suppress('ce', channel => 'pigeon')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.suppress('')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.suppress(address => '  ')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.suppress(repeat('x', 1025), repeat('y', 1025), 'nothing')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.suppress(repeat('x', 1024), repeat('y', 1024), 'unsubscribed', 'email')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.unsuppress()$$);
SELECT * FROM pg_temp.try($$SELECT nudge.unsuppress('ce', reason => 'bored')$$);
DELETE FROM nudge.suppressions;
-- and by hand
SELECT * FROM pg_temp.try($$INSERT INTO nudge.suppressions (channel) VALUES ('email')$$);
SELECT * FROM pg_temp.try($$INSERT INTO nudge.suppressions (user_id, reason) VALUES ('ce', 'bored')$$);
SELECT state, message FROM pg_temp.try($$INSERT INTO nudge.suppressions (user_id, reason) VALUES ('ce', NULL)$$);
INSERT INTO nudge.suppressions (address) VALUES ('A@example.org');
SELECT * FROM pg_temp.try($$INSERT INTO nudge.suppressions (address) VALUES ('a@EXAMPLE.org')$$);
SELECT * FROM pg_temp.try($$UPDATE nudge.suppressions SET address = NULL$$);
SELECT * FROM pg_temp.try($$UPDATE nudge.suppressions SET reason = 'bored'$$);
SELECT user_id, address, channel, reason FROM nudge.suppressions;
DELETE FROM nudge.suppressions;

-- Subscriptions
SELECT * FROM pg_temp.try($$INSERT INTO nudge.subscriptions (user_id, topic, subscribed) VALUES ('ce', '', true)$$);
SELECT * FROM pg_temp.try($$INSERT INTO nudge.subscriptions (user_id, topic, subscribed) VALUES ('ce', repeat('t', 1025), true)$$);
SELECT * FROM pg_temp.try($$INSERT INTO nudge.subscriptions (user_id, topic, subscribed) VALUES ('', 'news', true)$$);
SELECT state, message FROM pg_temp.try($$INSERT INTO nudge.subscriptions (user_id, topic) VALUES ('ce', 'news')$$);
SELECT state, message FROM pg_temp.try($$INSERT INTO nudge.subscriptions (user_id, topic, subscribed) VALUES (NULL, 'news', true)$$);
SELECT * FROM pg_temp.try($$INSERT INTO nudge.subscriptions (user_id, topic, subscribed) VALUES ('ce', 'news', true), ('ce', 'news', false)$$);
SELECT count(*) FROM nudge.subscriptions;

-- Quiet hours
SELECT * FROM pg_temp.try($$INSERT INTO nudge.quiet_hours (starts, ends) VALUES ('22:00', '22:00')$$);
SELECT * FROM pg_temp.try($$INSERT INTO nudge.quiet_hours (starts, ends, days) VALUES ('22:00', '08:00', '{}')$$);
SELECT * FROM pg_temp.try($$INSERT INTO nudge.quiet_hours (starts, ends, days) VALUES ('22:00', '08:00', '{mon,someday,NULL}')$$);
SELECT * FROM pg_temp.try($$INSERT INTO nudge.quiet_hours (starts, ends, channel) VALUES ('22:00', '08:00', 'pigeon')$$);
SELECT * FROM pg_temp.try($$INSERT INTO nudge.quiet_hours (starts, ends, action) VALUES ('22:00', '08:00', 'whisper')$$);
SELECT * FROM pg_temp.try($$INSERT INTO nudge.quiet_hours (starts, ends, days, channel, action) VALUES ('22:00', '22:00', '{x}', 'y', 'z')$$);
SELECT state, message FROM pg_temp.try($$INSERT INTO nudge.quiet_hours (starts) VALUES ('22:00')$$);
SELECT * FROM pg_temp.try($$INSERT INTO nudge.quiet_hours (starts, ends) VALUES ('22:00', '25:00')$$);
SELECT * FROM pg_temp.try($$INSERT INTO nudge.quiet_hours (starts, ends) VALUES ('22:00', '08:00'), ('22:00', '08:00')$$);
SELECT count(*) FROM nudge.quiet_hours;

-- The trigger functions are for their triggers
SELECT * FROM pg_temp.try($$SELECT nudge.check_quiet_hours()$$);
CREATE TEMP TABLE other (user_id text);
CREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION nudge.check_suppression();
SELECT * FROM pg_temp.try($$INSERT INTO other VALUES ('x')$$);
-- message_refusals is internal, but does not crash
SELECT * FROM pg_temp.try($$SELECT nudge.message_refusals('{a,b}', '{1}', '{email,email}', '{x,y}')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.message_refusals('{a,NULL}', '{1,2}', '{email,NULL}', '{x,NULL}')$$);
SELECT count(*) FROM nudge.message_refusals('{}', '{}', '{}', '{}');
