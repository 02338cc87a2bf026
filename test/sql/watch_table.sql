--
-- Application tables that are watched: which changes become which actions
--
\pset format unaligned
\pset tuples_only on
SET timezone = 'UTC';

-- The actions since the last look
CREATE TEMPORARY TABLE seen (action_id bigint);
SELECT clock_timestamp() AS start \gset
CREATE TEMPORARY VIEW action AS SELECT * FROM nudge.actions WHERE recorded_at > :'start';
CREATE FUNCTION pg_temp.actions() RETURNS SETOF text LANGUAGE sql AS $$
    WITH new AS (INSERT INTO seen SELECT a.action_id FROM action a
                 WHERE NOT EXISTS (SELECT FROM seen s WHERE s.action_id = a.action_id) RETURNING action_id)
    SELECT concat_ws(' ', a.user_id, a.action_type, a.action_data ->> 'operation', a.action_data ->> 'table',
                     a.action_data -> 'changed', nullif(a.source, 'pg_nudge'))
    FROM action a JOIN new USING (action_id) ORDER BY a.action_id
$$;
CREATE PROCEDURE pg_temp.look_away() LANGUAGE sql AS $$
    INSERT INTO seen SELECT a.action_id FROM action a
$$;

CREATE SCHEMA shop;
CREATE TABLE shop.orders (order_id int PRIMARY KEY, customer text, status text, amount numeric, note text);
SELECT nudge.watch_table('shop.orders', 'customer', '{status,amount}');
SELECT * FROM nudge.watched_tables;

-- One action a row; none of nobody's rows, nor of ids that nobody can have
INSERT INTO shop.orders VALUES
    (1, 'w1', 'new', 10.00, 'a'), (2, 'w2', 'new', NULL, 'a'), (3, NULL, 'new', 1, 'a'), (4, '', 'new', 1, 'a'),
    (5, repeat('x', 1025), 'new', 1, 'a'), (6, 'w6', NULL, NULL, 'a');
SELECT * FROM pg_temp.actions();
-- Columns that are not watched, and values that stay what they were
UPDATE shop.orders SET note = 'b';
UPDATE shop.orders SET status = status, amount = amount + 0.000;
SELECT * FROM pg_temp.actions();
UPDATE shop.orders SET status = 'paid', amount = 12.5, note = 'c' WHERE order_id IN (1, 2);
SELECT * FROM pg_temp.actions();
-- One changes, one appears, one goes
UPDATE shop.orders SET amount = CASE order_id WHEN 1 THEN NULL ELSE amount END, status = CASE order_id WHEN 6 THEN 'new' ELSE status END;
SELECT * FROM pg_temp.actions();
-- Another user's now; nobody's; somebody's
UPDATE shop.orders SET customer = 'w7', amount = 1 WHERE order_id = 1;
UPDATE shop.orders SET customer = NULL, amount = 2 WHERE order_id = 1;
UPDATE shop.orders SET customer = 'w8', amount = 3 WHERE order_id = 1;
SELECT * FROM pg_temp.actions();
DELETE FROM shop.orders WHERE order_id IN (2, 3);
SELECT * FROM pg_temp.actions();
-- What is rolled back was not
BEGIN;
UPDATE shop.orders SET status = 'lost' WHERE order_id = 1;
SAVEPOINT s;
UPDATE shop.orders SET status = 'found' WHERE order_id = 1;
ROLLBACK TO s;
COMMIT;
SELECT * FROM pg_temp.actions();
-- Upserts are both; so is MERGE
INSERT INTO shop.orders VALUES (1, 'w8', 'paid', 3, 'd'), (10, 'w10', 'new', 5, 'd')
    ON CONFLICT (order_id) DO UPDATE SET status = excluded.status;
SELECT * FROM pg_temp.actions();
MERGE INTO shop.orders o USING (VALUES (1, 'w8'), (10, 'w10'), (11, 'w11')) AS v (id, customer) ON o.order_id = v.id
    WHEN MATCHED AND v.id = 1 THEN DELETE
    WHEN MATCHED THEN UPDATE SET amount = 6
    WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.customer, 'new', 1, 'e');
SELECT * FROM pg_temp.actions() ORDER BY 1;

