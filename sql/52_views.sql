--
-- Version 0.4.0: figures, out of rollups and what has been recorded since
--

CREATE VIEW nudge.message_figures AS
    SELECT r.day, r.rule_id, r.channel, r.template_id, r.variant,
           r.sent, r.delivered, r.opened, r.clicked, r.bounced, r.complained, r.unsubscribed, r.failed, r.conversions, r.revenue
    FROM nudge.message_rollups r
    UNION ALL
    SELECT f.day, f.rule_id, f.channel, f.template_id, f.variant,
           f.sent, f.delivered, f.opened, f.clicked, f.bounced, f.complained, f.unsubscribed, f.failed, f.conversions, f.revenue
    FROM nudge.message_facts f;
COMMENT ON VIEW nudge.message_figures IS 'What became of messages, to be summed up: nudge.message_rollups and what has been recorded since';

CREATE VIEW nudge.rule_figures AS
    SELECT r.day, r.rule_id, r.triggered, r.capped, r.skipped, r.held_out,
           r.sent, r.delivered, r.opened, r.clicked, r.bounced, r.complained, r.unsubscribed, r.failed, r.conversions, r.revenue
    FROM nudge.rule_rollups r
    UNION ALL
    SELECT t.day, t.rule_id, t.triggered, t.capped, t.skipped, t.held_out, 0, 0, 0, 0, 0, 0, 0, t.failed, 0, 0
    FROM nudge.trigger_facts t
    UNION ALL
    SELECT m.day, m.rule_id, 0, 0, 0, 0,
           m.sent, m.delivered, m.opened, m.clicked, m.bounced, m.complained, m.unsubscribed, m.failed, m.conversions, m.revenue
    FROM nudge.message_facts m;
COMMENT ON VIEW nudge.rule_figures IS 'What became of triggers and messages, to be summed up: nudge.rule_rollups and what has been recorded since';

CREATE VIEW nudge.segment_figures AS
    SELECT r.day, r.rule_id, r.segment, r.sent, r.delivered, r.opened, r.clicked, r.bounced, r.complained, r.unsubscribed, r.failed, r.conversions, r.revenue
    FROM nudge.segment_rollups r
    UNION ALL
    SELECT f.day, f.rule_id, s.segment COLLATE "C", f.sent, f.delivered, f.opened, f.clicked, f.bounced, f.complained, f.unsubscribed, f.failed, f.conversions, f.revenue
    FROM nudge.message_facts f CROSS JOIN LATERAL unnest(f.segments) AS s (segment);
COMMENT ON VIEW nudge.segment_figures IS 'What became of messages by segment, to be summed up: nudge.segment_rollups and what has been recorded since';

CREATE VIEW nudge.hour_figures AS
    SELECT r.day, r.rule_id, r.weekday, r.hour, r.sent, r.opened, r.clicked, r.conversions FROM nudge.hour_rollups r
    UNION ALL
    SELECT f.day, f.rule_id, f.weekday, f.hour, f.sent, f.opened, f.clicked, f.conversions FROM nudge.message_facts f;
COMMENT ON VIEW nudge.hour_figures IS 'What became of messages by hour, to be summed up: nudge.hour_rollups and what has been recorded since';

-- Parsed when it is created and without settings, so that views take it in.
CREATE FUNCTION nudge.rates(sent bigint, delivered bigint, opened bigint, clicked bigint, conversions bigint,
                            unsubscribes bigint, complaints bigint, bounces bigint, revenue numeric)
