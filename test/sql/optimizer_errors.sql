-- What optimisers refuse, and that nothing changes then
\getenv abs_srcdir PG_ABS_SRCDIR
\set no_figures :abs_srcdir '/include/no_figures.sql'
\i :no_figures
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
\set include_file :abs_srcdir '/include/sent_messages.sql'
\i :include_file
SELECT pg_temp.new_rule('oe rule') AS rule \gset
SELECT pg_temp.send(:rule, 1000, '2026-02-10', opened => 300, clicked => 100, converted => 100, complained => 20, users => 'oe');
\pset format unaligned
\pset tuples_only on

SELECT pg_temp.refused(s) FROM unnest(ARRAY[
    $$SELECT nudge.monitor_and_optimize(as_of => NULL)$$,
    $$SELECT nudge.monitor_and_optimize(as_of => 'infinity')$$,
    $$SELECT nudge.monitor_and_optimize(-1)$$,
    $$SELECT nudge.undo_optimization(NULL)$$,
    $$SELECT nudge.undo_optimization(-1)$$,
    $$SELECT nudge.adaptive_recommendations(NULL)$$,
    $$SELECT nudge.adaptive_recommendations(-1)$$,
    $$SELECT nudge.apply_recommendation(NULL)$$,
    $$SELECT nudge.apply_recommendation(-1)$$,
    $$SELECT nudge.undo_recommendation(NULL)$$,
    $$SELECT nudge.undo_recommendation(-1)$$]) AS s;
SELECT regexp_replace(pg_temp.refused($$UPDATE nudge.rules SET auto_optimize = NULL WHERE name = 'oe rule'$$), '\n.*', '');
SELECT count(*) FROM nudge.rule_violations(-1);
SELECT nudge.confidence_greater(NULL, 1, 1, 1) IS NULL, nudge.confidence_greater(1, 0, 0, 0) IS NULL;

-- Thresholds
SELECT regexp_replace(pg_temp.refused(s), '\n.*', '') FROM unnest(ARRAY[
    $$INSERT INTO nudge.optimization_thresholds VALUES ('max_open_rate', NULL, 0.5)$$,
    $$INSERT INTO nudge.optimization_thresholds VALUES (NULL, NULL, 0.5)$$,
    $$INSERT INTO nudge.optimization_thresholds VALUES ('min_open_rate', NULL, 0.5)$$,
    $$INSERT INTO nudge.optimization_thresholds VALUES ('min_open_rate', -1, 0.5)$$,
    $$UPDATE nudge.optimization_thresholds SET threshold = -0.01 WHERE metric = 'min_open_rate'$$,
    $$UPDATE nudge.optimization_thresholds SET threshold = 1.01 WHERE metric = 'min_open_rate'$$,
    $$UPDATE nudge.optimization_thresholds SET threshold = 'NaN' WHERE metric = 'min_open_rate'$$,
    $$UPDATE nudge.optimization_thresholds SET threshold = NULL WHERE metric = 'min_open_rate'$$]) AS s;
SELECT pg_temp.refused(s) FROM unnest(ARRAY[
    $$DELETE FROM nudge.optimization_thresholds WHERE metric = 'min_open_rate'$$,
    format('UPDATE nudge.optimization_thresholds SET rule_id = %s WHERE metric = %L', :rule, 'min_open_rate')]) AS s;
SELECT metric, threshold FROM nudge.optimization_thresholds ORDER BY 1;
-- a row of a dump takes the place of the one that came with the extension, and of no other
BEGIN;
INSERT INTO nudge.optimization_thresholds VALUES ('min_open_rate', :rule, 0.3);
SET LOCAL session_replication_role = replica;
INSERT INTO nudge.optimization_thresholds VALUES ('min_open_rate', NULL, 0.2), ('min_click_rate', :rule, 0.1);
SELECT metric, rule_id IS NOT NULL AS own, threshold FROM nudge.optimization_thresholds ORDER BY 1, 2;
ROLLBACK;

-- Where nothing can be written, or what is there cannot be seen
BEGIN READ ONLY;
SELECT pg_temp.refused(s) FROM unnest(ARRAY[
    $$SELECT nudge.monitor_and_optimize()$$, $$SELECT nudge.undo_optimization(1)$$,
    format('SELECT nudge.adaptive_recommendations(%s)', :rule), $$SELECT nudge.apply_recommendation(1)$$]) AS s;
-- looking is allowed
SELECT metric, severity FROM nudge.rule_violations(:rule, '2026-02-20');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.refused('SELECT nudge.monitor_and_optimize()');
ROLLBACK;

-- A recommendation that was not applied; one whose change the checks of rules refuse
INSERT INTO nudge.recommendations (rule_id, kind, draft, evidence) VALUES (:rule, 'optimal_delay_range', '{"rule": {"delay": "-1 hour"}}', '{}')
RETURNING recommendation_id AS id \gset
SELECT regexp_replace(pg_temp.refused(format('SELECT nudge.undo_recommendation(%s)', :id)), 'recommendation \d+', 'recommendation N');
SELECT pg_temp.refused(format('SELECT nudge.apply_recommendation(%s)', :id));
SELECT count(*), count(applied_at) FROM nudge.recommendations WHERE rule_id = :rule;

-- A rule that cannot be changed does not hold up the others
SELECT pg_temp.new_rule('oe broken') AS broken \gset
SELECT pg_temp.send(:broken, 1000, '2026-02-10', opened => 300, clicked => 100, converted => 100, complained => 20, users => 'oe');
SET session_replication_role = replica;
UPDATE nudge.rules SET delay = '-1 hour' WHERE rule_id = :broken;
RESET session_replication_role;
SET client_min_messages = error;
SELECT r.name, o.kind FROM nudge.monitor_and_optimize(as_of => '2026-02-20') o JOIN nudge.rules r USING (rule_id) ORDER BY 1;
SET client_min_messages = warning;
SELECT name, status FROM nudge.rules WHERE name LIKE 'oe %' ORDER BY 1;
SELECT count(*) FROM nudge.optimizations WHERE rule_id = :broken;

DELETE FROM nudge.rules WHERE name LIKE 'oe %';
DELETE FROM nudge.optimizations;
DELETE FROM nudge.events WHERE user_id LIKE 'oe%';
DELETE FROM nudge.conversions WHERE user_id LIKE 'oe%';
DELETE FROM nudge.messages WHERE user_id LIKE 'oe%';
