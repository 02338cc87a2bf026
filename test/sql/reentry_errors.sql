-- Re-entry and holdouts: what is refused, the same by create_rule and by plain DML
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\set VERBOSITY default
CREATE TEMP TABLE bad (n serial, reentry jsonb);
INSERT INTO bad (reentry) VALUES
    ('"never"'), ('"Once"'), ('""'), ('1'), ('true'), ('[]'), ('["once"]'), ('{}'),
    ('{"once": true}'), ('{"after": "7 days", "key": "$.a"}'), ('{"after": "7 days", "grace": 1}'),
    ('{"after": 7}'), ('{"after": null}'), ('{"after": "soon"}'), ('{"after": "0 days"}'), ('{"after": "-1 day"}'),
    ('{"after": "1 month -1 day"}'), ('{"after": "101 years"}'), ('{"after": "999999999999 days"}'), ('{"after": ""}'),
    ('{"key": 1}'), ('{"key": null}'), ('{"key": ""}'), ('{"key": "$."}'), ('{"key": "order_id"}'), ('{"key": "$.a ? (@ > $b)"}'),
    ('{"key": "$.a.datetime(\"XX\")"}'), ('{"key": "$.a ? (@ like_regex \"(\")"}');
CREATE FUNCTION pg_temp.attempt(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
\x
SELECT b.reentry, a.* FROM bad b, pg_temp.attempt(format('SELECT nudge.create_rule(%L)',
    jsonb_build_object('name', 'bad reentry', 'type', 'behavioral', 'reentry', reentry))) AS a ORDER BY n;
\x
-- the same by plain DML
SELECT count(*), count(*) FILTER (WHERE d.message = c.message AND d.state = c.state AND d.hint IS NOT DISTINCT FROM c.hint AND d.detail = c.detail) AS same
FROM bad b, pg_temp.attempt(format('SELECT nudge.create_rule(%L)', jsonb_build_object('name', 'bad reentry', 'type', 'behavioral', 'reentry', reentry))) AS c,
    pg_temp.attempt(format('INSERT INTO nudge.rules (name, trigger_type, reentry) VALUES (%L, %L, %L)', 'bad reentry', 'behavioral', reentry)) AS d;
SELECT count(*) FROM nudge.rules WHERE name = 'bad reentry';
\set VERBOSITY terse
INSERT INTO nudge.rules (name, trigger_type, reentry) VALUES ('bad reentry', 'behavioral', NULL);
-- null in a document means the default
SELECT nudge.create_rule('{"name": "null reentry", "type": "behavioral", "reentry": null}') IS NOT NULL AS made;
SELECT reentry FROM nudge.rules WHERE name = 'null reentry';
SELECT * FROM pg_temp.attempt($$UPDATE nudge.rules SET reentry = '"twice"' WHERE name = 'null reentry'$$);

-- Holdouts
SELECT left(p::text, 10) AS p, a.state, a.message, a.hint FROM unnest(ARRAY['-1', '100.5', '1e400', '"10"', 'true', '[]']::jsonb[]) AS p,
    pg_temp.attempt(format('SELECT nudge.create_rule(%L)', jsonb_build_object('name', 'bad holdout', 'type', 'behavioral', 'holdout_percent', p))) AS a;
SELECT p, a.state, a.message, a.hint FROM unnest('{-1,100.5,NaN,Infinity}'::float8[]) AS p,
    pg_temp.attempt(format('INSERT INTO nudge.rules (name, trigger_type, holdout_percent) VALUES (%L, %L, %L)', 'bad holdout', 'behavioral', p)) AS a;
SET nudge.control_group_percent = 101;
\echo :LAST_ERROR_SQLSTATE
SET nudge.control_group_percent = -0.1;
\echo :LAST_ERROR_SQLSTATE
SET nudge.control_group_percent = 'NaN';
\echo :LAST_ERROR_SQLSTATE
SHOW nudge.control_group_percent;

-- What came past the checks lets nobody in, and does not fail the application
ALTER TABLE nudge.rules DISABLE TRIGGER check_rule;
INSERT INTO nudge.rules (name, trigger_type, reentry)
SELECT 'broken reentry ' || n, 'behavioral', reentry FROM bad ORDER BY n;
UPDATE nudge.rules SET holdout_percent = 'NaN' WHERE name = 'null reentry';
ALTER TABLE nudge.rules ENABLE TRIGGER check_rule;
SELECT name FROM unnest(nudge.register_action('bad_re', 'bad_re')) AS f (rule_id) JOIN nudge.rules USING (rule_id);
SELECT DISTINCT outcome, reason FROM nudge.explain('bad_re', 'bad_re') WHERE name LIKE 'broken reentry%';
INSERT INTO nudge.users (user_id, email) VALUES ('bad_re', 'x@example.org');
INSERT INTO nudge.templates (template_id, body_text) VALUES ('bad_re', 'x');
UPDATE nudge.rules SET template_id = 'bad_re', holdout_percent = 0 WHERE name = 'null reentry';
ALTER TABLE nudge.rules DISABLE TRIGGER check_rule;
UPDATE nudge.rules SET reentry = '{"key": "$."}' WHERE name = 'null reentry';
ALTER TABLE nudge.rules ENABLE TRIGGER check_rule;
SELECT executed, failed, skipped FROM nudge.execute_pending();
SELECT event_type, reason FROM nudge.events WHERE user_id = 'bad_re' ORDER BY event_id;

DELETE FROM nudge.rules WHERE name LIKE '%reentry%';
DELETE FROM nudge.users WHERE user_id = 'bad_re';
DELETE FROM nudge.templates WHERE template_id = 'bad_re';
DELETE FROM nudge.events WHERE user_id = 'bad_re';
DELETE FROM nudge.pending WHERE user_id = 'bad_re';
DELETE FROM nudge.actions WHERE user_id = 'bad_re';
