--
-- Conditions of the types of 0.3.0, and groups, that are refused
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
SELECT nudge.create_rule('{"name": "type errors", "type": "behavioral"}') > 0;
INSERT INTO nudge.segments (name) VALUES ('type errors');
CREATE TEMPORARY TABLE rows_before AS SELECT * FROM pg_temp.rows();
CREATE FUNCTION pg_temp.bad(type text, parameters text, operator text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused(format('INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters, weight)
        SELECT rule_id, 0, %L, %L, %L, 1 FROM nudge.rules WHERE name = %L', type, operator, parameters, 'type errors'))
$$;
CREATE FUNCTION pg_temp.bad_rule(conditions text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused(format('SELECT nudge.create_rule(%L)',
        format('{"name": "refused", "type": "behavioral", "conditions": %s}', conditions)))
$$;

-- action_count
SELECT pg_temp.bad('action_count', '{}');
SELECT pg_temp.bad('action_count', '{"action_type": 5}');
SELECT pg_temp.bad('action_count', '{"action_type": []}');
SELECT pg_temp.bad('action_count', '{"action_type": ["a", ""]}');
SELECT pg_temp.bad('action_count', '{"types": "a"}');
SELECT pg_temp.bad('action_count', '{"action_type": "a"}', 'contains');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "within": "soon"}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "within": "-2 days"}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "within": "0"}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "within": null}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "within": "999999999 years"}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "min": -1}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "min": 1.5}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "min": "3"}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "max": 1e400}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "min": 3, "max": 2}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "count": 3, "max": 2}');
SELECT pg_temp.bad('action_count', '{"action_type": "a"}', 'equals');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "min": 1}', 'equals');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "count": 1, "min": 1}', 'at_least');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "max": 1}', 'at_least');
SELECT pg_temp.bad('action_count', '{"action_type": "a"}', 'in_range');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "count": 1}', 'exists');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "where": 5}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "where": "$.a =="}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "where": "$.a like_regex \"(\""}');
SELECT pg_temp.bad('action_count', '{"action_type": "a", "where": "$.a == $b"}');

-- segment
SELECT pg_temp.bad('segment', '{}');
SELECT pg_temp.bad('segment', '{"segment": ""}');
SELECT pg_temp.bad('segment', '{"segment": ["type errors"]}');
SELECT pg_temp.bad('segment', '{"segment": "type errors", "value": "type errors"}');
SELECT pg_temp.bad('segment', '{"segment": "type errors"}', 'in');
SELECT pg_temp.bad('segment', '{"segment": "missing"}');
SELECT pg_temp.bad('all', '{"conditions": [{"not": {"type": "segment", "parameters": {"segment": "missing"}}}]}');
SELECT pg_temp.bad_rule('[{"any": [{"type": "segment", "parameters": {"segment": "missing"}}]}]');

-- attribute_change
SELECT pg_temp.bad('attribute_change', '{}');
SELECT pg_temp.bad('attribute_change', '{"attribute": 5}');
SELECT pg_temp.bad('attribute_change', '{"attribute": ""}');
SELECT pg_temp.bad('attribute_change', '{"attribute": "profile..tier"}');
SELECT pg_temp.bad('attribute_change', '{"attribute": "a"}', 'equals');
SELECT pg_temp.bad('attribute_change', '{"attribute": "a"}', 'changed_to');
SELECT pg_temp.bad('attribute_change', '{"attribute": "a", "to": "x"}', 'changed_from');
SELECT pg_temp.bad('attribute_change', '{"attribute": "a", "from": ["x"]}');
SELECT pg_temp.bad('attribute_change', '{"attribute": "a", "min_change": 0}');
SELECT pg_temp.bad('attribute_change', '{"attribute": "a", "min_change": -1}', 'decreased');
SELECT pg_temp.bad('attribute_change', '{"attribute": "a", "min_change": "1"}');
SELECT pg_temp.bad('attribute_change', '{"attribute": "a", "value": 1}');

