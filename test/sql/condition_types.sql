--
-- Conditions on what users did, where and when they are, what changed, what they made
-- of messages: what each operator means, at its edges.
--
-- Each case is a rule of its own.  It is created, evaluated for one user and one
-- action, and compared with what is expected; only differences are printed.
--
SET timezone = 'UTC';
BEGIN;

INSERT INTO nudge.users (user_id, timezone, profile, lifecycle_stage) VALUES
    ('ann', 'Europe/London', '{"location": {"lat": 52.52, "lon": 13.405, "country": "de", "region": "DE-BE"}}', 'active'),
    ('bob', NULL, '{"location": {"country": "FR", "region": "75"}}', NULL),
    ('cyd', NULL, '{"location": {"lat": "north", "lon": 1}}', 'churned'),
    ('dan', NULL, '{}', NULL),
    ('kai', NULL, '{"location": {"lat": -16.5, "lon": 179.9}}', NULL),	-- Fiji, at the antimeridian
    ('pol', NULL, '{"location": {"lat": 89.9, "lon": -100}}', NULL);
INSERT INTO nudge.segments (name) VALUES ('vips'), ('nobody');
INSERT INTO nudge.segment_members (segment, user_id) VALUES ('vips', 'ann');

-- ann's history; recorded when it occurred, but for the last two rows
INSERT INTO nudge.actions (user_id, action_type, action_data, context, occurred_at, recorded_at)
SELECT 'ann', v.type, v.data::jsonb, '{"device": "phone"}', now() - v.ago::interval, now() - v.ago::interval
FROM (VALUES
    ('page_view', '{"category": "shoes", "price": 10}', '1 hour'),
    ('page_view', '{"category": "shoes", "price": 90}', '5 hours'),
    ('page_view', '{"category": "hats"}', '1 day'),
    ('page_view', '{"category": "shoes", "price": "x"}', '47 hours'),
    ('page_view', '{"category": "shoes"}', '2 days'),
    ('page_view', '{"category": "shoes"}', '2 days 00:00:00.000001'),
    ('page_view', '{}', '30 days'),
    ('login', '{}', '7 days'),
    ('purchase', '{"order": {"total": 50}}', '8 days')) AS v (type, data, ago);
INSERT INTO nudge.actions (user_id, action_type, occurred_at, recorded_at) VALUES
    ('ann', 'imported', now() - interval '9 days', now() - interval '1 hour'),	-- late
    ('ann', 'early', now() - interval '1 hour', now() - interval '9 days'),	-- before its time
    ('ann', 'deep', now() - interval '1 hour', now() - interval '1 hour');
UPDATE nudge.actions SET action_data = ('{"a":' || repeat('[', 300) || repeat(']', 300) || '}')::jsonb WHERE action_type = 'deep';

-- What users made of messages
SELECT nudge.create_rule(jsonb_build_object('name', name, 'type', 'behavioral')) > 0 FROM unnest('{letter,card,never}'::text[]) AS name;
INSERT INTO nudge.events (user_id, event_type, rule_id, message_id, flag, occurred_at, recorded_at)
SELECT v.user_id, v.event, r.rule_id, v.message, v.flag, now() - v.ago::interval, now() - v.ago::interval
FROM (VALUES
    ('ann', 'sent', 'letter', 1, NULL, '6 days'), ('ann', 'opened', 'letter', 1, NULL, '5 days'),
    ('ann', 'sent', 'letter', 2, NULL, '2 days'),
    ('ann', 'sent', 'card', 3, NULL, '3 days'), ('ann', 'clicked', 'card', 3, NULL, '3 days'),
    ('bob', 'sent', 'letter', 4, NULL, '1 day'), ('bob', 'opened', 'letter', 4, 'machine', '1 day'),
    ('bob', 'executed', 'card', 5, NULL, '1 day'),
    ('dan', 'opened', 'letter', 6, NULL, '7 days')) AS v (user_id, event, rule, message, flag, ago)
JOIN nudge.rules r ON r.name = v.rule;

CREATE TEMP TABLE cases (
    n int GENERATED ALWAYS AS IDENTITY,
    type text,
    operator text,
    parameters jsonb,
    matched boolean,
    user_id text DEFAULT 'ann',
    action_type text DEFAULT 'page_view',
    action_data jsonb DEFAULT '{"category": "shoes"}',
    context jsonb DEFAULT '{}');

