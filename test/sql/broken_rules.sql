--
-- Rules that came past the checks, as by logical replication: they never fire,
-- and never stand in the way of an action or of another rule.
--
SELECT nudge.create_rule(jsonb_build_object('name', 'broken ' || n, 'type', 'transactional',
    'conditions', '[{"type": "action_type", "parameters": {"types": ["broken_action"]}}]'::jsonb)) IS NOT NULL AS created
FROM generate_series(0, 5) n;

ALTER TABLE nudge.conditions DISABLE TRIGGER check_condition;
INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters)
SELECT r.rule_id, 1, v.type, v.operator, v.parameters
FROM (VALUES ('broken 1', 'jsonpath', 'equals', '{"path": "$.a ("}'::jsonb),
             ('broken 2', 'no_such_type', 'equals', '{}'),
             ('broken 3', 'user_attribute', 'exists',
              ('{"path": "profile.a", "value": ' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb),
             ('broken 5', 'jsonpath', 'equals', '{"path": "$.action.action_type.datetime(\"foo\") < \"2020-01-01\".datetime()"}'),
             ('broken 4', 'jsonpath', 'equals', '{"path": "$.user.a like_regex \"(\""}'))
     AS v (rule, type, operator, parameters)
JOIN nudge.rules r ON r.name = v.rule;
ALTER TABLE nudge.conditions ENABLE TRIGGER check_condition;

INSERT INTO nudge.actions (user_id, action_type) VALUES ('broken_1', 'broken_action');
BEGIN ISOLATION LEVEL SERIALIZABLE;
UPDATE nudge.rules SET description = 'changed' WHERE name = 'broken 0';
INSERT INTO nudge.actions (user_id, action_type) VALUES ('broken_1', 'broken_action');
COMMIT;
SELECT r.name, count(*) FROM nudge.pending p JOIN nudge.rules r USING (rule_id) WHERE p.user_id = 'broken_1' GROUP BY 1;

-- In a savepoint too
UPDATE nudge.rules SET description = 'changed again' WHERE name = 'broken 0';
BEGIN;
SAVEPOINT s;
INSERT INTO nudge.actions (user_id, action_type) SELECT 'broken_2', 'broken_action' FROM generate_series(1, 3);
ROLLBACK TO s;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('broken_2', 'broken_action');
COMMIT;
SELECT r.name, count(*) FROM nudge.pending p JOIN nudge.rules r USING (rule_id) WHERE p.user_id = 'broken_2' GROUP BY 1;

DELETE FROM nudge.pending WHERE user_id LIKE 'broken_%';
DELETE FROM nudge.rules WHERE name LIKE 'broken _';
