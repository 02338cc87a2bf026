--
-- Columns that somebody added to the executor's tables: rows that it appends get
-- their defaults, rows that it rewrites keep what they hold.
--
BEGIN;
ALTER TABLE nudge.pending ADD p1 text DEFAULT 'n', ADD p2 int, ADD p3 int, ADD p4 text;
ALTER TABLE nudge.cap_usage ADD c1 text NOT NULL DEFAULT 'n', ADD c2 int,
    ADD c3 int GENERATED ALWAYS AS (cardinality(counts) + coalesce(counts[1], 0)) STORED;
ALTER TABLE nudge.messages ADD m1 text DEFAULT 'm';
ALTER TABLE nudge.message_queue ADD q1 text DEFAULT 'q';
ALTER TABLE nudge.message_blocks ADD b1 int DEFAULT 7;
ALTER TABLE nudge.events ADD e1 text DEFAULT 'e', ADD e2 text, ADD e3 text;
ALTER TABLE nudge.users ADD u1 text DEFAULT 'u', ADD u2 int, ADD u3 int, ADD u4 text;
INSERT INTO nudge.templates (template_id, body_text) VALUES ('added', 'x');
INSERT INTO nudge.users (user_id, email) VALUES ('added', 'a@example.com');
SELECT nudge.create_rule('{"name": "added", "type": "behavioral", "template_id": "added", "max_frequency": {"daily": 3},
    "conditions": [{"type": "action_type", "parameters": {"types": ["added"]}}]}') IS NOT NULL AS created;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('added', 'added');
SELECT p1, p2 FROM nudge.pending WHERE user_id = 'added';
SELECT * FROM nudge.execute_pending();
UPDATE nudge.cap_usage SET c1 = 'kept', c2 = 5 WHERE user_id = 'added';
INSERT INTO nudge.actions (user_id, action_type) VALUES ('added', 'added');
SELECT * FROM nudge.execute_pending();
SELECT c1, c2, c3, counts FROM nudge.cap_usage WHERE user_id = 'added';
SELECT m1, q1 FROM nudge.messages JOIN nudge.message_queue USING (message_id, user_id) WHERE user_id = 'added';
SELECT event_type, e1, e2 FROM nudge.events WHERE user_id = 'added' ORDER BY event_id;
SELECT DISTINCT b1 FROM nudge.message_blocks WHERE b1 IS NOT NULL;

-- And columns that are no more
ALTER TABLE nudge.pending DROP p1, DROP p2, DROP p3, DROP p4;
ALTER TABLE nudge.cap_usage DROP c1, DROP c2, DROP c3;
ALTER TABLE nudge.messages DROP m1;
ALTER TABLE nudge.message_queue DROP q1;
ALTER TABLE nudge.message_blocks DROP b1;
ALTER TABLE nudge.events DROP e1, DROP e2, DROP e3;
ALTER TABLE nudge.users DROP u1, DROP u2, DROP u3, DROP u4;
INSERT INTO nudge.users (user_id, email) VALUES ('added2', 'b@example.com');
INSERT INTO nudge.actions (user_id, action_type) VALUES ('added', 'added'), ('added2', 'added'), ('added', 'added');
SELECT * FROM nudge.execute_pending();
SELECT user_id, counts FROM nudge.cap_usage WHERE user_id LIKE 'added%' ORDER BY user_id;
SELECT user_id, event_type, reason, count(*) FROM nudge.events WHERE user_id LIKE 'added%' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
ROLLBACK;
