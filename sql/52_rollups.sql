--
-- Version 0.4.0: rollups, figures that outlive the events they are made of
--
-- A figure is a sum of facts.  Facts of messages (sent, delivered, opened and so on)
-- belong to the message, and count on its day, under its rule, channel, template,
-- variant, segments, hour and week; so each has its place whenever it is reported.
-- Facts of triggers count on their own day.
--
-- The views of facts below show what has been recorded since nudge.rollup_progress
-- .counted_to.  nudge.rollup() moves them into the tables, and the figures of
-- 52_views.sql add up tables and views, so they are always up to date.
--

ALTER TABLE nudge.messages
    ADD COLUMN due_at timestamptz,
    ADD COLUMN week_before integer;
COMMENT ON COLUMN nudge.messages.due_at IS 'When the trigger was due';
COMMENT ON COLUMN nudge.messages.week_before IS
    'How many messages of all rules the user got before this one on the seven days up to that of its firing';

CREATE TABLE nudge.rollup_progress (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    counted_to  timestamptz NOT NULL DEFAULT '-infinity',
    counting_to timestamptz NOT NULL DEFAULT 'infinity',
    days        date[]
);
COMMENT ON TABLE nudge.rollup_progress IS 'How far nudge.rollup() has counted; no row before its first run';
COMMENT ON COLUMN nudge.rollup_progress.counted_to IS 'What was recorded before this time is in the rollups';
COMMENT ON COLUMN nudge.rollup_progress.counting_to IS 'Within nudge.rollup(): up to where facts are shown; for everybody else infinity';
COMMENT ON COLUMN nudge.rollup_progress.days IS 'Within nudge.rollup(): the days whose messages'' facts are shown; for everybody else NULL, all';
SELECT pg_catalog.pg_extension_config_dump('nudge.rollup_progress', '');

CREATE TABLE nudge.message_rollups (
    day          date NOT NULL,
    rule_id      bigint,
    channel      text NOT NULL,
    template_id  text COLLATE "C",
    variant      text COLLATE "C",
    sent         bigint NOT NULL,
    delivered    bigint NOT NULL,
    opened       bigint NOT NULL,
    clicked      bigint NOT NULL,
    bounced      bigint NOT NULL,
    complained   bigint NOT NULL,
    unsubscribed bigint NOT NULL,
    failed       bigint NOT NULL,
    conversions  bigint NOT NULL,
    revenue      numeric NOT NULL,
    UNIQUE NULLS NOT DISTINCT (day, rule_id, channel, template_id, variant)
);
COMMENT ON TABLE nudge.message_rollups IS 'What became of messages, by the day (of nudge.timezone) on which they were made, rule, channel, template and variant';

CREATE TABLE nudge.trigger_rollups (
    day       date NOT NULL,
    rule_id   bigint,
    triggered bigint NOT NULL,
    capped    bigint NOT NULL,
    skipped   bigint NOT NULL,
    held_out  bigint NOT NULL,
    failed    bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (day, rule_id)
);
COMMENT ON TABLE nudge.trigger_rollups IS 'What became of triggers, by the day (of nudge.timezone) on which it did, and rule';

CREATE TABLE nudge.hour_rollups (
    day         date NOT NULL,
    rule_id     bigint,
    weekday     smallint NOT NULL,
    hour        smallint NOT NULL,
    sent        bigint NOT NULL,
    opened      bigint NOT NULL,
    clicked     bigint NOT NULL,
    conversions bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (day, rule_id, weekday, hour)
);
COMMENT ON TABLE nudge.hour_rollups IS 'What became of messages, by day, rule, and weekday and hour of the user''s clock when they were made';

