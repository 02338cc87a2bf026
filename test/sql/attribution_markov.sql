-- Removal effects
--
-- The example by which the method is commonly explained: journeys C1, C2, C3, conversion;
-- C1 and no more; C2, C3 and no more.  From the start go 2/3 to C1 and 1/3 to C2; from C1
-- 1/2 to C2 and 1/2 are lost; from C2 all to C3; from C3 1/2 convert.
-- Conversion: (2/3 * 1/2 + 1/3) * 1 * 1/2 = 1/3.
-- Without C1: 1/3 * 1 * 1/2 = 1/6, half as much, so its effect is 1/2.  Without C2, or
-- without C3, none: 1.  Shares of 2.5: 0.2, 0.4, 0.4.
SELECT nudge.removal_effects('{0,1,2,3,1,0,3}', '{1,2,3,0,-1,2,-1}', '{2,1,2,1,1,1,1}');

-- Anderl, Becker, von Wangenheim and Schumann (2016) define the effects for graphs with
-- loops as well.  1 leads to 2, 2 back to 1 or to itself; worked out by hand:
-- journeys 1 2 2 1 conversion; 2 1 lost; 3 conversion; 3 lost (states 1, 2, 3).
-- From 1: to 2 1/3, conversion 1/3, lost 1/3.  From 2: to 2 1/3, to 1 2/3.  From 3: 1/2, 1/2.
-- x2 = x2 / 3 + x1 * 2 / 3, so x2 = x1; x1 = x1 / 3 + 1/3 = 1/2.  x3 = 1/2.
-- From the start 1/4, 1/4, 1/2: conversion 1/2.
-- Without 1: only by 3: 1/4, effect 1/2.  Without 2: 1 converts by 1/3: 1/12 + 1/4 = 1/3,
-- effect 1/3.  Without 3: 1/4, effect 1/2.
SELECT array_agg(round(e::numeric, 12)) FROM unnest(nudge.removal_effects(
    '{0,1,2,2,1,0,2,1,0,3,3}', '{1,2,2,1,0,2,1,-1,3,0,-1}', '{1,1,1,1,1,1,1,1,2,1,1}')) AS e;
-- nothing converts; no state at all
SELECT nudge.removal_effects('{0,1}', '{1,-1}', '{1,1}'), nudge.removal_effects('{}', '{}', '{}');

-- 200 states, each with steps to 30 others: the same as solving the equations without the
-- state, by iteration
CREATE TEMP TABLE edge AS
    SELECT s AS source, 1 + (s * 37 + k * k * 11) % 200 AS target, 1 + (s * k) % 7 AS times
    FROM generate_series(1, 200) AS s, generate_series(1, 30) AS k
    UNION ALL SELECT 0, t, 1 + t % 5 FROM generate_series(1, 200) AS t WHERE t % 3 = 0
    UNION ALL SELECT s, 0, 1 + s % 4 FROM generate_series(1, 200) AS s
    UNION ALL SELECT s, -1, 200 + s % 9 FROM generate_series(1, 200) AS s;
CREATE TEMP TABLE probability AS
    SELECT source, target, sum(times)::float8 / sum(sum(times)) OVER (PARTITION BY source) AS p FROM edge GROUP BY source, target;
-- probability of conversion from the start, where whoever comes to a state is lost
CREATE FUNCTION converts_without(state integer) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    x float8[] := array_fill(0::float8, '{200}');
BEGIN
    FOR i IN 1 .. 40 LOOP
        x := ARRAY(SELECT sum(p.p * CASE p.target WHEN 0 THEN 1 WHEN -1 THEN 0 WHEN state THEN 0 ELSE x[p.target] END)
                   FROM probability p WHERE p.source > 0 GROUP BY p.source ORDER BY p.source);
    END LOOP;
    RETURN (SELECT sum(p.p * CASE p.target WHEN state THEN 0 ELSE x[p.target] END) FROM probability p WHERE p.source = 0);
END
$$;
SELECT count(*), bool_and(abs(e.effect - (1 - converts_without(e.state::integer) / c.all_of_them)) < 1e-9) AS as_by_iteration
FROM (SELECT nudge.removal_effects(array_agg(source::integer), array_agg(target::integer), array_agg(times::float8)) AS effects FROM edge) AS r
CROSS JOIN LATERAL unnest(r.effects) WITH ORDINALITY AS e (effect, state)
CROSS JOIN (SELECT converts_without(-5) AS all_of_them) AS c
WHERE e.state % 10 = 0;
SELECT count(*), min(e) > 0 AS positive, max(e) <= 1 AS at_most_one
FROM (SELECT nudge.removal_effects(array_agg(source::integer), array_agg(target::integer), array_agg(times::float8)) AS effects FROM edge) AS r, unnest(r.effects) AS e;
DROP FUNCTION converts_without;

