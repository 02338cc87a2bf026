#!/bin/bash
#
# Claim + ack while a REPEATABLE READ snapshot is held open and 300,000 messages pass
# through the queue: none of their dead rows can be removed, and claims must not
# come to walk over them.  Compared with the same before the snapshot.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

messages=20000
churn=300000
setting synchronous_commit=on
sql "SELECT nudge.maintain()" >/dev/null
sql -f "$(dirname "${BASH_SOURCE[0]}")/claim.sql"

claim_and_ack() {
    sql "CALL bench.fill_outbox($messages)"
    timed "CALL bench.drain_outbox(100)"
}
measure() {
    local round
    for ((round = 0; round <= pairs; round++)); do
        side claim_and_ack
        [ "$round" = 0 ] || echo "$elapsed"
    done
}

measure >"$BENCH_WORK/before"

coproc holder { psql -XqAt; }
{
    echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM nudge.message_queue;"
} >&"${holder[1]}"
read -r _ <&"${holder[0]}"

for ((i = 0; i < churn; i += 10000)); do
    echo "CALL bench.fill_outbox(10000); CALL bench.drain_outbox(1000);"
done | sql -f -
expect t "SELECT n_dead_tup > $churn FROM (SELECT pg_stat_force_next_flush()) f, pg_stat_get_dead_tuples('nudge.message_queue'::regclass) n_dead_tup"

measure >"$BENCH_WORK/behind"
echo 'SELECT count(*) FROM nudge.message_queue; COMMIT;' >&"${holder[1]}"
read -r seen <&"${holder[0]}"
[ "$seen" = 0 ] || { echo "the snapshot was not held" >&2; exit 1; }

paste -d' ' "$BENCH_WORK/behind" "$BENCH_WORK/before" |
    report "claim + ack after $churn messages behind a snapshot : before" 0.50 $messages
