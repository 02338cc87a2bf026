--
-- Version 0.3.0: how often users enter a rule, and who is held out
--

-- Written by the executor under the lock of the user's row of nudge.cap_usage, in
-- the transaction that makes the message.  Rules that let users in always have no
-- rows here.
CREATE TABLE nudge.rule_entries (
    user_id    text COLLATE "C" NOT NULL,
    rule_id    bigint NOT NULL,
    entry_key  text COLLATE "C" NOT NULL,
    entered_at timestamptz NOT NULL,
    pending_id bigint NOT NULL,
    PRIMARY KEY (user_id, rule_id, entry_key)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE nudge.rule_entries IS
    'Users who got a message of a rule whose reentry is once, after or key; delete a row to let the user in again';
COMMENT ON COLUMN nudge.rule_entries.entry_key IS
    'What the jsonpath of reentry found in action_data, as text (sha256:… where longer than 1024 bytes); empty for once and after';
COMMENT ON COLUMN nudge.rule_entries.entered_at IS 'When the trigger fired; of the latest entry';
COMMENT ON COLUMN nudge.rule_entries.pending_id IS 'The trigger that entered; if none of its messages is sent in the end, the row goes';
SELECT pg_catalog.pg_extension_config_dump('nudge.rule_entries', '');
REVOKE ALL ON nudge.rule_entries FROM PUBLIC;

-- A user may have as many triggers of a rule waiting as there are keys.
CREATE INDEX pending_reentry_idx ON nudge.pending (user_id, rule_id, reentry_key COLLATE "C")
    WHERE reentry_key IS NOT NULL;

-- Lets a user in again whose message of an entry was not sent, unless another
-- message of that entry was, or still may be: one of the same trigger, or of a trigger
-- that follows up another.  All of them have the time of firing and the action in common.
CREATE FUNCTION nudge.entry_release(user_id text, rule_id bigint, pending_id bigint, message_id bigint, created_at timestamptz)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lives    boolean;
    triggers bigint[];
BEGIN
    IF NOT EXISTS (SELECT FROM nudge.rule_entries e WHERE e.user_id = entry_release.user_id AND e.rule_id = entry_release.rule_id) THEN
        RETURN false;   -- as with most rules
    END IF;
    SELECT bool_or(EXISTS (SELECT FROM nudge.message_queue q WHERE q.message_id = m.message_id)
                   OR EXISTS (SELECT FROM nudge.message_results r WHERE r.message_id = m.message_id AND r.status = 'sent'))
               FILTER (WHERE m.message_id <> entry_release.message_id),
           array_agg(m.pending_id)
    INTO lives, triggers
    FROM nudge.messages ended
    JOIN nudge.messages m ON m.user_id = ended.user_id AND m.created_at >= least(ended.fired_at, ended.created_at)
        AND m.rule_id = ended.rule_id
        AND m.fired_at IS NOT DISTINCT FROM ended.fired_at AND m.action_id IS NOT DISTINCT FROM ended.action_id
    WHERE ended.message_id = entry_release.message_id AND ended.created_at = entry_release.created_at;
    IF lives THEN
        RETURN false;
    END IF;
    DELETE FROM nudge.rule_entries e
    WHERE e.user_id = entry_release.user_id AND e.rule_id = entry_release.rule_id
        AND (e.pending_id = entry_release.pending_id OR e.pending_id = ANY (triggers));
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION nudge.entry_release(text, bigint, bigint, bigint, timestamptz) IS
    'Internal: gives back the entry into a rule that a message stands for; false where there is none to give back';
REVOKE ALL ON FUNCTION nudge.entry_release(text, bigint, bigint, bigint, timestamptz) FROM PUBLIC;

-- Ends a live message that the caller has locked; for ack's slower relatives.
-- A message that was not sent gives its place under the frequency caps back, and
-- its entry into the rule.
CREATE OR REPLACE FUNCTION nudge.finish_message(message_id bigint, ended nudge.message_status,
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
    IF ended IS DISTINCT FROM 'sent' THEN
        PERFORM nudge.cap_release(m.user_id, m.rule_id, m.channel, m.fired_at);
        PERFORM nudge.entry_release(m.user_id, m.rule_id, m.pending_id, m.message_id, m.created_at);
    END IF;
END
$$;

-- Keys come and go with the application's orders, so entries stay until the rule
-- goes.  No other key than the user's leads to them, hence by a job.
CREATE FUNCTION nudge.prune_entries() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n bigint;
BEGIN
    DELETE FROM nudge.rule_entries e
    WHERE e.ctid = ANY (ARRAY(
        SELECT g.ctid FROM nudge.rule_entries g
        WHERE NOT EXISTS (SELECT FROM nudge.rules r WHERE r.rule_id = g.rule_id)
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;
COMMENT ON FUNCTION nudge.prune_entries() IS 'Deletes entries into rules that are no more; how many';
REVOKE ALL ON FUNCTION nudge.prune_entries() FROM PUBLIC;

INSERT INTO nudge.jobs (job_name, schedule, command, description) VALUES
    ('nudge entries', '47 3 * * 0', 'SELECT nudge.prune_entries(), nudge.prune_transitions()',
     'Deletes entries into rules that are no more, and transitions past nudge.retention_days');

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('marketer', 'table', 'rule_entries', 'SELECT, DELETE'),
    ('executor', 'routine', 'prune_entries', 'EXECUTE');
