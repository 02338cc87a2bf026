--
-- nudge.health: one row that says how things stand
--

CREATE VIEW nudge.health AS
    WITH clock AS MATERIALIZED (
        SELECT pg_catalog.clock_timestamp() AS now_at,
               nudge.setting('max_pending_triggers')::bigint AS max_pending
    ),
    depth AS MATERIALIZED (
        SELECT p.priority, count(*) AS total,
               count(*) FILTER (WHERE p.due_at <= c.now_at) AS due,
               count(*) FILTER (WHERE p.status = 'failed') AS failed,
               count(*) FILTER (WHERE p.due_at < c.now_at - CASE p.priority
                                            WHEN 'immediate' THEN interval '10 s'
                                            WHEN 'high' THEN interval '5 min'
                                            WHEN 'normal' THEN interval '30 min'
                                            ELSE interval '2 h' END) AS missed,
               min(p.due_at) FILTER (WHERE p.due_at <= c.now_at) AS oldest_due
        FROM nudge.pending p CROSS JOIN clock c
        WHERE p.status <> 'dead'
        GROUP BY p.priority
    ),
    pending AS (
        SELECT coalesce(sum(d.total), 0)::bigint AS pending,
               jsonb_object_agg(v.priority, jsonb_build_object('due', coalesce(d.due, 0),
                                                               'waiting', coalesce(d.total - d.due, 0)))
                   AS pending_by_priority,
               min(d.oldest_due) AS oldest_due,
               coalesce(sum(d.missed), 0)::bigint AS promises_missed,
               coalesce(sum(d.failed), 0)::bigint AS failed
        FROM unnest(enum_range(NULL::nudge.priority)) AS v (priority)
        LEFT JOIN depth d ON d.priority = v.priority
    ),
    dead AS (
        SELECT count(*) AS dead FROM nudge.pending p WHERE p.status = 'dead'
    ),
    queue AS (
        SELECT count(*) FILTER (WHERE q.status = 'ready') AS outbox_ready,
               count(*) FILTER (WHERE q.status = 'claimed') AS outbox_claimed,
               min(q.available_at) FILTER (WHERE q.status = 'ready' AND q.available_at <= c.now_at) AS outbox_oldest_ready,
               count(*) FILTER (WHERE q.status = 'claimed' AND q.lease_until <= c.now_at) AS leases_over
        FROM nudge.message_queue q CROSS JOIN clock c
    ),
    runs AS (
        SELECT max(coalesce(r.finished_at, r.started_at)) AS executor_last_run FROM nudge.executor_runs r
    ),
    tallies AS (
        SELECT coalesce(sum(t.amount) FILTER (WHERE t.tally = 'history_rows'), 0)::bigint AS history_rows,
               coalesce(sum(t.amount) FILTER (WHERE t.tally = 'unknown_message_events'), 0)::bigint AS unknown_message_events
        FROM nudge.tallies t
    ),
    -- the month up to which every table has its partitions
    ahead AS (
        SELECT CASE WHEN count(n.newest) = count(*) THEN min(n.newest) END AS newest
        FROM (SELECT t.parent, max(p.lower_bound) AS newest
              FROM nudge.partitioned_tables t
              LEFT JOIN nudge.partitions p ON p.parent = t.parent
              GROUP BY t.parent) n
    )
    SELECT coalesce(nullif(concat_ws('; ',
               CASE WHEN p.promises_missed > 0
                    THEN format('%s triggers are past their promised time', p.promises_missed) END,
               CASE WHEN p.oldest_due < c.now_at - interval '2 min'
                        AND coalesce(r.executor_last_run, '-infinity') < c.now_at - interval '2 min'
                    THEN 'the executor is not running' END,
               CASE WHEN p.pending > c.max_pending
                    THEN format('%s triggers are pending, more than nudge.max_pending_triggers', p.pending) END,
               CASE WHEN d.dead > 0
                    THEN format('%s triggers are dead and wait for nudge.requeue', d.dead) END,
               CASE WHEN q.outbox_oldest_ready < c.now_at - interval '1 h'
                    THEN 'messages have been ready for over an hour: no mailer keeps up' END,
               CASE WHEN q.leases_over > 0
                    THEN format('%s messages were claimed and not reported in time', q.leases_over) END,
               CASE WHEN coalesce(a.newest, '-infinity') < c.now_at
                    THEN 'partitions have not been made ahead: call nudge.maintain()' END), ''), 'ok') AS status,
           p.pending, p.pending_by_priority, p.oldest_due, p.promises_missed,
           d.dead, p.failed,
           c.max_pending AS max_pending_triggers, p.pending > c.max_pending AS over_max_pending,
           r.executor_last_run,
           q.outbox_ready, q.outbox_claimed, q.outbox_oldest_ready, q.leases_over,
           t.history_rows, t.unknown_message_events,
           to_char(a.newest AT TIME ZONE 'UTC', 'YYYY-MM') AS partitions
    FROM clock c, pending p, dead d, queue q, runs r, tallies t, ahead a;
COMMENT ON VIEW nudge.health IS 'One row: how the queues stand, and in status what is wrong, or ok';
COMMENT ON COLUMN nudge.health.pending IS 'Triggers that wait or are to be retried';
COMMENT ON COLUMN nudge.health.pending_by_priority IS 'For each priority those that are due and those whose time is still to come';
COMMENT ON COLUMN nudge.health.promises_missed IS 'Triggers past due time and promised latency: immediate 10 s, high 5 min, normal 30 min, low and batch 2 h';
COMMENT ON COLUMN nudge.health.dead IS 'Triggers that failed too often and wait for a person';
COMMENT ON COLUMN nudge.health.failed IS 'Triggers that failed and will be retried';
COMMENT ON COLUMN nudge.health.leases_over IS 'Claimed messages whose lease is over: they will be handed out again';
COMMENT ON COLUMN nudge.health.history_rows IS 'Actions that were recorded as history and not evaluated';
COMMENT ON COLUMN nudge.health.unknown_message_events IS 'Reported events whose message is not known';
COMMENT ON COLUMN nudge.health.partitions IS 'Newest month for which every table has a partition';
