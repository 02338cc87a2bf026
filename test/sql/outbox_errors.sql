-- Bad calls of claim, ack, nack and of nudge.outbox: each is refused with its
-- SQLSTATE and changes nothing.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.contents() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t regclass;
    h text;
    contents text := '';
BEGIN
    FOR t IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'nudge'::regnamespace AND c.relkind = 'r' ORDER BY 1 LOOP
        EXECUTE format('SELECT md5(string_agg(r::text, E''\n'' ORDER BY r::text)) FROM %s r', t) INTO h;
        contents := contents || t || coalesce(h, '');
    END LOOP;
    RETURN md5(contents);
END
$$;
INSERT INTO nudge.users (user_id) SELECT 'oe' || g FROM generate_series(1, 4) g;
WITH m AS (
    INSERT INTO nudge.messages (user_id, channel, recipient, subject, priority)
    SELECT 'oe' || g, 'outbox_errors', 'x@example.org', 'Hello', 'high' FROM generate_series(1, 4) g
    RETURNING *),
q AS (
    INSERT INTO nudge.message_queue (message_id, user_id, created_at, priority, channel, available_at)
    SELECT message_id, user_id, created_at, priority, channel, created_at FROM m)
INSERT INTO nudge.message_blocks (priority, block) SELECT DISTINCT priority, message_id / 1024 FROM m;
CREATE TEMP TABLE held AS SELECT * FROM nudge.claim('errors', 3, channels => '{outbox_errors}');
SELECT message_id AS id1, claim_token AS token FROM held WHERE user_id = 'oe1' \gset
SELECT message_id AS id2 FROM held WHERE user_id = 'oe2' \gset
SELECT message_id AS id3 FROM held WHERE user_id = 'oe3' \gset
SELECT message_id AS ready FROM nudge.outbox WHERE user_id = 'oe4' AND channel = 'outbox_errors' \gset
SELECT nudge.ack(:id3, :'token');
-- Ids in answers would depend on what ran before, so messages are shown through this
CREATE FUNCTION pg_temp.try(statement text) RETURNS TABLE (state text, message text, detail text, hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    state := 'no error';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    SELECT regexp_replace(message, '\m' || h.message_id || '\M', '<' || h.user_id || '>'),
           regexp_replace(detail, '\m' || h.message_id || '\M', '<' || h.user_id || '>')
    INTO message, detail
    FROM held h WHERE message ~ ('\m' || h.message_id || '\M')
    UNION ALL SELECT message, detail LIMIT 1;
    RETURN NEXT;
END
$$;
SELECT pg_temp.contents() AS before \gset
\pset format unaligned
\pset fieldsep '\n  '
\pset tuples_only on

-- claim
SELECT * FROM pg_temp.try($$SELECT nudge.claim(NULL)$$);
SELECT * FROM pg_temp.try($$SELECT nudge.claim('')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.claim('x', 0)$$);
SELECT * FROM pg_temp.try($$SELECT nudge.claim('x', -1)$$);
SELECT * FROM pg_temp.try($$SELECT nudge.claim('x', 100001)$$);
SELECT * FROM pg_temp.try($$SELECT nudge.claim('x', NULL)$$);
SELECT * FROM pg_temp.try($$SELECT nudge.claim('x', lease => '0')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.claim('x', lease => '-1 min')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.claim('x', lease => NULL)$$);
SELECT * FROM pg_temp.try($$SELECT nudge.claim('x', lease => '178000000 years')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.claim('x', lease => '1 year 1 day')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.claim('x', lease => 'infinity')$$);
SELECT * FROM pg_temp.try($$SELECT nudge.claim('x', lease => '1 mon -30 days')$$);

-- ack
SELECT * FROM pg_temp.try($$SELECT nudge.ack(NULL::bigint, gen_random_uuid())$$);
SELECT * FROM pg_temp.try(format('SELECT nudge.ack(%s, NULL)', :id1));
SELECT * FROM pg_temp.try(format('SELECT nudge.ack(%s, gen_random_uuid())', :id1));
SELECT * FROM pg_temp.try(format('SELECT nudge.ack(%s, gen_random_uuid())', :id3));
SELECT * FROM pg_temp.try(format('SELECT nudge.ack(%s, %L)', :id3, :'token'));
SELECT state, regexp_replace(message, '[0-9]+', 'id') FROM pg_temp.try(format('SELECT nudge.ack(%s, %L)', :ready, :'token'));
SELECT * FROM pg_temp.try($$SELECT nudge.ack(9223372036854775807, gen_random_uuid())$$);
SELECT * FROM pg_temp.try($$SELECT nudge.ack(-1, gen_random_uuid())$$);
SELECT * FROM pg_temp.try($$SELECT nudge.ack(NULL::bigint[], '{}'::uuid[])$$);
SELECT * FROM pg_temp.try($$SELECT nudge.ack('{}'::bigint[], NULL::uuid[])$$);
SELECT * FROM pg_temp.try(format('SELECT nudge.ack(ARRAY[%s, %s], ARRAY[%L]::uuid[])', :id1, :id2, :'token'));
SELECT * FROM pg_temp.try(format('SELECT nudge.ack(ARRAY[%s], ARRAY[%L]::uuid[], ''{a,b}'')', :id1, :'token'));
SELECT * FROM pg_temp.try(format('SELECT nudge.ack(ARRAY[%s, NULL], ARRAY[%L, %L]::uuid[])', :id1, :'token', :'token'));
SELECT * FROM pg_temp.try(format('SELECT nudge.ack(ARRAY[%s, %s], ARRAY[%L, NULL]::uuid[])', :id1, :id2, :'token'));
SELECT state FROM pg_temp.try(format('SELECT nudge.ack(ARRAY[%s, %s], ARRAY[%L, %L]::uuid[])', :id1, :id1, :'token', :'token'));
-- all or none
SELECT * FROM pg_temp.try(format('SELECT nudge.ack(ARRAY[%s, %s], ARRAY[%L, gen_random_uuid()]::uuid[])', :id1, :id2, :'token'));
SELECT * FROM pg_temp.try(format('SELECT nudge.ack(ARRAY[%s, 9223372036854775807], ARRAY[%L, %L]::uuid[])', :id1, :'token', :'token'));

-- nack
SELECT * FROM pg_temp.try($$SELECT nudge.nack(NULL, gen_random_uuid(), 'x')$$);
SELECT * FROM pg_temp.try(format('SELECT nudge.nack(%s, NULL, ''x'')', :id1));
SELECT * FROM pg_temp.try(format('SELECT nudge.nack(%s, %L, ''x'', NULL)', :id1, :'token'));
SELECT * FROM pg_temp.try(format('SELECT nudge.nack(%s, gen_random_uuid(), ''x'')', :id1));
SELECT * FROM pg_temp.try(format('SELECT nudge.nack(%s, %L, ''x'', true)', :id3, :'token'));
SELECT * FROM pg_temp.try($$SELECT nudge.nack(9223372036854775807, gen_random_uuid(), 'x')$$);

-- nudge.outbox
SELECT * FROM pg_temp.try($$UPDATE nudge.outbox SET subject = 'Other', recipient = 'y@example.org' WHERE user_id = 'oe1'$$);
SELECT * FROM pg_temp.try($$UPDATE nudge.outbox SET status = 'ready' WHERE user_id = 'oe3'$$);
SELECT state FROM pg_temp.try($$UPDATE nudge.outbox SET attempts = -1 WHERE user_id = 'oe4'$$);
SELECT state FROM pg_temp.try($$UPDATE nudge.outbox SET attempts = NULL WHERE user_id = 'oe4'$$);
SELECT state FROM pg_temp.try($$UPDATE nudge.outbox SET status = NULL WHERE user_id = 'oe4'$$);
SELECT state FROM pg_temp.try($$UPDATE nudge.outbox SET available_at = 'infinity' WHERE user_id = 'oe4'$$);
SELECT state FROM pg_temp.try($$UPDATE nudge.outbox SET status = 'claimed' WHERE user_id = 'oe4'$$);
SELECT state FROM pg_temp.try($$UPDATE nudge.outbox SET lease_until = NULL WHERE user_id = 'oe1'$$);
SELECT state FROM pg_temp.try($$UPDATE nudge.outbox SET sent_at = now() WHERE user_id = 'oe4'$$);
SELECT state FROM pg_temp.try($$INSERT INTO nudge.outbox (user_id) VALUES ('x')$$);

-- Functions that write say so where they cannot
BEGIN READ ONLY;
SELECT nudge.claim('x');
ROLLBACK;
\echo :LAST_ERROR_SQLSTATE
BEGIN READ ONLY;
SELECT nudge.ack(:id1, :'token');
ROLLBACK;
\echo :LAST_ERROR_SQLSTATE
BEGIN READ ONLY;
SELECT nudge.nack(:id1, :'token', 'x');
ROLLBACK;
\echo :LAST_ERROR_SQLSTATE

-- Statements of their own, not rolled back by anybody's handler
\set VERBOSITY sqlstate
SELECT nudge.claim('x', 0);
SELECT nudge.ack(ARRAY[:id1, :id2], ARRAY[:'token', gen_random_uuid()]);
SELECT nudge.nack(:id1, gen_random_uuid(), 'x', true);
UPDATE nudge.outbox SET subject = 'Other' WHERE user_id = 'oe1';
\set VERBOSITY default

SELECT CASE WHEN pg_temp.contents() = :'before' THEN 'nothing has changed' ELSE 'SOMETHING HAS CHANGED' END;
DELETE FROM nudge.outbox WHERE channel = 'outbox_errors';
DELETE FROM nudge.events WHERE user_id LIKE 'oe_';
DELETE FROM nudge.users WHERE user_id LIKE 'oe_';
