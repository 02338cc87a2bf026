--
-- Conditions within conditions: all, any, not
--
BEGIN;
INSERT INTO nudge.users (user_id, profile) VALUES ('ann', '{"tier": "gold", "age": 30, "name": "x"}');
CREATE TEMP TABLE cases (
    n int GENERATED ALWAYS AS IDENTITY, conditions jsonb, scores float8[], matched boolean DEFAULT NULL,
    trigger_type text DEFAULT 'behavioral');
-- the action in hand is a page_view of ann's; yes holds, no does not, bad cannot be computed
CREATE FUNCTION pg_temp.put(document text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT replace(replace(replace(document,
        'yes', '{"type": "action_type", "parameters": {"types": "page_view"}}'),
        'no!', '{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "tin"}}'),
        'bad', '{"type": "user_attribute", "operator": "less_than", "parameters": {"path": "profile.name", "value": 1}}')::jsonb
$$;
INSERT INTO cases (conditions, scores)
SELECT pg_temp.put(v.document), v.scores::float8[]
FROM (VALUES
    ('[{"all": [yes, yes]}]', '{1}'),
    ('[{"all": [yes, no!]}]', '{0}'),
    ('[{"any": [no!, yes]}]', '{1}'),
    ('[{"any": [no!, no!]}]', '{0}'),
    ('[{"not": no!}]', '{1}'),
    ('[{"not": yes}]', '{0}'),
    ('[{"not": [no!]}]', '{1}'),
    ('[{"all": [yes]}, {"any": [yes]}]', '{1,1}'),
    ('[{"not": {"all": [yes, no!]}}]', '{1}'),
    ('[{"not": {"any": [yes, no!]}}]', '{0}'),
    ('[{"not": {"not": yes}}]', '{1}'),
    ('[{"any": [{"all": [yes, no!]}, {"all": [yes, {"not": no!}]}]}]', '{1}'),
    ('[yes, {"any": [no!, {"not": yes}]}, no!]', '{1,0,0}'),
    -- one weight for the whole
    ('[{"any": [yes, no!], "weight": 0.6}, yes]', '{0.6,1}'),
    ('[{"all": [yes, yes, yes], "weight": 2}]', '{2}'),
    -- as a row of nudge.conditions has it
    ('[{"type": "any", "parameters": {"conditions": [no!, yes]}, "weight": 0.7}]', '{0.7}'),
    ('[{"type": "not", "operator": "equals", "parameters": {"conditions": no!}}]', '{1}'),
    ('[{"all": [yes, {"type": "any", "parameters": {"conditions": [no!]}}]}]', '{0}'),
    -- what cannot be computed decides nothing, and its opposite is not known either
    ('[{"any": [bad, yes]}]', '{1}'),
    ('[{"any": [bad, no!]}]', '{0}'),
    ('[{"all": [bad, yes]}]', '{0}'),
    ('[{"not": bad}]', '{0}'),
    ('[{"not": {"all": [bad, no!]}}]', '{1}'),
    ('[{"not": {"any": [bad, no!]}}]', '{0}')) AS v (document, scores);
INSERT INTO cases (trigger_type, conditions, scores, matched) VALUES
    ('engagement', pg_temp.put('[{"any": [yes, no!], "weight": 0.7}, yes, {"not": yes}]'), '{0.7,1,0}', false),
    ('engagement', pg_temp.put('[{"any": [yes, no!], "weight": 1.1}, yes, {"not": yes}]'), '{1.1,1,0}', true),
    ('lifecycle', pg_temp.put('[no!, {"all": [yes, yes], "weight": 0.8}]'), '{0,0.8}', true),
    ('lifecycle', pg_temp.put('[no!, {"all": [yes, no!]}]'), '{0,0}', false);

CREATE TEMP TABLE outcomes AS
SELECT c.*, nudge.create_rule(jsonb_build_object('name', 'group ' || n, 'type', trigger_type, 'conditions', conditions)) AS rule_id
FROM cases c;
SELECT o.n, o.conditions, o.scores, e.scores, e.matched
FROM outcomes o JOIN nudge.evaluate('ann', 'page_view') e USING (rule_id)
WHERE e.scores <> o.scores OR e.matched <> coalesce(o.matched, 0 <> ALL (o.scores))
ORDER BY o.n;
-- the trigger agrees, and tells once of what it could not compute
SELECT (SELECT array_agg(e.rule_id ORDER BY 1) FROM nudge.evaluate('ann', 'page_view') e WHERE e.matched)
       = nudge.register_action('ann', 'page_view') AS agrees;
SELECT o.conditions -> 0 = ANY (SELECT pg_temp.put(d) FROM unnest('{"{\"any\": [bad, no!]}","{\"all\": [bad, yes]}","{\"not\": bad}","{\"not\": {\"any\": [bad, no!]}}"}'::text[]) AS d) AS expected,
       e.reason, count(*)
FROM nudge.events e JOIN outcomes o USING (rule_id) WHERE e.event_type = 'evaluation_error' GROUP BY 1, 2;

-- A rule's document makes the same rule.
CREATE TEMP TABLE again AS
SELECT o.rule_id, nudge.create_rule(nudge.rule_document(o.rule_id) || jsonb_build_object('name', 'again ' || o.n)) AS copy
FROM outcomes o;
SELECT count(*) AS rules,
       count(*) FILTER (WHERE nudge.rule_document(rule_id) - 'name' IS DISTINCT FROM nudge.rule_document(copy) - 'name') AS differences
FROM again;

-- Rows by plain DML; the operator may be left to the type.
INSERT INTO nudge.rules (name, trigger_type) VALUES ('rows', 'behavioral') RETURNING rule_id AS rows \gset
INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters, weight) VALUES
    (:rows, 0, 'any', NULL, pg_temp.put('{"conditions": [no!, {"not": no!}]}'), 0.9),
    (:rows, 1, 'not', 'equals', pg_temp.put('{"conditions": [no!]}'), 1),
    (:rows, 2, 'action_count', NULL, '{"action_type": "page_view"}', 1);
