-- Partitions ahead, retention, pruning.  The year is 2001, so that rows of other
-- tests are too young for all that is done here.
SET client_min_messages = warning;
SET timezone = 'Australia/Sydney';
SET nudge.retention_days = 90;
\set SHOW_CONTEXT never
-- making a partition gives up soon where somebody holds a lock, be it an autovacuum
ALTER TABLE nudge.actions_default SET (autovacuum_enabled = false);
ALTER TABLE nudge.events_default SET (autovacuum_enabled = false);
ALTER TABLE nudge.messages_default SET (autovacuum_enabled = false);
ALTER TABLE nudge.message_results_default SET (autovacuum_enabled = false);
CREATE VIEW pg_temp.places AS
    SELECT 'actions' AS parent, tableoid::regclass AS place, user_id FROM nudge.actions WHERE user_id LIKE 'mt%'
    UNION ALL SELECT 'events', tableoid::regclass, user_id FROM nudge.events WHERE user_id LIKE 'mt%'
    UNION ALL SELECT 'messages', tableoid::regclass, user_id FROM nudge.messages WHERE user_id LIKE 'mt%'
    UNION ALL SELECT 'message_results', tableoid::regclass, user_id FROM nudge.message_results WHERE user_id LIKE 'mt%'
    ORDER BY 1, 2, 3;
-- a row of each table; months begin in UTC, not in the session's time zone
CREATE FUNCTION pg_temp.put(name text, at timestamptz, live boolean DEFAULT false) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id bigint;
BEGIN
    INSERT INTO nudge.actions (user_id, action_type, occurred_at, recorded_at) VALUES (name, 'x', at, at);
    INSERT INTO nudge.events (user_id, event_type, occurred_at, recorded_at) VALUES (name, 'x', at, at);
    INSERT INTO nudge.messages (user_id, channel, recipient, priority, created_at)
    VALUES (name, 'maintenance', 'x@example.org', 'low', at) RETURNING message_id INTO id;
    IF live THEN
        INSERT INTO nudge.message_queue (message_id, user_id, created_at, priority, channel, available_at)
        VALUES (id, name, at, 'low', 'maintenance', 'infinity');
    ELSE
        INSERT INTO nudge.message_results (message_id, user_id, created_at, status, attempts, finished_at)
        VALUES (id, name, at, 'sent', 1, at);
    END IF;
END
$$;

SELECT pg_temp.put('mt1', '2001-01-31 23:59:59.999999+00');
SELECT pg_temp.put('mt2', '2001-02-01 00:00+00');
SELECT pg_temp.put('mt3', '2001-04-30 23:59:59.999999+00');
SELECT pg_temp.put('mt4', '2001-05-01 00:00+00');
TABLE pg_temp.places;

-- Three months, the rows that were there already included; again: nothing to do
SELECT jsonb_pretty(nudge.maintain('2001-02-15 12:00+00') - 'rows_deleted');
TABLE pg_temp.places;
SELECT nudge.maintain('2001-02-28 23:59:59+00') - 'rows_deleted';
-- the next month is made when that begins
SELECT nudge.maintain('2001-03-01 00:00+00') - 'rows_deleted';
TABLE pg_temp.places;

-- A partition is an ordinary table of the owner, open to nobody else, with
-- everything that prepare_partition gives; it belongs to no extension
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound,
       EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner) AS granted,
       c.relowner = (SELECT extowner FROM pg_extension WHERE extname = 'pg_nudge') AS owner,
       EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') AS member,
       (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) AS indexes,
       (SELECT count(*) FROM pg_constraint WHERE conrelid = c.oid) AS constraints,
       obj_description(c.oid) AS comment
FROM pg_class c WHERE c.relname LIKE '%\_2001\_03' AND c.relkind = 'r' ORDER BY 1;
-- as many as the DEFAULT partition
SELECT parent, count(DISTINCT (SELECT count(*) FROM pg_index WHERE indrelid = i.inhrelid)) AS indexes,
       count(DISTINCT (SELECT count(*) FROM pg_constraint WHERE conrelid = i.inhrelid)) AS constraints
FROM nudge.partitioned_tables t JOIN pg_inherits i ON i.inhparent = ('nudge.' || t.parent)::regclass
GROUP BY 1 ORDER BY 1;
-- also where default privileges say otherwise
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
SELECT nudge.maintain('2001-04-01 00:00+00') -> 'partitions_made';
ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC;
SELECT c.relname FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
WHERE c.relnamespace = 'nudge'::regnamespace AND a.grantee = 0 ORDER BY 1;

-- The same provider event in two partitions is recorded once
UPDATE nudge.events SET event_type = 'opened', event_key = 'once' WHERE user_id = 'mt2';
UPDATE nudge.events SET message_id = (SELECT message_id FROM nudge.messages WHERE user_id = 'mt2') WHERE user_id = 'mt2';
SELECT nudge.record_event(message_id, 'opened', now(), '{"event_id": "once"}') FROM nudge.messages WHERE user_id = 'mt2';

