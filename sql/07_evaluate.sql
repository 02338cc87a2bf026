--
-- Evaluating actions
--

CREATE FUNCTION nudge.evaluate_actions() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_evaluate_actions';
COMMENT ON FUNCTION nudge.evaluate_actions() IS
    'Trigger function of nudge.actions: evaluates the rules for the rows that a statement inserted';

CREATE TRIGGER evaluate_actions AFTER INSERT ON nudge.actions
    REFERENCING NEW TABLE AS new_actions
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.evaluate_actions();
COMMENT ON TRIGGER evaluate_actions ON nudge.actions IS
    'Evaluates the rules in the transaction that records an action';

CREATE FUNCTION nudge.register_action(
    user_id text,
    action_type text,
    action_data jsonb DEFAULT '{}',
    occurred_at timestamptz DEFAULT now(),
    context jsonb DEFAULT '{}',
    session_id text DEFAULT NULL,
    source text DEFAULT 'unknown')
RETURNS bigint[]
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'nudge_register_action';
COMMENT ON FUNCTION nudge.register_action(text, text, jsonb, timestamptz, jsonb, text, text) IS
    'Records an action, as INSERT INTO nudge.actions would, and returns the ids of the rules that it scheduled';

CREATE FUNCTION nudge.evaluate(
    user_id text,
    action_type text,
    action_data jsonb DEFAULT '{}',
    occurred_at timestamptz DEFAULT now(),
    context jsonb DEFAULT '{}')
RETURNS TABLE (rule_id bigint, name text, matched boolean, score float8, scores float8[])
LANGUAGE C VOLATILE ROWS 100 AS 'MODULE_PATHNAME', 'nudge_evaluate_rules';
COMMENT ON FUNCTION nudge.evaluate(text, text, jsonb, timestamptz, jsonb) IS
    'Evaluates every rule, whatever its status, as if the action were recorded now; nothing is recorded or scheduled. score is what is held against the threshold: the least weighted score of a behavioral rule, the mean of an engagement rule, the greatest of any other';

CREATE FUNCTION nudge.explain(
    user_id text,
    action_type text,
    action_data jsonb DEFAULT '{}',
    occurred_at timestamptz DEFAULT now(),
    context jsonb DEFAULT '{}')
RETURNS TABLE (rule_id bigint, name text, outcome text, reason text, detail jsonb)
LANGUAGE C VOLATILE ROWS 100 AS 'MODULE_PATHNAME', 'nudge_explain';
COMMENT ON FUNCTION nudge.explain(text, text, jsonb, timestamptz, jsonb) IS
    'Why each rule would, or would not, end in a message if the user did the action now: outcome is would_send, would_trigger, not_active, not_matched, not_in_segment, capped, no_user, no_template, no_address or opted_out; nothing is recorded or scheduled';
