#!/bin/bash
#
# The cart e-mail (liquid_cart.liquid: 20 outputs, a loop over 5 items, 3
# conditions), rendered 100,000 times from the cache, against the npm package
# liquidjs, which renders the same parsed template and data in one thread of
# node.  Starting node and warming it up does not count.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
liquidjs=10.30.1
pairs=${BENCH_PAIRS:-5}
renders=${LIQUID_RENDERS:-100000}

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    remark "skipped: there is no node and npm to run liquidjs (packages nodejs and npm)"
    exit 0
fi
mkdir -p "$BENCH_WORK/liquidjs"
HOME=$BENCH_WORK npm install --silent --no-audit --no-fund --prefix "$BENCH_WORK/liquidjs" "liquidjs@$liquidjs" >/dev/null

theirs() {
    NODE_PATH=$BENCH_WORK/liquidjs/node_modules \
        node "$here/liquid_cart.js" "$1" "$here/liquid_cart.liquid" "$here/liquid_cart.json"
}
ours() {
    sql -v template="$(cat "$here/liquid_cart.liquid")" -v context="$(cat "$here/liquid_cart.json")" -f -
}

# The same text, or nothing is compared
ours >"$BENCH_WORK/ours.html" <<<"SELECT nudge.render_template(:'template', :'context')"
theirs 0 >"$BENCH_WORK/theirs.html"
diff "$BENCH_WORK/theirs.html" "$BENCH_WORK/ours.html"

for ((i = 0; i < pairs; i++)); do
    elapsed=0
    timed -b "SELECT set_config('bench.template', \$template\$$(cat "$here/liquid_cart.liquid")\$template\$, false)" \
        "SELECT count(nudge.render_template(current_setting('bench.template'), '$(sed "s/'/''/g" "$here/liquid_cart.json")'))
         FROM generate_series(1, $renders)"
    echo "$elapsed $(theirs "$renders")"
done | report 'cart e-mail from the cache : liquidjs' 3.0 "$renders"
