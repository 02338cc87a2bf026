#!/bin/bash
#
# Figures: read from rollups instead of 5,000,000 events, and what it costs to keep them.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# 1,000,000 messages of 200 rules in the two months before this one, and 5,000,000 events
# of them and of triggers that came to nothing, in the order in which they would be
# recorded; conversions; 300,000 messages of today, of which nothing is known yet.
sql <<'SQL' >/dev/null
CREATE SCHEMA bench;
SELECT nudge.maintain();
SELECT nudge.make_partition(t.parent, t.key, date_trunc('month', now() AT TIME ZONE 'UTC', 'UTC') AT TIME ZONE 'UTC' - make_interval(months => m))
FROM nudge.partitioned_tables t, generate_series(1, 2) AS m
WHERE t.parent IN ('messages', 'events');

INSERT INTO nudge.rules (name, trigger_type) SELECT 'rule ' || i, 'behavioral' FROM generate_series(1, 200) AS i;

CREATE VIEW bench.month AS
    SELECT (date_trunc('month', now() AT TIME ZONE 'UTC')) AT TIME ZONE 'UTC' AS this,
           (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '2 months') AT TIME ZONE 'UTC' AS first;

-- seed: whose fate each message has, the same on each run
CREATE FUNCTION bench.chance(seed bigint, what text) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (pg_catalog.hashtextextended(what, seed) & 1048575) / 1048576.0;

INSERT INTO nudge.messages (user_id, pending_id, rule_id, channel, recipient, template_id, subject, body_text, priority, fired_at, created_at,
                            segments, timezone, variant, due_at, week_before)
SELECT 'user-' || bench.chance(i, 'user') * 200000, i, 1 + i % 200, (ARRAY['email', 'email', 'email', 'push'])[1 + i / 200 % 4], 'user@example.com',
       'template ' || i % 50, 'Subject of ' || i, repeat('body ', 100), 'normal', t.at - interval '1 hour', t.at,
       CASE i % 3 WHEN 0 THEN '{}' WHEN 1 THEN '{gold}' ELSE '{gold,women}' END::text[],
       (ARRAY['Europe/Berlin', 'America/New_York', NULL])[1 + i % 3], (ARRAY['a', 'b', NULL, NULL])[1 + i / 800 % 4], t.at - interval '30 s', i % 6
FROM bench.month m, generate_series(1, 1000000) AS i,
     LATERAL (SELECT m.first + i * (m.this - m.first - interval '3 days') / 1000000 AS at) AS t;

CREATE FUNCTION bench.events(from_id bigint, to_id bigint) RETURNS TABLE (user_id text, event_type text, rule_id bigint, pending_id bigint,
    message_id bigint, reason text, flag text, event_key text, happened_at timestamptz)
LANGUAGE sql STABLE
AS $$
    SELECT m.user_id, e.event_type, m.rule_id, CASE WHEN e.event_type <> 'capped' THEN m.pending_id END,
           CASE WHEN e.event_type NOT IN ('scheduled', 'capped', 'skipped') THEN m.message_id END, e.reason, e.flag, e.event_key, m.created_at + e.after
    FROM nudge.messages m
    CROSS JOIN LATERAL (
        SELECT 'scheduled' AS event_type, NULL AS reason, NULL AS flag, NULL AS event_key, interval '-30 s' AS after
        UNION ALL SELECT 'executed', NULL, NULL, NULL, '0 s'
        UNION ALL SELECT 'sent', NULL, NULL, NULL, '5 s'
        UNION ALL SELECT 'delivered', NULL, NULL, 'd', '20 s' WHERE bench.chance(m.message_id, 'delivered') < 0.97
        UNION ALL SELECT 'bounced', NULL, NULL, 'b', '20 s' WHERE bench.chance(m.message_id, 'delivered') >= 0.97
        UNION ALL SELECT 'opened', NULL, 'machine', 'm', '21 s' WHERE bench.chance(m.message_id, 'machine') < 0.2 AND bench.chance(m.message_id, 'delivered') < 0.97
        UNION ALL SELECT 'opened', NULL, NULL, 'o' || n, bench.chance(m.message_id, 'open' || n) * interval '2 days' FROM generate_series(1, 3) AS n
                  WHERE bench.chance(m.message_id, 'opens') < 0.4 / n AND bench.chance(m.message_id, 'delivered') < 0.97
        UNION ALL SELECT 'clicked', NULL, NULL, 'c', bench.chance(m.message_id, 'click') * interval '2 days' WHERE bench.chance(m.message_id, 'opens') < 0.08 AND bench.chance(m.message_id, 'delivered') < 0.97
        UNION ALL SELECT 'unsubscribed', NULL, NULL, 'u', '1 hour' WHERE bench.chance(m.message_id, 'opens') > 0.997
        UNION ALL SELECT 'complained', NULL, NULL, 's', '1 hour' WHERE bench.chance(m.message_id, 'opens') > 0.9995
        UNION ALL SELECT 'capped', 'daily', NULL, NULL, '-30 s' WHERE bench.chance(m.message_id, 'capped') < 0.05
        UNION ALL SELECT 'skipped', 'expired', NULL, NULL, '10 s' WHERE bench.chance(m.message_id, 'skipped') < 0.03) AS e
    WHERE m.message_id BETWEEN from_id AND to_id
