--
-- Version 0.4.0: variants of rules, and who gets which
--

ALTER TABLE nudge.rules
    ADD COLUMN allocation text NOT NULL DEFAULT 'fixed' CHECK (allocation IN ('fixed', 'thompson')),
    ADD COLUMN goal text NOT NULL DEFAULT 'click' CHECK (goal IN ('open', 'click', 'conversion', 'revenue'));
COMMENT ON COLUMN nudge.rules.allocation IS
    'How users are split among the rule''s variants: fixed, by their shares, or thompson, the better one the more often';
COMMENT ON COLUMN nudge.rules.goal IS 'What a variant is to bring about: open, click, conversion or revenue';

CREATE TABLE nudge.variants (
    rule_id     bigint NOT NULL REFERENCES nudge.rules ON DELETE CASCADE,
    name        text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 1024),
    template_id text COLLATE "C" REFERENCES nudge.template_ids ON UPDATE CASCADE,
    subject     text CHECK (subject !~ '[\r\n]'),
    delay       interval,
    hour        smallint CHECK (hour BETWEEN 0 AND 23),
    channel     text COLLATE "C",
    share       float8 NOT NULL DEFAULT 1 CHECK (share >= 0 AND share < 1e300),  -- whose sum is a number
    enabled     boolean NOT NULL DEFAULT true,
    PRIMARY KEY (rule_id, name)
);
COMMENT ON TABLE nudge.variants IS
    'Ways to send a rule''s message, of which each user gets one, and keeps it; what is NULL is as in the rule. A rule without enabled variants is sent as it is';
COMMENT ON COLUMN nudge.variants.subject IS 'Liquid, in place of the template''s subject where it has one';
COMMENT ON COLUMN nudge.variants.hour IS 'Hour of the user''s clock, 0 to 23, at which the message is due: the first that begins after the delay';
COMMENT ON COLUMN nudge.variants.channel IS 'In place of the rule''s channels';
COMMENT ON COLUMN nudge.variants.share IS
    'Weight against the shares of the rule''s other enabled variants: 1 and 3 are a quarter and three quarters. 0: nobody new. Not used by thompson but for 0';
COMMENT ON COLUMN nudge.variants.enabled IS 'Who has a variant that is not enabled gets another';
SELECT pg_catalog.pg_extension_config_dump('nudge.variants', '');
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.variants
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.variants IS 'Lets rows of a dump in as they are';

CREATE FUNCTION nudge.check_variant() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_check_variant';
COMMENT ON FUNCTION nudge.check_variant() IS 'Trigger function: refuses variants whose channel, delay or subject is not good';
CREATE TRIGGER check_variant BEFORE INSERT OR UPDATE ON nudge.variants
    FOR EACH ROW EXECUTE FUNCTION nudge.check_variant();
COMMENT ON TRIGGER check_variant ON nudge.variants IS 'Refuses variants whose channel, delay or subject is not good';
CREATE TRIGGER invalidate_rules AFTER INSERT OR UPDATE OR DELETE ON nudge.variants
    FOR EACH ROW EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.variants ENABLE ALWAYS TRIGGER invalidate_rules;
COMMENT ON TRIGGER invalidate_rules ON nudge.variants IS 'Has every session compile the rules anew';
CREATE TRIGGER invalidate_rules_truncate AFTER TRUNCATE ON nudge.variants
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.variants ENABLE ALWAYS TRIGGER invalidate_rules_truncate;
COMMENT ON TRIGGER invalidate_rules_truncate ON nudge.variants IS 'Has every session compile the rules anew';

-- Written by the executor under the lock of the user's row of nudge.cap_usage.  No
-- foreign keys: rows of a rule that is gone are pruned.
CREATE TABLE nudge.variant_assignments (
    user_id     text COLLATE "C" NOT NULL,
    rule_id     bigint NOT NULL,
    variant     text COLLATE "C" NOT NULL,
    assigned_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, rule_id)
);
CREATE INDEX variant_assignments_rule_idx ON nudge.variant_assignments (rule_id);
COMMENT ON TABLE nudge.variant_assignments IS
    'Which variant of a rule a user got, when the first trigger was due; delete a row to have another drawn';
SELECT pg_catalog.pg_extension_config_dump('nudge.variant_assignments', '');

CREATE TABLE nudge.bandit_arms (
    rule_id    bigint NOT NULL,
    variant    text COLLATE "C" NOT NULL,
    trials     bigint NOT NULL CHECK (trials >= 0),
    successes  bigint NOT NULL CHECK (successes BETWEEN 0 AND trials),
    value      float8 NOT NULL DEFAULT 0 CHECK (value >= 0 AND value < 'Infinity'),
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (rule_id, variant)
);
COMMENT ON TABLE nudge.bandit_arms IS 'What Thompson sampling knows of variants: the posterior of a rate is Beta(1 + successes, 1 + trials - successes)';
COMMENT ON COLUMN nudge.bandit_arms.trials IS 'Messages sent';
COMMENT ON COLUMN nudge.bandit_arms.successes IS 'Of those, the ones that reached the rule''s goal; for revenue, conversions';
COMMENT ON COLUMN nudge.bandit_arms.value IS 'Revenue, where that is the goal';
SELECT pg_catalog.pg_extension_config_dump('nudge.bandit_arms', '');

