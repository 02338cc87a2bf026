--
-- Liquid: cases of template, context and expected output
--
-- They lie in test/liquid, a file for each tag or filter, one case a line: the
-- template, the context (nothing: {}) and the output, with tabs in between.
-- Newlines, tabs, carriage returns and backslashes in them are written \n, \t,
-- \r and \\.  "!" and an SQLSTATE stand for an error and its message.  Every
-- case was checked against the reference implementation, but for those in
-- mail.tsv and autoescape.tsv, which it does not have.
--
SET client_min_messages = warning;
SET nudge.timezone = 'UTC';
\set cases `cd "$PG_ABS_SRCDIR/liquid" && grep -v '^#' *.tsv`

-- Partials of render and include
BEGIN;
CREATE TEMPORARY TABLE partials (name text, body text);
INSERT INTO partials VALUES
    ('hello', 'Hello {{ name }}!'),
    ('card', '[{{ card.title }}{% if forloop %} {{ forloop.index }}/{{ forloop.length }}{% endif %}]'),
    ('outer', '<{% render "hello", name: name %}>'),
    ('sets', '{% assign x = "inner" %}{{ x }}'),
    ('counts', '{% increment n %}'),
    ('dir/item', '({{ item }})'),
    ('breaks', 'a{% break %}b'),
    ('includes', '{% include "hello" %}'),
    ('fails', '{{ 1 | divided_by: 0 }}'),
    ('user', '{{ user.name }}'),
    ('cycles', '{% cycle "x", "y" %}'),
    ('loops', '{% for i in (1..2) %}{{ i }}{{ forloop.parentloop.index }}{% endfor %}');
INSERT INTO nudge.template_ids SELECT name FROM partials ON CONFLICT DO NOTHING;
INSERT INTO nudge.templates (template_id, channel, body_text)
SELECT name, 'partial', body FROM partials;

CREATE FUNCTION pg_temp.unescaped(s text) RETURNS text
RETURN replace(replace(replace(replace(replace(s,
    '\\', E'\001'), '\n', E'\n'), '\t', E'\t'), '\r', E'\r'), E'\001', '\');

CREATE FUNCTION pg_temp.outcome(template text, context jsonb, autoescape boolean)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN nudge.render_template(template, context, autoescape);
EXCEPTION WHEN OTHERS THEN
    RETURN '!' || SQLSTATE || ' ' || regexp_replace(SQLERRM, '^template error: ', '');
END $$;

CREATE TEMPORARY TABLE results AS
SELECT c.file, c.template, c.expected,
       pg_temp.outcome(c.template, c.context, c.file = 'autoescape') AS actual
FROM (SELECT substring(line FROM '^([^.]+)\.tsv:') AS file,
             pg_temp.unescaped(regexp_replace(split_part(line, E'\t', 1), '^[^:]+:', '')) AS template,
             coalesce(nullif(pg_temp.unescaped(split_part(line, E'\t', 2)), ''), '{}')::jsonb AS context,
             pg_temp.unescaped(split_part(line, E'\t', 3)) AS expected
      FROM regexp_split_to_table(:'cases', E'\n') AS line) AS c;

SELECT count(*) AS cases, count(DISTINCT file) AS files FROM results;
SELECT file, template, expected, actual FROM results WHERE expected IS DISTINCT FROM actual;
ROLLBACK;
