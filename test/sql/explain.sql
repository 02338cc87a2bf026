--
-- explain: each outcome with its reason, and no effect.
--
SET timezone = 'UTC';
BEGIN;
INSERT INTO nudge.templates (template_id, channel, subject, body_text) VALUES
    ('explain', 'email', 'Subject', 'Body'), ('explain', 'push', NULL, 'Body'), ('explain sms', 'sms', NULL, 'Body');
INSERT INTO nudge.segments (name) VALUES ('explain vip');
INSERT INTO nudge.segment_members (segment, user_id) VALUES ('explain vip', 'explain_vip');
INSERT INTO nudge.users (user_id, email, phone, profile, behavior, preferences) VALUES
    ('explain_ann', 'ann@example.com', NULL, '{"tier": "gold"}', '{"total_purchases": 2}', '{}'),
    ('explain_vip', 'vip@example.com', NULL, '{}', '{}', '{}'),
    ('explain_out', 'out@example.com', '+47 1', '{}', '{}', '{"email_enabled": false}'),
    ('explain_no', NULL, NULL, '{}', '{}', '{}');

SELECT count(nudge.create_rule(jsonb_build_object('name', 'explain ' || n, 'type', 'behavioral', 'template_id', 'explain') || d))
FROM (VALUES
    ('1 sends', '{"conditions": [{"type": "action_type", "parameters": {"types": ["explain_a"]}}]}'::jsonb),
    ('2 paused', '{"status": "paused"}'),
    ('3 disabled', '{"status": "disabled"}'),
    ('4 testing', '{"status": "testing"}'),
    ('5 conditions', '{"conditions": [{"type": "action_type", "parameters": {"types": ["explain_a", "explain_b"]}},
        {"type": "purchase_behavior", "operator": "equals", "parameters": {"threshold": 0}},
        {"type": "user_attribute", "operator": "equals", "parameters": {"path": "profile.tier", "value": "silver"}},
        {"type": "user_attribute", "operator": "ends_with", "parameters": {"path": "email", "value": "@nowhere"}},
        {"type": "action_attribute", "operator": "greater_than", "parameters": {"path": "price", "value": 10}},
        {"type": "engagement_level", "parameters": {"level": "high"}},
        {"type": "page_visit", "operator": "contains", "parameters": {"pages": ["/x/"]}},
        {"type": "jsonpath", "parameters": {"path": "$.action.data.price > 100"}}]}'),
    ('6 segment', '{"segmentation_rules": ["explain vip"]}'),
    ('7 capped', '{"max_frequency": {"daily": 1}, "conditions": [{"type": "action_type", "parameters": {"types": ["explain_cap"]}}]}'),
    ('8 no template for the channel', '{"template_id": "explain sms", "channels": ["email", "push"]}'),
    ('9 second channel', '{"channels": ["push", "email"]}')) AS v (n, d);

CREATE FUNCTION pg_temp.why(who text, what text, data jsonb DEFAULT '{}')
RETURNS TABLE (name text, outcome text, reason text) LANGUAGE sql AS $$
    SELECT e.name, e.outcome, e.reason FROM nudge.explain(who, what, data) e WHERE e.name LIKE 'explain %' ORDER BY e.name
$$;
SELECT * FROM pg_temp.why('explain_ann', 'explain_a', '{"price": "cheap"}');
SELECT * FROM pg_temp.why('explain_vip', 'explain_a') WHERE name LIKE '%segment';
SELECT * FROM pg_temp.why('explain_out', 'explain_a') WHERE name ~ '1 |9 ';
SELECT * FROM pg_temp.why('explain_no', 'explain_a') WHERE name ~ '1 |9 ';
SELECT * FROM pg_temp.why('explain_unknown', 'explain_a') WHERE name ~ '1 |9 ';

-- the cap: not yet, then pending, then sent
SELECT * FROM pg_temp.why('explain_ann', 'explain_cap') WHERE name ~ '7 ';
SELECT cardinality(nudge.register_action('explain_ann', 'explain_cap')) > 0 AS fired;
SELECT * FROM pg_temp.why('explain_ann', 'explain_cap') WHERE name ~ '7 ';
SELECT executed > 0 AS executed FROM nudge.execute_pending();
SELECT * FROM pg_temp.why('explain_ann', 'explain_cap') WHERE name ~ '7 ';
SELECT detail -> 'caps' -> 0 ->> 'used' AS used, detail ->> 'channel' AS channel
FROM nudge.explain('explain_ann', 'explain_cap') WHERE name ~ '7 ';
-- another user's caps are another user's
SELECT * FROM pg_temp.why('explain_vip', 'explain_cap') WHERE name ~ '7 ';

-- the details of a condition that failed
SELECT c ->> 'type' AS type, c ->> 'operator' AS operator, c ->> 'score' AS score, c ->> 'value' AS value, c ->> 'error' AS error
FROM nudge.explain('explain_ann', 'explain_b', '{"price": "cheap"}') e, jsonb_array_elements(e.detail -> 'conditions') AS c
WHERE e.name LIKE '%5 conditions';