SELECT c.position, c.condition_type, c.operator FROM nudge.conditions c WHERE c.rule_id = :rows ORDER BY 1;
SELECT e.matched, e.scores FROM nudge.evaluate('ann', 'page_view') e WHERE e.rule_id = :rows;

-- explain shows what each member saw.
SELECT nudge.create_rule(jsonb_build_object('name', 'explained', 'type', 'behavioral', 'conditions',
    pg_temp.put('[{"all": [yes, {"not": {"any": [bad, no!]}}], "weight": 0.5}, {"any": [{"type": "action_count", "parameters": {"action_type": "page_view", "min": 5}}]}]'))) AS explained \gset
SELECT x.reason, jsonb_pretty(x.detail -> 'conditions') AS conditions FROM nudge.explain('ann', 'page_view') x WHERE x.rule_id = :explained \gx

-- Rules that can never fire
SELECT nudge.create_rule('{"name": "two types", "type": "behavioral", "conditions": [
    {"type": "action_type", "parameters": {"types": ["a", "b"]}},
    {"any": [{"type": "action_type", "parameters": {"types": "c"}}, {"all": [{"type": "page_visit", "parameters": {"pages": "/"}}]}]}]}') > 0 AS created;
SELECT nudge.create_rule('{"name": "no weight", "type": "lifecycle", "conditions": [
    {"any": [{"type": "action_type", "parameters": {"types": "c"}}], "weight": 0.7}]}') > 0 AS created;
SELECT nudge.create_rule('{"name": "may fire", "type": "behavioral", "conditions": [
    {"type": "action_type", "parameters": {"types": ["a", "b"]}},
    {"any": [{"type": "action_type", "parameters": {"types": "c"}}, {"type": "user_attribute", "parameters": {"path": "locale", "value": "en"}}]}]}') > 0 AS created;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;

