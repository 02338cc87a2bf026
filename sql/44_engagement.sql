--
-- Version 0.3.0: what happens to messages comes back as actions of their users
--

ALTER TABLE nudge.messages ADD COLUMN depth smallint;
COMMENT ON COLUMN nudge.events.flag IS
    'machine where metadata says that no person did it; before_message or in_future where occurred_at cannot be right';
COMMENT ON COLUMN nudge.messages.depth IS
    'How many messages came before this one in a chain, each of which the user answered by an action that fired the next rule; NULL: none';

-- The action of an event of a message: email_opened, sms_clicked and so on.  It is
-- recorded in the transaction of the event, and rules fire on it as on any other.
-- A chain of messages that follow each other up ends here.
CREATE FUNCTION nudge.follow_up(message_id bigint, event_type text, occurred_at timestamptz, metadata jsonb)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    max_depth   CONSTANT integer := 5;
    depth       integer;
    action_type text;
    m           record;
BEGIN
    SELECT c.message_id, c.user_id, c.rule_id, r.name AS rule, c.pending_id, c.action_id, c.channel, c.template_id,
           c.depth, c.created_at
    INTO STRICT m
    FROM nudge.messages c LEFT JOIN nudge.rules r ON r.rule_id = c.rule_id
    WHERE c.message_id = follow_up.message_id;
    depth := coalesce(m.depth, 0) + 1;
    action_type := m.channel || '_' || follow_up.event_type;

    IF depth > max_depth THEN
        INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, message_id, action_id, reason, metadata)
        VALUES (m.user_id, 'evaluation_error', m.rule_id, m.pending_id, m.message_id, m.action_id,
                format('the chain of messages was cut at depth %s', max_depth),
                jsonb_build_object('action_type', action_type, 'depth', depth));
        RETURN;
    END IF;

    INSERT INTO nudge.actions (user_id, action_type, source, action_data, context, occurred_at)
    VALUES (m.user_id, action_type, 'pg_nudge',
            jsonb_strip_nulls(jsonb_build_object(
                'message_id', m.message_id, 'channel', m.channel,
                'rule_id', m.rule_id, 'rule', m.rule, 'template_id', m.template_id,
                'url', coalesce(follow_up.metadata ->> 'url', follow_up.metadata ->> 'link'))),
            jsonb_build_object('pg_nudge', jsonb_build_object('depth', depth)),
            -- A provider's clock may be wrong
            CASE WHEN follow_up.occurred_at BETWEEN m.created_at AND clock_timestamp() + interval '1 day'
                 THEN follow_up.occurred_at ELSE now() END);
END
$$;
COMMENT ON FUNCTION nudge.follow_up(bigint, text, timestamptz, jsonb) IS
    'Internal: records an event of a message as an action of its user, unless the chain of messages is too long';
REVOKE ALL ON FUNCTION nudge.follow_up(bigint, text, timestamptz, jsonb) FROM PUBLIC;

-- Returns whether the event is new.  The same event is recorded once: providers
-- report at least once.  The unique index of each partition settles concurrent
-- reports; reports months apart are found by the look before.
CREATE OR REPLACE FUNCTION nudge.record_event(message_id bigint, event_type text,
                                   occurred_at timestamptz DEFAULT now(), metadata jsonb DEFAULT '{}')
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    types   CONSTANT text[] := '{delivered,opened,clicked,bounced,complained,unsubscribed,failed,converted}';
    actions CONSTANT text[] := '{opened,clicked,bounced,unsubscribed}';
    is_machine boolean;
    key text;
    m   record;
BEGIN
    IF record_event.message_id IS NULL THEN
        RAISE EXCEPTION 'message_id must not be null' USING ERRCODE = '22023',
            HINT = 'Pass the message_id under which the message was claimed.';
    END IF;
    IF record_event.event_type IS NULL OR record_event.event_type <> ALL (types) THEN
        RAISE EXCEPTION 'unknown event type %', coalesce(quote_literal(left(record_event.event_type, 200)), 'NULL')
            USING ERRCODE = '22023', HINT = 'Event types: ' || array_to_string(types, ', ') || '.';
    END IF;
    IF record_event.occurred_at IS NULL OR NOT isfinite(record_event.occurred_at) THEN
        RAISE EXCEPTION 'occurred_at must be a finite time, not %', coalesce(record_event.occurred_at::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Pass the time at which the event happened.';
    END IF;
    IF record_event.metadata IS NULL OR jsonb_typeof(record_event.metadata) <> 'object' THEN
        RAISE EXCEPTION 'metadata must be a JSON object, not %', coalesce(jsonb_typeof(record_event.metadata), 'NULL')
            USING ERRCODE = '22023', HINT = 'Pass ''{}'' where there is none.';
    END IF;

    SELECT c.user_id, c.rule_id, c.pending_id, c.action_id, c.created_at INTO m
    FROM nudge.messages c
    WHERE c.message_id = record_event.message_id;
    IF NOT FOUND THEN
        INSERT INTO nudge.tallies (tally, amount) VALUES ('unknown_message_events', 1);
        RETURN false;
    END IF;

    key := coalesce(nullif(record_event.metadata ->> 'provider_event_id', ''),
                    nullif(record_event.metadata ->> 'event_id', ''));
    IF key IS NULL OR octet_length(key) > 200 THEN
        -- An index entry has a limit; a digest tells events apart as well
        key := 'sha256:' || encode(sha256(convert_to(
            coalesce(key, extract(epoch FROM record_event.occurred_at) || ' ' || record_event.metadata), 'UTF8')), 'hex');
    END IF;
    PERFORM FROM nudge.events e
    WHERE e.message_id = record_event.message_id AND e.event_type = record_event.event_type
        AND e.event_key = key;
    IF FOUND THEN
        RETURN false;
    END IF;

    -- What a machine does (a mail scanner that opens every message) is nobody's action
    is_machine := coalesce(record_event.metadata ->> 'machine' = 'true', false);
    INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, message_id, action_id,
                              flag, occurred_at, event_key, metadata)
    VALUES (m.user_id, record_event.event_type, m.rule_id, m.pending_id, record_event.message_id, m.action_id,
            CASE WHEN is_machine THEN 'machine'
                 WHEN record_event.occurred_at < m.created_at THEN 'before_message'
                 WHEN record_event.occurred_at > clock_timestamp() + interval '1 day' THEN 'in_future' END,
            record_event.occurred_at, key, record_event.metadata)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    IF record_event.event_type = ANY (actions) AND NOT is_machine THEN
        PERFORM nudge.follow_up(record_event.message_id, record_event.event_type, record_event.occurred_at, record_event.metadata);
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION nudge.record_event(bigint, text, timestamptz, jsonb) IS
    'Records what happened to a message, once for each provider_event_id or event_id of metadata (else for each time and metadata), and what its user did as an action of the user; whether it is new';
