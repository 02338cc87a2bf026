#!/bin/bash
#
# Claim + ack in batches of 100, against a bare table of the same rows with a lease.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

messages=20000
setting synchronous_commit=on   # which a claim asks for in any case
sql "SELECT nudge.maintain()" >/dev/null
sql -f "$(dirname "${BASH_SOURCE[0]}")/claim.sql"

claim_and_ack() {
    sql "CALL bench.empty_outbox()"
    sql "CALL bench.fill_outbox($messages)"
    sql "VACUUM ANALYZE nudge.message_queue, nudge.messages"
    timed "CALL bench.drain_outbox(100)"
    expect "$messages 0" "SELECT count(*) FILTER (WHERE status = 'sent') || ' ' || count(*) FILTER (WHERE status <> 'sent') FROM nudge.outbox"
}
bare_table() {
    sql "CALL bench.empty_outbox()"
    sql "CALL bench.fill_outbox($messages)"
    sql "CALL bench.fill_bare()"
    sql "VACUUM ANALYZE bench.bare"
    timed "CALL bench.drain_bare(100)"
    expect 0 "SELECT count(*) FROM bench.bare"
}

pair 'claim + ack by 100 : bare table with a lease' 0.80 claim_and_ack bare_table $messages
remark 'A claim updates narrow rows in place (HOT) and leaves the bodies alone, which the bare table copies; ack adds a result and an event.'
