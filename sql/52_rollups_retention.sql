--
-- Version 0.4.0: figures outlive what they are made of
--

-- Nothing is deleted that is not in the figures yet: where something keeps
-- nudge.rollup() from counting, raw rows are kept past their retention.
CREATE FUNCTION nudge.retention_cutoff(as_of timestamptz) RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    cutoff     timestamptz := as_of - make_interval(days => nudge.setting('retention_days')::integer);
    counted_to timestamptz;
BEGIN
    IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
        IF NOT nudge.rollup_begin('maintain') THEN
            RETURN NULL;
        END IF;
        IF cutoff > (SELECT p.counted_to FROM nudge.rollup_progress p) THEN
            PERFORM nudge.rollup(cutoff);
        END IF;
    END IF;
    SELECT p.counted_to INTO counted_to FROM nudge.rollup_progress p;
    cutoff := least(cutoff, coalesce(counted_to, '-infinity'));
    cutoff := nudge.attribute_until(cutoff);
    UPDATE nudge.rollup_progress p SET gone_before = cutoff WHERE p.gone_before < cutoff;
    RETURN cutoff;
END
$$;
COMMENT ON FUNCTION nudge.retention_cutoff(timestamptz) IS
    'Internal: notes and returns the time before which raw rows may be deleted: nudge.retention_days before as_of, but no later than what has been counted, which it first has done; NULL where nudge.rollup() is at work elsewhere';
REVOKE ALL ON FUNCTION nudge.retention_cutoff(timestamptz) FROM PUBLIC;

-- As before, but for a lock: an INSERT that has found the DEFAULT partition for its row,
-- and waits for it, is refused there once another partition is the right one.  So
-- INSERTs wait for the parent, before they look for a partition, where the month is one
-- of which there may be rows.
--
-- Locks: the DEFAULT partition ACCESS EXCLUSIVE; the parent SHARE UPDATE EXCLUSIVE for
-- months ahead, so that INSERTs of other months go on, else SHARE ROW EXCLUSIVE.
-- (A member of this extension since 0.1.0, so nobody else's function is replaced.)
CREATE OR REPLACE FUNCTION nudge.make_partition(parent text, key text, lower_bound timestamptz) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO'
SET timezone = 'UTC'
AS $$
DECLARE
    most_rows CONSTANT integer := 100000;
    upper_bound timestamptz := (lower_bound AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
    partition text := parent || to_char(lower_bound AT TIME ZONE 'UTC', '_YYYY_MM');
    default_partition text := parent || '_default';
    found_rows bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT FROM nudge.%I WHERE %I >= %L AND %2$I < %4$L LIMIT %5$s) r',
                   default_partition, key, lower_bound, upper_bound, most_rows + 1) INTO found_rows;
    IF found_rows > most_rows THEN
        RETURN NULL;
    END IF;

    IF lower_bound <= clock_timestamp() THEN
        EXECUTE format('LOCK TABLE ONLY nudge.%I IN SHARE ROW EXCLUSIVE MODE', parent);
    END IF;
    EXECUTE format('LOCK TABLE nudge.%I IN ACCESS EXCLUSIVE MODE', default_partition);
    EXECUTE format('CREATE TABLE nudge.%I (LIKE nudge.%I INCLUDING DEFAULTS INCLUDING COMMENTS)', partition, parent);
    EXECUTE format('REVOKE ALL ON nudge.%I FROM PUBLIC', partition);
    EXECUTE format('COMMENT ON TABLE nudge.%I IS %L', partition,
                   format('Partition of nudge.%s for the month from %s', parent, lower_bound));
    PERFORM nudge.prepare_partition(parent, partition);
    EXECUTE format('WITH moved AS (DELETE FROM nudge.%I WHERE %I >= %L AND %2$I < %4$L RETURNING *) '
                   'INSERT INTO nudge.%5$I SELECT * FROM moved',
                   default_partition, key, lower_bound, upper_bound, partition);
    GET DIAGNOSTICS found_rows = ROW_COUNT;
    EXECUTE format('ALTER TABLE nudge.%I ATTACH PARTITION nudge.%I FOR VALUES FROM (%L) TO (%L)',
                   parent, partition, lower_bound, upper_bound);
    RETURN found_rows;
END
$$;

