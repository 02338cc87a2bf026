--
-- Documents of rules that were cut, mixed and spoiled at random: create_rule takes
-- them or refuses them with a SQLSTATE for bad input, changes nothing if it
-- refuses, and what it took evaluates.  The server never crashes.
--
BEGIN;
SET LOCAL client_min_messages = error;
SELECT setseed(0.2026);
INSERT INTO nudge.templates (template_id, body_text) VALUES ('fuzz', 'x');
INSERT INTO nudge.segments (name) VALUES ('fuzz');
INSERT INTO nudge.rules (name, trigger_type) VALUES ('fuzzed', 'behavioral');

CREATE FUNCTION pg_temp.pick(VARIADIC choices jsonb[]) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT choices[1 + floor(random() * cardinality(choices))::int]
$$;
-- A value that may stand anywhere, rightly or wrongly
CREATE FUNCTION pg_temp.junk() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT pg_temp.pick('null', 'true', '0', '-1', '1', '2.5', '1e400', '-1e-400', '99999999999999999999', '""', '"equals"', '"contains"',
        '"in_range"', '"exists"', '"within"', '"jsonpath"', '"action_type"', '"7 days"', '"-1 days"', '"infinity"', '"$.a == 1"', '"$[["',
        '"$.a like_regex \"(\""', '"profile..x"', '"profile.x"', '"\u00e9"', '[]', '[1]', '["a"]', '[null]', '["a", 1]', '{}', '{"a": 1}',
        '{"types": ["a"]}', '{"pages": []}', '{"path": "profile.x"}', '{"path": "x", "value": 1}', '{"threshold": -1}', '{"level": "high"}',
        '"09:00"', '"mon"', '"once"', '"fuzz"', '{"kind": "recurring", "every": "1 day"}', '{"key": "$.a"}', '{"all": [{"type": "action_type", "parameters": {"types": ["a"]}}]}',
        '{"daily": 1}', '{"daily": 0}', '{"hourly": 1}', '[[[[[[]]]]]]', to_jsonb(repeat('x', 2000)))
$$;
-- Spoils one place of a document, somewhere below
CREATE FUNCTION pg_temp.spoil(d jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    k text;
BEGIN
    IF random() < 0.15 THEN
        RETURN pg_temp.junk();
    ELSIF jsonb_typeof(d) = 'object' AND d <> '{}' THEN
        SELECT key INTO k FROM jsonb_object_keys(d) AS key ORDER BY random() LIMIT 1;
        RETURN CASE
            WHEN random() < 0.15 THEN d - k
            WHEN random() < 0.15 THEN d || jsonb_build_object(k || 'x', d -> k)
            ELSE d || jsonb_build_object(k, pg_temp.spoil(d -> k)) END;
    ELSIF jsonb_typeof(d) = 'array' AND d <> '[]' THEN
        RETURN jsonb_set(d, ARRAY[floor(random() * jsonb_array_length(d))::int::text], pg_temp.spoil(d -> 0));
    END IF;
    RETURN pg_temp.junk();
END
$$;

CREATE TEMP TABLE fuzzed (state text, unchanged boolean);
DO $$
DECLARE
    good jsonb := '{"name": "fuzz", "type": "behavioral", "template_id": "fuzz", "priority": 2, "status": "active", "delay_seconds": 5,
        "expiry_hours": 1.5, "max_frequency": {"daily": 1, "weekly": 2, "monthly": 5}, "channels": ["email", "push"], "cancel_on": ["a"],
        "segmentation_rules": [], "personalization_config": {"required": ["user.email"]}, "description": "d",
        "conditions": [{"type": "action_type", "parameters": {"types": ["a"]}, "operator": "contains", "weight": 0.9},
            {"type": "page_visit", "parameters": {"pages": ["/a"]}}, {"type": "purchase_behavior", "operator": "in_range", "parameters": {"min": 1, "max": 2, "metric": "m"}},
            {"type": "engagement_level", "parameters": {"level": "low", "high_days": 1, "medium_days": 3}}, {"type": "time_window", "operator": "after", "parameters": {"window_minutes": 3}},
            {"type": "user_attribute", "operator": "in", "parameters": {"path": "profile.x", "values": ["a", 1, true]}},
            {"type": "user_attribute", "operator": "within", "parameters": {"path": "profile.x", "value": "1 day"}},
            {"type": "action_attribute", "operator": "not_exists", "parameters": {"path": "context.y.0"}},
            {"type": "jsonpath", "parameters": {"path": "$.action.data.a > 1"}}]}';
    more jsonb := '{"reentry": {"after": "7 days"}, "topic": "news", "send_between": ["09:00", "18:00"], "send_on": ["mon", "fri"], "holdout_percent": 10,
        "urgency": "high", "channel_strategy": "fallback", "fallback_after": "4 hours", "segmentation_rules": ["fuzz"],
        "conditions": [{"type": "action_count", "parameters": {"action_type": ["a", "b"], "within": "2 days", "min": 3, "where": "$.a > 1"}},
            {"type": "segment", "operator": "not_equals", "parameters": {"segment": "fuzz"}}, {"type": "local_time", "parameters": {"from": "22:00", "to": "06:00", "days": ["mon"]}},
            {"type": "attribute_change", "operator": "increased", "parameters": {"attribute": "profile.x", "min_change": 1}},
            {"type": "attribute_change", "parameters": {"attribute": "profile.x", "from": 1, "to": "a"}},
            {"type": "location", "parameters": {"lat": 52.5, "lon": 13.4, "radius_km": 50}}, {"type": "location", "operator": "not_in", "parameters": {"countries": ["de"], "regions": ["by"]}},
            {"type": "message_engagement", "operator": "ignored", "parameters": {"rule": "fuzzed", "within": "3 days"}}, {"type": "lifecycle_stage", "parameters": {"stages": ["new", "active"]}},
            {"any": [{"not": {"type": "action_type", "parameters": {"types": ["a"]}}}, {"all": [{"type": "engagement_level", "parameters": {"level": "high"}}]}], "weight": 0.8}]}';
    schedules jsonb[] := ARRAY['{"kind": "anniversary", "attribute": "profile.birthday", "offset": "-3 days", "at": "09:00"}', '{"kind": "milestone", "attribute": "created_at", "after": "30 days"}',
        '{"kind": "abandonment", "start": "a", "unless": ["b", "c"], "within": "1 hour", "key": "$.a", "restart": true}', '{"kind": "decline", "after": "7 days", "types": ["a"]}',
        '{"kind": "reminder", "action": "a", "path": "$.at", "key": "$.a", "unless": ["b"], "offset": "-1 day"}', '{"kind": "reminder", "attribute": "profile.until", "grace": "1 hour"}',
        '{"kind": "recurring", "days": ["mon", "thu"], "at": "09:00"}', '{"kind": "recurring", "every": "2 weeks", "starting": "2021-03-01"}'];
    d jsonb;
    before bigint[];
    id bigint;
    state text;
