--
-- Version 0.4.0: what a draft of a rule would have done
--

CREATE FUNCTION nudge.backtest_triggers(config jsonb, recorded_from timestamptz, recorded_to timestamptz)
RETURNS TABLE (action_id bigint, user_id text, fired_at timestamptz, day date, outcome text, reason text, score float8)
LANGUAGE C VOLATILE STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'nudge_backtest_triggers';
COMMENT ON FUNCTION nudge.backtest_triggers(jsonb, timestamptz, timestamptz) IS
    'Internal: the triggers that a draft would have given for actions recorded in a time, each with its day by the user''s clock and what would have become of it: fired, capped, reentry, held_out';

-- Which rules did send to the same users on the same days.
CREATE FUNCTION nudge.backtest_overlaps(user_ids text[], days date[]) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(jsonb_agg(to_jsonb(o) ORDER BY o.triggers DESC, o.rule_id), '[]')
    FROM (SELECT m.rule_id, r.name, count(DISTINCT (t.user_id, t.day)) AS triggers, count(DISTINCT t.user_id) AS users
          FROM (SELECT DISTINCT u.user_id, u.day FROM ROWS FROM (unnest(user_ids), unnest(days)) AS u (user_id, day)) AS t
          JOIN nudge.messages m ON m.user_id = t.user_id COLLATE "C"
              AND m.created_at >= t.day - interval '1 day' AND m.created_at < t.day + interval '3 days'
              AND (m.fired_at AT TIME ZONE coalesce(m.timezone, nudge.setting('timezone')))::date = t.day
          LEFT JOIN nudge.rules r ON r.rule_id = m.rule_id
          GROUP BY m.rule_id, r.name) AS o
$$;
COMMENT ON FUNCTION nudge.backtest_overlaps(text[], date[]) IS
    'Internal: the rules that sent messages to these users for what happened on these days of theirs';

CREATE FUNCTION nudge.backtest(config jsonb, "from" timestamptz DEFAULT now() - interval '30 days', "to" timestamptz DEFAULT now())
RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most_users CONSTANT integer := 100;
    result jsonb;
BEGIN
    IF config IS NULL THEN
        RAISE EXCEPTION 'config must not be null' USING ERRCODE = '22023',
            HINT = 'Pass the document of a rule, as nudge.create_rule takes it and nudge.rule_document gives it.';
    END IF;
    IF "from" IS NULL OR "to" IS NULL OR NOT isfinite("from") OR NOT isfinite("to") OR "from" >= "to" THEN
        RAISE EXCEPTION 'the time must have a beginning before its end, not % to %',
            coalesce("from"::text, 'NULL'), coalesce("to"::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Pass for example now() - interval ''30 days'' and now().';
    END IF;

    WITH trigger AS MATERIALIZED (
        SELECT * FROM nudge.backtest_triggers(config, "from", "to")),
    by_user AS (
        SELECT t.user_id, count(*) AS fired FROM trigger t WHERE t.outcome = 'fired' GROUP BY t.user_id)
    SELECT jsonb_build_object(
        'from', "from", 'to', "to",
        'actions', (SELECT count(*) FROM nudge.actions a WHERE a.recorded_at >= "from" AND a.recorded_at <= "to"),
        'triggers', count(*),
        'fired', count(*) FILTER (WHERE t.outcome = 'fired'),
        'capped', count(*) FILTER (WHERE t.outcome = 'capped'),
        'capped_by', jsonb_build_object(
            'rule', count(*) FILTER (WHERE t.outcome = 'capped' AND t.reason = 'rule'),
            'global', count(*) FILTER (WHERE t.outcome = 'capped' AND t.reason = 'global')),
        'reentry', count(*) FILTER (WHERE t.outcome = 'reentry'),
        'held_out', count(*) FILTER (WHERE t.outcome = 'held_out'),
        'users', count(DISTINCT t.user_id) FILTER (WHERE t.outcome = 'fired'),
        'most_for_a_user', (SELECT coalesce(max(u.fired), 0) FROM by_user u),
        'top_users', (
            SELECT coalesce(jsonb_agg(to_jsonb(u) ORDER BY u.fired DESC, u.user_id), '[]')
            FROM (SELECT * FROM by_user b ORDER BY b.fired DESC, b.user_id LIMIT most_users) AS u),
        'by_day', (
            SELECT coalesce(jsonb_agg(to_jsonb(d) ORDER BY d.day), '[]')
            FROM (SELECT x.day, count(*) FILTER (WHERE x.outcome = 'fired') AS fired,
                         count(*) FILTER (WHERE x.outcome = 'capped') AS capped,
                         count(DISTINCT x.user_id) FILTER (WHERE x.outcome = 'fired') AS users
                  FROM trigger x GROUP BY x.day) AS d),
        'overlaps', nudge.backtest_overlaps(
            array_agg(t.user_id) FILTER (WHERE t.outcome = 'fired'),
            array_agg(t.day) FILTER (WHERE t.outcome = 'fired')))
    INTO result
    FROM trigger t;
    RETURN result;
END
$$;
COMMENT ON FUNCTION nudge.backtest(jsonb, timestamptz, timestamptz) IS
    'What a draft of a rule would have done with the actions recorded in a time, both ends included: how many triggers, what caps, re-entry and holdouts would have left of them, for whom, by day of the user, and which rules sent to the same users on those days; changes nothing. Attributes of users and lists are as of now; the action alone fires it, without delay';

REVOKE ALL ON FUNCTION nudge.backtest_triggers(jsonb, timestamptz, timestamptz),
    nudge.backtest_overlaps(text[], date[]), nudge.backtest(jsonb, timestamptz, timestamptz) FROM PUBLIC;
INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('marketer', 'routine', 'backtest', 'EXECUTE');
