--
-- Bad values for when, to whom and how the messages of a rule go out: topic, send_between,
-- send_on, urgency, channel_strategy, fallback_after; refused the same by create_rule
-- and by plain DML, and nothing changed
--
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;

\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
CREATE FUNCTION pg_temp.create_rule(key text, value text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused(format('SELECT nudge.create_rule(%L)', jsonb_build_object('name', 'delivery', 'type', 'behavioral', key, value::jsonb)))
$$;
INSERT INTO nudge.rules (name, trigger_type) VALUES ('delivery kept', 'behavioral');
CREATE FUNCTION pg_temp.write(key text, value text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(E'\n', pg_temp.refused(format('INSERT INTO nudge.rules (name, trigger_type, %I) VALUES (%L, %L, %L)', key, 'delivery', 'behavioral', value)),
                     pg_temp.refused(format('UPDATE nudge.rules SET %I = %L WHERE name = %L', key, value, 'delivery kept')))
$$;

SELECT pg_temp.create_rule('topic', v) FROM unnest(ARRAY['1', '""', '[]', to_jsonb(repeat('t', 1025))::text]) AS v;
SELECT pg_temp.write('topic', v) FROM unnest(ARRAY['', repeat('t', 1025)]) AS v;

SELECT pg_temp.create_rule('send_between', v) FROM unnest(ARRAY['1', '"09:00"', '[]', '["09:00"]', '["09:00", "10:00", "11:00"]', '["09:00", 10]', '["09:00", null]',
    '["9", "10:00"]', '["09:00", "25:00"]', '["09:00", "24:01"]', '["09:60", "10:00"]', '["09:00", "09:00"]', '{"from": "09:00"}', '{"from": "09:00", "until": "10:00"}', '{}']) AS v;
SELECT pg_temp.write('send_between', v) FROM unnest(ARRAY['{}', '{09:00}', '{09:00,10:00,11:00}', '{09:00,NULL}', '{09:00,09:00}']) AS v;

SELECT pg_temp.create_rule('send_on', v) FROM unnest(ARRAY['"mon"', '[]', '[1]', '["mon", null]', '["monday"]', '["mon", "noday"]', '{"mon": true}']) AS v;
SELECT pg_temp.write('send_on', v) FROM unnest(ARRAY['{}', '{mon,NULL}', '{monday}']) AS v;

SELECT pg_temp.create_rule('urgency', v) FROM unnest(ARRAY['1', '"urgent"', '[]']) AS v;
SELECT pg_temp.write('urgency', 'urgent');

SELECT pg_temp.create_rule('channel_strategy', v) FROM unnest(ARRAY['2', '"worst"', '["best"]']) AS v;
SELECT pg_temp.write('channel_strategy', 'worst');

SELECT pg_temp.create_rule('fallback_after', v) FROM unnest(ARRAY['4', '"soon"', '"0"', '"-1 hour"', '"1 day -1 month"', '"infinity"', '"1000000000 years"', '{}']) AS v;
SELECT pg_temp.write('fallback_after', v) FROM unnest(ARRAY['0', '-1 hour', '1 day -1 month']) AS v;

-- Nothing came of all that
SELECT count(*) FROM nudge.rules WHERE name = 'delivery';
SELECT topic, send_between, send_on, urgency, channel_strategy, fallback_after FROM nudge.rules WHERE name = 'delivery kept';
DELETE FROM nudge.rules WHERE name = 'delivery kept';
