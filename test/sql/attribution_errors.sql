-- What attribution refuses
SET client_min_messages = warning;
SET timezone = 'UTC';
TRUNCATE nudge.events, nudge.conversions, nudge.attribution_totals, nudge.attribution_progress, nudge.attribution_effects;
RESET client_min_messages;
\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
\set SHOW_CONTEXT never
\pset format unaligned
INSERT INTO nudge.conversions (conversion_id, user_id, value) VALUES (1, 'ann', 10);
CREATE TEMP TABLE shipped AS TABLE nudge.attribution_models;

-- Conversions and models that are not there
SELECT pg_temp.refused(s) FROM (VALUES
    ('SELECT * FROM nudge.attribute_conversion(2)'),
    ('SELECT * FROM nudge.attribute_conversion(NULL)'),
    ('SELECT * FROM nudge.attribute_conversion(1, ''none'')'),
    ('SELECT * FROM nudge.attribute_conversion(1, NULL)'),
    ('SELECT nudge.recompute_attribution(''none'')'),
    ('SELECT nudge.recompute_attribution('''')'),
    ('SELECT nudge.recompute_attribution(since => ''infinity'')'),
    ('SELECT nudge.run_attribution(NULL)'),
    ('SELECT nudge.run_attribution(''infinity'')'),
    ('SELECT nudge.run_attribution(''-infinity'')')) AS v (s);

-- Models that could not be computed
SELECT pg_temp.refused(s) FROM (VALUES
    ('INSERT INTO nudge.attribution_models (name, kind, "window") VALUES (''x'', ''shapley'', ''1 day'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window") VALUES (''x'', NULL, ''1 day'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window") VALUES ('''', ''linear'', ''1 day'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window") VALUES (repeat(''x'', 201), ''linear'', ''1 day'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window") VALUES (''linear'', ''linear'', ''1 day'')'),
    ('INSERT INTO nudge.attribution_models (name, kind) VALUES (''x'', ''linear'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window") VALUES (''x'', ''linear'', ''0'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window") VALUES (''x'', ''linear'', ''-1 day'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window") VALUES (''x'', ''linear'', ''11 years'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES (''x'', ''linear'', ''1 day'', ''{"decay": "1 day"}'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES (''x'', ''linear'', ''1 day'', ''[]'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES (''x'', ''linear'', ''1 day'', NULL)'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES (''x'', ''position_decay'', ''1 day'', ''{"half_life": 1}'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES (''x'', ''position_decay'', ''1 day'', ''{"decay": 7}'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES (''x'', ''position_decay'', ''1 day'', ''{"decay": "soon"}'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES (''x'', ''position_decay'', ''1 day'', ''{"decay": "0 days"}'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES (''x'', ''position_decay'', ''1 day'', ''{"first": "0.4"}'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES (''x'', ''position_decay'', ''1 day'', ''{"first": null}'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES (''x'', ''position_decay'', ''1 day'', ''{"floor": -0.1}'')'),
    ('INSERT INTO nudge.attribution_models (name, kind, "window", parameters) VALUES (''x'', ''position_decay'', ''1 day'', ''{"last": 1e400}'')'),
    ('UPDATE nudge.attribution_models SET kind = ''linear'' WHERE name = ''position_decay'''),
    ('UPDATE nudge.attribution_models SET "window" = NULL WHERE name = ''linear''')) AS v (s);
SELECT count(*) FROM (TABLE nudge.attribution_models EXCEPT TABLE shipped) AS changed;

-- Where nothing can be written, or not be seen, the figures can be read all the same
INSERT INTO nudge.events (user_id, event_type, message_id, rule_id) VALUES ('ann', 'delivered', 1, 7);
UPDATE nudge.conversions SET occurred_at = now() + interval '1 second';
BEGIN READ ONLY;
SELECT rule_id, revenue FROM nudge.attribution WHERE model = 'linear';
SELECT rule_id, revenue FROM nudge.attribute_conversion(1, 'linear');
SELECT nudge.run_attribution();
ROLLBACK;
BEGIN READ ONLY;
SELECT nudge.recompute_attribution();
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT rule_id, revenue FROM nudge.attribution WHERE model = 'linear';
SELECT nudge.run_attribution();
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT nudge.recompute_attribution();
ROLLBACK;

-- Who may what
CREATE ROLE attribution_analyst;
SELECT nudge.grant_access('attribution_analyst', 'analyst');
SET ROLE attribution_analyst;
SELECT rule_id, revenue FROM nudge.attribution WHERE model = 'linear';
SELECT rule_id, revenue FROM nudge.attribution_daily WHERE model = 'linear';
SELECT rule_id, revenue FROM nudge.attribute_conversion(1, 'linear');
SELECT nudge.recompute_attribution();
UPDATE nudge.attribution_models SET "window" = '1 day';
SELECT * FROM nudge.attribution_credits;
SELECT nudge.attribution_shares(NULL, '{linear}');
RESET ROLE;
SELECT nudge.revoke_access('attribution_analyst', 'analyst');
SELECT nudge.grant_access('attribution_analyst', 'marketer');
SET ROLE attribution_analyst;
INSERT INTO nudge.attribution_models (name, kind, "window") VALUES ('mine', 'position_decay', '3 days');
SELECT nudge.recompute_attribution('mine');
SELECT rule_id, revenue FROM nudge.attribution WHERE model = 'mine';
DELETE FROM nudge.attribution_models WHERE name = 'mine';
DELETE FROM nudge.attribution_totals;
RESET ROLE;
DROP OWNED BY attribution_analyst;
DROP ROLE attribution_analyst;
TRUNCATE nudge.events, nudge.conversions, nudge.attribution_totals, nudge.attribution_progress, nudge.attribution_effects;
