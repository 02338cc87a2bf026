-- Attribution compared with plain SQL that is written another way, on random data
-- that comes in parts, late and out of order; figures are compared after each part,
-- before and after a run
SET client_min_messages = warning;
SET timezone = 'UTC';
TRUNCATE nudge.pending, nudge.events, nudge.actions, nudge.conversions, nudge.attribution_totals,
    nudge.attribution_progress, nudge.attribution_effects;
INSERT INTO nudge.conversion_goals (name, action_type, "window") VALUES ('five_days', 'none', '5 days');
INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES
    ('other', 'position_decay', '45 days', '{"decay": "10 days", "floor": 0, "first": 0.7, "last": 0.1, "middle": 0.5}');
SELECT setseed(0.5);

-- Part n is recorded on the n-th day of March 2021.
CREATE PROCEDURE record_part(n integer) LANGUAGE plpgsql AS $$
DECLARE
    day timestamptz := timestamptz '2021-03-01' + n * interval '1 day';
BEGIN
    -- 150 messages: sent, most delivered, some opened (once or twice), with some reports
    -- of a day in this part, of a later part, or with times that cannot be right
    CREATE TEMP TABLE IF NOT EXISTS report (part integer, message bigint, user_id text, rule bigint, type text, flag text, at timestamptz);
    INSERT INTO report
    SELECT n + (random() * r.late)::integer, m.message, 'user ' || m.u, nullif(m.rule, 0), r.type,
           CASE WHEN random() < 0.1 THEN r.flag END, m.at + random() * interval '1 day'
    FROM (SELECT n * 1000 + i AS message, (random() * 12)::integer AS u, (random() * 6)::bigint AS rule,
                 day - random() * interval '40 days' AS at
          FROM generate_series(1, 150) AS i OFFSET 0) AS m
    CROSS JOIN (VALUES ('sent', 0, NULL, 0.9), ('delivered', 2, 'before_message', 0.7), ('opened', 3, 'machine', 0.4), ('opened', 3, 'in_future', 0.2),
                       ('clicked', 3, NULL, 0.2), ('delivered', 4, 'in_future', 0.1), ('bounced', 0, NULL, 0.1)) AS r (type, late, flag, likely)
    WHERE random() < r.likely;
    INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, flag, occurred_at, recorded_at)
    SELECT user_id, type, rule, message, flag, at, day + random() * interval '23 hours' FROM report WHERE part = n;
    INSERT INTO nudge.conversions (conversion_id, user_id, value, goal, occurred_at, recorded_at)
    SELECT n * 1000 + i, 'user ' || (random() * 12)::integer, round((random() * 200 - 40)::numeric, (random() * 3)::integer),
           CASE WHEN random() < 0.2 THEN 'five_days' END, day - random() * interval '30 days', day + random() * interval '23 hours'
    FROM generate_series(1, 15) AS i;
END
$$;

-- Touches and shares from scratch, with subqueries where pg_nudge has arrays
CREATE VIEW touch AS
    SELECT DISTINCT e.user_id, e.message_id, e.rule_id, t.at
    FROM nudge.events e
    CROSS JOIN LATERAL (
        SELECT d.at FROM (
            SELECT 1 AS rank, o.occurred_at AS at FROM nudge.events o
            WHERE o.message_id = e.message_id AND o.event_type = 'delivered' AND (o.flag IS NULL OR o.flag <> 'in_future')
            UNION ALL
            SELECT 2, o.occurred_at FROM nudge.events o WHERE o.message_id = e.message_id AND o.event_type = 'sent'
            UNION ALL
            SELECT 3, CASE WHEN o.flag IS NULL OR o.flag <> 'in_future' THEN o.occurred_at ELSE o.recorded_at END FROM nudge.events o
            WHERE o.message_id = e.message_id AND o.event_type IN ('delivered', 'opened', 'clicked')) AS d
        ORDER BY d.rank, d.at LIMIT 1) AS t
    WHERE e.event_type IN ('delivered', 'opened', 'clicked');
CREATE VIEW expected AS
    WITH model (model, length, decay, least_recency, first, last, middle) AS (VALUES
        ('first_touch', interval '720 hours', NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric),
        ('last_touch', '168 hours', NULL, NULL, NULL, NULL, NULL), ('linear', '336 hours', NULL, NULL, NULL, NULL, NULL),
        ('position_decay', '720 hours', 7, 0.1, 0.4, 0.4, 0.2), ('other', '1080 hours', 10, 0, 0.7, 0.1, 0.5)),
    pair AS (
        SELECT m.*, c.conversion_id, c.value, c.occurred_at, t.message_id, t.rule_id, t.at,
               rank() OVER (PARTITION BY m.model, c.conversion_id ORDER BY t.at, t.message_id) AS forth,
               rank() OVER (PARTITION BY m.model, c.conversion_id ORDER BY t.at DESC, t.message_id DESC) AS back
        FROM nudge.conversions c CROSS JOIN model m JOIN touch t ON t.user_id = c.user_id
        WHERE t.at <= c.occurred_at AND c.occurred_at - t.at <= m.length
            AND (c.goal IS NULL OR c.occurred_at - t.at <= interval '5 days')),
    weighed AS (
        SELECT p.*, CASE model WHEN 'first_touch' THEN (forth = 1)::integer::numeric WHEN 'last_touch' THEN (back = 1)::integer::numeric
                               WHEN 'linear' THEN 1
                               ELSE greatest(least_recency, 1 - extract(epoch FROM occurred_at - at) / 86400 / decay)
                                    * CASE WHEN forth = 1 THEN first WHEN back = 1 THEN last ELSE middle / (forth + back - 3) END END AS weight
        FROM pair p)
    SELECT model, conversion_id, value, message_id, rule_id,
           CASE sum(weight) OVER w WHEN 0 THEN 1.0 / count(*) OVER w ELSE weight / sum(weight) OVER w END AS share
    FROM weighed
    WINDOW w AS (PARTITION BY model, conversion_id);