CREATE TABLE nudge.segment_rollups (
    day          date NOT NULL,
    rule_id      bigint,
    segment      text COLLATE "C" NOT NULL,
    sent         bigint NOT NULL,
    delivered    bigint NOT NULL,
    opened       bigint NOT NULL,
    clicked      bigint NOT NULL,
    bounced      bigint NOT NULL,
    complained   bigint NOT NULL,
    unsubscribed bigint NOT NULL,
    failed       bigint NOT NULL,
    conversions  bigint NOT NULL,
    revenue      numeric NOT NULL,
    UNIQUE NULLS NOT DISTINCT (day, rule_id, segment)
);
COMMENT ON TABLE nudge.segment_rollups IS 'What became of messages, by day, rule and segment; a message counts in each segment its user was in';

CREATE TABLE nudge.fatigue_rollups (
    day         date NOT NULL,
    rule_id     bigint,
    week_before smallint NOT NULL,
    sent        bigint NOT NULL,
    opened      bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (day, rule_id, week_before)
);
COMMENT ON TABLE nudge.fatigue_rollups IS 'What became of messages, by day, rule, and how many the user got in the week before (4: 4 or more)';

CREATE TABLE nudge.latency_rollups (
    day      date NOT NULL,
    priority nudge.priority NOT NULL,
    step     text NOT NULL CHECK (step IN ('made', 'sent')),
    bucket   smallint NOT NULL,
    messages bigint NOT NULL,
    UNIQUE (day, priority, step, bucket)
);
COMMENT ON TABLE nudge.latency_rollups IS 'How long messages took from when they were due until they were made, and until they were sent, as a histogram';
COMMENT ON COLUMN nudge.latency_rollups.bucket IS 'Of nudge.latency_bucket: -10 up to 1 second, each next one a quarter of a power of two longer';

SELECT pg_catalog.pg_extension_config_dump('nudge.message_rollups', '');
SELECT pg_catalog.pg_extension_config_dump('nudge.trigger_rollups', '');
SELECT pg_catalog.pg_extension_config_dump('nudge.hour_rollups', '');
SELECT pg_catalog.pg_extension_config_dump('nudge.segment_rollups', '');
SELECT pg_catalog.pg_extension_config_dump('nudge.fatigue_rollups', '');
SELECT pg_catalog.pg_extension_config_dump('nudge.latency_rollups', '');

--
-- Facts
--

CREATE FUNCTION nudge.latency_bucket(latency interval) RETURNS smallint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN extract(epoch FROM latency) <= 0.25 THEN -8
                ELSE least(ceil(4 * log(2, extract(epoch FROM latency))), 120) END::smallint
$$;
COMMENT ON FUNCTION nudge.latency_bucket(interval) IS
    'The bucket of a histogram that a time belongs to: b for more than 2^((b-1)/4) and up to 2^(b/4) seconds, from a quarter of a second on';

