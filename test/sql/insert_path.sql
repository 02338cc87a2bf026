--
-- The insert path: every way in which rows come into nudge.actions.
--
SET timezone = 'UTC';

SELECT nudge.create_rule('{"name": "insert path", "type": "behavioral", "priority": "high", "delay_seconds": 60,
    "expiry_hours": 1,
    "conditions": [{"type": "action_type", "parameters": {"types": ["path_a"]}}]}') IS NOT NULL AS created;
SELECT nudge.create_rule('{"name": "insert path testing", "type": "behavioral", "status": "testing",
    "conditions": [{"type": "action_type", "parameters": {"types": ["path_b"]}}]}') IS NOT NULL AS created;
SELECT nudge.create_rule('{"name": "insert path second", "type": "behavioral",
    "conditions": [{"type": "purchase_behavior", "parameters": {"threshold": 2}},
                   {"type": "action_type", "parameters": {"types": ["purchase"]}}]}') IS NOT NULL AS created;

CREATE FUNCTION pg_temp.fired(who text) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s pending, %s scheduled, %s would_trigger',
        (SELECT count(*) FROM nudge.pending WHERE user_id = who),
        count(*) FILTER (WHERE event_type = 'scheduled'),
        count(*) FILTER (WHERE event_type = 'would_trigger'))
    FROM nudge.events WHERE user_id = who
$$;

-- INSERT of one row, of several, INSERT … SELECT
INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_1', 'path_a');
SELECT pg_temp.fired('path_1');
INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_2', 'path_a'), ('path_2', 'path_b'), ('path_2', 'path_c'), ('path_2', 'path_a');
SELECT pg_temp.fired('path_2');
INSERT INTO nudge.actions (user_id, action_type) SELECT 'path_3', 'path_a' FROM generate_series(1, 1000);
SELECT pg_temp.fired('path_3');

-- What is scheduled: the times, and where it came from
SELECT r.name, p.priority, p.status, p.fired_at = a.recorded_at AS fired_when_recorded,
       p.due_at - p.fired_at AS delay, p.expires_at - p.due_at AS expiry, p.score,
       p.action_id = a.action_id AS same_action, p.action_type
FROM nudge.pending p JOIN nudge.rules r USING (rule_id) JOIN nudge.actions a USING (user_id)
WHERE p.user_id = 'path_1';

-- COPY
COPY nudge.actions (user_id, action_type, action_data) FROM stdin;
path_4	path_a	{"n": 1}
path_4	path_x	{}
path_4	path_a	\N
\.
SELECT pg_temp.fired('path_4');
SELECT action_data FROM nudge.pending WHERE user_id = 'path_4' ORDER BY pending_id;

-- A prepared statement, run often enough for a generic plan
PREPARE act (text) AS INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_5', $1);
EXECUTE act ('path_a'); EXECUTE act ('path_a'); EXECUTE act ('path_a'); EXECUTE act ('path_x');
EXECUTE act ('path_a'); EXECUTE act ('path_a'); EXECUTE act ('path_a'); EXECUTE act ('path_b');
SELECT pg_temp.fired('path_5');
DEALLOCATE act;

-- Inside a function, with caught errors
DO $$
BEGIN
    INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_6', 'path_a');
    BEGIN
        INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_6', 'path_a');
        PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
        NULL;
    END;
    INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_6', 'path_a');
END
$$;
SELECT pg_temp.fired('path_6');

-- Savepoints and a rolled-back transaction
BEGIN;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_7', 'path_a');
SAVEPOINT sp;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_7', 'path_a');
ROLLBACK TO sp;
COMMIT;
SELECT pg_temp.fired('path_7');
BEGIN;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_8', 'path_a');
SELECT pg_temp.fired('path_8');
ROLLBACK;
SELECT pg_temp.fired('path_8');

