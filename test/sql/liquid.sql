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

-- Time zones: text with an offset keeps it until a time zone is set
CREATE FUNCTION pg_temp.time_of(date text) RETURNS text
RETURN nudge.render_template('{{ date | date: "%Y-%m-%d %H:%M %z %Z" }}', jsonb_build_object('date', date));

SELECT zone, date, set_config('nudge.timezone', zone, false) IS NOT NULL AS set, pg_temp.time_of(date)
FROM unnest(ARRAY['UTC', 'America/New_York', 'Asia/Kolkata']) AS zone,
     unnest(ARRAY['2026-07-01T12:00:00Z', '2026-07-01T12:00:00+05:00', '2026-07-01 12:00', '2026-01-01', '1782907200',
                  'July 1, 2026 12pm', '2026-03-08 02:30', '2026-11-01 01:30']) AS date;
SET nudge.timezone = 'America/New_York';
BEGIN;
SELECT nudge.render_template('{{ "now" | date: "%Y-%m-%dT%H:%M:%S%:z" }}', '{}')::timestamptz = date_trunc('second', now()) AS now,
       nudge.render_template('{{ "today" | date: "%Y-%m-%d" }}', '{}')::date = (now() AT TIME ZONE 'America/New_York')::date AS today,
       nudge.render_template('{{ "now" | date: "%s" }}', '{}')::bigint = floor(extract(epoch FROM now())) AS seconds;
ROLLBACK;

-- DateStyle and the session's time zone do not matter
SET nudge.timezone = 'UTC';
SET DateStyle = 'SQL, MDY';
SET TimeZone = 'Asia/Tokyo';
SELECT pg_temp.time_of('1/2/2026'), pg_temp.time_of('12/25/2026'), pg_temp.time_of('2026-07-01 12:00');
SHOW DateStyle;
