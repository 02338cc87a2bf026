-- Messages of a rule, sent one a minute from a time on: the first so many of them
-- opened, clicked and so on.  Users are named by prefix and number.
CREATE FUNCTION pg_temp.send(rule bigint, sent int, since timestamptz, opened int DEFAULT 0, clicked int DEFAULT 0,
                             converted int DEFAULT 0, unsubscribed int DEFAULT 0, complained int DEFAULT 0,
                             delay interval DEFAULT '0', segments text[] DEFAULT '{}', week_before int DEFAULT 0,
                             variant text DEFAULT NULL, users text DEFAULT 'op') RETURNS void
LANGUAGE sql AS $$
    WITH m AS (
        INSERT INTO nudge.messages (user_id, rule_id, channel, recipient, priority, fired_at, created_at, segments, week_before, variant)
        SELECT users || rule || '_' || n, rule, 'email', 'x@example.com', 'normal',
               since + n * interval '1 minute' - delay, since + n * interval '1 minute', segments, week_before, variant
        FROM generate_series(1, sent) AS n
        RETURNING message_id, user_id, created_at),
    k AS (SELECT m.*, row_number() OVER (ORDER BY m.message_id) AS n FROM m),
    c AS (
        INSERT INTO nudge.conversions (user_id, value, occurred_at, recorded_at)
        SELECT k.user_id, 10, k.created_at + interval '2 hours', k.created_at + interval '2 hours' FROM k WHERE k.n <= converted)
    INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, occurred_at, recorded_at, event_key)
    SELECT k.user_id, e.event_type, rule, k.message_id, k.created_at + interval '1 hour', k.created_at + interval '1 hour', 'test'
    FROM k
    JOIN (VALUES ('sent', sent), ('delivered', sent), ('opened', opened), ('clicked', clicked),
                 ('unsubscribed', unsubscribed), ('complained', complained)) AS e (event_type, amount) ON k.n <= e.amount
$$;
CREATE FUNCTION pg_temp.new_rule(rule_name text, auto boolean DEFAULT true) RETURNS bigint
LANGUAGE sql AS $$
    INSERT INTO nudge.rules (name, trigger_type, auto_optimize) VALUES (rule_name, 'behavioral', auto) RETURNING rule_id
$$;
