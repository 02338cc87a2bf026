--
-- Segments: who is in, on the insert path, in queries and in messages.
--
SET timezone = 'UTC';
BEGIN;
INSERT INTO nudge.templates (template_id, channel, subject, body_text) VALUES ('segments', 'email', 'Subject', 'Body');
INSERT INTO nudge.users (user_id, email, profile, behavior, timezone) VALUES
    ('seg_ann', 'ann@example.com', '{"tier": "gold", "age": 40, "tags": ["vip", 7]}', '{"total_purchases": 5}', 'Europe/Oslo'),
    ('seg_bob', 'bob@example.com', '{"tier": "silver", "age": "40"}', '{"last_login": "not a time"}', NULL),
    ('seg_cat', 'cat@example.com', '{"tier": "gold", "age": null}', '{}', NULL),
    ('seg_dan', 'dan@example.org', '{}', '{}', 'Asia/Tokyo');
-- Rows with a recorded_at of their own are history.
INSERT INTO nudge.actions (user_id, action_type, action_data, occurred_at, recorded_at)
SELECT u, t, d::jsonb, now() - a::interval, now() - a::interval
FROM (VALUES ('seg_bob', 'purchase', '{}', '1 day'), ('seg_bob', 'purchase', '{}', '2 days'), ('seg_bob', 'view', '{"category": "shoes"}', '3 hours'),
             ('seg_cat', 'view', '{"category": "hats"}', '3 hours'), ('seg_cat', 'login', '{}', '3 days'), ('seg_dan', 'login', '{}', '2 hours')) AS v (u, t, d, a);

INSERT INTO nudge.segments (name, match, conditions) VALUES
    ('seg gold', 'all', '[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "gold"}}]'),
    ('seg adults', 'all', '[{"type": "user_attribute", "operator": "at_least", "parameters": {"path": "profile.age", "value": 18}}]'),
    ('seg not adults', 'all', '[{"not": {"type": "user_attribute", "operator": "at_least", "parameters": {"path": "profile.age", "value": 18}}}]'),
    ('seg buyers', 'all', '[{"type": "purchase_behavior", "operator": "greater_than", "parameters": {"threshold": 1}}]'),
    ('seg gold buyers', 'all', '[{"type": "segment", "parameters": {"segment": "seg gold"}}, {"type": "segment", "parameters": {"segment": "seg buyers"}}]'),
    ('seg gold or buyers', 'any', '[{"type": "segment", "parameters": {"segment": "seg gold"}}, {"type": "segment", "parameters": {"segment": "seg buyers"}}]'),
    ('seg others', 'all', '[{"type": "segment", "operator": "not_equals", "parameters": {"segment": "seg gold or buyers"}}]'),
    ('seg shoes', 'all', '[{"type": "action_count", "parameters": {"action_type": "view", "within": "1 day", "where": "$.category == \"shoes\""}}]'),
    ('seg no shoes', 'all', '[{"type": "action_count", "operator": "did_not", "parameters": {"action_type": "view", "within": "1 day", "where": "$.category == \"shoes\""}}]'),
    ('seg engaged', 'all', '[{"type": "engagement_level", "parameters": {"level": "high"}}]'),
    ('seg not engaged', 'all', '[{"not": {"type": "engagement_level", "parameters": {"level": "high"}}}]'),
    ('seg vip', 'any', '[{"type": "user_attribute", "operator": "contains", "parameters": {"path": "profile.tags", "value": "vip"}}, {"type": "jsonpath", "parameters": {"path": "$.user.email like_regex \"[.]org$\""}}]'),
    ('seg list', 'all', '[]'),
    ('seg listed buyers', 'all', '[{"type": "purchase_behavior", "operator": "greater_than", "parameters": {"threshold": 1}}]');
INSERT INTO nudge.segment_members (segment, user_id) VALUES
    ('seg list', 'seg_dan'), ('seg list', 'seg without a row'), ('seg listed buyers', 'seg_dan'), ('seg listed buyers', 'seg_ann');

-- by query and, for each user, in C; a user who is listed and fits counts once
SELECT s.name, (SELECT array_agg(u ORDER BY u COLLATE "C") FROM nudge.segment_users(s.name) u) AS users, nudge.segment_size(s.name) AS size,
       (SELECT array_agg(u ORDER BY u COLLATE "C") FROM (SELECT user_id FROM nudge.users UNION SELECT 'seg without a row') v (u)
        WHERE u LIKE 'seg%' AND nudge.in_segment(u, s.name)) IS NOT DISTINCT FROM
       (SELECT array_agg(u ORDER BY u COLLATE "C") FROM nudge.segment_users(s.name) u) AS agree
