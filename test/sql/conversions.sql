-- Conversions: as they are reported, and as goals find them in actions
SET client_min_messages = warning;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
CREATE VIEW pg_temp.got AS
    SELECT c.user_id, c.value, c.currency, c.occurred_at, c.goal, c.idempotency_key AS key, c.metadata
    FROM nudge.conversions c WHERE c.user_id LIKE 'cv\_%' ORDER BY c.conversion_id;

-- Everything after the user has a default; a user without a row may convert
SELECT nudge.record_conversion('cv_min') IS NOT NULL AS id;
SELECT value, currency, occurred_at = recorded_at AS now, goal, action_id, idempotency_key, metadata FROM nudge.conversions WHERE user_id = 'cv_min';
SELECT nudge.record_conversion('cv_a', 12.50, 'eur', '2026-03-01 12:00', '{"order": 7}', 'order-7') AS id \gset
SELECT nudge.record_conversion('cv_a', -2.50, 'EUR', '2026-03-02 12:00', '{"refund": 7}') > :id AS another;
SELECT * FROM pg_temp.got WHERE user_id = 'cv_a';
-- Twice the same key: the same id, and nothing changes; another user's is another's, and no key is no key
SELECT nudge.record_conversion('cv_a', 99, 'USD', '2026-03-03', '{}', 'order-7') = :id AS same;
SELECT nudge.record_conversion(user_id => 'cv_a', idempotency_key => 'order-7') = :id AS same;
SELECT nudge.record_conversion('cv_b', 12.50, idempotency_key => 'order-7') <> :id AS another;
SELECT nudge.record_conversion('cv_a', 12.50, idempotency_key => 'Order-7') <> :id AS another;
SELECT nudge.record_conversion('cv_c', 5) <> nudge.record_conversion('cv_c', 5) AS two;
SELECT count(*) FROM pg_temp.got;
SELECT user_id, value, currency, key, metadata FROM pg_temp.got WHERE key = 'order-7';
-- what was rolled back was not recorded
BEGIN;
SELECT nudge.record_conversion('cv_d', 1, idempotency_key => 'k') IS NOT NULL AS id;
ROLLBACK;
SELECT nudge.record_conversion('cv_d', 2, idempotency_key => 'k') IS NOT NULL AS id;
SELECT value FROM nudge.conversions WHERE user_id = 'cv_d';
DELETE FROM nudge.conversions WHERE user_id LIKE 'cv\_%';

--
-- Goals
--
INSERT INTO nudge.conversion_goals (name, action_type) VALUES ('any signup', 'cv_signup');
INSERT INTO nudge.conversion_goals (name, action_type, filter, value_path, currency, currency_path, "window") VALUES
    ('big purchase', 'cv_purchase', '$.total >= 10', '$.total', 'eur', '$.currency', '3 days');
INSERT INTO nudge.conversion_goals (name, action_type, value_path) VALUES ('first item', 'cv_purchase', '$.items[0].price');
SELECT name, currency, "window", enabled, collected_to = now() FROM nudge.conversion_goals ORDER BY 1;
SELECT nudge.collect_conversions();
INSERT INTO nudge.actions (user_id, action_type, action_data, occurred_at) VALUES
    ('cv_a', 'cv_signup', '{}', '2026-03-01 09:00'),
    ('cv_a', 'cv_signup_more', '{}', '2026-03-01 09:00'),
    ('cv_a', 'cv_purchase', '{"total": 10, "currency": "usd", "items": [{"price": 4.5}, {"price": 5.5}]}', '2026-03-01 10:00'),
    ('cv_a', 'cv_purchase', '{"total": 9.99}', '2026-03-01 11:00'),
    ('cv_b', 'cv_purchase', '{"total": 1e15, "currency": "dollars", "items": []}', '2026-03-01 12:00'),
    ('cv_b', 'cv_purchase', '{"total": "10", "items": [{"price": "4.5"}]}', '2026-03-01 13:00'),
    ('cv_b', 'cv_purchase', '{}', '2026-03-01 14:00');
