--
-- Version 0.3.0: runs of timers
--
-- What there is to run is in 47_timers.sql.
--

-- Takes note of rules that changed.
CREATE FUNCTION nudge.sync_timer_rules(as_of timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    change record;
    r record;
    known nudge.timer_rules;
    is_active boolean;
    kind text;
    grace interval;
    waits_for xid8;
BEGIN
    FOR change IN
        WITH taken AS (DELETE FROM nudge.timer_rule_changes RETURNING rule_id, changed_at),
             named AS (SELECT t.rule_id, t.changed_at FROM taken t WHERE t.rule_id IS NOT NULL
                       UNION ALL
                       SELECT k.rule_id, t.changed_at FROM taken t CROSS JOIN nudge.timer_rules k
                       WHERE t.rule_id IS NULL)
        SELECT n.rule_id, max(n.changed_at) AS changed_at FROM named n GROUP BY n.rule_id ORDER BY n.rule_id
    LOOP
        SELECT x.schedule, x.status INTO r FROM nudge.rules x WHERE x.rule_id = change.rule_id;
        is_active := FOUND AND r.status IN ('active', 'testing') AND r.schedule IS NOT NULL
            AND coalesce(nudge.schedule_is_good(r.schedule), false);
        SELECT x.* INTO known FROM nudge.timer_rules x WHERE x.rule_id = change.rule_id;
        IF FOUND AND known.active AND is_active AND known.schedule = r.schedule OR NOT FOUND AND NOT is_active THEN
            CONTINUE;
        END IF;

        kind := CASE r.schedule ->> 'kind'
                WHEN 'engagement_decline' THEN 'decline'
                WHEN 'reminder' THEN CASE WHEN r.schedule ? 'action' THEN 'action_reminder' ELSE 'reminder' END
                ELSE r.schedule ->> 'kind' END;
        grace := CASE WHEN is_active THEN coalesce(r.schedule ->> 'grace', '24 hours')::interval ELSE '24 hours' END;
        -- Transactions that are under way may have changed users without knowing
        -- the rule.  A run's own transaction is under way as well.
        waits_for := CASE WHEN EXISTS (SELECT FROM pg_snapshot_xip(pg_current_snapshot()) AS x (id)
                                       WHERE x.id IS DISTINCT FROM pg_current_xact_id_if_assigned())
                          THEN pg_snapshot_xmax(pg_current_snapshot()) END;
        INSERT INTO nudge.timer_rules AS t (rule_id, schedule, active, kind, types, grace, floor, stage, refill_after)
        VALUES (change.rule_id, r.schedule, is_active, kind,
                CASE kind WHEN 'abandonment' THEN nudge.timer_types(r.schedule -> 'start')
                          WHEN 'decline' THEN nudge.timer_types(r.schedule -> 'types')
                          WHEN 'action_reminder' THEN nudge.timer_types(r.schedule -> 'action')
                              || nudge.timer_types(r.schedule -> 'unless') END,
                grace,
                -- What was due less than grace ago is not too late for a new rule
                -- either; only those that recur start with what comes.  A run as of
                -- a time before the rule was made takes the rule for older.
                CASE WHEN kind = 'recurring' AND as_of >= change.changed_at THEN change.changed_at
                     ELSE least(as_of, change.changed_at) - grace END,
                'clearing', waits_for)
        ON CONFLICT ON CONSTRAINT timer_rules_pkey DO UPDATE
        SET schedule = excluded.schedule, active = excluded.active, kind = excluded.kind, types = excluded.types,
            grace = excluded.grace, floor = excluded.floor, stage = 'clearing', filled_to = '',
            refill_after = excluded.refill_after;
    END LOOP;
END
$$;
COMMENT ON FUNCTION nudge.sync_timer_rules(timestamptz) IS 'Internal: takes note of rules whose schedule changed';

-- Sets the timers of so many users, from the last one on.
CREATE FUNCTION nudge.fill_timer_rule(rule nudge.timer_rules, as_of timestamptz, max_users integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    users text[];
    a record;
    after interval;
    first timestamptz;
    u text;
BEGIN
    IF rule.kind = 'recurring' THEN
        PERFORM nudge.set_clock(rule, z, rule.floor) FROM (SELECT '' UNION SELECT nudge.user_timezones()) AS u (z);
    ELSIF rule.kind <> 'abandonment' THEN
        users := ARRAY(SELECT x.user_id FROM nudge.users x WHERE x.user_id > rule.filled_to
                       ORDER BY x.user_id LIMIT max_users);
    END IF;
    IF rule.kind IN ('anniversary', 'milestone', 'reminder') THEN
        INSERT INTO nudge.timers (user_id, rule_id, due_at, occurrence, date)
        SELECT x, rule.rule_id, n.occurs_at, n.occurrence, n.date
        FROM unnest(users) AS x CROSS JOIN LATERAL nudge.timer_next(rule.rule_id, x, rule.floor, NULL) AS n
        WHERE n.occurs_at IS NOT NULL
        ON CONFLICT DO NOTHING;
    ELSIF rule.kind = 'decline' THEN
        -- Who crossed the line before the rule was there is left alone until a return.
        after := rule.schedule ->> 'after';
        first := rule.floor - after;
        FOREACH u IN ARRAY users LOOP
            SELECT max(h.occurred_at) AS occurred_at, max(h.recorded_at) AS recorded_at INTO a
            FROM (SELECT x.occurred_at, x.recorded_at FROM nudge.actions x
                  WHERE x.user_id = u AND x.action_type = ANY (rule.types) AND x.recorded_at >= first - interval '1 day'
                  UNION ALL
                  SELECT x.occurred_at, x.recorded_at FROM nudge.actions x
                  WHERE x.user_id = u AND rule.types IS NULL AND x.source IS DISTINCT FROM 'pg_nudge' AND x.recorded_at >= first - interval '1 day') AS h;
            CONTINUE WHEN a.occurred_at IS NULL;
            INSERT INTO nudge.timers (user_id, rule_id, due_at, started_at, recorded_at)
            VALUES (u, rule.rule_id, CASE WHEN a.occurred_at >= first THEN a.occurred_at + after END,
                    a.occurred_at, a.recorded_at)
            ON CONFLICT DO NOTHING;
        END LOOP;
    ELSIF rule.kind = 'action_reminder' THEN
        FOREACH u IN ARRAY users LOOP
            FOR a IN SELECT x AS action FROM nudge.actions x
                     WHERE x.user_id = u AND x.action_type = ANY (rule.types)
                     ORDER BY x.occurred_at, x.action_id
            LOOP
                PERFORM nudge.set_reminder(rule, a.action, rule.floor);
            END LOOP;
        END LOOP;
    END IF;
    UPDATE nudge.timer_rules t
    SET filled_to = coalesce(users[cardinality(users)], ''),
        stage = CASE WHEN cardinality(users) = max_users THEN 'filling'
                     WHEN rule.refill_after IS NOT NULL THEN 'settling' ELSE 'ready' END
    WHERE t.rule_id = rule.rule_id;
END
$$;
COMMENT ON FUNCTION nudge.fill_timer_rule(nudge.timer_rules, timestamptz, integer) IS
    'Internal: a step of going through all users for a rule with a schedule';

-- A step of rules that changed; false where there was nothing to do.
CREATE FUNCTION nudge.prepare_timer_rules(as_of timestamptz, max_rows integer) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    r nudge.timer_rules;
    removed integer;
BEGIN
    SELECT t.* INTO r FROM nudge.timer_rules t
    WHERE t.stage IN ('clearing', 'filling')
       -- (A number that is still to come is from before a restore.)
       OR t.stage = 'settling' AND (pg_snapshot_xmin(pg_current_snapshot()) >= t.refill_after
                                    OR pg_snapshot_xmax(pg_current_snapshot()) < t.refill_after)
    ORDER BY t.stage = 'clearing' DESC, t.rule_id LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF r.stage = 'settling' THEN
        UPDATE nudge.timer_rules t SET stage = 'filling', filled_to = '', refill_after = NULL
        WHERE t.rule_id = r.rule_id;
        RETURN true;
    ELSIF r.stage = 'filling' THEN
        PERFORM nudge.fill_timer_rule(r, as_of, max_rows);
        RETURN true;
    END IF;

    DELETE FROM nudge.timers t
    WHERE (t.user_id, t.rule_id, t.timer) IN (SELECT o.user_id, o.rule_id, o.timer FROM nudge.timers o
                                              WHERE o.rule_id = r.rule_id LIMIT max_rows);
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF removed < max_rows THEN
        DELETE FROM nudge.timer_clocks c WHERE c.rule_id = r.rule_id;
        IF r.active THEN
            UPDATE nudge.timer_rules t SET stage = 'filling' WHERE t.rule_id = r.rule_id;
        ELSE
            DELETE FROM nudge.timer_rules t WHERE t.rule_id = r.rule_id;
        END IF;
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION nudge.prepare_timer_rules(timestamptz, integer) IS
    'Internal: a step of taking away and setting timers of rules that changed; false where there is nothing to do';

-- What an action means to the rules that named its type
CREATE FUNCTION nudge.hear_action(signal nudge.timer_signals, as_of timestamptz) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a nudge.actions;
    r nudge.timer_rules;
    fired integer := 0;
BEGIN
    SELECT x.* INTO a FROM nudge.actions x
    WHERE x.user_id = signal.user_id AND x.action_type = signal.action_type AND x.recorded_at = signal.at
      AND x.action_id = signal.action_id;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    FOR r IN SELECT c.* FROM nudge.timer_rules c
             WHERE c.active AND c.stage <> 'clearing' AND c.kind IN ('abandonment', 'decline', 'action_reminder')
               AND (signal.action_type = ANY (c.types) OR c.types IS NULL)
             ORDER BY c.rule_id
    LOOP
        CASE r.kind
        WHEN 'abandonment' THEN
            PERFORM nudge.start_abandonment(r, a);
        WHEN 'decline' THEN
            fired := fired + nudge.start_decline(r, a, as_of);
        ELSE
            PERFORM nudge.set_reminder(r, a, least(signal.at, as_of) - r.grace);
        END CASE;
    END LOOP;
    RETURN fired;
END
$$;
COMMENT ON FUNCTION nudge.hear_action(nudge.timer_signals, timestamptz) IS
    'Internal: what an action means to rules with a schedule; the number of triggers';

-- The order matters: signals are taken first and rules read afterwards, so that no
-- signal of a new rule is taken for one that concerns nobody.
CREATE FUNCTION nudge.hear_signals(as_of timestamptz, max_rows integer, OUT taken integer, OUT fired integer)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    signals nudge.timer_signals[];
    s nudge.timer_signals;
BEGIN
    WITH gone AS (
        DELETE FROM nudge.timer_signals x
        WHERE x.ctid = ANY (ARRAY(SELECT y.ctid FROM nudge.timer_signals y ORDER BY y.at, y.action_id LIMIT max_rows))
        RETURNING x.*)
    SELECT array_agg(ROW(g.*)::nudge.timer_signals ORDER BY g.at, g.action_id) INTO signals FROM gone g;
    PERFORM nudge.sync_timer_rules(as_of) WHERE EXISTS (SELECT FROM nudge.timer_rule_changes);
    taken := coalesce(cardinality(signals), 0);
    fired := 0;
    IF taken = 0 THEN
        RETURN;
    END IF;
    WHILE EXISTS (SELECT FROM nudge.timer_rules r WHERE r.stage = 'clearing') LOOP
        PERFORM nudge.prepare_timer_rules(as_of, max_rows);
    END LOOP;

    FOREACH s IN ARRAY signals LOOP
        CASE s.signal
        WHEN 'action' THEN
            fired := fired + nudge.hear_action(s, as_of);
        WHEN 'moved' THEN
            fired := fired + nudge.move_user(s.user_id, s.at, as_of);
        ELSE
            NULL;
        END CASE;
    END LOOP;

    IF EXISTS (SELECT FROM unnest(signals) AS x WHERE x.signal = 'user') THEN
        PERFORM nudge.plan_users(signals, as_of);
    END IF;

    -- New users may have brought new zones.
    PERFORM nudge.set_clock(c, z.timezone, greatest(least(z.at, as_of), c.floor))
    FROM (SELECT coalesce(u.timezone, '') AS timezone, min(x.at) AS at
          FROM unnest(signals) AS x JOIN nudge.users u ON u.user_id = x.user_id
          WHERE x.signal IN ('user', 'zone') GROUP BY 1) AS z
    CROSS JOIN nudge.timer_rules c
    WHERE c.active AND c.kind = 'recurring'
      AND NOT EXISTS (SELECT FROM nudge.timer_clocks k WHERE k.rule_id = c.rule_id AND k.timezone = z.timezone);
END
$$;
COMMENT ON FUNCTION nudge.hear_signals(timestamptz, integer) IS
    'Internal: sets timers after what users did and what changed; how many signals, and how many triggers came of them';

CREATE FUNCTION nudge.due_timer(timer nudge.timers, as_of timestamptz) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r nudge.timer_rules;
BEGIN
    SELECT c.* INTO r FROM nudge.timer_rules c WHERE c.rule_id = timer.rule_id AND c.active AND c.stage <> 'clearing';
    IF NOT FOUND THEN
        DELETE FROM nudge.timers t
        WHERE t.user_id = timer.user_id AND t.rule_id = timer.rule_id AND t.timer = due_timer.timer.timer;
        RETURN 0;
    END IF;
    CASE r.kind
    WHEN 'abandonment' THEN
        RETURN nudge.due_abandonment(r, timer, as_of)::integer;
    WHEN 'decline' THEN
        RETURN nudge.advance_decline(r, timer.user_id, as_of, timer.started_at, timer.recorded_at, false);
    WHEN 'action_reminder' THEN
        RETURN nudge.due_reminder(r, timer, as_of)::integer;
    ELSE
        RETURN nudge.due_date(r, timer, as_of)::integer;
    END CASE;
END
$$;
COMMENT ON FUNCTION nudge.due_timer(nudge.timers, timestamptz) IS
    'Internal: a timer is due; the number of triggers';

-- So much of what is due; is_over: there is no more.  Looks before it writes, so that a
-- run with nothing to do writes nothing.
CREATE FUNCTION nudge.timer_step(as_of timestamptz, max_rows integer, OUT fired integer, OUT is_over boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
    heard record;
    t nudge.timers;
    c nudge.timer_clocks;
    seen integer := 0;
BEGIN
    fired := 0;
    is_over := true;
    IF EXISTS (SELECT FROM nudge.timer_rule_changes) THEN
        PERFORM nudge.sync_timer_rules(as_of);
    END IF;
    IF EXISTS (SELECT FROM nudge.timer_rules r WHERE r.stage <> 'ready') THEN
        is_over := NOT nudge.prepare_timer_rules(as_of, max_rows);
    END IF;
    IF EXISTS (SELECT FROM nudge.timer_rules r WHERE r.stage = 'clearing') THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM nudge.timer_signals) THEN
        SELECT h.taken, h.fired INTO heard FROM nudge.hear_signals(as_of, max_rows) AS h;
        fired := heard.fired;
        is_over := is_over AND heard.taken < max_rows;
    END IF;
    -- Whatever is due waits until all has been heard: who bought is not to be asked
    -- whether something stopped them.
    IF NOT is_over THEN
        RETURN;
    END IF;

    FOR t IN SELECT x.* FROM nudge.timers x WHERE x.due_at <= as_of ORDER BY x.due_at, x.user_id LIMIT max_rows LOOP
        seen := seen + 1;
        fired := fired + nudge.due_timer(t, as_of);
    END LOOP;
    IF seen > 0 THEN
        is_over := false;
    END IF;
    SELECT x.* INTO c FROM nudge.timer_clocks x WHERE x.due_at <= as_of ORDER BY x.due_at LIMIT 1;
    IF FOUND THEN
        fired := fired + nudge.due_clock(c, as_of, max_rows);
        is_over := false;
    END IF;
    IF fired > 0 THEN
        -- What was dealt with more than 400 days ago cannot come up again.
        DELETE FROM nudge.timer_firings f
        WHERE f.ctid = ANY (ARRAY(SELECT o.ctid FROM nudge.timer_firings o
                                  WHERE o.recorded_at < clock_timestamp() - interval '400 days'
                                  ORDER BY o.recorded_at LIMIT 2 * max_rows));
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.timer_step(timestamptz, integer) IS
    'Internal: a bounded part of nudge.run_timers; how many triggers came of it, and whether nothing is left';

-- The lock's two numbers are pg_nudge's: 'nudg' in ASCII, and 47 for timers.  The
-- lifecycle (49_lifecycle.sql) goes first: schedules may be for users of a stage.
CREATE FUNCTION nudge.run_timers(as_of timestamptz DEFAULT clock_timestamp()) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    step record;
    total integer := 0;
    max_rows integer := 1000;
BEGIN
    IF as_of IS NULL OR NOT isfinite(as_of) THEN
        RAISE EXCEPTION 'as_of must be a finite time, not %', coalesce(as_of::text, 'NULL')
            USING ERRCODE = '22023',
                  DETAIL = 'Schedules that are due at this time fire.',
                  HINT = 'Leave it out to fire what is due now.';
    END IF;
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'cannot execute nudge.run_timers() in a read-only transaction' USING ERRCODE = '25006',
            DETAIL = 'Schedules that fire write triggers.',
            HINT = 'Connect to the primary server, in a transaction that may write.';
    END IF;
    PERFORM nudge.run_lifecycle(as_of);
    PERFORM pg_advisory_xact_lock(1853187175, 47);
    LOOP
        SELECT s.fired, s.is_over INTO step FROM nudge.timer_step(as_of, max_rows) AS s;
        total := total + step.fired;
        EXIT WHEN step.is_over;
        -- What a transaction takes away stays in its way in the indexes.
        max_rows := least(2 * max_rows, 100000);
    END LOOP;
    RETURN total;
END
$$;
COMMENT ON FUNCTION nudge.run_timers(timestamptz) IS
    'Fires rules whose schedule is due at as_of, each occurrence once; how many triggers came of it. nudge.run does it each time it polls';

-- The same as before, after the lifecycle and timers
CREATE OR REPLACE FUNCTION nudge.run_step(
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
    timers_over boolean;
BEGIN
    executed := 0; failed := 0; skipped := 0; deferred := 0;
    -- An error in what stages ask for must not keep messages from going out.
    BEGIN
        is_idle := nudge.poll_lifecycle(now, 1000);
    EXCEPTION
        WHEN OTHERS THEN
            RAISE WARNING 'lifecycle stages could not be kept: %', SQLERRM USING ERRCODE = SQLSTATE,
                HINT = 'Run SELECT nudge.run_lifecycle() to see where.';
    END;
    -- An error in what schedules want must not keep messages from going out.
    BEGIN
        IF pg_try_advisory_xact_lock(1853187175, 47) THEN
            -- (In one expression with is_idle, the step would be left out where that is false.)
            SELECT t.is_over INTO timers_over FROM nudge.timer_step(now, 1000) AS t;
            is_idle := is_idle AND timers_over;
        END IF;
    EXCEPTION
        WHEN OTHERS THEN
            RAISE WARNING 'schedules could not be run: %', SQLERRM USING ERRCODE = SQLSTATE,
                HINT = 'Run SELECT nudge.run_timers() to see where.';
    END;
    -- The lock says that some run of this database is at work just now; its two
    -- numbers are pg_nudge's: 'nudg' in ASCII, and 1 for the executor.
    IF pg_try_advisory_xact_lock(1853187175, 1) THEN
        SELECT b.executed, b.failed, b.skipped, b.deferred
        INTO executed, failed, skipped, deferred
        FROM nudge.execute_batch(1000, now, warn) AS b;
        is_idle := is_idle AND executed + failed + skipped + deferred = 0;
    END IF;

    is_over := clock_timestamp() >= stop_at;
    IF is_idle AND NOT is_over THEN
        pause := ceil(1000 * extract(epoch FROM least(poll, stop_at - clock_timestamp(), '1 hour')));
        pause := greatest(pause, 1);
    END IF;
END
$$;

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('executor', 'routine', 'run_timers', 'EXECUTE'),
    ('marketer', 'table', 'timers', 'SELECT (user_id, rule_id, timer, due_at, key, occurrence, date, started_at, recorded_at, action_id, action_type)'),
    ('marketer', 'table', 'timer_firings', 'SELECT'),
    ('analyst', 'table', 'timer_firings', 'SELECT');

REVOKE ALL ON TABLE nudge.timers, nudge.timer_firings, nudge.timer_signals, nudge.timer_rule_changes,
    nudge.timer_rules, nudge.timer_clocks
    FROM PUBLIC;
REVOKE ALL ON ROUTINE nudge.schedule_is_good(jsonb), nudge.local_instant(timestamp, text),
    nudge.timer_next(bigint, text, timestamptz, jsonb), nudge.clock_next(bigint, text, timestamptz, timestamptz),
    nudge.timer_wants(bigint, text),
    nudge.fire_timer(bigint, text, timestamptz, text, timestamptz, boolean, timestamptz, bigint, text, jsonb, jsonb),
    nudge.note_user(), nudge.note_schedule(), nudge.timer_types(jsonb), nudge.timer_key(jsonb, jsonb),
    nudge.timer_answered(text, text[], jsonb, text, timestamptz, bigint, timestamptz, timestamptz),
    nudge.settle_timer(nudge.timer_rules, text, timestamptz, text, timestamptz, timestamptz, bigint, text, jsonb, jsonb, text),
    nudge.timer_document(nudge.timer_rules, text, timestamptz, text),
    nudge.plan_timer(bigint, text, timestamptz), nudge.plan_users(nudge.timer_signals[], timestamptz),
    nudge.due_date(nudge.timer_rules, nudge.timers, timestamptz),
    nudge.start_abandonment(nudge.timer_rules, nudge.actions),
    nudge.due_abandonment(nudge.timer_rules, nudge.timers, timestamptz),
    nudge.advance_decline(nudge.timer_rules, text, timestamptz, timestamptz, timestamptz, boolean),
    nudge.start_decline(nudge.timer_rules, nudge.actions, timestamptz),
    nudge.set_reminder(nudge.timer_rules, nudge.actions, timestamptz),
    nudge.due_reminder(nudge.timer_rules, nudge.timers, timestamptz),
    nudge.set_clock(nudge.timer_rules, text, timestamptz), nudge.user_timezones(),
    nudge.move_user(text, timestamptz, timestamptz),
    nudge.due_clock(nudge.timer_clocks, timestamptz, integer),
    nudge.sync_timer_rules(timestamptz), nudge.fill_timer_rule(nudge.timer_rules, timestamptz, integer),
    nudge.prepare_timer_rules(timestamptz, integer), nudge.hear_action(nudge.timer_signals, timestamptz),
    nudge.hear_signals(timestamptz, integer), nudge.due_timer(nudge.timers, timestamptz),
    nudge.timer_step(timestamptz, integer), nudge.run_timers(timestamptz)
    FROM PUBLIC;
