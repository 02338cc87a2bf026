-- Figures against plain SQL over the raw rows, on random data: before anything is
-- rolled up, at each step of it with what came since, after machines were told from
-- people once more, and after a rebuild.  All in a transaction that is undone.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET jit = off;
BEGIN;
TRUNCATE nudge.events, nudge.messages, nudge.message_results, nudge.conversions, nudge.rescored_messages, nudge.rollup_progress, nudge.message_rollups,
    nudge.rule_rollups, nudge.hour_rollups, nudge.segment_rollups, nudge.fatigue_rollups, nudge.latency_rollups;
SET LOCAL nudge.timezone = 'America/New_York';
SELECT setseed(0.5);
-- one to whom nothing happens, and ids that are no rule's any more
INSERT INTO nudge.rules (name, trigger_type) SELECT 'rp_' || i, 'behavioral' FROM generate_series(1, 5) AS i;
CREATE TEMP TABLE rule AS SELECT array_agg(rule_id ORDER BY name) || '{-1,NULL}'::bigint[] AS ids FROM nudge.rules WHERE name LIKE 'rp\_%';
INSERT INTO nudge.conversion_goals (name, action_type, "window") VALUES ('rp_short', 'rp_buy', '2 days');

INSERT INTO nudge.messages (user_id, pending_id, rule_id, channel, recipient, template_id, variant, timezone, segments, priority, created_at, due_at, week_before)
SELECT 'rp_' || floor(random() * 30), i, (SELECT ids FROM rule)[2 + floor(random() * 6)::int], (ARRAY['email', 'push'])[1 + floor(random() * 2)::int], 'x',
       (ARRAY['a', 'b', NULL])[1 + floor(random() * 3)::int], (ARRAY['x', 'y', NULL])[1 + floor(random() * 3)::int],
       (ARRAY['Asia/Tokyo', 'Europe/Berlin', NULL])[1 + floor(random() * 3)::int],
       (ARRAY['{}', '{gold}', '{gold,women}', NULL])[1 + floor(random() * 4)::int]::text[],
       (ARRAY['immediate', 'normal', 'batch'])[1 + floor(random() * 3)::int]::nudge.priority, t.at,
       CASE WHEN random() < 0.8 THEN t.at - power(random(), 5) * interval '3 hours' END, CASE WHEN random() < 0.7 THEN floor(random() * 7) END
FROM generate_series(1, 1000) AS i, LATERAL (SELECT timestamptz '2026-03-01' + floor(random() * 30 + i * 0) * interval '1 day' + floor(random() * 86400) * interval '1 s' AS at) AS t;
-- How messages ended, as nudge.ack and nudge.nack leave it
CREATE TEMP TABLE ended AS
    SELECT m.*, CASE WHEN random() < 0.85 THEN 'sent' WHEN random() < 0.5 THEN 'failed' WHEN random() < 0.5 THEN 'dead' END AS status, m.created_at + random() * interval '6 hours' AS at
    FROM nudge.messages m;
INSERT INTO nudge.message_results (message_id, user_id, created_at, status, attempts, finished_at, sent_at)
SELECT message_id, user_id, created_at, status::nudge.message_status, 1, at, CASE WHEN status = 'sent' THEN at END FROM ended WHERE status IS NOT NULL;
INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, message_id, occurred_at, recorded_at)
SELECT user_id, status, rule_id, pending_id, message_id, at, at FROM ended WHERE status IS NOT NULL;
-- What is reported: in any order, late, several times, by machines
INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, message_id, flag, occurred_at, recorded_at, event_key)
SELECT m.user_id, e.type, m.rule_id, m.pending_id, m.message_id,
       (ARRAY['machine', 'before_message', 'in_future', NULL, NULL, NULL])[1 + floor(random() * 6)::int], r.at - random() * interval '1 day', r.at, 'k' || n
FROM nudge.messages m
CROSS JOIN (VALUES ('sent', 0.05), ('delivered', 0.7), ('opened', 0.4), ('clicked', 0.2), ('bounced', 0.1), ('complained', 0.05), ('unsubscribed', 0.05), ('failed', 0.05),
                   ('converted', 0.1)) AS e (type, share)
