-- Thompson sampling: regret, traffic, probabilities, and what the job tells it
SET client_min_messages = warning;
\set SHOW_CONTEXT never

-- The best of five arms gets at least nine tenths of 20,000 messages in at least 95 of
-- 100 runs, and nearly all of the last tenth
CREATE TEMP TABLE run AS
    SELECT s AS seed, b.* FROM generate_series(1, 100) AS s CROSS JOIN LATERAL nudge.simulate_bandit('{0.02, 0.03, 0.04, 0.05, 0.08}', 20000, s) AS b;
SELECT count(*) FILTER (WHERE share >= 0.9) >= 95 AS of_all, count(*) FILTER (WHERE recent_share >= 0.9) = 100 AS of_the_last
FROM run WHERE arm = 5;
-- What a run reports adds up
SELECT bool_and(sent = 20000) AS all_sent, bool_and(abs(share - 1) < 1e-9) AS shares, bool_and(abs(recent - 1) < 1e-9) AS recent, bool_and(good) AS regret
FROM (SELECT sum(sent) AS sent, sum(share) AS share, sum(recent_share) AS recent, bool_and(abs(regret - sent * (0.08 - rate)) < 1e-6) AS good
      FROM run GROUP BY seed) AS r;
-- successes are as frequent as the rates say
SELECT arm, rate, abs(sum(successes) - sum(sent) * rate) < 4 * sqrt(sum(sent) * rate * (1 - rate)) AS as_said FROM run GROUP BY arm, rate ORDER BY arm;
-- the same seed, the same run; another one, another
SELECT (SELECT array_agg(b) FROM nudge.simulate_bandit('{0.1, 0.2}', 1000, 7) b) = (SELECT array_agg(b) FROM nudge.simulate_bandit('{0.1, 0.2}', 1000, 7) b) AS same,
       (SELECT array_agg(b) FROM nudge.simulate_bandit('{0.1, 0.2}', 1000, 7) b) = (SELECT array_agg(b) FROM nudge.simulate_bandit('{0.1, 0.2}', 1000, 8) b) AS other;
-- Regret grows like the logarithm: each doubling adds about the same.  (Were it linear,
-- the last would add four times what the first does; a square root, twice.)
WITH mean AS (
    SELECT n, sum(b.regret) / 100 AS regret
    FROM generate_series(1, 100) AS s, unnest('{2500, 5000, 10000, 20000}'::int[]) AS n
    CROSS JOIN LATERAL nudge.simulate_bandit('{0.02, 0.03, 0.04, 0.05, 0.08}', n, s) AS b GROUP BY n),
step AS (SELECT n, regret - lag(regret) OVER (ORDER BY n) AS added FROM mean)
SELECT (SELECT added FROM step WHERE n = 20000) < 1.5 * (SELECT added FROM step WHERE n = 5000) AS logarithmic,
       (SELECT added FROM step WHERE n = 20000) > 0 AS grows;

-- Probabilities to be best.  Of two posteriors with whole parameters it is known
-- exactly that the second is higher: by E. Miller, "Formulas for Bayesian A/B
-- testing" (2015), for Beta(a, b) and Beta(c, d) it is the sum over i < c of
-- B(a + i, b + d) / ((d + i) B(1 + i, d) B(a, b)).
CREATE FUNCTION pg_temp.log_beta(a numeric, b numeric) RETURNS float8 LANGUAGE sql AS $$
    SELECT (SELECT coalesce(sum(ln(i::float8)), 0) FROM generate_series(1, a - 1) i) + (SELECT coalesce(sum(ln(i::float8)), 0) FROM generate_series(1, b - 1) i)
           - (SELECT coalesce(sum(ln(i::float8)), 0) FROM generate_series(1, a + b - 1) i) $$;
CREATE FUNCTION pg_temp.exact(s1 bigint, t1 bigint, s2 bigint, t2 bigint) RETURNS float8 LANGUAGE sql AS $$
    SELECT sum(exp(pg_temp.log_beta(1 + s1 + i, 1 + t1 - s1 + 1 + t2 - s2) - ln((1 + t2 - s2 + i)::float8)
                   - pg_temp.log_beta(1 + i, 1 + t2 - s2) - pg_temp.log_beta(1 + s1, 1 + t1 - s1)))
    FROM generate_series(0, s2) AS i $$;
SELECT x.*, round(pg_temp.exact(s1, t1, s2, t2)::numeric, 3) AS exactly,
       abs((nudge.probability_to_be_best(ARRAY[s1, s2], ARRAY[t1, t2]))[2] - pg_temp.exact(s1, t1, s2, t2)) < 0.015 AS agrees
FROM (VALUES (0, 0, 0, 0), (1, 2, 0, 1), (10, 100, 12, 100), (10, 100, 20, 100), (3, 50, 1, 50), (50, 50, 49, 50)) AS x (s1, t1, s2, t2);
SELECT nudge.probability_to_be_best('{}', '{}'), nudge.probability_to_be_best('{3}', '{7}'), nudge.probability_to_be_best(NULL, '{}'),
       nudge.probability_to_be_best('{20,100,20}', '{1000,1000,1000}');
