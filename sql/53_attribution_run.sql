--
-- Version 0.4.0: figures of attribution
--
-- Figures are sums by model, rule and day, which outlive conversions and events.  What
-- was credited for a conversion is remembered as long as raw events are, so that it can
-- be taken back when a report comes late: then the conversion is shared out once more.
--
-- A run takes up what was recorded between attributed_to and a time before which
-- nothing can still commit, and moves attributed_to there.  What has been recorded since
-- is computed when the views are read.  One run works at a time (an advisory lock), and
-- neither runs nor the views keep anybody waiting.
--

CREATE TABLE nudge.attribution_totals (
    model       text COLLATE "C" NOT NULL REFERENCES nudge.attribution_models ON UPDATE CASCADE ON DELETE CASCADE,
    rule_id     bigint NOT NULL,
    day         date NOT NULL,
    touches     bigint NOT NULL,
    conversions numeric NOT NULL,
    revenue     numeric NOT NULL,
    PRIMARY KEY (model, rule_id, day)
) WITH (fillfactor = 70);
COMMENT ON TABLE nudge.attribution_totals IS 'Conversions that nudge.run_attribution() has shared out, by the day of conversion; nudge.attribution_daily adds those since';
COMMENT ON COLUMN nudge.attribution_totals.rule_id IS '0: messages of no rule';
COMMENT ON COLUMN nudge.attribution_totals.touches IS 'Messages with a share in a conversion, once for each conversion';
SELECT pg_catalog.pg_extension_config_dump('nudge.attribution_totals', '');

CREATE TABLE nudge.attribution_credits (
    model         text COLLATE "C" NOT NULL REFERENCES nudge.attribution_models ON UPDATE CASCADE ON DELETE CASCADE,
    conversion_id bigint NOT NULL,
    user_id       text COLLATE "C" NOT NULL,
    day           date NOT NULL,
    message_ids   bigint[] NOT NULL,
    rule_ids      bigint[] NOT NULL,
    shares        numeric[] NOT NULL,
    revenues      numeric[] NOT NULL,
    PRIMARY KEY (model, conversion_id, user_id)
);
COMMENT ON TABLE nudge.attribution_credits IS
    'What conversions have brought to nudge.attribution_totals; element i of the arrays belong together. They go with their conversions, and the totals stay';
COMMENT ON COLUMN nudge.attribution_credits.day IS 'Of the conversion, in nudge.timezone';
SELECT pg_catalog.pg_extension_config_dump('nudge.attribution_credits', '');

CREATE TABLE nudge.attribution_progress (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    attributed_to timestamptz NOT NULL,
    effects_at    timestamptz
);
COMMENT ON TABLE nudge.attribution_progress IS 'How far nudge.run_attribution() has come; no row before the first run';
COMMENT ON COLUMN nudge.attribution_progress.attributed_to IS
    'All conversions recorded before this time are in nudge.attribution_totals, with all that was recorded of messages before it';
COMMENT ON COLUMN nudge.attribution_progress.effects_at IS 'When a run computed removal effects last';
SELECT pg_catalog.pg_extension_config_dump('nudge.attribution_progress', '');

CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.attribution_totals
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.attribution_totals IS 'Lets rows of a dump in as they are';
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.attribution_credits
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.attribution_credits IS 'Lets rows of a dump in as they are';

CREATE FUNCTION nudge.forget_credits() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM nudge.attribution_credits;
    ELSE
        DELETE FROM nudge.attribution_credits k
        USING nudge.attribution_models m, old_rows o
        WHERE k.model = m.name AND k.conversion_id = o.conversion_id AND k.user_id = o.user_id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION nudge.forget_credits() IS
    'Trigger function of nudge.conversions: what was credited for a conversion goes with it; figures stay';
CREATE TRIGGER forget_credits AFTER DELETE ON nudge.conversions
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.forget_credits();
COMMENT ON TRIGGER forget_credits ON nudge.conversions IS 'Removes what had been credited to messages';
CREATE TRIGGER forget_all_credits AFTER TRUNCATE ON nudge.conversions
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.forget_credits();
COMMENT ON TRIGGER forget_all_credits ON nudge.conversions IS 'Removes what had been credited to messages';

