-- Rules that every object of the extension keeps: comments, privileges, search
-- paths, dumps, and the layout of partitions.

\unset ECHO
\set QUIET 1

BEGIN;
SELECT plan(14);

-- Members of the extension, by catalog
CREATE TEMP VIEW member AS
    SELECT d.classid, d.objid
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'pg_nudge';

CREATE TEMP VIEW member_function AS
    SELECT p.* FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid;

CREATE TEMP VIEW member_relation AS
    SELECT c.* FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;

--
-- Comments
--

SELECT is_empty(
    $$ SELECT oid::regprocedure FROM member_function
       WHERE obj_description(oid, 'pg_proc') IS NULL $$,
    'every function has a comment');

SELECT is_empty(
    $$ SELECT oid::regclass FROM member_relation
       WHERE relkind IN ('r', 'p', 'v', 'm') AND obj_description(oid, 'pg_class') IS NULL $$,
    'every table and view has a comment');

-- Row types of tables and arrays need none.
SELECT is_empty(
    $$ SELECT t.oid::regtype
       FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
       LEFT JOIN pg_class c ON c.oid = t.typrelid
       WHERE t.typelem = 0 AND (t.typtype <> 'c' OR c.relkind = 'c')
         AND obj_description(t.oid, 'pg_type') IS NULL $$,
    'every type has a comment');

--
-- Privileges
--

SELECT isnt_empty('SELECT FROM member_function', 'the extension has functions');

SELECT is_empty(
    $$ SELECT oid::regprocedure, proconfig FROM member_function
       WHERE prosecdef
         AND 'search_path=pg_catalog, pg_temp' <> ALL (coalesce(proconfig, '{}')) $$,
    'every SECURITY DEFINER function has a search path of its own');

SELECT is_empty(
    $$ SELECT f.oid::regprocedure
       FROM member_function f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
       WHERE a.grantee = 0 $$,
    'PUBLIC may execute no function');

SELECT is_empty(
    $$ SELECT r.oid::regclass, a.privilege_type
       FROM member_relation r,
            aclexplode(coalesce(r.relacl, acldefault(CASE WHEN r.relkind = 'S' THEN 's' ELSE 'r' END::"char", r.relowner))) a
       WHERE r.relkind IN ('r', 'p', 'v', 'm', 'S') AND a.grantee = 0 $$,
    'PUBLIC may use no table, view or sequence');

SELECT is_empty(
    $$ SELECT a.privilege_type
       FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
       WHERE n.nspname = 'nudge' AND a.grantee = 0 $$,
    'PUBLIC may not use the schema');

--
-- Dumps: all data of members is dumped, but for tallies, which tell of one server, and
-- tables whose rows come with the extension's script
--

SELECT is_empty(
    $$ SELECT r.oid::regclass
       FROM member_relation r
       WHERE r.relkind IN ('r', 'S')
         AND r.relname NOT IN ('tallies', 'jobs', 'access_rights')
         AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_nudge' AND r.oid = ANY (e.extconfig)) $$,
    'every table and sequence is marked for pg_dump');

--
-- Partitions and runtime tables
--

SELECT is_empty(
    $$ SELECT r.oid::regclass FROM member_relation r
       WHERE r.relkind = 'p'
         AND (EXISTS (SELECT FROM pg_index i WHERE i.indrelid = r.oid)
              OR EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = r.oid)) $$,
    'no partitioned table carries an index or a constraint');

SELECT is_empty(
    $$ SELECT i.inhrelid::regclass
       FROM member_relation r JOIN pg_inherits i ON i.inhparent = r.oid
       WHERE r.relkind = 'p'
         AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = i.inhrelid) $$,
    'every partition has an index of its own');

SELECT is_empty(
    $$ SELECT r.oid::regclass
       FROM member_relation r
       WHERE r.relkind = 'p'
         AND 1 <> (SELECT count(*)
                   FROM pg_inherits i
                   JOIN pg_class c ON c.oid = i.inhrelid
                   JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
                   WHERE i.inhparent = r.oid AND pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT') $$,
    'of each partitioned table the default partition is a member of the extension');

SELECT is_empty(
    $$ SELECT c.conname, c.conrelid::regclass
       FROM pg_constraint c JOIN member_relation r ON r.oid = c.conrelid
       LEFT JOIN pg_inherits i ON i.inhrelid = r.oid
       WHERE c.contype = 'f'
         AND (i.inhparent IS NOT NULL
              OR r.relname IN ('users', 'pending', 'cap_usage', 'message_queue', 'subscriptions', 'suppressions')) $$,
    'no table that grows with the users has a foreign key');

SELECT is_empty(
    $$ SELECT r.oid::regclass
       FROM member_relation r
       WHERE (r.relkind = 'p' OR r.relname IN ('pending', 'cap_usage', 'message_queue', 'subscriptions'))
         AND NOT EXISTS (SELECT FROM pg_attribute a
                         WHERE a.attrelid = r.oid AND a.attname = 'user_id' AND a.attnotnull) $$,
    'every runtime table carries user_id');

SELECT * FROM finish();
ROLLBACK;