-- Differences of any kind: none
CREATE VIEW differences AS
    SELECT coalesce(x.model, f.model) AS model, coalesce(x.rule_id, f.rule_id) AS rule_id,
           x.conversions AS expected, f.conversions, x.revenue AS expected_revenue, f.revenue
    FROM (SELECT model, rule_id, sum(share) AS conversions, sum(share * value) AS revenue, count(*) AS shares
          FROM expected WHERE share > 0 OR model NOT IN ('first_touch', 'last_touch') GROUP BY model, rule_id) AS x
    FULL JOIN (SELECT * FROM nudge.attribution WHERE model <> 'markov') AS f
        ON f.model = x.model AND f.rule_id IS NOT DISTINCT FROM x.rule_id
    WHERE x.model IS NULL OR f.model IS NULL OR abs(x.conversions - f.conversions) > 1e-9 OR f.touches <> x.shares
        -- a cent a share
        OR abs(x.revenue - f.revenue) > 0.01 * x.shares;
CREATE PROCEDURE check_part(n integer) LANGUAGE plpgsql AS $$
DECLARE
    before bigint; after bigint; done bigint;
BEGIN
    CALL record_part(n);
    SELECT count(*) INTO before FROM differences;
    done := nudge.run_attribution(timestamptz '2021-03-02' + n * interval '1 day');
    SELECT count(*) INTO after FROM differences;
    RAISE WARNING 'part %: % and % differences; % conversions shared out, % of earlier parts', n, before, after, done > 0,
        (SELECT count(DISTINCT k.conversion_id) FROM nudge.attribution_credits k WHERE k.conversion_id < n * 1000 AND k.xmin = pg_current_xact_id()::xid) > 0;
END
$$;
CALL check_part(0);
CALL check_part(1);
CALL check_part(2);
CALL check_part(3);
CALL check_part(4);
CALL check_part(5);

-- Each share of each conversion
SELECT count(*) > 1000 AS enough, count(*) FILTER (WHERE x.share IS NULL OR a.share IS NULL OR abs(x.share - a.share) > 1e-12
                                                         OR abs(a.revenue - x.value * x.share) > 0.0100001) AS differences
FROM (SELECT c.conversion_id, m.name AS model, a.* FROM nudge.conversions c
      JOIN nudge.attribution_models m ON m.kind <> 'markov' CROSS JOIN LATERAL nudge.attribute_conversion(c.conversion_id, m.name) AS a) AS a
FULL JOIN (SELECT * FROM expected WHERE share > 0 OR model NOT IN ('first_touch', 'last_touch')) AS x
    ON x.conversion_id = a.conversion_id AND x.model = a.model AND x.message_id = a.message_id AND x.rule_id IS NOT DISTINCT FROM a.rule_id;
SELECT count(*) > 200 AS enough, bool_and(t.share = 1) AS shares_sum_to_1, bool_and(t.revenue = t.value) AS revenue_sums_to_value
FROM (SELECT sum(a.share) AS share, sum(a.revenue) AS revenue, c.value
      FROM nudge.conversions c CROSS JOIN nudge.attribution_models m CROSS JOIN LATERAL nudge.attribute_conversion(c.conversion_id, m.name) AS a
      GROUP BY c.conversion_id, c.value, m.name) AS t;

-- The kept figures are those that come of computing all anew
CREATE TEMP TABLE kept AS TABLE nudge.attribution_totals;
SELECT nudge.recompute_attribution() > 60 AS recomputed;
SELECT count(*) > 100 AS enough, count(*) FILTER (WHERE k IS NULL OR t IS NULL OR k IS DISTINCT FROM t) AS differences
FROM (SELECT * FROM kept WHERE model <> 'markov') AS k
FULL JOIN (SELECT * FROM nudge.attribution_totals WHERE model <> 'markov') AS t USING (model, rule_id, day);
-- markov: the figures are the sums of the shares
SELECT count(*) AS differences
FROM (SELECT a.rule_id, sum(a.share) AS conversions, sum(a.revenue) AS revenue
      FROM nudge.conversions c CROSS JOIN LATERAL nudge.attribute_conversion(c.conversion_id, 'markov') AS a GROUP BY a.rule_id) AS x
FULL JOIN (SELECT * FROM nudge.attribution WHERE model = 'markov') AS f ON coalesce(f.rule_id, 0) = coalesce(x.rule_id, 0)
WHERE (x.conversions, x.revenue) IS DISTINCT FROM (f.conversions, f.revenue);

DROP VIEW differences, expected, touch;
DROP PROCEDURE record_part, check_part;
DELETE FROM nudge.attribution_models WHERE name = 'other';
DELETE FROM nudge.conversion_goals WHERE name = 'five_days';
TRUNCATE nudge.events, nudge.conversions, nudge.attribution_totals, nudge.attribution_progress, nudge.attribution_effects;