-- action_count: the action in hand, of type page_view, is itself one
INSERT INTO cases (type, operator, parameters, matched) VALUES
    ('action_count', NULL, '{"action_type": "page_view"}', true),
    ('action_count', NULL, '{"action_type": "purchase"}', true),
    ('action_count', NULL, '{"action_type": "never"}', false),
    ('action_count', NULL, '{"action_type": "purchase", "within": "7 days"}', false),
    ('action_count', NULL, '{"action_type": "purchase", "within": "8 days"}', true),
    ('action_count', NULL, '{"action_type": "purchase", "within": "1 week 1 day"}', true),
    ('action_count', NULL, '{"action_type": "purchase", "within": 11520}', true),	-- minutes
    ('action_count', NULL, '{"action_type": "purchase", "within": 11519.9}', false),
    ('action_count', 'did_not', '{"action_type": "never"}', true),
    ('action_count', 'did_not', '{"action_type": "purchase"}', false),
    ('action_count', 'did_not', '{"action_type": "login", "within": "7 days"}', false),	-- just within
    ('action_count', 'did_not', '{"action_type": "login", "within": "6 days 23:59:59.999999"}', true),
    ('action_count', 'exists', '{"action_type": "login"}', true),
    ('action_count', 'not_exists', '{"action_type": "login"}', false),
    ('action_count', NULL, '{"action_type": "never", "max": 0}', true),
    ('action_count', NULL, '{"action_type": "login", "max": 0}', false),
    -- within two days: five and the one in hand, the edge included
    ('action_count', NULL, '{"action_type": "page_view", "within": "2 days", "min": 3}', true),
    ('action_count', NULL, '{"action_type": "page_view", "within": "2 days", "min": 6}', true),
    ('action_count', NULL, '{"action_type": "page_view", "within": "2 days", "min": 7}', false),
    ('action_count', NULL, '{"action_type": "page_view", "within": "2 days", "max": 6}', true),
    ('action_count', NULL, '{"action_type": "page_view", "within": "2 days", "max": 5}', false),
    ('action_count', NULL, '{"action_type": "page_view", "within": "2 days", "count": 6}', true),
    ('action_count', NULL, '{"action_type": "page_view", "within": "2 days", "count": 5}', false),
    ('action_count', 'in_range', '{"action_type": "page_view", "within": "2 days", "min": 1, "max": 6}', true),
    ('action_count', 'in_range', '{"action_type": "page_view", "within": "2 days", "min": 7, "max": 9}', false),
    ('action_count', 'did_not', '{"action_type": "page_view", "within": "2 days", "min": 7}', true),
    ('action_count', 'did_not', '{"action_type": "page_view", "within": "2 days", "min": 6}', false),
    ('action_count', 'equals', '{"action_type": "page_view", "count": 8}', true),
    ('action_count', 'equals', '{"action_type": "page_view", "count": 9}', false),
    ('action_count', 'equals', '{"action_type": "never", "count": 0}', true),
    ('action_count', 'not_equals', '{"action_type": "page_view", "count": 8}', false),
    ('action_count', 'not_equals', '{"action_type": "never", "count": 0}', false),
    ('action_count', 'greater_than', '{"action_type": "page_view", "count": 7}', true),
    ('action_count', 'greater_than', '{"action_type": "page_view", "count": 8}', false),
    ('action_count', 'at_least', '{"action_type": "page_view", "count": 8}', true),
    ('action_count', 'at_least', '{"action_type": "page_view", "min": 9}', false),
    ('action_count', 'at_most', '{"action_type": "page_view", "count": 8}', true),
    ('action_count', 'at_most', '{"action_type": "page_view", "max": 7}', false),
    ('action_count', 'less_than', '{"action_type": "page_view", "count": 9}', true),
    ('action_count', 'less_than', '{"action_type": "page_view", "count": 8}', false),
    ('action_count', 'less_than', '{"action_type": "never", "count": 0}', false),
    ('action_count', 'at_least', '{"action_type": "never", "count": 0}', true),
    -- several types, each counted once
    ('action_count', 'equals', '{"action_type": ["login", "purchase", "login"], "count": 2}', true),
    ('action_count', 'equals', '{"action_type": ["login", "purchase"], "within": "7 days", "count": 1}', true),
    -- both when it occurred and when it was recorded must be within
    ('action_count', NULL, '{"action_type": "imported", "within": "1 day"}', false),
    ('action_count', NULL, '{"action_type": "early", "within": "1 day"}', false),
    ('action_count', NULL, '{"action_type": "imported", "within": "9 days"}', true),
    ('action_count', NULL, '{"action_type": "early", "within": "9 days"}', true),
    -- where: of the past action's data
    ('action_count', 'equals', '{"action_type": "page_view", "count": 6, "where": "$.category == \"shoes\""}', true),
    ('action_count', 'equals', '{"action_type": "page_view", "count": 1, "where": "$.price > 50"}', true),	-- "x" is an error inside: no
    ('action_count', 'equals', '{"action_type": "page_view", "count": 1, "where": "exists($.price ? (@ == 10))"}', true),
    ('action_count', NULL, '{"action_type": "page_view", "where": "$.category"}', false),	-- no predicate
    ('action_count', NULL, '{"action_type": "purchase", "where": "$.order.total >= 50"}', true),
    ('action_count', 'did_not', '{"action_type": "purchase", "where": "$.order.total > 50"}', true),
    ('action_count', 'equals', '{"action_type": "page_view", "count": 7, "where": "$.context.device == \"phone\""}', true),
    ('action_count', 'equals', '{"action_type": "page_view", "count": 1, "where": "$.action.data.price == 90"}', true),
    ('action_count', 'equals', '{"action_type": ["page_view", "login"], "count": 1, "where": "$.action_type == \"login\""}', true),
    ('action_count', NULL, '{"action_type": "page_view", "within": "200000 years"}', true);

