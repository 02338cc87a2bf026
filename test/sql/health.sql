-- nudge.health: every number, and the sentences of status
BEGIN;
DELETE FROM nudge.pending;
DELETE FROM nudge.message_queue;
DELETE FROM nudge.executor_runs;
DELETE FROM nudge.tallies;
DELETE FROM nudge.timer_signals;
SELECT nudge.maintain() IS NOT NULL AS maintained;
SELECT key, value FROM nudge.health h, jsonb_each(to_jsonb(h)) WITH ORDINALITY
WHERE key <> 'partitions' ORDER BY ordinality;
SELECT partitions = to_char(now() AT TIME ZONE 'UTC' + interval '2 months', 'YYYY-MM') AS two_months_ahead FROM nudge.health;

CREATE FUNCTION pg_temp.put(priority nudge.priority, due interval, status nudge.pending_status DEFAULT 'waiting', n integer DEFAULT 1)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.pending (user_id, rule_id, priority, status, fired_at, due_at)
    SELECT 'health', 1, priority, status, now(), clock_timestamp() + due FROM generate_series(1, n)
$$;
CREATE FUNCTION pg_temp.message(status nudge.message_status, available interval, lease interval DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.message_queue (message_id, user_id, created_at, priority, channel, status, available_at, lease_until)
    SELECT 9223372036854775000 + (SELECT count(*) FROM nudge.message_queue), 'health', now(), 'low', 'health', status,
           clock_timestamp() + available, clock_timestamp() + lease
$$;

-- all well: some wait, some are due, none is late
SELECT pg_temp.put('immediate', '1 min'), pg_temp.put('high', '-4 min'), pg_temp.put('normal', '-29 min'),
       pg_temp.put('low', '-119 min'), pg_temp.put('batch', '-119 min'), pg_temp.put('batch', '1 day', n => 3);
INSERT INTO nudge.executor_runs (started_at, finished_at) VALUES (clock_timestamp() - interval '1 min', NULL);
SELECT pg_temp.message('ready', '-59 min'), pg_temp.message('ready', '1 h'), pg_temp.message('claimed', '0', '1 min');
SELECT status, pending, pending_by_priority, now() - oldest_due BETWEEN '118 min' AND '120 min' AS oldest_due,
       promises_missed, dead, failed, over_max_pending, now() - executor_last_run < '2 min' AS ran,
       outbox_ready, outbox_claimed, now() - outbox_oldest_ready BETWEEN '58 min' AND '60 min' AS oldest_ready, leases_over
FROM nudge.health \gx

-- each thing that can be wrong, one after the other
SAVEPOINT well;
SELECT pg_temp.put('immediate', '-11 s');
SELECT status, promises_missed FROM nudge.health;
ROLLBACK TO well;
SELECT pg_temp.put('high', '-301 s'), pg_temp.put('normal', '-1801 s'), pg_temp.put('low', '-7201 s'), pg_temp.put('batch', '-7201 s', 'failed');
SELECT status, promises_missed, failed FROM nudge.health;
ROLLBACK TO well;
UPDATE nudge.executor_runs SET started_at = clock_timestamp() - interval '1 h';
SELECT status FROM nudge.health;
UPDATE nudge.executor_runs SET finished_at = clock_timestamp();
SELECT status FROM nudge.health;
ROLLBACK TO well;
SELECT pg_temp.put('immediate', '-1 day', 'dead');
SELECT status, dead, pending, promises_missed FROM nudge.health;
ROLLBACK TO well;
SET LOCAL nudge.max_pending_triggers = 7;
SELECT status, pending, max_pending_triggers, over_max_pending FROM nudge.health;
ROLLBACK TO well;
SET LOCAL nudge.max_pending_triggers = 8;
SELECT status, over_max_pending FROM nudge.health;
ROLLBACK TO well;
SELECT pg_temp.message('ready', '-61 min');
SELECT status, outbox_ready FROM nudge.health;
ROLLBACK TO well;
SELECT pg_temp.message('claimed', '0', '-1 s');
SELECT status, outbox_claimed, leases_over FROM nudge.health;
SELECT pg_temp.message('claimed', '0', '-301 s');
SELECT status, outbox_claimed, leases_over FROM nudge.health;
ROLLBACK TO well;
INSERT INTO nudge.tallies (tally, amount) VALUES ('history_rows', 5), ('history_rows', 6), ('unknown_message_events', 1);
SELECT status, history_rows, unknown_message_events FROM nudge.health;

-- What schedules have still to look at
INSERT INTO nudge.timer_signals (at, action_id, user_id, signal) VALUES
    ('2021-05-02 00:00+00', 2, 'health', 'action'), ('2021-05-01 00:00+00', 1, 'health', 'action'), ('2021-05-03 00:00+00', 3, 'health', 'user');
SELECT timer_signals, oldest_timer_signal = '2021-05-01 00:00+00' AS since_the_first FROM nudge.health;
DELETE FROM nudge.timer_signals;
SELECT timer_signals, oldest_timer_signal FROM nudge.health;
ROLLBACK TO well;
DO $$
BEGIN
    EXECUTE (SELECT format('DROP TABLE nudge.%I', partition) FROM nudge.partitions WHERE parent = 'events' ORDER BY lower_bound DESC LIMIT 1);
END
$$;
SELECT status, partitions = to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYY-MM') AS one_month_less FROM nudge.health;
DO $$
BEGIN
    EXECUTE (SELECT string_agg(format('DROP TABLE nudge.%I', partition), ';') FROM nudge.partitions WHERE parent = 'events');
END
$$;
SELECT status, partitions FROM nudge.health;
ROLLBACK;
