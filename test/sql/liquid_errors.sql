--
-- Liquid: syntax errors, limits, and other bad input
--
SET client_min_messages = warning;

-- What becomes of a template: its output, or SQLSTATE, message and detail
CREATE FUNCTION pg_temp.outcome(template text, context jsonb DEFAULT '{}')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    RETURN nudge.render_template(template, context);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''));
END $$;

-- Syntax errors: line, column and the offending text
SELECT t AS template, pg_temp.outcome(t) AS outcome FROM unnest(ARRAY[
    'Hello {{ name', 'Hello {{ name }', E'one\ntwo {{ é | }}', '{% if x', '{{ x | y: }}', '{{ x y }}',
    '{{ x | 5 }}', '{{ x.5 }}', '{{ x. }}', '{{ x[1 }}', '{{ "x }}', '{{ ''x }}', '{{ x & y }}', '{{ é }}',
    '{{ (1..) }}', '{{ (1..2 }}', '{{ (1..2).size }}', '{{ = }}', '{{ | upcase }}', '{{ 1.2.3 }}', '{{ - }}',
    E'a\nb\n  {% if %}x{% endif %}', '{% if x %}', '{% if x %}{% else %}', E'{% if x %}\n{% endfor %}', '{% endif %}',
    '{% else %}', '{% nosuch %}', '{% %}', '{%- -%}', '{% if x = 1 %}{% endif %}', '{% if x == %}{% endif %}',
    '{% if x and %}{% endif %}', '{% if x && y %}{% endif %}', '{% if x == 1 2 %}{% endif %}', '{% elsif x %}',
    '{% unless %}{% endunless %}', '{% unless x %}{% endif %}', '{% case %}{% endcase %}', '{% case x %}{% when %}{% endcase %}',
    '{% case x %}{% when | 1 %}{% endcase %}', '{% case x %}{% else y %}{% endcase %}', '{% case x %}{% elsif %}{% endcase %}',
    '{% case x %}', '{% for %}{% endfor %}', '{% for x %}{% endfor %}', '{% for x of y %}{% endfor %}',
    '{% for x in %}{% endfor %}', '{% for x in y z: 1 %}{% endfor %}', '{% for x in y limit %}{% endfor %}',
    '{% for x in y limit: %}{% endfor %}', '{% for x in y %}', '{% for x in y %}{% else %}', '{% for 1 in y %}{% endfor %}',
    '{% tablerow x in y rows 1 %}{% endtablerow %}', '{% tablerow x in y %}', '{% cycle %}', '{% cycle x: %}',
    '{% cycle ''a'' ''b'' %}', '{% assign %}', '{% assign x %}', '{% assign x 1 %}', '{% assign x.y = 1 %}', '{% assign x? = 1 %}',
    '{% assign x = 1 2 %}', '{% capture %}{% endcapture %}', '{% capture x y %}{% endcapture %}', '{% capture x %}',
    '{% increment %}', '{% increment 5 %}', '{% increment x y %}', '{% decrement x.y %}', '{% comment %}', '{% raw %}',
    '{% raw x %}{% endraw %}', '{% doc %}', E'{% # a\nb %}', '{% liquid foo %}', E'{% liquid\n if x %}', E'{% liquid\n echo |\n%}',
    E'{% liquid\n  assign x = 1\n  =\n%}', E'{% if x %}{% liquid\n endif %}', '{% render %}', '{% render x %}', '{% render ''x'' y %}',
    '{% render ''x'', y %}', '{% render ''x'' with %}', '{% include %}', '{% include ''x'' as 5 %}', '{% abort ''x'' y %}',
    '{% echo | %}', '{% ifchanged %}', '{{ x | default: 1, , 2 }}', '{{ x | default: a: }}', E'{{\n\n x !\n}}', '{{ a-}}{{ b- }}'
    ]) AS t;

-- check_template raises the same
SELECT nudge.check_template('Hello {{ name }}');
SELECT nudge.check_template(NULL);
SELECT nudge.check_template('');
SELECT nudge.check_template(E'Hello\n{{ name | }}');
SELECT nudge.check_template(E'Hello\n{% if name %}');

