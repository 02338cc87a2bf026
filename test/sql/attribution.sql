-- Attribution of conversions: each model worked out by hand, and the figures
SET client_min_messages = warning;
SET timezone = 'UTC';
TRUNCATE nudge.pending, nudge.events, nudge.actions, nudge.conversions, nudge.attribution_totals,
    nudge.attribution_progress, nudge.attribution_effects;
DELETE FROM nudge.rules;
DELETE FROM nudge.templates WHERE template_id = 'attribution';
INSERT INTO nudge.templates (template_id, channel, subject, body_text) VALUES ('attribution', 'email', 'S', 'B');
INSERT INTO nudge.rules (rule_id, name, trigger_type, template_id)
VALUES (1, 'one', 'behavioral', 'attribution'), (2, 'two', 'behavioral', 'attribution'), (3, 'three', 'behavioral', 'attribution');

-- A message of a rule that reached a user at a time
CREATE FUNCTION happened(event text, message bigint, to_user text, rule bigint, at timestamptz, with_flag text DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, occurred_at, recorded_at, flag)
    VALUES (to_user, event, rule, message, at, at, with_flag)
$$;
CREATE FUNCTION converted(conversion bigint, who text, worth numeric, at timestamptz, of_goal text DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.conversions (conversion_id, user_id, value, occurred_at, recorded_at, goal)
    VALUES (conversion, who, worth, at, at, of_goal)
$$;

SELECT name, kind, "window", parameters, enabled FROM nudge.attribution_models ORDER BY name;

-- Ann got four messages before she bought for 100.00 on 31 January: the first 28 days
-- before (age over decay: 4, so 0.1), then 10.5 days (1 - 1.5 < 0.1), 3.5 days (0.5)
-- and at once (1).  Positions: 0.4, 0.1, 0.1, 0.4.
-- position_decay: 0.1 * 0.4 = 0.04, 0.1 * 0.1 = 0.01, 0.5 * 0.1 = 0.05, 1 * 0.4 = 0.4;
-- their sum is 0.5, so shares are 0.08, 0.02, 0.1, 0.8.
-- The message of 31 January came later; another of 20 January is not known to have
-- arrived; one of 1 January was before any window.
SELECT happened('sent', m, 'ann', r, at::timestamptz) FROM (VALUES
    (10, 1, '2021-01-01 11:59:59'), (11, 1, '2021-01-03 12:00'), (12, 2, '2021-01-20 23:59'), (13, 3, '2021-01-27 23:00'),
    (14, 2, '2021-01-31 11:00'), (15, 3, '2021-01-31 12:00:01'), (16, 1, '2021-01-20')) AS v (m, r, at);
SELECT happened('delivered', m, 'ann', r, at::timestamptz) FROM (VALUES
    (10, 1, '2021-01-01 11:59:59'), (12, 2, '2021-01-21'), (13, 3, '2021-01-28'), (15, 3, '2021-01-31 12:00:02')) AS v (m, r, at);
-- opened only: it arrived when it was sent; and what a machine opened has arrived
SELECT happened('opened', 11, 'ann', 1, '2021-02-03');
-- reported with a time that cannot be right: when it was sent counts
SELECT happened('delivered', 14, 'ann', 2, '2021-02-03', 'in_future');
SELECT happened('clicked', 14, 'ann', 2, '2021-01-31 11:59', 'machine');
UPDATE nudge.events SET occurred_at = '2021-01-31 12:00' WHERE message_id = 14 AND event_type = 'sent';
SELECT converted(1, 'ann', 100, '2021-01-31 12:00');
SELECT * FROM nudge.attribute_conversion(1, 'first_touch');
SELECT * FROM nudge.attribute_conversion(1, 'last_touch');
SELECT * FROM nudge.attribute_conversion(1);
SELECT * FROM nudge.attribute_conversion(1, 'linear');
SELECT * FROM nudge.attribute_conversion(1, 'position_decay');
-- the one message in the window of last_touch and linear, 7 and 14 days, if it is the last
SELECT model, (SELECT array_agg(a.message_id) FROM nudge.attribute_conversion(1, model) AS a)
FROM (SELECT name FROM nudge.attribution_models WHERE kind <> 'markov') AS m (model) ORDER BY model;

-- One touch, two and three: positions are 0.4; 0.4 and 0.4; 0.4, 0.2 and 0.4
SELECT happened('delivered', m, u, r, '2021-01-30 12:00') FROM (VALUES (20, 'bob', 1), (21, 'cat', 1), (22, 'cat', 2), (23, 'dan', 1),
    (24, 'dan', 2), (25, 'dan', 3)) AS v (m, u, r);
SELECT converted(2, 'bob', 10, '2021-01-30 12:00'), converted(3, 'cat', 10, '2021-01-30 12:00'), converted(4, 'dan', 10, '2021-01-30 12:00');
SELECT c, a.* FROM generate_series(2, 4) AS c, nudge.attribute_conversion(c, 'position_decay') AS a;

-- Revenue adds up to the cent: of 10 and three, of a refund, of a tenth of a cent, of
-- nothing, of more than a float holds
SELECT converted(5, 'dan', -0.05, '2021-01-30 12:00'), converted(6, 'dan', 0.001, '2021-01-30 12:00'),
    converted(7, 'dan', 0, '2021-01-30 12:00'), converted(8, 'dan', 12345678901234567890.12, '2021-01-30 12:00');
SELECT c, array_agg(a.revenue) AS revenues, sum(a.revenue) = min(v.value) AS adds_up, sum(a.share) AS shares
FROM nudge.conversions v CROSS JOIN LATERAL (SELECT v.conversion_id) AS i (c) CROSS JOIN LATERAL nudge.attribute_conversion(c, 'linear') AS a
WHERE c BETWEEN 4 AND 8 GROUP BY c ORDER BY c;

-- Windows reach from the conversion back, both ends included
SELECT happened('delivered', 30, 'eve', 1, '2021-01-20'), happened('delivered', 31, 'eve', 2, '2021-01-19 23:59:59.999');
SELECT converted(9, 'eve', 1, '2021-01-27');
SELECT message_id FROM nudge.attribute_conversion(9, 'last_touch');
-- the window of a goal makes a model's shorter, and never longer
INSERT INTO nudge.conversion_goals (name, action_type, "window") VALUES ('quick', 'none', '1 day'), ('slow', 'none', '1 year'), ('any', 'none', NULL);
SELECT converted(90, 'ann', 7, '2021-01-31 12:00', 'quick'), converted(91, 'ann', 7, '2021-01-31 12:00', 'slow'),
    converted(92, 'ann', 7, '2021-01-31 12:00', 'any'), converted(93, 'ann', 7, '2021-01-31 12:00', 'deleted');
SELECT c, array_agg(a.message_id) FROM generate_series(90, 93) AS c, nudge.attribute_conversion(c, 'linear') AS a GROUP BY c ORDER BY c;
-- A delivery counts at the time that was reported, also before its message was made and
-- the conversion before that: ages 5 and 1 days of 7, both at 0.4
SELECT happened('sent', m, 'gus', 1, '2021-02-20') FROM generate_series(33, 35) AS m;
INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, occurred_at, recorded_at, flag)
SELECT 'gus', 'delivered', 1, m, at, '2021-02-20', 'before_message'
FROM (VALUES (33, timestamptz '2021-01-01'), (34, '2021-02-05'), (35, '2021-02-09')) AS v (m, at);
INSERT INTO nudge.conversions (conversion_id, user_id, value, occurred_at, recorded_at) VALUES (96, 'gus', 7, '2021-02-10', '2021-02-20');
SELECT message_id, weight, round(share, 6) AS share, revenue FROM nudge.attribute_conversion(96, 'position_decay');
-- nobody's touches: no rows
SELECT converted(94, 'zoe', 7, '2021-01-31 12:00');
SELECT * FROM nudge.attribute_conversion(94, 'linear');
-- one of no rule has its share
SELECT happened('delivered', 32, 'fay', NULL, '2021-01-20'), converted(95, 'fay', 3, '2021-01-21');
SELECT * FROM nudge.attribute_conversion(95, 'markov');

