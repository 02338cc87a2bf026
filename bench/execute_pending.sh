#!/bin/bash
#
# nudge.execute_pending on 100,000 due triggers of a rule with a cap and a template of
# three variables, against one DELETE ... RETURNING into INSERT of the same rows,
# between tables with the same columns, partitions and indexes as nudge.pending and
# nudge.messages.  The latter neither renders, nor counts, nor queues anything.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

triggers=100000
sql -f "$(dirname "${BASH_SOURCE[0]}")/execute_pending.sql" >/dev/null

executor() {
    sql "CALL bench.fill($triggers, $users, $days)"
    sql 'VACUUM ANALYZE nudge.pending, nudge.cap_usage'
    sql CHECKPOINT
    timed "SELECT * FROM nudge.execute_pending($triggers)"
    expect "$triggers 0" "SELECT (SELECT count(*) FROM nudge.messages) || ' ' || (SELECT count(*) FROM nudge.pending)"
}
bare_move() {
    sql "CALL bench.fill_bare($triggers, $users)"
    sql 'VACUUM ANALYZE bench.pending'
    sql CHECKPOINT
    timed 'CALL bench.move()'
    expect "$triggers 0" "SELECT (SELECT count(*) FROM bench.messages) || ' ' || (SELECT count(*) FROM bench.pending)"
}

users=100000 days=0
pair '100,000 due triggers, each the first of its user : DELETE into INSERT' 0.40 executor bare_move $triggers
users=20000 days=5
pair '100,000 due triggers of 20,000 users with counts of weeks : DELETE into INSERT' 0.40 executor bare_move $triggers
remark 'Besides the message, the executor writes a queue row, an event and the counts of caps (a fifth to a quarter of its time), and reads the user.'
