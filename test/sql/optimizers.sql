-- Rules that are watched: what figures bring about which change, and undoing it
\getenv abs_srcdir PG_ABS_SRCDIR
\set no_figures :abs_srcdir '/include/no_figures.sql'
\i :no_figures
SET client_min_messages = warning;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/sent_messages.sql'
\i :include_file
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
CREATE VIEW pg_temp.made AS
    SELECT r.name, o.kind, o.severity, o.before, o.after, o.evidence ->> 'metric' AS metric, o.made_at::date AS day, o.undone_at IS NOT NULL AS undone
    FROM nudge.optimizations o JOIN nudge.rules r USING (rule_id) WHERE r.name LIKE 'op %' ORDER BY o.optimization_id;
CREATE FUNCTION pg_temp.run(as_of timestamptz DEFAULT '2026-02-20 12:00', rule bigint DEFAULT NULL)
RETURNS TABLE (name text, kind text, severity text, before jsonb, after jsonb, reason text)
LANGUAGE sql AS $$
    SELECT r.name, o.kind, o.severity, o.before, o.after, o.reason
    FROM nudge.monitor_and_optimize(rule, as_of) o JOIN nudge.rules r USING (rule_id) ORDER BY o.optimization_id
$$;

-- The thresholds that come with the extension
SELECT metric, rule_id, threshold FROM nudge.optimization_thresholds WHERE rule_id IS NULL ORDER BY 1;

--
-- Violations: what the Wilson bound supports, and no more
--
-- of the same rate, 10 %, forty messages tell nothing; three hundred do
SELECT pg_temp.new_rule('op open few') AS few, pg_temp.new_rule('op open some') AS some, pg_temp.new_rule('op open bad') AS bad,
    pg_temp.new_rule('op open critical') AS crit, pg_temp.new_rule('op open good') AS good \gset
SELECT pg_temp.send(:few, 40, '2026-02-10', opened => 4, clicked => 4, converted => 4),
    pg_temp.send(:some, 300, '2026-02-10', opened => 30, clicked => 30, converted => 30),
    pg_temp.send(:bad, 300, '2026-02-10', opened => 20, clicked => 20, converted => 20),
    pg_temp.send(:crit, 300, '2026-02-10', opened => 12, clicked => 12, converted => 12),
    pg_temp.send(:good, 300, '2026-02-10', opened => 60, clicked => 60, converted => 60);
ANALYZE nudge.messages, nudge.events, nudge.conversions;
-- (7.5 % is half of 15 %: 20 of 300 are below it, but not surely)
SELECT r.name, v.metric, v.severity, v.threshold, v.since, v.until, v.sent, v.amount, round(v.rate::numeric, 4) AS rate,
    round(v.rate_low::numeric, 4) AS low, round(v.rate_high::numeric, 4) AS high, v.kind
FROM nudge.rule_violations(as_of => '2026-02-20') v JOIN nudge.rules r USING (rule_id) WHERE r.name LIKE 'op %' ORDER BY 1, 2;
-- only what is critical pauses
SELECT * FROM pg_temp.run();
SELECT name, status FROM nudge.rules WHERE name LIKE 'op %' AND status <> 'active' ORDER BY 1;

-- clicks are a person's to improve
SELECT pg_temp.new_rule('op click') AS rule \gset
SELECT pg_temp.send(:rule, 1000, '2026-02-10', opened => 300, clicked => 5, converted => 100);
SELECT metric, severity, kind FROM nudge.rule_violations(:rule, '2026-02-20');
SELECT * FROM pg_temp.run(rule => :rule);

-- complaints: two of 1,000 are not surely above 0.1 %, three are, five are surely above 0.2 %
SELECT pg_temp.new_rule('op spam 2') AS two, pg_temp.new_rule('op spam 3') AS three, pg_temp.new_rule('op spam 5') AS five,
    pg_temp.new_rule('op spam unwatched', false) AS other \gset
SELECT pg_temp.send(r, 1000, '2026-02-10', opened => 200, clicked => 30, converted => 20, complained => n)
FROM (VALUES (:two, 2), (:three, 3), (:five, 5), (:other, 5)) AS v (r, n);
ANALYZE nudge.messages, nudge.events, nudge.conversions;
SELECT * FROM pg_temp.run();
SELECT name, status FROM nudge.rules WHERE name LIKE 'op spam%' ORDER BY 1;