FROM nudge.segments s WHERE s.name LIKE 'seg %' ORDER BY s.name;
-- A user without a row is in nowhere but where listed.
SELECT nudge.in_segment('seg nobody', 'seg others') AS others, nudge.in_segment('seg nobody', 'seg list') AS list;

-- Rules: all segments must hold; what is asked is what is known after the action.
SELECT count(nudge.create_rule(jsonb_build_object('name', 'seg ' || n, 'type', 'behavioral', 'template_id', 'segments') || d))
FROM (VALUES
    ('1 gold', '{"segmentation_rules": ["seg gold"], "conditions": [{"type": "action_type", "parameters": {"types": ["seg_a"]}}]}'::jsonb),
    ('2 gold and buyers', '{"segmentation_rules": ["seg gold", "seg buyers"], "conditions": [{"type": "action_type", "parameters": {"types": ["seg_a", "purchase"]}}]}'),
    ('3 condition', '{"conditions": [{"type": "action_type", "parameters": {"types": ["seg_a"]}}, {"type": "segment", "operator": "not_equals", "parameters": {"segment": "seg gold"}}]}'),
    ('4 list', '{"segmentation_rules": ["seg list"], "conditions": [{"type": "action_type", "parameters": {"types": ["seg_a"]}}]}')) AS v (n, d);
CREATE FUNCTION pg_temp.fired(who text, what text) RETURNS text[] LANGUAGE sql AS
$$ SELECT ARRAY(SELECT r.name FROM unnest(nudge.register_action(who, what)) AS id JOIN nudge.rules r ON r.rule_id = id WHERE r.name LIKE 'seg %' ORDER BY r.name) $$;
SELECT u, pg_temp.fired(u, 'seg_a') AS fired FROM unnest('{seg_ann,seg_bob,seg_cat,seg_dan,seg without a row,seg nobody}'::text[]) AS u;
SELECT pg_temp.fired('seg_cat', 'purchase') AS first, pg_temp.fired('seg_cat', 'purchase') AS second;

-- explain: which segment, which condition of it, and the value seen
SELECT name, outcome, reason, detail -> 'segments' AS segments FROM nudge.explain('seg_bob', 'seg_a') WHERE name ~ '^seg [124]' ORDER BY name;
SELECT c ->> 'type' AS type, c ->> 'operator' AS operator, c ->> 'value' AS value, c ->> 'score' AS score
FROM nudge.explain('seg_dan', 'seg_a') e, jsonb_each(e.detail -> 'segment_conditions') AS s, jsonb_array_elements(s.value) AS c
WHERE e.name = 'seg 2 gold and buyers' ORDER BY s.key;
SELECT reason FROM nudge.explain('seg nobody', 'seg_a') WHERE name = 'seg 1 gold';
SELECT matched FROM nudge.evaluate('seg_ann', 'seg_a') WHERE name = 'seg 1 gold';

-- A message records all segments that its user is in, those that no rule names among them.
SELECT executed > 0 AS executed FROM nudge.execute_pending();
SELECT DISTINCT m.user_id, m.segments FROM nudge.messages m JOIN nudge.rules r USING (rule_id) WHERE r.name LIKE 'seg %' ORDER BY 1;
UPDATE nudge.users SET profile = '{}' WHERE user_id = 'seg_ann';
INSERT INTO nudge.segments (name) VALUES ('seg new');
INSERT INTO nudge.segment_members (segment, user_id) VALUES ('seg new', 'seg_dan');
SELECT pg_temp.fired('seg_ann', 'seg_a') AS ann, pg_temp.fired('seg_dan', 'seg_a') AS dan;
SELECT executed > 0 AS executed FROM nudge.execute_pending();
SELECT DISTINCT ON (m.user_id) m.user_id, m.segments FROM nudge.messages m JOIN nudge.rules r USING (rule_id)
WHERE r.name LIKE 'seg %' AND m.user_id IN ('seg_ann', 'seg_dan') ORDER BY m.user_id, m.message_id DESC;

-- A condition that cannot be computed does not hold, and is told of once a statement.
SELECT nudge.create_rule('{"name": "seg 5 errors", "type": "behavioral", "segmentation_rules": ["seg adults"], "conditions": [{"type": "action_type", "parameters": {"types": ["seg_b"]}}]}') > 0 AS created;
SELECT nudge.create_rule('{"name": "seg 6 errors", "type": "behavioral", "segmentation_rules": ["seg adults"], "conditions": [{"type": "action_type", "parameters": {"types": ["seg_b"]}}]}') > 0 AS created;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('seg_bob', 'seg_b'), ('seg_bob', 'seg_b'), ('seg_dan', 'seg_b');
SELECT event_type, user_id, rule_id, reason, metadata FROM nudge.events WHERE user_id = 'seg_bob' AND event_type = 'evaluation_error';