-- All columns, also of the time to come; another type; the definition is replaced
SELECT nudge.watch_table('shop.orders', 'customer', action_type => 'order_touched');
SELECT * FROM nudge.watched_tables;
UPDATE shop.orders SET note = 'f' WHERE order_id = 10;
ALTER TABLE shop.orders ADD COLUMN shipped date;
UPDATE shop.orders SET shipped = '2026-03-01' WHERE order_id = 10;
ALTER TABLE shop.orders DROP COLUMN note;
UPDATE shop.orders SET shipped = NULL WHERE order_id = 10;
SELECT * FROM pg_temp.actions();

-- Columns that are gone are no reason for the application's statement to fail
SELECT nudge.watch_table('shop.orders', 'customer', '{status,shipped}');
ALTER TABLE shop.orders RENAME COLUMN shipped TO shipped_on;
UPDATE shop.orders SET status = 'sent', shipped_on = '2026-03-02' WHERE order_id = 10;
UPDATE shop.orders SET status = 'sent on' WHERE order_id = 10;
SELECT * FROM pg_temp.actions();
SELECT * FROM nudge.watched_tables;
ALTER TABLE shop.orders RENAME COLUMN customer TO client;
UPDATE shop.orders SET status = 'back' WHERE order_id = 10;
SELECT * FROM pg_temp.actions();
SELECT * FROM nudge.watched_tables;
SELECT nudge.watch_table('shop.orders', 'client', '{status,shipped_on}');
UPDATE shop.orders SET status = 'home' WHERE order_id = 10;
SELECT * FROM pg_temp.actions();

SELECT nudge.unwatch_table('shop.orders'), nudge.unwatch_table('shop.orders');
UPDATE shop.orders SET status = 'quiet' WHERE order_id = 10;
SELECT * FROM pg_temp.actions();
SELECT count(*) FROM nudge.watched_tables;

-- Values as to_jsonb shows them, of any type
CREATE TYPE shop.mood AS ENUM ('sad', 'ok');
CREATE TYPE shop.point AS (x int, y int);
CREATE DOMAIN shop.percent AS int CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE shop.kinds (id bigint, b boolean, i2 smallint, i8 bigint, f float8, n numeric, t text, c char(4), d date, ts timestamptz, u uuid,
                         j jsonb, js json, a int[], m shop.mood, p shop.point, pc shop.percent, iv interval, by bytea);
SELECT nudge.watch_table('shop.kinds', 'id');
INSERT INTO shop.kinds VALUES (5000000000, true, 1, 9007199254740993, 1.5, 'NaN', 'ü "x"', 'ab', '2026-02-28', '2026-02-28 12:00+02',
    '11111111-2222-3333-4444-555555555555', '{"a": [1, {"b": null}]}', '{"z":1, "a":2}', '{1,NULL,3}', 'ok', '(1,2)', 50, '1 day 2 hours', '\x00ff');
SELECT user_id, (SELECT jsonb_object_agg(e.key, e.value -> 'new') FROM jsonb_each(action_data -> 'changed') e) = to_jsonb(k) AS as_to_jsonb
FROM nudge.actions, shop.kinds k WHERE action_type = 'kinds_changed';
CALL pg_temp.look_away();
UPDATE shop.kinds SET j = '{"a": [1.0, {"b": null}]}', f = 0, n = 'Infinity', js = '{"z":1,  "a":2}', c = 'ab  ', i2 = NULL;
SELECT * FROM pg_temp.actions();
-- What cannot be shown, or is large, has changed all the same
UPDATE shop.kinds SET js = '"\u0000"', t = repeat('long ', 20000), j = (repeat('[', 300) || repeat(']', 300))::jsonb;
UPDATE shop.kinds SET t = 'short';
SELECT * FROM pg_temp.actions();

-- Users of any type; char(n) without its padding
CREATE TABLE shop.uuids (who uuid, x int);
CREATE TABLE shop.chars (who char(8), x int);
SELECT nudge.watch_table('shop.uuids', 'who', '{x}'), nudge.watch_table('shop.chars', 'who', '{x}');
INSERT INTO shop.uuids VALUES ('11111111-2222-3333-4444-555555555555', 1);
INSERT INTO shop.chars VALUES ('c1', 1), ('        ', 2);
SELECT * FROM pg_temp.actions();

-- Names that need quotes
CREATE TABLE shop."Odd 'name"  ("The ""user""" text, "a'b\c" int);
SELECT nudge.watch_table('shop."Odd ''name"', 'The "user"', ARRAY['a''b\c'], 'it''s');
SELECT table_name, user_id_column, columns, action_type, missing_columns FROM nudge.watched_tables WHERE action_type LIKE 'it%';
INSERT INTO shop."Odd 'name" VALUES ('w1', 1);
SELECT * FROM pg_temp.actions();