-- INSERT with a CTE and RETURNING, and ON CONFLICT DO NOTHING
WITH i AS (INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_9', 'path_a') RETURNING action_type)
SELECT * FROM i;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_9', 'path_a') ON CONFLICT DO NOTHING;
SELECT pg_temp.fired('path_9');

-- Two-phase commit works where it is enabled; here it must at least not be our
-- temporary tables or notifications that forbid it, so nothing of that kind is left
-- in a transaction that recorded an action.
BEGIN;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_10', 'path_a');
SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relnamespace = pg_my_temp_schema();
COMMIT;

-- register_action returns the rules that it scheduled, not those being tested
SELECT array(SELECT r.name FROM nudge.rules r WHERE r.rule_id = ANY (fired)) AS fired
FROM nudge.register_action('path_11', 'path_a') AS fired;
SELECT nudge.register_action('path_11', 'path_b');
SELECT nudge.register_action('path_11', 'nothing', NULL, NULL, NULL, NULL, NULL);
SELECT action_data, context, session_id, source, occurred_at = recorded_at AS now
FROM nudge.actions WHERE user_id = 'path_11' AND action_type = 'nothing';

-- nudge.evaluate = off records only
SET nudge.evaluate = off;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_12', 'path_a');
RESET nudge.evaluate;
SELECT pg_temp.fired('path_12');

-- A row whose recorded_at is not now is history: counted, never evaluated
SELECT history_rows AS before FROM nudge.health \gset
INSERT INTO nudge.actions (user_id, action_type, recorded_at) VALUES
    ('path_13', 'path_a', now() - interval '1 day'), ('path_13', 'path_a', now() + interval '1 microsecond');
SELECT pg_temp.fired('path_13');
SELECT history_rows - :before AS counted FROM nudge.health;
-- but it is history that conditions count
INSERT INTO nudge.actions (user_id, action_type, recorded_at) VALUES ('path_14', 'purchase', now() - interval '1 day');
SELECT array_length(nudge.register_action('path_14', 'purchase'), 1) AS second_purchase;
SELECT array_length(nudge.register_action('path_14', 'purchase'), 1) AS third_purchase;

-- A COPY of N rows fires what the same N rows fire one by one: the same random
-- actions of few users, with rules that count and rules with caps.
SELECT nudge.create_rule(jsonb_build_object('name', 'bulk capped', 'type', 'behavioral',
    'max_frequency', '{"daily": 2, "weekly": 3}'::jsonb,
    'conditions', '[{"type": "action_type", "parameters": {"types": ["bulk"]}, "operator": "contains"}]'::jsonb)) IS NOT NULL AS created;
SELECT nudge.create_rule(jsonb_build_object('name', 'bulk fresh login', 'type', 'engagement',
    'conditions', '[{"type": "engagement_level", "parameters": {"level": "high"}},
                    {"type": "action_type", "parameters": {"types": ["bulk_x", "login"]}}]'::jsonb)) IS NOT NULL AS created;
CREATE TEMP TABLE bulk AS
SELECT n, 'bulk_user_' || (hashint4(n) & 7) AS user_id,
       (ARRAY['bulk_x', 'purchase', 'login', 'other', 'bulk_y'])[1 + (hashint4(n + 1000000) & 1023) % 5] AS action_type
FROM generate_series(1, 400) AS n;
INSERT INTO nudge.actions (user_id, action_type) SELECT 'all_' || user_id, action_type FROM bulk ORDER BY n;
DO $$
DECLARE
    b record;
BEGIN
    FOR b IN SELECT * FROM bulk ORDER BY n LOOP
        INSERT INTO nudge.actions (user_id, action_type) VALUES ('one_' || b.user_id, b.action_type);
    END LOOP;
END
$$;
SELECT count(*) > 20 AS enough FROM nudge.pending WHERE user_id LIKE 'all\_bulk%';
SELECT count(*) AS differences FROM (
    SELECT substr(p.user_id, 5), r.name, p.action_type, row_number() OVER (PARTITION BY p.user_id, r.name ORDER BY p.pending_id)
    FROM nudge.pending p JOIN nudge.rules r USING (rule_id) WHERE p.user_id LIKE 'all\_bulk%'
    EXCEPT
    SELECT substr(p.user_id, 5), r.name, p.action_type, row_number() OVER (PARTITION BY p.user_id, r.name ORDER BY p.pending_id)
    FROM nudge.pending p JOIN nudge.rules r USING (rule_id) WHERE p.user_id LIKE 'one\_bulk%') AS d;
SELECT (SELECT count(*) FROM nudge.pending WHERE user_id LIKE 'all\_bulk%') = (SELECT count(*) FROM nudge.pending WHERE user_id LIKE 'one\_bulk%') AS as_many;
-- and never more than the caps
SELECT max(n) AS most FROM (SELECT count(*) AS n FROM nudge.pending p JOIN nudge.rules r USING (rule_id)
    WHERE r.name = 'bulk capped' GROUP BY p.user_id) AS c;

-- A transition table that spills to disk: 200,000 rows under 64 kB of work_mem
SET work_mem = '64kB';
INSERT INTO nudge.actions (user_id, action_type, action_data)
SELECT 'spill_' || n % 1000, CASE WHEN n % 100 = 0 THEN 'path_a' ELSE 'spilled' END,
       jsonb_build_object('n', n, 'filler', repeat('x', 100))
FROM generate_series(1, 200000) AS n;
RESET work_mem;
SELECT count(*) AS fired, count(DISTINCT action_id) AS actions, sum((action_data ->> 'n')::int) = sum(n) AS right_data
FROM nudge.pending p JOIN generate_series(100, 200000, 100) AS n ON n = (p.action_data ->> 'n')::int
WHERE p.user_id LIKE 'spill\_%';

-- Priority batch is due at a multiple of the interval, never before the delay is over
SELECT nudge.create_rule('{"name": "insert path batch", "type": "behavioral", "priority": 5, "delay_seconds": 10,
    "conditions": [{"type": "action_type", "parameters": {"types": ["batched"]}}]}') IS NOT NULL AS created;
SET nudge.batch_interval = '15min';
SELECT array_length(nudge.register_action('path_15', 'batched'), 1);
RESET nudge.batch_interval;
SELECT extract(epoch FROM due_at)::numeric % 900 = 0 AS at_a_multiple,
       due_at >= fired_at + interval '10 s' AND due_at < fired_at + interval '15 min 10 s' AS the_next
FROM nudge.pending WHERE user_id = 'path_15';

-- The trigger function refuses to be called in other ways
CREATE TABLE pg_temp.other (a int);
CREATE TRIGGER t AFTER INSERT ON pg_temp.other FOR EACH STATEMENT EXECUTE FUNCTION nudge.evaluate_actions();
\set VERBOSITY sqlstate
INSERT INTO pg_temp.other VALUES (1);
\set VERBOSITY default


-- Another trigger that reads the transition table first takes no rows away
SELECT nudge.create_rule('{"name": "insert path beside", "type": "behavioral",
    "conditions": [{"type": "action_type", "parameters": {"types": ["beside"]}}]}') IS NOT NULL AS created;
CREATE FUNCTION public.read_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count(*) FROM n;
    RETURN NULL;
END
$$;
CREATE TRIGGER a_reads_first AFTER INSERT ON nudge.actions REFERENCING NEW TABLE AS n
    FOR EACH STATEMENT EXECUTE FUNCTION public.read_first();
INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_16', 'beside'), ('path_16', 'beside');
SELECT pg_temp.fired('path_16');
DROP FUNCTION public.read_first() CASCADE;

-- Columns that somebody added to the tables get their defaults
ALTER TABLE nudge.pending ADD COLUMN added_a text DEFAULT 'a', ADD COLUMN added_b int;
ALTER TABLE nudge.events ADD COLUMN added_a text DEFAULT 'a', ADD COLUMN added_b text, ADD COLUMN added_c text;
ALTER TABLE nudge.users ADD COLUMN added_a text DEFAULT 'a', ADD COLUMN added_b text, ADD COLUMN added_c text;
INSERT INTO nudge.users (user_id, email, profile) VALUES ('path_17', 'a@example.com', '{"x": 1}');
SELECT nudge.create_rule('{"name": "insert path added", "type": "behavioral",
    "conditions": [{"type": "user_attribute", "parameters": {"path": "profile.x", "value": 1}}]}') IS NOT NULL AS created;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_17', 'added');
SELECT p.added_a, p.added_b, e.added_a, e.added_b FROM nudge.pending p JOIN nudge.events e USING (pending_id, user_id) WHERE user_id = 'path_17';
ALTER TABLE nudge.pending DROP COLUMN added_a, DROP COLUMN added_b;
ALTER TABLE nudge.events DROP COLUMN added_a, DROP COLUMN added_b, DROP COLUMN added_c;
ALTER TABLE nudge.users DROP COLUMN added_a, DROP COLUMN added_b, DROP COLUMN added_c;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_17', 'added');
SELECT count(*) FROM nudge.pending WHERE user_id = 'path_17';

-- A partition that somebody made without its index: the INSERT goes on, and an event
-- says what could not be computed
CREATE TABLE nudge.actions_odd PARTITION OF nudge.actions FOR VALUES FROM ('1999-01-01') TO ('1999-02-01');
INSERT INTO nudge.actions (user_id, action_type) VALUES ('path_18', 'purchase');
SELECT reason FROM nudge.events WHERE user_id = 'path_18' AND event_type = 'evaluation_error';
DROP TABLE nudge.actions_odd;

-- Many rows of one user in one statement cost their number, not its square
INSERT INTO nudge.actions (user_id, action_type) SELECT 'path_19', 'purchase' FROM generate_series(1, 20000);
SELECT count(*) FROM nudge.pending WHERE user_id = 'path_19';

DELETE FROM nudge.rules WHERE name LIKE 'insert path%' OR name LIKE 'bulk %';
DELETE FROM nudge.pending WHERE user_id ~ '^(path|all|one|spill)_';
DELETE FROM nudge.events WHERE user_id ~ '^(path|all|one|spill)_';
DELETE FROM nudge.actions WHERE user_id ~ '^(path|all|one|spill)_';
DELETE FROM nudge.users WHERE user_id ~ '^path_';
