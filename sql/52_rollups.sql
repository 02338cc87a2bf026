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
    days        date[],
    gone_before timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON TABLE nudge.rollup_progress IS 'How far nudge.rollup() has counted; no row before its first run';
COMMENT ON COLUMN nudge.rollup_progress.counted_to IS 'What was recorded before this time is in the rollups';
COMMENT ON COLUMN nudge.rollup_progress.counting_to IS 'Within nudge.rollup(): up to where facts are shown; for everybody else infinity';
COMMENT ON COLUMN nudge.rollup_progress.days IS 'Within nudge.rollup(): the days whose messages'' facts are shown; for everybody else NULL, all';
COMMENT ON COLUMN nudge.rollup_progress.gone_before IS 'Raw rows from before this time may have been deleted, being past their retention';
SELECT pg_catalog.pg_extension_config_dump('nudge.rollup_progress', '');

CREATE TABLE nudge.message_rollups (
    day          date NOT NULL,
    rule_id      bigint,
    channel      text NOT NULL,
    template_id  text COLLATE "C",
    variant      text COLLATE "C",
    sent         integer NOT NULL,
    delivered    integer NOT NULL,
    opened       integer NOT NULL,
    clicked      integer NOT NULL,
    bounced      integer NOT NULL,
    complained   integer NOT NULL,
    unsubscribed integer NOT NULL,
    failed       integer NOT NULL,
    conversions  integer NOT NULL,
    revenue      numeric NOT NULL,
    UNIQUE NULLS NOT DISTINCT (day, rule_id, channel, template_id, variant)
);
COMMENT ON TABLE nudge.message_rollups IS 'What became of messages, by the day (of nudge.timezone) on which they were made, rule, channel, template and variant';

-- Most questions are about rules, so these have what they need in few rows.
CREATE TABLE nudge.rule_rollups (
    day          date NOT NULL,
    rule_id      bigint,
    triggered    integer NOT NULL,
    capped       integer NOT NULL,
    skipped      integer NOT NULL,
    held_out     integer NOT NULL,
    sent         integer NOT NULL,
    delivered    integer NOT NULL,
    opened       integer NOT NULL,
    clicked      integer NOT NULL,
    bounced      integer NOT NULL,
    complained   integer NOT NULL,
    unsubscribed integer NOT NULL,
    failed       integer NOT NULL,
    conversions  integer NOT NULL,
    revenue      numeric NOT NULL,
    UNIQUE NULLS NOT DISTINCT (day, rule_id)
);
COMMENT ON TABLE nudge.rule_rollups IS 'What became of triggers, by the day (of nudge.timezone) on which it did, and of messages, by the day on which they were made; by rule';
COMMENT ON COLUMN nudge.rule_rollups.failed IS 'Messages that could not be sent, and triggers given up after their last try';

CREATE TABLE nudge.hour_rollups (
    day         date NOT NULL,
    rule_id     bigint,
    weekday     smallint NOT NULL,
    hour        smallint NOT NULL,
    sent        integer NOT NULL,
    opened      integer NOT NULL,
    clicked     integer NOT NULL,
    conversions integer NOT NULL,
    UNIQUE NULLS NOT DISTINCT (day, rule_id, weekday, hour)
);
COMMENT ON TABLE nudge.hour_rollups IS 'What became of messages, by day, rule, and weekday and hour of the user''s clock when they were made';

CREATE TABLE nudge.segment_rollups (
    day          date NOT NULL,
    rule_id      bigint,
    segment      text COLLATE "C" NOT NULL,
    sent         integer NOT NULL,
    delivered    integer NOT NULL,
    opened       integer NOT NULL,
    clicked      integer NOT NULL,
    bounced      integer NOT NULL,
    complained   integer NOT NULL,
    unsubscribed integer NOT NULL,
    failed       integer NOT NULL,
    conversions  integer NOT NULL,
    revenue      numeric NOT NULL,
    UNIQUE NULLS NOT DISTINCT (day, rule_id, segment)
);
COMMENT ON TABLE nudge.segment_rollups IS 'What became of messages, by day, rule and segment; a message counts in each segment its user was in';