$$;
INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, message_id, reason, flag, event_key, occurred_at, recorded_at)
SELECT e.user_id, e.event_type, e.rule_id, e.pending_id, e.message_id, e.reason, e.flag, e.event_key, e.happened_at, e.happened_at
FROM bench.events(1, 1000000) AS e
ORDER BY e.happened_at LIMIT 5000000;
INSERT INTO nudge.conversions (user_id, value, occurred_at, recorded_at)
SELECT m.user_id, 10 + m.message_id % 90, m.created_at + interval '3 days', m.created_at + interval '3 days'
FROM nudge.messages m WHERE m.message_id <= 1000000 AND bench.chance(m.message_id, 'converts') < 0.01 ORDER BY m.created_at;

SQL
sql "VACUUM ANALYZE"
sql "SELECT nudge.rollup(clock_timestamp())" >/dev/null
sql <<'SQL'
INSERT INTO nudge.messages (user_id, pending_id, rule_id, channel, recipient, template_id, subject, body_text, priority, fired_at, created_at,
                            segments, timezone, due_at, week_before)
SELECT 'user-' || bench.chance(i, 'user') * 200000, i, 1 + i % 200, 'email', 'user@example.com', 'template ' || i % 50, 'Subject of ' || i,
       repeat('body ', 100), 'normal', now() - interval '1 hour', now(), '{gold}', 'Europe/Berlin', now() - interval '1 hour', i % 6
FROM generate_series(1, 300000) AS i;
SQL
sql "VACUUM ANALYZE"

# What is to be copied: of today's messages all but scheduling and running, and opens of older ones
new=$BENCH_WORK/new_events.csv
columns=user_id,event_type,rule_id,pending_id,message_id,flag,event_key,occurred_at
sql "COPY (SELECT e.user_id, e.event_type, e.rule_id, e.pending_id, e.message_id, e.flag, e.event_key, e.happened_at
           FROM bench.events(1000001, 1300000) AS e WHERE e.event_type NOT IN ('scheduled', 'executed', 'capped', 'skipped')
           UNION ALL
           SELECT m.user_id, 'opened', m.rule_id, m.pending_id, m.message_id, NULL, 'late', m.created_at + interval '3 days'
           FROM nudge.messages m WHERE m.message_id BETWEEN 600000 AND 1000000
           LIMIT 1000000) TO '$new' CSV"

current=$(sql "SELECT 'nudge.' || p.partition FROM nudge.partitions p WHERE p.parent = 'events' AND now() >= p.lower_bound AND now() < p.upper_bound")

truncate_new() { sql "TRUNCATE $current"; }
copy_new="COPY nudge.events ($columns) FROM '$new' CSV"

# Undone again, so that each run has the same to do
roll_up() {
    truncate_new
    sql "$copy_new"
    sql "VACUUM ANALYZE $current"
    timed "BEGIN; SELECT nudge.rollup(clock_timestamp()); ROLLBACK"
}
copy_events() {
    truncate_new
    timed "$copy_new"
}
pair 'rollup() of 1,000,000 new events : COPY of them' 0.50 roll_up copy_events 1000000
remark 'Events of 300,000 messages made since, and opens of 100,000 older ones, most of which had been opened before.'

# Read with what has been recorded in the last five minutes on top, at the pace of the two
# months; the two must agree.
truncate_new
sql "INSERT INTO nudge.events ($columns) SELECT m.user_id, 'opened', m.rule_id, m.pending_id, m.message_id, NULL, 'tail', now()
     FROM nudge.messages m WHERE m.message_id BETWEEN 500001 AND 500300"