-- What is new of each message.  An event that is reported several times, or that
-- happens several times, is one fact: the message was opened.  Events of machines
-- are none.
CREATE VIEW nudge.outcome_facts AS
    SELECT n.message_id,
           (n.sent AND o.sent IS NOT TRUE)::integer AS sent,
           (n.delivered AND o.delivered IS NOT TRUE)::integer AS delivered,
           (n.opened AND o.opened IS NOT TRUE)::integer AS opened,
           (n.clicked AND o.clicked IS NOT TRUE)::integer AS clicked,
           (n.bounced AND o.bounced IS NOT TRUE)::integer AS bounced,
           (n.complained AND o.complained IS NOT TRUE)::integer AS complained,
           (n.unsubscribed AND o.unsubscribed IS NOT TRUE)::integer AS unsubscribed,
           (n.failed AND o.failed IS NOT TRUE)::integer AS failed,
           n.sent_at
    FROM (SELECT e.message_id,
                 bool_or(e.event_type = 'sent') AS sent,
                 bool_or(e.event_type = 'delivered') AS delivered,
                 bool_or(e.event_type = 'opened') AS opened,
                 bool_or(e.event_type = 'clicked') AS clicked,
                 bool_or(e.event_type = 'bounced') AS bounced,
                 bool_or(e.event_type = 'complained') AS complained,
                 bool_or(e.event_type = 'unsubscribed') AS unsubscribed,
                 bool_or(e.event_type IN ('failed', 'dead')) AS failed,
                 min(e.occurred_at) FILTER (WHERE e.event_type = 'sent') AS sent_at
          FROM nudge.events e
          WHERE e.recorded_at >= coalesce((SELECT p.counted_to FROM nudge.rollup_progress p), '-infinity')
              AND e.recorded_at < coalesce((SELECT p.counting_to FROM nudge.rollup_progress p), 'infinity')
              AND e.event_type IN ('sent', 'delivered', 'opened', 'clicked', 'bounced', 'complained', 'unsubscribed', 'failed', 'dead')
              AND e.message_id IS NOT NULL
              AND e.flag IS DISTINCT FROM 'machine'
          GROUP BY e.message_id) AS n
    CROSS JOIN LATERAL (
        SELECT bool_or(e.event_type = 'sent') AS sent,
               bool_or(e.event_type = 'delivered') AS delivered,
               bool_or(e.event_type = 'opened') AS opened,
               bool_or(e.event_type = 'clicked') AS clicked,
               bool_or(e.event_type = 'bounced') AS bounced,
               bool_or(e.event_type = 'complained') AS complained,
               bool_or(e.event_type = 'unsubscribed') AS unsubscribed,
               bool_or(e.event_type = 'failed') AS failed
        FROM nudge.events e
        WHERE e.message_id = n.message_id
            AND e.event_key IS NOT NULL
            AND e.recorded_at < coalesce((SELECT p.counted_to FROM nudge.rollup_progress p), '-infinity')
            AND e.flag IS DISTINCT FROM 'machine') AS o;
COMMENT ON VIEW nudge.outcome_facts IS 'Internal: what has become of messages since nudge.rollup() counted, where it had not before';

-- The message that a conversion counts for, by last touch: of those made in the 7
-- days before it and delivered before it, as far as was known when it was recorded,
-- the last.  So it does not matter when it is counted.
CREATE VIEW nudge.conversion_facts AS
    SELECT t.message_id, c.conversion_id, c.value
    FROM nudge.conversions c
    CROSS JOIN LATERAL (
        SELECT m.message_id
        FROM nudge.messages m
        WHERE m.user_id = c.user_id
            AND m.created_at BETWEEN c.occurred_at - interval '7 days' AND c.occurred_at
            AND EXISTS (
                SELECT FROM nudge.events e
                WHERE e.message_id = m.message_id AND e.event_key IS NOT NULL
                    AND e.event_type IN ('delivered', 'opened', 'clicked')
                    AND e.recorded_at <= c.recorded_at AND e.occurred_at <= c.occurred_at)
        ORDER BY m.created_at DESC, m.message_id DESC
        LIMIT 1) AS t
    WHERE c.recorded_at >= coalesce((SELECT p.counted_to FROM nudge.rollup_progress p), '-infinity')
        AND c.recorded_at < coalesce((SELECT p.counting_to FROM nudge.rollup_progress p), 'infinity');
COMMENT ON VIEW nudge.conversion_facts IS 'Internal: conversions recorded since nudge.rollup() counted, and the messages they count for by last touch';

