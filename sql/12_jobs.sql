--
-- Jobs for pg_cron
--

-- Like the functions, jobs come with the version that is installed and are not
-- dumped.
CREATE TABLE nudge.jobs (
    job_name    text PRIMARY KEY,
    schedule    text NOT NULL,
    command     text NOT NULL,
    description text NOT NULL
);
COMMENT ON TABLE nudge.jobs IS 'What nudge.schedule_jobs() has pg_cron run';
COMMENT ON COLUMN nudge.jobs.schedule IS 'As pg_cron writes it, in its time zone; whole minutes, which every version of it understands';

INSERT INTO nudge.jobs (job_name, schedule, command, description) VALUES
    ('nudge executor', '* * * * *', 'CALL nudge.run()', 'Turns due triggers into messages'),
    ('nudge maintenance', '17 3 * * *', 'SELECT nudge.maintain()', 'Makes partitions ahead, drops what is past its retention');

-- In the database of pg_cron itself a job has its plain name; several databases
-- may have jobs in there, so that the others' names tell which.
CREATE FUNCTION nudge.job_commands()
RETURNS TABLE (job_name text, schedule_command text, unschedule_command text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT n.name,
           format('SELECT cron.schedule_in_database(%L, %L, %L, %L);',
                  n.name, j.schedule, j.command, current_database()),
           format('SELECT cron.unschedule(%L);', n.name)
    FROM nudge.jobs j
    CROSS JOIN LATERAL (SELECT j.job_name || ' in ' || current_database()) AS n (name)
    ORDER BY j.job_name
$$;
COMMENT ON FUNCTION nudge.job_commands() IS
    'What to run in the database of pg_cron, where that is another one, to schedule the jobs and to remove them';

-- Raises 0A000 unless pg_cron is installed in this database.  It may look at the
-- setting cron.database_name, which not everybody may.
CREATE FUNCTION nudge.require_cron(schedule boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    cron_database text := current_setting('cron.database_name', true);
    hint text;
BEGIN
    IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron') THEN
        RETURN;
    END IF;
    IF nullif(cron_database, '') IS NULL THEN
        hint := 'Add pg_cron to shared_preload_libraries, set cron.database_name to this database, restart, and run CREATE EXTENSION pg_cron. '
            'Where pg_cron runs on another server, have it run what nudge.jobs lists.';
    ELSIF cron_database = current_database() THEN
        hint := 'Run CREATE EXTENSION pg_cron, then call this function again.';
    ELSE
        SELECT format('In database %I run:', cron_database) || E'\n'
            || string_agg(CASE WHEN schedule THEN c.schedule_command ELSE c.unschedule_command END, E'\n')
            || CASE WHEN schedule THEN E'\nand in this one, once:\nSELECT nudge.maintain();' ELSE '' END
        INTO hint
        FROM nudge.job_commands() c;
    END IF;
    RAISE EXCEPTION 'pg_cron is not installed in database %', quote_ident(current_database())
        USING ERRCODE = '0A000',
            DETAIL = CASE WHEN cron_database <> current_database()
                          THEN format('pg_cron keeps its jobs in database %I.', cron_database)
                          ELSE 'pg_cron runs the executor and the maintenance.' END,
            HINT = hint;
END
$$;
COMMENT ON FUNCTION nudge.require_cron(boolean) IS
    'Internal: an error that says what to do where pg_cron is not in this database';

CREATE FUNCTION nudge.schedule_jobs() RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    j record;
    other text;
    scheduled integer := 0;
BEGIN
    PERFORM nudge.require_cron(true);
    EXECUTE 'SELECT c.username FROM cron.job c JOIN nudge.jobs j ON j.job_name = c.jobname '
            'WHERE c.database = current_database() AND c.username <> current_user LIMIT 1' INTO other;
    IF other IS NOT NULL THEN
        RAISE EXCEPTION 'role % has scheduled the jobs already', quote_ident(other) USING ERRCODE = '55000',
            DETAIL = 'pg_cron keeps jobs by the role that scheduled them, so that they would run twice.',
            HINT = 'Call nudge.unschedule_jobs() first.';
    END IF;
    FOR j IN SELECT n.job_name, n.schedule, n.command FROM nudge.jobs n ORDER BY n.job_name LOOP
        -- Literals fit the argument types of every version of pg_cron
        EXECUTE format('SELECT cron.schedule(%L, %L, %L)', j.job_name, j.schedule, j.command);
        scheduled := scheduled + 1;
    END LOOP;
    PERFORM nudge.maintain();
    RETURN scheduled;
END
$$;
COMMENT ON FUNCTION nudge.schedule_jobs() IS
    'Has pg_cron run the jobs of nudge.jobs as the calling role, and makes the first partitions; the number of jobs';

CREATE FUNCTION nudge.unschedule_jobs() RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    removed integer;
BEGIN
    PERFORM nudge.require_cron(false);
    EXECUTE 'SELECT count(cron.unschedule(c.jobid)) FROM cron.job c '
            'WHERE c.database = current_database() AND c.jobname IN (SELECT j.job_name FROM nudge.jobs j)'
    INTO removed;
    RETURN removed;
END
$$;
COMMENT ON FUNCTION nudge.unschedule_jobs() IS 'Removes the jobs from pg_cron; how many there were';