RETURNS TABLE (delivery_rate float8, delivery_rate_low float8, delivery_rate_high float8,
               open_rate float8, open_rate_low float8, open_rate_high float8,
               click_rate float8, click_rate_low float8, click_rate_high float8,
               click_to_open_rate float8, click_to_open_rate_low float8, click_to_open_rate_high float8,
               conversion_rate float8, conversion_rate_low float8, conversion_rate_high float8,
               unsubscribe_rate float8, unsubscribe_rate_low float8, unsubscribe_rate_high float8,
               spam_rate float8, spam_rate_low float8, spam_rate_high float8,
               bounce_rate float8, bounce_rate_low float8, bounce_rate_high float8,
               revenue_per_email numeric, conversion_value numeric)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT delivered::float8 / nullif(sent, 0), nudge.wilson_low(delivered, sent), nudge.wilson_high(delivered, sent),
           opened::float8 / nullif(sent, 0), nudge.wilson_low(opened, sent), nudge.wilson_high(opened, sent),
           clicked::float8 / nullif(sent, 0), nudge.wilson_low(clicked, sent), nudge.wilson_high(clicked, sent),
           clicked::float8 / nullif(opened, 0), nudge.wilson_low(clicked, opened), nudge.wilson_high(clicked, opened),
           conversions::float8 / nullif(sent, 0), nudge.wilson_low(conversions, sent), nudge.wilson_high(conversions, sent),
           unsubscribes::float8 / nullif(sent, 0), nudge.wilson_low(unsubscribes, sent), nudge.wilson_high(unsubscribes, sent),
           complaints::float8 / nullif(sent, 0), nudge.wilson_low(complaints, sent), nudge.wilson_high(complaints, sent),
           bounces::float8 / nullif(sent, 0), nudge.wilson_low(bounces, sent), nudge.wilson_high(bounces, sent),
           revenue / nullif(sent, 0), revenue / nullif(conversions, 0);
END;
COMMENT ON FUNCTION nudge.rates(bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, numeric) IS
    'Rates out of counts, each with its 95 % Wilson interval; all of sent, click_to_open_rate of opened; NULL where the base is 0';

CREATE VIEW nudge.rule_performance AS
    SELECT a.rule_id, r.name,
           a.triggered AS total_triggers, a.capped, a.skipped, a.held_out, a.sent, a.delivered, a.opened, a.clicked, a.conversions,
           a.unsubscribed AS unsubscribes, a.complained AS complaints, a.bounced AS bounces, a.failed AS failures, a.revenue,
           x.*
    FROM (SELECT f.rule_id, sum(f.triggered)::bigint AS triggered, sum(f.capped)::bigint AS capped, sum(f.skipped)::bigint AS skipped,
                 sum(f.held_out)::bigint AS held_out, sum(f.sent)::bigint AS sent, sum(f.delivered)::bigint AS delivered, sum(f.opened)::bigint AS opened,
                 sum(f.clicked)::bigint AS clicked, sum(f.bounced)::bigint AS bounced, sum(f.complained)::bigint AS complained,
                 sum(f.unsubscribed)::bigint AS unsubscribed, sum(f.failed)::bigint AS failed, sum(f.conversions)::bigint AS conversions, sum(f.revenue) AS revenue
          FROM (SELECT * FROM nudge.rule_figures
                UNION ALL
                SELECT NULL, k.rule_id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM nudge.rules k) AS f
          WHERE f.rule_id IS NOT NULL
          GROUP BY f.rule_id) AS a
    LEFT JOIN nudge.rules r ON r.rule_id = a.rule_id
    CROSS JOIN LATERAL nudge.rates(a.sent, a.delivered, a.opened, a.clicked, a.conversions, a.unsubscribed, a.complained, a.bounced, a.revenue) AS x;
COMMENT ON VIEW nudge.rule_performance IS 'What became of each rule''s triggers and messages, with rates and their 95 % Wilson intervals; a rule that was deleted keeps its figures without a name';

CREATE VIEW nudge.rule_performance_daily AS
    SELECT a.rule_id, r.name, a.day,
           a.triggered AS total_triggers, a.capped, a.skipped, a.held_out, a.sent, a.delivered, a.opened, a.clicked, a.conversions,
           a.unsubscribed AS unsubscribes, a.complained AS complaints, a.bounced AS bounces, a.failed AS failures, a.revenue,
           x.*
    FROM (SELECT f.rule_id, f.day, sum(f.triggered)::bigint AS triggered, sum(f.capped)::bigint AS capped, sum(f.skipped)::bigint AS skipped,
                 sum(f.held_out)::bigint AS held_out, sum(f.sent)::bigint AS sent, sum(f.delivered)::bigint AS delivered, sum(f.opened)::bigint AS opened,
                 sum(f.clicked)::bigint AS clicked, sum(f.bounced)::bigint AS bounced, sum(f.complained)::bigint AS complained,
                 sum(f.unsubscribed)::bigint AS unsubscribed, sum(f.failed)::bigint AS failed, sum(f.conversions)::bigint AS conversions, sum(f.revenue) AS revenue
          FROM nudge.rule_figures f
          WHERE f.rule_id IS NOT NULL
          GROUP BY f.rule_id, f.day) AS a
    LEFT JOIN nudge.rules r ON r.rule_id = a.rule_id
    CROSS JOIN LATERAL nudge.rates(a.sent, a.delivered, a.opened, a.clicked, a.conversions, a.unsubscribed, a.complained, a.bounced, a.revenue) AS x;
