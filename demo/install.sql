-- The extensions, and the jobs that pg_cron runs

CREATE EXTENSION pg_cron;
CREATE EXTENSION pg_nudge;
DO $$ BEGIN PERFORM nudge.schedule_jobs(); END $$;