-- The action in hand is a past action to none but conditions on its own type.
INSERT INTO cases (type, operator, parameters, matched, action_type, action_data) VALUES
    ('action_count', 'equals', '{"action_type": "page_view", "count": 7}', true, 'other', '{}'),
    ('action_count', NULL, '{"action_type": "other", "where": "$.a == 1"}', true, 'other', '{"a": 1}'),
    ('action_count', NULL, '{"action_type": "other", "where": "$.a == 1"}', false, 'other', '{"a": 2}'),
    -- the data's own key comes before the past action's context
    ('action_count', NULL, '{"action_type": "other", "where": "$.context == 5"}', true, 'other', '{"context": 5}');
-- A user without history
INSERT INTO cases (type, operator, parameters, matched, user_id, action_type) VALUES
    ('action_count', NULL, '{"action_type": "page_view"}', false, 'new', 'x'),
    ('action_count', 'did_not', '{"action_type": "page_view"}', true, 'new', 'x'),
    ('action_count', NULL, '{"action_type": "x", "count": 1}', true, 'new', 'x');

-- segment
INSERT INTO cases (type, operator, parameters, matched, user_id) VALUES
    ('segment', NULL, '{"segment": "vips"}', true, 'ann'),
    ('segment', 'equals', '{"value": "vips"}', true, 'ann'),
    ('segment', NULL, '{"segment": "vips"}', false, 'bob'),
    ('segment', 'not_equals', '{"segment": "vips"}', false, 'ann'),
    ('segment', 'not_equals', '{"segment": "nobody"}', true, 'ann');

-- lifecycle_stage; a user without one is in none
INSERT INTO cases (type, operator, parameters, matched, user_id) VALUES
    ('lifecycle_stage', NULL, '{"stage": "active"}', true, 'ann'),
    ('lifecycle_stage', NULL, '{"stage": "new"}', false, 'ann'),
    ('lifecycle_stage', NULL, '{"stages": ["new", "active"]}', true, 'ann'),
    ('lifecycle_stage', 'in', '{"stages": ["new", "active"]}', true, 'ann'),
    ('lifecycle_stage', 'not_in', '{"stages": ["new", "active"]}', false, 'ann'),
    ('lifecycle_stage', 'not_equals', '{"stage": "active"}', true, 'cyd'),
    ('lifecycle_stage', NULL, '{"stage": "active"}', false, 'bob'),
    ('lifecycle_stage', 'not_equals', '{"stage": "active"}', true, 'bob'),
    ('lifecycle_stage', 'not_in', '{"stages": ["active"]}', true, 'unknown');

-- attribute_change
INSERT INTO cases (type, operator, parameters, matched, action_data)
SELECT 'attribute_change', v.operator, v.parameters::jsonb, v.matched,
       '{"changed": {"profile.tier": {"old": "silver", "new": "gold"}, "price": {"old": 10, "new": 7.5},
                     "stock": {"old": null, "new": 3}, "left": {"old": 4}, "same": {"old": 1, "new": 1.0},
                     "vip": {"old": false, "new": true}, "note": {"old": "a", "new": 2},
                     "profile": {"old": {"city": "Oslo", "age": 41, "a": {"b": 1}}, "new": {"city": "Oslo", "age": 42}},
                     "huge": {"old": -9e131071, "new": 9e131071}, "odd": 5, "tags": {"old": ["a"], "new": ["a", "b"]}}}'
