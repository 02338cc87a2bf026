--
-- Version 0.2.0: a look at a message before anybody gets it
--

CREATE FUNCTION nudge.preview(
    rule_id bigint,
    user_id text,
    action_type text DEFAULT NULL,
    action_data jsonb DEFAULT '{}',
    occurred_at timestamptz DEFAULT now(),
    context jsonb DEFAULT '{}')
RETURNS TABLE (channel text, subject text, body_text text, body_html text)
LANGUAGE C VOLATILE ROWS 1 AS 'MODULE_PATHNAME', 'nudge_preview';
COMMENT ON FUNCTION nudge.preview(bigint, text, text, jsonb, timestamptz, jsonb) IS
    'What a rule would send a user for an action, rendered by the code that sends, with no effect; conditions, caps and the status of the rule are not asked. No row, and a notice that says why, where no message would be made; an error where rendering fails. Addresses are shown as (hidden) to those who may not read them in nudge.users';
REVOKE ALL ON FUNCTION nudge.preview(bigint, text, text, jsonb, timestamptz, jsonb) FROM PUBLIC;

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('marketer', 'routine', 'preview', 'EXECUTE');
