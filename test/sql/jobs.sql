-- Jobs where pg_cron is not in this database: 0A000, with a hint.  What the hint
-- says, and jobs that really run: test/t/003_pg_cron.pl.
CREATE FUNCTION pg_temp.try(statement text) RETURNS TABLE (state text, message text, hint boolean)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    DECLARE
        hint_text text;
    BEGIN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint_text = PG_EXCEPTION_HINT;
        message := replace(message, quote_ident(current_database()), '<this one>');
        hint := hint_text <> '';
        RETURN NEXT;
    END;
END
$$;
SELECT * FROM pg_temp.try('SELECT nudge.schedule_jobs()');
SELECT * FROM pg_temp.try('SELECT nudge.unschedule_jobs()');

SELECT job_name, schedule, command FROM nudge.jobs ORDER BY 1;

-- What to run elsewhere; a job of a later part is among it, quoted
BEGIN;
INSERT INTO nudge.jobs VALUES ('nudge what''s more', '*/5 * * * *', $$SELECT 'it''s'$$, 'A test');
SELECT replace(job_name, current_database(), 'DB') AS job_name,
       replace(schedule_command, current_database(), 'DB') AS schedule_command,
       replace(unschedule_command, current_database(), 'DB') AS unschedule_command
FROM nudge.job_commands() \gx
ROLLBACK;