FROM (VALUES
    (NULL, '{"attribute": "profile.tier"}', true),
    (NULL, '{"attribute": "profile.email"}', false),
    (NULL, '{"attribute": "price"}', true),
    (NULL, '{"attribute": "same"}', false),
    (NULL, '{"attribute": "odd"}', false),
    (NULL, '{"attribute": "tags"}', true),
    (NULL, '{"attribute": "stock"}', true),
    (NULL, '{"attribute": "left"}', true),
    (NULL, '{"attribute": "nothing"}', false),
    (NULL, '{"attribute": "profile.tier", "from": "silver", "to": "gold"}', true),
    (NULL, '{"attribute": "profile.tier", "from": "bronze", "to": "gold"}', false),
    ('changed_to', '{"attribute": "profile.tier", "to": "gold"}', true),
    ('changed_to', '{"attribute": "profile.tier", "to": "silver"}', false),
    ('changed_to', '{"attribute": "vip", "to": true}', true),
    ('changed_to', '{"attribute": "price", "to": 7.50}', true),
    ('changed_to', '{"attribute": "price", "to": "7.5"}', false),
    ('changed_to', '{"attribute": "left", "to": null}', true),
    ('changed_from', '{"attribute": "stock", "from": null}', true),
    ('changed_from', '{"attribute": "profile.tier", "from": "silver"}', true),
    ('changed_from', '{"attribute": "profile.tier", "from": "silver", "to": "new"}', false),
    ('decreased', '{"attribute": "price"}', true),
    ('increased', '{"attribute": "price"}', false),
    ('decreased', '{"attribute": "price", "min_change": 2.5}', true),
    ('decreased', '{"attribute": "price", "min_change": 2.51}', false),
    (NULL, '{"attribute": "price", "min_change": 2.5}', true),
    (NULL, '{"attribute": "price", "min_change": 3}', false),
    ('increased', '{"attribute": "stock"}', false),	-- from nothing is no increase
    ('increased', '{"attribute": "huge", "min_change": 1e9}', true),
    ('increased', '{"attribute": "note"}', false),	-- cannot be computed
    -- a key may end before a dot; the rest is a path inside of old and new
    ('increased', '{"attribute": "profile.age", "min_change": 1}', true),
    (NULL, '{"attribute": "profile.city"}', false),
    (NULL, '{"attribute": "profile.a.b"}', true),
    (NULL, '{"attribute": "profile.a.c"}', false)) AS v (operator, parameters, matched);
INSERT INTO cases (type, parameters, matched, action_data) VALUES
    ('attribute_change', '{"attribute": "x"}', false, '{}'),
    ('attribute_change', '{"attribute": "x"}', false, '{"changed": 5}'),
    ('attribute_change', '{"attribute": "x"}', false, '{"changed": {"x": null}}');

