--
-- Events that are reported from outside: deliveries, opens, clicks, conversions
--

-- Returns whether the event is new.  The same event is recorded once: providers
-- report at least once.  The unique index of each partition settles concurrent
-- reports; reports months apart are found by the look before.
CREATE FUNCTION nudge.record_event(message_id bigint, event_type text,
                                   occurred_at timestamptz DEFAULT now(), metadata jsonb DEFAULT '{}')
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    types CONSTANT text[] := '{delivered,opened,clicked,bounced,complained,unsubscribed,failed,converted}';
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

    INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, message_id, action_id,
                              flag, occurred_at, event_key, metadata)
    VALUES (m.user_id, record_event.event_type, m.rule_id, m.pending_id, record_event.message_id, m.action_id,
            CASE WHEN record_event.occurred_at < m.created_at THEN 'before_message'
                 WHEN record_event.occurred_at > clock_timestamp() + interval '1 day' THEN 'in_future' END,
            record_event.occurred_at, key, record_event.metadata)
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION nudge.record_event(bigint, text, timestamptz, jsonb) IS
    'Records what happened to a message, once for each provider_event_id or event_id of metadata (else for each time and metadata); whether it is new';