COMMENT ON VIEW nudge.rule_performance_daily IS 'nudge.rule_performance by day (of nudge.timezone): a message and all that became of it count on the day on which it was made';

CREATE VIEW nudge.channel_performance AS
    SELECT a.channel, a.sent, a.delivered, a.opened, a.clicked, a.conversions, a.unsubscribed AS unsubscribes, a.complained AS complaints,
           a.bounced AS bounces, a.failed AS failures, a.revenue, x.*
    FROM (SELECT f.channel, sum(f.sent)::bigint AS sent, sum(f.delivered)::bigint AS delivered, sum(f.opened)::bigint AS opened,
                 sum(f.clicked)::bigint AS clicked, sum(f.bounced)::bigint AS bounced, sum(f.complained)::bigint AS complained,
                 sum(f.unsubscribed)::bigint AS unsubscribed, sum(f.failed)::bigint AS failed, sum(f.conversions)::bigint AS conversions, sum(f.revenue) AS revenue
          FROM nudge.message_figures f GROUP BY f.channel) AS a
    CROSS JOIN LATERAL nudge.rates(a.sent, a.delivered, a.opened, a.clicked, a.conversions, a.unsubscribed, a.complained, a.bounced, a.revenue) AS x;
COMMENT ON VIEW nudge.channel_performance IS 'What became of the messages of each channel';

CREATE VIEW nudge.template_performance AS
    SELECT a.template_id, a.channel, a.sent, a.delivered, a.opened, a.clicked, a.conversions, a.unsubscribed AS unsubscribes, a.complained AS complaints,
           a.bounced AS bounces, a.failed AS failures, a.revenue, x.*
    FROM (SELECT f.template_id, f.channel, sum(f.sent)::bigint AS sent, sum(f.delivered)::bigint AS delivered, sum(f.opened)::bigint AS opened,
                 sum(f.clicked)::bigint AS clicked, sum(f.bounced)::bigint AS bounced, sum(f.complained)::bigint AS complained,
                 sum(f.unsubscribed)::bigint AS unsubscribed, sum(f.failed)::bigint AS failed, sum(f.conversions)::bigint AS conversions, sum(f.revenue) AS revenue
          FROM nudge.message_figures f WHERE f.template_id IS NOT NULL GROUP BY f.template_id, f.channel) AS a
    CROSS JOIN LATERAL nudge.rates(a.sent, a.delivered, a.opened, a.clicked, a.conversions, a.unsubscribed, a.complained, a.bounced, a.revenue) AS x;
COMMENT ON VIEW nudge.template_performance IS 'What became of the messages of each template and channel';

CREATE VIEW nudge.variant_performance AS
    SELECT a.rule_id, a.variant, a.sent, a.delivered, a.opened, a.clicked, a.conversions, a.unsubscribed AS unsubscribes, a.complained AS complaints,
           a.bounced AS bounces, a.failed AS failures, a.revenue, x.*
    FROM (SELECT f.rule_id, f.variant, sum(f.sent)::bigint AS sent, sum(f.delivered)::bigint AS delivered, sum(f.opened)::bigint AS opened,
                 sum(f.clicked)::bigint AS clicked, sum(f.bounced)::bigint AS bounced, sum(f.complained)::bigint AS complained,
                 sum(f.unsubscribed)::bigint AS unsubscribed, sum(f.failed)::bigint AS failed, sum(f.conversions)::bigint AS conversions, sum(f.revenue) AS revenue
          FROM nudge.message_figures f WHERE f.rule_id IS NOT NULL GROUP BY f.rule_id, f.variant) AS a
    CROSS JOIN LATERAL nudge.rates(a.sent, a.delivered, a.opened, a.clicked, a.conversions, a.unsubscribed, a.complained, a.bounced, a.revenue) AS x;
COMMENT ON VIEW nudge.variant_performance IS 'What became of the messages of each variant of a rule; NULL: the rule as it is';

