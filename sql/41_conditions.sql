--
-- Conditions that name rules follow the rules' names
--

CREATE FUNCTION nudge.rename_in_condition(condition jsonb, type text, parameter text, old_name text, new_name text)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF jsonb_typeof(condition) = 'array' THEN
        RETURN (SELECT coalesce(jsonb_agg(nudge.rename_in_condition(e.value, type, parameter, old_name, new_name)
                                          ORDER BY e.ordinality), '[]')
                FROM jsonb_array_elements(condition) WITH ORDINALITY AS e);
    ELSIF jsonb_typeof(condition) <> 'object' THEN
        RETURN condition;
    ELSIF condition ->> 'type' = type THEN
        RETURN CASE WHEN condition #> ARRAY['parameters', parameter] = to_jsonb(old_name)
                    THEN jsonb_set(condition, ARRAY['parameters', parameter], to_jsonb(new_name))
                    ELSE condition END;
    END IF;
    RETURN (SELECT coalesce(jsonb_object_agg(e.key, CASE WHEN e.key IN ('all', 'any', 'not', 'parameters', 'conditions')
                THEN nudge.rename_in_condition(e.value, type, parameter, old_name, new_name)
                ELSE e.value END), '{}')
            FROM jsonb_each(condition) AS e);
END
$$;
COMMENT ON FUNCTION nudge.rename_in_condition(jsonb, text, text, text, text) IS
    'Internal: a condition, or an array of them, in which conditions of a type give another name in a parameter, groups included';
REVOKE ALL ON FUNCTION nudge.rename_in_condition(jsonb, text, text, text, text) FROM PUBLIC;

CREATE FUNCTION nudge.follow_rule_name() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE nudge.conditions c
    SET parameters = nudge.rename_in_condition(jsonb_build_object('type', c.condition_type, 'parameters', c.parameters),
                                               'message_engagement', 'rule', OLD.name, NEW.name) -> 'parameters'
    WHERE c.condition_type IN ('message_engagement', 'all', 'any', 'not')
        AND jsonb_path_exists(c.parameters, '$.**.rule ? (@ == $name)', jsonb_build_object('name', OLD.name));
    UPDATE nudge.segments s
    SET conditions = nudge.rename_in_condition(s.conditions, 'message_engagement', 'rule', OLD.name, NEW.name)
    WHERE s.conditions <> '[]'
        AND jsonb_path_exists(s.conditions, '$.**.rule ? (@ == $name)', jsonb_build_object('name', OLD.name));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION nudge.follow_rule_name() IS
    'Trigger function of nudge.rules: conditions on a rule''s messages follow its new name';
REVOKE ALL ON FUNCTION nudge.follow_rule_name() FROM PUBLIC;

CREATE TRIGGER follow_rule_name AFTER UPDATE OF name ON nudge.rules
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION nudge.follow_rule_name();
COMMENT ON TRIGGER follow_rule_name ON nudge.rules IS
    'Gives conditions on the rule''s messages its new name';
