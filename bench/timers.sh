#!/bin/bash
#
# nudge.run_timers with nothing due: what a poll costs with 1,000,000 users, each with a timer,
# against 1,000 users, each in a database of its own.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

runs=10000
few=timers_few
sql "DROP DATABASE IF EXISTS $few"
sql "CREATE DATABASE $few TEMPLATE $PGDATABASE"

# Users $1; birthdays are on all days of the year but the one on which the runs are.
prepare() {
    sql <<SQL
SELECT nudge.maintain() IS NOT NULL;
SELECT nudge.create_rule('{"name": "birthday", "type": "time_based",
    "schedule": {"kind": "anniversary", "attribute": "profile.birthday"}}');
SELECT nudge.create_rule('{"name": "monday", "type": "time_based", "schedule": {"kind": "recurring", "days": ["mon"]}}');
SELECT nudge.create_rule('{"name": "cart", "type": "time_based",
    "schedule": {"kind": "abandonment", "start": "cart_add", "unless": "purchase", "within": "1 hour"}}');
SELECT nudge.create_rule('{"name": "quiet", "type": "time_based", "schedule": {"kind": "decline", "after": "14 days"}}');
SELECT nudge.run_timers('2021-01-05 12:00+00');
INSERT INTO nudge.users (user_id, email, timezone, profile)
SELECT 'user' || n, 'user' || n || '@example.com',
       (ARRAY['Europe/Berlin', 'America/New_York', 'Asia/Tokyo', NULL])[1 + n % 4],
       jsonb_build_object('birthday', date '1980-02-01' + n % 300)
FROM generate_series(1, $1) AS n;
SELECT nudge.run_timers('2021-01-05 12:00+00');
VACUUM ANALYZE;
SQL
    expect $1 'SELECT count(*) FROM nudge.timers'
}
prepare 1000000 >/dev/null
PGDATABASE=$few prepare 1000 >/dev/null

poll() {
    timed -b "SELECT nudge.run_timers('2021-01-05 12:00+00')" "
        DO \$\$
        BEGIN
            FOR i IN 1 .. $runs LOOP
                PERFORM nudge.run_timers('2021-01-05 12:00+00');
            END LOOP;
        END
        \$\$"
    expect 0 'SELECT count(*) FROM nudge.pending'
}
many_users() { poll; }
few_users() { PGDATABASE=$few poll; }

pair "$runs runs of timers with nothing due, 1,000,000 users : 1,000 users" 0.50 many_users few_users $runs
remark 'A run looks into five indexes, each of which begins with what is due first.'
sql "DROP DATABASE $few"
