-- What variants and bandits refuse
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
\pset format unaligned
\pset tuples_only on
INSERT INTO nudge.templates (template_id, subject, body_text) VALUES ('ve', 's', 'x');
INSERT INTO nudge.rules (rule_id, name, trigger_type, template_id) VALUES (7542001, 've', 'behavioral', 've');
CREATE FUNCTION pg_temp.variant(columns text, vals text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused(format('INSERT INTO nudge.variants (rule_id, name%s) VALUES (7542001, ''v''%s)', ', ' || columns, ', ' || vals)) $$;
SELECT pg_temp.variant(c, v) FROM (VALUES
    ('template_id', $$'nope'$$), ('channel', $$'pigeon'$$), ('subject', $$'{{ x'$$), ('subject', $$E'a\nb'$$), ('delay', $$'-1 hour'$$),
    ('delay', $$'1000 years'$$), ('hour', '24'), ('hour', '-1'), ('share', '-1'), ('share', $$'NaN'$$), ('share', $$'Infinity'$$), ('share', '1e308'), ('share', 'NULL'), ('enabled', 'NULL')) AS x (c, v);
SELECT pg_temp.refused($$INSERT INTO nudge.variants (rule_id, name) VALUES (-1, 'v')$$);
SELECT pg_temp.refused($$INSERT INTO nudge.variants (rule_id, name) VALUES (7542001, '')$$);
SELECT pg_temp.refused($$INSERT INTO nudge.variants (rule_id, name) VALUES (7542001, NULL)$$);
SELECT count(*) FROM nudge.variants WHERE rule_id = 7542001;
INSERT INTO nudge.variants (rule_id, name) VALUES (7542001, 'v');
SELECT pg_temp.refused($$INSERT INTO nudge.variants (rule_id, name) VALUES (7542001, 'v')$$);
SELECT pg_temp.refused($$UPDATE nudge.variants SET subject = '{% if %}' WHERE rule_id = 7542001$$);
SELECT split_part(pg_temp.refused($$UPDATE nudge.rules SET allocation = 'random' WHERE rule_id = 7542001$$), E'\n', 1);
SELECT split_part(pg_temp.refused($$UPDATE nudge.rules SET goal = 'fame' WHERE rule_id = 7542001$$), E'\n', 1);
SELECT pg_temp.refused($$SELECT nudge.create_rule('{"name": "ve x", "type": "behavioral", "send_time": "soon", "allocation": "random", "goal": 7, "auto_optimize": 1}')$$);
SELECT pg_temp.refused($$SELECT nudge.create_rule('{"name": "ve x", "type": "transactional", "send_time": "best"}')$$);
-- a template and a channel in use stay
INSERT INTO nudge.templates (template_id, body_text) VALUES ('ve_two', 'x');
INSERT INTO nudge.channels (name, base_score, address_path) VALUES ('ve_channel', 0.5, 'profile.ve');
UPDATE nudge.variants SET template_id = 've_two', channel = 've_channel' WHERE rule_id = 7542001;
SELECT pg_temp.refused($$DELETE FROM nudge.templates WHERE template_id = 've_two'$$);
SELECT pg_temp.refused($$DELETE FROM nudge.channels WHERE name = 've_channel'$$);

SELECT pg_temp.refused('SELECT nudge.simulate_bandit(' || a || ')') FROM unnest(ARRAY[
    $$NULL, 10$$, $$'{0.1,0.2}', NULL$$, $$'{0.1,0.2}', 10, NULL$$, $$'{}', 10$$, $$'{0.1}', 10$$, $$'{0.1,NULL}', 10$$, $$'{{0.1,0.2},{0.1,0.2}}', 10$$,
    $$'{0.1,1.1}', 10$$, $$'{-0.1,0.1}', 10$$, $$'{NaN,0.1}', 10$$, $$'{0.1,0.2}', 0$$, $$'{0.1,0.2}', 10000001$$, $$array_fill(0.5::float8, '{101}'), 10$$]) AS a;
SELECT pg_temp.refused('SELECT nudge.probability_to_be_best(' || a || ')') FROM unnest(ARRAY[
    $$'{1,2}', '{3}'$$, $$'{1,NULL}', '{3,4}'$$, $$'{5}', '{4}'$$, $$'{-1}', '{4}'$$, $$'{{1},{2}}', '{3,4}'$$,
    $$array_fill(0::bigint, '{101}'), array_fill(0::bigint, '{101}')$$]) AS a;
BEGIN READ ONLY;
SELECT pg_temp.refused('SELECT nudge.update_bandits()');
COMMIT;
DELETE FROM nudge.rules WHERE rule_id = 7542001;
DELETE FROM nudge.channels WHERE name = 've_channel';
DELETE FROM nudge.templates WHERE template_id LIKE 've%';