-- unsubscriptions: caps are halved, down to 1; a rule without gets a weekly one
SELECT pg_temp.new_rule('op caps 5 1') AS both, pg_temp.new_rule('op caps 1') AS one, pg_temp.new_rule('op caps none') AS none,
    pg_temp.new_rule('op caps some') AS some, pg_temp.new_rule('op caps weekly 1') AS week, pg_temp.new_rule('op caps fine') AS fine \gset
INSERT INTO nudge.frequency_caps (rule_id, channel, period, max_messages) VALUES
    (:both, NULL, 'monthly', 5), (:both, 'email', 'weekly', 3), (:both, NULL, 'daily', 1), (:one, NULL, 'daily', 1), (:week, NULL, 'weekly', 1),
    (:fine, NULL, 'weekly', 5);
SELECT pg_temp.send(r, 1000, '2026-02-10', opened => 200, clicked => 30, converted => 20, unsubscribed => n)
FROM (VALUES (:both, 10), (:one, 40), (:none, 40), (:some, 40), (:week, 40), (:fine, 8)) AS v (r, n);
-- (1,000 users get five messages in one week)
SELECT count(pg_temp.send(:some, 1000, '2026-02-11', opened => 200, clicked => 30, converted => 20)) FROM generate_series(1, 4);
ANALYZE nudge.messages, nudge.events, nudge.conversions;
SELECT name, kind, severity, before, after, reason FROM pg_temp.run();
SELECT r.name, f.channel, f.period, f.max_messages FROM nudge.frequency_caps f JOIN nudge.rules r USING (rule_id) WHERE r.name LIKE 'op %' ORDER BY 1, 3;

-- few conversions: the hour that surely converts better, and nothing where there is none,
-- or where it has had but few messages
SELECT pg_temp.new_rule('op hour') AS hour, pg_temp.new_rule('op hour unknown') AS unknown, pg_temp.new_rule('op hour late') AS late,
    pg_temp.new_rule('op hour little') AS little \gset
UPDATE nudge.rules SET send_between = '{08:00,20:00}' WHERE rule_id = :hour;
SELECT pg_temp.send(:hour, 59, '2026-02-10 09:00', opened => 59, converted => 2), pg_temp.send(:hour, 59, '2026-02-11 09:00', opened => 59, converted => 4),
    pg_temp.send(:hour, 1700, '2026-02-12 12:00', opened => 1700, converted => 2),
    pg_temp.send(:late, 59, '2026-02-10 23:00', opened => 59, converted => 2), pg_temp.send(:late, 59, '2026-02-11 23:00', opened => 59, converted => 4),
    pg_temp.send(:late, 1700, '2026-02-13 00:00', opened => 1700);
SELECT count(pg_temp.send(:unknown, 59, d + h * interval '1 hour', opened => 59, converted => (d = '2026-02-10' AND h IN (9, 13, 17))::int * 2)),
    count(pg_temp.send(:little, 59, d + h * interval '1 hour', opened => 59)) FROM generate_series('2026-02-10'::timestamptz, '2026-02-12', '1 day') AS d, generate_series(9, 19) AS h;
SELECT pg_temp.send(:little, 59, '2026-02-10 08:00', opened => 59, converted => 8, users => 'opl');
ANALYZE nudge.messages, nudge.events, nudge.conversions;
UPDATE nudge.optimization_thresholds SET threshold = 0 WHERE metric = 'min_click_rate';
SELECT r.name, v.metric, v.severity, v.amount, v.sent FROM nudge.rule_violations(as_of => '2026-02-20') v JOIN nudge.rules r USING (rule_id)
WHERE r.name LIKE 'op hour%' ORDER BY 1, 2;
SELECT * FROM pg_temp.run();
SELECT name, send_between FROM nudge.rules WHERE name LIKE 'op hour%' ORDER BY 1;
SELECT o.evidence - '{rate,rate_low,rate_high,hour}'::text[] AS evidence, o.evidence -> 'hour' ->> 'sent' AS sent,
    o.evidence -> 'hour' ->> 'conversions' AS conversions, o.evidence -> 'hour' ->> 'other_conversions' AS others