-- Retention: whole months, and single rows of the DEFAULT partition; what is 90
-- days old to the day stays.  A live message keeps what it says.
SELECT pg_temp.put('mt5', '2001-01-15 00:00+00', live => true);
SELECT pg_temp.put('mt6', '2001-03-15 00:00+00', live => true);
SELECT nudge.maintain('2001-04-30 23:59:59+00') - '{partitions_made,rows_moved}'::text[];
TABLE pg_temp.places;
SELECT nudge.maintain('2001-05-30 00:00+00') - '{partitions_made,rows_moved}'::text[];
SELECT nudge.maintain('2001-06-30 00:00+00') - '{partitions_made,rows_moved}'::text[];
TABLE pg_temp.places;
DELETE FROM nudge.message_queue WHERE channel = 'maintenance';
SELECT nudge.maintain('2001-06-30 00:00+00') - '{partitions_made,rows_moved}'::text[];
TABLE pg_temp.places;
-- by the setting
SET nudge.retention_days = 1;
SELECT nudge.maintain('2001-07-01 00:00+00') -> 'partitions_dropped';
SELECT nudge.maintain('2001-07-02 00:00+00') -> 'partitions_dropped';
RESET nudge.retention_days;

-- More rows than can be moved while the application waits stay where they are
INSERT INTO nudge.actions (user_id, action_type, occurred_at, recorded_at)
SELECT 'mt7', 'x', '2001-12-01 00:00+00', '2001-12-01 00:00+00' FROM generate_series(1, 100001);
SELECT nudge.maintain('2001-10-01 00:00+00') - 'rows_deleted';
DELETE FROM nudge.actions WHERE ctid = (SELECT max(ctid) FROM nudge.actions WHERE user_id = 'mt7') AND user_id = 'mt7';
SELECT nudge.maintain('2001-10-01 00:00+00') - 'rows_deleted';
SELECT place, count(*) FROM pg_temp.places GROUP BY 1;

-- Counts and logs
INSERT INTO nudge.cap_usage VALUES
    ('mt-old', '{1,1}', '{email,email}', '{2001-09-30,2001-10-01}', '{1,2}'),
    ('mt-new', '{1,1}', '{email,email}', '{2001-09-30,2001-10-02}', '{1,2}'),
    ('mt-none', '{}', '{}', '{}', '{}');
INSERT INTO nudge.executor_runs (started_at) VALUES ('2001-11-25 23:59:59+00'), ('2001-11-26 00:00+00');
INSERT INTO nudge.tallies VALUES ('mt', 3), ('mt', 4), ('mt', 5), ('mt-one', 1);
SELECT ctid AS ctid FROM nudge.tallies WHERE tally = 'mt-one' \gset
SELECT nudge.maintain('2001-12-03 00:00+00') -> 'rows_deleted';
SELECT user_id FROM nudge.cap_usage WHERE user_id LIKE 'mt-%';
SELECT started_at AT TIME ZONE 'UTC' FROM nudge.executor_runs WHERE started_at < '2002-01-01';
SELECT tally, amount FROM nudge.tallies WHERE tally LIKE 'mt%' ORDER BY 1;
SELECT ctid = :'ctid' AS untouched FROM nudge.tallies WHERE tally = 'mt-one';

-- Bad calls
SELECT nudge.maintain(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.maintain('infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.maintain('-infinity');
\echo :LAST_ERROR_SQLSTATE
BEGIN READ ONLY;
SELECT nudge.maintain();
ROLLBACK;
\echo :LAST_ERROR_SQLSTATE
-- One who may maintain must not delete what is not past its time
CREATE ROLE nudge_test_executor;
SELECT nudge.grant_access('nudge_test_executor', 'executor');
SET SESSION AUTHORIZATION nudge_test_executor;
SELECT nudge.maintain('2100-01-01');
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.maintain('2001-12-03 00:00+00') - 'rows_deleted';
RESET SESSION AUTHORIZATION;
SELECT nudge.revoke_access('nudge_test_executor', 'executor');
DROP ROLE nudge_test_executor;

DELETE FROM nudge.cap_usage WHERE user_id LIKE 'mt-%';
DELETE FROM nudge.executor_runs WHERE started_at < '2002-01-01';
DELETE FROM nudge.tallies WHERE tally LIKE 'mt%';
DELETE FROM nudge.message_blocks WHERE next_at = 'infinity';
DO $$
DECLARE
    p text;
BEGIN
    FOR p IN SELECT partition FROM nudge.partitions WHERE lower_bound < '2002-06-01' LOOP
        EXECUTE format('DROP TABLE nudge.%I', p);
    END LOOP;
END
$$;
TABLE pg_temp.places;