-- Models may be changed and added
INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES
    ('half', 'position_decay', '30 days', '{"decay": "28 days", "floor": 0, "middle": 1}'),
    ('nothing', 'position_decay', '30 days', '{"first": 0, "last": 0, "middle": 0}');
SELECT parameters FROM nudge.attribution_models WHERE name IN ('half', 'nothing') ORDER BY name;
-- ages 28, 10.5, 3.5 and 0 of 28 days: 0, 0.625, 0.875, 1, times 0.4, 0.5, 0.5, 0.4
SELECT message_id, weight, round(share, 6) AS share, revenue FROM nudge.attribute_conversion(1, 'half');
-- where no touch has a weight all have the same
SELECT * FROM nudge.attribute_conversion(1, 'nothing');
DELETE FROM nudge.attribution_models WHERE name IN ('half', 'nothing');

--
-- Figures
--
TRUNCATE nudge.conversions;
DELETE FROM nudge.conversion_goals;
SELECT converted(1, 'ann', 100, '2021-01-31 12:00'), converted(2, 'bob', 10, '2021-01-30 12:00'), converted(3, 'cat', 10, '2021-01-30 12:00');
-- none has been computed: the view does it
CREATE VIEW figures AS SELECT rule_id, name, touches, conversions, revenue, first_day, last_day
    FROM nudge.attribution WHERE model = 'position_decay' ORDER BY rule_id;