-- What are no journeys
SELECT nudge.removal_effects('{0,1}', '{1,1}', '{1,1}');
SELECT nudge.removal_effects('{0,1}', '{1,2}', '{1,1}');
SELECT nudge.removal_effects('{0}', '{0}', '{1}');
SELECT nudge.removal_effects('{0,-1}', '{1,-1}', '{1,1}');
SELECT nudge.removal_effects('{0,1}', '{1,-2}', '{1,1}');
SELECT nudge.removal_effects('{0,1}', '{1,0}', '{1,-1}');
SELECT nudge.removal_effects('{0,1}', '{1,0}', '{1,NaN}');
SELECT nudge.removal_effects('{0,1}', '{1,0}', '{1,Infinity}');
SELECT nudge.removal_effects('{0,1}', '{1}', '{1,1}');
SELECT nudge.removal_effects('{0,NULL}', '{1,0}', '{1,1}');
SELECT nudge.removal_effects('{{0,1}}', '{{1,0}}', '{{1,1}}');
SELECT nudge.removal_effects('{0,2147483647}', '{2147483647,0}', '{1,1}');
SELECT nudge.removal_effects(NULL, '{1,0}', '{1,1}');

--
-- Journeys out of events
--
SET client_min_messages = warning;
SET timezone = 'UTC';
TRUNCATE nudge.pending, nudge.events, nudge.actions, nudge.conversions, nudge.attribution_totals,
    nudge.attribution_progress, nudge.attribution_effects;
CREATE FUNCTION delivered(who text, rules bigint[], at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, occurred_at, recorded_at)
    SELECT who, 'delivered', r.rule, nextval('nudge.messages_message_id_seq'), at + r.n * interval '1 hour', at + r.n * interval '1 hour'
    FROM unnest(rules) WITH ORDINALITY AS r (rule, n)
$$;
CREATE FUNCTION converted(conversion bigint, who text, worth numeric, at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.conversions (conversion_id, user_id, value, occurred_at, recorded_at) VALUES (conversion, who, worth, at, at)
$$;
-- the example from above, with rules 11, 12 and 13 for C1, C2 and C3
SELECT delivered('ann', '{11,12,13}', '2021-01-01'), converted(1, 'ann', 100, '2021-01-02'),
    delivered('bob', '{11}', '2021-01-01'), delivered('cat', '{12,13}', '2021-01-01');
SELECT rule_id, share, weight, revenue FROM nudge.attribute_conversion(1, 'markov');
SELECT rule_id, conversions, revenue FROM nudge.attribution WHERE model = 'markov' ORDER BY rule_id;
SELECT nudge.run_attribution();
SELECT model, rule_id, journeys, conversions, removal_effect, share FROM nudge.attribution_effects ORDER BY rule_id;
SELECT rule_id, conversions, revenue FROM nudge.attribution WHERE model = 'markov' ORDER BY rule_id;

-- More users come, and the effects go on as they were until they are computed again.
-- Dan: what came 40 days before his conversion is a journey of its own, without an end in
-- conversion; after the conversion begins another.  Eve converted without a message.
SELECT delivered('dan', '{11}', '2021-01-01'), delivered('dan', '{12}', '2021-02-09'), converted(2, 'dan', 10, '2021-02-10'),
    delivered('dan', '{13,13}', '2021-02-11'), converted(3, 'eve', 10, '2021-02-10');
SELECT rule_id, share FROM nudge.attribute_conversion(2, 'markov');
SELECT nudge.recompute_attribution('markov');
-- Journeys: 11 12 13 c; 11; 12 13; 11; 12 c; 13 13.
-- From the start: 11 3/6, 12 2/6, 13 1/6; from 11: 12 1/3; from 12: 13 2/3, c 1/3; from 13:
-- c 1/4, 13 1/4, lost 1/2.  x13 = 1/4 + x13 / 4 = 1/3; x12 = 2/9 + 1/3 = 5/9; x11 = 5/27.
-- All: 5/54 + 10/54 + 3/54 = 1/3.  Without 11: 13/54, effect 5/18.  Without 12: 1/18, effect
-- 5/6.  Without 13: x12 = 1/3: 1/6 * 1/3 + 1/3 * 1/3 = 1/6, effect 1/2.
SELECT rule_id, journeys, conversions, round(removal_effect::numeric, 12) AS effect, round(share::numeric, 12) AS share
FROM nudge.attribution_effects ORDER BY rule_id;
-- Of conversion 1: 5/18, 15/18 and 9/18 of 29/18: 0.172, 0.517, 0.310
SELECT rule_id, round(share, 6) AS share, revenue FROM nudge.attribute_conversion(1, 'markov');
SELECT rule_id, round(conversions, 6) AS conversions, revenue FROM nudge.attribution WHERE model = 'markov' ORDER BY rule_id;
-- A rule that came since has the average of the others
SELECT delivered('fay', '{11,14}', '2021-02-01'), converted(4, 'fay', 10, '2021-02-02');
SELECT a.rule_id, abs(a.weight - (SELECT avg(e.removal_effect) FROM nudge.attribution_effects e)::numeric) < 1e-12 AS is_average
FROM nudge.attribute_conversion(4, 'markov') AS a;

DROP FUNCTION delivered, converted;
TRUNCATE nudge.events, nudge.conversions, nudge.attribution_totals, nudge.attribution_progress, nudge.attribution_effects;