-- Partitioned tables: rows that move from one partition to another, partitions of another layout
CREATE TABLE shop.parted (id int, who text, x int) PARTITION BY RANGE (id);
CREATE TABLE shop.parted_1 PARTITION OF shop.parted FOR VALUES FROM (0) TO (10);
CREATE TABLE shop.parted_2 (x int, dropped int, who text, id int);
ALTER TABLE shop.parted_2 DROP COLUMN dropped;
ALTER TABLE shop.parted ATTACH PARTITION shop.parted_2 FOR VALUES FROM (10) TO (20);
SELECT nudge.watch_table('shop.parted', 'who');
INSERT INTO shop.parted VALUES (1, 'p1', 1), (11, 'p11', 2);
UPDATE shop.parted SET id = CASE id WHEN 1 THEN 12 ELSE 2 END, x = x + 10;
DELETE FROM shop.parted WHERE id = 2;
SELECT * FROM pg_temp.actions();
-- A move that a trigger stops half-way
CREATE FUNCTION shop.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON shop.parted_1 FOR EACH ROW EXECUTE FUNCTION shop.refuse();
UPDATE shop.parted SET id = 1, x = 0;
SELECT count(*) FROM shop.parted;
SELECT * FROM pg_temp.actions();

-- Inheritance, foreign keys that cascade, COPY, WITH
CREATE TABLE shop.parent (id int PRIMARY KEY, who text, x int);
CREATE TABLE shop.child (y int) INHERITS (shop.parent);
CREATE TABLE shop.line (who text, parent int REFERENCES shop.parent ON UPDATE CASCADE ON DELETE SET NULL);
SELECT nudge.watch_table('shop.parent', 'who', '{x}'), nudge.watch_table('shop.line', 'who', '{parent}');
COPY shop.parent FROM STDIN;
1	i1	1
2	i2	2
\.
INSERT INTO shop.child VALUES (3, 'i3', 3, 3);
INSERT INTO shop.line VALUES ('l1', 1), ('l2', 2);
SELECT * FROM pg_temp.actions();
UPDATE shop.parent SET x = x * 10;
UPDATE shop.parent SET id = id + 10 WHERE id < 3;
DELETE FROM shop.parent WHERE id = 11;
SELECT * FROM pg_temp.actions();
WITH gone AS (DELETE FROM shop.line RETURNING who) INSERT INTO shop.line SELECT who || 'x', NULL FROM gone;
SELECT * FROM pg_temp.actions() ORDER BY 1;

