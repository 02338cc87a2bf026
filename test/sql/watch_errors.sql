--
-- Tables that cannot be watched or followed, and mappings that cannot be
--
\pset format unaligned
\pset tuples_only on

\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
CREATE FUNCTION pg_temp.watch(arguments text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused('SELECT nudge.watch_table(' || arguments || ')')
$$;
CREATE FUNCTION pg_temp.sync(mapping text, source text DEFAULT 'errs.members') RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused(format('SELECT nudge.sync_users(%L, %L)', source, mapping))
$$;

CREATE SCHEMA errs;
CREATE TABLE errs.orders (id int, customer text, status text);
CREATE TABLE errs.members (id int, email text, name text);
CREATE VIEW errs.seen AS SELECT * FROM errs.orders;
CREATE MATERIALIZED VIEW errs.kept AS SELECT * FROM errs.orders;
CREATE SEQUENCE errs.numbers;
CREATE TABLE errs.parted (id int, customer text) PARTITION BY LIST (id);
CREATE TABLE errs.part PARTITION OF errs.parted DEFAULT;
CREATE FOREIGN DATA WRAPPER regress_nowhere;
CREATE SERVER regress_nowhere FOREIGN DATA WRAPPER regress_nowhere;
CREATE FOREIGN TABLE errs.far (id int, customer text) SERVER regress_nowhere;
CREATE TABLE errs.partly_far (id int, customer text) PARTITION BY LIST (id);
CREATE TABLE errs.partly_near PARTITION OF errs.partly_far FOR VALUES IN (1, 2) PARTITION BY LIST (id);
CREATE FOREIGN TABLE errs.far_part PARTITION OF errs.partly_near FOR VALUES IN (1) SERVER regress_nowhere;

-- What cannot be watched
SELECT pg_temp.watch(a) FROM unnest(ARRAY[
    $$NULL, 'customer'$$, $$'errs.nothing', 'customer'$$, $$4711, 'customer'$$,
    $$'errs.seen', 'customer'$$, $$'errs.kept', 'customer'$$, $$'errs.numbers', 'customer'$$, $$'errs.far', 'customer'$$,
    $$'errs.part', 'customer'$$, $$'errs.partly_far', 'customer'$$, $$'nudge.actions', 'user_id'$$, $$'nudge.users', 'user_id'$$, $$'pg_class', 'relname'$$,
    $$'errs.orders', NULL$$, $$'errs.orders', 'nobody'$$, $$'errs.orders', 'ctid'$$,
    $$'errs.orders', 'customer', '{}'$$, $$'errs.orders', 'customer', '{status,colour}'$$, $$'errs.orders', 'customer', '{status,NULL}'$$,
    $$'errs.orders', 'customer', NULL, ''$$, $$'errs.orders', 'customer', NULL, repeat('x', 1025)$$]) AS a;
SELECT pg_temp.refused('SELECT nudge.unwatch_table(NULL)');
SELECT nudge.unwatch_table('errs.orders'), nudge.unwatch_table('errs.seen'), nudge.unsync_users('errs.members');

-- What cannot be followed
SELECT pg_temp.sync('{"user_id": "id"}', s) FROM unnest('{errs.seen,errs.far,errs.part,errs.partly_far,nudge.users}'::text[]) AS s;
SELECT pg_temp.sync(m) FROM unnest(ARRAY[
    NULL, '[]', '"id"', '{}', '{"email": "email"}', '{"user_id": "nobody"}', '{"user_id": "id", "email": "mail"}',
    '{"user_id": 1}', '{"user_id": "id", "email": null}', '{"user_id": "id", "email": ["email"]}',
    '{"user_id": "id", "mail": "email"}', '{"user_id": "id", "profile": "name"}', '{"user_id": "id", "profile.": "name"}',
    '{"user_id": "id", "profile..x": "name"}', '{"user_id": "id", "email.x": "name"}', '{"user_id": "id", "lifecycle_stage": "name"}',
    '{"user_id": "id", "profile.a": "name", "profile.a.b": "email"}']) AS m;
SELECT left(pg_temp.sync(jsonb_build_object('user_id', 'id', 'profile' || repeat('.a', 65), 'name')::text), 60);
SELECT nudge.sync_users('errs.members', jsonb_build_object('user_id', 'id', 'profile' || repeat('.a', 64), 'name')),
    nudge.unsync_users('errs.members');
SELECT pg_temp.refused('SELECT nudge.sync_users(NULL, ''{"user_id": "id"}'')');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.sync('{"user_id": "id"}');
COMMIT;

-- Nothing came of all that
SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'errs'::regnamespace;
SELECT count(*) FROM nudge.watched_tables;
SELECT count(*) FROM nudge.synced_tables;

-- Only the owner of a table may have it watched, and only with access to pg_nudge
CREATE ROLE regress_watcher;
CREATE ROLE regress_stranger;
GRANT USAGE ON SCHEMA errs TO regress_watcher, regress_stranger;
GRANT ALL ON errs.orders TO regress_watcher;
SELECT nudge.grant_access('regress_watcher', 'app');
SET ROLE regress_watcher;
SELECT pg_temp.watch($$'errs.orders', 'customer'$$);
SELECT pg_temp.refused('SELECT nudge.unwatch_table(''errs.orders'')');
SELECT pg_temp.sync('{"user_id": "id"}');
RESET ROLE;
ALTER TABLE errs.orders OWNER TO regress_stranger;
SET ROLE regress_stranger;
SELECT pg_temp.watch($$'errs.orders', 'customer'$$);
SELECT pg_temp.refused('CREATE TRIGGER t AFTER DELETE ON errs.orders REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION nudge.watch(''customer'', ''x'')');
RESET ROLE;
SELECT nudge.watch_table('errs.orders', 'customer');
SET ROLE regress_watcher;
SELECT pg_temp.refused('SELECT nudge.unwatch_table(''errs.orders'')');
RESET ROLE;

-- Triggers of another kind
CREATE TABLE errs.odd (id int, customer text);
CREATE TRIGGER a AFTER INSERT ON errs.odd FOR EACH ROW EXECUTE FUNCTION nudge.watch('customer', 'x');
SELECT pg_temp.refused('INSERT INTO errs.odd VALUES (1, ''u'')');
DROP TRIGGER a ON errs.odd;
CREATE TRIGGER a AFTER INSERT ON errs.odd FOR EACH STATEMENT EXECUTE FUNCTION nudge.watch('customer', 'x');
SELECT pg_temp.refused('INSERT INTO errs.odd VALUES (1, ''u'')');
DROP TRIGGER a ON errs.odd;
CREATE TRIGGER a AFTER INSERT ON errs.odd REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION nudge.watch();
SELECT pg_temp.refused('INSERT INTO errs.odd VALUES (1, ''u'')');
DROP TRIGGER a ON errs.odd;
CREATE TRIGGER a AFTER UPDATE ON errs.odd REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION nudge.sync('{}');
SELECT pg_temp.refused('UPDATE errs.odd SET id = 2');
DROP TRIGGER a ON errs.odd;
CREATE TRIGGER a AFTER INSERT ON errs.odd REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION nudge.sync();
SELECT pg_temp.refused('INSERT INTO errs.odd VALUES (1, ''u'')');
DROP TRIGGER a ON errs.odd;
CREATE TRIGGER a AFTER TRUNCATE ON errs.odd FOR EACH STATEMENT EXECUTE FUNCTION nudge.watch_users();
SELECT pg_temp.refused('TRUNCATE errs.odd');
DROP TRIGGER a ON errs.odd;
SELECT pg_temp.refused('SELECT nudge.watch()');

-- The triggers go with the extension, without a CASCADE (tested without dropping it)
SELECT count(*) FROM pg_depend d JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
WHERE d.deptype = 'x' AND t.tgrelid = 'errs.orders'::regclass;

DROP SCHEMA errs CASCADE;
DROP SERVER regress_nowhere;
DROP FOREIGN DATA WRAPPER regress_nowhere;
SELECT nudge.revoke_access('regress_watcher', 'app');
DROP ROLE regress_watcher;
DROP ROLE regress_stranger;
