-- A rule of each other kind, and a user whom each of them finds.  Time passes by
-- telling the engine what time it is.

\set ON_ERROR_STOP 1
CREATE TABLE members (id text PRIMARY KEY, mail text, plan text);
DO $$
BEGIN
    -- The shop's own table of users is followed, and changes of plans become actions
    PERFORM nudge.sync_users('members', '{"user_id": "id", "email": "mail", "profile.plan": "plan"}');
    PERFORM nudge.watch_table('members', 'id', '{plan}', 'plan_changed');
END
$$;
INSERT INTO members VALUES ('anna', 'anna@example.com', 'free');
UPDATE nudge.users SET phone = '+49 151 1', timezone = 'Europe/Berlin', preferences = '{"sms_enabled": true}',
    profile = profile || jsonb_build_object('birthday', (current_date + 1 - interval '30 years')::date, 'renews_on', current_date + 3)
WHERE user_id = 'anna';
INSERT INTO nudge.templates (template_id, channel, subject, body_text) VALUES
    ('hello', 'email', '{{ rule.name }}', 'Hello {{ user.user_id }}'), ('hello', 'sms', NULL, '{{ rule.name }}: hello {{ user.user_id }}');
INSERT INTO nudge.segments (name, description, conditions) VALUES
    ('premium', 'Who pays', '[{"type": "user_attribute", "parameters": {"path": "profile.plan", "value": "premium"}}]');
INSERT INTO nudge.quiet_hours (channel, starts, ends) VALUES ('push', '22:00', '08:00');

DO $$
DECLARE
    rule text;
BEGIN
    FOREACH rule IN ARRAY ARRAY[
        -- what time fires
        '{"name": "Cart left for an hour", "type": "time_based",
          "schedule": {"kind": "abandonment", "start": "add_to_cart", "unless": ["purchase"], "within": "1 hour"}}',
        '{"name": "Birthday", "type": "time_based", "schedule": {"kind": "anniversary", "attribute": "profile.birthday", "at": "09:00"}}',
        '{"name": "A week with us", "type": "time_based", "segmentation_rules": ["premium"],
          "schedule": {"kind": "milestone", "attribute": "created_at", "after": "7 days"}}',
        '{"name": "Renewal in two days", "type": "time_based", "schedule": {"kind": "reminder", "attribute": "profile.renews_on", "offset": "-2 days"}}',
        '{"name": "Not seen for a week", "type": "time_based", "schedule": {"kind": "decline", "after": "7 days"}}',
        '{"name": "Every Monday to premium", "type": "time_based", "segmentation_rules": ["premium"],
          "schedule": {"kind": "recurring", "days": ["mon"], "at": "10:00"}}',
        -- data that changes
        '{"name": "Welcome to premium", "type": "data_change", "reentry": "once",
          "conditions": [{"type": "attribute_change", "operator": "changed_to", "parameters": {"attribute": "plan", "to": "premium"}}]}',
        -- the lifecycle
        '{"name": "Slipping away", "type": "lifecycle",
          "conditions": [{"all": [{"type": "action_type", "parameters": {"types": ["lifecycle_changed"]}},
                                  {"type": "action_attribute", "parameters": {"path": "to", "value": "at_risk"}}]}]}',
        -- what happens to messages
        '{"name": "Clicked, not bought", "type": "engagement", "delay_seconds": 60, "cancel_on": ["purchase"],
          "conditions": [{"type": "action_type", "parameters": {"types": ["email_clicked"]}}]}',
        -- transactional, by both channels
        '{"name": "Order confirmed", "type": "transactional", "priority": "immediate", "channels": ["email", "sms"], "channel_strategy": "all",
          "conditions": [{"type": "action_type", "parameters": {"types": ["order_placed"]}}]}',
        -- behaviour over time, for all but a tenth, by whichever channel does best
        '{"name": "Three looks in two days", "type": "behavioral", "channels": ["email", "sms"], "holdout_percent": 10,
          "reentry": {"after": "7 days"},
          "conditions": [{"type": "action_count", "parameters": {"action_type": "page_visit", "within": "2 days", "min": 3}}]}'
    ]
    LOOP
        PERFORM nudge.create_rule('{"template_id": "hello", "priority": "high"}' || rule::jsonb);
    END LOOP;
END
$$;

-- Anna looks three times, fills a cart, orders, and pays from now on
SELECT nudge.register_action('anna', 'page_visit', '{"page_url": "/about"}') FROM generate_series(1, 3) \g /dev/null
SELECT nudge.register_action('anna', 'add_to_cart', '{"cart_id": 1}') \g /dev/null
SELECT nudge.register_action('anna', 'order_placed', '{"order_id": 1}') \g /dev/null
UPDATE members SET plan = 'premium' WHERE id = 'anna';
-- an hour, days and weeks go by
SELECT nudge.run_timers(now() + h * interval '1 hour') FROM generate_series(2, 402, 20) AS h \g /dev/null
SELECT nudge.execute_pending(1000, now() + interval '20 days') \g /dev/null
-- and she clicks
SELECT nudge.record_event(message_id, 'clicked') FROM nudge.outbox
WHERE user_id = 'anna' AND rule_id = (SELECT rule_id FROM nudge.rules WHERE name = 'Order confirmed') AND channel = 'email' \g /dev/null
SELECT nudge.execute_pending(1000, now() + interval '20 days') \g /dev/null

SELECT r.trigger_type, r.name, coalesce(r.schedule ->> 'kind', 'an action') AS fired_by,
       coalesce(string_agg(o.channel, ', ' ORDER BY o.message_id), '-') AS messages
FROM nudge.rules r LEFT JOIN nudge.outbox o ON o.rule_id = r.rule_id AND o.user_id = 'anna'
WHERE r.rule_id > 3 GROUP BY r.rule_id ORDER BY r.rule_id;
SELECT name, nudge.segment_size(name) AS users FROM nudge.segments;
SELECT * FROM nudge.lifecycle_flow WHERE from_stage IS NOT NULL ORDER BY week, to_stage;
