#!/bin/bash
#
# COPY of actions with 1,000 rules that count past actions: rules that cannot match
# cost nothing that grows with their number or with the users' history.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sql -f "$(dirname "${BASH_SOURCE[0]}")/rules.sql" >/dev/null

# 1,000 rules with an action_count each: kind "never" counts types that nobody does, with
# no other condition; "visits" does so at each page visit; "same" counts what the shop's users
# do, and compares it with a number that none of them reaches.
sql <<'SQL'
CREATE PROCEDURE bench.use_counts(kind text) LANGUAGE sql AS $$
    DELETE FROM nudge.rules;
    INSERT INTO nudge.rules (name, trigger_type, delay)
        SELECT kind || ' ' || i, 'behavioral', '1 hour' FROM generate_series(1, 1000) i;
    INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters)
        SELECT r.rule_id, 1, 'action_count', 'did',
               jsonb_build_object('action_type', CASE kind WHEN 'same' THEN 'purchase' ELSE 'never_' || i END,
                                  'within', '2 days', 'min', CASE kind WHEN 'same' THEN 100000 ELSE 3 END)
        FROM generate_series(1, 1000) i JOIN nudge.rules r ON r.name = kind || ' ' || i;
    INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters)
        SELECT r.rule_id, 0, 'action_type', 'equals',
               jsonb_build_object('types', CASE kind WHEN 'same' THEN 'purchase' ELSE 'page_visit' END)
        FROM nudge.rules r WHERE kind <> 'never';
$$;
SQL
sql 'VACUUM ANALYZE'

warm_up() { echo "INSERT INTO $1 (user_id, action_type) VALUES ('warm-up', 'warm_up')"; }
copy() { timed -b "$(warm_up "$1")" "COPY $1 ($action_columns) FROM '$actions' CSV"; }

with_trigger() { sql 'CALL bench.clean()'; copy nudge.actions; expect 0 'SELECT count(*) FROM nudge.pending'; }
no_trigger()   { sql 'CALL bench.clean()'; copy bench.actions; }

sql "CALL bench.use_counts('never')"
pair '1,000 rules that count types nobody does, no other condition : no trigger' 0.85 with_trigger no_trigger 200000

# What the rules count is done by users, but not by those of the rows.
others() { sql "INSERT INTO $1 (user_id, action_type) SELECT 'other ' || i, 'never_' || i % 1000 + 1 FROM generate_series(1, 20000) i"; }
with_trigger_others() { sql 'CALL bench.clean()'; others nudge.actions; copy nudge.actions; expect 0 'SELECT count(*) FROM nudge.pending'; }
no_trigger_others()   { sql 'CALL bench.clean()'; others bench.actions; copy bench.actions; }
pair '1,000 rules that count types only others do, no other condition : no trigger' 0.85 with_trigger_others no_trigger_others 200000

sql "CALL bench.use_counts('visits')"
pair '1,000 rules that count types nobody does, at page visits : no trigger' 0.85 with_trigger no_trigger 200000

# Of 200,000 rows the purchases evaluate all 1,000 rules, which ask for the same count.
sql "CALL bench.use_counts('same')"
pair '1,000 rules on the same count, at purchases : no trigger' - with_trigger no_trigger 200000

# A thousand rules, each for another attribute of page visits
sql <<'SQL'
CREATE PROCEDURE bench.use_paths(n integer) LANGUAGE sql AS $$
    DELETE FROM nudge.rules;
    INSERT INTO nudge.rules (name, trigger_type, delay) SELECT 'path ' || i, 'behavioral', '1 hour' FROM generate_series(1, n) i;
    INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters)
        SELECT r.rule_id, 0, 'action_type', 'equals', '{"types": ["page_visit"]}' FROM nudge.rules r
        UNION ALL
        SELECT r.rule_id, 1, 'action_attribute', 'equals', jsonb_build_object('path', 'action_data.' || translate(r.name, ' ', '_'), 'value', 1)
        FROM nudge.rules r;
$$;
SQL
with_paths() { sql 'CALL bench.clean()'; sql "CALL bench.use_paths($1)"; copy nudge.actions; expect 0 'SELECT count(*) FROM nudge.pending'; }
a_thousand() { with_paths 1000; }
just_one()   { with_paths 1; }
pair '1,000 rules on as many attributes, at page visits : one such rule' 0.85 a_thousand just_one 200000
