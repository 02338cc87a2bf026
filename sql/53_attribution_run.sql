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
CREATE INDEX attribution_credits_day_idx ON nudge.attribution_credits USING brin (day);
COMMENT ON TABLE nudge.attribution_credits IS
    'What conversions have brought to nudge.attribution_totals; element i of the arrays belong together. Kept for nudge.retention_days';
COMMENT ON COLUMN nudge.attribution_credits.day IS 'Of the conversion, in nudge.timezone';
SELECT pg_catalog.pg_extension_config_dump('nudge.attribution_credits', '');

CREATE TABLE nudge.attribution_progress (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    attributed_to timestamptz NOT NULL
);
COMMENT ON TABLE nudge.attribution_progress IS 'How far nudge.run_attribution() has come; no row before the first run';
COMMENT ON COLUMN nudge.attribution_progress.attributed_to IS
    'All conversions recorded before this time are in nudge.attribution_totals, with all that was recorded of messages before it';
SELECT pg_catalog.pg_extension_config_dump('nudge.attribution_progress', '');

CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.attribution_totals
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.attribution_totals IS 'Lets rows of a dump in as they are';
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.attribution_credits
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.attribution_credits IS 'Lets rows of a dump in as they are';

-- recorded_at is the start of the transaction that records, and rows come into sight at
-- its end.  (nudge.lifecycle_horizon knows of running transactions, and of prepared ones
-- that have written actions.)
CREATE FUNCTION nudge.attribution_horizon() RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    horizon timestamptz := nudge.lifecycle_horizon('10 s');
BEGIN
    IF EXISTS (SELECT FROM pg_locks l
               WHERE l.pid IS NULL AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
                   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                   AND (l.relation = 'nudge.conversions'::regclass
                        OR l.relation IN (SELECT t.relid FROM pg_partition_tree('nudge.events') t)))
    THEN
        RETURN NULL;
    END IF;
    RETURN horizon;
END
$$;
COMMENT ON FUNCTION nudge.attribution_horizon() IS
    'Internal: all conversions and events recorded before this time can be seen; null where that is not known';

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
                                WHERE t.user_id = r.user_id AND t.message_id = r.message_id) AS t
            LEFT JOIN LATERAL (SELECT t.touched_at FROM nudge.touches(since) AS t
                               WHERE t.user_id = r.user_id AND t.message_id = r.message_id) AS b ON true
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
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'cannot attribute conversions in a read-only transaction' USING ERRCODE = '25006',
            HINT = 'Connect to the primary server, in a transaction that may write. nudge.attribution is up to date without it.';
    END IF;
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'attribution needs transaction isolation level READ COMMITTED' USING ERRCODE = '25001',
            DETAIL = 'What was committed since the transaction began would be missed.',
            HINT = 'Call it in a transaction of its own.';
    END IF;
    PERFORM pg_advisory_xact_lock(1853187175, 53);
END
$$;
COMMENT ON FUNCTION nudge.begin_attribution() IS 'Internal: waits for other runs of attribution; an error where none is possible';

CREATE FUNCTION nudge.run_attribution(as_of timestamptz DEFAULT clock_timestamp()) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    since   timestamptz;
    horizon timestamptz;
    models  text[];
    stale   text[];
    total   bigint := 0;
BEGIN
    IF as_of IS NULL OR NOT isfinite(as_of) THEN
        RAISE EXCEPTION 'as_of must be a finite time, not %', coalesce(as_of::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Leave it out to mean now.';
    END IF;
    PERFORM nudge.begin_attribution();
    SELECT p.attributed_to INTO since FROM nudge.attribution_progress p;
    horizon := least(as_of, nudge.attribution_horizon());
    IF nudge.attribution_horizon() IS NULL OR horizon <= since THEN
        RETURN 0;
    END IF;

    models := ARRAY(SELECT m.name FROM nudge.attribution_models m WHERE m.enabled);
    stale := ARRAY(SELECT m.name FROM nudge.attribution_models m
                   WHERE m.enabled AND m.kind = 'markov'
                       AND NOT EXISTS (SELECT FROM nudge.attribution_effects e
                                       WHERE e.model = m.name AND e.computed_at > as_of - interval '1 day'));
    IF stale <> '{}' THEN
        PERFORM nudge.keep_removal_effects(stale);
    END IF;
    total := nudge.credit_conversions(nudge.unattributed(since, horizon), models);
    INSERT INTO nudge.attribution_progress (attributed_to) VALUES (horizon)
    ON CONFLICT (only_row) DO UPDATE SET attributed_to = EXCLUDED.attributed_to;

    DELETE FROM nudge.attribution_credits k
    WHERE k.day < ((as_of - make_interval(days => nudge.setting('retention_days')::integer)) AT TIME ZONE nudge.setting('timezone'))::date;
    RETURN total;
END
$$;
COMMENT ON FUNCTION nudge.run_attribution(timestamptz) IS
    'Shares out what was recorded before as_of and since the last run, by all models that are enabled; how many conversions. Computes removal effects of models of kind markov once a day';
