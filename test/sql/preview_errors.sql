--
-- Errors of nudge.preview: arguments, and what rendering says
--
SET client_min_messages = warning;
INSERT INTO nudge.templates (template_id, subject, body_text, body_html) VALUES
    ('pe_zero', 'x', '{{ 1 | divided_by: 0 }}', NULL), ('pe_filter', 'x', '{{ 1 | nonsense }}', NULL), ('pe_line', '{{ action.data.text }}', 'x', NULL),
    ('pe_bytes', 'x', '{{ "%ff" | url_decode }}', NULL), ('pe_link', 'x', NULL, '<a href="{{ action.data.text }}">x</a>'),
    ('pe_loop', 'x', '{% for i in (1..200000) %}{% endfor %}', NULL), ('pe_needs', 'x', 'x', NULL);
INSERT INTO nudge.users (user_id, email) VALUES ('pe', 'pe@example.org');
INSERT INTO nudge.rules (name, trigger_type, template_id, personalization)
SELECT 'pe ' || substr(template_id, 4), 'behavioral', template_id, CASE template_id WHEN 'pe_needs' THEN '{"required": ["cart.value"]}' ELSE '{}' END::jsonb
FROM nudge.templates WHERE template_id LIKE 'pe\_%';
CREATE FUNCTION pg_temp.try(rule text, who text DEFAULT 'pe', type text DEFAULT NULL, data jsonb DEFAULT '{}', at timestamptz DEFAULT now(), context jsonb DEFAULT '{}')
RETURNS TABLE (state text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
DECLARE
    id bigint;
BEGIN
    SELECT r.rule_id INTO id FROM nudge.rules r WHERE r.name = 'pe ' || rule;
    IF NOT FOUND THEN
        id := rule;
    END IF;
    PERFORM nudge.preview(id, who, type, data, at, context);
    state := 'none';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END
$$;
\x on
SELECT * FROM pg_temp.try('-1');
SELECT * FROM pg_temp.try(NULL);
\x off
SELECT state, message, detail FROM pg_temp.try('line', NULL);
SELECT state, message, detail FROM pg_temp.try('line', '');
SELECT state, message, detail FROM pg_temp.try('line', repeat('x', 1025));
SELECT state, message, detail FROM pg_temp.try('line', type => '');
SELECT state, message, detail FROM pg_temp.try('line', data => '[]');
SELECT state, message, detail FROM pg_temp.try('line', context => '1');
SELECT state, message, detail FROM pg_temp.try('line', at => 'infinity');
SELECT * FROM pg_temp.try('line', data => NULL, at => NULL, context => NULL);
\x on
SELECT * FROM pg_temp.try('zero');
\x off
SELECT state, message FROM pg_temp.try('filter');
SELECT state, message FROM pg_temp.try('line', data => '{"text": "a\nb"}');
SELECT state, message FROM pg_temp.try('bytes');
SELECT state, message FROM pg_temp.try('link', data => '{"text": " JavaScript:x"}');
SELECT state, message FROM pg_temp.try('link', data => '{"text": "https://example.org"}');
SELECT state, message FROM pg_temp.try('loop');
SELECT state, message FROM pg_temp.try('needs');
-- a template that was saved without a look at it
ALTER TABLE nudge.templates DISABLE TRIGGER check_template_row;
UPDATE nudge.templates SET body_text = '{% if %}' WHERE template_id = 'pe_needs';
ALTER TABLE nudge.templates ENABLE TRIGGER check_template_row;
SELECT state, message FROM pg_temp.try('needs');
-- lax, as the executor would be
SET nudge.template_errors = 'lax';
SELECT p.body_text FROM nudge.rules r CROSS JOIN LATERAL nudge.preview(r.rule_id, 'pe') p WHERE r.name = 'pe zero';
RESET nudge.template_errors;

DELETE FROM nudge.rules WHERE name LIKE 'pe %';
DELETE FROM nudge.templates WHERE template_id LIKE 'pe\_%';
DELETE FROM nudge.users WHERE user_id = 'pe';