FROM nudge.optimizations o WHERE o.rule_id = :hour;

--
-- Once a day, and then by what came after
--
SELECT * FROM pg_temp.run('2026-02-20 23:59:59');
-- the day after, what led to the change does not count again
SELECT * FROM pg_temp.run('2026-02-21 12:00');
-- but new messages do
SELECT pg_temp.send(:both, 1000, '2026-02-21', opened => 200, clicked => 30, converted => 20, unsubscribed => 20);
SELECT * FROM pg_temp.run('2026-02-22 12:00');
-- several violations: the worst comes first, and is the only one of the day
SELECT pg_temp.send(:both, 1000, '2026-02-23', opened => 200, clicked => 30, converted => 20, unsubscribed => 50, complained => 20);
SELECT * FROM pg_temp.run('2026-02-24 12:00');
-- the other one is for the day after, on which its figures still count
SELECT pg_temp.new_rule('op two') AS two_kinds \gset
SELECT pg_temp.send(:two_kinds, 59, '2026-02-10 09:00', opened => 59, converted => 3), pg_temp.send(:two_kinds, 59, '2026-02-11 09:00', opened => 59, converted => 4),
    pg_temp.send(:two_kinds, 1700, '2026-02-12 12:00', opened => 1700, unsubscribed => 60);
SELECT kind, after FROM pg_temp.run('2026-02-24 12:00', :two_kinds);
SELECT kind, after FROM pg_temp.run('2026-02-24 23:00', :two_kinds);
SELECT kind, after FROM pg_temp.run('2026-02-25 00:00', :two_kinds);
SELECT kind, after FROM pg_temp.run('2026-02-26 00:00', :two_kinds);
-- a paused rule is left alone; a person who takes it up again is given time
SELECT pg_temp.send(:both, 1000, '2026-02-24', opened => 200, clicked => 30, converted => 20, complained => 20);
SELECT * FROM pg_temp.run('2026-02-25 12:00');
UPDATE nudge.rules SET status = 'active' WHERE rule_id = :both;
SELECT * FROM pg_temp.run('2026-02-25 12:00');
SELECT pg_temp.send(:both, 1000, '2026-02-25 18:00', opened => 200, clicked => 30, converted => 20, complained => 20);
SELECT * FROM pg_temp.run('2026-02-26 12:00');
-- the day is one of nudge.timezone: it is still the 26th in Los Angeles when it is the 27th in UTC
UPDATE nudge.rules SET status = 'active' WHERE rule_id = :both;
SELECT pg_temp.send(:both, 1000, '2026-02-27 00:00', opened => 200, clicked => 30, converted => 20, complained => 20);
BEGIN;
SET LOCAL nudge.timezone = 'America/Los_Angeles';
SELECT * FROM pg_temp.run('2026-02-27 07:00');
ROLLBACK;
SELECT name, kind FROM pg_temp.run('2026-02-28 07:00');
-- what is older than 30 days does not count
SELECT pg_temp.new_rule('op old') AS old \gset
SELECT pg_temp.send(:old, 1000, '2026-01-01 01:00', opened => 200, clicked => 30, converted => 20, complained => 20);
SELECT name, kind FROM pg_temp.run('2026-01-31 12:00');
SELECT name, kind FROM pg_temp.run('2026-01-30 12:00');
-- a rule that is not watched is left alone by name, too
SELECT name, kind FROM pg_temp.run(rule => :other);

--
-- Thresholds of a rule of its own
--
SELECT pg_temp.new_rule('op own') AS own \gset
SELECT pg_temp.send(:own, 1000, '2026-02-10', opened => 300, clicked => 30, converted => 20, complained => 5);
INSERT INTO nudge.optimization_thresholds VALUES ('max_spam_rate', :own, 0.01), ('min_open_rate', :own, 0.5);
SELECT metric, severity, threshold FROM nudge.rule_violations(:own, '2026-02-20');
UPDATE nudge.optimization_thresholds SET threshold = 0.9 WHERE metric = 'min_open_rate' AND rule_id = :own;
SELECT name, kind, severity FROM pg_temp.run(rule => :own);