-- Messages that do what the rule is for.  Conversions are counted one by one, but as
-- no more than there are messages: a rate is of messages.
CREATE VIEW nudge.variant_goals AS
    SELECT p.rule_id, p.variant, r.goal, p.sent,
           least(CASE r.goal WHEN 'open' THEN p.opened WHEN 'click' THEN p.clicked ELSE p.conversions END, p.sent) AS successes,
           p.revenue
    FROM nudge.variant_performance p
    JOIN nudge.rules r ON r.rule_id = p.rule_id
    WHERE p.variant IS NOT NULL;
COMMENT ON VIEW nudge.variant_goals IS 'Internal: messages sent and those that reached the rule''s goal, by variant';

CREATE FUNCTION nudge.update_bandits() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n integer;
BEGIN
    PERFORM nudge.refuse_read_only('update bandits');
    -- ('nudg', 55): one at a time in a database, to the end of the transaction
    IF NOT pg_try_advisory_xact_lock(1853187175, 55) THEN
        RETURN 0;
    END IF;
    DELETE FROM nudge.bandit_arms a
    WHERE NOT EXISTS (SELECT FROM nudge.variants v WHERE v.rule_id = a.rule_id AND v.name = a.variant);
    INSERT INTO nudge.bandit_arms AS a (rule_id, variant, trials, successes, value, updated_at)
    SELECT g.rule_id, g.variant, g.sent, g.successes, CASE g.goal WHEN 'revenue' THEN greatest(g.revenue, 0) ELSE 0 END, now()
    FROM nudge.variant_goals g
    JOIN nudge.rules r ON r.rule_id = g.rule_id AND r.allocation = 'thompson'
    JOIN nudge.variants v ON v.rule_id = g.rule_id AND v.name = g.variant
    ON CONFLICT (rule_id, variant) DO UPDATE
    SET trials = excluded.trials, successes = excluded.successes, value = excluded.value, updated_at = excluded.updated_at
    WHERE (a.trials, a.successes, a.value) IS DISTINCT FROM (excluded.trials, excluded.successes, excluded.value);
    GET DIAGNOSTICS n = ROW_COUNT;
    -- (One look into the index for each rule, however many users there are)
    WITH RECURSIVE given AS (
        SELECT min(a.rule_id) AS rule_id FROM nudge.variant_assignments a
        UNION ALL
        SELECT (SELECT min(a.rule_id) FROM nudge.variant_assignments a WHERE a.rule_id > g.rule_id)
        FROM given g WHERE g.rule_id IS NOT NULL)
    DELETE FROM nudge.variant_assignments a
    USING given g
    WHERE a.rule_id = g.rule_id AND NOT EXISTS (SELECT FROM nudge.rules r WHERE r.rule_id = g.rule_id);
    RETURN n;
END
$$;
COMMENT ON FUNCTION nudge.update_bandits() IS
    'Tells Thompson sampling what became of the messages of each variant so far; how many variants there is news of. A job runs it';
INSERT INTO nudge.jobs (job_name, schedule, command, description) VALUES
    ('nudge bandits', '3-59/5 * * * *', 'SELECT nudge.update_bandits()', 'Tells Thompson sampling what became of variants');

CREATE FUNCTION nudge.probability_to_be_best(successes bigint[], trials bigint[]) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'nudge_probability_to_be_best';
COMMENT ON FUNCTION nudge.probability_to_be_best(bigint[], bigint[]) IS
    'How probable it is of each of some arms that its rate is the highest, given uniform priors: the share of 20,000 draws from the Beta posteriors, the same for the same figures; 22023 where the arrays do not fit. NULL for NULL';

CREATE FUNCTION nudge.simulate_bandit(rates float8[], sends integer, seed bigint DEFAULT 0)
RETURNS TABLE (arm integer, rate float8, sent bigint, successes bigint, share float8, recent_share float8, regret float8)
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'nudge_simulate_bandit';
COMMENT ON FUNCTION nudge.simulate_bandit(float8[], integer, bigint) IS
    'What Thompson sampling would make of arms with these true rates (2 to 100, each 0 to 1) over some messages (1 to 10,000,000), by the code that the executor runs, each outcome being known before the next message: messages and successes of each arm, its share of all and of the last tenth, and its regret, messages × (best rate − its rate). The same for the same seed. 22023 for bad arguments';

