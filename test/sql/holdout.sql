-- Holdouts and the control group
SET client_min_messages = warning;
-- (whatever the statistics are by now)
SET enable_nestloop = off;
\set SHOW_CONTEXT never
INSERT INTO nudge.templates (template_id, body_text) VALUES ('ho', 'hello');
-- (with ids of their own: who is held out depends on them)
INSERT INTO nudge.rules (rule_id, name, trigger_type, template_id, holdout_percent)
VALUES (7000001, 'ho a', 'behavioral', 'ho', 10), (7000002, 'ho b', 'behavioral', 'ho', 10), (7000003, 'ho none', 'behavioral', 'ho', 0),
    (7000004, 'ho all', 'behavioral', 'ho', 100), (7000005, 'ho receipt', 'transactional', 'ho', 0);
INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters)
SELECT rule_id, 0, 'action_type', '{"types": ["ho_buy"]}' FROM nudge.rules WHERE name LIKE 'ho %';
SELECT name, holdout_percent FROM nudge.rules WHERE name LIKE 'ho %' ORDER BY rule_id;
CREATE VIEW pg_temp.held AS
    SELECT e.user_id, e.event_type, e.reason, r.name FROM nudge.events e JOIN nudge.rules r USING (rule_id) WHERE e.user_id LIKE 'ho\_%';

-- 10,000 users: the shares, and nothing is scheduled for who is held out
INSERT INTO nudge.actions (user_id, action_type) SELECT 'ho_' || n, 'ho_buy' FROM generate_series(1, 10000) AS n;
SELECT r.name, count(h.*) BETWEEN 900 AND 1100 AS a_tenth, count(h.*) = 0 AS nobody, count(h.*) = 10000 AS everybody,
    count(h.*) + (SELECT count(*) FROM nudge.pending p WHERE p.rule_id = r.rule_id) AS all
FROM nudge.rules r LEFT JOIN pg_temp.held h ON h.name = r.name AND h.event_type = 'held_out' AND h.reason = 'holdout'
WHERE r.name LIKE 'ho %' GROUP BY r.name, r.rule_id ORDER BY r.rule_id;
SELECT count(*) AS both_ways FROM pg_temp.held h JOIN nudge.rules r USING (name) JOIN nudge.pending p ON p.rule_id = r.rule_id AND p.user_id = h.user_id WHERE h.event_type = 'held_out';
-- the same users on every machine and in every version
SELECT name, string_agg(user_id, ' ' ORDER BY length(user_id), user_id) AS among_the_first_50 FROM pg_temp.held
WHERE event_type = 'held_out' AND name IN ('ho a', 'ho b') AND length(user_id) <= 5 AND substr(user_id, 4)::integer <= 50 GROUP BY 1 ORDER BY 1;
-- two rules hold out different users: of those of one, a tenth is of the other
SELECT count(*) BETWEEN 60 AND 140 AS independent
FROM pg_temp.held a JOIN pg_temp.held b USING (user_id, event_type) WHERE a.name = 'ho a' AND b.name = 'ho b' AND event_type = 'held_out';
-- whoever was held out at 10 percent is at 20, and the same ones again at 10
CREATE TEMP TABLE before AS SELECT user_id FROM pg_temp.held WHERE name = 'ho a' AND event_type = 'held_out';
DELETE FROM nudge.events WHERE user_id LIKE 'ho\_%';
UPDATE nudge.rules SET holdout_percent = 20 WHERE name = 'ho a';
INSERT INTO nudge.actions (user_id, action_type) SELECT 'ho_' || n, 'ho_buy' FROM generate_series(1, 10000) AS n;
SELECT count(*) BETWEEN 1850 AND 2150 AS a_fifth, count(*) FILTER (WHERE user_id IN (TABLE before)) = (SELECT count(*) FROM before) AS still
FROM pg_temp.held WHERE name = 'ho a' AND event_type = 'held_out';
DELETE FROM nudge.events WHERE user_id LIKE 'ho\_%';
UPDATE nudge.rules SET holdout_percent = 10 WHERE name = 'ho a';
INSERT INTO nudge.actions (user_id, action_type) SELECT 'ho_' || n, 'ho_buy' FROM generate_series(1, 10000) AS n;
SELECT count(*) FROM (SELECT user_id FROM pg_temp.held WHERE name = 'ho a' AND event_type = 'held_out' EXCEPT TABLE before) AS others;