CREATE TABLE nudge.fatigue_rollups (
    day         date NOT NULL,
    rule_id     bigint,
    week_before smallint NOT NULL,
    sent        integer NOT NULL,
    opened      integer NOT NULL,
    UNIQUE NULLS NOT DISTINCT (day, rule_id, week_before)
);
COMMENT ON TABLE nudge.fatigue_rollups IS 'What became of messages, by day, rule, and how many the user got in the week before (4: 4 or more)';

CREATE TABLE nudge.latency_rollups (
    day      date NOT NULL,
    priority nudge.priority NOT NULL,
    step     text NOT NULL CHECK (step IN ('made', 'sent')),
    bucket   smallint NOT NULL,
    messages integer NOT NULL,
    UNIQUE (day, priority, step, bucket)
);
COMMENT ON TABLE nudge.latency_rollups IS 'How long messages took from when they were due until they were made, and until they were sent, as a histogram';
COMMENT ON COLUMN nudge.latency_rollups.bucket IS 'Of nudge.latency_bucket: -8 is up to a quarter of a second, each next one a quarter of a power of two longer';

SELECT pg_catalog.pg_extension_config_dump('nudge.message_rollups', '');
SELECT pg_catalog.pg_extension_config_dump('nudge.rule_rollups', '');
SELECT pg_catalog.pg_extension_config_dump('nudge.hour_rollups', '');
SELECT pg_catalog.pg_extension_config_dump('nudge.segment_rollups', '');
SELECT pg_catalog.pg_extension_config_dump('nudge.fatigue_rollups', '');
SELECT pg_catalog.pg_extension_config_dump('nudge.latency_rollups', '');

--
-- Facts
--

-- (Bodies that are parsed at once and take no settings: queries take them in.)
CREATE FUNCTION nudge.latency_bucket(latency interval) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN least(ceil(4 * ln(greatest(date_part('epoch', latency), 0.25)) / ln(2::float8)), 120)::smallint;
COMMENT ON FUNCTION nudge.latency_bucket(interval) IS
    'The bucket of a histogram that a time belongs to: b for more than 2^((b-1)/4) and up to 2^(b/4) seconds, from a quarter of a second on';