SELECT nudge.probability_to_be_best('{10,11}', '{100,100}') = nudge.probability_to_be_best('{10,11}', '{100,100}') AS same;

-- What became of messages, by goal
INSERT INTO nudge.templates (template_id, subject, body_text) VALUES ('ba', 's', 'x');
INSERT INTO nudge.rules (rule_id, name, trigger_type, template_id, allocation, goal) VALUES
    (7540001, 'ba open', 'behavioral', 'ba', 'thompson', 'open'), (7540002, 'ba click', 'behavioral', 'ba', 'thompson', 'click'),
    (7540003, 'ba conversion', 'behavioral', 'ba', 'thompson', 'conversion'), (7540004, 'ba revenue', 'behavioral', 'ba', 'thompson', 'revenue'),
    (7540005, 'ba fixed', 'behavioral', 'ba', 'fixed', 'click');
INSERT INTO nudge.variants (rule_id, name) SELECT r, v FROM generate_series(7540001, 7540005) AS r, unnest('{a,b}'::text[]) AS v;
-- a: 10 sent, 4 opened, 2 clicked, 1 converted for 30; b: 10 sent, 6, 3, 3 for 5 each; each user is a rule's and a variant's
WITH m AS (
    INSERT INTO nudge.messages (user_id, rule_id, channel, recipient, priority, fired_at, created_at, variant)
    SELECT 'ba' || r || v || n, r, 'email', 'x@example.com', 'normal', now() - interval '2 hours', now() - interval '2 hours', v
    FROM generate_series(7540001, 7540005) AS r, unnest('{a,b}'::text[]) AS v, generate_series(1, 10) AS n
    RETURNING message_id, user_id, rule_id, variant),
k AS (SELECT m.*, row_number() OVER (PARTITION BY rule_id, variant ORDER BY message_id) AS n FROM m),
e AS (
    INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, occurred_at, recorded_at, event_key)
    SELECT k.user_id, t.event_type, k.rule_id, k.message_id, now() - interval '1 hour', now() - interval '1 hour', 'test'
    FROM k JOIN (VALUES ('sent', 10, 10), ('delivered', 10, 10), ('opened', 4, 6), ('clicked', 2, 3)) AS t (event_type, a, b)
        ON k.n <= CASE k.variant WHEN 'a' THEN t.a ELSE t.b END)
INSERT INTO nudge.conversions (user_id, value, occurred_at, recorded_at)
SELECT k.user_id, CASE k.variant WHEN 'a' THEN 30 ELSE 5 END, now() - interval '30 minutes', now() - interval '30 minutes'
FROM k WHERE k.n <= CASE k.variant WHEN 'a' THEN 1 ELSE 3 END;
SELECT nudge.update_bandits();
SELECT r.name, a.variant, a.trials, a.successes, a.value FROM nudge.bandit_arms a JOIN nudge.rules r USING (rule_id) WHERE r.name LIKE 'ba %' ORDER BY 1, 2;
SELECT nudge.update_bandits() AS no_news;
SELECT name, variant, goal, sent, successes, round(rate::numeric, 2) AS rate, round(rate_low::numeric, 3) AS low, round(rate_high::numeric, 3) AS high,
       round(probability_to_be_best::numeric, 1) AS best, revenue, revenue_per_message AS each
FROM nudge.experiment_results WHERE name LIKE 'ba %' ORDER BY 1, 2;
-- however many conversions there are, a variant has no more successes than messages
INSERT INTO nudge.conversions (user_id, value, occurred_at, recorded_at)
SELECT 'ba7540003a1', 1, now() - interval '20 minutes', now() - interval '20 minutes' FROM generate_series(1, 30);
SELECT nudge.update_bandits();
SELECT variant, trials, successes FROM nudge.bandit_arms WHERE rule_id = 7540003 ORDER BY 1;
-- arms of variants that are gone go
DELETE FROM nudge.variants WHERE rule_id = 7540003 AND name = 'a';
SELECT nudge.update_bandits();
SELECT variant FROM nudge.bandit_arms WHERE rule_id = 7540003;
-- more variants than probabilities are told of keep no other rule from being shown
INSERT INTO nudge.variants (rule_id, name) SELECT 7540003, 'many ' || n FROM generate_series(1, 101) AS n;
SELECT name, count(*) AS variants, count(probability_to_be_best) AS with_probability
FROM nudge.experiment_results WHERE name LIKE 'ba %' GROUP BY 1 ORDER BY 1;
DELETE FROM nudge.rules WHERE name LIKE 'ba %';
DELETE FROM nudge.messages WHERE user_id LIKE 'ba75400%';
DELETE FROM nudge.events WHERE user_id LIKE 'ba75400%';
DELETE FROM nudge.conversions WHERE user_id LIKE 'ba75400%';
DELETE FROM nudge.templates WHERE template_id = 'ba';
