--
-- Rules on changes of data: one of each kind that marketing asks for, on a shop whose
-- table of users nudge.users follows, and whose other tables are watched
--
\pset format unaligned
\pset tuples_only on
SET timezone = 'UTC';
SET client_min_messages = warning;

CREATE TABLE public.clients (id int PRIMARY KEY, tier text, spent numeric NOT NULL DEFAULT 0, favourite text, status text NOT NULL DEFAULT 'trial', place jsonb);
CREATE TABLE public.subscriptions (id int PRIMARY KEY, client int, plan text, state text);
CREATE TABLE public.purchases (id int PRIMARY KEY, client int, category text, amount numeric);
INSERT INTO public.clients (id, place)
    SELECT g, '{"lat": 52.5200, "lon": 13.4050, "country": "DE", "region": "DE-BE"}' FROM generate_series(901, 909) g;

SELECT nudge.sync_users('public.clients', '{"user_id": "id", "profile.tier": "tier", "behavior.total_spent": "spent", "profile.favourite": "favourite",
    "profile.status": "status", "profile.location": "place"}');
SELECT nudge.watch_table('public.subscriptions', 'client', '{plan,state}', 'subscription_changed');
SELECT nudge.watch_table('public.purchases', 'client', '{category,amount}', 'purchase_recorded');

CREATE FUNCTION pg_temp.rule(name text, conditions jsonb) RETURNS void LANGUAGE sql AS $$
    SELECT nudge.create_rule(jsonb_build_object('name', 'dc: ' || name, 'type', 'behavioral', 'conditions', conditions))
$$;
CREATE FUNCTION pg_temp.profile_rule(name text, operator text, parameters jsonb) RETURNS void LANGUAGE sql AS $$
    SELECT pg_temp.rule(name, jsonb_build_array(
        '{"type": "action_type", "parameters": {"types": ["profile_updated"]}}'::jsonb,
        jsonb_build_object('type', 'attribute_change', 'operator', operator, 'parameters', parameters)))
$$;

-- Tier, spending level, category preference, account status, location
SELECT pg_temp.profile_rule('became gold', 'changed_to', '{"attribute": "profile.tier", "to": "gold"}');
SELECT pg_temp.profile_rule('lost gold', 'changed_from', '{"attribute": "profile.tier", "from": "gold"}');
SELECT pg_temp.profile_rule('silver to gold', 'changed', '{"attribute": "profile.tier", "from": "silver", "to": "gold"}');
SELECT pg_temp.profile_rule('spent 100 more at once', 'increased', '{"attribute": "behavior.total_spent", "min_change": 100}');
SELECT pg_temp.rule('crossed 500', '[{"type": "attribute_change", "operator": "increased", "parameters": {"attribute": "behavior.total_spent"}},
    {"type": "jsonpath", "parameters": {"path": "$.action.data.changed.\"behavior.total_spent\" ? (@.old < 500 && @.new >= 500).new > 0"}}]');
SELECT pg_temp.profile_rule('favourite changed', 'changed', '{"attribute": "profile.favourite"}');
SELECT pg_temp.profile_rule('account suspended', 'changed_to', '{"attribute": "profile.status", "to": "suspended"}');
SELECT pg_temp.profile_rule('account back', 'changed', '{"attribute": "profile.status", "from": "suspended", "to": "active"}');
SELECT pg_temp.profile_rule('moved 50 km', 'changed', '{"attribute": "profile.location", "min_change": 50}');
SELECT pg_temp.rule('came to Bavaria', '[{"type": "attribute_change", "operator": "changed", "parameters": {"attribute": "profile.location"}},
    {"type": "attribute_change", "operator": "changed_to", "parameters": {"attribute": "profile.location.region", "to": "DE-BY"}},
    {"type": "location", "operator": "within", "parameters": {"regions": ["DE-BY"]}}]');
SELECT pg_temp.profile_rule('left Germany', 'changed_from', '{"attribute": "profile.location.country", "from": "DE"}');
-- Subscription, purchase patterns
SELECT pg_temp.rule('subscribed', '[{"type": "action_type", "parameters": {"types": ["subscription_changed"]}},
    {"type": "attribute_change", "operator": "changed_to", "parameters": {"attribute": "state", "to": "active"}}]');
SELECT pg_temp.rule('cancelled', '[{"type": "action_type", "parameters": {"types": ["subscription_changed"]}},
    {"type": "attribute_change", "operator": "changed", "parameters": {"attribute": "state", "from": "active", "to": "cancelled"}}]');
SELECT pg_temp.rule('subscription deleted', '[{"type": "action_type", "parameters": {"types": ["subscription_changed"]}},
    {"type": "action_attribute", "operator": "equals", "parameters": {"path": "operation", "value": "DELETE"}}]');
SELECT pg_temp.rule('third purchase of a category', '[{"type": "action_type", "parameters": {"types": ["purchase_recorded"]}},
    {"type": "action_count", "parameters": {"action_type": "purchase_recorded", "within": "2 days", "count": 3,
        "where": "$.changed.category.new == \"books\""}}]');
