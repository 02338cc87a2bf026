--
-- Conditions that are refused.  create_rule and triggers parse them by the same
-- code; the rows go in by plain DML here, and one case by create_rule.
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
SELECT nudge.create_rule('{"name": "condition errors", "type": "behavioral"}') > 0;
CREATE TEMPORARY TABLE rows_before AS SELECT * FROM pg_temp.rows();
CREATE FUNCTION pg_temp.bad(type text, operator text, parameters text, weight text DEFAULT '1') RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused(format('INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters, weight)
        SELECT rule_id, 0, %L, %L, %L, %L FROM nudge.rules WHERE name = %L', type, operator, parameters, weight, 'condition errors'))
$$;

-- Types and operators
SELECT pg_temp.bad('action', 'equals', '{}');
SELECT pg_temp.bad('', 'equals', '{}');
SELECT pg_temp.bad('action_type', 'is', '{"types": "a"}');
SELECT pg_temp.bad('action_type', 'starts_with', '{"types": "a"}');
SELECT pg_temp.bad('page_visit', 'in', '{"pages": "/a"}');
SELECT pg_temp.bad('purchase_behavior', 'at_least', '{"threshold": 1}');
SELECT pg_temp.bad('engagement_level', 'not_equals', '{"level": "high"}');
SELECT pg_temp.bad('time_window', 'equals', '{"window_minutes": 5}');
SELECT pg_temp.bad('jsonpath', 'exists', '{"path": "$.user"}');

-- Parameters: not an object, unknown, misplaced, missing, of the wrong kind
SELECT pg_temp.bad('action_type', 'equals', '["a"]');
SELECT pg_temp.bad('action_type', 'equals', '"a"');
SELECT pg_temp.bad('action_type', 'equals', '{"type": ["a"]}');
SELECT pg_temp.bad('action_type', 'equals', '{"types": ["a"], "pages": ["b"]}');
SELECT pg_temp.bad('action_type', 'equals', '{}');
SELECT pg_temp.bad('action_type', 'equals', '{"types": []}');
SELECT pg_temp.bad('action_type', 'equals', '{"types": null}');
SELECT pg_temp.bad('action_type', 'equals', '{"types": ["a", 1]}');
SELECT pg_temp.bad('action_type', 'equals', '{"types": [["a"]]}');
SELECT pg_temp.bad('page_visit', 'contains', '{"pages": ["/a", ""]}');
SELECT pg_temp.bad('page_visit', 'contains', '{"pages": {"a": 1}}');
SELECT pg_temp.bad('action_type', 'equals', '{"types": ' || repeat('[', 64) || repeat(']', 64) || '}');

SELECT pg_temp.bad('purchase_behavior', 'equals', '{}');
SELECT pg_temp.bad('purchase_behavior', 'equals', '{"threshold": "3"}');
SELECT pg_temp.bad('purchase_behavior', 'equals', '{"threshold": 3, "min": 1}');
SELECT pg_temp.bad('purchase_behavior', 'in_range', '{"threshold": 3}');
SELECT pg_temp.bad('purchase_behavior', 'in_range', '{}');
SELECT pg_temp.bad('purchase_behavior', 'in_range', '{"min": 3, "max": 2}');
SELECT pg_temp.bad('purchase_behavior', 'in_range', '{"min": "3"}');
SELECT pg_temp.bad('purchase_behavior', 'equals', '{"threshold": 3, "metric": 5}');
SELECT pg_temp.bad('purchase_behavior', 'equals', '{"threshold": 3, "metric": "a..b"}');

SELECT pg_temp.bad('engagement_level', 'equals', '{}');
SELECT pg_temp.bad('engagement_level', 'equals', '{"level": "hot"}');
SELECT pg_temp.bad('engagement_level', 'equals', '{"level": 1}');
SELECT pg_temp.bad('engagement_level', 'equals', '{"level": "low", "high_days": -1}');
SELECT pg_temp.bad('engagement_level', 'equals', '{"level": "low", "high_days": "1"}');
SELECT pg_temp.bad('engagement_level', 'equals', '{"level": "low", "medium_days": 1e400}');
SELECT pg_temp.bad('engagement_level', 'equals', '{"level": "low", "high_days": 8}');

SELECT pg_temp.bad('time_window', 'within', '{}');
SELECT pg_temp.bad('time_window', 'within', '{"window_minutes": 0}');
SELECT pg_temp.bad('time_window', 'within', '{"window_minutes": -1}');
SELECT pg_temp.bad('time_window', 'within', '{"window_minutes": 1e-30}');
SELECT pg_temp.bad('time_window', 'within', '{"window_minutes": 1e12}');
SELECT pg_temp.bad('time_window', 'within', '{"window_minutes": 1e131071}');
SELECT pg_temp.bad('time_window', 'within', '{"window_minutes": "5"}');

-- Attributes
SELECT pg_temp.bad('user_attribute', 'exists', '{}');
SELECT pg_temp.bad('user_attribute', 'exists', '{"path": 1}');
SELECT pg_temp.bad('user_attribute', 'exists', '{"path": ""}');
SELECT pg_temp.bad('user_attribute', 'exists', '{"path": "profile"}');
SELECT pg_temp.bad('user_attribute', 'exists', '{"path": "profile."}');
SELECT pg_temp.bad('user_attribute', 'exists', '{"path": "profile..tier"}');
SELECT pg_temp.bad('user_attribute', 'exists', '{"path": "tier"}');
SELECT pg_temp.bad('user_attribute', 'exists', '{"path": "email.domain"}');
SELECT pg_temp.bad('action_attribute', 'exists', '{"path": "context"}');
SELECT pg_temp.bad('user_attribute', 'exists', '{"path": "profile.tier", "value": 1}');
SELECT pg_temp.bad('user_attribute', 'equals', '{"path": "profile.tier"}');
SELECT pg_temp.bad('user_attribute', 'equals', '{"path": "profile.tier", "value": null}');
SELECT pg_temp.bad('user_attribute', 'equals', '{"path": "profile.tier", "value": ["gold"]}');
SELECT pg_temp.bad('user_attribute', 'equals', '{"path": "profile.tier", "values": ["gold"]}');
SELECT pg_temp.bad('user_attribute', 'not_equals', '{"path": "profile.tier", "value": 1, "values": ["gold"]}');
SELECT pg_temp.bad('user_attribute', 'greater_than', '{"path": "profile.age", "value": true}');
SELECT pg_temp.bad('user_attribute', 'starts_with', '{"path": "profile.name", "value": ""}');
SELECT pg_temp.bad('user_attribute', 'ends_with', '{"path": "profile.name", "values": ["x", 1]}');
SELECT pg_temp.bad('user_attribute', 'contains', '{"path": "profile.name", "value": "x", "values": ["y"]}');
SELECT pg_temp.bad('user_attribute', 'contains', '{"path": "profile.name"}');
SELECT pg_temp.bad('user_attribute', 'in', '{"path": "profile.tier", "values": "gold"}');
SELECT pg_temp.bad('user_attribute', 'in', '{"path": "profile.tier", "values": []}');
SELECT pg_temp.bad('user_attribute', 'not_in', '{"path": "profile.tier", "values": [{}]}');
SELECT pg_temp.bad('user_attribute', 'in_range', '{"path": "profile.age"}');
SELECT pg_temp.bad('user_attribute', 'in_range', '{"path": "profile.age", "min": 2, "max": 1}');
SELECT pg_temp.bad('user_attribute', 'in_range', '{"path": "profile.age", "value": 2}');
SELECT pg_temp.bad('user_attribute', 'within', '{"path": "profile.since", "value": "soon"}');
SELECT pg_temp.bad('user_attribute', 'within', '{"path": "profile.since", "value": ""}');
SELECT pg_temp.bad('user_attribute', 'within', '{"path": "profile.since", "value": "-1 day"}');
SELECT pg_temp.bad('user_attribute', 'within', '{"path": "profile.since", "value": 0}');
SELECT pg_temp.bad('user_attribute', 'within', '{"path": "profile.since", "value": "99999999999999 days"}');
SELECT pg_temp.bad('user_attribute', 'after', '{"path": "profile.since", "value": 1, "window_minutes": 1}');
SELECT pg_temp.bad('user_attribute', 'after', '{"path": "profile.since", "value": true}');

-- jsonpath keeps PostgreSQL's own SQLSTATEs.
SELECT pg_temp.bad('jsonpath', 'equals', '{}');
SELECT pg_temp.bad('jsonpath', 'equals', '{"path": ["$"]}');
SELECT pg_temp.bad('jsonpath', 'equals', '{"path": ""}');
SELECT pg_temp.bad('jsonpath', 'equals', '{"path": "$.user ? (@.a =="}');
SELECT pg_temp.bad('jsonpath', 'equals', '{"path": "$.user.name like_regex \"(\""}');
SELECT pg_temp.bad('jsonpath', 'equals', '{"path": "$.user.age > $limit"}');
SELECT pg_temp.bad('jsonpath', 'equals', '{"path": "$.user.a == \"$\" && $.user.b == $\"x\""}');
SELECT pg_temp.bad('jsonpath', 'equals', '{"path": "$.action.data.d.datetime(\"foo\") < \"2020-01-01\".datetime()"}');
SELECT pg_temp.bad('jsonpath', 'equals', '{"path": "exists($.a[last, 1 to 2].b ? (!(@.c > 1) || \"x\" starts with \"y\" && @.d.datetime(\"YYYY~MM\").type() like_regex \"a\").e)"}');
SELECT pg_temp.bad('jsonpath', 'equals', '{"path": "$.a.datetime(\"YYYY-MM-DD\") < \"2020-01-01\".datetime() && $[$.x.datetime(\"HH24+MI\")] == 1"}');

-- Weights
SELECT pg_temp.bad('action_type', 'equals', '{"types": "a"}', '-0.1');
SELECT pg_temp.bad('action_type', 'equals', '{"types": "a"}', 'NaN');
SELECT pg_temp.bad('action_type', 'equals', '{"types": "a"}', 'Infinity');
SELECT pg_temp.bad('action_type', 'equals', '{"types": "a"}', '1000001');

-- Several at once
SELECT pg_temp.bad('user_attribute', 'equal', '{"path": "profile", "vlaue": 1}', 'NaN');
SELECT pg_temp.refused($$SELECT nudge.create_rule('{"name": "condition errors too", "type": "behavioral", "conditions": [
    {"type": "user_attribute", "operator": "equal", "parameters": {"path": "profile", "vlaue": 1}, "weight": -1}]}')$$);

-- A missing rule, NULLs
SELECT pg_temp.refused($$INSERT INTO nudge.conditions VALUES (-1, 0, 'action_type', 'equals', '{"types": "a"}', 1)$$);
SELECT pg_temp.refused($$INSERT INTO nudge.conditions VALUES (-1, 0, NULL, 'equals', '{"types": "a"}', 1)$$) ~ '^23502';
SELECT pg_temp.refused($$INSERT INTO nudge.conditions VALUES (-1, 0, 'action_type', 'equals', NULL, 1)$$) ~ '^23502';

\echo tables whose number of rows changed:
SELECT b.relation, b.n, a.n FROM rows_before b FULL JOIN pg_temp.rows() a USING (relation) WHERE a.n IS DISTINCT FROM b.n;
DELETE FROM nudge.rules WHERE name = 'condition errors';
