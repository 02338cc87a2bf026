#!/bin/bash
#
# nudge.execute_pending on due triggers with a cap and a three-variable template,
# against one DELETE ... RETURNING into INSERT of the same rows; pairs in one
# session, the median of their ratios.  Measured twice: for users who get their
# first message, and for users who have counts of some weeks.  Needs a
# superuser's connection (PGHOST, PGPORT, ...) and makes a database of its own.
#
#   bench/execute_pending.sh [triggers] [pairs]
#
set -euo pipefail
cd "$(dirname "$0")"
triggers=${1:-100000}
pairs=${2:-5}
database=nudge_bench_execute_pending

psql=(psql -X -q -v ON_ERROR_STOP=1)
export PGOPTIONS='-c client_min_messages=warning -c nudge.max_pending_triggers=1000000'
"${psql[@]}" -d postgres -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database"
trap '"${psql[@]}" -d postgres -c "DROP DATABASE IF EXISTS $database"' EXIT
"${psql[@]}" -d $database -c 'CREATE EXTENSION pg_nudge'

pair() {
	cat <<-SQL
		CALL pg_temp.fill(:triggers, $1);
		VACUUM ANALYZE nudge.pending, nudge.cap_usage, public.bare_pending;
		CHECKPOINT;
		CALL pg_temp.drain_bare(0, 0) \\gset bare_
		CALL pg_temp.drain_nudge(0, 0) \\gset nudge_
		INSERT INTO pairs VALUES ('$2', :nudge_messages / :nudge_seconds, :bare_messages / :bare_seconds);
		\\echo '  $2:' :nudge_messages 'in' :nudge_seconds 's, bare tables:' :bare_messages 'in' :bare_seconds 's'
	SQL
}

{
	cat execute_pending.sql
	for ((i = 0; i < pairs; i++)); do pair false 'new users'; done
	for ((i = 0; i < pairs; i++)); do pair true 'known users'; done
	cat <<-'SQL'
		\pset tuples_only on
		\pset format unaligned
		SELECT format('execute_pending (%s) ratio %s (budget 0.40): %s messages/s, bare tables %s rows/s', usage,
		              round(percentile_cont(0.5) WITHIN GROUP (ORDER BY nudge / bare)::numeric, 3),
		              round(percentile_cont(0.5) WITHIN GROUP (ORDER BY nudge)::numeric),
		              round(percentile_cont(0.5) WITHIN GROUP (ORDER BY bare)::numeric))
		FROM pairs GROUP BY usage ORDER BY usage;
	SQL
} | "${psql[@]}" -d $database -v triggers="$triggers"
