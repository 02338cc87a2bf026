--
-- The outbox: what the mailer claims, sends and reports back
--
-- message_queue holds where the live messages stand and is kept narrow, so that
-- claims update rows in place (HOT: no indexed column changes) whatever the
-- size of the bodies.  message_blocks guides claims to the id ranges in which
-- there are live messages.
--
-- Locking.  A claim locks queue rows with SKIP LOCKED and rows of the guide
-- with SKIP LOCKED, so it never waits.  Whoever makes a message available
-- earlier than the guide says (the executor, nack, an operator) appends a row to
-- the guide in the same transaction and so waits for nobody either.  The guide
-- is thinned out by claims only: they lock a block's rows first and look at the
-- block's messages in a later statement, whose snapshot therefore sees every
-- message that came with a row of the guide that they are about to take away.
-- Messages of transactions that commit later bring their own rows.
--

CREATE VIEW nudge.outbox AS
    SELECT m.message_id, m.pending_id, m.rule_id, m.user_id, m.channel, m.recipient,
           m.template_id, m.subject, m.body_text, m.body_html,
           m.sender_name, m.sender_address, m.reply_to, m.headers, m.priority,
           q.status, q.attempts, q.available_at, q.claimed_by, q.claim_token, q.lease_until,
           m.created_at, NULL::timestamptz AS sent_at, NULL::text AS provider_message_id,
           q.last_error, m.action_id, m.fired_at, NULL::timestamptz AS finished_at
    FROM nudge.message_queue q
    JOIN nudge.messages m ON m.message_id = q.message_id
        AND m.created_at = q.created_at
    UNION ALL
    SELECT m.message_id, m.pending_id, m.rule_id, m.user_id, m.channel, m.recipient,
           m.template_id, m.subject, m.body_text, m.body_html,
           m.sender_name, m.sender_address, m.reply_to, m.headers, m.priority,
           r.status, r.attempts, r.available_at, r.claimed_by, r.claim_token, NULL::timestamptz,
           m.created_at, r.sent_at, r.provider_message_id,
           r.last_error, m.action_id, m.fired_at, r.finished_at
    FROM nudge.message_results r
    JOIN nudge.messages m ON m.message_id = r.message_id
        AND m.created_at = r.created_at;
COMMENT ON VIEW nudge.outbox IS
    'Messages and where they stand. Mailers use nudge.claim, ack and nack; the owner may UPDATE the state of a live message and DELETE messages';
COMMENT ON COLUMN nudge.outbox.available_at IS 'Not handed out before this time';
COMMENT ON COLUMN nudge.outbox.claim_token IS 'Proof of the current claim; ack and nack ask for it';
COMMENT ON COLUMN nudge.outbox.lease_until IS 'End of the current claim; afterwards the message is handed out again';

-- The settings fix the plans: the guide and the queue are always entered by
-- their indexes, whatever the statistics were when the plan was made.
CREATE FUNCTION nudge.claim(consumer text, max_messages integer DEFAULT 100,
                            lease interval DEFAULT '15 min', channels text[] DEFAULT NULL)
RETURNS SETOF nudge.outbox
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    now_at  timestamptz := clock_timestamp();
    token   uuid := gen_random_uuid();
    until   timestamptz;
    wanted  integer := max_messages;
    got     bigint;
    guide   record;
    last_priority nudge.priority;
    last_block    bigint;
    locked  tid[];
    wake_at timestamptz;