-- location: Berlin (52.52, 13.405) to Paris (48.8566, 2.3522) is 877.46 km
INSERT INTO cases (type, operator, parameters, matched, user_id) VALUES
    ('location', NULL, '{"lat": 48.8566, "lon": 2.3522, "radius_km": 878}', true, 'ann'),
    ('location', NULL, '{"lat": 48.8566, "lon": 2.3522, "radius_km": 877}', false, 'ann'),
    ('location', 'not_in', '{"lat": 48.8566, "lon": 2.3522, "radius_km": 877}', true, 'ann'),
    ('location', 'not_in', '{"lat": 48.8566, "lon": 2.3522, "radius_km": 878}', false, 'ann'),
    ('location', NULL, '{"lat": 52.52, "lon": 13.405, "radius_km": 0.001}', true, 'ann'),
    ('location', NULL, '{"lat": -52.52, "lon": -166.595, "radius_km": 20015}', false, 'ann'),	-- the antipode is 20015.1 km away
    ('location', NULL, '{"lat": -52.52, "lon": -166.595, "radius_km": 20100}', true, 'ann'),
    -- over the antimeridian: 0.2 degrees are 21.3 km here
    ('location', NULL, '{"lat": -16.5, "lon": -179.9, "radius_km": 22}', true, 'kai'),
    ('location', NULL, '{"lat": -16.5, "lon": -179.9, "radius_km": 21}', false, 'kai'),
    ('location', NULL, '{"lat": -16.5, "lon": 180, "radius_km": 11}', true, 'kai'),
    ('location', NULL, '{"lat": -16.5, "lon": -180, "radius_km": 11}', true, 'kai'),
    -- over the pole: 0.2 degrees of latitude are 22.2 km
    ('location', NULL, '{"lat": 89.9, "lon": 80, "radius_km": 22.3}', true, 'pol'),
    ('location', NULL, '{"lat": 89.9, "lon": 80, "radius_km": 22.1}', false, 'pol'),
    ('location', NULL, '{"lat": 90, "lon": 0, "radius_km": 11.2}', true, 'pol'),
    -- codes
    ('location', NULL, '{"countries": ["AT", "DE"]}', true, 'ann'),
    ('location', NULL, '{"countries": "de"}', true, 'ann'),
    ('location', NULL, '{"countries": ["AT"]}', false, 'ann'),
    ('location', 'not_in', '{"countries": ["AT"]}', true, 'ann'),
    ('location', 'not_in', '{"countries": ["DE"]}', false, 'ann'),
    ('location', NULL, '{"regions": ["de-be"]}', true, 'ann'),
    ('location', NULL, '{"regions": ["BE"]}', false, 'ann'),	-- Belgium, perhaps
    ('location', NULL, '{"regions": ["FR-75"]}', true, 'bob'),	-- region 75 of country FR
    ('location', NULL, '{"regions": ["75"]}', true, 'bob'),
    ('location', NULL, '{"regions": ["DE-75"]}', false, 'bob'),
    ('location', NULL, '{"countries": ["AT"], "regions": ["FR-75"]}', true, 'bob'),
    -- unknown: in no place
    ('location', NULL, '{"countries": ["DE"]}', false, 'dan'),
    ('location', 'not_in', '{"countries": ["DE"]}', true, 'dan'),
    ('location', NULL, '{"countries": ["DE"]}', false, 'unknown'),
    ('location', 'not_in', '{"countries": ["DE"]}', true, 'unknown'),
    ('location', 'not_in', '{"lat": 0, "lon": 0, "radius_km": 20100}', true, 'bob'),	-- a country is no point
    -- nonsense cannot be computed
    ('location', NULL, '{"lat": 0, "lon": 0, "radius_km": 20100}', false, 'cyd'),
    ('location', 'not_in', '{"lat": 0, "lon": 0, "radius_km": 1}', false, 'cyd');
-- What the action says goes before the profile, and its context before its data.
INSERT INTO cases (type, parameters, matched, action_data, context) VALUES
    ('location', '{"countries": ["FR"]}', true, '{"location": {"country": "FR"}}', '{}'),
    ('location', '{"countries": ["FR"]}', false, '{"location": {"country": "FR"}}', '{"location": {"country": "ES"}}'),
    ('location', '{"countries": ["ES"]}', true, '{"location": {"country": "FR"}}', '{"location": {"country": "ES"}}'),
    ('location', '{"lat": 48.8, "lon": 2.3, "radius_km": 10}', true, '{"location": {"lat": 48.8566, "lon": 2.3522}}', '{}'),
    -- one that has not what is asked for is passed over
    ('location', '{"lat": 52.5, "lon": 13.4, "radius_km": 10}', true, '{"location": {"country": "FR"}}', '{"location": "here"}'),
    ('location', '{"lat": 52.5, "lon": 13.4, "radius_km": 10}', false, '{"location": {"lat": 152.5, "lon": 13.4}}', '{}');

-- message_engagement
INSERT INTO cases (type, operator, parameters, matched, user_id) VALUES
    ('message_engagement', NULL, '{"rule": "letter"}', true, 'ann'),
    ('message_engagement', 'opened', '{"rule": "letter", "within": "5 days"}', true, 'ann'),
    ('message_engagement', 'opened', '{"rule": "letter", "within": "4 days 23:59:59"}', false, 'ann'),
    ('message_engagement', 'clicked', '{"rule": "letter"}', false, 'ann'),
    ('message_engagement', 'clicked', '{"rule": "card", "within": "3 days"}', true, 'ann'),
    ('message_engagement', 'opened', '{"rule": "card"}', false, 'ann'),
    ('message_engagement', 'opened', '{"rule": "never"}', false, 'ann'),
    ('message_engagement', 'ignored', '{"rule": "letter"}', false, 'ann'),
    ('message_engagement', 'ignored', '{"rule": "letter", "within": "3 days"}', true, 'ann'),
    ('message_engagement', 'ignored', '{"rule": "letter", "within": "1 day"}', false, 'ann'),	-- nothing was sent
    ('message_engagement', 'ignored', '{"rule": "card"}', false, 'ann'),
    ('message_engagement', 'ignored', '{"rule": "never"}', false, 'ann'),
    ('message_engagement', 'opened', '{"rule": "letter"}', false, 'bob'),	-- a machine did
    ('message_engagement', 'ignored', '{"rule": "letter"}', true, 'bob'),
    ('message_engagement', 'ignored', '{"rule": "card"}', false, 'bob'),	-- not sent yet
    ('message_engagement', 'opened', '{"rule": "letter"}', true, 'dan'),
    ('message_engagement', 'opened', '{"rule": "letter"}', false, 'unknown');