CROSS JOIN generate_series(1, 3) AS n
-- (of all that it is joined with, or it would be computed but once a message)
CROSS JOIN LATERAL (SELECT m.created_at + power(random(), 3 + 0 * n * length(e.type)) * interval '20 days' AS at) AS r
WHERE random() < e.share + 0 * (m.message_id + n);
INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, message_id, reason, recorded_at)
SELECT 'rp_1', (ARRAY['scheduled', 'capped', 'skipped', 'held_out', 'dead', 'failed', 'deferred', 'executed', 'would_trigger'])[1 + floor(random() * 9)::int],
       (SELECT ids FROM rule)[2 + floor(random() * 6)::int], CASE WHEN random() < 0.5 THEN i END, CASE WHEN random() < 0.2 THEN -i END,  -- (messages that are gone)
       (ARRAY['capped', 'expired', 'fallback', NULL])[1 + floor(random() * 4)::int], timestamptz '2026-03-01' + random() * interval '45 days'
FROM generate_series(1, 1500) AS i;
INSERT INTO nudge.conversions (user_id, value, goal, occurred_at, recorded_at)
SELECT 'rp_' || floor(random() * 32), round((random() * 100)::numeric, 2), CASE WHEN random() < 0.3 THEN 'rp_short' END, t.at, t.at + power(random(), 4) * interval '10 days'
FROM generate_series(1, 600) AS i, LATERAL (SELECT timestamptz '2026-03-01' + random() * interval '40 days' AS at) AS t;

-- The same by other means: each message asks for its events, each conversion for its touches
CREATE TEMP VIEW person AS
    SELECT e.message_id AS id, e.event_type AS type, e.recorded_at FROM nudge.events e WHERE e.message_id IS NOT NULL AND coalesce(e.flag, '') <> 'machine';
CREATE TEMP VIEW credit AS
    SELECT DISTINCT ON (t.conversion_id) t.conversion_id, t.message_id, t.value
    FROM (SELECT c.conversion_id, c.value, c.occurred_at, e.message_id, CASE WHEN c.goal = 'rp_short' THEN 2 ELSE 7 END AS days,
                 coalesce(min(CASE WHEN e.event_type = 'delivered' AND (e.flag IS NULL OR e.flag <> 'in_future') THEN e.occurred_at END),
                          min(CASE WHEN e.event_type = 'sent' THEN e.occurred_at END),
                          min(CASE WHEN e.flag LIKE 'in%' THEN e.recorded_at ELSE e.occurred_at END)) AS at
          FROM nudge.conversions c
          JOIN nudge.events e ON e.user_id = c.user_id AND e.recorded_at <= c.recorded_at AND e.event_type IN ('sent', 'delivered', 'opened', 'clicked')
          JOIN nudge.messages m ON m.message_id = e.message_id
          GROUP BY c.conversion_id, c.value, c.occurred_at, c.goal, e.message_id
          HAVING count(*) FILTER (WHERE e.event_type <> 'sent') > 0) AS t
    WHERE t.at <= t.occurred_at AND t.at >= t.occurred_at - t.days * interval '24 hours'
    ORDER BY t.conversion_id, t.at DESC, t.message_id DESC;