-- Conversions that are to be shared out because of what was recorded in [since, until_at):
-- their own, and those before which a message has become a touch, or one at another time.
-- Most reports (a second open, a click) change nothing of that.
CREATE FUNCTION nudge.unattributed(since timestamptz, until_at timestamptz) RETURNS bigint[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
SET jit = off
AS $$
BEGIN
    RETURN ARRAY(
        WITH longest AS (
            SELECT make_interval(secs => max(date_part('epoch', m."window"))) AS length FROM nudge.attribution_models m),
        reported AS MATERIALIZED (
            SELECT DISTINCT e.user_id, e.message_id
            FROM nudge.events e
            WHERE e.recorded_at >= since AND e.recorded_at < until_at
                AND e.message_id IS NOT NULL AND e.event_type IN ('sent', 'delivered', 'opened', 'clicked')
                AND EXISTS (SELECT FROM nudge.conversions c WHERE c.user_id = e.user_id)),
        moved AS (
            SELECT r.user_id, t.touched_at, b.touched_at AS touched_before
            FROM reported r
            CROSS JOIN LATERAL (SELECT t.touched_at FROM nudge.touches() AS t
                                WHERE t.user_id COLLATE "C" = r.user_id AND t.message_id = r.message_id OFFSET 0) AS t
            LEFT JOIN LATERAL (SELECT t.touched_at FROM nudge.touches(since) AS t
                               WHERE t.user_id COLLATE "C" = r.user_id AND t.message_id = r.message_id OFFSET 0) AS b ON true
            WHERE b.touched_at IS DISTINCT FROM t.touched_at)
        SELECT c.conversion_id
        FROM nudge.conversions c
        WHERE (since IS NULL OR c.recorded_at >= since) AND c.recorded_at < until_at
        UNION
        SELECT c.conversion_id
        FROM moved m
        CROSS JOIN longest l
        JOIN nudge.conversions c ON c.user_id = m.user_id
            AND (c.occurred_at BETWEEN m.touched_at AND m.touched_at + l.length
                 OR c.occurred_at BETWEEN m.touched_before AND m.touched_before + l.length)
        WHERE c.recorded_at < until_at);
END
$$;
COMMENT ON FUNCTION nudge.unattributed(timestamptz, timestamptz) IS
    'Internal: conversions that what was recorded from since (null: ever) until before until_at concerns';

-- Shares conversions out by models, in place of what they had been credited with before.
CREATE FUNCTION nudge.credit_conversions(conversions bigint[], models text[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    credited bigint;
BEGIN
    WITH gone AS (
        DELETE FROM nudge.attribution_credits k
        WHERE k.model = ANY (models) AND k.conversion_id = ANY (conversions)
        RETURNING k.model, k.day, k.rule_ids, k.shares, k.revenues)
    UPDATE nudge.attribution_totals t
    SET touches = t.touches - s.touches, conversions = t.conversions - s.conversions, revenue = t.revenue - s.revenue
    FROM (SELECT g.model, e.rule_id, g.day, count(*) AS touches, sum(e.share) AS conversions, sum(e.revenue) AS revenue
          FROM gone g CROSS JOIN LATERAL unnest(g.rule_ids, g.shares, g.revenues) AS e (rule_id, share, revenue)
          GROUP BY g.model, e.rule_id, g.day) AS s
    WHERE t.model = s.model AND t.rule_id = s.rule_id AND t.day = s.day;

    WITH made AS (
        INSERT INTO nudge.attribution_credits AS k (model, conversion_id, user_id, day, message_ids, rule_ids, shares, revenues)
        SELECT s.model, s.conversion_id, s.user_id, (s.occurred_at AT TIME ZONE nudge.setting('timezone'))::date,
               s.message_ids, s.rule_ids, s.shares, s.revenues
        FROM nudge.attribution_shares(conversions, models) AS s
        RETURNING k.model, k.conversion_id, k.day, k.rule_ids, k.shares, k.revenues),
    added AS (
        INSERT INTO nudge.attribution_totals AS t (model, rule_id, day, touches, conversions, revenue)
        SELECT m.model, e.rule_id, m.day, count(*), sum(e.share), sum(e.revenue)
        FROM made m CROSS JOIN LATERAL unnest(m.rule_ids, m.shares, m.revenues) AS e (rule_id, share, revenue)
        GROUP BY m.model, e.rule_id, m.day
        ON CONFLICT (model, rule_id, day) DO UPDATE
        SET touches = t.touches + EXCLUDED.touches, conversions = t.conversions + EXCLUDED.conversions,
            revenue = t.revenue + EXCLUDED.revenue)
    SELECT count(DISTINCT m.conversion_id) INTO credited FROM made m;

    DELETE FROM nudge.attribution_totals t WHERE t.touches = 0;
    RETURN credited;
END
$$;
COMMENT ON FUNCTION nudge.credit_conversions(bigint[], text[]) IS
    'Internal: shares conversions out and keeps the figures; how many had a touch';

-- What a run and a recomputation begin with.  The lock's numbers: 'nudg' in ASCII, and
-- 53 for attribution.
CREATE FUNCTION nudge.begin_attribution() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM nudge.refuse_read_only('attribute conversions');
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'attribution needs transaction isolation level READ COMMITTED' USING ERRCODE = '25001',
            DETAIL = 'What was committed since the transaction began would be missed.',
            HINT = 'Call it in a transaction of its own.';
    END IF;
    PERFORM pg_advisory_xact_lock(1853187175, 53);
END
$$;
COMMENT ON FUNCTION nudge.begin_attribution() IS 'Internal: waits for other runs of attribution; an error where none is possible';

CREATE FUNCTION nudge.run_attribution(as_of timestamptz DEFAULT clock_timestamp() - interval '10 s') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    since       timestamptz;
    horizon     timestamptz;
    computed_at timestamptz;
    conversions bigint[];
    markov      text[];
    total       bigint := 0;
BEGIN
    IF as_of IS NULL OR NOT isfinite(as_of) THEN
        RAISE EXCEPTION 'as_of must be a finite time, not %', coalesce(as_of::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Leave it out to mean now, but for ten seconds.';
    END IF;
    PERFORM nudge.begin_attribution();
    SELECT p.attributed_to, p.effects_at INTO since, computed_at FROM nudge.attribution_progress p;
    horizon := nudge.events_horizon(as_of);
    IF horizon = '-infinity' OR horizon <= since THEN
        RETURN 0;
    END IF;

    conversions := nudge.unattributed(since, horizon);
    IF conversions <> '{}' THEN
        -- Once a day; where a model has none yet, because it is new or no message has
        -- reached anybody so far, once an hour
        markov := ARRAY(SELECT m.name FROM nudge.attribution_models m WHERE m.enabled AND m.kind = 'markov');
        IF computed_at IS NULL OR computed_at < clock_timestamp() - interval '1 day'
            OR computed_at < clock_timestamp() - interval '1 hour'
                AND NOT markov <@ ARRAY(SELECT e.model FROM nudge.attribution_effects e)
        THEN
            PERFORM nudge.keep_removal_effects(markov);
            computed_at := clock_timestamp();
        END IF;
        total := nudge.credit_conversions(conversions, ARRAY(SELECT m.name FROM nudge.attribution_models m WHERE m.enabled));
    END IF;
    INSERT INTO nudge.attribution_progress (attributed_to, effects_at) VALUES (horizon, computed_at)
    ON CONFLICT (only_row) DO UPDATE SET attributed_to = EXCLUDED.attributed_to, effects_at = EXCLUDED.effects_at;
    RETURN total;
END
$$;
COMMENT ON FUNCTION nudge.run_attribution(timestamptz) IS
    'Shares out what was recorded before as_of and since the last run, by all models that are enabled; how many conversions. Computes removal effects of models of kind markov once a day';

-- For maintenance, which deletes nothing that is not in the figures yet, and knows that
-- all from before cutoff can be seen.  It does not wait: a run that is at work elsewhere
-- has come so far as it had when it began.
CREATE FUNCTION nudge.attribute_until(cutoff timestamptz) RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted')
        AND NOT EXISTS (SELECT FROM nudge.attribution_progress p WHERE p.attributed_to >= cutoff)
        AND pg_try_advisory_xact_lock(1853187175, 53)
    THEN
        PERFORM nudge.run_attribution(greatest(least(cutoff, now()), clock_timestamp() - interval '10 s'));
    END IF;
    RETURN least(cutoff, coalesce((SELECT p.attributed_to FROM nudge.attribution_progress p), '-infinity'));
END
$$;
COMMENT ON FUNCTION nudge.attribute_until(timestamptz) IS
    'Internal: shares out what was recorded before cutoff, where that has not been done; the time before which raw rows may go, cutoff or earlier';

-- What has been credited out of messages that are no longer there stays as it is: what
-- is left would make another figure, and a wrong one.
CREATE FUNCTION nudge.recompute_attribution(model text DEFAULT NULL, since timestamptz DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    models      text[];
    until_at    timestamptz;
    conversions bigint[];
    total       bigint := 0;
BEGIN
    IF model IS NOT NULL THEN
        PERFORM nudge.require_attribution_model(model);
    END IF;
    IF NOT isfinite(since) THEN
        RAISE EXCEPTION 'since must be a finite time, not %', since USING ERRCODE = '22023', HINT = 'Leave it out to mean all.';
    END IF;
    PERFORM nudge.begin_attribution();
    PERFORM nudge.run_attribution();
    models := ARRAY(SELECT m.name FROM nudge.attribution_models m
                    WHERE m.name = recompute_attribution.model OR recompute_attribution.model IS NULL AND m.enabled
                    ORDER BY m.name);
    PERFORM nudge.keep_removal_effects(models);
    SELECT p.attributed_to INTO until_at FROM nudge.attribution_progress p;
    FOREACH model IN ARRAY models LOOP
        conversions := ARRAY(
            SELECT c.conversion_id
            FROM nudge.conversions c
            WHERE c.recorded_at < until_at AND (since IS NULL OR c.occurred_at >= since)
            EXCEPT
            SELECT k.conversion_id
            FROM nudge.conversions c
            JOIN nudge.attribution_credits k ON k.conversion_id = c.conversion_id AND k.user_id = c.user_id
            CROSS JOIN LATERAL unnest(k.message_ids) AS g (message_id)
            WHERE k.model = recompute_attribution.model AND (since IS NULL OR c.occurred_at >= since)
                AND NOT EXISTS (SELECT FROM nudge.events e
                                WHERE e.user_id = k.user_id AND e.message_id = g.message_id
                                    AND e.event_type IN ('sent', 'delivered', 'opened', 'clicked')));
        total := greatest(total, nudge.credit_conversions(conversions, ARRAY[model]));
    END LOOP;
    RETURN total;
END
$$;
COMMENT ON FUNCTION nudge.recompute_attribution(text, timestamptz) IS
    'Shares out anew, by a model or by all that are enabled (NULL), the conversions since a time (NULL: all) of which raw data is still there; how many had a touch. Computes removal effects anew. 22023: unknown model';

--
-- The views
--

-- What is not in nudge.attribution_totals yet, and what has to be taken off it, where a
-- conversion is shared out in another way by now.
CREATE FUNCTION nudge.attribution_tail()
RETURNS TABLE (model text, rule_id bigint, day date, touches bigint, conversions numeric, revenue numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    recent bigint[] := nudge.unattributed((SELECT p.attributed_to FROM nudge.attribution_progress p), 'infinity');
    models text[];
BEGIN
    IF recent = '{}' THEN
        RETURN;
    END IF;
    models := ARRAY(SELECT m.name FROM nudge.attribution_models m WHERE m.enabled);
    RETURN QUERY
    SELECT s.model, e.rule_id, (s.occurred_at AT TIME ZONE nudge.setting('timezone'))::date, 1::bigint, e.share, e.revenue
    FROM nudge.attribution_shares(recent, models) AS s
    CROSS JOIN LATERAL unnest(s.rule_ids, s.shares, s.revenues) AS e (rule_id, share, revenue);
    RETURN QUERY
    SELECT k.model, e.rule_id, k.day, -1::bigint, -e.share, -e.revenue
    FROM nudge.attribution_credits k
    CROSS JOIN LATERAL unnest(k.rule_ids, k.shares, k.revenues) AS e (rule_id, share, revenue)
    WHERE k.model = ANY (models) AND k.conversion_id = ANY (recent);
END
$$;
COMMENT ON FUNCTION nudge.attribution_tail() IS
    'Internal: what nudge.attribution_daily adds to nudge.attribution_totals: what was recorded since the last run';

CREATE VIEW nudge.attribution_daily AS
    SELECT s.rule_id, r.name, s.model, s.day, s.touches, s.conversions, s.revenue
    FROM (SELECT u.model, nullif(u.rule_id, 0) AS rule_id, u.day, sum(u.touches)::bigint AS touches,
                 trim_scale(sum(u.conversions)) AS conversions, sum(u.revenue) AS revenue
          FROM (SELECT t.model, t.rule_id, t.day, t.touches, t.conversions, t.revenue FROM nudge.attribution_totals t
                UNION ALL
                SELECT l.model, l.rule_id, l.day, l.touches, l.conversions, l.revenue FROM nudge.attribution_tail() AS l) AS u
          GROUP BY u.model, u.rule_id, u.day
          HAVING sum(u.touches) > 0) AS s
    LEFT JOIN nudge.rules r ON r.rule_id = s.rule_id;
COMMENT ON VIEW nudge.attribution_daily IS
    'Conversions and revenue of each rule by each model of attribution, by the day of conversion in nudge.timezone; up to date';
COMMENT ON COLUMN nudge.attribution_daily.rule_id IS 'NULL: messages of no rule';
COMMENT ON COLUMN nudge.attribution_daily.name IS 'Of the rule; NULL where it was deleted';
COMMENT ON COLUMN nudge.attribution_daily.touches IS 'Messages with a share in a conversion, once for each conversion';
COMMENT ON COLUMN nudge.attribution_daily.conversions IS 'Sum of shares; over all rules, the conversions before which there was a touch';
COMMENT ON COLUMN nudge.attribution_daily.revenue IS 'Values of conversions as they are, whatever their currency';

CREATE VIEW nudge.attribution AS
    SELECT d.rule_id, d.name, d.model, sum(d.touches)::bigint AS touches,
           trim_scale(sum(d.conversions)) AS conversions, sum(d.revenue) AS revenue,
           min(d.day) AS first_day, max(d.day) AS last_day
    FROM nudge.attribution_daily d
    GROUP BY d.rule_id, d.name, d.model;
COMMENT ON VIEW nudge.attribution IS
    'Conversions and revenue of each rule by each model of attribution; up to date, and kept when raw events go. nudge.attribution_daily has them by day';

INSERT INTO nudge.jobs (job_name, schedule, command, description) VALUES
    ('nudge attribution', '*/5 * * * *', 'SELECT nudge.run_attribution()', 'Shares conversions out among messages');

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('marketer', 'table', 'attribution', 'SELECT'),
    ('marketer', 'table', 'attribution_daily', 'SELECT'),
    ('marketer', 'routine', 'attribution_tail', 'EXECUTE'),
    ('marketer', 'routine', 'recompute_attribution', 'EXECUTE'),
    ('analyst', 'table', 'attribution', 'SELECT'),
    ('analyst', 'table', 'attribution_daily', 'SELECT'),
    ('analyst', 'routine', 'attribution_tail', 'EXECUTE'),
    ('executor', 'routine', 'run_attribution', 'EXECUTE'),
    ('executor', 'routine', 'recompute_attribution', 'EXECUTE');

REVOKE ALL ON TABLE nudge.attribution_totals, nudge.attribution_credits, nudge.attribution_progress,
    nudge.attribution_daily, nudge.attribution FROM PUBLIC;
REVOKE ALL ON ROUTINE nudge.forget_credits(), nudge.unattributed(timestamptz, timestamptz),
    nudge.credit_conversions(bigint[], text[]), nudge.begin_attribution(), nudge.run_attribution(timestamptz),
    nudge.attribute_until(timestamptz), nudge.recompute_attribution(text, timestamptz), nudge.attribution_tail() FROM PUBLIC;