-- Days and hours are of the time at which the message was made.
CREATE VIEW nudge.message_facts AS
    SELECT (m.created_at AT TIME ZONE z.own)::date AS day,
           m.rule_id, m.channel, m.template_id, m.variant,
           extract(isodow FROM m.created_at AT TIME ZONE coalesce(m.timezone, z.own))::smallint AS weekday,
           extract(hour FROM m.created_at AT TIME ZONE coalesce(m.timezone, z.own))::smallint AS hour,
           least(m.week_before, 4)::smallint AS week_before,
           m.segments, m.priority, m.due_at, m.created_at, f.sent_at,
           f.sent, f.delivered, f.opened, f.clicked, f.bounced, f.complained, f.unsubscribed, f.failed,
           f.conversions, f.revenue
    FROM (SELECT o.message_id, o.sent_at, o.sent, o.delivered, o.opened, o.clicked, o.bounced, o.complained, o.unsubscribed, o.failed,
                 0 AS conversions, 0::numeric AS revenue
          FROM nudge.outcome_facts o
          UNION ALL
          SELECT c.message_id, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 1, c.value
          FROM nudge.conversion_facts c) AS f
    CROSS JOIN (SELECT nudge.setting('timezone') AS own) AS z
    JOIN nudge.messages m ON m.message_id = f.message_id
    WHERE (SELECT p.days FROM nudge.rollup_progress p) IS NULL
        OR (m.created_at AT TIME ZONE z.own)::date = ANY ((SELECT p.days FROM nudge.rollup_progress p)::date[]);
COMMENT ON VIEW nudge.message_facts IS 'Internal: what has become of messages since nudge.rollup() counted, with all that it counts under';

-- A trigger is counted as fired where it is put into nudge.pending, or dropped by the
-- statement that fired it, and as what became of it on the day on which it did.
CREATE VIEW nudge.trigger_facts AS
    SELECT (e.recorded_at AT TIME ZONE z.own)::date AS day, e.rule_id,
           (e.event_type = 'scheduled' OR e.pending_id IS NULL AND e.event_type <> 'dead')::integer AS triggered,
           (e.event_type = 'capped' AND e.pending_id IS NULL OR e.event_type = 'skipped' AND coalesce(e.reason, '') = 'capped')::integer AS capped,
           (e.event_type = 'skipped' AND coalesce(e.reason, '') <> 'capped')::integer AS skipped,
           (e.event_type = 'held_out')::integer AS held_out,
           (e.event_type = 'dead')::integer AS failed
    FROM nudge.events e
    CROSS JOIN (SELECT nudge.setting('timezone') AS own) AS z
    WHERE e.recorded_at >= coalesce((SELECT p.counted_to FROM nudge.rollup_progress p), '-infinity')
        AND e.recorded_at < coalesce((SELECT p.counting_to FROM nudge.rollup_progress p), 'infinity')
        AND e.event_type IN ('scheduled', 'capped', 'skipped', 'held_out', 'dead')
        AND (e.event_type <> 'capped' OR e.pending_id IS NULL)
        AND (e.event_type <> 'dead' OR e.message_id IS NULL)
        AND ((SELECT p.days FROM nudge.rollup_progress p) IS NULL
             OR (e.recorded_at AT TIME ZONE z.own)::date = ANY ((SELECT p.days FROM nudge.rollup_progress p)::date[]));
COMMENT ON VIEW nudge.trigger_facts IS 'Internal: what has become of triggers since nudge.rollup() counted';

--
-- Counting
--

