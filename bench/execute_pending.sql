--
-- Both sides of the executor's benchmark: due triggers of a rule with a daily cap
-- and a template of three variables, each of another user.  pg_nudge:
-- nudge.execute_pending.  Bare: one DELETE ... RETURNING into INSERT of the same
-- rows, between tables with the same columns, partitions and indexes as
-- nudge.pending and nudge.messages, which neither renders, nor counts, nor queues
-- anything.
--
CREATE SCHEMA bench;

INSERT INTO nudge.templates (template_id, subject, body_text, sender_name, sender_address)
VALUES ('bench', 'Your {{ action.data.item }} is waiting, {{ user.profile.name }}',
        repeat('Take it home today. ', 10) || 'Save {{ personalization.discount_offer }} %.',
        'The shop', 'shop@example.org');
INSERT INTO nudge.rules (name, trigger_type, template_id, personalization)
VALUES ('bench', 'behavioral', 'bench', '{"discount_offer": 10}');
INSERT INTO nudge.frequency_caps (rule_id, period, max_messages)
SELECT rule_id, 'daily', 1 FROM nudge.rules WHERE name = 'bench';
INSERT INTO nudge.users (user_id, email, timezone, profile)
SELECT 'user-' || g, 'user-' || g || '@example.org', 'Europe/Berlin',
       jsonb_build_object('name', 'Name ' || g, 'tier', 'gold', 'age', 20 + g % 60)
FROM generate_series(1, :triggers) AS g;
VACUUM ANALYZE nudge.users;

CREATE TABLE bench.pending (LIKE nudge.pending INCLUDING ALL);
CREATE TABLE bench.messages (LIKE nudge.messages INCLUDING ALL) PARTITION BY RANGE (created_at);
CREATE TABLE bench.messages_default PARTITION OF bench.messages DEFAULT;
CREATE UNIQUE INDEX ON bench.messages_default (message_id);
CREATE INDEX ON bench.messages_default (user_id, created_at);

CREATE PROCEDURE bench.fill(n integer, keep_usage boolean) LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE nudge.pending, nudge.messages, nudge.message_queue, nudge.message_blocks, nudge.events,
             bench.pending, bench.messages;
    TRUNCATE nudge.cap_usage;
    IF keep_usage THEN
        -- As after some weeks: five messages on earlier days
        INSERT INTO nudge.cap_usage (user_id, rule_ids, channels, days, counts)
        SELECT 'user-' || g, array_fill(rule_id, ARRAY[5]), array_fill('email'::text, ARRAY[5]),
               ARRAY(SELECT current_date - 7 * i FROM generate_series(1, 5) AS i), array_fill(1, ARRAY[5])
        FROM generate_series(1, n) AS g, nudge.rules WHERE name = 'bench';
    END IF;
    INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at, expires_at, score,
                               action_id, occurred_at, action_type, action_data, context)
    SELECT 'user-' || g, rule_id, 'normal', now(), now(), now() + interval '1 day', 1.0,
           g, now(), 'cart_abandonment', jsonb_build_object('item', 'Thing ' || g % 1000, 'value', g % 100), '{}'
    FROM generate_series(1, n) AS g, nudge.rules WHERE name = 'bench';
    INSERT INTO bench.pending OVERRIDING SYSTEM VALUE SELECT * FROM nudge.pending;
END
$$;

CREATE PROCEDURE bench.move_bare() LANGUAGE sql AS $$
    WITH d AS (DELETE FROM bench.pending RETURNING *)
    INSERT INTO bench.messages OVERRIDING SYSTEM VALUE
    SELECT pending_id, user_id, pending_id, rule_id, action_id, 'email', user_id || '@example.org', 'bench',
           'Your ' || user_id || ' is waiting, ' || user_id, repeat('Take it home today. ', 10) || 'Save 10 %.',
           NULL, 'The shop', 'shop@example.org', NULL, '{}', priority, fired_at, now()
    FROM d;
$$;
