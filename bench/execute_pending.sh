#!/bin/bash
#
# nudge.execute_pending on due triggers with a cap and a three-variable template,
# against one DELETE ... RETURNING into INSERT of the same rows.  Twice: for users who get
# their first message, and for users who have counts of some weeks.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

triggers=100000
setting nudge.max_pending_triggers=1000000
sql "SELECT nudge.maintain()" >/dev/null
sql -v triggers=$triggers -f "$(dirname "${BASH_SOURCE[0]}")/execute_pending.sql"

known=false
fill() {
    sql "CALL bench.fill($triggers, $known)"
    sql "VACUUM ANALYZE nudge.pending, nudge.cap_usage, bench.pending"
}
executor() {
    fill
    timed "SELECT nudge.execute_pending($triggers)"
    expect "$triggers" "SELECT count(*) FROM nudge.message_queue"
}
bare() {
    fill
    timed "CALL bench.move_bare()"
    expect "$triggers" "SELECT count(*) FROM bench.messages"
}

pair 'execute_pending, 100,000 due, users'\'' first message : DELETE into INSERT' 0.40 executor bare $triggers
known=true
pair 'execute_pending, 100,000 due, users with counts : DELETE into INSERT' 0.40 executor bare $triggers