TABLE figures;
SELECT nudge.run_attribution('2021-01-31');
SELECT rule_id, day, touches, conversions, revenue FROM nudge.attribution_totals WHERE model = 'position_decay' ORDER BY rule_id, day;
TABLE figures;
SELECT nudge.run_attribution();
SELECT nudge.run_attribution() AS again;
SELECT rule_id, day, touches, conversions, revenue FROM nudge.attribution_totals WHERE model = 'position_decay' ORDER BY rule_id, day;
TABLE figures;
SELECT * FROM nudge.attribution_daily WHERE model = 'last_touch' ORDER BY rule_id, day;

-- A report that comes late: the message of 20 January has arrived after all.  The view
-- knows at once, also what to take back.
INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, occurred_at) VALUES ('ann', 'delivered', 1, 16, '2021-01-20 12:00');
TABLE figures;
SELECT t.rule_id, sum(t.revenue) FROM nudge.attribution_totals t WHERE t.model = 'position_decay' GROUP BY 1 ORDER BY 1;
UPDATE nudge.events SET recorded_at = (SELECT attributed_to FROM nudge.attribution_progress) WHERE message_id = 16 AND event_type = 'delivered';
UPDATE nudge.attribution_progress SET attributed_to = attributed_to - interval '1 hour';
UPDATE nudge.events SET recorded_at = recorded_at - interval '1 minute' WHERE message_id = 16 AND event_type = 'delivered';
SELECT nudge.run_attribution();
TABLE figures;
SELECT t.rule_id, sum(t.revenue) FROM nudge.attribution_totals t WHERE t.model = 'position_decay' GROUP BY 1 ORDER BY 1;
-- what changes no touch gives nothing to do: another open; a message of other times
INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, occurred_at) VALUES
    ('ann', 'opened', 1, 16, now()), ('ann', 'delivered', 1, 17, now());