CREATE FUNCTION nudge.outcome_bit(event_type text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE event_type WHEN 'sent' THEN 257 WHEN 'delivered' THEN 3 WHEN 'opened' THEN 5 WHEN 'clicked' THEN 9 WHEN 'bounced' THEN 17
                       WHEN 'complained' THEN 33 WHEN 'unsubscribed' THEN 65 WHEN 'failed' THEN 128 WHEN 'dead' THEN 128 ELSE 0 END;
COMMENT ON FUNCTION nudge.outcome_bit(text) IS 'Internal: the bits that stand for what events of a type say of their message, 1 being that it was sent, which is said by whatever became of it, and 256 that this was reported; 0 for other types';

-- The message that a conversion counts for, by last touch: of those that reached the
-- user in the 7 days before it (or in the shorter window of its goal), the last.  It
-- reached the user when it was delivered; where that is not known, when it was sent,
-- else when it was first opened or clicked, as in nudge.touches().  What counts is
-- what had been recorded when the conversion was, so it does not matter when it is
-- counted.  (A message is at most 5 days in the queue, so 30 days are enough to find
-- those that were delivered in seven.)
CREATE VIEW nudge.last_touches AS
    SELECT t.message_id, c.conversion_id, c.user_id, c.value, c.recorded_at
    FROM nudge.conversions c
    LEFT JOIN nudge.conversion_goals g ON g.name = c.goal
    CROSS JOIN LATERAL (
        SELECT m.message_id, a.at
        FROM nudge.messages m
        CROSS JOIN LATERAL (
            SELECT min(e.occurred_at) FILTER (WHERE e.event_type = 'delivered' AND e.flag IS DISTINCT FROM 'in_future') AS delivered_at,
                   min(e.occurred_at) FILTER (WHERE e.event_type = 'sent') AS sent_at,
                   min(CASE WHEN e.flag = 'in_future' THEN e.recorded_at ELSE e.occurred_at END) AS first_at
            FROM nudge.events e
            WHERE e.message_id = m.message_id AND e.event_key IS NOT NULL
                AND e.event_type IN ('sent', 'delivered', 'opened', 'clicked')
                AND e.recorded_at >= m.created_at AND e.recorded_at <= c.recorded_at
            HAVING bool_or(e.event_type <> 'sent')) AS e
        LEFT JOIN LATERAL (
            SELECT min(r.sent_at) AS sent_at FROM nudge.message_results r
            WHERE r.message_id = m.message_id AND r.finished_at >= m.created_at AND r.finished_at <= c.recorded_at
                AND e.delivered_at IS NULL) AS r ON true
        CROSS JOIN LATERAL (SELECT coalesce(e.delivered_at, least(e.sent_at, r.sent_at), e.first_at) AS at) AS a
        WHERE m.user_id = c.user_id
            AND m.created_at BETWEEN c.occurred_at - interval '30 days' AND c.recorded_at
            AND a.at BETWEEN c.occurred_at - least(interval '168 hours', make_interval(secs => date_part('epoch', g."window"))) AND c.occurred_at
        ORDER BY a.at DESC, m.message_id DESC
        LIMIT 1) AS t;
COMMENT ON VIEW nudge.last_touches IS 'Internal: conversions, and the messages they count for by last touch';

CREATE VIEW nudge.conversion_touches AS
    SELECT c.message_id, c.conversion_id, c.value
    FROM nudge.last_touches c
    WHERE c.recorded_at >= coalesce((SELECT p.counted_to FROM nudge.rollup_progress p), '-infinity')
        AND c.recorded_at < coalesce((SELECT p.counting_to FROM nudge.rollup_progress p), 'infinity');
COMMENT ON VIEW nudge.conversion_touches IS 'Internal: conversions recorded since nudge.rollup() counted, and the messages they count for by last touch';

-- What is new of each message.  An event that is reported several times, or that
-- happens several times, is one fact: the message was opened.  Events of machines
-- are none.  What was known of a message before is found by the unique index of
-- events with a key, and in message_results for those without (the mailer's).
--
-- Days and hours are of the time at which the message was made.  Messages from before
-- 0.4.0 do not tell of the week before them.
--
-- (In the order of messages, neighbours find the same pages; OFFSET 0 has outcomes
-- computed once, not once for each column made of them.)
CREATE VIEW nudge.message_facts AS
    SELECT (f.created_at AT TIME ZONE (SELECT nudge.setting('timezone')))::date AS day,
           f.rule_id, f.channel, f.template_id, f.variant,
           date_part('isodow', f.created_at AT TIME ZONE coalesce(f.timezone, (SELECT nudge.setting('timezone'))))::smallint AS weekday,
           date_part('hour', f.created_at AT TIME ZONE coalesce(f.timezone, (SELECT nudge.setting('timezone'))))::smallint AS hour,
           least(coalesce(f.week_before,
                          (SELECT count(*) FROM nudge.messages b
                           WHERE b.user_id = f.user_id AND b.created_at > f.created_at - interval '168 hours' AND b.created_at <= f.created_at
                               AND (b.created_at, b.message_id) < (f.created_at, f.message_id))), 4)::smallint AS week_before,
           f.segments, f.priority, f.due_at, f.created_at, f.sent_at,
           f.outcomes & 1 AS sent, f.outcomes >> 1 & 1 AS delivered, f.outcomes >> 2 & 1 AS opened, f.outcomes >> 3 & 1 AS clicked,
           f.outcomes >> 4 & 1 AS bounced, f.outcomes >> 5 & 1 AS complained, f.outcomes >> 6 & 1 AS unsubscribed, f.outcomes >> 7 & 1 AS failed,
           f.conversions, f.revenue, f.outcomes >> 8 & 1 AS reported_sent
    FROM (SELECT m.message_id, m.user_id, m.rule_id, m.channel, m.template_id, m.variant, m.timezone, m.week_before,
                 m.segments, m.priority, m.due_at, m.created_at, n.sent_at, n.conversions, n.revenue,
                 n.outcomes
                 & ~CASE WHEN n.outcomes <> 0 AND m.created_at < (SELECT p.counted_to FROM nudge.rollup_progress p)
                         THEN coalesce((SELECT bit_or(nudge.outcome_bit(e.event_type))
                                        FROM nudge.events e
                                        WHERE e.message_id = m.message_id AND e.event_key IS NOT NULL
                                            AND e.recorded_at >= m.created_at
                                            AND e.recorded_at < (SELECT p.counted_to FROM nudge.rollup_progress p)
                                            AND e.flag IS DISTINCT FROM 'machine'), 0)
                              | coalesce((SELECT bit_or(nudge.outcome_bit(r.status::text))
                                          FROM nudge.message_results r
                                          WHERE r.message_id = m.message_id
                                              AND r.finished_at >= m.created_at
                                              AND r.finished_at < (SELECT p.counted_to FROM nudge.rollup_progress p)), 0)
                         ELSE 0 END AS outcomes
          FROM (SELECT e.message_id, bit_or(nudge.outcome_bit(e.event_type)) AS outcomes,
                       min(e.recorded_at) FILTER (WHERE e.event_type = 'sent') AS sent_at, 0 AS conversions, 0::numeric AS revenue
                FROM nudge.events e
                WHERE e.recorded_at >= coalesce((SELECT p.counted_to FROM nudge.rollup_progress p), '-infinity')
                    AND e.recorded_at < coalesce((SELECT p.counting_to FROM nudge.rollup_progress p), 'infinity')
                    AND e.event_type IN ('sent', 'delivered', 'opened', 'clicked', 'bounced', 'complained', 'unsubscribed', 'failed', 'dead')
                    AND e.message_id IS NOT NULL
                    AND e.flag IS DISTINCT FROM 'machine'
                GROUP BY e.message_id
                UNION ALL
                SELECT c.message_id, 0, NULL, 1, c.value
                FROM nudge.conversion_touches c
                ORDER BY message_id) AS n
          JOIN nudge.messages m ON m.message_id = n.message_id
          OFFSET 0) AS f
    WHERE (f.outcomes <> 0 OR f.conversions <> 0)
        AND ((SELECT p.days FROM nudge.rollup_progress p) IS NULL
             OR (f.created_at AT TIME ZONE (SELECT nudge.setting('timezone')))::date = ANY ((SELECT p.days FROM nudge.rollup_progress p)::date[]));
COMMENT ON VIEW nudge.message_facts IS 'Internal: what has become of messages since nudge.rollup() counted, where it had not before, with all that it counts under';

-- A trigger is counted as fired where it is put into nudge.pending, or dropped by the
-- statement that fired it, and as what became of it on the day on which it did.  What
-- follows a message that nobody opened (fallback) belongs to the same firing.
CREATE VIEW nudge.trigger_facts AS
    SELECT (e.recorded_at AT TIME ZONE (SELECT nudge.setting('timezone')))::date AS day, e.rule_id,
           (e.event_type = 'scheduled' OR e.pending_id IS NULL AND e.event_type <> 'dead')::integer AS triggered,
           (e.event_type = 'capped' OR e.event_type = 'skipped' AND coalesce(e.reason, '') = 'capped')::integer AS capped,
           (e.event_type = 'skipped' AND coalesce(e.reason, '') <> 'capped')::integer AS skipped,
           (e.event_type = 'held_out')::integer AS held_out,
           (e.event_type = 'dead')::integer AS failed
    FROM nudge.events e
    WHERE e.recorded_at >= coalesce((SELECT p.counted_to FROM nudge.rollup_progress p), '-infinity')
        AND e.recorded_at < coalesce((SELECT p.counting_to FROM nudge.rollup_progress p), 'infinity')
        AND CASE e.event_type
                WHEN 'scheduled' THEN e.reason IS DISTINCT FROM 'fallback'
                WHEN 'capped' THEN e.pending_id IS NULL  -- else some other channel of the trigger goes on
                WHEN 'dead' THEN e.message_id IS NULL
                ELSE e.event_type IN ('skipped', 'held_out') END
        AND ((SELECT p.days FROM nudge.rollup_progress p) IS NULL
             OR (e.recorded_at AT TIME ZONE (SELECT nudge.setting('timezone')))::date = ANY ((SELECT p.days FROM nudge.rollup_progress p)::date[]));
COMMENT ON VIEW nudge.trigger_facts IS 'Internal: what has become of triggers since nudge.rollup() counted';

--
-- Counting
--

-- Adds the facts that the views show to the rollups; returns how many there were.
-- (To be called by a SELECT: in an expression of PL/pgSQL it keeps its plan to the end of
-- the transaction, without the partitions that are made meanwhile.)
CREATE FUNCTION nudge.add_facts() RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
SET work_mem = '128MB' SET jit = off
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
        FROM (SELECT k.day, k.rule_id, k.segments, sum(k.sent) AS sent, sum(k.delivered) AS delivered, sum(k.opened) AS opened, sum(k.clicked) AS clicked,
                     sum(k.bounced) AS bounced, sum(k.complained) AS complained, sum(k.unsubscribed) AS unsubscribed, sum(k.failed) AS failed,
                     sum(k.conversions) AS conversions, sum(k.revenue) AS revenue
              FROM fact k
              WHERE k.segments <> '{}'
              GROUP BY k.day, k.rule_id, k.segments) AS f
        CROSS JOIN LATERAL unnest(f.segments) AS s (segment)
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
        WHERE f.reported_sent > 0 AND f.due_at IS NOT NULL
        GROUP BY f.day, f.priority, s.step, s.bucket
        ON CONFLICT (day, priority, step, bucket) DO UPDATE
        SET messages = r.messages + excluded.messages),
    by_rule AS (
        INSERT INTO nudge.rule_rollups AS r
        SELECT f.day, f.rule_id, sum(f.triggered), sum(f.capped), sum(f.skipped), sum(f.held_out), sum(f.sent), sum(f.delivered), sum(f.opened),
               sum(f.clicked), sum(f.bounced), sum(f.complained), sum(f.unsubscribed), sum(f.failed), sum(f.conversions), sum(f.revenue)
        FROM (SELECT t.day, t.rule_id, t.triggered, t.capped, t.skipped, t.held_out, 0 AS sent, 0 AS delivered, 0 AS opened, 0 AS clicked,
                     0 AS bounced, 0 AS complained, 0 AS unsubscribed, t.failed, 0 AS conversions, 0::numeric AS revenue
              FROM nudge.trigger_facts t
              UNION ALL
              SELECT m.day, m.rule_id, 0, 0, 0, 0, m.sent, m.delivered, m.opened, m.clicked,
                     m.bounced, m.complained, m.unsubscribed, m.failed, m.conversions, m.revenue
              FROM fact m) AS f
        GROUP BY f.day, f.rule_id
        ON CONFLICT (day, rule_id) DO UPDATE
        SET triggered = r.triggered + excluded.triggered, capped = r.capped + excluded.capped, skipped = r.skipped + excluded.skipped,
            held_out = r.held_out + excluded.held_out, sent = r.sent + excluded.sent, delivered = r.delivered + excluded.delivered,
            opened = r.opened + excluded.opened, clicked = r.clicked + excluded.clicked, bounced = r.bounced + excluded.bounced,
            complained = r.complained + excluded.complained, unsubscribed = r.unsubscribed + excluded.unsubscribed,
            failed = r.failed + excluded.failed, conversions = r.conversions + excluded.conversions, revenue = r.revenue + excluded.revenue)
    SELECT count(*) FROM fact
$$;
COMMENT ON FUNCTION nudge.add_facts() IS 'Internal: adds what the views of facts show to the rollups; how many facts of messages';

CREATE FUNCTION nudge.first_whole_day() RETURNS date
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN p.gone_before = '-infinity' THEN '-infinity'
                ELSE ceil(extract(epoch FROM l.at) / 86400)::integer + date '1970-01-01' END
    FROM nudge.rollup_progress p
    CROSS JOIN LATERAL (SELECT p.gone_before AT TIME ZONE nudge.setting('timezone') AS at) AS l
$$;
COMMENT ON FUNCTION nudge.first_whole_day() IS 'Internal: the first day (of nudge.timezone) no raw row of which has been deleted for its age';

-- Counts days anew, from all that had been counted of them.  Nothing that belongs to
-- a day was recorded before it.
CREATE FUNCTION nudge.count_days_anew(days date[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    first_at CONSTANT timestamptz := (SELECT min(d.day) FROM unnest(count_days_anew.days) AS d (day))::timestamp
                                     AT TIME ZONE nudge.setting('timezone');
    reached  timestamptz;
    facts    bigint;
BEGIN
    DELETE FROM nudge.message_rollups r WHERE r.day = ANY (count_days_anew.days);
    DELETE FROM nudge.rule_rollups r WHERE r.day = ANY (count_days_anew.days);
    DELETE FROM nudge.hour_rollups r WHERE r.day = ANY (count_days_anew.days);
    DELETE FROM nudge.segment_rollups r WHERE r.day = ANY (count_days_anew.days);
    DELETE FROM nudge.fatigue_rollups r WHERE r.day = ANY (count_days_anew.days);
    DELETE FROM nudge.latency_rollups r WHERE r.day = ANY (count_days_anew.days);
    SELECT p.counted_to INTO reached FROM nudge.rollup_progress p;
    UPDATE nudge.rollup_progress p SET counting_to = reached, counted_to = first_at, days = count_days_anew.days;
    SELECT nudge.add_facts() INTO facts;
    UPDATE nudge.rollup_progress p SET counted_to = reached, counting_to = 'infinity', days = NULL;
    RETURN facts;
END
$$;
COMMENT ON FUNCTION nudge.count_days_anew(date[]) IS 'Internal: counts the facts of some days anew; how many of messages there are';

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

-- Rows of rescored_messages that are seen here are gone from then on.  Whatever is
-- rescored meanwhile leaves a row for the next run.
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
    PERFORM nudge.collect_conversions();

    -- Events that machines were taken for, or that were taken for machines', and had
    -- been counted before that
    WITH gone AS (DELETE FROM nudge.rescored_messages RETURNING message_id)
    SELECT array_agg(DISTINCT d.day) INTO rescored
    FROM gone g
    JOIN nudge.messages m ON m.message_id = g.message_id
    CROSS JOIN LATERAL (SELECT (m.created_at AT TIME ZONE nudge.setting('timezone'))::date AS day) AS d
    WHERE d.day >= nudge.first_whole_day()
        AND EXISTS (SELECT FROM nudge.events e
                    WHERE e.message_id = m.message_id AND e.event_key IS NOT NULL
                        AND e.event_type IN ('opened', 'clicked', 'unsubscribed')
                        AND e.recorded_at >= m.created_at
                        AND e.recorded_at < (SELECT p.counted_to FROM nudge.rollup_progress p));

    horizon := nudge.events_horizon(as_of);
    UPDATE nudge.rollup_progress p SET counting_to = horizon WHERE p.counted_to < horizon;
    IF FOUND THEN
        SELECT nudge.add_facts() INTO facts;
        UPDATE nudge.rollup_progress p SET counted_to = horizon, counting_to = 'infinity';
    END IF;
    IF rescored IS NOT NULL THEN
        PERFORM nudge.count_days_anew(rescored);
    END IF;
    RETURN facts;
END
$$;
COMMENT ON FUNCTION nudge.rollup(timestamptz) IS
    'Collects conversions in actions, and moves what was recorded before as_of, and is surely all there, into the rollups, from where it stopped; one run at a time, others return 0. How many facts of messages it moved. 22023: as_of is not a finite time; 25000: not READ COMMITTED; 25006: read-only';

CREATE FUNCTION nudge.rebuild_rollups(since date DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first_day date;
    all_days  date[];
BEGIN
    IF NOT isfinite(since) THEN
        RAISE EXCEPTION 'since must be a finite date, not %', since
            USING ERRCODE = '22023', HINT = 'Leave it out to count all days anew.';
    END IF;
    IF NOT nudge.rollup_begin('rebuild_rollups') THEN
        RAISE EXCEPTION 'nudge.rollup() is at work' USING ERRCODE = '55006', HINT = 'Try again when it has ended.';
    END IF;
    SELECT greatest(min(d.day), nudge.first_whole_day(), since) INTO first_day
    FROM (SELECT (min(e.recorded_at) AT TIME ZONE nudge.setting('timezone'))::date AS day FROM nudge.events e
          UNION ALL
          SELECT (min(m.created_at) AT TIME ZONE nudge.setting('timezone'))::date FROM nudge.messages m) AS d
    HAVING min(d.day) IS NOT NULL;
    all_days := ARRAY(
        SELECT r.day FROM nudge.rule_rollups r WHERE r.day >= first_day
        UNION SELECT g.day::date
        FROM generate_series(first_day::timestamp, now() AT TIME ZONE nudge.setting('timezone') + interval '1 day', '1 day') AS g (day));
    IF all_days = '{}' THEN
        RETURN 0;
    END IF;
    RETURN nudge.count_days_anew(all_days);
END
$$;
COMMENT ON FUNCTION nudge.rebuild_rollups(date) IS
    'Counts anew what nudge.rollup() has counted of the days since (NULL: all days), as far as the raw rows are still there; figures of days whose raw rows are gone stay. How many facts of messages there are. 22023: since is not finite; 55006: nudge.rollup() is at work; 25000: not READ COMMITTED; 25006: read-only';

INSERT INTO nudge.jobs (job_name, schedule, command, description) VALUES
    ('nudge rollup', '*/5 * * * *', 'SELECT nudge.rollup()', 'Moves what was recorded into the figures that outlive it');

REVOKE ALL ON TABLE nudge.rollup_progress, nudge.message_rollups, nudge.rule_rollups, nudge.hour_rollups, nudge.segment_rollups,
    nudge.fatigue_rollups, nudge.latency_rollups, nudge.last_touches, nudge.conversion_touches, nudge.message_facts, nudge.trigger_facts FROM PUBLIC;
REVOKE ALL ON FUNCTION nudge.latency_bucket(interval), nudge.outcome_bit(text), nudge.add_facts(), nudge.first_whole_day(),
    nudge.count_days_anew(date[]), nudge.events_horizon(timestamptz), nudge.rollup_begin(text), nudge.rollup(timestamptz),
    nudge.rebuild_rollups(date) FROM PUBLIC;
INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('executor', 'routine', 'rollup', 'EXECUTE'),
    ('executor', 'routine', 'rebuild_rollups', 'EXECUTE');
