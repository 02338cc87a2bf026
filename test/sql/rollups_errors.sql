-- Rollups: bad input changes nothing
\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
SELECT pg_temp.refused(format('SELECT nudge.rollup(%s)', a)) FROM unnest(ARRAY['NULL', '''infinity''', '''-infinity''']) AS a;
SELECT pg_temp.refused(format('SELECT nudge.rebuild_rollups(%s)', a)) FROM unnest('{''infinity'',''-infinity''}'::text[]) AS a;
BEGIN READ ONLY;
SELECT pg_temp.refused('SELECT nudge.rollup()');
SELECT pg_temp.refused('SELECT nudge.rebuild_rollups()');
SELECT count(*) >= 0 AS views_can_be_read FROM nudge.rule_performance;
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.refused('SELECT nudge.rollup()');
SELECT pg_temp.refused('SELECT nudge.rebuild_rollups()');
-- maintenance goes on, with what has been counted
SELECT nudge.maintain('2001-01-01') ? 'kept' AS maintained;
ROLLBACK;
-- far ahead: only up to now
BEGIN;
SELECT nudge.rollup('2999-01-01') >= 0 AS counted;
SELECT counted_to <= now() AS up_to_now FROM nudge.rollup_progress;
ROLLBACK;
CREATE ROLE regress_nudge_marketer;
SELECT nudge.grant_access('regress_nudge_marketer', 'marketer');
SET ROLE regress_nudge_marketer;
SELECT pg_temp.refused('SELECT nudge.rollup()');
SELECT pg_temp.refused('SELECT nudge.rebuild_rollups()');
SELECT pg_temp.refused('SELECT * FROM nudge.message_facts');
SELECT pg_temp.refused('SELECT * FROM nudge.rule_rollups');
RESET ROLE;
SELECT nudge.revoke_access('regress_nudge_marketer', 'marketer');
DROP ROLE regress_nudge_marketer;