CREATE VIEW nudge.segment_performance AS
    SELECT a.segment, a.sent, a.delivered, a.opened, a.clicked, a.conversions, a.unsubscribed AS unsubscribes, a.complained AS complaints,
           a.bounced AS bounces, a.failed AS failures, a.revenue, x.*
    FROM (SELECT f.segment, sum(f.sent)::bigint AS sent, sum(f.delivered)::bigint AS delivered, sum(f.opened)::bigint AS opened,
                 sum(f.clicked)::bigint AS clicked, sum(f.bounced)::bigint AS bounced, sum(f.complained)::bigint AS complained,
                 sum(f.unsubscribed)::bigint AS unsubscribed, sum(f.failed)::bigint AS failed, sum(f.conversions)::bigint AS conversions, sum(f.revenue) AS revenue
          FROM nudge.segment_figures f GROUP BY f.segment) AS a
    CROSS JOIN LATERAL nudge.rates(a.sent, a.delivered, a.opened, a.clicked, a.conversions, a.unsubscribed, a.complained, a.bounced, a.revenue) AS x;
COMMENT ON VIEW nudge.segment_performance IS 'What became of the messages to users of each segment; a message counts in each that its user was in when it was made';

CREATE VIEW nudge.send_time_performance AS
    SELECT a.rule_id, a.weekday, a.hour, a.sent, a.opened, a.clicked, a.conversions,
           x.open_rate, x.open_rate_low, x.open_rate_high, x.click_rate, x.click_rate_low, x.click_rate_high,
           x.conversion_rate, x.conversion_rate_low, x.conversion_rate_high
    FROM (SELECT f.rule_id, f.weekday, f.hour, sum(f.sent)::bigint AS sent, sum(f.opened)::bigint AS opened,
                 sum(f.clicked)::bigint AS clicked, sum(f.conversions)::bigint AS conversions
          FROM nudge.hour_figures f WHERE f.rule_id IS NOT NULL GROUP BY f.rule_id, f.weekday, f.hour) AS a
    CROSS JOIN LATERAL nudge.rates(a.sent, 0, a.opened, a.clicked, a.conversions, 0, 0, 0, 0) AS x;
COMMENT ON VIEW nudge.send_time_performance IS 'What became of a rule''s messages by ISO weekday (Monday 1) and hour of the user''s clock when they were made';

CREATE VIEW nudge.frequency_fatigue AS
    SELECT r.rule_id, r.name,
           coalesce(f.none_sent, 0) AS none_sent, coalesce(f.none_opened, 0) AS none_opened,
           f.none_opened::float8 / nullif(f.none_sent, 0) AS none_open_rate,
           coalesce(f.many_sent, 0) AS many_sent, coalesce(f.many_opened, 0) AS many_opened,
           f.many_opened::float8 / nullif(f.many_sent, 0) AS many_open_rate,
           CASE WHEN f.many_sent > 0 AND f.none_opened > 0
                THEN least(greatest(1 - (f.many_opened::float8 / f.many_sent) / (f.none_opened::float8 / f.none_sent), 0), 1) END AS frequency_fatigue_score
    FROM nudge.rules r
    LEFT JOIN (SELECT u.rule_id,
                      sum(u.sent) FILTER (WHERE u.week_before = 0)::bigint AS none_sent, sum(u.opened) FILTER (WHERE u.week_before = 0)::bigint AS none_opened,
                      sum(u.sent) FILTER (WHERE u.week_before >= 4)::bigint AS many_sent, sum(u.opened) FILTER (WHERE u.week_before >= 4)::bigint AS many_opened
               FROM (SELECT k.rule_id, k.week_before, k.sent, k.opened FROM nudge.fatigue_rollups k
                     UNION ALL
                     SELECT k.rule_id, k.week_before, k.sent, k.opened FROM nudge.message_facts k) AS u
               GROUP BY u.rule_id) AS f ON f.rule_id = r.rule_id;
COMMENT ON VIEW nudge.frequency_fatigue IS
    'How much less users open who got many messages: frequency_fatigue_score = 1 - (open rate of messages to users with at least 4 in the 7 days before) / (open rate to users with none), from 0 to 1; NULL where one of them is not known, or nobody without any opens';

