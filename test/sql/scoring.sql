--
-- The scoring table: every condition type, operator, weight and trigger type.
--
-- Each case is a rule of its own.  It is created, evaluated for one user and one
-- action, and compared with what is expected; only differences are printed.
--
SET timezone = 'UTC';
BEGIN;

INSERT INTO nudge.users (user_id, email, locale, timezone, profile, behavior, preferences, created_at) VALUES
    ('ann', 'ann@example.com', 'en-GB', 'Europe/London',
     '{"tier": "gold", "age": 42, "score": 1e400, "tags": ["vip", "beta", 7], "address": {"city": "Oslo", "zip": "0150"},
       "vip": true, "renewal": "2020-01-01T00:00:00Z", "since": "2020-01-01 00:00:00+00", "nothing": null, "empty": "", "list": [{"id": 5}]}',
     '{"total_purchases": 3, "total_spent": 120.50, "bad": "many"}',
     '{"email_enabled": true}', '2020-02-03 04:05:06+00'),
    ('bob', NULL, NULL, NULL, '{}', '{}', '{}', now()),
    ('bad', NULL, NULL, NULL, '{}', '{"total_purchases": "many", "last_login": "yesterday-ish"}', '{}', now());

-- Histories: bob bought twice, and logged in 3 days ago; cyd, of whom there is
-- no row, logged in 20 days ago; dan logged in an hour ago.
INSERT INTO nudge.actions (user_id, action_type, occurred_at) VALUES
    ('bob', 'purchase', now() - interval '10 days'), ('bob', 'purchase', now() - interval '5 days'),
    ('bob', 'login', now() - interval '3 days 1 hour'), ('bob', 'login', now() - interval '30 days'),
    ('cyd', 'login', now() - interval '20 days'), ('dan', 'login', now() - interval '1 hour');

CREATE TEMP TABLE cases (
    n int GENERATED ALWAYS AS IDENTITY,
    trigger_type text DEFAULT 'behavioral',
    conditions jsonb,
    user_id text DEFAULT 'ann',
    action_type text DEFAULT 'page_visit',
    action_data jsonb DEFAULT '{"page_url": "https://shop.example/products/shoes/17", "price": 19.90, "sku": "A-17", "qty": 2, "tags": ["new", "sale"]}',
    occurred_at timestamptz DEFAULT now(),
    context jsonb DEFAULT '{"device": "phone", "price": 1}',
    matched boolean,
    scores float8[]);

-- action_type
INSERT INTO cases (conditions, matched) VALUES
    ('[{"type": "action_type", "parameters": {"types": ["page_visit"]}}]', true),
    ('[{"type": "action_type", "parameters": {"types": ["login", "page_visit"]}, "operator": "equals"}]', true),
    ('[{"type": "action_type", "parameters": {"types": ["page"]}}]', false),
    ('[{"type": "action_type", "parameters": {"types": ["Page_visit"]}}]', false),
    ('[{"type": "action_type", "parameters": {"types": ["page"]}, "operator": "contains"}]', true),
    ('[{"type": "action_type", "parameters": {"types": ["x", "visit"]}, "operator": "contains"}]', true),
    ('[{"type": "action_type", "parameters": {"types": ["page_visits"]}, "operator": "contains"}]', false);

-- page_visit
INSERT INTO cases (conditions, matched) VALUES
    ('[{"type": "page_visit", "parameters": {"pages": ["https://shop.example/products/shoes/17"]}}]', true),
    ('[{"type": "page_visit", "parameters": {"pages": ["/products/"]}}]', false),
    ('[{"type": "page_visit", "parameters": {"pages": ["/catalog/", "/products/"]}, "operator": "contains"}]', true),
    ('[{"type": "page_visit", "parameters": {"pages": ["/catalog/"]}, "operator": "contains"}]', false),
    ('[{"type": "page_visit", "parameters": {"pages": ["17"]}, "operator": "contains"}]', true),
    ('[{"type": "page_visit", "parameters": {"pages": ["s/17/"]}, "operator": "contains"}]', false);
INSERT INTO cases (conditions, action_type, matched) VALUES
    ('[{"type": "page_visit", "parameters": {"pages": ["/products/"]}, "operator": "contains"}]', 'cart_add', false);
INSERT INTO cases (conditions, action_data, matched) VALUES
    ('[{"type": "page_visit", "parameters": {"pages": ["1"]}, "operator": "contains"}]', '{"page_url": 17}', false),
    ('[{"type": "page_visit", "parameters": {"pages": ["1"]}, "operator": "contains"}]', '{}', false);

