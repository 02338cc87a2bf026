#!/bin/bash
#
# Claim + ack while a REPEATABLE READ snapshot is held open and many messages
# pass through the queue: none of their dead rows can be removed, and claims must
# not come to walk over them.  Compares the rate after the churn with the one
# before.  Needs a superuser's connection and makes a database of its own.
#
#   bench/claim_snapshot.sh [messages that pass through] [messages measured]
#
set -euo pipefail
cd "$(dirname "$0")"
churn=${1:-300000}
measured=${2:-20000}
database=nudge_bench_claim_snapshot

psql=(psql -X -q -v ON_ERROR_STOP=1)
export PGOPTIONS='-c client_min_messages=warning'
"${psql[@]}" -d postgres -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database"
"${psql[@]}" -d $database -c 'CREATE EXTENSION pg_nudge' -c 'SELECT nudge.maintain()' >/dev/null

coproc holder { "${psql[@]}" -At -d $database; }
holder_in=${holder[1]}
holder_pid=$holder_PID
cleanup() {
	exec {holder_in}>&- || true
	wait "$holder_pid" 2>/dev/null || true
	"${psql[@]}" -d postgres -c "DROP DATABASE IF EXISTS $database"
}
trap cleanup EXIT

measure=$(cat <<-'SQL'
	CALL pg_temp.fill_nudge(:measured);
	CALL pg_temp.drain_nudge(0, 0) \gset
	INSERT INTO rates SELECT :'phase', :messages / :seconds;
SQL
)
run() {
	cat claim_ack.sql
	echo 'CREATE TABLE IF NOT EXISTS public.rates (phase text, rate float8);'
	echo "\\set phase $1"
	echo "$measure"
	echo "$measure"
	echo "$measure"
}

run before | "${psql[@]}" -d $database -v measured="$measured"

echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM nudge.message_queue;" >&"$holder_in"
read -r _ <&"${holder[0]}"

{
	cat claim_ack.sql
	for ((i = 0; i < churn; i += 10000)); do
		echo 'CALL pg_temp.fill_nudge(10000); CALL pg_temp.drain_nudge(0, 0, 1000);'
	done
} | "${psql[@]}" -d $database >/dev/null

run during | "${psql[@]}" -d $database -v measured="$measured"

"${psql[@]}" -At -d $database -v churn="$churn" <<-'SQL'
	SELECT format('claim_snapshot ratio %s (budget 0.50): %s messages/s after %s messages behind an old snapshot, %s before',
	              round((during / before)::numeric, 3), round(during::numeric), :'churn', round(before::numeric))
	FROM (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY rate) FILTER (WHERE phase = 'before') AS before,
	             percentile_cont(0.5) WITHIN GROUP (ORDER BY rate) FILTER (WHERE phase = 'during') AS during
	      FROM rates) r;
SQL
