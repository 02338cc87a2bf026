--
-- Bad actions: what the table refuses, with its SQLSTATE, and what it takes.
--
-- An application's INSERT fails only for what is wrong with the row itself, never
-- because of a rule.
--
SET timezone = 'UTC';
SET client_min_messages = warning;

CREATE FUNCTION pg_temp.counts() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', (SELECT count(*) FROM nudge.actions), (SELECT count(*) FROM nudge.pending),
        (SELECT count(*) FROM nudge.events), (SELECT count(*) FROM nudge.messages), (SELECT count(*) FROM nudge.tallies),
        (SELECT count(*) FROM nudge.rules), (SELECT count(*) FROM nudge.users))
$$;
-- Runs a statement that must fail; prints its SQLSTATE, and whether anything changed.
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before text := pg_temp.counts();
    state text := 'not refused';
BEGIN
    BEGIN
        EXECUTE statement;
    EXCEPTION WHEN OTHERS THEN
        state := SQLSTATE;
    END;
    RETURN state || CASE WHEN pg_temp.counts() <> before THEN ' but changed something' ELSE '' END;
END
$$;

-- Rules of every kind that look at everything, so that all are evaluated
SELECT count(nudge.create_rule(jsonb_build_object('name', 'bad action ' || n, 'type', 'behavioral', 'conditions', jsonb_build_array(c))))
FROM (VALUES
    (1, '{"type": "action_type", "operator": "contains", "parameters": {"types": ["bad"]}}'::jsonb),
    (2, '{"type": "action_attribute", "operator": "greater_than", "parameters": {"path": "n", "value": 5}}'),
    (3, '{"type": "action_attribute", "operator": "within", "parameters": {"path": "when", "value": "7 days"}}'),
    (4, '{"type": "jsonpath", "parameters": {"path": "$.action.data.** == 1"}}'),
    (5, '{"type": "time_window", "operator": "within", "parameters": {"window_minutes": 5}}'),
    (6, '{"type": "user_attribute", "operator": "not_exists", "parameters": {"path": "profile.x"}}'),
    (7, '{"type": "jsonpath", "parameters": {"path": "$.action.data.n.datetime() < $.action.data.when.datetime()"}}')) AS v (n, c);

-- register_action and INSERT refuse alike
SELECT name, pg_temp.refused(statement)
FROM (VALUES
    ('user_id null', $$INSERT INTO nudge.actions (user_id, action_type) VALUES (NULL, 'bad')$$),
    ('user_id missing', $$INSERT INTO nudge.actions (action_type) VALUES ('bad')$$),
    ('user_id empty', $$INSERT INTO nudge.actions (user_id, action_type) VALUES ('', 'bad')$$),
    ('user_id of 1025 bytes', $$INSERT INTO nudge.actions (user_id, action_type) VALUES (repeat('x', 1025), 'bad')$$),
    ('user_id of 513 two-byte characters', $$INSERT INTO nudge.actions (user_id, action_type) VALUES (repeat('é', 513), 'bad')$$),
    ('action_type null', $$INSERT INTO nudge.actions (user_id, action_type) VALUES ('bad', NULL)$$),
    ('action_type empty', $$INSERT INTO nudge.actions (user_id, action_type) VALUES ('bad', '')$$),
    ('action_type of 1025 bytes', $$INSERT INTO nudge.actions (user_id, action_type) VALUES ('bad', repeat('x', 1025))$$),
    ('action_data an array', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'bad', '[1]')$$),
    ('action_data a string', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'bad', '"x"')$$),
    ('action_data JSON null', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'bad', 'null')$$),
    ('action_data not JSON', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'bad', '{')$$),
    ('action_data with \u0000', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'bad', '{"n": "\u0000"}')$$),
    ('action_data with a number past numeric', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'bad', '{"n": 1e131072}')$$),
    ('context a number', $$INSERT INTO nudge.actions (user_id, action_type, context) VALUES ('bad', 'bad', '1')$$),
    ('occurred_at infinity', $$INSERT INTO nudge.actions (user_id, action_type, occurred_at) VALUES ('bad', 'bad', 'infinity')$$),
    ('occurred_at -infinity', $$INSERT INTO nudge.actions (user_id, action_type, occurred_at) VALUES ('bad', 'bad', '-infinity')$$),
    ('occurred_at null', $$INSERT INTO nudge.actions (user_id, action_type, occurred_at) VALUES ('bad', 'bad', NULL)$$),
    ('recorded_at infinity', $$INSERT INTO nudge.actions (user_id, action_type, recorded_at) VALUES ('bad', 'bad', 'infinity')$$),
    ('one bad row of two', $$INSERT INTO nudge.actions (user_id, action_type) VALUES ('bad', 'bad'), ('bad', '')$$),
    ('register_action: user_id null', $$SELECT nudge.register_action(NULL, 'bad')$$),
    ('register_action: user_id empty', $$SELECT nudge.register_action('', 'bad')$$),
    ('register_action: action_data an array', $$SELECT nudge.register_action('bad', 'bad', '[]')$$),
    ('register_action: occurred_at infinity', $$SELECT nudge.register_action('bad', 'bad', '{}', 'infinity')$$),
    ('evaluate: user_id null', $$SELECT nudge.evaluate(NULL, 'bad')$$),
    ('evaluate: action_type empty', $$SELECT nudge.evaluate('bad', '')$$),
    ('evaluate: action_data an array', $$SELECT nudge.evaluate('bad', 'bad', '[]')$$),
    ('evaluate: occurred_at infinity', $$SELECT nudge.evaluate('bad', 'bad', '{}', 'infinity')$$),
    ('explain: user_id of 1025 bytes', $$SELECT nudge.explain(repeat('x', 1025), 'bad')$$),
    ('explain: action_type null', $$SELECT nudge.explain('bad', NULL)$$),
    ('explain: context a string', $$SELECT nudge.explain('bad', 'bad', '{}', now(), '"x"')$$)) AS v (name, statement);

