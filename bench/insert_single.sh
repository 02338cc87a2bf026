#!/bin/bash
#
# One-row INSERTs, 30,000 in one DO block: what a statement costs, without the commit.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sql -f "$(dirname "${BASH_SOURCE[0]}")/rules.sql" >/dev/null
sql "CREATE TABLE bench.staged AS SELECT $action_columns FROM nudge.actions LIMIT 0"
sql "COPY bench.staged ($action_columns) FROM '$actions' CSV"
sql "DELETE FROM bench.staged WHERE action_type <> 'page_visit'"
sql "INSERT INTO nudge.users (user_id, email)
     SELECT DISTINCT user_id, user_id || '@example.com' FROM bench.staged"
sql 'VACUUM FULL ANALYZE'

# $1 is the table, $2 what to do after each row.
insert_rows() {
    timed -b "INSERT INTO $1 (user_id, action_type) VALUES ('warm-up', 'warm_up')" "
        DO \$\$
        DECLARE
            a bench.staged;
        BEGIN
            FOR a IN SELECT * FROM bench.staged LIMIT 30000 LOOP
                INSERT INTO $1 (user_id, action_type, action_data, context, session_id, source, occurred_at)
                VALUES (a.user_id, a.action_type, a.action_data, a.context, a.session_id, a.source, a.occurred_at);
                ${2:-}
            END LOOP;
        END
        \$\$"
}

with_trigger() {
    sql 'CALL bench.clean()'
    insert_rows nudge.actions
    expect "$fired" 'SELECT count(*) FROM nudge.pending'
}
no_trigger() {
    sql 'CALL bench.clean()'
    insert_rows bench.actions
}
by_hand() {
    sql 'CALL bench.clean()'
    insert_rows bench.actions "
        INSERT INTO bench.pending (user_id, rule_id, priority, fired_at, due_at, score, occurred_at,
                                   action_type, action_data, context)
        VALUES (a.user_id, 1, 'normal', now(), now() + '1 hour', 1.0, a.occurred_at,
                a.action_type, a.action_data, a.context);"
}

fired=0
sql "CALL bench.use_rules('substrings', 10000)"
pair '30,000 one-row INSERTs, 10,000 rules, none matches : no trigger' 0.85 with_trigger no_trigger 30000

fired=30000
sql "CALL bench.use_rules('substrings', 9999)"
sql "CALL bench.add_rule('/products/', capped => true)"
pair '30,000 one-row INSERTs, each fires a capped rule : pending by hand' 0.60 with_trigger by_hand 30000
