#!/bin/bash
#
# UPDATE of an application's table: what it costs to have it watched, compared with the
# plain table, and with inserting the same actions by hand.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rows=200000
sql -f - <<SQL
CREATE SCHEMA bench;
CREATE TABLE bench.orders (id int PRIMARY KEY, customer text, status text, amount numeric, note text) WITH (fillfactor = 45);
CREATE TABLE bench.plain (LIKE bench.orders INCLUDING INDEXES) WITH (fillfactor = 45);
INSERT INTO bench.orders SELECT g, 'user-' || g % 10000, 'new', g % 1000, repeat('n', 50) FROM generate_series(1, $rows) g;
INSERT INTO bench.plain SELECT * FROM bench.orders;
CREATE TABLE bench.actions (user_id text, action_data jsonb);
SQL
sql "SELECT nudge.watch_table('bench.orders', 'customer', '{status,amount}')" >/dev/null
sql 'VACUUM ANALYZE'

clean() {
    sql -c 'TRUNCATE nudge.actions' -c 'VACUUM bench.orders, bench.plain'
}
warm_up="UPDATE bench.orders SET status = status WHERE id = 1; UPDATE bench.plain SET status = status WHERE id = 1; INSERT INTO nudge.actions (user_id, action_type) VALUES ('warm-up', 'warm_up')"

n=0
changed() { expect $((rows + 1)) 'SELECT count(*) FROM nudge.actions'; }
watched() {
    clean
    n=$((n + 1))
    timed -b "$warm_up" "UPDATE bench.orders SET status = 's$n'"
    changed
}
by_hand() {
    clean
    n=$((n + 1))
    timed -b "$warm_up" "UPDATE bench.plain SET status = 's$n'; INSERT INTO nudge.actions (user_id, action_type, action_data)
        SELECT customer, 'orders_changed', jsonb_build_object('table', 'bench.orders', 'operation', 'UPDATE',
            'changed', jsonb_build_object('status', jsonb_build_object('old', 'x', 'new', status))) FROM bench.plain"
    changed
}
pair 'UPDATE of a watched table : UPDATE, and INSERT of the same actions' 0.60 watched by_hand $rows

unwatched_column() { clean; n=$((n + 1)); timed -b "$warm_up" "UPDATE bench.orders SET note = 's$n'"; expect 1 'SELECT count(*) FROM nudge.actions'; }
no_trigger()       { clean; n=$((n + 1)); timed -b "$warm_up" "UPDATE bench.plain SET note = 's$n'"; }
pair 'UPDATE of a column that is not watched : no trigger' 0.60 unwatched_column no_trigger $rows