CREATE TEMP TABLE outcomes AS
SELECT c.*, nudge.create_rule(jsonb_build_object('name', 'case ' || n, 'type', 'behavioral',
    'conditions', jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('type', type, 'operator', operator))
                                    || jsonb_build_object('parameters', parameters)))) AS rule_id
FROM cases c;

SELECT count(*) > 170 AS enough_cases FROM outcomes;
SELECT o.n, o.type, o.operator, o.parameters, o.user_id, o.matched AS expected, e.matched
FROM outcomes o
CROSS JOIN LATERAL nudge.evaluate(o.user_id, o.action_type, o.action_data, now(), o.context) e
WHERE e.rule_id = o.rule_id AND e.matched <> o.matched
ORDER BY o.n;
-- by id instead of by name
SELECT nudge.create_rule(jsonb_build_object('name', 'by id', 'type', 'behavioral', 'conditions', jsonb_build_array(
    jsonb_build_object('type', 'message_engagement', 'parameters', jsonb_build_object('rule_id', rule_id))))) AS by_id
FROM nudge.rules WHERE name = 'letter' \gset
SELECT u.id, e.matched FROM unnest('{ann,bob}'::text[]) AS u (id) CROSS JOIN nudge.evaluate(u.id, 'x') e
WHERE e.rule_id = :by_id ORDER BY 1;

-- What cannot be computed is told, once for a rule.
SELECT nudge.create_rule('{"name": "too deep", "type": "behavioral", "conditions": [
    {"type": "action_count", "parameters": {"action_type": "deep", "where": "$.x == 1"}}]}') > 0 AS created;
SELECT nudge.register_action('cyd', 'page_view') IS NOT NULL AS registered;
SELECT nudge.register_action('ann', 'x', '{"changed": {"note": {"old": "a", "new": 2}}}') IS NOT NULL AS registered;
SELECT DISTINCT e.user_id, o.type, e.reason
FROM nudge.events e JOIN nudge.rules r USING (rule_id) LEFT JOIN outcomes o USING (rule_id)
WHERE e.event_type = 'evaluation_error' ORDER BY 1, 2, 3;

-- The trigger finds through its index what evaluate() finds rule by rule.
CREATE TEMP TABLE tried AS
SELECT row_number() OVER () AS n, a.* FROM
    (SELECT DISTINCT user_id, action_type, action_data, context FROM cases) a;
CREATE TEMP TABLE compared AS
SELECT t.n,
       (SELECT coalesce(array_agg(e.rule_id ORDER BY e.rule_id), '{}')
        FROM nudge.evaluate(t.user_id, t.action_type, t.action_data, now(), t.context) e WHERE e.matched) AS expected,
       nudge.register_action(t.user_id, t.action_type, t.action_data, now(), t.context) AS fired
FROM tried t;
SELECT count(*) > 10 AS enough_actions, sum(cardinality(expected)) > 1000 AS enough_matches FROM compared;
SELECT * FROM compared WHERE expected IS DISTINCT FROM fired;
ROLLBACK;

--
-- local_time is about now; all hours of a week are tried by zones around the world
-- and by windows of all kinds, against the same in SQL.
--
BEGIN;
CREATE TEMP TABLE windows AS
SELECT row_number() OVER () AS n, f.h AS from_hour, t.h AS to_hour, d.days
FROM (VALUES (0), (6), (13), (22)) AS f (h)
CROSS JOIN (VALUES (1), (6), (14), (24)) AS t (h)
CROSS JOIN (VALUES ('{mon,tue,wed,thu,fri,sat,sun}'::text[]), ('{mon,wed,fri,sun}'), ('{tue,thu,sat}')) AS d (days)
WHERE f.h <> t.h;
INSERT INTO nudge.users (user_id, timezone)
SELECT name, name FROM pg_timezone_names
WHERE name ~ '^(Etc/GMT|Europe/L|America/[SN]|Australia/L|Asia/K|Pacific/(A|C|K))';
INSERT INTO nudge.users (user_id) VALUES ('in UTC');
CREATE TEMP TABLE created AS
SELECT w.*, o.operator, nudge.create_rule(jsonb_build_object('name', o.operator || w.n, 'type', 'behavioral', 'conditions', jsonb_build_array(
    jsonb_build_object('type', 'local_time', 'operator', o.operator, 'parameters', jsonb_build_object(
        'from', to_char(from_hour, 'FM00') || ':00', 'to', to_char(to_hour, 'FM00') || ':00', 'days', days))))) AS rule_id