--
-- Undoing
--
SELECT optimization_id AS caps FROM nudge.optimizations WHERE rule_id = :some \gset
SELECT optimization_id AS first FROM nudge.optimizations WHERE rule_id = :both ORDER BY 1 LIMIT 1 \gset
SELECT optimization_id AS second FROM nudge.optimizations WHERE rule_id = :both ORDER BY 1 OFFSET 1 LIMIT 1 \gset
SELECT optimization_id AS hours FROM nudge.optimizations WHERE rule_id = :hour \gset
SELECT optimization_id AS pause FROM nudge.optimizations WHERE rule_id = :five \gset
SELECT optimization_id AS thrice FROM nudge.optimizations WHERE rule_id = :three \gset
-- what did not exist before is gone
SELECT undone_at IS NOT NULL AS undone, undone_by = session_user AS by FROM nudge.undo_optimization(:caps);
SELECT count(*) FROM nudge.frequency_caps WHERE rule_id = :some;
SELECT kind FROM nudge.undo_optimization(:hours);
SELECT send_between FROM nudge.rules WHERE rule_id = :hour;
SELECT kind FROM nudge.undo_optimization(:pause);
SELECT status FROM nudge.rules WHERE rule_id = :five;
-- the older of two changes of the same only after the newer
\pset format unaligned
\pset tuples_only on
SELECT regexp_replace(pg_temp.refused(format('SELECT nudge.undo_optimization(%s)', :first)), '(rule|optimization) \d+', '\1 N', 'g');
SELECT before FROM nudge.undo_optimization(:second);
SELECT before FROM nudge.undo_optimization(:first);
SELECT channel, period, max_messages FROM nudge.frequency_caps WHERE rule_id = :both ORDER BY 2;
-- not twice
SELECT regexp_replace(pg_temp.refused(format('SELECT nudge.undo_optimization(%s)', :first)), '(optimization \d+|at \S+ .*UTC|\S+(?= has undone it))', 'X', 'g');
-- not where somebody has changed it: another status, a cap that is gone
UPDATE nudge.rules SET status = 'disabled' WHERE rule_id = :three;
SELECT regexp_replace(pg_temp.refused(format('SELECT nudge.undo_optimization(%s)', :thrice)), '(rule|optimization) \d+', '\1 N', 'g');
SELECT status FROM nudge.rules WHERE rule_id = :three;
SELECT optimization_id AS id FROM nudge.optimizations WHERE rule_id = :none \gset
DELETE FROM nudge.frequency_caps WHERE rule_id = :none;
SELECT regexp_replace(pg_temp.refused(format('SELECT nudge.undo_optimization(%s)', :id)), '(rule|optimization) \d+', '\1 N', 'g');
-- other changes of the rule do not matter, and stay
SELECT optimization_id AS id FROM nudge.optimizations WHERE rule_id = :crit \gset
UPDATE nudge.rules SET delay = '1 hour', description = 'changed' WHERE rule_id = :crit;
SELECT kind FROM nudge.undo_optimization(:id);
SELECT status, delay, description FROM nudge.rules WHERE rule_id = :crit;
-- a rule that is gone
SELECT optimization_id AS id FROM nudge.optimizations WHERE rule_id = :own \gset
DELETE FROM nudge.rules WHERE rule_id = :own;
SELECT count(*) FROM nudge.optimization_thresholds WHERE rule_id = :own;
SELECT regexp_replace(pg_temp.refused(format('SELECT nudge.undo_optimization(%s)', :id)), '(rule|optimization) \d+', '\1 N', 'g');
\pset format aligned
\pset tuples_only off
SELECT name, kind, metric, day, undone FROM pg_temp.made;

DELETE FROM nudge.rules WHERE name LIKE 'op %';
DELETE FROM nudge.optimizations;
DELETE FROM nudge.events WHERE user_id LIKE 'op%';
DELETE FROM nudge.conversions WHERE user_id LIKE 'op%';
DELETE FROM nudge.messages WHERE user_id LIKE 'op%';
UPDATE nudge.optimization_thresholds SET threshold = 0.02 WHERE metric = 'min_click_rate';
