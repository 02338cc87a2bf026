--
-- Good rules, what their documents become, and warnings
--
\set VERBOSITY default
SET intervalstyle = 'postgres';
INSERT INTO nudge.templates (template_id, body_text) VALUES ('create rule', 'Hi');
INSERT INTO nudge.segments (name) VALUES ('create rule'), ('create rule 2');

-- Everything missing has the default of its column.
SELECT nudge.create_rule('{"name": "create rule 1", "type": "behavioral"}') > 0 AS created;
INSERT INTO nudge.rules (name, trigger_type) VALUES ('create rule 1 by hand', 'behavioral');
SELECT count(DISTINCT (priority, status, template_id, delay, expiry, segments, personalization, channels, cancel_on))
FROM nudge.rules WHERE name LIKE 'create rule 1%';

-- Everything given
SELECT nudge.create_rule('{"name": "create rule 2", "description": "All of it", "type": "engagement", "template_id": "create rule",
    "priority": 1, "status": "testing", "delay_seconds": 90.5, "expiry_hours": 0.25,
    "max_frequency": {"daily": 1, "weekly": 2, "monthly": 5},
    "segmentation_rules": {"segments": ["create rule", "create rule 2"]},
    "personalization_config": {"discount_offer": 10, "required": ["user.profile.name"]},
    "channels": ["sms", "email"], "cancel_on": ["purchase"],
    "conditions": [
        {"type": "action_type", "parameters": {"types": "one"}, "operator": "contains"},
        {"type": "page_visit", "parameters": {"pages": ["/a", "/b"]}},
        {"type": "purchase_behavior", "parameters": {"min": 1, "metric": "orders.count"}, "operator": "in_range", "weight": 0.8},
        {"type": "engagement_level", "parameters": {"level": "medium", "high_days": 0.5, "medium_days": 30}},
        {"type": "time_window", "parameters": {"window_minutes": 0.5}},
        {"type": "time_window", "parameters": {"window_minutes": 10}, "operator": "after"},
        {"type": "user_attribute", "parameters": {"path": "email", "values": ["@a.example", "@b.example"]}, "operator": "ends_with"},
        {"type": "user_attribute", "parameters": {"path": "profile.since", "value": "1 month 2 days"}, "operator": "within"},
        {"type": "user_attribute", "parameters": {"path": "profile.since", "value": "P1Y"}, "operator": "after"},
        {"type": "action_attribute", "parameters": {"path": "data.items.-1.price", "max": 10}, "operator": "in_range"},
        {"type": "action_attribute", "parameters": {"path": "anything"}, "operator": "not_exists"},
        {"type": "jsonpath", "parameters": {"path": "$.user.profile.age > 18 && $.action.data.coupon == \"$\""}, "operator": null}]}') > 0 AS created;
SELECT name, description, trigger_type, priority, status, template_id, delay, expiry, segments, personalization, channels, cancel_on
FROM nudge.rules WHERE name = 'create rule 2';
SELECT position, condition_type, operator, parameters, weight FROM nudge.conditions JOIN nudge.rules USING (rule_id)
WHERE name = 'create rule 2' ORDER BY position;
SELECT period, max_messages, channel FROM nudge.frequency_caps JOIN nudge.rules USING (rule_id)
WHERE name = 'create rule 2' ORDER BY period;

-- Priorities by number and by name
SELECT nudge.create_rule(jsonb_build_object('name', 'create rule p' || p, 'type', 'behavioral', 'priority', p)) > 0 AS created
FROM unnest('{1,2,3,4,5}'::int[]) p;
SELECT nudge.create_rule('{"name": "create rule p6", "type": "behavioral", "priority": "batch"}') > 0 AS created;
SELECT name, priority FROM nudge.rules WHERE name LIKE 'create rule p%' ORDER BY name;

-- There and back
CREATE TEMPORARY TABLE documents AS
    SELECT rule_id, nudge.rule_document(rule_id) AS document FROM nudge.rules WHERE name LIKE 'create rule%';
SELECT jsonb_pretty(document) FROM documents WHERE document ->> 'name' = 'create rule 2';
DELETE FROM nudge.rules WHERE name LIKE 'create rule%';
CREATE TEMPORARY TABLE again AS SELECT document, nudge.create_rule(document) AS rule_id FROM documents;
SELECT count(*), count(*) FILTER (WHERE nudge.rule_document(rule_id) = document) FROM again;
SELECT nudge.rule_document(-1);

