# Helpers for benchmarks.
#
# A benchmark is an executable bench/NAME.sh that sources this file.  bench/run
# starts it in an empty database NAME in which pg_nudge is installed; psql finds
# it without arguments.  It compares two ways of doing the same work, run in turn on
# the same server, so that only their ratio counts and not the machine:
#
#     . "$(dirname "$0")/lib.sh"
#
#     ours()   { sql "TRUNCATE t"; timed "INSERT INTO t SELECT ..."; }
#     theirs() { sql "TRUNCATE u"; timed "INSERT INTO u SELECT ..."; }
#
#     pair "insert, 10,000 rules : no trigger" 0.85 ours theirs 200000
#
# Each side is a shell function that first brings the tables to the state in which
# the work starts, and then does the work through "timed"; only that counts.  It
# should also check that the work was done ("expect").  The ratio is the speed of the
# first side in terms of the second's: 2.0 means twice as fast, 0.5 half as fast.
#
#   sql SQL|ARG...      psql, unaligned, stops at the first error; one argument that
#                       is no option is SQL; without arguments it reads stdin
#   timed [-b SQL] SQL  runs SQL in one session and adds its time; -b names SQL that
#                       the session runs before it, untimed (to fill its caches)
#   timed_command CMD.. adds the time of a command, pgbench for example
#   expect VALUE SQL    fails unless the query's answer is the value
#   pair NAME BUDGET A B [ROWS]
#                       measures; ROWS, if given, gives rows/s for orientation; the
#                       budget - is none
#   report NAME BUDGET [ROWS]
#                       for a benchmark with a loop of its own: reads a line a pair from stdin,
#                       the milliseconds of either side and, if known, of CPU time of either;
#                       does the rest of "pair"
#   setting NAME=VALUE  changes a setting of the server for this benchmark
#   remark TEXT         a line of explanation in the output
#   $actions            CSV file of 200,000 actions (see make_actions.pl), which the
#                       server can read, in the columns $action_columns
#
# Seven pairs (BENCH_PAIRS) give the median and the range.  On a machine that does other work at
# the same time, wall-clock times scatter; therefore the ratio of the CPU times of the server
# processes is shown too, where "timed" measured it.  Budgets are for wall-clock time.

set -euo pipefail

actions=$BENCH_ACTIONS
action_columns=user_id,action_type,action_data,context,session_id,source,occurred_at
pairs=${BENCH_PAIRS:-7}
elapsed=0               # milliseconds of the side that runs
cpu=0                   # the same of its server processes' CPU time; empty: not known

sql() {
    if [ $# = 1 ] && [ "${1#-}" = "$1" ]; then set -- -c "$1"; fi
    psql -XqAt -v ON_ERROR_STOP=1 "$@"
}

add() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a + b }'; }

# /proc/PID/schedstat begins with the CPU time of the server process, in nanoseconds.
timed() {
    local before='' out
    if [ "$1" = -b ]; then
        before="$2;"
        shift 2
    fi
    out=$(sql -f - <<SQL
SELECT pg_backend_pid() AS pid \gset
\o /dev/null
$before
\set cpu_before \`cut -d' ' -f1 /proc/:pid/schedstat\`
\timing on
$1;
\timing off
\set cpu_after \`cut -d' ' -f1 /proc/:pid/schedstat\`
\echo CPU: :cpu_before :cpu_after
SQL
    )
    elapsed=$(add "$elapsed" "$(awk '/^Time: / { sum += $2 } END { printf "%.3f", sum }' <<<"$out")")
    [ -z "$cpu" ] || cpu=$(add "$cpu" "$(awk '/^CPU: / { printf "%.3f", ($3 - $2) / 1e6 }' <<<"$out")")
}

timed_command() {
    local start=$EPOCHREALTIME
    "$@"
    elapsed=$(add "$elapsed" "$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", (b - a) * 1000 }')")
    cpu=
}

expect() {
    local answer
    answer=$(sql "$2")
    if [ "$answer" != "$1" ]; then
        printf 'expected %s but got %s: %s\n' "$1" "$answer" "$2" >&2
        return 1
    fi
}

setting() {
    sql -c "LOAD 'pg_nudge'" -c "ALTER SYSTEM SET ${1%%=*} = '${1#*=}'"
    sql "SELECT pg_reload_conf()" >/dev/null
    sleep 0.2               # until the server has read it
}

remark() { printf '   %s\n' "$*"; }

# Runs one side from a state in which no earlier write is still to be written.
side() {
    sql CHECKPOINT
    elapsed=0
    cpu=0
    "$1"
}

pair() {
    local name=$1 budget=$2 a=$3 b=$4 rows=${5:-0} round ms_a ms_b cpu_a cpu_b
    local measured=$BENCH_WORK/measured
    : >"$measured"
    # Once without measuring: files, caches and plans come into being.
    side "$a"
    side "$b"
    for ((round = 1; round <= pairs; round++)); do
        # The order changes with each pair, so that neither side gains by it.
        if ((round % 2)); then
            side "$a"; ms_a=$elapsed; cpu_a=$cpu
            side "$b"; ms_b=$elapsed; cpu_b=$cpu
        else
            side "$b"; ms_b=$elapsed; cpu_b=$cpu
            side "$a"; ms_a=$elapsed; cpu_a=$cpu
        fi
        echo "$ms_a $ms_b $cpu_a $cpu_b" >>"$measured"
    done
    report "$name" "$budget" "$rows" <"$measured"
}

report() {
    awk -v name="$1" -v budget="$2" -v rows="${3:-0}" '
        function median(v, n,    i, j, t) {
            for (i = 2; i <= n; i++)
                for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
            return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
        }
        { a[NR] = $1; b[NR] = $2; r[NR] = $2 / $1 }
        NF == 4 && $3 > 0 { c[++n] = $4 / $3 }
        END {
            if (NR == 0) exit 1
            m = median(r, NR); ma = median(a, NR); mb = median(b, NR)
            printf "%s\t%.3f\t%.3f\t%.3f\t%s\t%s\t%s\t%.0f\t%.0f\t%s\n", name, m, r[1], r[NR],
                (n ? sprintf("%.3f", median(c, n)) : "-"),
                budget, (budget == "-" ? "-" : m >= budget + 0 ? "met" : "MISSED"), ma, mb,
                (rows > 0 ? sprintf("%d : %d rows/s", rows / ma * 1000, rows / mb * 1000) : "")
        }' | tee -a "$BENCH_RESULTS" |
        awk -F'\t' '{ printf "   %s: %.3f (%.3f-%.3f), CPU time %s, budget %s: %s; %s : %s ms %s\n", $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 }'
}