BEGIN
    IF consumer IS NULL OR consumer = '' THEN
        RAISE EXCEPTION 'consumer must not be empty' USING ERRCODE = '22023',
            DETAIL = 'The name is kept as claimed_by of the messages handed out.',
            HINT = 'Pass a name that tells this mailer from others, for example its host name.';
    END IF;
    IF max_messages IS NULL OR max_messages NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION 'max_messages must be between 1 and 100000, not %', coalesce(max_messages::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'A hundred messages a claim is a good start.';
    END IF;
    IF lease IS NULL OR lease > interval '1 year' OR now_at + lease <= now_at THEN
        RAISE EXCEPTION 'lease must be positive and at most a year, not %', coalesce(lease::text, 'NULL')
            USING ERRCODE = '22023',
            HINT = 'Pass the time within which the mailer surely sends what it claims, for example ''15 min''.';
    END IF;
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'cannot claim messages in a read-only transaction' USING ERRCODE = '25006',
            HINT = 'Connect to the primary server, in a transaction that may write.';
    END IF;

    -- What is sent must not be claimed once more after a crash
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    until := now_at + lease;

    FOR guide IN
        SELECT b.priority, b.block FROM nudge.message_blocks b
        WHERE b.next_at <= now_at
        ORDER BY b.priority, b.block
    LOOP
        CONTINUE WHEN guide.block = last_block AND guide.priority = last_priority;
        last_priority := guide.priority;
        last_block := guide.block;

        RETURN QUERY
        WITH taken AS (
            UPDATE nudge.message_queue q
            SET status = 'claimed', attempts = q.attempts + 1, claimed_by = consumer,
                claim_token = token, lease_until = until
            WHERE q.ctid = ANY (ARRAY(
                SELECT c.ctid FROM nudge.message_queue c
                WHERE c.message_id >= guide.block * 1024 AND c.message_id < (guide.block + 1) * 1024
                    AND c.priority = guide.priority
                    AND CASE c.status WHEN 'ready' THEN c.available_at ELSE c.lease_until END <= now_at
                    AND (channels IS NULL OR c.channel = ANY (channels))
                ORDER BY c.message_id
                LIMIT wanted
                FOR UPDATE SKIP LOCKED))
            RETURNING q.message_id, q.created_at, q.status, q.attempts, q.available_at, q.last_error)
        SELECT m.message_id, m.pending_id, m.rule_id, m.user_id, m.channel, m.recipient,
               m.template_id, m.subject, m.body_text, m.body_html,
               m.sender_name, m.sender_address, m.reply_to, m.headers, m.priority,
               t.status, t.attempts, t.available_at, consumer, token, until,
               m.created_at, NULL::timestamptz, NULL::text,
               t.last_error, m.action_id, m.fired_at, NULL::timestamptz
        FROM taken t
        JOIN nudge.messages m ON m.message_id = t.message_id AND m.created_at = t.created_at
        ORDER BY t.message_id;
        GET DIAGNOSTICS got = ROW_COUNT;
        wanted := wanted - got;
        EXIT WHEN wanted <= 0;
        CONTINUE WHEN got > 0;

        -- Nothing to be had here: tell the next claims when to look again.  Only a
        -- snapshot taken after the lock makes that safe (see above).
        CONTINUE WHEN current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted');
        locked := ARRAY(SELECT b.ctid FROM nudge.message_blocks b
                        WHERE b.priority = guide.priority AND b.block = guide.block
                        FOR UPDATE SKIP LOCKED);
        CONTINUE WHEN locked = '{}';
        SELECT min(CASE q.status WHEN 'ready' THEN q.available_at ELSE q.lease_until END)
        INTO wake_at
        FROM nudge.message_queue q
        WHERE q.message_id >= guide.block * 1024 AND q.message_id < (guide.block + 1) * 1024
            AND q.priority = guide.priority;
        IF wake_at IS NULL THEN
            DELETE FROM nudge.message_blocks b WHERE b.ctid = ANY (locked);
        ELSIF wake_at > now_at THEN
            UPDATE nudge.message_blocks b SET next_at = wake_at WHERE b.ctid = locked[1];
            IF cardinality(locked) > 1 THEN
                DELETE FROM nudge.message_blocks b WHERE b.ctid = ANY (locked[2:]);
            END IF;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION nudge.claim(text, integer, interval, text[]) IS
    'Hands out up to max_messages messages that are ready, or whose lease is over, by priority and age, each to one mailer';

-- Ends a live message that the caller has locked; for ack's slower relatives.
-- A message that was not sent gives its place under the frequency caps back.
CREATE FUNCTION nudge.finish_message(message_id bigint, ended nudge.message_status,
                                     event text, reason text, error text,
                                     provider_message_id text DEFAULT NULL,
                                     sent_at timestamptz DEFAULT NULL)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    m nudge.messages;
    q nudge.message_queue;
BEGIN
    DELETE FROM nudge.message_queue d WHERE d.message_id = finish_message.message_id RETURNING d.* INTO STRICT q;
    SELECT * INTO m FROM nudge.messages c WHERE c.message_id = q.message_id AND c.created_at = q.created_at;
    IF ended IS NOT NULL THEN
        INSERT INTO nudge.message_results
            (message_id, user_id, created_at, status, attempts, available_at,
             claimed_by, claim_token, sent_at, provider_message_id, last_error)
        VALUES (q.message_id, q.user_id, q.created_at, ended, q.attempts, q.available_at,
                q.claimed_by, q.claim_token, finish_message.sent_at, finish_message.provider_message_id,
                coalesce(error, q.last_error));
    END IF;
    -- The error's text may hold an address: analysts see reasons, but not metadata
    INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, message_id, action_id,
                              reason, occurred_at, metadata)
    VALUES (q.user_id, event, m.rule_id, m.pending_id, q.message_id, m.action_id,
            reason, coalesce(finish_message.sent_at, clock_timestamp()),
            jsonb_strip_nulls(jsonb_build_object('error', error)));
    IF ended IS DISTINCT FROM 'sent' AND m.rule_id IS NOT NULL AND m.fired_at IS NOT NULL
        AND to_regprocedure('nudge.cap_release(text,bigint,text,timestamptz)') IS NOT NULL
    THEN
        PERFORM nudge.cap_release(m.user_id, m.rule_id, m.channel, m.fired_at);
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.finish_message(bigint, nudge.message_status, text, text, text, text, timestamptz) IS
    'Internal: ends a live message as sent, failed or dead (NULL: it is being deleted)';