CREATE TEMP TABLE credited AS TABLE credit WITH NO DATA;
CREATE INDEX ON credited (message_id);
CREATE TEMP VIEW asked AS
    SELECT m.*, date(m.created_at AT TIME ZONE 'America/New_York') AS day,
           to_char(m.created_at AT TIME ZONE coalesce(m.timezone, 'America/New_York'), 'ID')::int AS weekday,
           to_char(m.created_at AT TIME ZONE coalesce(m.timezone, 'America/New_York'), 'HH24')::int AS hour,
           (m.message_id IN (SELECT id FROM person WHERE type IN ('sent', 'delivered', 'opened', 'clicked', 'bounced', 'complained', 'unsubscribed')))::int AS sent, (m.message_id IN (SELECT id FROM person WHERE type = 'delivered'))::int AS delivered, (m.message_id IN (SELECT id FROM person WHERE type = 'opened'))::int AS opened,
           (m.message_id IN (SELECT id FROM person WHERE type = 'clicked'))::int AS clicked, (m.message_id IN (SELECT id FROM person WHERE type = 'bounced'))::int AS bounces, (m.message_id IN (SELECT id FROM person WHERE type = 'complained'))::int AS complaints,
           (m.message_id IN (SELECT id FROM person WHERE type = 'unsubscribed'))::int AS unsubscribes, (m.message_id IN (SELECT id FROM person WHERE type IN ('failed', 'dead')))::int AS failures,
           (SELECT count(*) FROM credited c WHERE c.message_id = m.message_id) AS conversions,
           (SELECT coalesce(sum(c.value), 0) FROM credited c WHERE c.message_id = m.message_id) AS revenue,
           coalesce(m.week_before, (SELECT count(*) FROM nudge.messages b WHERE b.user_id = m.user_id AND b.message_id <> m.message_id
                                    AND m.created_at - b.created_at < interval '168 hours'
                                    AND (b.created_at < m.created_at OR b.created_at = m.created_at AND b.message_id < m.message_id))) AS before,
           f.sent_at
    FROM nudge.messages m
    LEFT JOIN (SELECT id, min(recorded_at) AS sent_at FROM person WHERE type = 'sent' GROUP BY id) AS f ON f.id = m.message_id;
-- (held once for all figures, see below)
CREATE TEMP TABLE message AS TABLE asked WITH NO DATA;
CREATE TEMP VIEW trigger AS
    SELECT date(e.recorded_at AT TIME ZONE 'America/New_York') AS day, e.rule_id,
           (e.event_type = 'scheduled' AND coalesce(e.reason, '') <> 'fallback' OR e.event_type IN ('capped', 'skipped', 'held_out') AND e.pending_id IS NULL)::int AS total_triggers,
           (e.event_type = 'capped' AND e.pending_id IS NULL OR e.event_type = 'skipped' AND e.reason IS NOT DISTINCT FROM 'capped')::int AS capped,
           (e.event_type = 'skipped' AND e.reason IS DISTINCT FROM 'capped')::int AS skipped, (e.event_type = 'held_out')::int AS held_out,
           (e.event_type = 'dead' AND e.message_id IS NULL)::int AS failures
    FROM nudge.events e WHERE e.event_type IN ('scheduled', 'capped', 'skipped', 'held_out', 'dead');
-- Figures as arrays of names and numbers: sums of either, by what they are asked by
CREATE FUNCTION pg_temp.expected(by text, source text, filter text DEFAULT 'true') RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT to_jsonb(x) FROM (SELECT %s, sum(sent) AS sent, sum(delivered) AS delivered, sum(opened) AS opened, sum(clicked) AS clicked,
        sum(conversions) AS conversions, sum(unsubscribes) AS unsubscribes, sum(complaints) AS complaints, sum(bounces) AS bounces, sum(failures) AS failures,
        sum(revenue) AS revenue FROM %s WHERE %s GROUP BY %1$s) AS x WHERE (sent, delivered, opened, clicked, conversions, unsubscribes, complaints, bounces, failures) <> (0,0,0,0,0,0,0,0,0)',
        by, source, filter);
END $$;
CREATE FUNCTION pg_temp.shown(by text, view text, filter text DEFAULT 'true') RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT to_jsonb(x) FROM (SELECT %s, sent, delivered, opened, clicked, conversions, unsubscribes, complaints, bounces, failures, revenue
        FROM %s WHERE %s) AS x WHERE (sent, delivered, opened, clicked, conversions, unsubscribes, complaints, bounces, failures) <> (0,0,0,0,0,0,0,0,0)', by, view, filter);
END $$;
-- per rule: what became of triggers as well
CREATE TEMP VIEW rule_day AS
    SELECT rule_id, day, sum(t) AS total_triggers, sum(c) AS capped, sum(s) AS skipped, sum(h) AS held_out, sum(sent) AS sent, sum(delivered) AS delivered, sum(opened) AS opened,
           sum(clicked) AS clicked, sum(conversions) AS conversions, sum(unsubscribes) AS unsubscribes, sum(complaints) AS complaints, sum(bounces) AS bounces,
           sum(failures) AS failures, sum(revenue) AS revenue
    FROM (SELECT rule_id, day, 0 AS t, 0 AS c, 0 AS s, 0 AS h, sent, delivered, opened, clicked, conversions, unsubscribes, complaints, bounces, failures, revenue FROM message
          UNION ALL SELECT rule_id, day, total_triggers, capped, skipped, held_out, 0, 0, 0, 0, 0, 0, 0, 0, failures, 0 FROM trigger) AS x
    GROUP BY rule_id, day;