-- location
SELECT pg_temp.bad('location', '{}');
SELECT pg_temp.bad('location', '{"lat": 1, "lon": 2}');
SELECT pg_temp.bad('location', '{"lat": 90.1, "lon": 0, "radius_km": 1}');
SELECT pg_temp.bad('location', '{"lat": 0, "lon": -180.1, "radius_km": 1}');
SELECT pg_temp.bad('location', '{"lat": 1e400, "lon": 0, "radius_km": 1}');
SELECT pg_temp.bad('location', '{"lat": 0, "lon": 0, "radius_km": 0}');
SELECT pg_temp.bad('location', '{"lat": 0, "lon": 0, "radius_km": -1}');
SELECT pg_temp.bad('location', '{"lat": 0, "lon": 0, "radius_km": 1e400}');
SELECT pg_temp.bad('location', '{"lat": "0", "lon": 0, "radius_km": 1}');
SELECT pg_temp.bad('location', '{"lat": 0, "lon": 0, "radius_km": 1, "countries": ["DE"]}');
SELECT pg_temp.bad('location', '{"countries": []}');
SELECT pg_temp.bad('location', '{"regions": [1]}');
SELECT pg_temp.bad('location', '{"countries": "DE"}', 'equals');
SELECT pg_temp.bad('location', '{"country": "DE"}');

-- local_time
SELECT pg_temp.bad('local_time', '{}');
SELECT pg_temp.bad('local_time', '{"from": "9", "to": "12:00"}');
SELECT pg_temp.bad('local_time', '{"from": "09:00", "to": "24:01"}');
SELECT pg_temp.bad('local_time', '{"from": 9, "to": "12:00"}');
SELECT pg_temp.bad('local_time', '{"from": "09:00", "to": "09:00"}');
SELECT pg_temp.bad('local_time', '{"days": []}');
SELECT pg_temp.bad('local_time', '{"days": ["monday"]}');
SELECT pg_temp.bad('local_time', '{"days": [1]}');
SELECT pg_temp.bad('local_time', '{"days": "mon"}', 'in');

-- message_engagement
SELECT pg_temp.bad('message_engagement', '{}');
SELECT pg_temp.bad('message_engagement', '{"rule": 5}');
SELECT pg_temp.bad('message_engagement', '{"rule": "type errors", "rule_id": 5}');
SELECT pg_temp.bad('message_engagement', '{"rule_id": "5"}');
SELECT pg_temp.bad('message_engagement', '{"rule_id": 0}');
SELECT pg_temp.bad('message_engagement', '{"rule_id": 1e30}');
SELECT pg_temp.bad('message_engagement', '{"rule_id": 123456789}');
SELECT pg_temp.bad('message_engagement', '{"rule": "missing"}');
SELECT pg_temp.bad('message_engagement', '{"rule": "type errors", "within": "-1 day"}');
SELECT pg_temp.bad('message_engagement', '{"rule": "type errors"}', 'equals');
SELECT pg_temp.bad_rule('[{"not": {"type": "message_engagement", "parameters": {"rule": "missing"}}}]');

-- lifecycle_stage
SELECT pg_temp.bad('lifecycle_stage', '{}');
SELECT pg_temp.bad('lifecycle_stage', '{"stage": ""}');
SELECT pg_temp.bad('lifecycle_stage', '{"stages": []}');
SELECT pg_temp.bad('lifecycle_stage', '{"stage": "new", "stages": ["new"]}');
SELECT pg_temp.bad('lifecycle_stage', '{"stage": "new"}', 'contains');
SELECT pg_temp.bad('lifecycle_stage', '{"stage": "New"}');
SELECT pg_temp.bad('lifecycle_stage', '{"stages": ["new", "none", "nobody"]}', 'not_in');
SELECT pg_temp.bad_rule('[{"not": {"any": [{"type": "lifecycle_stage", "parameters": {"stage": "none"}}]}}]');
SELECT pg_temp.refused($$INSERT INTO nudge.segments (name, conditions) VALUES ('refused', '[{"type": "lifecycle_stage", "parameters": {"stage": "none"}}]')$$);