sql "VACUUM ANALYZE"
from_raw="
    SELECT coalesce(t.rule_id, m.rule_id) AS rule_id, t.total_triggers, t.capped, t.skipped, t.held_out, m.sent, m.delivered, m.opened, m.clicked,
           m.conversions, m.unsubscribes, m.complaints, m.bounces, m.failures, m.revenue
    FROM (SELECT e.rule_id, count(*) FILTER (WHERE e.event_type = 'scheduled' OR e.pending_id IS NULL) AS total_triggers,
                 count(*) FILTER (WHERE e.event_type = 'capped') AS capped, count(*) FILTER (WHERE e.event_type = 'skipped') AS skipped,
                 count(*) FILTER (WHERE e.event_type = 'held_out') AS held_out
          FROM nudge.events e WHERE e.event_type IN ('scheduled', 'capped', 'skipped', 'held_out') GROUP BY e.rule_id) AS t
    FULL JOIN (
        SELECT x.rule_id, count(*) FILTER (WHERE x.sent) AS sent, count(*) FILTER (WHERE x.delivered) AS delivered, count(*) FILTER (WHERE x.opened) AS opened,
               count(*) FILTER (WHERE x.clicked) AS clicked, count(*) FILTER (WHERE x.bounced) AS bounces, count(*) FILTER (WHERE x.complained) AS complaints,
               count(*) FILTER (WHERE x.unsubscribed) AS unsubscribes, count(*) FILTER (WHERE x.failed) AS failures,
               coalesce(sum(c.conversions), 0) AS conversions, coalesce(sum(c.revenue), 0) AS revenue
        FROM (SELECT e.message_id, min(e.rule_id) AS rule_id, bool_or(e.event_type = 'sent') AS sent, bool_or(e.event_type = 'delivered') AS delivered,
                     bool_or(e.event_type = 'opened') AS opened, bool_or(e.event_type = 'clicked') AS clicked, bool_or(e.event_type = 'bounced') AS bounced,
                     bool_or(e.event_type = 'complained') AS complained, bool_or(e.event_type = 'unsubscribed') AS unsubscribed,
                     bool_or(e.event_type IN ('failed', 'dead')) AS failed
              FROM nudge.events e
              WHERE e.event_type IN ('sent', 'delivered', 'opened', 'clicked', 'bounced', 'complained', 'unsubscribed', 'failed', 'dead')
                  AND e.message_id IS NOT NULL AND e.flag IS DISTINCT FROM 'machine'
              GROUP BY e.message_id) AS x
        LEFT JOIN (
            SELECT l.message_id, count(*) AS conversions, sum(l.value) AS revenue
            FROM (SELECT DISTINCT ON (c.conversion_id) c.value, d.message_id
                  FROM nudge.conversions c
                  JOIN nudge.events d ON d.user_id = c.user_id AND d.event_type = 'delivered' AND d.recorded_at <= c.recorded_at
                      AND d.occurred_at BETWEEN c.occurred_at - interval '7 days' AND c.occurred_at
                  ORDER BY c.conversion_id, d.occurred_at DESC, d.message_id DESC) AS l
            GROUP BY l.message_id) AS c ON c.message_id = x.message_id
        GROUP BY x.rule_id) AS m ON m.rule_id = t.rule_id"
columns_of_both='rule_id, total_triggers, capped, skipped, held_out, sent, delivered, opened, clicked, conversions, unsubscribes, complaints, bounces, failures, revenue'
expect 0 "SELECT count(*) FROM ((SELECT $columns_of_both FROM nudge.rule_performance EXCEPT SELECT $columns_of_both FROM ($from_raw) AS r)
                                 UNION ALL (SELECT $columns_of_both FROM ($from_raw) AS r EXCEPT SELECT $columns_of_both FROM nudge.rule_performance)) AS d"
expect 200 'SELECT count(*) FROM nudge.rule_performance WHERE sent > 0 AND conversions > 0 AND opened > 0 AND capped > 0'

# (in sessions that have asked before, so that they have read the catalogs)
from_rollups() { timed -b 'SELECT count(*) FROM (SELECT * FROM nudge.rule_performance OFFSET 0) AS r' 'SELECT * FROM nudge.rule_performance'; }
from_events() { timed -b "EXPLAIN $from_raw" "$from_raw"; }
pair 'rule_performance over 5,000,000 events of 200 rules : the same figures from raw events' 200 from_rollups from_events
