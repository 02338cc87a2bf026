--
-- Templates that are refused, and the ids that rules refer to
--
\pset format unaligned
\pset tuples_only on

\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
CREATE FUNCTION pg_temp.rows() RETURNS TABLE (relation text, n bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR relation IN SELECT c.oid::regclass FROM pg_class c
                    WHERE c.relnamespace = 'nudge'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*) FROM %s', relation) INTO n;
        RETURN NEXT;
    END LOOP;
END
$$;
INSERT INTO nudge.templates (template_id, channel, subject, body_text) VALUES
    ('template errors', 'email', 'Hello {{ user.user_id }}', 'Hi'), ('template errors', 'sms', NULL, 'Hi'),
    ('template errors unused', 'email', 'Hello', 'Hi');
SELECT nudge.create_rule('{"name": "template errors", "type": "behavioral", "template_id": "template errors"}') > 0;
CREATE TEMPORARY TABLE rows_before AS SELECT * FROM pg_temp.rows();
CREATE FUNCTION pg_temp.bad(columns text, vals text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused(format('INSERT INTO nudge.templates (template_id, %s) VALUES (''template errors new'', %s)', columns, vals))
$$;

-- Syntax, in every column that is Liquid
SELECT pg_temp.bad('subject', $$'Hello {{ user.name '$$) ~ '^42601';
SELECT pg_temp.bad('body_text', $$E'one\n{% if x %} two'$$) ~ '^42601';
SELECT pg_temp.bad('body_html', $$'{% endfor %}'$$) ~ '^42601';
SELECT pg_temp.bad('sender_name', $$'{{ | }}'$$) ~ '^42601';
SELECT pg_temp.bad('sender_address', $$'{{ a@b.example'$$) ~ '^42601';
SELECT pg_temp.bad('reply_to', $$'{% nonsense %}@b.example'$$) ~ '^42601';
SELECT pg_temp.refused($$UPDATE nudge.templates SET body_text = '{{' WHERE template_id = 'template errors'$$) ~ '^42601';
\set VERBOSITY default
\set SHOW_CONTEXT always
INSERT INTO nudge.templates (template_id, channel, body_text) VALUES ('template errors new', 'sms', '{% if x %} two');

-- Constraints
SELECT pg_temp.bad('subject', $$E'a\nb'$$) ~ '^23514';
SELECT pg_temp.bad('sender_name', $$E'a\rb'$$) ~ '^23514';
SELECT pg_temp.bad('channel', $$'E mail'$$) ~ '^23514';
SELECT pg_temp.bad('sender_address', $$'nobody'$$) ~ '^23514';
SELECT pg_temp.refused($$INSERT INTO nudge.templates (template_id) VALUES (NULL)$$) ~ '^23502';
SELECT pg_temp.refused($$INSERT INTO nudge.templates (template_id) VALUES ('')$$) ~ '^23514';
SELECT pg_temp.refused($$INSERT INTO nudge.templates (template_id) VALUES ('template errors')$$) ~ '^23505';

-- A template stays as long as a rule uses it.
SELECT pg_temp.refused($$INSERT INTO nudge.rules (name, trigger_type, template_id) VALUES ('template errors too', 'behavioral', 'template errors none')$$);
SELECT pg_temp.refused($$UPDATE nudge.rules SET template_id = 'template errors none' WHERE name = 'template errors'$$);
SELECT pg_temp.refused($$DELETE FROM nudge.templates WHERE template_id = 'template errors'$$);
SELECT pg_temp.refused($$UPDATE nudge.templates SET template_id = 'template errors other' WHERE template_id = 'template errors'$$);
SELECT pg_temp.refused($$DELETE FROM nudge.template_ids WHERE template_id = 'template errors'$$);
SELECT pg_temp.refused($$TRUNCATE nudge.templates$$) ~ '^23503';
SELECT pg_temp.refused($$TRUNCATE nudge.template_ids$$) ~ '^0A000';

\echo tables whose number of rows changed:
SELECT b.relation, b.n, a.n FROM rows_before b FULL JOIN pg_temp.rows() a USING (relation) WHERE a.n IS DISTINCT FROM b.n;

-- All channels but the last may go; ids follow rows, and rules follow ids.
DELETE FROM nudge.templates WHERE template_id = 'template errors' AND channel = 'sms';
DELETE FROM nudge.templates WHERE template_id = 'template errors unused';
SELECT template_id FROM nudge.template_ids WHERE template_id LIKE 'template errors%';
UPDATE nudge.template_ids SET template_id = 'template errors renamed' WHERE template_id = 'template errors';
SELECT r.template_id, t.template_id, t.channel FROM nudge.rules r JOIN nudge.templates t USING (template_id) WHERE r.name = 'template errors';
UPDATE nudge.rules SET template_id = NULL WHERE name = 'template errors';
UPDATE nudge.templates SET template_id = 'template errors again' WHERE template_id = 'template errors renamed';
SELECT template_id FROM nudge.template_ids WHERE template_id LIKE 'template errors%';
DELETE FROM nudge.templates WHERE template_id LIKE 'template errors%';
SELECT template_id FROM nudge.template_ids WHERE template_id LIKE 'template errors%';
DELETE FROM nudge.rules WHERE name LIKE 'template errors%';
