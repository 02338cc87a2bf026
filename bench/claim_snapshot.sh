#!/bin/bash
#
# Claim + ack while a REPEATABLE READ snapshot is held open and 300,000 messages have
# passed through the queue since: none of their dead rows can be removed, and
# claims must not come to walk over them.  Compared with the same in a database
# of its own, which that snapshot does not concern and where nothing has passed.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

messages=20000
churn=300000
setting synchronous_commit=on
calm=claim_snapshot_calm
sql "DROP DATABASE IF EXISTS $calm"
sql "CREATE DATABASE $calm TEMPLATE $PGDATABASE"
prepare() {
    sql "SELECT nudge.maintain()" >/dev/null
    sql -f "$(dirname "${BASH_SOURCE[0]}")/claim.sql"
}
prepare
PGDATABASE=$calm prepare

coproc holder { psql -XqAt; }
exec {to_holder}>&"${holder[1]}" {from_holder}<&"${holder[0]}"
echo 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM nudge.message_queue;' >&"$to_holder"
read -r _ <&"$from_holder"

for ((i = 0; i < churn; i += 10000)); do
    echo "CALL bench.fill_outbox(10000); CALL bench.drain_outbox(1000);"
done | sql -f -
expect "$churn" "SELECT count(*) FROM nudge.outbox WHERE status = 'sent'"

claim_and_ack() {
    sql "CALL bench.fill_outbox($messages)"
    timed "CALL bench.drain_outbox(100)"
    expect 0 "SELECT count(*) FROM nudge.message_queue"
}
behind_the_snapshot() { claim_and_ack; }
without_it() {
    PGDATABASE=$calm sql "VACUUM nudge.message_queue, nudge.message_blocks"
    PGDATABASE=$calm claim_and_ack
}
pair "claim + ack by 100, $churn messages after an old snapshot : no snapshot" 0.50 behind_the_snapshot without_it $messages

echo 'SELECT count(*) FROM nudge.message_queue; COMMIT;' >&"$to_holder"
read -r seen <&"$from_holder"
[ "$seen" = 0 ] || { echo "the snapshot was not held" >&2; exit 1; }
sql "DROP DATABASE $calm"
