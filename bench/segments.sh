#!/bin/bash
#
# Segments: what they cost actions that have nothing to do with them, what they cost
# messages, and how their queries compare with queries written by hand.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sql -f "$(dirname "${BASH_SOURCE[0]}")/rules.sql" >/dev/null
sql "CREATE TABLE bench.staged AS SELECT $action_columns FROM nudge.actions LIMIT 0"
sql "COPY bench.staged ($action_columns) FROM '$actions' CSV"
sql "INSERT INTO nudge.users (user_id, email, profile)
     SELECT 'user-' || i, 'user-' || i || '@example.com',
            jsonb_build_object('tier', (ARRAY['gold', 'silver', 'bronze', 'none'])[1 + i % 4], 'age', i % 90, 'city', 'city ' || i % 1000)
     FROM generate_series(1, 100000) AS i"
sql "INSERT INTO nudge.templates (template_id, channel, subject, body_text) VALUES ('segments', 'email', 'Subject', 'Body')"

# n segments of conditions, and n rules of an action that never comes, each for its own
segments() {
    sql 'DELETE FROM nudge.rules'
    sql 'DELETE FROM nudge.segments'
    sql "INSERT INTO nudge.segments (name, conditions)
         SELECT 'segment ' || i, jsonb_build_array(
             jsonb_build_object('type', 'user_attribute', 'parameters', jsonb_build_object('path', 'profile.city', 'value', 'city ' || i)),
             jsonb_build_object('type', 'purchase_behavior', 'operator', 'greater_than', 'parameters', jsonb_build_object('threshold', i % 5)))
         FROM generate_series(1, $1) AS i"
}
rules() {
    sql "INSERT INTO nudge.rules (name, trigger_type, segments, template_id)
         SELECT 'rule ' || i, 'behavioral', $2, 'segments' FROM generate_series(1, $1) AS i"
    sql "INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters)
         SELECT rule_id, 1, 'action_type', '{\"types\": [\"$3\"]}' FROM nudge.rules"
}

insert_rows() {
    timed -b "INSERT INTO nudge.actions (user_id, action_type) VALUES ('warm-up', 'warm_up')" "
        DO \$\$
        DECLARE
            a bench.staged;
        BEGIN
            FOR a IN SELECT * FROM bench.staged LIMIT 30000 LOOP
                INSERT INTO nudge.actions (user_id, action_type, action_data, context, session_id, source, occurred_at)
                VALUES (a.user_id, a.action_type, a.action_data, a.context, a.session_id, a.source, a.occurred_at);
            END LOOP;
        END
        \$\$"
}
some() {
    sql 'CALL bench.clean()'
    segments 1000
    rules 1000 "ARRAY['segment ' || i]" never_comes
    insert_rows
}
none() {
    sql 'CALL bench.clean()'
    segments 0
    rules 1000 "'{}'" never_comes
    insert_rows
}
pair '30,000 one-row INSERTs, 1,000 rules with 1,000 segments, none matches : without segments' 0.85 some none 30000

# Messages: each records which of all segments its user is in.
messages() {
    sql 'CALL bench.clean()'
    segments "$1"
    sql "INSERT INTO nudge.rules (name, trigger_type, template_id) VALUES ('messages', 'behavioral', 'segments')"
    sql "INSERT INTO nudge.actions (user_id, action_type) SELECT 'user-' || i, 'go' FROM generate_series(1, 10000) AS i"
    timed "SELECT executed FROM nudge.execute_pending(10000)"
    expect 10000 "SELECT count(*) FROM nudge.messages WHERE segments IS NOT NULL"
    sql 'TRUNCATE nudge.messages, nudge.message_queue, nudge.message_blocks, nudge.cap_usage'
}
with_segments() { messages 100; }
without_segments() { messages 0; }
pair '10,000 messages to as many users, 100 segments of two conditions : without segments' - with_segments without_segments 10000

# The queries: each segment has about the users that the hand-written query has.
one_segment() {
    sql "DELETE FROM nudge.segments WHERE name = 'asked'"
    sql "INSERT INTO nudge.segments (name, conditions) VALUES ('asked', '$1')"
}
sql 'CALL bench.clean()'
sql 'DELETE FROM nudge.rules'
sql 'DELETE FROM nudge.segments'
sql "INSERT INTO nudge.actions (user_id, action_type, occurred_at, recorded_at)
     SELECT 'user-' || 1 + i::bigint * 7919 % 100000, (ARRAY['purchase', 'login', 'page_visit'])[1 + i % 3], t, t
     FROM generate_series(1, 300000) AS i CROSS JOIN LATERAL (SELECT now() - i % 700 * interval '1 hour' - interval '1 second') AS v (t)"
sql 'VACUUM ANALYZE'
asked() { timed -b "SELECT nudge.in_segment('user-1', 'asked')" "SELECT nudge.segment_size('asked')"; }
by_hand() { timed "$by_hand"; }

one_segment '[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "gold"}},
              {"type": "user_attribute", "operator": "at_least", "parameters": {"path": "profile.age", "value": 30}}]'
by_hand="SELECT count(*) FROM nudge.users WHERE profile ->> 'tier' = 'gold' AND (profile ->> 'age')::numeric >= 30"
expect "$(sql "$by_hand")" "SELECT nudge.segment_size('asked')"
pair 'size of a segment of two attributes, 100,000 users : by hand' 0.4 asked by_hand

one_segment '[{"type": "action_count", "operator": "at_least", "parameters": {"action_type": "purchase", "within": "14 days", "count": 1}},
              {"type": "action_count", "operator": "did_not", "parameters": {"action_type": "login", "within": "7 days"}}]'
by_hand="SELECT count(*) FROM nudge.users u
         WHERE EXISTS (SELECT FROM nudge.actions a WHERE a.user_id = u.user_id AND a.action_type = 'purchase' AND a.recorded_at >= now() - interval '14 days')
           AND NOT EXISTS (SELECT FROM nudge.actions a WHERE a.user_id = u.user_id AND a.action_type = 'login' AND a.recorded_at >= now() - interval '7 days')"
expect "$(sql "$by_hand")" "SELECT nudge.segment_size('asked')"
pair 'size of a segment of did and did not, 100,000 users : by hand' 0.4 asked by_hand

sql "CREATE INDEX users_profile ON nudge.users USING gin (profile jsonb_path_ops)"
sql 'VACUUM ANALYZE nudge.users'
one_segment '[{"type": "user_attribute", "parameters": {"path": "profile.city", "value": "city 7"}},
              {"type": "jsonpath", "parameters": {"path": "$.user.profile.age > 30"}}]'
by_hand="SELECT count(*) FROM nudge.users WHERE profile @> '{\"city\": \"city 7\"}' AND profile @? '\$.age ? (@ > 30)'"
expect "$(sql "$by_hand")" "SELECT nudge.segment_size('asked')"
pair 'size of a segment that an index finds, with a jsonpath : by hand' - asked by_hand