-- A rule with a schedule: first whatever would keep an occurrence from becoming a message, and only then that actions
-- do not fire it.  What the schedule has for the user is told in any case.
SELECT count(nudge.create_rule(jsonb_build_object('name', 'explain time ' || n, 'type', 'time_based', 'template_id', 'explain',
    'schedule', '{"kind": "milestone", "attribute": "profile.since", "after": "10 days", "at": "09:00"}'::jsonb) || d))
FROM (VALUES
    ('1 open', '{}'::jsonb),
    ('2 paused', '{"status": "paused"}'),
    ('3 testing', '{"status": "testing"}'),
    ('4 conditions', '{"conditions": [{"type": "user_attribute", "parameters": {"path": "profile.tier", "value": "silver"}}]}'),
    ('5 segment', '{"segmentation_rules": ["explain vip"]}'),
    ('6 capped', '{"max_frequency": {"weekly": 1}}'),
    ('7 once', '{"reentry": "once"}'),
    ('8 held out', '{"holdout_percent": 100}'),
    ('9 topic', '{"topic": "news"}'),
    ('10 window', '{"send_between": ["12:00", "13:00"]}')) AS v (n, d);
INSERT INTO nudge.subscriptions (user_id, topic, subscribed) VALUES ('explain_timed', 'news', false);
INSERT INTO nudge.users (user_id, email, profile, preferences) VALUES
    ('explain_timed', 'timed@example.com', '{"tier": "gold", "since": "2999-01-01"}', '{}'),
    ('explain_done', 'done@example.com', '{"tier": "silver", "since": "1999-01-01"}', '{}'),
    ('explain_timed_out', 'o@example.com', '{"tier": "silver", "since": "2999-01-01"}', '{"email_enabled": false}');
CREATE FUNCTION pg_temp.why_timed(who text)
RETURNS TABLE (name text, outcome text, reason text, next_due text, score text) LANGUAGE sql AS $$
    SELECT e.name, e.outcome, e.reason, e.detail ->> 'next_due', e.detail ->> 'score'
    FROM nudge.explain(who, 'timer') e WHERE e.name LIKE 'explain time %' ORDER BY (split_part(e.name, ' ', 3))::int
$$;
INSERT INTO nudge.pending (rule_id, user_id, priority, fired_at, due_at)
SELECT rule_id, 'explain_timed', 'normal', now(), now() + interval '1 hour'
FROM nudge.rules WHERE name = 'explain time 6 capped';
INSERT INTO nudge.rule_entries (user_id, rule_id, entry_key, entered_at, pending_id)
SELECT 'explain_timed', rule_id, '', '2998-01-01', 1 FROM nudge.rules WHERE name = 'explain time 7 once';
SELECT name, outcome, reason, next_due, score FROM pg_temp.why_timed('explain_timed');
SELECT name, outcome, reason, next_due FROM pg_temp.why_timed('explain_done') WHERE name ~ ' (1|4|10) ';
SELECT name, outcome, next_due FROM pg_temp.why_timed('explain_timed_out') WHERE name ~ ' (1|4) ';
SELECT name, outcome, next_due FROM pg_temp.why_timed('explain_nobody') WHERE name ~ ' (1|6) ';
-- when a schedule without a first day is due is not known to it; it does not say that nothing is due
SELECT nudge.create_rule('{"name": "explain time 11 recurring", "type": "time_based", "template_id": "explain",
    "schedule": {"kind": "recurring", "every": "1 day"}}') IS NOT NULL AS made;
SELECT name, outcome, reason, next_due FROM pg_temp.why_timed('explain_timed') WHERE name ~ ' 11 ';
-- quiet hours are asked as of when the schedule is due
INSERT INTO nudge.quiet_hours (channel, starts, ends, action) VALUES ('email', '08:00', '10:00', 'drop');
SELECT name, outcome, reason FROM pg_temp.why_timed('explain_timed') WHERE name ~ ' 1 ';
SELECT name, outcome, reason FROM pg_temp.why_timed('explain_done') WHERE name ~ ' 1 ';

-- no effect: nothing is recorded, scheduled or told by asking
CREATE FUNCTION pg_temp.counts() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', (SELECT count(*) FROM nudge.actions), (SELECT count(*) FROM nudge.pending),
        (SELECT count(*) FROM nudge.events), (SELECT count(*) FROM nudge.messages), (SELECT count(*) FROM nudge.cap_usage))
$$;
SELECT pg_temp.counts() AS before \gset
SELECT count(*) > 0 AS explained FROM nudge.explain('explain_ann', 'explain_cap');
SELECT count(*) > 0 AS evaluated FROM nudge.evaluate('explain_ann', 'explain_cap');
SELECT pg_temp.counts() = :'before' AS no_effect;
ROLLBACK;