BEGIN
    FOR i IN 1 .. 3000 LOOP
        d := good || jsonb_build_object('name', 'fuzz ' || i)
            || CASE WHEN i % 2 = 0 THEN more ELSE '{}' END
            || CASE WHEN i % 5 = 0 THEN jsonb_build_object('type', 'time_based', 'schedule', pg_temp.pick(VARIADIC schedules)) ELSE '{}' END;
        FOR j IN 1 .. 1 + floor(random() * 2)::int LOOP
            d := pg_temp.spoil(d);
        END LOOP;
        before := ARRAY[(SELECT count(*) FROM nudge.rules), (SELECT count(*) FROM nudge.conditions), (SELECT count(*) FROM nudge.frequency_caps)];
        state := 'taken';
        BEGIN
            id := nudge.create_rule(d);
            IF i % 20 < 2 THEN
                PERFORM nudge.evaluate('fuzz', 'a', '{"page_url": "/a", "a": 2}');
                PERFORM nudge.explain('fuzz', 'a', '{"a": 2}');
                INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('fuzz', 'a', '{"a": 2, "at": "2030-01-01"}');
                IF i % 100 < 20 THEN
                    PERFORM nudge.run_timers();
                END IF;
            END IF;
            DELETE FROM nudge.rules WHERE rule_id = id;
        EXCEPTION WHEN OTHERS THEN
            state := SQLSTATE;
        END;
        INSERT INTO fuzzed VALUES (state, before = ARRAY[(SELECT count(*) FROM nudge.rules), (SELECT count(*) FROM nudge.conditions), (SELECT count(*) FROM nudge.frequency_caps)]);
    END LOOP;
END
$$;
SELECT state FROM fuzzed WHERE state NOT IN ('taken', '22023', '22008', '23502', '23503', '23505', '23514', '2201B', '42601', '54001') GROUP BY state;
SELECT count(*) FILTER (WHERE NOT unchanged) AS changed, count(*) FILTER (WHERE state = 'taken') > 100 AS some_taken,
       count(*) FILTER (WHERE state = '22023') > 1000 AS many_refused
FROM fuzzed;
ROLLBACK;