-- The order of old and new rows, with more than fits in memory
SET work_mem = '64kB';
CREATE TABLE shop.many (id int, who text, x int, filler text DEFAULT repeat('f', 100));
INSERT INTO shop.many SELECT g, 'm' || g, g FROM generate_series(1, 25000) g;
SELECT nudge.watch_table('shop.many', 'who', '{x}', 'many');
UPDATE shop.many SET x = -x WHERE id % 2 = 1;
SELECT count(*), count(DISTINCT user_id),
       bool_and((action_data #> '{changed,x,new}')::int = -(action_data #> '{changed,x,old}')::int
                AND user_id = 'm' || (action_data #>> '{changed,x,old}'))
FROM nudge.actions WHERE action_type = 'many';
RESET work_mem;

-- Rules fire, in the same transaction
SELECT nudge.create_rule('{"name": "watch_table", "type": "behavioral",
    "conditions": [{"type": "action_type", "parameters": {"types": ["orders_changed"]}},
                   {"type": "action_attribute", "operator": "equals", "parameters": {"path": "changed.status.new", "value": "lost"}}]}') > 0 AS created;
SELECT nudge.watch_table('shop.orders', 'client', '{status}');
UPDATE shop.orders SET status = 'lost';
SELECT p.user_id, p.action_type, p.action_data #>> '{changed,status,new}' FROM nudge.pending p
    JOIN nudge.rules r USING (rule_id) WHERE r.name = 'watch_table' ORDER BY 1;

-- Whoever may change the table need not know of pg_nudge
CREATE ROLE regress_clerk;
GRANT USAGE ON SCHEMA shop TO regress_clerk;
GRANT SELECT, UPDATE ON shop.orders TO regress_clerk;
CALL pg_temp.look_away();
SET ROLE regress_clerk;
UPDATE shop.orders SET status = 'by clerk' WHERE order_id = 10;
RESET ROLE;
SELECT * FROM pg_temp.actions();

--
-- nudge.users is watched
--
INSERT INTO nudge.users (user_id, email, timezone, profile) VALUES
    ('wu1', 'wu1@example.org', 'Europe/Paris', '{"tier": "silver", "address": {"city": "Lyon", "zip": "1"}, "tags": [1]}'), ('wu2', NULL, NULL, '{}');
SELECT * FROM pg_temp.actions();
UPDATE nudge.users SET profile = profile || '{"tier": "gold", "address": {"city": "Paris", "zip": "1"}}', behavior = '{"total_purchases": 3}' WHERE user_id = 'wu1';
SELECT * FROM pg_temp.actions();
UPDATE nudge.users SET profile = '{"address": "none", "tags": [1, 2], "new": {"deep": {"er": 1}}}' WHERE user_id = 'wu1';
SELECT * FROM pg_temp.actions();
-- Addresses are nobody's business
UPDATE nudge.users SET email = 'other@example.org', phone = '+33 1', timezone = 'Europe/Berlin' WHERE user_id = 'wu1';
UPDATE nudge.users SET email = NULL, push_token = 'tk' WHERE user_id LIKE 'wu_';
SELECT * FROM pg_temp.actions() AS a ORDER BY a COLLATE "C";
-- A rule without conditions is for what users do, not for what the engine records
SELECT nudge.create_rule('{"name": "watch_table: all", "type": "behavioral"}') > 0 AS created;
UPDATE nudge.users SET profile = profile || '{"a": 1}' WHERE user_id = 'wu1';
UPDATE shop.orders SET status = 'all' WHERE order_id = 10;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('wu1', 'profile_updated');
SELECT p.user_id, p.action_type, p.action_data -> 'changed' FROM nudge.pending p JOIN nudge.rules r USING (rule_id) WHERE r.name = 'watch_table: all' ORDER BY 1;
DELETE FROM nudge.pending WHERE rule_id = (SELECT rule_id FROM nudge.rules WHERE name = 'watch_table: all');
DELETE FROM nudge.rules WHERE name = 'watch_table: all';
CALL pg_temp.look_away();
-- What the engine keeps does not count, nor what stays the same
UPDATE nudge.users SET updated_at = now(), created_at = '2020-01-01', lifecycle_stage = 'new', profile = profile || '{"missing": null}';
UPDATE nudge.users SET profile = profile - 'missing', locale = locale;
SELECT * FROM pg_temp.actions();
INSERT INTO nudge.users (user_id, locale) VALUES ('wu1', 'fr'), ('wu3', 'fr') ON CONFLICT (user_id) DO UPDATE SET locale = excluded.locale;
SELECT * FROM pg_temp.actions();
UPDATE nudge.users SET profile = ('{"deep": ' || repeat('[', 300) || repeat(']', 300) || '}')::jsonb WHERE user_id = 'wu3';
UPDATE nudge.users SET user_id = 'wu4' WHERE user_id = 'wu2';
SELECT * FROM pg_temp.actions();
-- An application that may not read actions has its updates watched
CREATE ROLE regress_watched_app;
SELECT nudge.grant_access('regress_watched_app', 'app');
SET ROLE regress_watched_app;
UPDATE nudge.users SET preferences = '{"email_enabled": false}' WHERE user_id = 'wu1';
RESET ROLE;
SELECT * FROM pg_temp.actions();
-- Unless that is not wanted
SET nudge.watch_users = off;
UPDATE nudge.users SET locale = 'de';
SELECT * FROM pg_temp.actions();
RESET nudge.watch_users;

-- An application's role may have its own table watched
GRANT CREATE ON SCHEMA shop TO regress_watched_app;
GRANT USAGE ON SCHEMA shop TO regress_watched_app;
SET ROLE regress_watched_app;
CREATE TABLE shop.own (who text, x int);
SELECT nudge.watch_table('shop.own', 'who');
INSERT INTO shop.own VALUES ('own', 1);
SELECT nudge.unwatch_table('shop.own');
RESET ROLE;
SELECT * FROM pg_temp.actions();

DROP SCHEMA shop CASCADE;
DELETE FROM nudge.users WHERE user_id LIKE 'wu_';
DELETE FROM nudge.pending WHERE rule_id = (SELECT rule_id FROM nudge.rules WHERE name = 'watch_table');
DELETE FROM nudge.rules WHERE name = 'watch_table';
SELECT nudge.revoke_access('regress_watched_app', 'app');
DROP ROLE regress_clerk;
DROP ROLE regress_watched_app;