-- The WARNING of a rule that can never fire, from create_rule
CREATE FUNCTION pg_temp.rule(name text, type text, VARIADIC weights float8[]) RETURNS boolean LANGUAGE sql AS $$
    SELECT nudge.create_rule(jsonb_build_object('name', 'create rule ' || name, 'type', type, 'conditions', (
        SELECT coalesce(jsonb_agg(jsonb_build_object('type', 'action_type', 'parameters', '{"types": ["a"]}'::jsonb, 'weight', w)), '[]')
        FROM unnest(weights) w))) > 0
$$;
SELECT pg_temp.rule('w1', 'behavioral', 1, 0.3);
SELECT pg_temp.rule('w2', 'behavioral', 0.5, 0.5);
SELECT pg_temp.rule('w3', 'engagement', VARIADIC '{}');
SELECT pg_temp.rule('w4', 'engagement', 1, 0.3);
SELECT pg_temp.rule('w5', 'engagement', 0.7, 0.7, 0.7);
SELECT pg_temp.rule('w6', 'engagement', 2, 0);
SELECT pg_temp.rule('w7', 'lifecycle', VARIADIC '{}');
SELECT pg_temp.rule('w8', 'transactional', 0.79, 0.5);
SELECT pg_temp.rule('w9', 'time_based', 0.8, 0);
SELECT pg_temp.rule('w10', 'behavioral', VARIADIC '{}');
SELECT nudge.create_rule('{"name": "create rule w11", "type": "behavioral", "conditions": [
    {"type": "action_type", "parameters": {"types": ["cart", "login"]}},
    {"type": "page_visit", "parameters": {"pages": ["/a"]}}]}') > 0 AS created;
SELECT nudge.create_rule('{"name": "create rule w12", "type": "behavioral", "conditions": [
    {"type": "action_type", "parameters": {"types": ["cart_a", "cart_b"]}},
    {"type": "action_type", "operator": "contains", "parameters": {"types": ["_b"]}}]}') > 0 AS created;
-- one inside a transaction of its own is judged once, at once
BEGIN;
SELECT pg_temp.rule('w13', 'behavioral', 0.1);
COMMIT;

-- From plain DML, when the transaction ends, once a rule
BEGIN;
INSERT INTO nudge.rules (rule_id, name, trigger_type) VALUES (2000000001, 'create rule d1', 'lifecycle'), (2000000002, 'create rule d2', 'lifecycle');
INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters, weight) VALUES
    (2000000001, 0, 'action_type', '{"types": "a"}', 0.5), (2000000001, 1, 'jsonpath', '{"path": "$.user.a == 1"}', 0.5),
    (2000000002, 0, 'action_type', '{"types": "a"}', 0.5), (2000000002, 1, 'jsonpath', '{"path": "$.user.a == 1"}', 0.8);
\echo commit:
COMMIT;
UPDATE nudge.conditions SET weight = 0.1 WHERE rule_id = 2000000002;
UPDATE nudge.conditions SET weight = 1 WHERE rule_id = 2000000002;
UPDATE nudge.rules SET trigger_type = 'engagement' WHERE rule_id = 2000000001;
UPDATE nudge.rules SET status = 'paused' WHERE rule_id = 2000000001;
DELETE FROM nudge.conditions WHERE rule_id = 2000000002;
-- judged again where it changed after it was judged
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters, weight) VALUES (2000000002, 0, 'action_type', '{"types": "a"}', 0.1);
UPDATE nudge.conditions SET weight = 0.2 WHERE rule_id = 2000000002;
UPDATE nudge.conditions SET weight = 1 WHERE rule_id = 2000000002;
COMMIT;
DELETE FROM nudge.rules WHERE rule_id >= 2000000001;

-- A null operator is the default of the type.
INSERT INTO nudge.rules (rule_id, name, trigger_type) VALUES (2000000003, 'create rule null', 'behavioral');
INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters) VALUES
    (2000000003, 0, 'time_window', NULL, '{"window_minutes": 5}'), (2000000003, 1, 'action_type', NULL, '{"types": "a"}');
SELECT condition_type, operator FROM nudge.conditions WHERE rule_id = 2000000003 ORDER BY position;

-- updated_at follows UPDATE
BEGIN;
UPDATE nudge.rules SET updated_at = '2020-01-01', description = 'x' WHERE rule_id = 2000000003 RETURNING updated_at = now() AS now;
COMMIT;
DELETE FROM nudge.rules WHERE name LIKE 'create rule%';

DELETE FROM nudge.templates WHERE template_id LIKE 'create rule%';
DELETE FROM nudge.segments WHERE name LIKE 'create rule%';