-- Says why some messages could not be acknowledged; always raises.
CREATE FUNCTION nudge.refuse_claim(message_ids bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown bigint[];
BEGIN
    unknown := ARRAY(
        SELECT g.id FROM unnest(message_ids) WITH ORDINALITY AS g (id, n)
        WHERE NOT EXISTS (SELECT FROM nudge.message_queue q WHERE q.message_id = g.id)
            AND NOT EXISTS (SELECT FROM nudge.message_results r WHERE r.message_id = g.id)
        ORDER BY g.n);
    IF unknown <> '{}' THEN
        RAISE EXCEPTION 'message % does not exist', unknown[1] USING ERRCODE = '02000',
            DETAIL = format('Unknown messages: %s. Nothing was changed.', array_to_string(unknown[:20], ', ')),
            HINT = 'Pass message_id and claim_token as nudge.claim returned them.';
    END IF;
    RAISE EXCEPTION 'claim of message % is not current', message_ids[1] USING ERRCODE = '55000',
        DETAIL = format('Messages that this claim does not hold, or no longer: %s. Nothing was changed.',
                        array_to_string(message_ids[:20], ', ')),
        HINT = 'The lease ended and the message was handed out again, or it has been reported already; claim with a longer lease.';
END
$$;
COMMENT ON FUNCTION nudge.refuse_claim(bigint[]) IS 'Internal: raises 02000 or 55000 for messages that a claim token does not fit';

CREATE FUNCTION nudge.ack(message_ids bigint[], claim_tokens uuid[], provider_message_ids text[] DEFAULT NULL)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    done   bigint[];
    twice  bigint;
    asked  integer := cardinality(message_ids);
    now_at timestamptz := clock_timestamp();
BEGIN
    IF message_ids IS NULL OR array_position(message_ids, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'message_id must not be null' USING ERRCODE = '22023',
            HINT = 'Pass message_id and claim_token as nudge.claim returned them.';
    END IF;
    IF claim_tokens IS NULL OR array_position(claim_tokens, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'claim_token must not be null' USING ERRCODE = '22023',
            HINT = 'Pass message_id and claim_token as nudge.claim returned them.';
    END IF;
    IF cardinality(claim_tokens) <> asked OR cardinality(provider_message_ids) <> asked THEN
        RAISE EXCEPTION 'arrays of message ids, claim tokens and provider message ids differ in length'
            USING ERRCODE = '22023',
            DETAIL = format('There are %s message ids, %s claim tokens and %s provider message ids.',
                            asked, cardinality(claim_tokens), coalesce(cardinality(provider_message_ids)::text, 'no')),
            HINT = 'Pass one claim token for each message; provider_message_ids may be NULL as a whole.';
    END IF;

    -- By message id, so that two mailers which report the same messages cannot deadlock
    WITH given AS MATERIALIZED (
        SELECT g.message_id, g.claim_token, g.provider_message_id
        FROM ROWS FROM (unnest(message_ids), unnest(claim_tokens), unnest(provider_message_ids))
            AS g (message_id, claim_token, provider_message_id)
        ORDER BY g.message_id),
    gone AS (
        DELETE FROM nudge.message_queue q
        USING given g
        WHERE q.message_id = g.message_id AND q.status = 'claimed' AND q.claim_token = g.claim_token
        RETURNING q.message_id, q.user_id, q.created_at, q.attempts, q.available_at,
            q.claimed_by, q.claim_token, q.last_error, g.provider_message_id),
    results AS (
        INSERT INTO nudge.message_results
            (message_id, user_id, created_at, status, attempts, available_at,
             claimed_by, claim_token, sent_at, provider_message_id, last_error)
        SELECT g.message_id, g.user_id, g.created_at, 'sent', g.attempts, g.available_at,
               g.claimed_by, g.claim_token, now_at, g.provider_message_id, g.last_error
        FROM gone g),
    sent AS (
        INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, message_id, action_id, occurred_at)
        SELECT m.user_id, 'sent', m.rule_id, m.pending_id, m.message_id, m.action_id, now_at
        FROM gone g
        JOIN nudge.messages m ON m.message_id = g.message_id AND m.created_at = g.created_at)
    SELECT array_agg(g.message_id) INTO done FROM gone g;

    IF asked > 0 AND coalesce(cardinality(done), 0) < asked THEN
        SELECT g.id INTO twice FROM unnest(message_ids) AS g (id) GROUP BY g.id HAVING count(*) > 1 LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'message % is given twice', twice USING ERRCODE = '22023',
                DETAIL = 'Nothing was changed.', HINT = 'Acknowledge each message once.';
        END IF;
        PERFORM nudge.refuse_claim(ARRAY(
            SELECT g.id FROM unnest(message_ids) AS g (id) WHERE g.id <> ALL (coalesce(done, '{}')) ORDER BY 1));
    END IF;
    RETURN asked;
END
$$;
COMMENT ON FUNCTION nudge.ack(bigint[], uuid[], text[]) IS
    'Reports claimed messages as sent, all or none; the number of messages';

CREATE FUNCTION nudge.ack(message_id bigint, claim_token uuid, provider_message_id text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM nudge.ack(ARRAY[message_id], ARRAY[claim_token], ARRAY[provider_message_id]);
END
$$;
COMMENT ON FUNCTION nudge.ack(bigint, uuid, text) IS 'Reports a claimed message as sent';

CREATE FUNCTION nudge.nack(message_id bigint, claim_token uuid, error text, permanent boolean DEFAULT false)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    q      nudge.message_queue;
    now_at timestamptz := clock_timestamp();
    -- kept short enough for an index or a screen
    why    text := left(coalesce(nullif(error, ''), 'no reason given'), 2000);
    retry_at timestamptz;
BEGIN
    IF nack.message_id IS NULL OR nack.claim_token IS NULL THEN
        RAISE EXCEPTION '% must not be null',
            CASE WHEN nack.message_id IS NULL THEN 'message_id' ELSE 'claim_token' END
            USING ERRCODE = '22023',
            HINT = 'Pass message_id and claim_token as nudge.claim returned them.';
    END IF;
    IF permanent IS NULL THEN
        RAISE EXCEPTION 'permanent must not be null' USING ERRCODE = '22023',
            HINT = 'Pass true where sending again cannot help, else false.';
    END IF;

    SELECT * INTO q FROM nudge.message_queue c WHERE c.message_id = nack.message_id FOR UPDATE;
    IF NOT FOUND OR q.status <> 'claimed' OR q.claim_token IS DISTINCT FROM nack.claim_token THEN
        PERFORM nudge.refuse_claim(ARRAY[nack.message_id]);
    END IF;

    IF permanent THEN
        PERFORM nudge.finish_message(q.message_id, 'failed', 'failed', 'permanent', why);
    ELSIF now_at >= q.created_at + interval '5 days' THEN
        PERFORM nudge.finish_message(q.message_id, 'dead', 'dead', 'too_many_tries', why);
    ELSE
        -- 5, 10, 20, 40, 60, 60 ... minutes, each give or take a fifth, so that
        -- what failed together does not come back together
        retry_at := now_at + least(interval '5 min' * power(2, least(q.attempts, 10) - 1), interval '1 hour')
            * (0.8 + 0.4 * random());
        UPDATE nudge.message_queue c
        SET status = 'ready', available_at = retry_at, last_error = why,
            claimed_by = NULL, claim_token = NULL, lease_until = NULL
        WHERE c.message_id = q.message_id AND c.user_id = q.user_id;
        INSERT INTO nudge.message_blocks (priority, block, next_at)
        VALUES (q.priority, q.message_id / 1024, retry_at);
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.nack(bigint, uuid, text, boolean) IS
    'Reports that a claimed message could not be sent: it is retried with back-off for 5 days, or has failed for good where permanent';

--
-- Mending by hand
--

CREATE FUNCTION nudge.outbox_mend() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state_columns CONSTANT text[] := '{status,available_at,lease_until,attempts,claimed_by,claim_token,last_error,sent_at,provider_message_id}';
    fixed text;
    q     nudge.message_queue;
BEGIN
    SELECT * INTO q FROM nudge.message_queue c
    WHERE c.message_id = OLD.message_id AND c.user_id = OLD.user_id
    FOR UPDATE;

    IF TG_OP = 'DELETE' THEN
        IF FOUND THEN
            PERFORM nudge.finish_message(q.message_id, NULL, 'skipped', 'deleted', NULL);
        END IF;
        DELETE FROM nudge.message_results r WHERE r.message_id = OLD.message_id;
        DELETE FROM nudge.messages m WHERE m.message_id = OLD.message_id AND m.created_at = OLD.created_at;
        RETURN OLD;
    END IF;

    SELECT string_agg(n.key, ', ' ORDER BY n.key) INTO fixed
    FROM jsonb_each(to_jsonb(NEW)) n JOIN jsonb_each(to_jsonb(OLD)) o ON o.key = n.key
    WHERE n.value <> o.value AND n.key <> ALL (state_columns);
    IF fixed IS NOT NULL THEN
        RAISE EXCEPTION 'cannot change % of a message', fixed USING ERRCODE = '0A000',
            DETAIL = 'What a message says, and to whom, is fixed once it has been made.',
            HINT = 'Delete the message, or change one of: ' || array_to_string(state_columns, ', ') || '.';
    END IF;
    IF q.message_id IS NULL THEN
        RAISE EXCEPTION 'message % is finished', OLD.message_id USING ERRCODE = '55000',
            DETAIL = format('It ended as %s and keeps that state.', OLD.status),
            HINT = 'Only messages that are ready or claimed can be changed.';
    END IF;
    IF q.status <> OLD.status OR q.claim_token IS DISTINCT FROM OLD.claim_token THEN
        RAISE EXCEPTION 'message % was claimed or released meanwhile', OLD.message_id
            USING ERRCODE = '40001', HINT = 'Try again.';
    END IF;
    IF NEW.status IS NULL OR NEW.attempts IS NULL OR NEW.attempts < 0
        OR NEW.available_at IS NULL OR NOT isfinite(NEW.available_at)
        OR (NEW.status = 'claimed' AND (NEW.claimed_by IS NULL OR NEW.claim_token IS NULL
                                        OR NEW.lease_until IS NULL OR NOT isfinite(NEW.lease_until)))
        OR (NEW.status <> 'sent' AND (NEW.sent_at IS NOT NULL OR NEW.provider_message_id IS NOT NULL))
    THEN
        RAISE EXCEPTION 'state of message % would be inconsistent', OLD.message_id USING ERRCODE = '22023',
            DETAIL = 'A message has a status, attempts that are not negative and a finite available_at; a claimed one has claimed_by, claim_token and a finite lease_until; only a sent one has sent_at and provider_message_id.',
            HINT = 'To have a message sent now, set status = ''ready'' and available_at = now().';
    END IF;

    UPDATE nudge.message_queue c
    SET status = CASE WHEN NEW.status = 'ready' THEN NEW.status ELSE 'claimed' END,
        attempts = NEW.attempts, available_at = NEW.available_at, last_error = NEW.last_error,
        claimed_by = CASE WHEN NEW.status <> 'ready' THEN NEW.claimed_by END,
        claim_token = CASE WHEN NEW.status <> 'ready' THEN NEW.claim_token END,
        lease_until = CASE WHEN NEW.status <> 'ready' THEN NEW.lease_until END
    WHERE c.message_id = q.message_id AND c.user_id = q.user_id;
    IF NEW.status IN ('ready', 'claimed') THEN
        INSERT INTO nudge.message_blocks (priority, block) VALUES (q.priority, q.message_id / 1024);
    ELSE
        PERFORM nudge.finish_message(q.message_id, NEW.status, NEW.status::text,
            CASE WHEN NEW.status <> 'sent' THEN 'by_hand' END,
            CASE WHEN NEW.status <> 'sent' THEN NEW.last_error END, NEW.provider_message_id,
            CASE WHEN NEW.status = 'sent' THEN coalesce(NEW.sent_at, clock_timestamp()) END);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION nudge.outbox_mend() IS 'Lets the owner change the state of live messages, and delete messages, through nudge.outbox';

CREATE TRIGGER outbox_mend INSTEAD OF UPDATE OR DELETE ON nudge.outbox
    FOR EACH ROW EXECUTE FUNCTION nudge.outbox_mend();
COMMENT ON TRIGGER outbox_mend ON nudge.outbox IS 'Changes the tables behind the view';
