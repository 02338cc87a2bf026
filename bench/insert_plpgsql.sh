#!/bin/bash
#
# 1,000 rules of two pages each, against statement triggers in PL/pgSQL that know the same
# rules (plpgsql_trigger.sql).  The budget is for the one that joins actions with patterns,
# which is what one would write.  The one that looks pieces of the URL up first is as good as SQL gets
# for this one type of condition; it is shown for comparison.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$(dirname "${BASH_SOURCE[0]}")"
sql -f rules.sql >/dev/null
sql -f plpgsql_trigger.sql >/dev/null
sql "CALL bench.use_rules('pages', 999)"
sql "CALL bench.add_rule('/spring-sale/')"
sql "CALL bench.load_patterns()"

# PL/pgSQL takes its time: a fifth of the rows will do.
rows=40000
head -n "$rows" "$actions" >"$BENCH_WORK/actions.csv"

clean() { sql -c 'CALL bench.clean()' -c 'TRUNCATE bench.actions_join, bench.actions_grams, bench.events'; }
copy() {
    timed -b "INSERT INTO $1 (user_id, action_type) VALUES ('warm-up', 'warm_up')" \
        "COPY $1 ($action_columns) FROM '$BENCH_WORK/actions.csv' CSV"
    expect $((rows / 20)) "SELECT count(*) FROM $2"
}

ours()   { clean; copy nudge.actions nudge.pending; }
joined() { clean; copy bench.actions_join bench.pending; }
grams()  { clean; copy bench.actions_grams bench.pending; }

pair '1,000 rules, 5 % of the rows fire one : a PL/pgSQL trigger that joins' 12 ours joined "$rows"
pair '1,000 rules, 5 % of the rows fire one : a PL/pgSQL trigger with n-grams' - ours grams "$rows"
