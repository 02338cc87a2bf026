-- What stages must not be
SET client_min_messages = warning;
DELETE FROM nudge.rules;
DELETE FROM nudge.users;
DELETE FROM nudge.segments;
TRUNCATE nudge.pending, nudge.events, nudge.actions, nudge.lifecycle_states, nudge.lifecycle_transitions,
    nudge.lifecycle_checks, nudge.lifecycle_progress;
RESET client_min_messages;
CREATE TEMP TABLE shipped AS TABLE nudge.lifecycle_stages;
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('x', 9, '[{"type": "nonsense"}]');
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('x', 9, '[{"type": "action_count", "parameters": {"action_type": "a", "until": 1}}]');
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('x', 9, '[{"type": "action_count", "operator": "contains", "parameters": {"action_type": "a"}}]');
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('x', 9, '[{"type": "action_type", "parameters": {"types": ["a"]}}]');
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('x', 9, '[{"any": [{"not": {"type": "action_attribute", "parameters": {"path": "a", "value": 1}}}]}]');
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('x', 9, '[{"type": "segment", "parameters": {"segment": "none"}}]');
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES
    ('x', 9, '[{"type": "lifecycle_stage", "parameters": {"stages": ["x", "y"]}}]'),
    ('y', 10, '[{"not": {"type": "lifecycle_stage", "parameters": {"stages": ["x", "z"]}}}]');
UPDATE nudge.lifecycle_stages SET conditions = '[{"type": "lifecycle_stage", "parameters": {"stage": "z"}}]' WHERE name = 'new';
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('x', 9, '[{"type": "jsonpath", "parameters": {"path": "$.user["}}]');
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('x', 9, '{"type": "action_count"}');
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('x', 9, NULL);
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('x', 9, '[]'), ('y', 9, '[]');
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('new', 9, '[]');
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('', 9, '[]');
INSERT INTO nudge.lifecycle_stages (name, position, conditions, match) VALUES ('x', 9, '[]', 'some');
INSERT INTO nudge.lifecycle_stages (name, position, conditions, lasts) VALUES ('x', 9, '[]', '0');
INSERT INTO nudge.lifecycle_stages (name, position, conditions, lasts) VALUES ('x', 9, '[]', '101 years');
UPDATE nudge.lifecycle_stages SET conditions = '[{"type": "action_count", "parameters": {"action_type": "*", "min": -1}}]' WHERE name = 'new';
SELECT count(*), md5(string_agg(name, ' ' ORDER BY position)) = md5('new active at_risk dormant churned won_back') AS unchanged
FROM nudge.lifecycle_stages;

-- Stages that conditions ask for stay
UPDATE nudge.lifecycle_stages SET name = 'gone' WHERE name = 'churned';
INSERT INTO nudge.segments (name, conditions) VALUES
    ('lazy', '[{"any": [{"type": "lifecycle_stage", "parameters": {"stages": ["new", "at_risk"]}}]}]');
DELETE FROM nudge.lifecycle_stages WHERE name = 'at_risk';
SELECT nudge.create_rule('{"name": "again", "type": "lifecycle", "conditions": [
    {"type": "lifecycle_stage", "parameters": {"stage": "active"}}]}') > 0 AS created;
DELETE FROM nudge.lifecycle_stages WHERE name = 'active';
TRUNCATE nudge.lifecycle_stages;
-- together with the one that asks, they may go
DELETE FROM nudge.lifecycle_stages WHERE name IN ('churned', 'dormant', 'won_back');
SELECT name FROM nudge.lifecycle_stages ORDER BY position;

-- Times that are none
SELECT nudge.run_lifecycle(NULL);
SELECT nudge.run_lifecycle('infinity');
BEGIN READ ONLY;
SELECT nudge.run_lifecycle();
ROLLBACK;

-- Stages that came past the checks hold for nobody; the others go on
INSERT INTO nudge.users (user_id, created_at) VALUES ('ann', '2021-01-01');
SET session_replication_role = replica;
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('broken', 9, '[{"type": "nonsense"}]'), ('odd', 10, '7');
RESET session_replication_role;
SELECT nudge.run_lifecycle('2021-01-02');
SELECT lifecycle_stage FROM nudge.users;
-- a time that leads past the end of time ends at once
BEGIN;
UPDATE nudge.lifecycle_stages SET lasts = '5900000 years -2123999999 days' WHERE name = 'new';
UPDATE nudge.users SET created_at = '2021-01-02';
SELECT nudge.run_lifecycle('2021-01-03');
ROLLBACK;

-- What cannot be computed does not hold
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES
    ('big', 11, '[{"type": "user_attribute", "operator": "greater_than", "parameters": {"path": "profile.size", "value": 3}}]');
UPDATE nudge.users SET profile = '{"size": "large"}';
SELECT nudge.run_lifecycle('2021-01-03');
SELECT lifecycle_stage FROM nudge.users;

-- Only the owner's hands and the engine change stages
CREATE ROLE lifecycle_app;
SELECT nudge.grant_access('lifecycle_app', 'app');
SET ROLE lifecycle_app;
INSERT INTO nudge.users (user_id) VALUES ('bob');
UPDATE nudge.users SET lifecycle_stage = 'vip';
INSERT INTO nudge.users (user_id, lifecycle_stage) VALUES ('eve', 'vip');
SELECT nudge.run_lifecycle();
DELETE FROM nudge.lifecycle_stages;
RESET ROLE;
SELECT nudge.revoke_access('lifecycle_app', 'app');
DROP ROLE lifecycle_app;

DROP VIEW IF EXISTS told;
DROP FUNCTION IF EXISTS look, did;
DELETE FROM nudge.rules;
DELETE FROM nudge.users;
DELETE FROM nudge.segments;
DELETE FROM nudge.templates WHERE template_id = 'lifecycle';
DELETE FROM nudge.lifecycle_stages;
INSERT INTO nudge.lifecycle_stages TABLE shipped;
TRUNCATE nudge.pending, nudge.events, nudge.actions, nudge.lifecycle_states, nudge.lifecycle_transitions,
    nudge.lifecycle_checks, nudge.lifecycle_progress;
SELECT name FROM nudge.lifecycle_removed_stages;