--
-- The index of rules loses none of those with groups and counts: over random rules
-- and actions the trigger schedules what nudge.evaluate says, action by action, and
-- one statement of all actions schedules what one by one does.
--
BEGIN;
SET LOCAL client_min_messages = error;	-- many of these rules can never fire
SELECT setseed(0.17);
CREATE FUNCTION pg_temp.pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT choices[1 + floor(random() * cardinality(choices))::int]
$$;
CREATE FUNCTION pg_temp.condition(depth int) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    members jsonb;
BEGIN
    IF depth > 0 AND random() < 0.5 THEN
        SELECT jsonb_agg(pg_temp.condition(depth - 1)) INTO members FROM generate_series(1, 1 + floor(random() * 3)::int);
        RETURN CASE floor(random() * 5)::int WHEN 0 THEN jsonb_build_object('not', members -> 0)
               WHEN 1 THEN jsonb_build_object('all', members) ELSE jsonb_build_object('any', members) END;
    END IF;
    RETURN CASE floor(random() * 9)::int
        WHEN 0 THEN jsonb_build_object('type', 'action_type', 'parameters',
            jsonb_build_object('types', jsonb_build_array(pg_temp.pick('a', 'b'), pg_temp.pick('c', 'page_visit'))))
        WHEN 1 THEN jsonb_build_object('type', 'action_type', 'operator', 'contains', 'parameters',
            jsonb_build_object('types', pg_temp.pick('a', 'b', 'e')))
        WHEN 2 THEN jsonb_build_object('type', 'page_visit', 'operator', pg_temp.pick('equals', 'contains'), 'parameters',
            jsonb_build_object('pages', jsonb_build_array(pg_temp.pick('/a', '/b', '/c'))))
        WHEN 3 THEN jsonb_build_object('type', 'user_attribute', 'parameters',
            jsonb_build_object('path', 'profile.x', 'value', pg_temp.pick('a', 'b')))
        WHEN 4 THEN jsonb_build_object('type', 'action_attribute', 'parameters',
            jsonb_build_object('path', 'x', 'value', floor(random() * 3)))
        WHEN 5 THEN jsonb_build_object('type', 'action_count', 'operator', pg_temp.pick('did', 'did_not', 'did'), 'parameters',
            jsonb_build_object('action_type', jsonb_build_array(pg_temp.pick('a', 'b', 'c', 'never'), pg_temp.pick('d', 'never')),
                               'min', floor(random() * 6), 'max', 6 + floor(random() * 30)))
        WHEN 6 THEN jsonb_build_object('type', 'action_count', 'operator', pg_temp.pick('equals', 'not_equals', 'at_least', 'at_most'), 'parameters',
            jsonb_build_object('action_type', pg_temp.pick('a', 'b', 'c', 'd', 'page_visit', 'never'), 'count', floor(random() * 5), 'within', pg_temp.pick('3 days', '10 days')))
        WHEN 7 THEN jsonb_build_object('type', 'action_count', 'parameters',
            jsonb_build_object('action_type', pg_temp.pick('a', 'b', 'never'), 'where', '$.x == ' || floor(random() * 3), 'min', floor(random() * 4)))
        ELSE jsonb_build_object('type', 'jsonpath', 'parameters',
            jsonb_build_object('path', '$.action.data.x == ' || floor(random() * 3))) END;
