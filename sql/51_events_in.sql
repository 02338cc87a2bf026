--
-- Version 0.4.0: events in
--
-- What is reported of a message has consequences: an address that bounces is
-- suppressed, an open is an action of the user.  Unless a machine did it.
--

CREATE FUNCTION nudge.refuse_read_only(task text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'cannot % in a read-only transaction', task USING ERRCODE = '25006',
            HINT = 'Connect to the primary server, in a transaction that may write.';
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.refuse_read_only(text) IS 'Internal: an error 25006 that names the task, in a transaction that cannot write';
REVOKE ALL ON FUNCTION nudge.refuse_read_only(text) FROM PUBLIC;

--
-- Machines
--

CREATE TABLE nudge.machine_agents (
    name        text COLLATE "C" PRIMARY KEY CHECK (name <> ''),
    pattern     text NOT NULL CHECK (pattern <> '' AND ('' ~* pattern) IS NOT NULL),
    event_types text[] NOT NULL DEFAULT '{opened,clicked,unsubscribed}'
                CHECK (event_types <@ '{opened,clicked,unsubscribed}' AND event_types <> '{}'),
    enabled     boolean NOT NULL DEFAULT true,
    description text
);
COMMENT ON TABLE nudge.machine_agents IS
    'User agents of programs that open messages and follow links without anybody having asked them; after changes call nudge.rescore_machine_events()';
COMMENT ON COLUMN nudge.machine_agents.pattern IS 'Regular expression, found anywhere in the user agent, whatever the case';
COMMENT ON COLUMN nudge.machine_agents.event_types IS 'Which events of such an agent are a machine''s: opened, clicked, unsubscribed';
COMMENT ON COLUMN nudge.machine_agents.enabled IS 'false: does not count. Rows that come with the extension can be disabled and changed, not deleted';

-- Proxies that fetch an image when its message is opened (GoogleImageProxy,
-- YahooMailProxy) are no machines in this sense, and so are none of these.
INSERT INTO nudge.machine_agents (name, pattern, event_types, description) VALUES
    ('apple_mail_privacy', '^Mozilla/5\.0$', '{opened}',
     'Apple Mail Privacy Protection fetches all images as messages arrive, and says no more than this of itself'),
    ('barracuda', 'barracuda', DEFAULT, 'Barracuda mail gateways'),
    ('proofpoint', 'proofpoint', DEFAULT, 'Proofpoint mail gateways'),
    ('mimecast', 'mimecast', DEFAULT, 'Mimecast mail gateways'),
    ('microsoft', 'Microsoft Office (Existence|Protocol) Discovery|SafeLinks|BingPreview', DEFAULT,
     'Microsoft Office and Defender look at links before people do'),
    ('security', 'FireEye|Trend ?Micro|Symantec|MessageLabs|Sophos|IronPort|Forcepoint|Websense|Zscaler|Cloudmark|Kaspersky|Check ?Point|urlscan|VirusTotal',
     DEFAULT, 'Other scanners of links'),
    ('previews', 'facebookexternalhit|WhatsApp|SkypeUriPreview|Google-Read-Aloud|Iframely|Embedly', DEFAULT,
     'Chats that show a preview of a link'),
    ('bots', '(?<!cu)bot\y|crawl|spider|slurp|scanner', DEFAULT, 'What calls itself a bot (but for phones by Cubot)'),
    ('libraries', '^(curl|wget|python|aiohttp|Go-http-client|Java|Apache-HttpClient|libwww-perl|ruby|node|axios|php|GuzzleHttp)\y', DEFAULT,
     'Libraries and tools that no person reads mail with'),
    ('headless', 'HeadlessChrome|PhantomJS|Puppeteer|Playwright', DEFAULT, 'Browsers without a screen');
SELECT pg_catalog.pg_extension_config_dump('nudge.machine_agents', '');

CREATE FUNCTION nudge.replace_machine_agent() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM nudge.machine_agents a WHERE a.name = NEW.name;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION nudge.replace_machine_agent() IS
    'Trigger function of nudge.machine_agents: rows of a dump replace those that came with the extension';
REVOKE ALL ON FUNCTION nudge.replace_machine_agent() FROM PUBLIC;

CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.machine_agents
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.machine_agents IS 'Lets rows of a dump in as they are';
CREATE TRIGGER replace_machine_agent BEFORE INSERT ON nudge.machine_agents
    FOR EACH ROW EXECUTE FUNCTION nudge.replace_machine_agent();
ALTER TABLE nudge.machine_agents ENABLE REPLICA TRIGGER replace_machine_agent;
COMMENT ON TRIGGER replace_machine_agent ON nudge.machine_agents IS 'Lets rows of a dump replace those that came with the extension';

-- They would come back when a dump is restored.
CREATE FUNCTION nudge.keep_machine_agents() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF OLD.name = ANY ('{apple_mail_privacy,barracuda,proofpoint,mimecast,microsoft,security,previews,bots,libraries,headless}') THEN
        RAISE EXCEPTION 'machine agent "%" comes with pg_nudge and stays', OLD.name USING ERRCODE = '55000',
            DETAIL = 'It would be there again after a dump is restored.',
            HINT = 'Set enabled = false, or change its pattern.';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION nudge.keep_machine_agents() IS
    'Trigger function of nudge.machine_agents: rows that come with the extension are not deleted or renamed';
REVOKE ALL ON FUNCTION nudge.keep_machine_agents() FROM PUBLIC;
CREATE TRIGGER keep_machine_agents BEFORE DELETE ON nudge.machine_agents
    FOR EACH ROW EXECUTE FUNCTION nudge.keep_machine_agents();
COMMENT ON TRIGGER keep_machine_agents ON nudge.machine_agents IS 'Refuses to delete rows that come with the extension';
CREATE TRIGGER keep_machine_agent_names BEFORE UPDATE OF name ON nudge.machine_agents
    FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION nudge.keep_machine_agents();
COMMENT ON TRIGGER keep_machine_agent_names ON nudge.machine_agents IS 'Refuses to rename rows that come with the extension';

-- Nobody opens a message within two seconds of its delivery.  Both times come from
-- the provider, whose clocks differ, so the two seconds may be before it as well.
-- Times that the mailer left out are times of reporting, and two of them tell nothing.
CREATE FUNCTION nudge.is_machine(message_id bigint, event_type text, occurred_at timestamptz, recorded_at timestamptz,
                                 metadata jsonb)
RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    method CONSTANT text := upper(coalesce(metadata ->> 'method', metadata ->> 'http_method', metadata ->> 'request_method'));
    agent  CONSTANT text := left(coalesce(metadata ->> 'user_agent', metadata ->> 'useragent', metadata ->> 'userAgent'), 1000);
BEGIN
    -- Whoever reports it knows
    IF metadata ->> 'machine' IN ('true', 'false') THEN
        RETURN metadata ->> 'machine' = 'true';
    END IF;
    IF event_type NOT IN ('opened', 'clicked', 'unsubscribed') THEN
        RETURN false;
    END IF;
    -- RFC 8058: mail programs POST when a person presses their button
    IF event_type = 'unsubscribed' AND (metadata ->> 'one_click' = 'true' OR method = 'POST') THEN
        RETURN false;
    END IF;
    IF method = 'HEAD'
        OR event_type = 'opened' AND 'true' IN (metadata ->> 'machine_open', metadata ->> 'sg_machine_open')
        -- Mailgun's word; Gmail's proxy fetches when somebody opens
        OR metadata ->> 'bot' NOT IN ('', 'gmail')
    THEN
        RETURN true;
    END IF;
    PERFORM FROM nudge.machine_agents a
    WHERE a.enabled AND is_machine.event_type = ANY (a.event_types) AND agent ~* a.pattern;
    IF FOUND OR event_type = 'unsubscribed' THEN
        RETURN FOUND;
    END IF;
    PERFORM FROM nudge.events d
    WHERE d.message_id = is_machine.message_id AND d.event_type = 'delivered' AND d.event_key IS NOT NULL
        AND d.occurred_at BETWEEN is_machine.occurred_at - interval '2 s' AND is_machine.occurred_at + interval '2 s'
        AND (d.occurred_at <> d.recorded_at OR is_machine.occurred_at <> is_machine.recorded_at);
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION nudge.is_machine(bigint, text, timestamptz, timestamptz, jsonb) IS
    'Internal: whether an event of a message was done by a machine: metadata.machine where it says so; else HEAD requests, what the provider or nudge.machine_agents takes for one, opens and clicks within 2 s of delivery';
REVOKE ALL ON FUNCTION nudge.is_machine(bigint, text, timestamptz, timestamptz, jsonb) FROM PUBLIC;

-- (providers round to seconds)
CREATE FUNCTION nudge.time_flag(occurred_at timestamptz, recorded_at timestamptz, created_at timestamptz) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN occurred_at < date_trunc('second', created_at) THEN 'before_message'
                WHEN occurred_at > recorded_at + interval '1 day' THEN 'in_future' END;
END
$$;
COMMENT ON FUNCTION nudge.time_flag(timestamptz, timestamptz, timestamptz) IS
    'Internal: flag of an event that cannot have happened at that time, as its message was not made yet, or the time has not come';
REVOKE ALL ON FUNCTION nudge.time_flag(timestamptz, timestamptz, timestamptz) FROM PUBLIC;

--
-- Suppressing
--

CREATE FUNCTION nudge.bounce_type(metadata jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN lower(coalesce(metadata ->> 'bounce_type', metadata ->> 'bounceType', metadata ->> 'bounce', metadata ->> 'type'))
                     IN ('soft', 'transient', 'temporary')
                THEN 'soft' ELSE 'hard' END
$$;
COMMENT ON FUNCTION nudge.bounce_type(jsonb) IS
    'Internal: soft where bounce_type (or bounceType, bounce, type) in metadata of a bounce is soft, transient or temporary, else hard';
REVOKE ALL ON FUNCTION nudge.bounce_type(jsonb) FROM PUBLIC;

-- A message that was delivered after all has not bounced.  Reports come in any order,
-- so the seven days may also begin or go on around an event that is reported late.
CREATE FUNCTION nudge.bounced_softly(user_id text, address text, occurred_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
    WITH soft AS MATERIALIZED (
        SELECT e.message_id, e.occurred_at
        FROM nudge.events e
        JOIN nudge.messages m ON m.message_id = e.message_id
        WHERE e.user_id = bounced_softly.user_id
            AND e.recorded_at > least(bounced_softly.occurred_at, now()) - interval '8 days'
            AND e.event_type = 'bounced' AND nudge.bounce_type(e.metadata) = 'soft'
            AND e.flag IS DISTINCT FROM 'machine'
            AND e.occurred_at > bounced_softly.occurred_at - interval '7 days'
            AND e.occurred_at < bounced_softly.occurred_at + interval '7 days'
            AND nudge.normal_address(m.recipient) = nudge.normal_address(bounced_softly.address)
            AND NOT EXISTS (
                SELECT FROM nudge.events d
                WHERE d.message_id = e.message_id AND d.event_type = 'delivered' AND d.event_key IS NOT NULL
                    AND d.occurred_at > e.occurred_at))
    SELECT EXISTS (
        SELECT FROM soft l
        WHERE l.occurred_at >= bounced_softly.occurred_at
            AND 3 <= (SELECT count(DISTINCT s.message_id) FROM soft s
                      WHERE s.occurred_at > l.occurred_at - interval '7 days' AND s.occurred_at <= l.occurred_at))
$$;
COMMENT ON FUNCTION nudge.bounced_softly(text, text, timestamptz) IS
    'Internal: whether three messages to an address of a user bounced softly within seven days around a time';
REVOKE ALL ON FUNCTION nudge.bounced_softly(text, text, timestamptz) FROM PUBLIC;

-- Bounces and complaints are the address's, whoever has it; an unsubscription is the
-- user's, and ends what comes by the channel.
--
-- Locks: soft bounces of a user are counted one after the other, so that the last of
-- three transactions at work together sees all.
CREATE FUNCTION nudge.suppress_after(message_id bigint, event_type text, occurred_at timestamptz, metadata jsonb)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    reason CONSTANT text := event_type;  -- they have the same names
    m      record;
BEGIN
    IF reason NOT IN ('bounced', 'complained', 'unsubscribed') THEN
        RETURN false;
    END IF;
    SELECT c.user_id, c.channel, nudge.normal_address(c.recipient) AS address INTO m
    FROM nudge.messages c
    WHERE c.message_id = suppress_after.message_id
        -- by a channel that is no more nothing goes out
        AND EXISTS (SELECT FROM nudge.channels h WHERE h.name = c.channel);
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    IF reason = 'unsubscribed' THEN
        m.address := NULL;
    ELSIF octet_length(m.address) NOT BETWEEN 1 AND 1024 THEN
        RETURN false;
    END IF;
    IF reason = 'bounced' AND nudge.bounce_type(suppress_after.metadata) = 'soft' THEN
        PERFORM pg_advisory_xact_lock(1853187186, hashtext(m.user_id));  -- ('nudr')
        IF NOT nudge.bounced_softly(m.user_id, m.address, suppress_after.occurred_at) THEN
            RETURN false;
        END IF;
    END IF;

    INSERT INTO nudge.suppressions (user_id, address, channel, reason, message_id, source)
    VALUES (m.user_id, m.address, m.channel, reason, suppress_after.message_id,
            coalesce(suppress_after.metadata ->> 'provider', 'record_event'))
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION nudge.suppress_after(bigint, text, timestamptz, jsonb) IS
    'Internal: suppresses an address or a user because of an event, where the event asks for it; whether that is new';
REVOKE ALL ON FUNCTION nudge.suppress_after(bigint, text, timestamptz, jsonb) FROM PUBLIC;

--
-- Rescoring
--

CREATE FUNCTION nudge.rescore_message(message_id bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM nudge.events e
    WHERE e.message_id = rescore_message.message_id AND e.event_type IN ('opened', 'clicked') AND e.event_key IS NOT NULL;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    WITH changed AS (
        UPDATE nudge.events e
        SET flag = 'machine'
        WHERE e.message_id = rescore_message.message_id AND e.event_type IN ('opened', 'clicked') AND e.event_key IS NOT NULL
            AND e.flag IS DISTINCT FROM 'machine'
            AND nudge.is_machine(e.message_id, e.event_type, e.occurred_at, e.recorded_at, e.metadata)
        RETURNING e.user_id, e.message_id)
    INSERT INTO nudge.rescored_messages (user_id, message_id)
    SELECT DISTINCT c.user_id, c.message_id FROM changed c;
END
$$;
COMMENT ON FUNCTION nudge.rescore_message(bigint) IS
    'Internal: flags opens and clicks that came in before the delivery was reported, and turn out to have been within 2 s of it';
REVOKE ALL ON FUNCTION nudge.rescore_message(bigint) FROM PUBLIC;

-- A day of events is a statement.  Whom a machine seemed to have unsubscribed is
-- suppressed after all; the rest of what an event brings about is not made up for, as
-- nobody wants to hear of what was clicked weeks ago.
CREATE FUNCTION nudge.rescore_machine_events(since timestamptz DEFAULT '-infinity') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    from_at timestamptz;
    amount  bigint;
    people  bigint;
    total   bigint := 0;
BEGIN
    IF since IS NULL OR since = 'infinity' THEN
        RAISE EXCEPTION 'since must be a time, not %', coalesce(since::text, 'NULL') USING ERRCODE = '22023',
            HINT = 'Events recorded since then are looked at; leave it out to mean all.';
    END IF;
    PERFORM nudge.refuse_read_only('rescore events');

    SELECT min(e.recorded_at) INTO from_at FROM nudge.events e WHERE e.recorded_at >= since AND isfinite(e.recorded_at);
    WHILE from_at <= clock_timestamp() LOOP
        WITH changed AS (
            UPDATE nudge.events e
            SET flag = CASE WHEN e.flag = 'machine'
                            THEN nudge.time_flag(e.occurred_at, e.recorded_at,
                                     (SELECT m.created_at FROM nudge.messages m WHERE m.message_id = e.message_id))
                            ELSE 'machine' END
            WHERE e.recorded_at >= from_at AND e.recorded_at < from_at + interval '24 hours'
                AND e.event_type IN ('opened', 'clicked', 'unsubscribed')
                AND e.message_id IS NOT NULL AND e.event_key IS NOT NULL
                AND nudge.is_machine(e.message_id, e.event_type, e.occurred_at, e.recorded_at, e.metadata)
                    IS DISTINCT FROM coalesce(e.flag = 'machine', false)
            RETURNING e.user_id, e.message_id, e.event_type, e.flag, e.occurred_at, e.metadata),
        noted AS (
            INSERT INTO nudge.rescored_messages (user_id, message_id)
            SELECT DISTINCT c.user_id, c.message_id FROM changed c)
        SELECT count(*),
               count(CASE WHEN c.event_type = 'unsubscribed' AND c.flag IS DISTINCT FROM 'machine'
                          THEN nudge.suppress_after(c.message_id, c.event_type, c.occurred_at, c.metadata) END)
        INTO amount, people
        FROM changed c;
        total := total + amount;
        from_at := from_at + interval '24 hours';
    END LOOP;
    RETURN total;
END
$$;
COMMENT ON FUNCTION nudge.rescore_machine_events(timestamptz) IS
    'Decides anew which opens, clicks and unsubscriptions recorded since a time were a machine''s, and flags them so; fires no rules. How many have changed';
REVOKE ALL ON FUNCTION nudge.rescore_machine_events(timestamptz) FROM PUBLIC;

-- A click and the delivery before it may be recorded by two transactions neither of
-- which sees the other; the next look at both is this one.
INSERT INTO nudge.jobs (job_name, schedule, command, description) VALUES
    ('nudge machine events', '37 * * * *', 'SELECT nudge.rescore_machine_events(clock_timestamp() - interval ''2 hours'')',
     'Flags what machines did and was reported out of order');

--
-- Recording
--

CREATE FUNCTION nudge.check_event(message_id bigint, event_type text, occurred_at timestamptz, metadata jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    types CONSTANT text[] := '{delivered,opened,clicked,bounced,complained,unsubscribed,failed,converted}';
BEGIN
    IF message_id IS NULL THEN
        RAISE EXCEPTION 'message_id must not be null' USING ERRCODE = '22023',
            HINT = 'Pass the message_id under which the message was claimed.';
    END IF;
    IF event_type IS NULL OR event_type <> ALL (types) THEN
        RAISE EXCEPTION 'unknown event type %', coalesce(quote_literal(left(event_type, 200)), 'NULL')
            USING ERRCODE = '22023', HINT = 'Event types: ' || array_to_string(types, ', ') || '.';
    END IF;
    IF occurred_at IS NULL OR NOT isfinite(occurred_at) THEN
        RAISE EXCEPTION 'occurred_at must be a finite time, not %', coalesce(occurred_at::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Pass the time at which the event happened.';
    END IF;
    -- (windows around it must be times, too)
    IF occurred_at NOT BETWEEN '0001-01-01 00:00+00' AND '9999-12-31 00:00+00' THEN
        RAISE EXCEPTION 'occurred_at must be in the years 1 to 9999, not %', occurred_at
            USING ERRCODE = '22023', HINT = 'Pass the time at which the event happened.';
    END IF;
    IF metadata IS NULL OR jsonb_typeof(metadata) <> 'object' THEN
        RAISE EXCEPTION 'metadata must be a JSON object, not %', coalesce(jsonb_typeof(metadata), 'NULL')
            USING ERRCODE = '22023', HINT = 'Pass ''{}'' where there is none.';
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.check_event(bigint, text, timestamptz, jsonb) IS 'Internal: refuses arguments of nudge.record_event, 22023';
REVOKE ALL ON FUNCTION nudge.check_event(bigint, text, timestamptz, jsonb) FROM PUBLIC;

-- An index entry has a limit; a digest tells events apart as well.
CREATE FUNCTION nudge.event_key(occurred_at timestamptz, metadata jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id CONSTANT text := coalesce(nullif(metadata ->> 'provider_event_id', ''), nullif(metadata ->> 'event_id', ''));
BEGIN
    IF octet_length(id) <= 200 THEN
        RETURN id;
    END IF;
    RETURN 'sha256:' || encode(sha256(convert_to(
        coalesce(id, extract(epoch FROM occurred_at) || ' ' || metadata), 'UTF8')), 'hex');
END
$$;
COMMENT ON FUNCTION nudge.event_key(timestamptz, jsonb) IS
    'Internal: what tells an event from others of its message and type: provider_event_id or event_id of metadata, else time and metadata';
REVOKE ALL ON FUNCTION nudge.event_key(timestamptz, jsonb) FROM PUBLIC;

-- Returns whether the event is new.  The same event is recorded once: providers
-- report at least once.  The unique index of each partition settles concurrent
-- reports; reports months apart are found by the look before.
-- (A member of this extension since 0.1.0, so nobody else's function is replaced.)
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
    actions CONSTANT text[] := '{opened,clicked,bounced,unsubscribed}';
    is_machine boolean;
    key text;
    m   record;
BEGIN
    PERFORM nudge.check_event(record_event.message_id, record_event.event_type, record_event.occurred_at, record_event.metadata);
    PERFORM nudge.refuse_read_only('record events');

    SELECT c.user_id, c.rule_id, c.pending_id, c.action_id, c.created_at INTO m
    FROM nudge.messages c
    WHERE c.message_id = record_event.message_id;
    IF NOT FOUND THEN
        INSERT INTO nudge.tallies (tally, amount) VALUES ('unknown_message_events', 1);
        RETURN false;
    END IF;

    key := nudge.event_key(record_event.occurred_at, record_event.metadata);
    PERFORM FROM nudge.events e
    WHERE e.message_id = record_event.message_id AND e.event_type = record_event.event_type
        AND e.event_key = key;
    IF FOUND THEN
        RETURN false;
    END IF;

    is_machine := nudge.is_machine(record_event.message_id, record_event.event_type,
                                   record_event.occurred_at, now(), record_event.metadata);
    INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, message_id, action_id,
                              reason, flag, occurred_at, event_key, metadata)
    VALUES (m.user_id, record_event.event_type, m.rule_id, m.pending_id, record_event.message_id, m.action_id,
            CASE WHEN record_event.event_type = 'bounced' THEN nudge.bounce_type(record_event.metadata) END,
            CASE WHEN is_machine THEN 'machine'
                 ELSE nudge.time_flag(record_event.occurred_at, now(), m.created_at) END,
            record_event.occurred_at, key, record_event.metadata)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    IF record_event.event_type = 'delivered' THEN
        PERFORM nudge.rescore_message(record_event.message_id);
    END IF;
    IF NOT is_machine THEN
        PERFORM nudge.suppress_after(record_event.message_id, record_event.event_type, record_event.occurred_at, record_event.metadata);
        IF record_event.event_type = ANY (actions) THEN
            PERFORM nudge.follow_up(record_event.message_id, record_event.event_type, record_event.occurred_at, record_event.metadata);
        END IF;
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION nudge.record_event(bigint, text, timestamptz, jsonb) IS
    'Records what happened to a message, once for each provider_event_id or event_id of metadata (else for each time and metadata), what its user did as an action of the user, and suppresses addresses that bounced or complained and users who unsubscribed; whether it is new';
COMMENT ON COLUMN nudge.events.flag IS
    'machine where no person did it; before_message or in_future where occurred_at cannot be right';
COMMENT ON COLUMN nudge.events.reason IS 'Why, for skipped, capped, deferred, failed and the like; hard or soft of bounced';

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('marketer', 'table', 'machine_agents', 'SELECT, INSERT, UPDATE, DELETE'),
    ('marketer', 'routine', 'rescore_machine_events', 'EXECUTE'),
    ('executor', 'routine', 'rescore_machine_events', 'EXECUTE');
REVOKE ALL ON TABLE nudge.machine_agents FROM PUBLIC;