CREATE VIEW nudge.funnel AS
    SELECT p.rule_id, p.name, s.step, s.place, s.amount,
           s.amount::float8 / nullif(s.before, 0) AS of_step_before,
           s.amount::float8 / nullif(p.total_triggers, 0) AS of_triggers
    FROM nudge.rule_performance p
    CROSS JOIN LATERAL (VALUES (1, 'triggered', p.total_triggers, NULL::bigint), (2, 'sent', p.sent, p.total_triggers),
                               (3, 'delivered', p.delivered, p.sent), (4, 'opened', p.opened, p.delivered),
                               (5, 'clicked', p.clicked, p.opened), (6, 'converted', p.conversions, p.clicked)) AS s (place, step, amount, before);
COMMENT ON VIEW nudge.funnel IS 'How many of a rule''s triggers came how far: triggered, sent, delivered, opened, clicked, converted';

-- The bound of the bucket up to which at least a share of messages lies.
CREATE VIEW nudge.queue_latency AS
    SELECT h.day, h.priority, h.step, max(h.messages_all)::bigint AS messages,
           make_interval(secs => min(2 ^ (h.bucket / 4.0)) FILTER (WHERE h.messages_to >= 0.50 * h.messages_all)) AS p50,
           make_interval(secs => min(2 ^ (h.bucket / 4.0)) FILTER (WHERE h.messages_to >= 0.95 * h.messages_all)) AS p95,
           make_interval(secs => min(2 ^ (h.bucket / 4.0)) FILTER (WHERE h.messages_to >= 0.99 * h.messages_all)) AS p99,
           make_interval(secs => max(2 ^ (h.bucket / 4.0))) AS longest
    FROM (SELECT b.day, b.priority, b.step, b.bucket,
                 sum(sum(b.messages)) OVER (PARTITION BY b.day, b.priority, b.step ORDER BY b.bucket) AS messages_to,
                 sum(sum(b.messages)) OVER (PARTITION BY b.day, b.priority, b.step) AS messages_all
          FROM (SELECT r.day, r.priority, r.step, r.bucket, r.messages FROM nudge.latency_rollups r
                UNION ALL
                SELECT f.day, f.priority, s.step, s.bucket, 1
                FROM nudge.message_facts f
                CROSS JOIN LATERAL (VALUES ('made', nudge.latency_bucket(f.created_at - f.due_at)),
                                           ('sent', nudge.latency_bucket(f.sent_at - f.due_at))) AS s (step, bucket)
                WHERE f.reported_sent > 0 AND f.due_at IS NOT NULL) AS b
          GROUP BY b.day, b.priority, b.step, b.bucket) AS h
    GROUP BY h.day, h.priority, h.step;
COMMENT ON VIEW nudge.queue_latency IS
    'How long sent messages took from when they were due until they were made (step made) and until they were sent (step sent), by day and priority: the upper bounds of the buckets, each a quarter of a power of two wide, that percentiles lie in';

REVOKE ALL ON TABLE nudge.message_figures, nudge.rule_figures, nudge.segment_figures, nudge.hour_figures, nudge.rule_performance,
    nudge.rule_performance_daily, nudge.channel_performance, nudge.template_performance, nudge.variant_performance, nudge.segment_performance,
    nudge.send_time_performance, nudge.frequency_fatigue, nudge.funnel, nudge.queue_latency FROM PUBLIC;
REVOKE ALL ON FUNCTION nudge.rates(bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, numeric) FROM PUBLIC;
INSERT INTO nudge.access_rights (access, kind, object, privileges)
SELECT a, v.kind, v.object, v.privileges
FROM pg_catalog.unnest('{marketer,analyst}'::text[]) AS a,
     (VALUES ('table', 'rule_performance', 'SELECT'), ('table', 'rule_performance_daily', 'SELECT'), ('table', 'channel_performance', 'SELECT'),
             ('table', 'template_performance', 'SELECT'), ('table', 'variant_performance', 'SELECT'), ('table', 'segment_performance', 'SELECT'),
             ('table', 'send_time_performance', 'SELECT'), ('table', 'frequency_fatigue', 'SELECT'), ('table', 'funnel', 'SELECT'),
             ('table', 'queue_latency', 'SELECT'), ('table', 'segment_figures', 'SELECT'), ('table', 'hour_figures', 'SELECT'),
             ('table', 'message_figures', 'SELECT'), ('table', 'rule_figures', 'SELECT'),
             ('routine', 'rates', 'EXECUTE'), ('routine', 'latency_bucket', 'EXECUTE'), ('routine', 'outcome_bit', 'EXECUTE')) AS v (kind, object, privileges);