-- Segments do not look at the action in hand.
UPDATE nudge.users SET profile = '{"location": {"country": "NO"}}' WHERE user_id = 'seg_dan';
INSERT INTO nudge.segments (name, conditions) VALUES ('seg norway', '[{"type": "location", "parameters": {"countries": ["NO"]}}]');
SELECT nudge.create_rule('{"name": "seg 7 norway", "type": "behavioral", "segmentation_rules": ["seg norway"], "conditions": [{"type": "action_type", "parameters": {"types": ["seg_c"]}}]}') > 0 AS created;
SELECT nudge.create_rule('{"name": "seg 8 sweden", "type": "behavioral", "conditions": [{"type": "action_type", "parameters": {"types": ["seg_c"]}}, {"type": "location", "parameters": {"countries": ["SE"]}}]}') > 0 AS created;
SELECT ARRAY(SELECT r.name FROM unnest(nudge.register_action('seg_dan', 'seg_c', '{"location": {"country": "SE"}}')) AS id JOIN nudge.rules r ON r.rule_id = id ORDER BY 1) AS fired;

-- Rules follow a new name; changed conditions count at once.
UPDATE nudge.segments SET name = 'seg renamed' WHERE name = 'seg list';
SELECT segments FROM nudge.rules WHERE name = 'seg 4 list';
UPDATE nudge.segments SET conditions = '[{"type": "user_attribute", "operator": "exists", "parameters": {"path": "email"}}]' WHERE name = 'seg renamed';
SELECT pg_temp.fired('seg_bob', 'seg_a') AS bob;

-- Conditions that came past the checks hold for nobody; lists stay.
SET LOCAL session_replication_role = replica;
UPDATE nudge.segments SET conditions = '[{"type": "nonsense"}]' WHERE name = 'seg renamed';
UPDATE nudge.segments SET conditions = '[{"type": "jsonpath", "parameters": {"path": "$.user ]"}}]' WHERE name = 'seg shoes';
UPDATE nudge.segments SET conditions = '[{"type": "action_type", "parameters": {"types": ["seg_a"]}}]' WHERE name = 'seg no shoes';
UPDATE nudge.segments SET conditions = '[{"type": "segment", "operator": "not_equals", "parameters": {"segment": "seg others"}}]' WHERE name = 'seg gold';
INSERT INTO nudge.segments (name, conditions) VALUES ('seg gone', '[{"type": "segment", "operator": "not_equals", "parameters": {"segment": "no such"}}]');
SET LOCAL session_replication_role = origin;
SELECT s.name, ARRAY(SELECT u FROM nudge.segment_users(s.name) u WHERE u LIKE 'seg%' ORDER BY u COLLATE "C") AS users,
       ARRAY(SELECT u.user_id FROM nudge.users u WHERE u.user_id LIKE 'seg%' AND nudge.in_segment(u.user_id, s.name) ORDER BY 1) AS by_c
FROM nudge.segments s WHERE s.name IN ('seg renamed', 'seg shoes', 'seg no shoes', 'seg gold', 'seg others', 'seg gone') ORDER BY s.name;
SELECT pg_temp.fired('seg_bob', 'seg_a') AS bob, pg_temp.fired('seg_dan', 'seg_a') AS dan;
ROLLBACK;

-- Each segment asks twice for the one below it: without memory that would be 2^63 looks.
BEGIN;
INSERT INTO nudge.users (user_id, email) VALUES ('seg_many', 'many@example.com');
DO $$
BEGIN
    INSERT INTO nudge.segments (name, conditions) VALUES
        ('seg level 1', '[{"type": "user_attribute", "operator": "exists", "parameters": {"path": "email"}}]');
    FOR i IN 2..64 LOOP
        INSERT INTO nudge.segments (name, conditions)
        SELECT 'seg level ' || i, jsonb_build_array(c, c)
        FROM jsonb_build_object('type', 'segment', 'parameters', jsonb_build_object('segment', 'seg level ' || i - 1)) AS c;
    END LOOP;
END
$$;
SELECT nudge.in_segment('seg_many', 'seg level 64') AS inside, nudge.segment_users('seg level 64') AS users;
ROLLBACK;