SELECT pg_temp.rule('large purchase', '[{"type": "action_type", "parameters": {"types": ["purchase_recorded"]}},
    {"type": "action_attribute", "operator": "at_least", "parameters": {"path": "changed.amount.new", "value": 250}}]');

-- Rules of type data_change fire when one condition holds, here with that one only
SELECT nudge.create_rule('{"name": "dc: vip, or suspended", "type": "data_change", "conditions": [
    {"type": "attribute_change", "operator": "changed_to", "parameters": {"attribute": "profile.tier", "to": "vip"}},
    {"type": "attribute_change", "operator": "changed_to", "parameters": {"attribute": "profile.status", "to": "suspended"}}]}') > 0 AS created;

-- What fired since the last look
CREATE FUNCTION pg_temp.fired() RETURNS SETOF text LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM nudge.pending p USING nudge.rules r
                  WHERE r.rule_id = p.rule_id AND r.name LIKE 'dc: %' RETURNING p.user_id, r.name)
    SELECT user_id || ' ' || substr(name, 5) FROM gone ORDER BY 1
$$;

UPDATE public.clients SET tier = 'silver' WHERE id IN (901, 902);
SELECT * FROM pg_temp.fired();
UPDATE public.clients SET tier = 'gold' WHERE id IN (901, 903);
SELECT * FROM pg_temp.fired();
UPDATE public.clients SET tier = NULL WHERE id IN (901, 902);
SELECT * FROM pg_temp.fired();

UPDATE public.clients SET tier = 'vip' WHERE id IN (901, 902);
SELECT * FROM pg_temp.fired();

UPDATE public.clients SET spent = spent + id - 900 + 98 WHERE id IN (901, 902, 903);
SELECT * FROM pg_temp.fired();
UPDATE public.clients SET spent = 499.99 WHERE id = 901;
UPDATE public.clients SET spent = 500 WHERE id IN (901, 902);
UPDATE public.clients SET spent = 501 WHERE id IN (901, 902);
UPDATE public.clients SET spent = 0;
SELECT * FROM pg_temp.fired();

UPDATE public.clients SET favourite = CASE id WHEN 904 THEN 'garden' WHEN 905 THEN 'books' END;
SELECT * FROM pg_temp.fired();
UPDATE public.clients SET status = 'suspended' WHERE id = 904;
UPDATE public.clients SET status = 'active' WHERE id IN (904, 905);
SELECT * FROM pg_temp.fired();

-- Potsdam is 27 km from Berlin, Nuremberg 378 km and in Bavaria, Salzburg 525 km and in Austria
UPDATE public.clients SET place = '{"lat": 52.3906, "lon": 13.0645, "country": "DE", "region": "DE-BB"}' WHERE id = 906;
UPDATE public.clients SET place = '{"lat": 49.4521, "lon": 11.0767, "country": "DE", "region": "DE-BY"}' WHERE id = 907;
UPDATE public.clients SET place = '{"lat": 47.8095, "lon": 13.0550, "country": "AT", "region": "AT-5"}' WHERE id = 908;
UPDATE public.clients SET place = NULL WHERE id = 909;
SELECT * FROM pg_temp.fired();
-- Not known before, not a place at all, the other side of the antimeridian
UPDATE public.clients SET place = '{"lat": 0, "lon": 179.9}' WHERE id = 909;
UPDATE public.clients SET place = '{"lat": 0, "lon": -179.9}' WHERE id = 909;
SELECT * FROM pg_temp.fired();
UPDATE public.clients SET place = '{"lat": 0, "lon": -179.0}' WHERE id = 909;
SELECT * FROM pg_temp.fired();
UPDATE public.clients SET place = '"here"' WHERE id = 909;
SELECT * FROM pg_temp.fired();

INSERT INTO public.subscriptions VALUES (1, 901, 'basic', 'active'), (2, 902, 'basic', 'trial');
SELECT * FROM pg_temp.fired();
UPDATE public.subscriptions SET state = CASE id WHEN 1 THEN 'cancelled' ELSE 'active' END;
UPDATE public.subscriptions SET plan = 'pro';
SELECT * FROM pg_temp.fired();
DELETE FROM public.subscriptions WHERE id = 2;
SELECT * FROM pg_temp.fired();

-- In one statement as one by one
INSERT INTO public.purchases SELECT g, 901, 'books', 10 * g FROM generate_series(1, 3) g;
INSERT INTO public.purchases VALUES (4, 902, 'books', 250), (5, 902, 'garden', 5), (6, 902, 'books', 5);
SELECT * FROM pg_temp.fired();
INSERT INTO public.purchases VALUES (7, 902, 'books', 5);
SELECT * FROM pg_temp.fired();

DROP TABLE public.clients, public.subscriptions, public.purchases;
DELETE FROM nudge.rules WHERE name LIKE 'dc: %';
DELETE FROM nudge.users WHERE user_id ~ '^90[0-9]$';
