--
-- The executor
--
-- The settings fix the plans of the queries inside: tables are always entered by
-- their indexes, whatever the statistics were when a plan was made.
--

CREATE FUNCTION nudge.execute_pending(
    max_rows integer DEFAULT 1000,
    as_of timestamptz DEFAULT clock_timestamp(),
    OUT executed bigint,
    OUT failed bigint,
    OUT skipped bigint,
    OUT deferred bigint)
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS 'MODULE_PATHNAME', 'nudge_execute_pending';
COMMENT ON FUNCTION nudge.execute_pending(integer, timestamptz) IS
    'Executes up to max_rows triggers that are due at as_of: each becomes a message, a skip with its reason, a deferral or a failure';

CREATE FUNCTION nudge.execute_batch(
    max_rows integer,
    as_of timestamptz,
    warn boolean,
    OUT executed bigint,
    OUT failed bigint,
    OUT skipped bigint,
    OUT deferred bigint)
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS 'MODULE_PATHNAME', 'nudge_execute_batch';
COMMENT ON FUNCTION nudge.execute_batch(integer, timestamptz, boolean) IS
    'nudge.execute_pending as a part of nudge.run: leaves the record of the run to it, and warns of a backlog if told to';

CREATE FUNCTION nudge.requeue(pending_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE nudge.pending AS p
    SET status = 'waiting', attempts = 0, due_at = clock_timestamp()
    WHERE p.pending_id = requeue.pending_id AND p.status = 'dead';
    IF FOUND THEN
        RETURN;
    END IF;

    PERFORM FROM nudge.pending AS p WHERE p.pending_id = requeue.pending_id;
    IF FOUND THEN
        RAISE EXCEPTION 'pending trigger % is not dead', requeue.pending_id
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'It will be executed in any case.',
                  HINT = 'Only triggers whose status is dead in nudge.pending can be requeued.';
    END IF;
    RAISE EXCEPTION 'pending trigger % does not exist', coalesce(requeue.pending_id::text, 'NULL')
        USING ERRCODE = '02000',
              DETAIL = 'It has been executed or skipped, or there never was one of this id.',
              HINT = 'Dead triggers are those of status dead in nudge.pending.';
END
$$;
COMMENT ON FUNCTION nudge.requeue(bigint) IS
    'Puts a dead trigger back to waiting, due now, with all its retries; it may still expire';

CREATE FUNCTION nudge.cap_release(user_id text, rule_id bigint, channel text, fired_at timestamptz)
RETURNS boolean
LANGUAGE c STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'nudge_cap_release';
COMMENT ON FUNCTION nudge.cap_release(text, bigint, text, timestamptz) IS
    'Gives back the place that a message took under its user''s caps; false where it took none';

--
-- A run of the executor: what pg_cron calls each minute
--
-- nudge.run commits, so it can be neither SECURITY DEFINER nor have a search_path
-- of its own; it leaves everything to functions that do, and names all in full.
--

CREATE FUNCTION nudge.run_start(duration interval, poll interval, OUT run_id bigint, OUT stop_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF duration IS NULL OR duration <= '0' THEN
        RAISE EXCEPTION 'duration must be a positive interval'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('It is %s.', coalesce(duration::text, 'null')),
                  HINT = 'For example: CALL nudge.run(''50 s'', ''1 s'').';
    END IF;
    IF poll IS NULL OR poll <= '0' THEN
        RAISE EXCEPTION 'poll must be a positive interval'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('It is %s.', coalesce(poll::text, 'null')),
                  HINT = 'For example: CALL nudge.run(''50 s'', ''1 s'').';
    END IF;
    stop_at := clock_timestamp() + duration;
    INSERT INTO nudge.executor_runs DEFAULT VALUES RETURNING executor_runs.run_id INTO run_id;
END
$$;
COMMENT ON FUNCTION nudge.run_start(interval, interval) IS
    'Checks the arguments of nudge.run and records that a run has started';

CREATE FUNCTION nudge.run_step(
    poll interval,
    stop_at timestamptz,
    warn boolean,
    OUT executed bigint,
    OUT failed bigint,
    OUT skipped bigint,
    OUT deferred bigint,
    OUT is_over boolean,
    OUT pause integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now CONSTANT timestamptz := clock_timestamp();
    is_idle boolean := true;
BEGIN
    executed := 0; failed := 0; skipped := 0; deferred := 0;
    -- The lock says that some run of this database is at work just now; its two
    -- numbers are pg_nudge's: 'nudg' in ASCII, and 1 for the executor.
    IF pg_try_advisory_xact_lock(1853187175, 1) THEN
        SELECT b.executed, b.failed, b.skipped, b.deferred
        INTO executed, failed, skipped, deferred
        FROM nudge.execute_batch(1000, now, warn) AS b;
        is_idle := executed + failed + skipped + deferred = 0;
    END IF;

    is_over := clock_timestamp() >= stop_at;
    IF is_idle AND NOT is_over THEN
        pause := ceil(1000 * extract(epoch FROM least(poll, stop_at - clock_timestamp(), '1 hour')));
        pause := greatest(pause, 1);
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.run_step(interval, timestamptz, boolean) IS
    'One batch of a run; pause is how many milliseconds to sleep, or NULL if there may be more to do';

CREATE FUNCTION nudge.run_finish(run_id bigint, executed bigint, failed bigint, skipped bigint, deferred bigint)
RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE nudge.executor_runs AS r
    SET finished_at = clock_timestamp(), executed = run_finish.executed, failed = run_finish.failed,
        skipped = run_finish.skipped, deferred = run_finish.deferred
    WHERE r.run_id = run_finish.run_id
$$;
COMMENT ON FUNCTION nudge.run_finish(bigint, bigint, bigint, bigint, bigint) IS
    'Records the end of a run';

CREATE PROCEDURE nudge.doze(milliseconds integer)
LANGUAGE c AS 'MODULE_PATHNAME', 'nudge_doze';
COMMENT ON PROCEDURE nudge.doze(integer) IS
    'Commits, and sleeps without holding a snapshot';

CREATE PROCEDURE nudge.run(duration interval DEFAULT '50 s', poll interval DEFAULT '1 s')
LANGUAGE plpgsql AS $$
DECLARE
    run_id bigint;
    stop_at timestamptz;
    warn boolean := true;
    step record;
    executed bigint := 0;
    failed bigint := 0;
    skipped bigint := 0;
    deferred bigint := 0;
BEGIN
    SELECT s.run_id, s.stop_at INTO run_id, stop_at FROM nudge.run_start(duration, poll) AS s;
    COMMIT;
    LOOP
        -- Whatever the default is: what the executor reads must never make a
        -- SERIALIZABLE transaction of the application fail.  This works at the
        -- very start of a transaction only, hence the second COMMIT below.
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        SELECT s.* INTO step FROM nudge.run_step(poll, stop_at, warn) AS s;
        warn := false;
        executed := executed OPERATOR(pg_catalog.+) step.executed;
        failed := failed OPERATOR(pg_catalog.+) step.failed;
        skipped := skipped OPERATOR(pg_catalog.+) step.skipped;
        deferred := deferred OPERATOR(pg_catalog.+) step.deferred;
        IF step.is_over THEN
            EXIT;
        ELSIF step.pause IS NULL THEN
            COMMIT;
        ELSE
            CALL nudge.doze(step.pause);
            COMMIT;
        END IF;
    END LOOP;
    PERFORM nudge.run_finish(run_id, executed, failed, skipped, deferred);
    COMMIT;
END
$$;
COMMENT ON PROCEDURE nudge.run(interval, interval) IS
    'Executes what is due, batch by batch, and sleeps where nothing is, until its time is over; pg_cron calls it each minute';
