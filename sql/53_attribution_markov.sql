--
-- Version 0.4.0: removal effects, for models of kind markov
--

CREATE TABLE nudge.attribution_effects (
    model          text COLLATE "C" NOT NULL REFERENCES nudge.attribution_models ON UPDATE CASCADE ON DELETE CASCADE,
    rule_id        bigint NOT NULL,
    journeys       bigint NOT NULL,
    conversions    bigint NOT NULL,
    removal_effect float8 NOT NULL,
    share          float8 NOT NULL,
    computed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, rule_id)
);
COMMENT ON TABLE nudge.attribution_effects IS
    'Removal effects of rules by models of kind markov, as nudge.run_attribution() computed them last';
COMMENT ON COLUMN nudge.attribution_effects.rule_id IS '0: messages of no rule';
COMMENT ON COLUMN nudge.attribution_effects.journeys IS 'Journeys with a message of the rule';
COMMENT ON COLUMN nudge.attribution_effects.conversions IS 'Those of them that end in a conversion';
COMMENT ON COLUMN nudge.attribution_effects.removal_effect IS 'Part of all conversions that would be lost without the rule';
COMMENT ON COLUMN nudge.attribution_effects.share IS 'The same over the sum of all rules'', by which all conversions together are shared out';
SELECT pg_catalog.pg_extension_config_dump('nudge.attribution_effects', '');
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.attribution_effects
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.attribution_effects IS 'Lets rows of a dump in as they are';

CREATE FUNCTION nudge.removal_effects(sources integer[], targets integer[], times float8[]) RETURNS float8[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nudge_removal_effects';
COMMENT ON FUNCTION nudge.removal_effects(integer[], integer[], float8[]) IS
    'Removal effects of the states of a first-order Markov chain (Anderl, Becker, von Wangenheim and Schumann 2016), from how many times journeys went from source to target: states are numbered from 1, source 0 is the start, target 0 conversion, target -1 an end without';

-- A journey is the touches in the window of a conversion, or those of a user that no
-- conversion followed within its window, up to the next conversion.
CREATE FUNCTION nudge.compute_removal_effects(model text)
RETURNS TABLE (rule_id bigint, journeys bigint, conversions bigint, removal_effect float8)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH touch AS MATERIALIZED (SELECT t.* FROM nudge.touches() AS t),
    conversion AS MATERIALIZED (
        SELECT c.conversion_id, c.user_id, c.occurred_at,
               make_interval(secs => least(date_part('epoch', m."window"), date_part('epoch', g."window"))) AS length
        FROM nudge.conversions c
        CROSS JOIN nudge.attribution_models m
        LEFT JOIN nudge.conversion_goals g ON g.name = c.goal
        WHERE m.name = model),
    converting AS MATERIALIZED (
        SELECT c.conversion_id, t.user_id, t.message_id, t.rule_id, t.touched_at
        FROM conversion c
        JOIN touch t ON t.user_id = c.user_id AND t.touched_at BETWEEN c.occurred_at - c.length AND c.occurred_at),
    fruitless AS (
        SELECT l.user_id, l.message_id, l.rule_id, l.at,
               count(l.conversion_id) OVER (PARTITION BY l.user_id ORDER BY l.at, l.message_id) AS conversions_before
        FROM (SELECT t.user_id, t.message_id, t.rule_id, t.touched_at AS at, NULL::bigint AS conversion_id
              FROM touch t
              WHERE NOT EXISTS (SELECT FROM converting c WHERE c.message_id = t.message_id AND c.user_id = t.user_id)
              UNION ALL
              SELECT c.user_id, NULL, NULL, c.occurred_at, c.conversion_id FROM conversion c) AS l),
    journey AS (
        SELECT c.user_id, c.conversion_id AS number, true AS converts, c.rule_id, c.touched_at AS at, c.message_id FROM converting c
        UNION ALL
        SELECT f.user_id, f.conversions_before, false, f.rule_id, f.at, f.message_id FROM fruitless f WHERE f.message_id IS NOT NULL),
    state AS MATERIALIZED (
        SELECT r.rule_id, row_number() OVER (ORDER BY r.rule_id)::integer AS state
        FROM (SELECT DISTINCT t.rule_id FROM touch t) AS r),
    step AS MATERIALIZED (
        SELECT j.user_id, j.number, j.converts, s.state,
               lag(s.state, 1, 0) OVER along AS source, lead(s.state) OVER along IS NULL AS is_last
        FROM journey j JOIN state s ON s.rule_id = j.rule_id
        WINDOW along AS (PARTITION BY j.user_id, j.converts, j.number ORDER BY j.at, j.message_id)),
    counted AS (
        SELECT s.source, s.state AS target, count(*) AS times FROM step s GROUP BY 1, 2
        UNION ALL
        SELECT s.state, CASE WHEN s.converts THEN 0 ELSE -1 END, count(*) FROM step s WHERE s.is_last GROUP BY 1, 2),
    chain AS (
        SELECT nudge.removal_effects(array_agg(c.source), array_agg(c.target), array_agg(c.times::float8)) AS effects
        FROM counted c),
    seen AS (
        SELECT v.state, count(*) AS journeys, count(*) FILTER (WHERE v.converts) AS conversions
        FROM (SELECT DISTINCT s.state, s.user_id, s.converts, s.number FROM step s) AS v
        GROUP BY v.state)
    SELECT s.rule_id, v.journeys, v.conversions, c.effects[s.state]
    FROM chain c CROSS JOIN state s JOIN seen v ON v.state = s.state
$$;
COMMENT ON FUNCTION nudge.compute_removal_effects(text) IS
    'Internal: removal effects of all rules, over all journeys that raw events tell of';

-- (The branch that does not apply is not executed.)
CREATE FUNCTION nudge.removal_effects(model text) RETURNS TABLE (rule_id bigint, removal_effect float8)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e.rule_id, e.removal_effect FROM nudge.attribution_effects e WHERE e.model = removal_effects.model
    UNION ALL
    SELECT c.rule_id, c.removal_effect
    FROM nudge.compute_removal_effects(model) AS c
    WHERE NOT EXISTS (SELECT FROM nudge.attribution_effects e WHERE e.model = removal_effects.model)
$$;
COMMENT ON FUNCTION nudge.removal_effects(text) IS
    'Internal: removal effects as computed last, or now where they never were';

CREATE FUNCTION nudge.keep_removal_effects(models text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM nudge.attribution_effects e WHERE e.model = ANY (models);
    INSERT INTO nudge.attribution_effects (model, rule_id, journeys, conversions, removal_effect, share)
    SELECT m.name, c.rule_id, c.journeys, c.conversions, c.removal_effect,
           coalesce(c.removal_effect / nullif(sum(c.removal_effect) OVER (PARTITION BY m.name), 0), 0)
    FROM nudge.attribution_models m CROSS JOIN LATERAL nudge.compute_removal_effects(m.name) AS c
    WHERE m.name = ANY (models) AND m.kind = 'markov';
END
$$;
COMMENT ON FUNCTION nudge.keep_removal_effects(text[]) IS 'Internal: computes removal effects anew';

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('marketer', 'table', 'attribution_effects', 'SELECT'),
    ('analyst', 'table', 'attribution_effects', 'SELECT');

REVOKE ALL ON TABLE nudge.attribution_effects FROM PUBLIC;
REVOKE ALL ON ROUTINE nudge.removal_effects(integer[], integer[], float8[]), nudge.compute_removal_effects(text),
    nudge.removal_effects(text), nudge.keep_removal_effects(text[]) FROM PUBLIC;
