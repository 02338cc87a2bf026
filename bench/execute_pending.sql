--
-- Both sides of the executor's benchmark: :triggers due triggers of a rule with a
-- daily cap and a template of three variables, each of another user.  pg_nudge:
-- nudge.execute_pending.  Bare: one DELETE ... RETURNING into INSERT of the same
-- rows, between tables with the same columns and indexes as nudge.pending and
-- nudge.messages, which neither renders, nor counts, nor queues anything.
--
SET client_min_messages = warning;

INSERT INTO nudge.template_ids VALUES ('bench') ON CONFLICT DO NOTHING;
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

CREATE TABLE public.bare_pending (LIKE nudge.pending INCLUDING ALL);
CREATE TABLE public.bare_messages (LIKE nudge.messages INCLUDING ALL);
CREATE UNIQUE INDEX ON public.bare_messages (message_id);
CREATE INDEX ON public.bare_messages (user_id, created_at);

CREATE PROCEDURE pg_temp.fill(n integer, keep_usage boolean) LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE nudge.pending, nudge.messages, nudge.message_queue, nudge.message_blocks, nudge.events,
             public.bare_pending, public.bare_messages;
    IF keep_usage THEN
        -- As after some weeks: five messages on earlier days
        UPDATE nudge.cap_usage
        SET days = ARRAY(SELECT current_date - 7 * i FROM generate_series(1, 5) AS i),
            rule_ids = array_fill(rule_ids[1], ARRAY[5]), channels = array_fill('email'::text, ARRAY[5]),
            counts = array_fill(1, ARRAY[5]);
    ELSE
        TRUNCATE nudge.cap_usage;
    END IF;
    INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at, expires_at, score,
                               action_id, occurred_at, action_type, action_data, context)
    SELECT 'user-' || g, rule_id, 'normal', now(), now(), now() + interval '1 day', 1.0,
           g, now(), 'cart_abandonment', jsonb_build_object('item', 'Thing ' || g % 1000, 'value', g % 100), '{}'
    FROM generate_series(1, n) AS g, nudge.rules WHERE name = 'bench';
    INSERT INTO public.bare_pending OVERRIDING SYSTEM VALUE SELECT * FROM nudge.pending;
END
$$;

CREATE PROCEDURE pg_temp.drain_nudge(INOUT seconds float8, INOUT messages bigint) LANGUAGE plpgsql AS $$
DECLARE
    started timestamptz := clock_timestamp();
BEGIN
    SELECT executed INTO messages FROM nudge.execute_pending(100000);
    COMMIT;
    seconds := extract(epoch FROM clock_timestamp() - started);
END
$$;

CREATE PROCEDURE pg_temp.drain_bare(INOUT seconds float8, INOUT messages bigint) LANGUAGE plpgsql AS $$
DECLARE
    started timestamptz := clock_timestamp();
BEGIN
    WITH d AS (DELETE FROM public.bare_pending RETURNING *)
    INSERT INTO public.bare_messages OVERRIDING SYSTEM VALUE
    SELECT pending_id, user_id, pending_id, rule_id, action_id, 'email', user_id || '@example.org', 'bench',
           'Your ' || user_id || ' is waiting, ' || user_id, repeat('Take it home today. ', 10) || 'Save 10 %.',
           NULL, 'The shop', 'shop@example.org', NULL, '{}', priority, fired_at, now()
    FROM d;
    GET DIAGNOSTICS messages = ROW_COUNT;
    COMMIT;
    seconds := extract(epoch FROM clock_timestamp() - started);
END
$$;

CREATE TEMP TABLE pairs (usage text, nudge float8, bare float8);