CREATE TEMP TABLE bound AS SELECT k, power(2::numeric, k / 4.0) AS seconds FROM generate_series(-8, 120) AS k;
CREATE TEMP VIEW latency AS
    SELECT m.day, m.priority, s.step, b.bucket
    FROM message m
    CROSS JOIN LATERAL (VALUES ('made', m.created_at - m.due_at), ('sent', m.sent_at - m.due_at)) AS s (step, length)
    CROSS JOIN LATERAL (SELECT min(k) AS bucket FROM bound WHERE extract(epoch FROM s.length) <= seconds) AS b
    WHERE m.sent_at IS NOT NULL AND m.due_at IS NOT NULL;

CREATE FUNCTION pg_temp.differences() RETURNS TABLE (view text, rows bigint, wrong bigint) LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS e (view text, row jsonb);
    CREATE TEMP TABLE IF NOT EXISTS s (view text, row jsonb);
    TRUNCATE e, s, credited, message;
    INSERT INTO credited TABLE credit;
    INSERT INTO message TABLE asked;
    INSERT INTO e SELECT 'rule_performance', to_jsonb(x) FROM (
        SELECT k.rule_id, r.name, sum(d.total_triggers) AS total_triggers, sum(d.capped) AS capped, sum(d.skipped) AS skipped, sum(d.held_out) AS held_out, sum(d.sent) AS sent,
               sum(d.delivered) AS delivered, sum(d.opened) AS opened, sum(d.clicked) AS clicked, sum(d.conversions) AS conversions, sum(d.unsubscribes) AS unsubscribes,
               sum(d.complaints) AS complaints, sum(d.bounces) AS bounces, sum(d.failures) AS failures, sum(d.revenue) AS revenue,
               sum(d.delivered)::float8 / nullif(sum(d.sent), 0) AS delivery_rate, nudge.wilson_low(sum(d.opened)::bigint, sum(d.sent)::bigint) AS open_rate_low,
               nudge.wilson_high(sum(d.clicked)::bigint, sum(d.opened)::bigint) AS click_to_open_rate_high, sum(d.complaints)::float8 / nullif(sum(d.sent), 0) AS spam_rate,
               sum(d.revenue) / nullif(sum(d.sent), 0) AS revenue_per_email, sum(d.revenue) / nullif(sum(d.conversions), 0) AS conversion_value
        FROM (SELECT rule_id FROM nudge.rules WHERE name LIKE 'rp\_%' UNION SELECT -1) AS k LEFT JOIN nudge.rules r USING (rule_id) LEFT JOIN rule_day d ON d.rule_id = k.rule_id GROUP BY k.rule_id, r.name) AS x
        WHERE x.total_triggers IS NOT NULL;
    INSERT INTO s SELECT 'rule_performance', to_jsonb(x) FROM (
        SELECT rule_id, name, total_triggers, capped, skipped, held_out, sent, delivered, opened, clicked, conversions, unsubscribes, complaints, bounces, failures, revenue,
               delivery_rate, open_rate_low, click_to_open_rate_high, spam_rate, revenue_per_email, conversion_value
        FROM nudge.rule_performance WHERE total_triggers + failures + sent + conversions + delivered > 0) AS x;
    INSERT INTO e SELECT 'rule_performance_daily', to_jsonb(d) FROM rule_day d WHERE rule_id IS NOT NULL
        AND (total_triggers, capped, skipped, held_out, sent, delivered, opened, clicked, conversions, unsubscribes, complaints, bounces, failures) <> (0,0,0,0,0,0,0,0,0,0,0,0,0);
    INSERT INTO s SELECT 'rule_performance_daily', to_jsonb(x) FROM (
        SELECT rule_id, day, total_triggers, capped, skipped, held_out, sent, delivered, opened, clicked, conversions, unsubscribes, complaints, bounces, failures, revenue
        FROM nudge.rule_performance_daily
        WHERE (total_triggers, capped, skipped, held_out, sent, delivered, opened, clicked, conversions, unsubscribes, complaints, bounces, failures) <> (0,0,0,0,0,0,0,0,0,0,0,0,0)) AS x;
    INSERT INTO e SELECT 'channel_performance', pg_temp.expected('channel', 'message');
    INSERT INTO s SELECT 'channel_performance', pg_temp.shown('channel', 'nudge.channel_performance');
    INSERT INTO e SELECT 'template_performance', pg_temp.expected('template_id, channel', 'message', 'template_id IS NOT NULL');
    INSERT INTO s SELECT 'template_performance', pg_temp.shown('template_id, channel', 'nudge.template_performance');
    INSERT INTO e SELECT 'variant_performance', pg_temp.expected('rule_id, variant', 'message', 'rule_id IS NOT NULL');
    INSERT INTO s SELECT 'variant_performance', pg_temp.shown('rule_id, variant', 'nudge.variant_performance');
    INSERT INTO e SELECT 'segment_performance', pg_temp.expected('segment', '(SELECT *, unnest(segments) AS segment FROM message) AS x');
    INSERT INTO s SELECT 'segment_performance', pg_temp.shown('segment', 'nudge.segment_performance');
    INSERT INTO e SELECT 'send_time_performance', to_jsonb(x) FROM (
        SELECT rule_id, weekday, hour, sum(sent) AS sent, sum(opened) AS opened, sum(clicked) AS clicked, sum(conversions) AS conversions,
               sum(opened)::float8 / nullif(sum(sent), 0) AS open_rate, nudge.wilson_low(sum(conversions)::bigint, sum(sent)::bigint) AS conversion_rate_low
        FROM message WHERE rule_id IS NOT NULL GROUP BY 1, 2, 3) AS x WHERE (sent, opened, clicked, conversions) <> (0,0,0,0);
    INSERT INTO s SELECT 'send_time_performance', to_jsonb(x) FROM (
        SELECT rule_id, weekday, hour, sent, opened, clicked, conversions, open_rate, conversion_rate_low FROM nudge.send_time_performance) AS x
        WHERE (sent, opened, clicked, conversions) <> (0,0,0,0);
    INSERT INTO e SELECT 'frequency_fatigue', to_jsonb(x) FROM (
        SELECT rule_id, greatest(0, 1 - (sum(opened) FILTER (WHERE before >= 4)::numeric / sum(sent) FILTER (WHERE before >= 4)) /
                                        (sum(opened) FILTER (WHERE before = 0)::numeric / sum(sent) FILTER (WHERE before = 0)))::numeric(12, 9) AS frequency_fatigue_score
        FROM message WHERE rule_id > 0 GROUP BY rule_id) AS x;
    INSERT INTO s SELECT 'frequency_fatigue', to_jsonb(x) FROM (
        SELECT rule_id, frequency_fatigue_score::numeric(12, 9) FROM nudge.frequency_fatigue WHERE none_sent + many_sent > 0) AS x;
    INSERT INTO e SELECT 'funnel', to_jsonb(x) FROM (
        SELECT rule_id, sum(total_triggers) AS triggered, sum(sent) AS sent, sum(delivered) AS delivered, sum(opened) AS opened, sum(clicked) AS clicked, sum(conversions) AS converted,
               sum(opened)::float8 / sum(delivered) AS opened_of_delivered, sum(sent)::float8 / sum(total_triggers) AS sent_of_triggers
        FROM rule_day WHERE rule_id IS NOT NULL GROUP BY rule_id) AS x;
    INSERT INTO s SELECT 'funnel', to_jsonb(x) FROM (
        SELECT rule_id, sum(amount) FILTER (WHERE step = 'triggered') AS triggered, sum(amount) FILTER (WHERE step = 'sent') AS sent, sum(amount) FILTER (WHERE step = 'delivered') AS delivered,
               sum(amount) FILTER (WHERE step = 'opened') AS opened, sum(amount) FILTER (WHERE step = 'clicked') AS clicked, sum(amount) FILTER (WHERE step = 'converted') AS converted,
               sum(of_step_before) FILTER (WHERE step = 'opened') AS opened_of_delivered, sum(of_triggers) FILTER (WHERE step = 'sent') AS sent_of_triggers
        FROM nudge.funnel GROUP BY rule_id HAVING sum(amount) > 0) AS x;
    INSERT INTO e SELECT 'queue_latency', to_jsonb(x) FROM (
        SELECT day, priority, step, count(*) AS messages, make_interval(secs => 2 ^ (percentile_disc(0.5) WITHIN GROUP (ORDER BY bucket) / 4.0)) AS p50,
               make_interval(secs => 2 ^ (percentile_disc(0.95) WITHIN GROUP (ORDER BY bucket) / 4.0)) AS p95, make_interval(secs => 2 ^ (max(bucket) / 4.0)) AS longest
        FROM latency GROUP BY 1, 2, 3) AS x;
    INSERT INTO s SELECT 'queue_latency', to_jsonb(x) FROM (SELECT day, priority, step, messages, p50, p95, longest FROM nudge.queue_latency) AS x;
    RETURN QUERY
        SELECT v.view, (SELECT count(*) FROM e WHERE e.view = v.view),
               (SELECT count(*) FROM ((SELECT * FROM e WHERE e.view = v.view EXCEPT ALL SELECT * FROM s WHERE s.view = v.view)
                                      UNION ALL (SELECT * FROM s WHERE s.view = v.view EXCEPT ALL SELECT * FROM e WHERE e.view = v.view)) AS d)
        FROM (SELECT DISTINCT e.view FROM e) AS v ORDER BY 1;