FROM windows w CROSS JOIN unnest('{within,not_in}'::text[]) AS o (operator);
CREATE TEMP TABLE results AS
SELECT c.*, u.user_id, e.matched,
       -- the window, if it began today or yesterday
       (SELECT bool_or(to_char(began.day, 'dy') = ANY (c.days)
                       AND l.t >= began.day + make_interval(hours => c.from_hour)
                       AND l.t < began.day + make_interval(hours => c.to_hour + CASE WHEN c.to_hour < c.from_hour THEN 24 ELSE 0 END))
        FROM (VALUES (date_trunc('day', l.t)), (date_trunc('day', l.t) - interval '1 day')) AS began (day)) AS expected
FROM nudge.users u
CROSS JOIN LATERAL (SELECT now() AT TIME ZONE coalesce(u.timezone, 'UTC')) AS l (t)
CROSS JOIN LATERAL nudge.evaluate(u.user_id, 'x') e
JOIN created c USING (rule_id);
SELECT count(*) > 5000 AS enough, count(*) FILTER (WHERE matched) > 1000 AS enough_matches,
       count(*) FILTER (WHERE matched IS DISTINCT FROM (expected = (operator = 'within'))) AS differences
FROM results;
-- without days: every day; without times: the whole day
SELECT nudge.create_rule('{"name": "morning", "type": "behavioral", "conditions": [{"type": "local_time", "parameters": {"to": "12:00"}}]}') AS morning \gset
SELECT nudge.create_rule('{"name": "afternoon", "type": "behavioral", "conditions": [{"type": "local_time", "parameters": {"from": "12:00"}}]}') AS afternoon \gset
SELECT nudge.create_rule('{"name": "weekend", "type": "behavioral", "conditions": [{"type": "local_time", "parameters": {"days": ["sat", "Sun"]}}]}') AS weekend \gset
SELECT bool_and(CASE rule_id WHEN :morning THEN matched = (l.t::time < '12:00') WHEN :afternoon THEN matched = (l.t::time >= '12:00')
                WHEN :weekend THEN matched = (extract(isodow FROM l.t) > 5) END) AS agrees
FROM nudge.users u CROSS JOIN LATERAL (SELECT now() AT TIME ZONE coalesce(u.timezone, 'UTC')) AS l (t)
CROSS JOIN LATERAL nudge.evaluate(u.user_id, 'x') e WHERE rule_id IN (:morning, :afternoon, :weekend);
ROLLBACK;

--
-- A history ends with the action in hand: many rows of one statement fire what they
-- would one by one.
--
BEGIN;
SELECT nudge.create_rule(jsonb_build_object('name', v.name, 'type', 'behavioral', 'conditions', v.conditions::jsonb)) > 0 AS created
FROM (VALUES
    ('first two', '[{"type": "action_count", "parameters": {"action_type": "a", "max": 2}}, {"type": "action_type", "parameters": {"types": "a"}}]'),
    ('third on', '[{"type": "action_count", "parameters": {"action_type": "a", "min": 3}}]'),
    ('third a', '[{"type": "action_count", "parameters": {"action_type": "a", "count": 3}}]'),
    ('no b', '[{"type": "action_count", "operator": "did_not", "parameters": {"action_type": "b"}}]'),
    ('two red', '[{"type": "action_count", "parameters": {"action_type": ["a", "b"], "min": 2, "where": "$.red == true"}}]')) AS v (name, conditions);
INSERT INTO nudge.actions (user_id, action_type, action_data)
SELECT u, t, jsonb_build_object('red', n % 2 = 1, 'n', n)
FROM unnest('{u,v,w}'::text[]) AS u,
     unnest('{a,c,a,b,a,c,a}'::text[]) WITH ORDINALITY AS s (t, n);