SELECT nudge.collect_conversions();
SELECT user_id, round(value, 2) > 1000 AS large, CASE WHEN value < 1000 THEN value END AS value, currency, occurred_at, goal, metadata,
    (SELECT a.occurred_at = c.occurred_at AND a.user_id = c.user_id FROM nudge.actions a WHERE a.action_id = c.action_id) AS of_action
FROM nudge.conversions c WHERE user_id LIKE 'cv\_%' ORDER BY goal, occurred_at;
-- once
SELECT nudge.collect_conversions();
INSERT INTO nudge.actions (user_id, action_type) VALUES ('cv_new', 'cv_signup');
SELECT nudge.collect_conversions(), nudge.collect_conversions();
-- not while it is disabled, but what happened meanwhile when it is enabled again
UPDATE nudge.conversion_goals SET enabled = false;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('cv_new', 'cv_signup');
SELECT nudge.collect_conversions();
UPDATE nudge.conversion_goals SET enabled = true;
SELECT nudge.collect_conversions();

-- What a filter is: the first thing that it finds
CREATE FUNCTION pg_temp.filter(path jsonpath, VARIADIC data jsonb[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM nudge.actions WHERE user_id = 'cv_filter';
    DELETE FROM nudge.conversion_goals;
    INSERT INTO nudge.conversion_goals (name, action_type, filter) VALUES ('filter', 'cv_filter', path);
    INSERT INTO nudge.actions (user_id, action_type, action_data) SELECT 'cv_filter', 'cv_filter', d FROM unnest(data) AS d;
    PERFORM nudge.collect_conversions();
    RETURN QUERY SELECT path || '  ' || a.action_data || '  ' || (c.action_id IS NOT NULL)::text
        FROM nudge.actions a LEFT JOIN nudge.conversions c USING (action_id) WHERE a.user_id = 'cv_filter' ORDER BY a.action_id;
END
$$;
BEGIN;
SELECT pg_temp.filter('$.plan == "pro"', '{"plan": "pro"}', '{"plan": "free"}', '{"plan": {"pro": 1}}', '{}');
SELECT pg_temp.filter('$.total ? (@ > 5)', '{"total": 6}', '{"total": 5}', '{"total": "6"}');
SELECT pg_temp.filter('$.ok', '{"ok": true}', '{"ok": false}', '{"ok": null}', '{"ok": 0}');
SELECT pg_temp.filter('$.at.datetime() > "2026-01-01T00:00:00+00".datetime()', '{"at": "2026-03-01T00:00:00+00"}', '{"at": "2026-03-01"}', '{"at": "soon"}');
SELECT pg_temp.filter('$.a / 0 > 1', '{"a": 1}');
SELECT pg_temp.filter('$.price == "US$"', '{"price": "US$"}');
ROLLBACK;
-- a document that is nested too deeply counts for nothing, and holds back no other
BEGIN;
DELETE FROM nudge.conversion_goals;
INSERT INTO nudge.conversion_goals (name, action_type, filter) VALUES ('deep', 'cv_deep', '$.**.x == 1');
INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES
    ('cv_deep', 'cv_deep', (repeat('{"a":', 5000) || '{"x": 1}' || repeat('}', 5000))::jsonb), ('cv_deep', 'cv_deep', '{"a": {"x": 1}}');
SELECT nudge.collect_conversions();
ROLLBACK;

-- What is counted has been collected before
BEGIN;
INSERT INTO nudge.conversion_goals (name, action_type, value_path) VALUES ('counted', 'cv_counted', '$.total');
INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('cv_counted', 'cv_counted', '{"total": 5}');
SELECT nudge.rollup() IS NOT NULL AS counted;
SELECT value FROM nudge.conversions WHERE user_id = 'cv_counted';
ROLLBACK;
-- nor does a value that figures could not be added up with, or a time that no window can be put around
BEGIN;
DELETE FROM nudge.conversion_goals;
INSERT INTO nudge.conversion_goals (name, action_type, value_path) VALUES ('big', 'cv_big', '$.total');
INSERT INTO nudge.actions (user_id, action_type, action_data)
SELECT 'cv_big' || n, 'cv_big', jsonb_build_object('total', total)
FROM unnest('{1e30,1e31,-1e400,1e-30,1e-400}'::numeric[]) WITH ORDINALITY AS v (total, n);
SELECT nudge.collect_conversions();
SELECT user_id, trim_scale(value) AS value, metadata FROM nudge.conversions WHERE goal = 'big' ORDER BY user_id;
INSERT INTO nudge.actions (user_id, action_type, occurred_at) VALUES ('cv_old', 'cv_big', '4714-11-24 00:00+00 BC'), ('cv_young', 'cv_big', '294276-12-31 00:00+00');
SELECT nudge.collect_conversions();
SELECT user_id, occurred_at FROM nudge.conversions WHERE user_id IN ('cv_old', 'cv_young') ORDER BY user_id;
SELECT count(*) FROM nudge.conversion_touches;
SELECT count(*) FROM nudge.attribution WHERE revenue > 0;
ROLLBACK;

-- History is taken in where that is asked for, a day at a time, and never twice
DELETE FROM nudge.conversion_goals;
INSERT INTO nudge.actions (user_id, action_type, recorded_at) SELECT 'cv_old', 'cv_old', now() - n * interval '1 day' FROM unnest('{1,5,5.5,40,100}'::numeric[]) AS n;
INSERT INTO nudge.conversion_goals (name, action_type) VALUES ('old', 'cv_old');
SELECT nudge.collect_conversions();
UPDATE nudge.conversion_goals SET collected_to = '-infinity';
CREATE FUNCTION pg_temp.collected() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    total bigint := 0;
BEGIN
    -- (the last ten seconds, or what others have not committed, are looked at each time)
    FOR n IN 1 .. 20 LOOP
        total := total + nudge.collect_conversions();
    END LOOP;
    RETURN total;
END
$$;
SELECT pg_temp.collected() AS but_what_is_past_retention;
UPDATE nudge.conversion_goals SET collected_to = '2000-01-01';
SELECT pg_temp.collected();
SELECT count(*), count(DISTINCT action_id) FROM nudge.conversions WHERE goal = 'old';
SELECT collected_to BETWEEN now() - interval '1 day' AND clock_timestamp() AS caught_up FROM nudge.conversion_goals;

-- Retention
INSERT INTO nudge.conversions (user_id, recorded_at, value) VALUES ('cv_past', now() - interval '91 days', 91), ('cv_past', now() - interval '89 days', 89);
SELECT nudge.prune_conversions() > 0 AS pruned;
SELECT value AS days_old FROM nudge.conversions WHERE user_id = 'cv_past';
SELECT nudge.prune_conversions(clock_timestamp() + interval '2 days') > 0 AS pruned;
SELECT count(*) FROM nudge.conversions WHERE user_id = 'cv_past';

-- Who may do what
CREATE ROLE cv_app;
CREATE ROLE cv_executor;
SELECT nudge.grant_access('cv_app', 'app'), nudge.grant_access('cv_executor', 'executor');
SET ROLE cv_app;
SELECT nudge.record_conversion('cv_role', 5, 'EUR') IS NOT NULL AS allowed;
SELECT count(*) FROM nudge.conversions;
SELECT nudge.collect_conversions();
SET ROLE cv_executor;
SELECT nudge.collect_conversions() IS NOT NULL AS allowed, nudge.prune_conversions() IS NOT NULL AS allowed;
SELECT nudge.record_conversion('cv_role', 5, 'EUR');
RESET ROLE;
SELECT nudge.revoke_access('cv_app', 'app'), nudge.revoke_access('cv_executor', 'executor');
DROP ROLE cv_app, cv_executor;

DELETE FROM nudge.conversion_goals;
DELETE FROM nudge.conversions WHERE user_id LIKE 'cv\_%';
DELETE FROM nudge.actions WHERE user_id LIKE 'cv\_%';
