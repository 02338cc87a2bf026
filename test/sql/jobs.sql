-- Jobs where pg_cron is not in this database: 0A000, and what to do instead.
-- With a real pg_cron: test/t/003_pg_cron.pl.
\set SHOW_CONTEXT never
SELECT job_name, schedule, command FROM nudge.jobs ORDER BY 1;

SELECT nudge.schedule_jobs();
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.unschedule_jobs();
\echo :LAST_ERROR_SQLSTATE

-- pg_cron is set up for this database, but has not been created in it
SELECT set_config('cron.database_name', current_database(), false) = current_database() AS here;
SELECT nudge.schedule_jobs();
\echo :LAST_ERROR_SQLSTATE

-- pg_cron is in another one: exactly what to run there
SET cron.database_name = 'the "jobs" of all';
SELECT nudge.schedule_jobs();
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.unschedule_jobs();
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM nudge.job_commands();

-- A job of a later part is among them, quoted
BEGIN;
INSERT INTO nudge.jobs VALUES ('nudge what''s more', '*/5 * * * *', $$SELECT 'it''s'$$, 'A test');
SELECT schedule_command FROM nudge.job_commands() WHERE job_name LIKE '%more%';
ROLLBACK;