SELECT nudge.unattributed(p.attributed_to, 'infinity') FROM nudge.attribution_progress p;
-- a delivery reported twice, the second time with an earlier time, and one that had been
-- known by an open only
INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, occurred_at) VALUES ('bob', 'delivered', 1, 20, '2021-01-30 11:00');
SELECT nudge.unattributed(p.attributed_to, 'infinity') FROM nudge.attribution_progress p;
DELETE FROM nudge.events WHERE recorded_at = occurred_at AND occurred_at > '2021-06-01' OR occurred_at = '2021-01-30 11:00';
INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, occurred_at) VALUES ('ann', 'delivered', 1, 11, '2021-01-04');
SELECT nudge.unattributed(p.attributed_to, 'infinity') FROM nudge.attribution_progress p;
DELETE FROM nudge.events WHERE message_id = 11 AND event_type = 'delivered';

-- A new window: figures from before stay until they are computed anew
UPDATE nudge.attribution_models SET "window" = '1 day' WHERE name = 'position_decay';
TABLE figures;
SELECT nudge.recompute_attribution('position_decay', '2021-01-31');
TABLE figures;
SELECT nudge.recompute_attribution('position_decay');
TABLE figures;
UPDATE nudge.attribution_models SET "window" = '30 days' WHERE name = 'position_decay';
SELECT nudge.recompute_attribution();
TABLE figures;
-- a model that is off is kept up no more
UPDATE nudge.attribution_models SET enabled = false WHERE name = 'first_touch';
SELECT converted(4, 'cat', 50, '2021-01-30 12:00');
SELECT model, sum(conversions) AS conversions, sum(revenue) AS revenue FROM nudge.attribution GROUP BY model ORDER BY model;
UPDATE nudge.attribution_models SET enabled = true WHERE name = 'first_touch';
DELETE FROM nudge.conversions WHERE conversion_id = 4;

-- Figures outlive what they were made of; what is left of raw data changes nothing
CREATE TEMP TABLE before_retention AS TABLE nudge.attribution;
DELETE FROM nudge.events WHERE message_id IN (11, 14, 20, 21);
SELECT nudge.recompute_attribution();
DELETE FROM nudge.conversions;
TRUNCATE nudge.events;
SELECT nudge.run_attribution();
SELECT nudge.recompute_attribution();
SELECT count(*) FROM (TABLE before_retention EXCEPT TABLE nudge.attribution) AS lost;
SELECT count(*) FROM (TABLE nudge.attribution EXCEPT TABLE before_retention) AS gained;
SELECT count(*) FROM nudge.attribution_credits;
-- rules that are gone have figures still, and no name
DELETE FROM nudge.rules WHERE rule_id = 1;
TABLE figures;
-- figures of a model go with it
INSERT INTO nudge.attribution_models (name, kind, "window") VALUES ('passing', 'linear', '30 days');
SELECT happened('delivered', 40, 'gil', 2, '2021-02-01'), converted(5, 'gil', 10, '2021-02-02');
SELECT nudge.recompute_attribution('passing');
SELECT rule_id, conversions, revenue FROM nudge.attribution WHERE model = 'passing';
DELETE FROM nudge.attribution_models WHERE name = 'passing';
SELECT count(*) FROM nudge.attribution_credits WHERE model = 'passing';

-- maintenance may delete what is in the figures, and has it put there before
SELECT converted(6, 'gil', 10, '2021-02-03');
TRUNCATE nudge.attribution_progress;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT nudge.attribute_until('2021-02-04');
COMMIT;
SELECT count(*) FROM nudge.attribution_credits WHERE conversion_id = 6 AND model = 'linear';
SELECT nudge.attribute_until('2021-02-04') = '2021-02-04';
SELECT count(*) FROM nudge.attribution_credits WHERE conversion_id = 6 AND model = 'linear';
SELECT nudge.attribute_until('infinity') <= now();

DROP VIEW figures;
DROP FUNCTION happened, converted;
DELETE FROM nudge.rules;
DELETE FROM nudge.templates WHERE template_id = 'attribution';
TRUNCATE nudge.events, nudge.conversions, nudge.attribution_totals, nudge.attribution_progress, nudge.attribution_effects;