-- Adds the facts that the views show to the rollups; returns how many there were.
CREATE FUNCTION nudge.add_facts() RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
SET work_mem = '64MB' SET jit = off
AS $$
    WITH fact AS MATERIALIZED (
        SELECT * FROM nudge.message_facts),
    by_message AS (
        INSERT INTO nudge.message_rollups AS r
        SELECT f.day, f.rule_id, f.channel, f.template_id, f.variant, sum(f.sent), sum(f.delivered), sum(f.opened), sum(f.clicked),
               sum(f.bounced), sum(f.complained), sum(f.unsubscribed), sum(f.failed), sum(f.conversions), sum(f.revenue)
        FROM fact f
        GROUP BY f.day, f.rule_id, f.channel, f.template_id, f.variant
        ON CONFLICT (day, rule_id, channel, template_id, variant) DO UPDATE
        SET sent = r.sent + excluded.sent, delivered = r.delivered + excluded.delivered, opened = r.opened + excluded.opened,
            clicked = r.clicked + excluded.clicked, bounced = r.bounced + excluded.bounced, complained = r.complained + excluded.complained,
            unsubscribed = r.unsubscribed + excluded.unsubscribed, failed = r.failed + excluded.failed,
            conversions = r.conversions + excluded.conversions, revenue = r.revenue + excluded.revenue),
    by_hour AS (
        INSERT INTO nudge.hour_rollups AS r
        SELECT f.day, f.rule_id, f.weekday, f.hour, sum(f.sent), sum(f.opened), sum(f.clicked), sum(f.conversions)
        FROM fact f
        GROUP BY f.day, f.rule_id, f.weekday, f.hour
        ON CONFLICT (day, rule_id, weekday, hour) DO UPDATE
        SET sent = r.sent + excluded.sent, opened = r.opened + excluded.opened, clicked = r.clicked + excluded.clicked,
            conversions = r.conversions + excluded.conversions),
    by_segment AS (
        INSERT INTO nudge.segment_rollups AS r
        SELECT f.day, f.rule_id, s.segment, sum(f.sent), sum(f.delivered), sum(f.opened), sum(f.clicked),
               sum(f.bounced), sum(f.complained), sum(f.unsubscribed), sum(f.failed), sum(f.conversions), sum(f.revenue)
        FROM fact f CROSS JOIN LATERAL unnest(f.segments) AS s (segment)
        WHERE f.segments <> '{}'
        GROUP BY f.day, f.rule_id, s.segment
        ON CONFLICT (day, rule_id, segment) DO UPDATE
        SET sent = r.sent + excluded.sent, delivered = r.delivered + excluded.delivered, opened = r.opened + excluded.opened,
            clicked = r.clicked + excluded.clicked, bounced = r.bounced + excluded.bounced, complained = r.complained + excluded.complained,
            unsubscribed = r.unsubscribed + excluded.unsubscribed, failed = r.failed + excluded.failed,
            conversions = r.conversions + excluded.conversions, revenue = r.revenue + excluded.revenue),
    by_week AS (
        INSERT INTO nudge.fatigue_rollups AS r
        SELECT f.day, f.rule_id, f.week_before, sum(f.sent), sum(f.opened)
        FROM fact f
        WHERE f.week_before IS NOT NULL
        GROUP BY f.day, f.rule_id, f.week_before
        ON CONFLICT (day, rule_id, week_before) DO UPDATE
        SET sent = r.sent + excluded.sent, opened = r.opened + excluded.opened),
    by_latency AS (
        INSERT INTO nudge.latency_rollups AS r
        SELECT f.day, f.priority, s.step, s.bucket, count(*)
        FROM fact f
        CROSS JOIN LATERAL (VALUES ('made', nudge.latency_bucket(f.created_at - f.due_at)),
                                   ('sent', nudge.latency_bucket(f.sent_at - f.due_at))) AS s (step, bucket)
        WHERE f.sent > 0 AND f.due_at IS NOT NULL
        GROUP BY f.day, f.priority, s.step, s.bucket
        ON CONFLICT (day, priority, step, bucket) DO UPDATE
        SET messages = r.messages + excluded.messages),
    by_trigger AS (
        INSERT INTO nudge.trigger_rollups AS r
        SELECT f.day, f.rule_id, sum(f.triggered), sum(f.capped), sum(f.skipped), sum(f.held_out), sum(f.failed)
        FROM nudge.trigger_facts f
        GROUP BY f.day, f.rule_id
        ON CONFLICT (day, rule_id) DO UPDATE
        SET triggered = r.triggered + excluded.triggered, capped = r.capped + excluded.capped, skipped = r.skipped + excluded.skipped,
            held_out = r.held_out + excluded.held_out, failed = r.failed + excluded.failed)
    SELECT count(*) FROM fact
$$;
COMMENT ON FUNCTION nudge.add_facts() IS 'Internal: adds what the views of facts show to the rollups; how many facts of messages';