-- What looks bad and is taken: the row is there, the rules that can be computed fire
CREATE FUNCTION pg_temp.taken(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before text := pg_temp.counts();
BEGIN
    EXECUTE statement;
    RETURN CASE WHEN pg_temp.counts() <> before THEN 'taken' ELSE 'nothing happened' END;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
SELECT name, pg_temp.taken(statement)
FROM (VALUES
    ('user_id of 1024 bytes', $$INSERT INTO nudge.actions (user_id, action_type) VALUES (repeat('x', 1024), 'bad taken')$$),
    ('action_type of 1024 bytes', $$INSERT INTO nudge.actions (user_id, action_type) VALUES ('bad', repeat('x', 1024))$$),
    ('action_type unknown', $$INSERT INTO nudge.actions (user_id, action_type) VALUES ('bad', 'never heard of')$$),
    ('documents null', $$INSERT INTO nudge.actions (user_id, action_type, action_data, context) VALUES ('bad', 'bad', NULL, NULL)$$),
    ('1 MB of JSON', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'bad', jsonb_build_object('n', repeat('x', 1048576)))$$),
    ('100,000 keys', $$INSERT INTO nudge.actions (user_id, action_type, action_data) SELECT 'bad', 'bad', jsonb_object_agg('k' || i, i) FROM generate_series(1, 100000) AS i$$),
    ('1,000 levels', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'deep', ('{"n":' || repeat('[', 1000) || repeat(']', 1000) || '}')::jsonb)$$),
    ('a number of 130,000 digits', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'huge number', ('{"n": ' || repeat('9', 130000) || '}')::jsonb)$$),
    ('a number past float8', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'big number', '{"n": 1e400}')$$),
    ('a string where a number is compared', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'no number', '{"n": "NaN"}')$$),
    ('no time where a time is compared', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'no time', '{"when": "the day after"}')$$),
    ('a time out of range', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'no time', '{"when": 1e300}')$$),
    ('a time in a zone that does not exist', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'no time', '{"when": "2020-01-01 10:00 Nowhere/Land"}')$$),
    ('infinity as a time', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'no time', '{"when": "infinity"}')$$),
    ('times with and without zone compared', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('bad', 'zones', '{"n": "2020-01-01", "when": "2020-01-01 00:00:00+00"}')$$),
    ('the first and the last time there is', $$INSERT INTO nudge.actions (user_id, action_type, occurred_at) VALUES ('bad', 'bad', '4713-01-01 00:00:00 BC'), ('bad', 'bad', '294276-12-31 23:59:59')$$)) AS v (name, statement);

-- 10,000 levels are PostgreSQL's own to refuse or to take; the server lives on
SELECT pg_temp.taken($$INSERT INTO nudge.actions (user_id, action_type, action_data)
    VALUES ('bad', 'deep', ('{"n":' || repeat('[', 10000) || repeat(']', 10000) || '}')::jsonb)$$) IN ('taken', '54001') AS survived;

-- What could not be computed left its event
SELECT r.name, e.reason, count(*)
FROM nudge.events e JOIN nudge.rules r USING (rule_id)
WHERE e.event_type = 'evaluation_error' AND e.user_id = 'bad' AND r.name LIKE 'bad action %'
    AND e.reason NOT LIKE '%nested%'
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) >= 1 AS nested_too_deeply FROM nudge.events WHERE user_id = 'bad' AND reason LIKE '%nested too deeply%';
-- and the number past float8 was compared as what it is
SELECT count(*) AS fired FROM nudge.pending p JOIN nudge.rules r USING (rule_id)
WHERE r.name = 'bad action 2' AND p.action_type IN ('big number', 'huge number');

-- A rule whose condition came past the checks is broken: it never fires, and the
-- INSERT goes on
SET session_replication_role = replica;
UPDATE nudge.conditions SET parameters = '{"types": 5}' WHERE rule_id = (SELECT rule_id FROM nudge.rules WHERE name = 'bad action 1');
RESET session_replication_role;
UPDATE nudge.rules SET description = 'changed' WHERE name = 'bad action 1';
SELECT pg_temp.taken($$INSERT INTO nudge.actions (user_id, action_type) VALUES ('bad', 'bad broken')$$);
SELECT matched FROM nudge.evaluate('bad', 'bad broken') WHERE name = 'bad action 1';
SELECT outcome, reason FROM nudge.explain('bad', 'bad broken') WHERE name = 'bad action 1';

DELETE FROM nudge.rules WHERE name LIKE 'bad action %';
DELETE FROM nudge.pending WHERE user_id IN ('bad', repeat('x', 1024));
DELETE FROM nudge.events WHERE user_id IN ('bad', repeat('x', 1024));
DELETE FROM nudge.actions WHERE user_id IN ('bad', repeat('x', 1024));