-- purchase_behavior: stated by the user's row (ann 3), else counted (bob 2, cyd 0)
INSERT INTO cases (conditions, user_id, matched) VALUES
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 2}, "operator": "greater_than"}]', 'ann', true),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 3}, "operator": "greater_than"}]', 'ann', false),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 3}, "operator": "equals"}]', 'ann', true),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 3}}]', 'ann', true),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 4}, "operator": "less_than"}]', 'ann', true),
    ('[{"type": "purchase_behavior", "parameters": {"min": 1, "max": 3}, "operator": "in_range"}]', 'ann', true),
    ('[{"type": "purchase_behavior", "parameters": {"min": 4}, "operator": "in_range"}]', 'ann', false),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 2}}]', 'bob', true),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 1}, "operator": "greater_than"}]', 'bob', true),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 2}, "operator": "greater_than"}]', 'bob', false),
    ('[{"type": "purchase_behavior", "parameters": {"min": 2, "max": 2}, "operator": "in_range"}]', 'bob', true),
    ('[{"type": "purchase_behavior", "parameters": {"max": 1}, "operator": "in_range"}]', 'bob', false),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 0}}]', 'cyd', true),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 1e300}, "operator": "less_than"}]', 'bob', true),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 120, "metric": "total_spent"}, "operator": "greater_than"}]', 'ann', true),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 0, "metric": "total_spent"}}]', 'bob', false),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 0}, "operator": "greater_than"}]', 'bad', false);
-- the action in hand counts
INSERT INTO cases (conditions, user_id, action_type, matched) VALUES
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 3}}]', 'bob', 'purchase', true),
    ('[{"type": "purchase_behavior", "parameters": {"threshold": 1}}]', 'cyd', 'purchase', true);

-- engagement_level: bob 3 days ago, cyd 20, dan today, eve never
INSERT INTO cases (conditions, user_id, matched) VALUES
    ('[{"type": "engagement_level", "parameters": {"level": "medium"}}]', 'bob', true),
    ('[{"type": "engagement_level", "parameters": {"level": "high"}}]', 'bob', false),
    ('[{"type": "engagement_level", "parameters": {"level": "high", "high_days": 3}}]', 'bob', true),
    ('[{"type": "engagement_level", "parameters": {"level": "low", "medium_days": 2}}]', 'bob', true),
    ('[{"type": "engagement_level", "parameters": {"level": "low"}}]', 'cyd', true),
    ('[{"type": "engagement_level", "parameters": {"level": "medium", "medium_days": 20}}]', 'cyd', true),
    ('[{"type": "engagement_level", "parameters": {"level": "high"}}]', 'dan', true),
    ('[{"type": "engagement_level", "parameters": {"level": "low"}}]', 'eve', true),
    ('[{"type": "engagement_level", "parameters": {"level": "low"}}]', 'bad', false);
INSERT INTO cases (conditions, user_id, action_type, matched) VALUES
    ('[{"type": "engagement_level", "parameters": {"level": "high"}}]', 'eve', 'login', true);

-- time_window
INSERT INTO cases (conditions, occurred_at, matched) VALUES
    ('[{"type": "time_window", "parameters": {"window_minutes": 60}, "operator": "within"}]', now() - interval '60 min', true),
    ('[{"type": "time_window", "parameters": {"window_minutes": 60}, "operator": "within"}]', now() - interval '61 min', false),
    ('[{"type": "time_window", "parameters": {"window_minutes": 60}, "operator": "after"}]', now() - interval '61 min', true),
    ('[{"type": "time_window", "parameters": {"window_minutes": 60}, "operator": "after"}]', now() - interval '60 min', false),
    ('[{"type": "time_window", "parameters": {"window_minutes": 0.5}}]', now() - interval '29 s', true),
    ('[{"type": "time_window", "parameters": {"window_minutes": 5}}]', now() + interval '1 day', true);