-- Counts the days anew, from all that has been counted of them and is still there.
CREATE FUNCTION nudge.count_days_anew(days date[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    reached timestamptz;
    facts   bigint;
BEGIN
    DELETE FROM nudge.message_rollups r WHERE r.day = ANY (count_days_anew.days);
    DELETE FROM nudge.hour_rollups r WHERE r.day = ANY (count_days_anew.days);
    DELETE FROM nudge.segment_rollups r WHERE r.day = ANY (count_days_anew.days);
    DELETE FROM nudge.fatigue_rollups r WHERE r.day = ANY (count_days_anew.days);
    DELETE FROM nudge.latency_rollups r WHERE r.day = ANY (count_days_anew.days);
    DELETE FROM nudge.trigger_rollups r WHERE r.day = ANY (count_days_anew.days);
    UPDATE nudge.rollup_progress p SET counting_to = p.counted_to, counted_to = '-infinity', days = count_days_anew.days
    RETURNING p.counting_to INTO reached;
    facts := nudge.add_facts();
    UPDATE nudge.rollup_progress p SET counted_to = reached, counting_to = 'infinity', days = NULL;
    RETURN facts;
END
$$;
COMMENT ON FUNCTION nudge.count_days_anew(date[]) IS 'Internal: counts the facts of some days anew; how many there are';

-- The time before which all events and conversions can be seen.  As
-- nudge.lifecycle_horizon for actions: recorded_at is the start of a transaction,
-- whose rows come into sight at its end.
CREATE FUNCTION nudge.events_horizon(as_of timestamptz) RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    horizon timestamptz;
BEGIN
    PERFORM pg_stat_clear_snapshot();
    -- In this order, since a running transaction may become a prepared one meanwhile
    horizon := least(as_of, now(),
                     (SELECT min(CASE a.state WHEN 'disabled' THEN '-infinity' ELSE a.xact_start END)
                      FROM pg_stat_activity a
                      WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
                          AND a.backend_type <> 'autovacuum worker'));
    IF EXISTS (SELECT FROM pg_locks l
               WHERE l.pid IS NULL AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
                   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                   AND (l.relation = 'nudge.conversions'::regclass
                        OR l.relation IN (SELECT t.relid FROM pg_partition_tree('nudge.events') t)))
    THEN
        RETURN '-infinity';
    END IF;
    RETURN horizon;
END
$$;
COMMENT ON FUNCTION nudge.events_horizon(timestamptz) IS
    'Internal: all events and conversions recorded before this time can be seen; -infinity where that is not known';

-- Raises unless the transaction may count, and lets one count at a time.
CREATE FUNCTION nudge.rollup_begin(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'nudge.%() cannot count in a read-only transaction', name USING ERRCODE = '25006',
            HINT = 'Connect to the primary server, in a transaction that may write.';
    END IF;
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'nudge.%() needs isolation level READ COMMITTED', name USING ERRCODE = '25000',
            DETAIL = 'The snapshot of this transaction may be older than what is to be counted.',
            HINT = 'Call it in a transaction of its own.';
    END IF;
    -- ('nudg', 6): one at a time in a database, to the end of the transaction
    IF NOT pg_try_advisory_xact_lock(1853187175, 6) THEN
        RETURN false;
    END IF;
    INSERT INTO nudge.rollup_progress DEFAULT VALUES ON CONFLICT DO NOTHING;
    RETURN true;
END
$$;
COMMENT ON FUNCTION nudge.rollup_begin(text) IS 'Internal: whether this transaction may count; false where another one does';

CREATE FUNCTION nudge.rollup(as_of timestamptz DEFAULT clock_timestamp() - interval '10 s') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    horizon  timestamptz;
    rescored date[];
    facts    bigint := 0;
BEGIN
    IF as_of IS NULL OR NOT isfinite(as_of) THEN
        RAISE EXCEPTION 'as_of must be a finite time, not %', coalesce(as_of::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Leave it out to count all there is.';
    END IF;
    IF NOT nudge.rollup_begin('rollup') THEN
        RETURN 0;
    END IF;
    horizon := nudge.events_horizon(as_of);
    UPDATE nudge.rollup_progress p SET counting_to = horizon WHERE p.counted_to < horizon;
    IF FOUND THEN
        facts := nudge.add_facts();
        UPDATE nudge.rollup_progress p SET counted_to = horizon, counting_to = 'infinity';
    END IF;

    -- What machines were taken for, or what was taken for machines
    WITH gone AS (DELETE FROM nudge.rescored_messages RETURNING message_id)
    SELECT array_agg(DISTINCT (m.created_at AT TIME ZONE nudge.setting('timezone'))::date) INTO rescored
    FROM gone g JOIN nudge.messages m ON m.message_id = g.message_id;
    IF rescored IS NOT NULL THEN
        PERFORM nudge.count_days_anew(rescored);
    END IF;
    RETURN facts;
END
$$;
COMMENT ON FUNCTION nudge.rollup(timestamptz) IS
    'Moves what was recorded up to as_of, and is surely all there, into the rollups, from where it stopped; one run at a time, others return 0. How many facts of messages it moved';

CREATE FUNCTION nudge.rebuild_rollups(since date DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first_day date;
    all_days  date[];
BEGIN
    IF NOT nudge.rollup_begin('rebuild_rollups') THEN
        RAISE EXCEPTION 'nudge.rollup() is at work' USING ERRCODE = '55006', HINT = 'Try again when it has ended.';
    END IF;
    -- Of the first day that is left, some may be gone.
    SELECT min(d.day) INTO first_day
    FROM (SELECT (min(e.recorded_at) AT TIME ZONE nudge.setting('timezone'))::date AS day FROM nudge.events e
          UNION ALL
          SELECT (min(m.created_at) AT TIME ZONE nudge.setting('timezone'))::date FROM nudge.messages m) AS d;
    IF EXISTS (SELECT FROM nudge.message_rollups r WHERE r.day < first_day
               UNION ALL SELECT FROM nudge.trigger_rollups r WHERE r.day < first_day) THEN
        first_day := first_day + 1;
    END IF;
    first_day := greatest(first_day, since);
    all_days := ARRAY(
        SELECT r.day FROM nudge.message_rollups r WHERE r.day >= first_day
        UNION SELECT r.day FROM nudge.trigger_rollups r WHERE r.day >= first_day
        UNION SELECT g.day::date FROM generate_series(first_day::timestamp, now() AT TIME ZONE 'UTC' + interval '2 days', '1 day') AS g (day));
    RETURN nudge.count_days_anew(all_days);
END
$$;
COMMENT ON FUNCTION nudge.rebuild_rollups(date) IS
    'Counts anew what has been counted of the days since (NULL: all days), as far as the raw rows are still there; figures of days whose raw rows are gone stay. How many facts of messages there are';

INSERT INTO nudge.jobs (job_name, schedule, command, description) VALUES
    ('nudge rollup', '*/5 * * * *', 'SELECT nudge.rollup()', 'Moves what was recorded into the figures that outlive it');

REVOKE ALL ON TABLE nudge.rollup_progress, nudge.message_rollups, nudge.trigger_rollups, nudge.hour_rollups, nudge.segment_rollups,
    nudge.fatigue_rollups, nudge.latency_rollups, nudge.outcome_facts, nudge.conversion_facts, nudge.message_facts, nudge.trigger_facts FROM PUBLIC;
REVOKE ALL ON FUNCTION nudge.latency_bucket(interval), nudge.add_facts(), nudge.count_days_anew(date[]), nudge.events_horizon(timestamptz),
    nudge.rollup_begin(text), nudge.rollup(timestamptz), nudge.rebuild_rollups(date) FROM PUBLIC;
INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('executor', 'routine', 'rollup', 'EXECUTE'),
    ('executor', 'routine', 'rebuild_rollups', 'EXECUTE');