-- Users count from when their variant was drawn, or they were held out, whether or
-- not anything could be sent: so both groups are alike but for the messages.
CREATE VIEW nudge.experiment_results AS
    WITH arm AS (
        SELECT v.rule_id, v.name AS variant, v.enabled, r.name, r.allocation, r.goal, coalesce(g.sent, 0) AS sent,
               coalesce(g.successes, 0) AS successes, coalesce(g.revenue, 0) AS revenue
        FROM nudge.variants v
        JOIN nudge.rules r ON r.rule_id = v.rule_id
        LEFT JOIN nudge.variant_goals g ON g.rule_id = v.rule_id AND g.variant = v.name),
    best AS (
        SELECT b.rule_id, u.variant, u.probability
        FROM (SELECT a.rule_id, array_agg(a.variant ORDER BY a.variant) AS variants,
                     CASE WHEN count(*) <= 100  -- which is the most that it takes
                          THEN nudge.probability_to_be_best(array_agg(a.successes ORDER BY a.variant), array_agg(a.sent ORDER BY a.variant))
                     END AS probabilities
              FROM arm a WHERE a.enabled GROUP BY a.rule_id) AS b
        CROSS JOIN LATERAL unnest(b.variants, b.probabilities) AS u (variant, probability)),
    drawn AS (
        SELECT s.rule_id, s.variant, count(*) AS users,
               count(*) FILTER (WHERE EXISTS (
                   SELECT FROM nudge.conversions c
                   WHERE c.user_id = s.user_id AND c.occurred_at >= s.assigned_at
                       AND c.occurred_at < s.assigned_at + interval '7 days')) AS converted
        FROM nudge.variant_assignments s GROUP BY s.rule_id, s.variant),
    held AS (
        SELECT h.rule_id, count(*) AS users,
               count(*) FILTER (WHERE EXISTS (
                   SELECT FROM nudge.conversions c
                   WHERE c.user_id = h.user_id AND c.occurred_at >= h.since AND c.occurred_at < h.since + interval '7 days')) AS converted
        FROM (SELECT e.rule_id, e.user_id, min(e.occurred_at) AS since
              FROM nudge.events e WHERE e.event_type = 'held_out' GROUP BY e.rule_id, e.user_id) AS h
        GROUP BY h.rule_id)
    SELECT a.rule_id, a.name, a.variant, a.enabled, a.allocation, a.goal, a.sent, a.successes,
           a.successes::float8 / nullif(a.sent, 0) AS rate,
           nudge.wilson_low(a.successes, a.sent) AS rate_low, nudge.wilson_high(a.successes, a.sent) AS rate_high,
           b.probability AS probability_to_be_best,
           a.revenue, a.revenue / nullif(a.sent, 0) AS revenue_per_message,
           coalesce(d.users, 0) AS users, coalesce(d.converted, 0) AS users_converted,
           coalesce(h.users, 0) AS held_out, coalesce(h.converted, 0) AS held_out_converted,
           (d.converted::float8 / nullif(d.users, 0)) / nullif(h.converted::float8 / nullif(h.users, 0), 0) - 1 AS lift
    FROM arm a
    LEFT JOIN best b ON b.rule_id = a.rule_id AND b.variant = a.variant
    LEFT JOIN drawn d ON d.rule_id = a.rule_id AND d.variant = a.variant
    LEFT JOIN held h ON h.rule_id = a.rule_id;
COMMENT ON VIEW nudge.experiment_results IS
    'Variants of rules: messages sent, successes by the rule''s goal, their rate with its 95 % Wilson interval, the probability that it is the best of the enabled ones (for revenue: of converting; NULL where there are more than 100), and the lift: how much more of its users converted within 7 days than of those held out, as a share (0.1: a tenth more)';

REVOKE ALL ON TABLE nudge.variants, nudge.variant_assignments, nudge.bandit_arms, nudge.variant_goals, nudge.experiment_results FROM PUBLIC;
REVOKE ALL ON FUNCTION nudge.check_variant(), nudge.update_bandits(), nudge.probability_to_be_best(bigint[], bigint[]),
    nudge.simulate_bandit(float8[], integer, bigint) FROM PUBLIC;
INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('marketer', 'table', 'variants', 'SELECT, INSERT, UPDATE, DELETE'),
    ('marketer', 'table', 'variant_assignments', 'SELECT, DELETE'),
    ('marketer', 'table', 'bandit_arms', 'SELECT'),
    ('marketer', 'table', 'experiment_results', 'SELECT'),
    ('marketer', 'routine', 'probability_to_be_best', 'EXECUTE'),
    ('marketer', 'routine', 'simulate_bandit', 'EXECUTE'),
    ('analyst', 'table', 'bandit_arms', 'SELECT'),
    ('analyst', 'table', 'experiment_results', 'SELECT'),
    ('analyst', 'routine', 'probability_to_be_best', 'EXECUTE'),
    ('analyst', 'routine', 'simulate_bandit', 'EXECUTE'),
    ('executor', 'routine', 'update_bandits', 'EXECUTE');