-- Errors of rendering
SELECT t AS template, pg_temp.outcome(t) AS outcome FROM unnest(ARRAY[
    '{{ 1 | divided_by: 0 }}', E'\n\n{{ 1 | modulo: 0 }}', '{{ 1 | nosuch }}', '{{ 1 | plus }}', '{{ 1 | plus: 1, 2 }}',
    '{{ ''x'' | truncate: ''y'' }}', '{% if 1 < ''x'' %}{% endif %}', '{{ ''%FF'' | url_decode }}', '{{ ''%00'' | url_decode }}',
    '{{ ''AA=='' | base64_decode }}', '{% render ''nosuch'' %}', '{% include x %}', '{% for i in (1..''x'') %}{% else %}none{% endfor %}',
    '{% for i in (true..2) %}{% endfor %}', '{% abort ''no reason'' %}', '{{ ''2024-01-01'' | date: ''%'' }}',
    '{{ ''2024-01-01'' | date: ''%99999999999d'' }}'
    ]) AS t;
SELECT nudge.render_template(E'a\n{{ 1 | divided_by: 0 }}', '{}');

-- Lax: the error's text in place, nothing for what prints nothing, no stop
SET nudge.template_errors = lax;
SELECT t AS template, pg_temp.outcome(t) AS outcome FROM unnest(ARRAY[
    'a{{ 1 | divided_by: 0 }}b', 'a{{ 1 | nosuch }}b', 'a{% assign x = 1 | divided_by: 0 %}b[{{ x }}]', 'a{{ 1 | plus }}b',
    '{% for i in (1..2) %}{{ i }}{{ i | modulo: 0 }}{% endfor %}', 'a{% if 1 < ''x'' %}b{% endif %}c', '{% if 1 < ''x'' %} {% endif %}c',
    'a{% render ''nosuch'' %}b', '{% capture x %}{{ 1 | divided_by: 0 }}{% endcapture %}{{ x | upcase }}',
    'a{% abort ''still'' %}b', '{% for i in (1..200000) %}{% endfor %}'
    ]) AS t;
RESET nudge.template_errors;

-- Limits, which the errors name
SELECT pg_temp.outcome('{% for i in (1..100001) %}{% endfor %}');
SELECT pg_temp.outcome('{% for i in (1..100000) %}{% endfor %}ok');
SELECT pg_temp.outcome('{% for i in (1..1000) %}{% for j in (1..1000) %}{% endfor %}{% endfor %}');
SELECT pg_temp.outcome('{% assign x = (1..9999999999) | join %}');
SELECT pg_temp.outcome('{{ (1..9999999999) | size }}');
SELECT pg_temp.outcome('{% for i in (1..9223372036854775807) limit: 2 %}{{ i }}{% endfor %}');
SELECT pg_temp.outcome('{{ x }}', jsonb_build_object('x', repeat('x', 1024 * 1024))) = repeat('x', 1024 * 1024) AS ok;
SELECT pg_temp.outcome('{{ x }}', jsonb_build_object('x', repeat('x', 1024 * 1024 + 1)));
SELECT pg_temp.outcome('{{ x | size }}', jsonb_build_object('x', repeat('x', 1024 * 1024 + 1)));
SELECT pg_temp.outcome('{% assign x = "0123456789" %}{% for i in (1..99) %}{% assign x = x | append: x %}{% endfor %}');
SELECT pg_temp.outcome('{% for i in (1..99) %}{% capture x %}{{ x }}{{ x }}0123456789{% endcapture %}{% endfor %}');
SELECT pg_temp.outcome('{% assign x = "a,b" | split: "," %}{% for i in (1..99) %}{% assign x = x | concat: x %}{% endfor %}');
SELECT pg_temp.outcome('{% assign x = 99 %}{% for i in (1..99) %}{% assign x = x | times: x %}{% endfor %}');
SELECT pg_temp.outcome(repeat('{% if true %}', 99) || 'x' || repeat('{% endif %}', 99));
SELECT pg_temp.outcome(repeat('{% if true %}', 100) || 'x' || repeat('{% endif %}', 100));
SELECT pg_temp.outcome('{{ ' || repeat('a[', 200) || '0' || repeat(']', 200) || ' }}');
SELECT pg_temp.outcome('{{ ' || repeat('(', 100000) || ' }}');
SELECT pg_temp.outcome('{{ a' || repeat('.b', 100000) || ' }}');
SELECT pg_temp.outcome('{{ a | append: ' || repeat('1, ', 100000) || '1 }}');
SET nudge.template_max_nesting = 3;
SELECT pg_temp.outcome('{% if true %}{% if true %}x{% endif %}{% endif %}');
SELECT pg_temp.outcome('{% if true %}{% if true %}{% if true %}x{% endif %}{% endif %}{% endif %}');
RESET nudge.template_max_nesting;
SET nudge.template_max_output = '1kB';
SELECT pg_temp.outcome('{% for i in (1..1025) %}x{% endfor %}');
RESET nudge.template_max_output;
SET nudge.template_max_steps = 10;
SELECT pg_temp.outcome('{% for i in (1..11) %}x{% endfor %}');
SELECT f AS filter, pg_temp.outcome('{{ a | ' || f || ' | size }}', '{"a": [{"k": 1}, {"k": 1}, {}, {"k": 2}, {"k": 3}, {"k": 4}]}') AS outcome
FROM unnest(ARRAY['compact', 'compact: "k"', 'uniq', 'uniq: "k"', 'sort: "k"', 'sort_natural: "k"', 'map: "k"', 'sum: "k"', 'concat: a',
                  'reverse', 'where: "k"', 'reject: "k"', 'find: "k"', 'has: "k"', 'join', 'slice: 0, 9']) AS f;