-- user_attribute, the full set of operators
INSERT INTO cases (conditions, matched) VALUES
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "gold"}}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "Gold"}}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.age", "value": 42.0}}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.age", "value": "42"}}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.vip", "value": true}}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.address.city", "value": "Oslo"}}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tags.0", "value": "vip"}}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.list.0.id", "value": 5}}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "locale", "value": "en-GB"}}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "email", "value": "@example.com"}, "operator": "ends_with"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "silver"}, "operator": "not_equals"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "gold"}, "operator": "not_equals"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.none", "value": "gold"}, "operator": "not_equals"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "ol"}, "operator": "contains"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tags", "value": "beta"}, "operator": "contains"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tags", "value": 7}, "operator": "contains"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tags", "value": "bet"}, "operator": "contains"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.address", "value": "zip"}, "operator": "contains"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tags", "value": "alpha"}, "operator": "not_contains"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tags", "value": "vip"}, "operator": "not_contains"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.none", "value": "vip"}, "operator": "not_contains"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "go"}, "operator": "starts_with"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "old"}, "operator": "starts_with"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "values": ["x", "ld"]}, "operator": "ends_with"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.age", "value": 41.5}, "operator": "greater_than"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.age", "value": 42}, "operator": "greater_than"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.score", "value": 1e399}, "operator": "greater_than"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.age", "value": 42}, "operator": "at_least"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.age", "value": 42}, "operator": "less_than"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.age", "value": 42}, "operator": "at_most"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": 3}, "operator": "at_most"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "g"}, "operator": "greater_than"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.age", "min": 42, "max": 50}, "operator": "in_range"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.age", "max": 41}, "operator": "in_range"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "values": ["silver", "gold"]}, "operator": "in"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.none", "values": ["gold"]}, "operator": "in"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "values": ["silver"]}, "operator": "not_in"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.none", "values": ["silver"]}, "operator": "not_in"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.empty"}, "operator": "exists"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.nothing"}, "operator": "exists"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.none"}, "operator": "not_exists"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier"}, "operator": "not_exists"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.renewal", "value": "100 years"}, "operator": "within"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.renewal", "value": "7 days"}, "operator": "within"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.renewal", "value": "7 days"}, "operator": "after"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "created_at", "value": "7 days"}, "operator": "after"}]', true),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "7 days"}, "operator": "after"}]', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.none", "value": "7 days"}, "operator": "after"}]', false);
-- a user without a row has no attributes
INSERT INTO cases (conditions, user_id, matched) VALUES
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "gold"}}]', 'nobody', false),
    ('[{"type": "user_attribute", "parameters": {"path": "profile.tier"}, "operator": "not_exists"}]', 'nobody', true);

-- action_attribute over action_data and context
INSERT INTO cases (conditions, matched) VALUES
    ('[{"type": "action_attribute", "parameters": {"path": "price", "value": 19.9}}]', true),
    ('[{"type": "action_attribute", "parameters": {"path": "action_data.price", "value": 19.9}}]', true),
    ('[{"type": "action_attribute", "parameters": {"path": "context.price", "value": 1}}]', true),
    ('[{"type": "action_attribute", "parameters": {"path": "device", "value": "phone"}}]', true),
    ('[{"type": "action_attribute", "parameters": {"path": "context.device", "value": "pho"}, "operator": "starts_with"}]', true),
    ('[{"type": "action_attribute", "parameters": {"path": "qty", "min": 1, "max": 2}, "operator": "in_range"}]', true),
    ('[{"type": "action_attribute", "parameters": {"path": "tags", "value": "sale"}, "operator": "contains"}]', true),
    ('[{"type": "action_attribute", "parameters": {"path": "tags.-1", "value": "sale"}}]', true),
    ('[{"type": "action_attribute", "parameters": {"path": "coupon"}, "operator": "not_exists"}]', true),
    ('[{"type": "action_attribute", "parameters": {"path": "sku", "values": ["A-17", "B"]}, "operator": "in"}]', true);

-- jsonpath
INSERT INTO cases (conditions, matched) VALUES
    ('[{"type": "jsonpath", "parameters": {"path": "$.action.data.price > 10 && $.user.profile.tier == \"gold\""}}]', true),
    ('[{"type": "jsonpath", "parameters": {"path": "$.action.data.price > 20"}}]', false),
    ('[{"type": "jsonpath", "parameters": {"path": "exists($.action.action_data.tags[*] ? (@ == \"sale\"))"}}]', true),
    ('[{"type": "jsonpath", "parameters": {"path": "$.action.type like_regex \"^page\""}}]', true),
    ('[{"type": "jsonpath", "parameters": {"path": "$.user.profile.tier.datetime() > \"2020-01-01\".datetime()"}}]', false),
    ('[{"type": "jsonpath", "parameters": {"path": "$.user.profile.since.datetime() < \"2020-06-01\".datetime()"}}]', true),
    ('[{"type": "jsonpath", "parameters": {"path": "$.user.profile.age / 0 > 1"}}]', false),
    ('[{"type": "jsonpath", "parameters": {"path": "$.action.context.device == \"phone\""}}]', true);

-- How scores add up; y holds, n does not
INSERT INTO cases (trigger_type, conditions, matched, scores)
SELECT t.trigger_type,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('type', 'action_type', 'weight', abs(w),
            'parameters', jsonb_build_object('types', jsonb_build_array(
                CASE WHEN w > 0 THEN 'page_visit' ELSE 'other' END)))), '[]')
        FROM unnest(t.weights) AS w),
       t.matched,
       (SELECT array_agg(greatest(w, 0)) FROM unnest(t.weights) AS w)
