#!/bin/bash
#
# COPY of actions: what rules cost that cannot match, that fire, and that are many.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sql -f "$(dirname "${BASH_SOURCE[0]}")/rules.sql" >/dev/null
sql "CREATE TABLE bench.staged AS SELECT $action_columns FROM nudge.actions LIMIT 0"
sql "COPY bench.staged ($action_columns) FROM '$actions' CSV"
sql "INSERT INTO nudge.users (user_id, email, profile)
     SELECT user_id, user_id || '@example.com',
            jsonb_build_object('tier', (ARRAY['basic', 'silver', 'gold'])[1 + abs(hashtext(user_id)) % 3])
     FROM (SELECT DISTINCT user_id FROM bench.staged) u"
sql 'VACUUM ANALYZE'

# Both sides' sessions have done one insert before, which fills their caches.
warm_up() { echo "INSERT INTO $1 (user_id, action_type) VALUES ('warm-up', 'warm_up')"; }
copy() { timed -b "$(warm_up "$1")" "COPY $1 ($action_columns) FROM '$actions' CSV"; }

with_trigger() { sql 'CALL bench.clean()'; copy nudge.actions; expect "$fired" 'SELECT count(*) FROM nudge.pending'; }
no_trigger()   { sql 'CALL bench.clean()'; copy bench.actions; }

fired=0
sql "CALL bench.use_rules('substrings', 10000)"
elapsed=0
timed "$(warm_up nudge.actions)"
remark "a session's first insert, which loads 10,000 rules, took $elapsed ms"
pair '10,000 substring rules, none can match : no trigger' 0.85 with_trigger no_trigger 200000

sql "CALL bench.use_rules('mixed', 10000)"
pair '10,000 rules on types, pages and attributes, none can match : no trigger' 0.85 with_trigger no_trigger 200000

fired=10000
sql "CALL bench.use_rules('substrings', 9999)"
sql "CALL bench.add_rule('/spring-sale/')"
pair '10,000 rules, 5 % of the rows fire one : no trigger' 0.70 with_trigger no_trigger 200000

many_rules() {
    sql "CALL bench.use_rules('substrings', 9999)"
    sql "CALL bench.add_rule('/spring-sale/')"
    with_trigger
}
few_rules() {
    sql "CALL bench.use_rules('substrings', 9)"
    sql "CALL bench.add_rule('/spring-sale/')"
    with_trigger
}
pair '10,000 rules : 10 rules, 5 % of the rows fire one' 0.95 many_rules few_rules 200000
