--
-- The index of rules never loses a rule: over random rules and random actions the
-- trigger schedules exactly what nudge.evaluate, which tries rule by rule, says.
--
BEGIN;
SET LOCAL client_min_messages = error;	-- many of these rules can never fire
SELECT setseed(0.42);

CREATE FUNCTION pg_temp.pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT choices[1 + floor(random() * cardinality(choices))::int]
$$;
-- words over few letters, so that one is often part of another
CREATE FUNCTION pg_temp.word(longest int) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg(pg_temp.pick('a', 'b', '/', 'ä'), '') FROM generate_series(1, 1 + floor(random() * longest)::int)
$$;
CREATE FUNCTION pg_temp.path() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT pg_temp.pick('k' || floor(random() * 20), 'list.' || floor(random() * 5 - 2), 'deep.k' || floor(random() * 20), 'deep.list.0', 'deep')
$$;
CREATE FUNCTION pg_temp.document() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_build_object('list', jsonb_build_array(floor(random() * 2), floor(random() * 2)),
        'deep', CASE WHEN random() < 0.2 THEN '1'
                     ELSE (SELECT jsonb_object_agg('k' || n, floor(random() * 2)) FROM generate_series(1, 20) AS n WHERE random() < 0.2)
                          || jsonb_build_object('list', jsonb_build_array(1)) END)
        || (SELECT coalesce(jsonb_object_agg('k' || n, floor(random() * 2)), '{}') FROM generate_series(1, 20) AS n WHERE random() < 0.3)
$$;
CREATE FUNCTION pg_temp.condition() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_build_object('weight', (ARRAY[1, 1, 1, 0.8, 0.6, 0.5, 0.3, 2])[1 + floor(random() * 8)::int]) ||
    CASE floor(random() * 10)::int
    WHEN 0 THEN jsonb_build_object('type', 'action_type', 'operator', 'equals',
        'parameters', jsonb_build_object('types', jsonb_build_array(pg_temp.word(2), pg_temp.pick('page_visit', 'a', 'b'))))
    WHEN 1 THEN jsonb_build_object('type', 'action_type', 'operator', 'contains',
        'parameters', jsonb_build_object('types', jsonb_build_array(pg_temp.word(2), pg_temp.word(3))))
    WHEN 2 THEN jsonb_build_object('type', 'page_visit', 'operator', 'equals',
        'parameters', jsonb_build_object('pages', jsonb_build_array(pg_temp.word(4), pg_temp.word(3))))
    WHEN 3 THEN jsonb_build_object('type', 'page_visit', 'operator', 'contains',
        'parameters', jsonb_build_object('pages', jsonb_build_array(pg_temp.word(6), pg_temp.word(8))))
    WHEN 4 THEN jsonb_build_object('type', 'action_attribute', 'operator', 'equals',
        'parameters', jsonb_build_object('path', pg_temp.pick('x', 'context.x', 'action_data.x', 'y.z'), 'value', floor(random() * 4)))
    WHEN 5 THEN jsonb_build_object('type', 'action_attribute', 'operator', pg_temp.pick('in', 'not_in'),
        'parameters', jsonb_build_object('path', 'x', 'values', jsonb_build_array(floor(random() * 4), pg_temp.word(1), random() < 0.5)))
    WHEN 6 THEN jsonb_build_object('type', 'user_attribute', 'operator', pg_temp.pick('equals', 'not_equals'),
        'parameters', jsonb_build_object('path', pg_temp.pick('profile.x', 'locale'), 'value', pg_temp.pick('a', 'b')))
    -- more paths than a document has keys, at each of two levels
    WHEN 7 THEN jsonb_build_object('type', 'action_attribute', 'operator', 'equals',
        'parameters', jsonb_build_object('path', pg_temp.pick('', 'action_data.', 'context.') || pg_temp.path(), 'value', floor(random() * 2)))
    WHEN 8 THEN jsonb_build_object('type', 'user_attribute', 'operator', 'equals',
        'parameters', jsonb_build_object('path', pg_temp.pick('profile.', 'behavior.', 'preferences.') || pg_temp.path(), 'value', floor(random() * 2)))
    ELSE jsonb_build_object('type', 'jsonpath',
        'parameters', jsonb_build_object('path', '$.action.data.x == ' || floor(random() * 4)))
    END
$$;

INSERT INTO nudge.users (user_id, locale, profile, behavior, preferences)
SELECT 'index_' || n, pg_temp.pick('a', 'b', 'c'), jsonb_build_object('x', pg_temp.pick('a', 'b')) || pg_temp.document(), pg_temp.document(), '{"k1": 1}'
FROM generate_series(1, 4) AS n;

SELECT count(nudge.create_rule(jsonb_build_object(
    'name', 'index rule ' || n,
    'type', pg_temp.pick('behavioral', 'engagement', 'lifecycle', 'transactional'),
    'status', pg_temp.pick('active', 'active', 'active', 'paused'),
    'conditions', (SELECT coalesce(jsonb_agg(pg_temp.condition()), '[]') FROM generate_series(1, floor(random() * 4 + n * 0)::int)))))
FROM generate_series(1, 600) AS n;

CREATE TEMP TABLE tried AS
SELECT n, 'index_' || 1 + n % 5 AS user_id,		-- the fifth has no row
       pg_temp.pick('page_visit', 'page_visit', pg_temp.word(3)) AS action_type,
       jsonb_build_object('page_url', pg_temp.word(12)) || CASE WHEN random() < 0.5 THEN pg_temp.document() ELSE '{}' END ||
       CASE floor(random() * 4)::int
       WHEN 0 THEN jsonb_build_object('x', floor(random() * 4))
       WHEN 1 THEN jsonb_build_object('x', pg_temp.word(1))
       WHEN 2 THEN jsonb_build_object('x', random() < 0.5, 'y', jsonb_build_object('z', floor(random() * 4)))
       ELSE '{}' END AS action_data,
       CASE WHEN random() < 0.5 THEN jsonb_build_object('x', floor(random() * 4)) WHEN random() < 0.5 THEN pg_temp.document() ELSE '{}' END AS context
FROM generate_series(1, 300) AS n;

CREATE TEMP TABLE compared AS
SELECT t.n,
       (SELECT coalesce(array_agg(e.rule_id ORDER BY e.rule_id), '{}')
        FROM nudge.evaluate(t.user_id, t.action_type, t.action_data, now(), t.context) e
        JOIN nudge.rules r USING (rule_id) WHERE e.matched AND r.status = 'active') AS expected,
       nudge.register_action(t.user_id, t.action_type, t.action_data, now(), t.context) AS fired
FROM tried t;

SELECT count(*) AS actions, sum(cardinality(expected)) > 5000 AS enough_matches,
       count(*) FILTER (WHERE expected IS DISTINCT FROM fired) AS differences
FROM compared;
ROLLBACK;
