INSERT INTO nudge.executor_runs (started_at, finished_at, executed, failed, skipped, deferred)
VALUES ($1, pg_catalog.clock_timestamp(), $2, $3, $4, $5)
