--
-- Caps, segments and references among configuration tables
--
\pset format unaligned
\pset tuples_only on

\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
CREATE FUNCTION pg_temp.rows() RETURNS TABLE (relation text, n bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR relation IN SELECT c.oid::regclass FROM pg_class c
                    WHERE c.relnamespace = 'nudge'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*) FROM %s', relation) INTO n;
        RETURN NEXT;
    END LOOP;
END
$$;
INSERT INTO nudge.segments (name) VALUES ('reference errors'), ('reference errors 2');
INSERT INTO nudge.segment_members (segment, user_id) VALUES ('reference errors', 'reference_errors');
SELECT nudge.create_rule('{"name": "reference errors", "type": "behavioral", "segmentation_rules": ["reference errors"],
    "max_frequency": {"daily": 1}, "conditions": [{"type": "action_type", "parameters": {"types": ["a"]}}]}') > 0;
CREATE TEMPORARY TABLE rows_before AS SELECT * FROM pg_temp.rows();

-- Caps
SELECT pg_temp.refused($$INSERT INTO nudge.frequency_caps (period, max_messages) VALUES ('daily', 0)$$);
SELECT pg_temp.refused($$INSERT INTO nudge.frequency_caps (period, max_messages) VALUES ('daily', -5)$$);
SELECT pg_temp.refused($$INSERT INTO nudge.frequency_caps (period, max_messages) VALUES ('daily', NULL)$$) ~ '^23502';
SELECT pg_temp.refused($$INSERT INTO nudge.frequency_caps (period, max_messages) VALUES ('hourly', 1)$$);
SELECT pg_temp.refused($$INSERT INTO nudge.frequency_caps (period, max_messages, channel) VALUES ('daily', 0, 'fax')$$);
SELECT pg_temp.refused($$INSERT INTO nudge.frequency_caps (rule_id, period, max_messages) VALUES (-1, 'daily', 1)$$);
SELECT pg_temp.refused($$INSERT INTO nudge.frequency_caps (rule_id, period, max_messages) SELECT rule_id, 'daily', 2 FROM nudge.rules WHERE name = 'reference errors'$$) ~ '^23505';
SELECT pg_temp.refused($$UPDATE nudge.frequency_caps SET max_messages = 0$$);

-- Segments
SELECT pg_temp.refused($$INSERT INTO nudge.segment_members (segment, user_id) VALUES ('reference errors none', 'u')$$);
SELECT pg_temp.refused($$DELETE FROM nudge.segments WHERE name = 'reference errors'$$);
SELECT pg_temp.refused($$TRUNCATE nudge.segments, nudge.segment_members$$);
SELECT pg_temp.refused($$INSERT INTO nudge.segments (name) VALUES ('')$$) ~ '^23514';

\echo tables whose number of rows changed:
SELECT b.relation, b.n, a.n FROM rows_before b FULL JOIN pg_temp.rows() a USING (relation) WHERE a.n IS DISTINCT FROM b.n;

-- What refers to a row goes with it; segments are followed by their new name.
CREATE FUNCTION pg_temp.referring() RETURNS text LANGUAGE sql AS $$
    SELECT format('%s conditions, %s caps, %s members, segments %s',
                  (SELECT count(*) FROM nudge.conditions c JOIN nudge.rules r USING (rule_id) WHERE r.name = 'reference errors'),
                  (SELECT count(*) FROM nudge.frequency_caps c JOIN nudge.rules r USING (rule_id) WHERE r.name = 'reference errors'),
                  (SELECT count(*) FROM nudge.segment_members m JOIN nudge.segments s ON s.name = m.segment WHERE m.user_id = 'reference_errors'),
                  (SELECT segments FROM nudge.rules WHERE name = 'reference errors'))
$$;
SELECT pg_temp.referring();
SELECT pg_temp.refused($$UPDATE nudge.rules SET rule_id = 1000000000 WHERE name = 'reference errors'$$) ~ '^23503';
UPDATE nudge.segments SET name = 'reference errors 3' WHERE name = 'reference errors';
SELECT pg_temp.referring();
DELETE FROM nudge.segments WHERE name = 'reference errors 2';
-- a rule and its conditions in one statement
WITH r AS (INSERT INTO nudge.rules (name, trigger_type) VALUES ('reference errors cte', 'behavioral') RETURNING rule_id)
INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters) SELECT rule_id, 0, 'action_type', '{"types": "a"}' FROM r;
UPDATE nudge.rules SET segments = '{}' WHERE name = 'reference errors';
DELETE FROM nudge.segments WHERE name LIKE 'reference errors%';
DELETE FROM nudge.rules WHERE name LIKE 'reference errors%';
SELECT b.relation FROM rows_before b JOIN pg_temp.rows() a USING (relation) WHERE a.n < b.n ORDER BY 1;
