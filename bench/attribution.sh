#!/bin/bash
#
# Attribution: what it costs to share conversions out among messages and to keep the
# figures, in terms of a query by hand which does no more than linear attribution once.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# 100,000 users with a conversion and ten messages in the fortnight before, of 200 rules
sql "INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, occurred_at, recorded_at)
     SELECT 'user-' || m % 100000, e.type, 1 + m % 199, m, t.at + e.later, t.at + e.later
     FROM generate_series(1, 1000000) AS m
     CROSS JOIN (VALUES ('sent', interval '0'), ('delivered', interval '1 minute')) AS e (type, later)
     CROSS JOIN LATERAL (SELECT now() - interval '1 day' - (m / 100000) * interval '26 hours' - m % 3600 * interval '1 second') AS t (at)"
sql "INSERT INTO nudge.conversions (user_id, value, occurred_at, recorded_at)
     SELECT 'user-' || i, 10 + i % 1000 / 100.0, t, t
     FROM generate_series(0, 99999) AS i CROSS JOIN LATERAL (SELECT now() - i % 3600 * interval '1 second' - interval '1 minute') AS v (t)"
sql 'VACUUM ANALYZE'

models() {
    sql "TRUNCATE nudge.attribution_totals, nudge.attribution_credits, nudge.attribution_progress, nudge.attribution_effects"
    sql "UPDATE nudge.attribution_models SET enabled = name = ANY ('{$1}')"
}
linear() {
    models linear
    timed "SELECT nudge.run_attribution()"
    expect '100000|1000000' "SELECT trim_scale(sum(conversions)), sum(touches) FROM nudge.attribution"
}
all() {
    models first_touch,last_touch,linear,position_decay,markov
    timed "SELECT nudge.run_attribution()"
    expect "$(sql 'SELECT sum(value)::numeric(20, 2) FROM nudge.conversions')" "SELECT sum(revenue) FROM nudge.attribution WHERE model = 'markov'"
}
by_hand() {
    timed "SELECT rule_id, sum(1.0 / n) AS conversions, sum(value / n) AS revenue
           FROM (SELECT d.rule_id, c.value, count(*) OVER (PARTITION BY c.conversion_id) AS n
                 FROM nudge.conversions c
                 JOIN (SELECT user_id, message_id, rule_id, min(occurred_at) AS at
                       FROM nudge.events WHERE event_type = 'delivered' GROUP BY user_id, message_id, rule_id) AS d
                     ON d.user_id = c.user_id AND d.at BETWEEN c.occurred_at - interval '14 days' AND c.occurred_at) AS t
           GROUP BY rule_id"
}
pair '100,000 conversions of ten touches attributed, linear : a query by hand' 0.3 linear by_hand 100000
pair '100,000 conversions of ten touches attributed, all five models : a query by hand for one' - all by_hand 100000

models first_touch,last_touch,linear,position_decay,markov
sql "SELECT nudge.run_attribution()" >/dev/null
stored() { timed "SELECT * FROM nudge.attribution"; }
pair 'nudge.attribution of 200 rules by five models : the query by hand' 20 stored by_hand

# Where little is new, little is read: a conversion by itself, and the view with 300
# conversions since the last run
sql "INSERT INTO nudge.conversions (user_id, value) SELECT 'user-' || i, 5 FROM generate_series(1, 300) AS i"
single() { timed "SELECT count(*) FROM generate_series(1, 100) AS c, nudge.attribute_conversion(c, 'position_decay')"; }
pair '100 calls of attribute_conversion : a query by hand for 100,000 conversions' 2 single by_hand
pair 'nudge.attribution, 300 conversions since the last run : the query by hand' 2 stored by_hand
