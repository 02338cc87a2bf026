--
-- Rules that are refused, by create_rule and by plain DML: SQLSTATE, message and
-- where the fault is; and nothing is left behind.
--
\pset format unaligned
\pset tuples_only on

\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
CREATE FUNCTION pg_temp.no_rule(config text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused(format('SELECT nudge.create_rule(%L)', config))
$$;
-- A rule that is good but for what is given
CREATE FUNCTION pg_temp.no_rule_with(config text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.no_rule(('{"name": "rule errors", "type": "behavioral"}'::jsonb || config::jsonb)::text)
$$;
CREATE FUNCTION pg_temp.rows() RETURNS TABLE (relation text, n bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR relation IN SELECT c.oid::regclass FROM pg_class c
                    WHERE c.relnamespace = 'nudge'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*) FROM %s', relation) INTO n;
        RETURN NEXT;
    END LOOP;
END
$$;
SELECT nudge.create_rule('{"name": "rule errors taken", "type": "behavioral"}') > 0;
INSERT INTO nudge.segments (name) VALUES ('rule errors segment');
CREATE TEMPORARY TABLE rows_before AS SELECT * FROM pg_temp.rows();

-- The document as a whole
SELECT pg_temp.refused('SELECT nudge.create_rule(NULL)');
SELECT pg_temp.no_rule('[]');
SELECT pg_temp.no_rule('"rule"');
SELECT pg_temp.no_rule('3');
SELECT pg_temp.no_rule('{}');
SELECT pg_temp.no_rule('{"name": null, "type": null}');
SELECT pg_temp.no_rule_with('{"nmae": "x"}');
SELECT pg_temp.no_rule('{"name": "rule errors", "type": "behavioral", "personalization_config": {"a": '
                       || repeat('[', 63) || repeat(']', 63) || '}}');
SELECT pg_temp.no_rule(repeat('[', 5000) || repeat(']', 5000));
SELECT pg_temp.no_rule('{"name": "\u0000", "type": "behavioral"}');

-- Its keys
SELECT pg_temp.no_rule_with('{"name": 3}');
SELECT pg_temp.no_rule_with('{"name": ""}');
SELECT pg_temp.no_rule_with(jsonb_build_object('name', repeat('x', 1025))::text);
SELECT pg_temp.no_rule_with('{"name": "rule errors taken"}');
SELECT pg_temp.no_rule_with('{"description": ["x"]}');
SELECT pg_temp.no_rule_with('{"type": "behavioural"}');
SELECT pg_temp.no_rule_with('{"type": 1}');
SELECT pg_temp.no_rule_with('{"template_id": "rule errors missing"}');
SELECT pg_temp.no_rule_with('{"template_id": {}}');
SELECT pg_temp.no_rule_with('{"priority": 0}');
SELECT pg_temp.no_rule_with('{"priority": 2.5}');
SELECT pg_temp.no_rule_with('{"priority": 6}');
SELECT pg_temp.no_rule_with('{"priority": "urgent"}');
SELECT pg_temp.no_rule_with('{"priority": true}');
SELECT pg_temp.no_rule_with('{"status": "on"}');
SELECT pg_temp.no_rule_with('{"delay_seconds": -1}');
SELECT pg_temp.no_rule_with('{"delay_seconds": "1 hour"}');
SELECT pg_temp.no_rule_with('{"delay_seconds": 1e10}');
SELECT pg_temp.no_rule_with('{"delay_seconds": 1e400}');
SELECT pg_temp.no_rule_with('{"delay_seconds": -1e400}');
SELECT pg_temp.no_rule_with('{"expiry_hours": 0}');
SELECT pg_temp.no_rule_with('{"expiry_hours": 1e-20}');
SELECT pg_temp.no_rule_with('{"expiry_hours": -2}');
SELECT pg_temp.no_rule_with('{"expiry_hours": 1e131071}');
SELECT pg_temp.no_rule_with('{"max_frequency": 3}');
SELECT pg_temp.no_rule_with('{"max_frequency": {"hourly": 1}}');
SELECT pg_temp.no_rule_with('{"max_frequency": {"daily": 0}}');
SELECT pg_temp.no_rule_with('{"max_frequency": {"daily": -1}}');
SELECT pg_temp.no_rule_with('{"max_frequency": {"daily": 1.5}}');
SELECT pg_temp.no_rule_with('{"max_frequency": {"daily": "1"}}');
SELECT pg_temp.no_rule_with('{"max_frequency": {"daily": 2147483648}}');
SELECT pg_temp.no_rule_with('{"max_frequency": {"daily": -1e400}}');
SELECT pg_temp.no_rule_with('{"segmentation_rules": "vip"}');
SELECT pg_temp.no_rule_with('{"segmentation_rules": ["rule errors segment", "rule errors missing"]}');
SELECT pg_temp.no_rule_with('{"segmentation_rules": {"segments": ["rule errors missing"], "any": true}}');
SELECT pg_temp.no_rule_with('{"segmentation_rules": [null, 3]}');
SELECT pg_temp.no_rule_with('{"personalization_config": []}');
SELECT pg_temp.no_rule_with('{"personalization_config": {"required": "name"}}');
SELECT pg_temp.no_rule_with('{"personalization_config": {"required": ["user.user_id", "", 3]}}');
SELECT pg_temp.no_rule_with('{"channels": "email"}');
SELECT pg_temp.no_rule_with('{"channels": []}');
SELECT pg_temp.no_rule_with('{"channels": ["email", "fax"]}');
SELECT pg_temp.no_rule_with('{"channels": ["sms", "sms"]}');
SELECT pg_temp.no_rule_with('{"cancel_on": ["purchase", ""]}');
SELECT pg_temp.no_rule_with('{"cancel_on": [1]}');
SELECT pg_temp.no_rule_with('{"conditions": {}}');
SELECT pg_temp.no_rule_with('{"conditions": ["action_type"]}');
SELECT pg_temp.no_rule_with('{"conditions": [{"parameters": {}}]}');
SELECT pg_temp.no_rule_with('{"conditions": [{"type": "action_type", "parameters": {"types": ["a"]}, "wieght": 1}]}');
SELECT pg_temp.no_rule_with('{"conditions": [{"type": "action_type", "parameters": {"types": ["a"]}, "weight": "1"}]}');

-- All faults at once, each with its path
SELECT pg_temp.no_rule('{"name": "rule errors taken", "type": "behavioral", "priority": 9, "delay_seconds": -5, "colour": "red",
    "template_id": "rule errors missing", "max_frequency": {"daily": 0},
    "conditions": [{"type": "action_type", "parameters": {"types": ["a"]}},
                   {"type": "page_visit", "operator": "like", "parameters": {"page": "/x"}, "weight": -1},
                   {"type": "jsonpath", "parameters": {"path": "$.user ? ("}}]}');

-- Plain DML
CREATE FUNCTION pg_temp.no_row(columns text, vals text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused(format('INSERT INTO nudge.rules (name, trigger_type, %s) VALUES (''rule errors'', ''behavioral'', %s)', columns, vals))
$$;
SELECT pg_temp.no_row('delay', $$'-1 second'$$);
SELECT pg_temp.no_row('delay', $$'101 years'$$);
SELECT pg_temp.no_row('delay', 'NULL') ~ '^23502';
SELECT pg_temp.no_row('expiry', $$'0'$$);
SELECT pg_temp.no_row('expiry', $$'1 month -31 days'$$);
SELECT pg_temp.no_row('channels', $$'{}'$$);
SELECT pg_temp.no_row('channels', $$'{email,NULL}'$$);
SELECT pg_temp.no_row('channels', $$'{email,letter,email}'$$);
SELECT pg_temp.no_row('cancel_on', $$'{a,NULL,""}'$$);
SELECT pg_temp.no_row('segments', $$'{rule errors missing}'$$);
SELECT pg_temp.no_row('segments', $$'{NULL}'$$);
SELECT pg_temp.no_row('personalization', $$'[]'$$);
SELECT pg_temp.no_row('personalization', $$'{"required": {"a": 1}}'$$);
SELECT pg_temp.no_row('personalization', $$('{"a": ' || repeat('[', 64) || repeat(']', 64) || '}')::jsonb$$);
SELECT pg_temp.no_row('template_id', $$'rule errors missing'$$);
SELECT pg_temp.no_row('priority', $$'urgent'$$);
SELECT pg_temp.no_row('status', $$'on'$$);
SELECT pg_temp.no_row('delay, expiry, channels', $$'-1 day', '-1 day', '{pigeon}'$$);
SELECT pg_temp.refused($$UPDATE nudge.rules SET delay = '-1 day' WHERE name = 'rule errors taken'$$);
SELECT pg_temp.refused($$UPDATE nudge.rules SET segments = '{rule errors missing}' WHERE name = 'rule errors taken'$$);
SELECT pg_temp.refused($$INSERT INTO nudge.rules (name, trigger_type) VALUES ('rule errors taken', 'behavioral')$$);
SELECT pg_temp.refused($$INSERT INTO nudge.rules (name, trigger_type) VALUES ('', 'behavioral')$$) ~ '^23514';

-- Trigger functions are for triggers.
SELECT pg_temp.refused('SELECT nudge.check_rule()');
SELECT pg_temp.refused('SELECT nudge.invalidate_rules()');
CREATE TEMPORARY TABLE other (a int);
CREATE TRIGGER other AFTER INSERT ON other EXECUTE FUNCTION nudge.check_rule();
SELECT pg_temp.refused('INSERT INTO other VALUES (1)');
DROP TRIGGER other ON other;
CREATE TRIGGER other BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION nudge.check_rule();
SELECT pg_temp.refused('INSERT INTO other VALUES (1)');

\echo tables whose number of rows changed:
SELECT b.relation, b.n, a.n FROM rows_before b FULL JOIN pg_temp.rows() a USING (relation) WHERE a.n IS DISTINCT FROM b.n;
DELETE FROM nudge.rules WHERE name LIKE 'rule errors%';
DELETE FROM nudge.segments WHERE name = 'rule errors segment';