END
$$;
INSERT INTO nudge.users (user_id, profile) SELECT 'g' || n, jsonb_build_object('x', pg_temp.pick('a', 'b')) FROM generate_series(1, 3) AS n;
-- half of the history is there before, half of it long ago
INSERT INTO nudge.actions (user_id, action_type, action_data, occurred_at, recorded_at)
SELECT 'g' || n % 4, pg_temp.pick('a', 'b', 'c'), jsonb_build_object('x', floor(random() * 3)), now() - ago, now() - ago
FROM generate_series(1, 40) AS n, LATERAL (SELECT n * interval '5 hours') AS t (ago);
SELECT count(nudge.create_rule(jsonb_build_object('name', 'random ' || n, 'type', pg_temp.pick('behavioral', 'behavioral', 'engagement', 'lifecycle'),
    'conditions', (SELECT jsonb_agg(pg_temp.condition(3) || jsonb_build_object('weight', (ARRAY[1, 1, 0.8, 0.5])[1 + floor(random() * 4)::int]))
                   FROM generate_series(1, 1 + floor(random() * 3 + n * 0)::int)))))
FROM generate_series(1, 400) AS n;
CREATE TEMP TABLE tried AS
SELECT n, 'g' || floor(random() * 4) AS user_id, pg_temp.pick('a', 'b', 'c', 'd', 'page_visit', 'z') AS action_type,
       jsonb_build_object('page_url', pg_temp.pick('/a', '/b', '/ab'), 'x', floor(random() * 3), 'n', n) AS action_data
FROM generate_series(1, 200) AS n;
SAVEPOINT one_by_one;
CREATE TEMP TABLE compared AS
SELECT t.n,
       (SELECT coalesce(array_agg(e.rule_id ORDER BY e.rule_id), '{}')
        FROM nudge.evaluate(t.user_id, t.action_type, t.action_data) e WHERE e.matched) AS expected,
       nudge.register_action(t.user_id, t.action_type, t.action_data) AS fired
FROM (SELECT * FROM tried ORDER BY n) t;
SELECT count(*) AS actions, sum(cardinality(expected)) > 10000 AS enough_matches,
       count(*) FILTER (WHERE expected IS DISTINCT FROM fired) AS differences
FROM compared;
SELECT md5(string_agg(format('%s %s', p.action_data -> 'n', p.rule_id), ',' ORDER BY (p.action_data -> 'n')::int, p.rule_id)) AS one_by_one
FROM nudge.pending p \gset
ROLLBACK TO one_by_one;
INSERT INTO nudge.actions (user_id, action_type, action_data) SELECT user_id, action_type, action_data FROM tried ORDER BY n;
SELECT md5(string_agg(format('%s %s', p.action_data -> 'n', p.rule_id), ',' ORDER BY (p.action_data -> 'n')::int, p.rule_id)) = :'one_by_one' AS same
FROM nudge.pending p;
ROLLBACK;

--
-- Conditions on a rule's messages follow its new name; one that is gone has none.
--
BEGIN;
INSERT INTO nudge.users (user_id) VALUES ('ann');
SELECT nudge.create_rule('{"name": "letter", "type": "behavioral"}') AS letter \gset
SELECT nudge.create_rule('{"name": "after", "type": "behavioral", "conditions": [
    {"type": "message_engagement", "parameters": {"rule": "letter"}},
    {"all": [{"not": {"any": [{"type": "message_engagement", "operator": "clicked", "parameters": {"rule": "letter"}}]}},
             {"type": "action_attribute", "parameters": {"path": "rule", "value": "letter"}}], "weight": 0.5}]}') AS after \gset
INSERT INTO nudge.events (user_id, event_type, rule_id) VALUES ('ann', 'opened', :letter);
SELECT matched FROM nudge.evaluate('ann', 'x', '{"rule": "letter"}') WHERE rule_id = :after;
UPDATE nudge.rules SET name = 'a letter' WHERE rule_id = :letter;
SELECT c.condition_type, c.operator, c.parameters, c.weight FROM nudge.conditions c WHERE c.rule_id = :after ORDER BY c.position;
SELECT matched FROM nudge.evaluate('ann', 'x', '{"rule": "letter"}') WHERE rule_id = :after;
DELETE FROM nudge.rules WHERE rule_id = :letter;
SELECT matched, scores FROM nudge.evaluate('ann', 'x', '{"rule": "letter"}') WHERE rule_id = :after;
ROLLBACK;