-- Steps that need strong locks come last, since locks last until the end, and
-- each gives up after lock_timeout: what is postponed is done by the next run.  After
-- one that did, others hardly wait: INSERTs may be waiting for locks that are held already.
-- (A member of this extension since 0.1.0, so nobody else's function is replaced.)
CREATE OR REPLACE FUNCTION nudge.maintain(as_of timestamptz DEFAULT clock_timestamp()) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $$
DECLARE
    past   timestamptz;
    cutoff timestamptz;
    t      record;
    young  boolean;
    n      bigint;
    made      text[] := '{}';
    dropped   text[] := '{}';
    kept      text[] := '{}';
    postponed text[] := '{}';
    moved     bigint := 0;
    deleted   jsonb := '{}';
BEGIN
    IF as_of IS NULL OR NOT isfinite(as_of) THEN
        RAISE EXCEPTION 'as_of must be a finite time, not %', coalesce(as_of::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Leave it out to mean now.';
    END IF;
    IF as_of > clock_timestamp() + interval '1 day' AND NOT pg_has_role(session_user, current_user, 'USAGE') THEN
        RAISE EXCEPTION 'as_of must not be in the future' USING ERRCODE = '42501',
            DETAIL = 'Only the owner of the extension may delete what is not past its retention yet.',
            HINT = 'Leave as_of out to mean now.';
    END IF;
    PERFORM nudge.refuse_read_only('maintain tables');
    -- ('nudg', 2): one at a time in a database
    IF NOT pg_try_advisory_xact_lock(1853187175, 2) THEN
        RETURN jsonb_build_object('skipped', 'another nudge.maintain() is at work');
    END IF;
    past := as_of - make_interval(days => nudge.setting('retention_days')::integer);
    cutoff := nudge.retention_cutoff(as_of);
    IF cutoff IS NULL THEN
        RETURN jsonb_build_object('skipped', 'nudge.rollup() is at work');
    END IF;

    -- Rows
    FOR t IN SELECT p.parent, p.key FROM nudge.partitioned_tables p LOOP
        BEGIN
            EXECUTE format('DELETE FROM nudge.%I d WHERE d.%I < $1', t.parent || '_default', t.key)
                || CASE WHEN t.parent = 'messages'
                        THEN ' AND NOT EXISTS (SELECT FROM nudge.message_queue q WHERE q.message_id = d.message_id)'
                        ELSE '' END
            USING cutoff;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n > 0 THEN
                deleted := deleted || jsonb_build_object(t.parent, n);
            END IF;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            postponed := postponed || format('deleting from %s_default', t.parent);
        END;
    END LOOP;

    -- A waiting trigger counts in the windows of the day on which it fired
    DELETE FROM nudge.cap_usage c WHERE c.ctid = ANY (ARRAY(
        SELECT u.ctid FROM nudge.cap_usage u
        WHERE NOT EXISTS (SELECT FROM unnest(u.days) AS d (day)
                          WHERE d.day >= (least(as_of, (SELECT min(p.fired_at) FROM nudge.pending p)) AT TIME ZONE 'UTC')::date - 62)
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n > 0 THEN
        deleted := deleted || jsonb_build_object('cap_usage', n);
    END IF;

    DELETE FROM nudge.executor_runs r WHERE r.started_at < as_of - interval '7 days';
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n > 0 THEN
        deleted := deleted || jsonb_build_object('executor_runs', n);
    END IF;

    WITH gone AS (
        DELETE FROM nudge.tallies d
        WHERE d.tally IN (SELECT s.tally FROM nudge.tallies s GROUP BY s.tally HAVING count(*) > 1)
        RETURNING d.tally, d.amount, d.recorded_at)
    INSERT INTO nudge.tallies (tally, amount, recorded_at)
    SELECT g.tally, sum(g.amount), max(g.recorded_at) FROM gone g GROUP BY g.tally;

    IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron') THEN
        EXECUTE 'DELETE FROM cron.job_run_details d USING cron.job j, nudge.jobs n '
                'WHERE j.jobid = d.jobid AND j.database = current_database() AND j.jobname = n.job_name '
                'AND d.end_time < $1'
        USING as_of - interval '7 days';
        GET DIAGNOSTICS n = ROW_COUNT;
        IF n > 0 THEN
            deleted := deleted || jsonb_build_object('cron.job_run_details', n);
        END IF;
    END IF;

    -- Partitions ahead
    FOR t IN
        SELECT p.parent, p.key, (date_trunc('month', as_of AT TIME ZONE 'UTC')
                                 + make_interval(months => m.ahead)) AT TIME ZONE 'UTC' AS lower_bound
        FROM nudge.partitioned_tables p CROSS JOIN generate_series(0, 2) AS m (ahead)
        ORDER BY m.ahead, p.parent
    LOOP
        CONTINUE WHEN EXISTS (SELECT FROM nudge.partitions p
                              WHERE p.parent = t.parent AND p.lower_bound = t.lower_bound);
        DECLARE
            partition text := t.parent || to_char(t.lower_bound AT TIME ZONE 'UTC', '_YYYY_MM');
        BEGIN
            n := nudge.make_partition(t.parent, t.key, t.lower_bound);
            IF n IS NULL THEN
                kept := kept || partition;
            ELSE
                made := made || partition;
                moved := moved + n;
            END IF;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            postponed := postponed || format('making %s', partition);
            PERFORM set_config('lock_timeout', '10ms', true);
        END;
    END LOOP;

    -- Partitions past their time; a live message keeps the partition of its contents, and
    -- so does a row that is not in the figures yet
    FOR t IN
        SELECT p.parent, p.partition, p.key, p.lower_bound, p.upper_bound
        FROM nudge.partitions p
        WHERE p.upper_bound <= past
        ORDER BY p.lower_bound, p.parent
    LOOP
        IF t.parent = 'messages' AND EXISTS (
            SELECT FROM nudge.message_queue q
            WHERE q.created_at >= t.lower_bound AND q.created_at < t.upper_bound)
        THEN
            kept := kept || t.partition;
            CONTINUE;
        END IF;
        BEGIN
            IF t.upper_bound > cutoff THEN
                EXECUTE format('LOCK TABLE nudge.%I IN SHARE MODE', t.partition);
                EXECUTE format('SELECT EXISTS (SELECT FROM nudge.%I d WHERE d.%I >= $1)', t.partition, t.key) INTO young USING cutoff;
                IF young THEN
                    kept := kept || t.partition;
                    CONTINUE;
                END IF;
            END IF;
            EXECUTE format('DROP TABLE nudge.%I', t.partition);
            dropped := dropped || t.partition;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            postponed := postponed || format('dropping %s', t.partition);
            PERFORM set_config('lock_timeout', '10ms', true);
        END;
    END LOOP;

    RETURN jsonb_build_object('partitions_made', made, 'rows_moved', moved,
                              'partitions_dropped', dropped, 'kept', kept,
                              'rows_deleted', deleted, 'postponed', postponed);
END
$$;
COMMENT ON FUNCTION nudge.maintain(timestamptz) IS
    'Makes monthly partitions ahead, drops and deletes what is past nudge.retention_days and in the figures, prunes counts and logs; never waits long for a lock. A summary';