RESET nudge.template_max_steps;
SET nudge.template_timeout = '10ms';
SET nudge.template_max_steps = 100000000;
SELECT pg_temp.outcome('{% for i in (1..100000000) %}{% assign x = i | times: 3 %}{% endfor %}');
RESET nudge.template_timeout;
RESET nudge.template_max_steps;

-- Partials that do not end, or do not parse
BEGIN;
INSERT INTO nudge.template_ids VALUES ('loop'), ('include loop'), ('broken') ON CONFLICT DO NOTHING;
INSERT INTO nudge.templates (template_id, channel, body_text)
VALUES ('loop', 'partial', '{% render ''loop'' %}'), ('include loop', 'partial', '{% include ''include loop'' %}');
SELECT pg_temp.outcome('{% render ''loop'' %}');
SELECT pg_temp.outcome('{% include ''include loop'' %}');
SET LOCAL nudge.template_max_nesting = 1000;
SELECT pg_temp.outcome('{% render ''loop'' %}');
ROLLBACK;

-- Other input
SELECT pg_temp.outcome(NULL), pg_temp.outcome('[{{ x }}]', NULL), pg_temp.outcome('');
SELECT pg_temp.outcome('x', '[]'), pg_temp.outcome('x', '5'), pg_temp.outcome('x', 'null');
SELECT nudge.render_template('{{ x }}', '{"x": "<b>"}', NULL);
SELECT nudge.render_template('{{ x }}', '{"x": "<b>"}', true);
SELECT length(pg_temp.outcome('{{ x }}', (repeat('{"x":', 1000) || '1' || repeat('}', 1000))::jsonb));

-- The cache forgets the least used, and a template that fails leaves it as it was
SELECT count(nudge.render_template('{{ 1 | plus: ' || i || ' }}', '{}')) FROM generate_series(1, 1000) AS i;
SELECT count(pg_temp.outcome('{{ ' || i || ' | }}')) FROM generate_series(1, 1000) AS i;
SELECT sum(length(nudge.render_template(repeat('x{{ 1 }}', i), '{}'))) FROM generate_series(1, 3000, 10) AS i;
SELECT nudge.render_template('{{ 1 | plus: 1 }}', '{}');

-- Settings
SET nudge.template_errors = 'loose';
SET nudge.template_max_output = 0;
SET nudge.template_max_steps = -1;
SET nudge.template_max_nesting = 1001;
SET nudge.template_timeout = -1;
SELECT name, setting, unit FROM pg_settings WHERE name LIKE 'nudge.template%' ORDER BY name;