FROM (VALUES
    -- behavioral: all at least 0.5
    ('behavioral', '{}'::float8[], true),
    ('behavioral', '{1}', true),
    ('behavioral', '{0.5}', true),
    ('behavioral', '{0.49}', false),
    ('behavioral', '{1,-1}', false),
    ('behavioral', '{1,0.8,0.6}', true),
    ('behavioral', '{1,0.3}', false),
    ('behavioral', '{2,3}', true),
    -- engagement: mean at least 0.7
    ('engagement', '{}', false),
    ('engagement', '{0.7}', true),
    ('engagement', '{0.69}', false),
    ('engagement', '{0.7,0.7,0.7}', true),
    ('engagement', '{1,-1}', false),
    ('engagement', '{1,1,-1}', false),
    ('engagement', '{1,1,1,-1}', true),
    ('engagement', '{1,0.4}', true),
    ('engagement', '{3,-1}', true),
    ('engagement', '{0.5,0.5}', false),
    -- any other: one at least 0.8
    ('time_based', '{}', false),
    ('time_based', '{0.8}', true),
    ('time_based', '{0.79}', false),
    ('time_based', '{-1,0.8,-1}', true),
    ('time_based', '{-1,0.7,0.7}', false),
    ('data_change', '{-1,1}', true),
    ('lifecycle', '{-1,0.5}', false),
    ('transactional', '{1}', true),
    ('transactional', '{-1}', false)) AS t (trigger_type, weights, matched);

SET LOCAL client_min_messages = error;	-- rules that can never fire
CREATE TEMP TABLE outcomes AS
SELECT c.*, nudge.create_rule(jsonb_build_object('name', 'scoring ' || n, 'type', trigger_type,
    'conditions', conditions)) AS rule_id
FROM cases c;
RESET client_min_messages;

-- evaluate() against the expectation
SELECT count(*) > 140 AS enough_cases FROM outcomes;
SELECT o.n, o.trigger_type, o.conditions, o.user_id, o.matched AS expected, e.matched, e.scores
FROM outcomes o
CROSS JOIN LATERAL nudge.evaluate(o.user_id, o.action_type, o.action_data, o.occurred_at, o.context) e
WHERE e.rule_id = o.rule_id
  AND (e.matched <> o.matched OR (o.scores IS NOT NULL AND coalesce(e.scores, '{}') <> o.scores))
ORDER BY o.n;

-- The trigger finds through its index what evaluate() finds rule by rule: of each
-- kind of action in the cases, the rules that are scheduled are those that match.
SAVEPOINT trigger_agrees;
CREATE TEMP TABLE tried AS
SELECT row_number() OVER () AS n, a.* FROM
    (SELECT DISTINCT user_id, action_type, action_data, occurred_at, context FROM cases) a;
CREATE TEMP TABLE expected AS
SELECT t.n, array_agg(e.rule_id ORDER BY e.rule_id) FILTER (WHERE e.matched) AS rules
FROM tried t
CROSS JOIN LATERAL nudge.evaluate(t.user_id, t.action_type, t.action_data, t.occurred_at, t.context) e
GROUP BY t.n;
CREATE TEMP TABLE fired (n bigint, rules bigint[]);
DO $$
DECLARE
    t record;
    ids bigint[];
BEGIN
    FOR t IN SELECT * FROM tried ORDER BY n LOOP
        -- each in the state that evaluate() saw
        BEGIN
            ids := nudge.register_action(t.user_id, t.action_type, t.action_data, t.occurred_at, t.context);
            RAISE EXCEPTION USING errcode = 'NU000', message = ids::text;
        EXCEPTION WHEN SQLSTATE 'NU000' THEN
            INSERT INTO fired VALUES (t.n, SQLERRM::bigint[]);
        END;
    END LOOP;
END
$$;
SELECT count(*) > 10 AS enough_actions FROM fired;
SELECT n, e.rules AS expected, f.rules AS fired
FROM expected e FULL JOIN fired f USING (n)
WHERE coalesce(e.rules, '{}') IS DISTINCT FROM f.rules;
ROLLBACK TO trigger_agrees;

-- What cannot be computed scores nothing and leaves an event, one a condition and
-- statement.
INSERT INTO nudge.actions (user_id, action_type) SELECT 'bad', 'page_visit' FROM generate_series(1, 3);
SELECT e.reason, e.metadata ->> 'actions' AS actions, count(*)
FROM nudge.events e
WHERE e.event_type = 'evaluation_error' AND e.user_id = 'bad'
GROUP BY 1, 2 ORDER BY 1, 2;

ROLLBACK;