-- The control group gets nothing but transactional messages
DELETE FROM nudge.events WHERE user_id LIKE 'ho\_%';
DELETE FROM nudge.pending WHERE user_id LIKE 'ho\_%';
SET nudge.control_group_percent = 10;
INSERT INTO nudge.actions (user_id, action_type) SELECT 'ho_' || n, 'ho_buy' FROM generate_series(1, 10000) AS n;
CREATE TEMP TABLE control AS SELECT DISTINCT user_id FROM pg_temp.held WHERE reason = 'control_group';
SELECT count(*) BETWEEN 900 AND 1100 AS a_tenth FROM control;
SELECT string_agg(user_id, ' ' ORDER BY length(user_id), user_id) AS among_the_first_50 FROM control WHERE length(user_id) <= 5 AND substr(user_id, 4)::integer <= 50;
SELECT name, count(*) FILTER (WHERE reason = 'control_group') = (SELECT count(*) FROM control) AS all_of_them,
    count(*) FILTER (WHERE reason = 'control_group') = 0 AS none,
    bool_or(event_type = 'scheduled' AND user_id IN (TABLE control)) AS scheduled
FROM pg_temp.held GROUP BY name ORDER BY name;
SELECT r.name, count(*) = (SELECT count(*) FROM control) AS all FROM nudge.pending p JOIN nudge.rules r USING (rule_id) WHERE p.user_id IN (TABLE control) GROUP BY 1;
-- it is not the users that a rule holds out
SELECT count(*) BETWEEN 60 AND 140 AS independent FROM control JOIN before USING (user_id);
-- it grows by users and loses none
DELETE FROM nudge.events WHERE user_id LIKE 'ho\_%';
SET nudge.control_group_percent = 25.5;
INSERT INTO nudge.actions (user_id, action_type) SELECT 'ho_' || n, 'ho_buy' FROM generate_series(1, 10000) AS n;
SELECT count(DISTINCT user_id) BETWEEN 2400 AND 2700 AS a_quarter, count(DISTINCT user_id) FILTER (WHERE user_id IN (TABLE control)) = (SELECT count(*) FROM control) AS still
FROM pg_temp.held WHERE reason = 'control_group';
-- a transactional rule may have a holdout of its own
DELETE FROM nudge.events WHERE user_id LIKE 'ho\_%';
SET nudge.control_group_percent = 100;
UPDATE nudge.rules SET holdout_percent = 50 WHERE name = 'ho receipt';
INSERT INTO nudge.actions (user_id, action_type) SELECT 'ho_' || n, 'ho_buy' FROM generate_series(1, 1000) AS n;
SELECT name, event_type, reason, count(*) BETWEEN 400 AND 600 AS half FROM pg_temp.held WHERE name = 'ho receipt' GROUP BY 1, 2, 3 ORDER BY 2;
SELECT count(*) FROM pg_temp.held WHERE name <> 'ho receipt' AND event_type <> 'held_out';
RESET nudge.control_group_percent;

-- Held out is who would have entered: conditions, segments and re-entry come before, caps after
DELETE FROM nudge.events WHERE user_id LIKE 'ho\_%';
INSERT INTO nudge.segments (name) VALUES ('ho_seg');
INSERT INTO nudge.segment_members (user_id, segment) VALUES ('ho_in', 'ho_seg');
UPDATE nudge.rules SET segments = '{ho_seg}', reentry = '{"key": "$.order"}' WHERE name = 'ho all';
UPDATE nudge.rules SET status = 'disabled' WHERE name LIKE 'ho %' AND name <> 'ho all';
INSERT INTO nudge.frequency_caps (rule_id, period, max_messages) SELECT rule_id, 'daily', 1 FROM nudge.rules WHERE name = 'ho all';
SELECT nudge.register_action('ho_out', 'ho_buy', '{"order": 1}'), nudge.register_action('ho_in', 'ho_other', '{"order": 1}'),
    nudge.register_action('ho_in', 'ho_buy'), nudge.register_action('ho_in', 'ho_buy', '{"order": 1}'), nudge.register_action('ho_in', 'ho_buy', '{"order": 1}');
SELECT user_id, event_type, reason, metadata FROM nudge.events WHERE user_id LIKE 'ho\_%' ORDER BY event_id;
SELECT outcome, reason, detail -> 'held_out' AS held_out, detail -> 'reentry' AS reentry FROM nudge.explain('ho_in', 'ho_buy', '{"order": 1}') WHERE name = 'ho all';
SET nudge.control_group_percent = 100;
SELECT outcome, reason, detail -> 'held_out' AS held_out FROM nudge.explain('ho_in', 'ho_buy', '{"order": 1}') WHERE name = 'ho all';
RESET nudge.control_group_percent;
-- a rule under test holds out nobody
UPDATE nudge.rules SET status = 'testing' WHERE name = 'ho all';
SELECT nudge.register_action('ho_in', 'ho_buy', '{"order": 1}');
SELECT event_type, reason FROM nudge.events WHERE user_id = 'ho_in' ORDER BY event_id DESC LIMIT 1;

DELETE FROM nudge.rules WHERE name LIKE 'ho %';
DELETE FROM nudge.segments WHERE name = 'ho_seg';
DELETE FROM nudge.templates WHERE template_id = 'ho';
DELETE FROM nudge.pending WHERE user_id LIKE 'ho\_%';
DELETE FROM nudge.events WHERE user_id LIKE 'ho\_%';
DELETE FROM nudge.actions WHERE user_id LIKE 'ho\_%';
