--
-- Segments that make no sense, and that are still needed.
--
SET timezone = 'UTC';
BEGIN;
INSERT INTO nudge.segments (name, conditions) VALUES ('bad base', '[]'), ('bad other', '[{"type": "segment", "parameters": {"segment": "bad base"}}]');

CREATE FUNCTION pg_temp.attempt(statement text) RETURNS TABLE (state text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    state := 'done';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END
$$;
CREATE FUNCTION pg_temp.segment(conditions text, match text DEFAULT 'all') RETURNS TABLE (state text, message text, detail text, hint text) LANGUAGE sql AS
$$ SELECT * FROM pg_temp.attempt(format('INSERT INTO nudge.segments (name, match, conditions) VALUES (%L, %L, %L)', 'bad', match, conditions)) $$;
\x on
-- not a list of conditions
SELECT * FROM pg_temp.segment('{}');
SELECT * FROM pg_temp.segment('5');
SELECT * FROM pg_temp.segment('null');
SELECT * FROM pg_temp.segment('["gold"]');
SELECT * FROM pg_temp.segment('[{}]');
SELECT state, message FROM pg_temp.segment('[]', 'some');
-- unknown words
SELECT * FROM pg_temp.segment('[{"type": "user_attribute", "operator": "exists", "parameters": {"path": "email"}}, {"type": "horoscope"}]');
SELECT * FROM pg_temp.segment('[{"type": "user_attribute", "operator": "exists", "parameters": {"path": "email"}}, {"type": "user_attribute", "operator": "resembles", "parameters": {"path": "email", "value": "x"}}]');
SELECT * FROM pg_temp.segment('[{"type": "user_attribute", "parameters": {"path": "email", "value": "x", "colour": 1}}]');
SELECT * FROM pg_temp.segment('[{"type": "user_attribute", "parameters": {"path": "email", "value": "x"}, "extra": 1}]');
SELECT * FROM pg_temp.segment('[{"type": "user_attribute", "parameters": {"path": "email", "value": "x"}, "weight": 0.5}]');
SELECT * FROM pg_temp.segment('[{"type": "jsonpath", "parameters": {"path": "$.user ]"}}]');
SELECT * FROM pg_temp.segment('[{"any": [{"type": "user_attribute", "parameters": {"path": "email", "value": "x"}}, {"not": {"type": "horoscope"}}]}]');
-- needs an action in hand
SELECT t AS type, a.* FROM (VALUES ('action_type', 'null', '{"types": ["x"]}'), ('page_visit', 'null', '{"pages": ["x"]}'), ('time_window', 'null', '{"window_minutes": 5}'),
    ('action_attribute', '"exists"', '{"path": "data.x"}'), ('attribute_change', 'null', '{"attribute": "tier"}'), ('jsonpath', 'null', '{"path": "$.action.data.x == 1"}')) AS v (t, o, p),
    pg_temp.segment(format('[{"type": "%s", "operator": %s, "parameters": %s}]', t, o, p)) AS a;
SELECT * FROM pg_temp.segment('[{"type": "user_attribute", "operator": "exists", "parameters": {"path": "email"}}, {"not": {"type": "action_type", "parameters": {"types": ["x"]}}}]');
-- nested too deeply: documents, and segments
SELECT state, message, detail, hint FROM pg_temp.segment((SELECT repeat('[{"all": ', 40) || '[]' || repeat('}]', 40)));
DO $$
BEGIN
    FOR i IN 1..64 LOOP
        INSERT INTO nudge.segments (name, conditions) VALUES ('bad level ' || i,
            CASE WHEN i = 1 THEN '[]' ELSE jsonb_build_array(jsonb_build_object('type', 'segment', 'parameters', jsonb_build_object('segment', 'bad level ' || i - 1))) END);
    END LOOP;
END
$$;
SELECT * FROM pg_temp.segment('[{"type": "segment", "parameters": {"segment": "bad level 64"}}]');
SELECT * FROM pg_temp.attempt($$UPDATE nudge.segments SET conditions = '[{"type": "segment", "parameters": {"segment": "bad other"}}]' WHERE name = 'bad level 1'$$);
-- other segments: missing, itself, in a circle
SELECT * FROM pg_temp.segment('[{"type": "segment", "parameters": {"segment": "no such segment"}}]');
SELECT * FROM pg_temp.segment('[{"any": [{"type": "segment", "parameters": {"segment": "bad"}}]}]');
SELECT * FROM pg_temp.attempt($$UPDATE nudge.segments SET conditions = '[{"not": {"type": "segment", "parameters": {"segment": "bad other"}}}]' WHERE name = 'bad base'$$);
SELECT * FROM pg_temp.attempt($$UPDATE nudge.segments
    SET conditions = jsonb_build_array(jsonb_build_object('type', 'segment', 'parameters', jsonb_build_object('segment', CASE name WHEN 'bad level 1' THEN 'bad level 2' ELSE 'bad level 1' END)))
    WHERE name IN ('bad level 1', 'bad level 2')$$);
-- still needed
SELECT * FROM pg_temp.attempt($$DELETE FROM nudge.segments WHERE name = 'bad base'$$);
SELECT * FROM pg_temp.attempt($$UPDATE nudge.segments SET name = 'bad ground' WHERE name = 'bad base'$$);
INSERT INTO nudge.segments (name) VALUES ('bad condition'), ('bad group');
SELECT count(nudge.create_rule(d)) FROM (VALUES
    ('{"name": "bad segment condition", "type": "behavioral", "conditions": [{"type": "segment", "operator": "not_equals", "parameters": {"segment": "bad condition"}}]}'::jsonb),
    ('{"name": "bad segment group", "type": "behavioral", "conditions": [{"any": [{"not": {"type": "segment", "parameters": {"segment": "bad group"}}}]}]}')) AS v (d);
SELECT * FROM pg_temp.attempt($$DELETE FROM nudge.segments WHERE name = 'bad condition'$$);
SELECT * FROM pg_temp.attempt($$UPDATE nudge.segments SET name = 'x' WHERE name = 'bad condition'$$);
SELECT * FROM pg_temp.attempt($$DELETE FROM nudge.segments WHERE name = 'bad group'$$);
SELECT * FROM pg_temp.attempt($$TRUNCATE nudge.segments CASCADE$$);
-- together with who needs it, or after, it goes
SELECT * FROM pg_temp.attempt($$DELETE FROM nudge.segments WHERE name IN ('bad base', 'bad other')$$);
DELETE FROM nudge.rules WHERE name LIKE 'bad segment %';
SELECT * FROM pg_temp.attempt($$DELETE FROM nudge.segments WHERE name IN ('bad condition', 'bad group')$$);
-- other columns of a segment that is in use may change
SELECT * FROM pg_temp.attempt($$UPDATE nudge.segments SET description = 'd' WHERE name = 'bad level 1'$$);
-- rules
SELECT * FROM pg_temp.attempt($$SELECT nudge.create_rule('{"name": "bad", "type": "behavioral", "conditions": [{"type": "segment", "parameters": {"segment": "no such segment"}}]}')$$);
-- functions
SELECT * FROM pg_temp.attempt($$SELECT nudge.segment_users('no such segment')$$);
SELECT * FROM pg_temp.attempt($$SELECT nudge.segment_size('no such segment')$$);
SELECT * FROM pg_temp.attempt($$SELECT nudge.segment_size(NULL)$$);
SELECT * FROM pg_temp.attempt($$SELECT nudge.segment_users(NULL)$$);
SELECT * FROM pg_temp.attempt($$SELECT nudge.in_segment('u', NULL)$$);
SELECT * FROM pg_temp.attempt($$SELECT nudge.in_segment('u', 'no such segment')$$);
SELECT * FROM pg_temp.attempt($$SELECT nudge.in_segment('', 'bad level 1')$$);
SELECT * FROM pg_temp.attempt($$SELECT nudge.in_segment(NULL, 'bad level 1')$$);
\x off
-- Nothing of all this is there; quotes in names and values mean nothing.
SELECT name FROM nudge.segments WHERE name LIKE 'bad%' AND name NOT LIKE 'bad level%';
INSERT INTO nudge.users (user_id, profile) VALUES ('bad \ quote ''', '{"a''b": "''; DROP TABLE nudge.users --", "c\"d": "\\"}');
INSERT INTO nudge.segments (name, conditions) VALUES ('bad '' \', '[{"type": "user_attribute", "parameters": {"path": "profile.a''b", "value": "''; DROP TABLE nudge.users --"}},
    {"type": "user_attribute", "operator": "ends_with", "parameters": {"path": "profile.c\"d", "value": "\\"}},
    {"type": "user_attribute", "operator": "contains", "parameters": {"path": "user_id", "value": "\\ quote ''"}}]');
SELECT nudge.segment_users('bad '' \');
ROLLBACK;