END $$;

-- Nothing is rolled up yet
SELECT * FROM pg_temp.differences();
-- Step by step, each with what came since: some days, an hour, nothing, the rest but for a week
SELECT count(*) AS rollups FROM nudge.rule_rollups;
SELECT nudge.rollup('2026-03-05 07:11') > 0 AS moved;
SELECT view FROM pg_temp.differences() WHERE wrong > 0;
SELECT nudge.rollup('2026-03-12 00:00') > 0, nudge.rollup('2026-03-12 01:00') > 0, nudge.rollup('2026-03-12 01:00') AS nothing, nudge.rollup('2026-03-01') AS back;
SELECT view FROM pg_temp.differences() WHERE wrong > 0;
SELECT nudge.rollup('2026-04-05') > 0 AS moved;
SELECT view FROM pg_temp.differences() WHERE wrong > 0;
-- Machines, on both sides of where it stopped
WITH changed AS (
    UPDATE nudge.events SET flag = CASE WHEN flag = 'machine' THEN NULL ELSE 'machine' END
    WHERE event_type IN ('opened', 'clicked', 'unsubscribed') AND event_key IS NOT NULL AND message_id % 7 = 0
        AND coalesce(flag, 'machine') = 'machine' RETURNING user_id, message_id)
INSERT INTO nudge.rescored_messages SELECT DISTINCT user_id, message_id FROM changed;
SELECT nudge.rollup('2026-04-05') AS moved;
SELECT count(*) AS left FROM nudge.rescored_messages;
SELECT view FROM pg_temp.differences() WHERE wrong > 0;
SELECT nudge.rollup('2026-05-01') > 0 AS moved, count(*) > 20 AS tail FROM nudge.message_facts;
SELECT view FROM pg_temp.differences() WHERE wrong > 0;
-- A rebuild finds the same, and mends what somebody broke
UPDATE nudge.rule_rollups SET opened = opened + 1;
UPDATE nudge.segment_rollups SET opened = opened + 1;
DELETE FROM nudge.latency_rollups WHERE messages > 1;
SELECT view FROM pg_temp.differences() WHERE wrong > 0;
SELECT nudge.rebuild_rollups('2026-03-20') > 0 AS rebuilt;
SELECT view FROM pg_temp.differences() WHERE wrong > 0;
SELECT nudge.rebuild_rollups() > 0 AS rebuilt;
SELECT view FROM pg_temp.differences() WHERE wrong > 0;
ROLLBACK;