SELECT r.name, p.user_id, string_agg(p.action_data ->> 'n', ',' ORDER BY p.action_id) AS at
FROM nudge.pending p JOIN nudge.rules r USING (rule_id)
GROUP BY 1, 2 ORDER BY 1, 2;
ROLLBACK;

--
-- A statement of many users reads the index of actions as a whole from some user on, and
-- says of each what a look for that user alone would have said.  The second rule is never
-- met by a type that is only the beginning of its own.
--
BEGIN;
SELECT nudge.create_rule(jsonb_build_object('name', v.name, 'type', 'behavioral', 'conditions', jsonb_build_array(
    '{"type": "action_type", "parameters": {"types": "visit"}}'::jsonb,
    jsonb_build_object('type', 'action_count', 'parameters', jsonb_build_object('action_type', v.wanted))))) > 0 AS created
FROM (VALUES ('asked', 'quote'), ('long', repeat('q', 100)), ('nobody', 'quota')) AS v (name, wanted);
INSERT INTO nudge.actions (user_id, action_type)
SELECT 'many ' || n, 'quote' FROM generate_series(1, 900, 3) AS n;
INSERT INTO nudge.actions (user_id, action_type)
SELECT 'many ' || n, repeat('q', 99 + n % 2) FROM generate_series(1, 900, 7) AS n;
-- Of the users of the statement some ask before they visit, and some after.
INSERT INTO nudge.actions (user_id, action_type)
SELECT 'many ' || n, t.action_type
FROM generate_series(1, 900) AS n,
     LATERAL (VALUES (1, 'quote', n % 5 = 0), (2, 'visit', true), (3, 'visit', n % 11 = 0), (4, 'quote', n % 13 = 0)) AS t (place, action_type, does)
WHERE t.does ORDER BY n, place;
SELECT a.rule, count(*) FILTER (WHERE a.fires) AS fired, count(*) FILTER (WHERE a.expected) AS expected,
       count(*) FILTER (WHERE a.expected IS DISTINCT FROM a.fires) AS differences
FROM (SELECT r.name AS rule, p.action_id IS NOT NULL AS fires, EXISTS (
                 SELECT FROM nudge.actions past WHERE past.user_id = v.user_id AND past.action_id < v.action_id
                 AND past.action_type = CASE r.name WHEN 'asked' THEN 'quote' WHEN 'long' THEN repeat('q', 100) ELSE 'quota' END) AS expected
      FROM nudge.actions v CROSS JOIN nudge.rules r LEFT JOIN nudge.pending p USING (action_id, rule_id)
      WHERE v.action_type = 'visit' AND v.user_id LIKE 'many %') AS a
GROUP BY 1 ORDER BY 1;
ROLLBACK;

--
-- What explain shows of each
--
\pset format unaligned
BEGIN;
SET LOCAL timezone = 'UTC';
INSERT INTO nudge.users (user_id, profile, lifecycle_stage, timezone)
VALUES ('ann', '{"location": {"lat": 52.52, "lon": 13.405, "country": "DE"}}', 'new', 'UTC');
INSERT INTO nudge.segments (name) VALUES ('vips');
SELECT nudge.create_rule('{"name": "all", "type": "behavioral", "conditions": [
    {"type": "action_count", "parameters": {"action_type": "x", "min": 5}},
    {"type": "segment", "parameters": {"segment": "vips"}},
    {"type": "attribute_change", "parameters": {"attribute": "price", "min_change": 5}},
    {"type": "attribute_change", "parameters": {"attribute": "email", "to": "x"}},
    {"type": "location", "parameters": {"lat": 52, "lon": 13, "radius_km": 1}},
    {"type": "location", "parameters": {"countries": "FR"}},
    {"type": "message_engagement", "operator": "ignored", "parameters": {"rule": "all"}},
    {"type": "lifecycle_stage", "parameters": {"stage": "active"}}]}') > 0 AS created;
SELECT x.reason, jsonb_path_query_array(x.detail, '$.conditions[*].value') AS values
FROM nudge.explain('ann', 'x', '{"changed": {"price": {"old": 1, "new": 2}, "email": {"old": "a@b.c", "new": "d@e.f"}}}') x;
SELECT nudge.create_rule('{"name": "time", "type": "behavioral", "conditions": [{"type": "local_time", "parameters": {"days": ["mon"]}}]}') AS rule_id \gset
SELECT x.detail #>> '{conditions,0,value}' = to_char(now(), 'dy HH24:MI:SS') AS shows_time FROM nudge.explain('ann', 'x') x WHERE rule_id = :rule_id;
ROLLBACK;
