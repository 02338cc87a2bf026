#!/bin/bash
#
# Claim + ack in batches of 100, against a bare table of the same rows with a
# lease; five pairs in one session, the median of their ratios.  Needs a
# superuser's connection (PGHOST, PGPORT, ...) and makes a database of its own.
#
#   bench/claim_ack.sh [messages] [pairs]
#
set -euo pipefail
cd "$(dirname "$0")"
messages=${1:-20000}
pairs=${2:-5}
database=nudge_bench_claim_ack

psql=(psql -X -q -v ON_ERROR_STOP=1)
export PGOPTIONS='-c client_min_messages=warning'
"${psql[@]}" -d postgres -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database"
trap '"${psql[@]}" -d postgres -c "DROP DATABASE IF EXISTS $database"' EXIT
"${psql[@]}" -d $database -c 'CREATE EXTENSION pg_nudge' -c 'SELECT nudge.maintain()' >/dev/null

{
	cat claim_ack.sql
	for ((i = 0; i < pairs; i++)); do
		cat <<-'SQL'
			CALL pg_temp.empty_nudge();
			CALL pg_temp.fill_nudge(:messages);
			CALL pg_temp.fill_bare();
			VACUUM ANALYZE nudge.message_queue, nudge.messages, public.bare_outbox;
			CHECKPOINT;
			CALL pg_temp.drain_bare(0, 0) \gset bare_
			CALL pg_temp.drain_nudge(0, 0) \gset nudge_
			INSERT INTO pairs VALUES (:nudge_messages / :nudge_seconds, :bare_messages / :bare_seconds);
			\echo '  claim + ack:' :nudge_messages 'in' :nudge_seconds 's, bare table:' :bare_messages 'in' :bare_seconds 's'
		SQL
	done
	cat <<-'SQL'
		\pset tuples_only on
		\pset format unaligned
		SELECT format('claim_ack ratio %s (budget 0.80): %s messages/s, bare table %s messages/s',
		              round(percentile_cont(0.5) WITHIN GROUP (ORDER BY nudge / bare)::numeric, 3),
		              round(percentile_cont(0.5) WITHIN GROUP (ORDER BY nudge)::numeric),
		              round(percentile_cont(0.5) WITHIN GROUP (ORDER BY bare)::numeric))
		FROM pairs;
	SQL
} | "${psql[@]}" -d $database -v messages="$messages"