-- Groups, as rows
SELECT pg_temp.bad('all', '{}');
SELECT pg_temp.bad('all', '{"conditions": {}}');
SELECT pg_temp.bad('any', '{"conditions": []}');
SELECT pg_temp.bad('any', '{"conditions": ["x"]}');
SELECT pg_temp.bad('not', '{"conditions": "x"}');
SELECT pg_temp.bad('not', '{"conditions": []}');
SELECT pg_temp.bad('not', '{"conditions": [{"type": "segment", "parameters": {"segment": "type errors"}}, {"type": "segment", "parameters": {"segment": "type errors"}}]}');
SELECT pg_temp.bad('all', '{"conditions": [{"type": "action_type", "parameters": {"types": "a"}}]}', 'any');
SELECT pg_temp.bad('all', '{"conditions": [{"type": "action_type", "parameters": {"types": "a"}, "weight": 1}]}');
SELECT pg_temp.bad('all', '{"conditions": [{"any": [{"type": "jsonpath", "parameters": {"path": "$.a =="}}]}]}');
-- as documents
SELECT pg_temp.bad_rule('[{"all": []}]');
SELECT pg_temp.bad_rule('[{"all": null}]');
SELECT pg_temp.bad_rule('[{"not": [1]}]');
SELECT pg_temp.bad_rule('[{"none": [{"type": "action_type", "parameters": {"types": "a"}}]}]');
SELECT pg_temp.bad_rule('[{"all": [{"type": "action_type", "parameters": {"types": "a"}}], "any": []}]');
SELECT pg_temp.bad_rule('[{"all": [{"type": "action_type", "parameters": {"types": "a"}}], "operator": "equals"}]');
SELECT pg_temp.bad_rule('[{"all": [{"type": "action_type", "parameters": {"types": "a"}}], "weight": -1}]');
SELECT pg_temp.bad_rule('[{"any": [{"all": [{"type": "action_type", "operator": "is", "parameters": {"types": ""}}], "weight": 1}]}]');
-- nested to the limit and past it
SELECT pg_temp.bad_rule('[' || repeat('{"not":', 61) || '{"type": "action_type", "parameters": {"types": "a"}}' || repeat('}', 61) || ']');
SELECT pg_temp.bad('not', '{"conditions": ' || repeat('{"not":', 62) || '{"type": "action_type", "parameters": {"types": "a"}}' || repeat('}', 62) || '}');
SELECT pg_temp.bad('not', '{"conditions": ' || repeat('{"not":', 9999) || '1' || repeat('}', 9999) || '}');
SELECT nudge.create_rule(('{"name": "deep", "type": "behavioral", "conditions": [' || repeat('{"not":', 60) || '{"type": "action_type", "parameters": {"types": "a"}}' || repeat('}', 60) || ']}')::jsonb) AS deep \gset
SELECT matched FROM nudge.evaluate('u', 'a') WHERE rule_id = :deep;
SELECT nudge.create_rule(nudge.rule_document(:deep) || '{"name": "deep again"}') > 0;
DELETE FROM nudge.rules WHERE name LIKE 'deep%';

-- A rule may follow up on itself.
SELECT nudge.create_rule('{"name": "itself", "type": "behavioral", "conditions": [
    {"not": {"type": "message_engagement", "parameters": {"rule": "itself"}}}]}') > 0;
DELETE FROM nudge.rules WHERE name = 'itself';

\echo tables whose number of rows changed:
SELECT b.relation, b.n, a.n FROM rows_before b FULL JOIN pg_temp.rows() a USING (relation) WHERE a.n IS DISTINCT FROM b.n;
DELETE FROM nudge.rules WHERE name = 'type errors';
DELETE FROM nudge.segments WHERE name = 'type errors';
