--
-- nudge.preview: what the executor would send, and no effect
--
SET client_min_messages = notice;
SET timezone = 'UTC';
INSERT INTO nudge.templates (template_id, channel, subject, body_text, body_html) VALUES
    ('pv', 'email', 'Hi {{ user.profile.name }}', '{{ user.email }} {{ action.type }} {{ action.data.item }} {{ action.context.page }} {{ action.occurred_at }} {{ rule.name }} {{ message.channel }} {{ message.recipient }} {{ cart.value }} {{ discount }} {{ preferences.colour }} {% render "pv_part", a: 1 %}{{ recommendations | map: "product_id" | join: "," }}',
     '<p>{{ user.profile.name }}</p>'),
    ('pv', 'sms', NULL, 'SMS to {{ user.phone }}', NULL),
    ('pv_part', 'partial', NULL, 'part {{ a }} ', NULL),
    ('pv_abort', 'email', 'x', '{% abort "no stock" %}', NULL);
INSERT INTO nudge.users (user_id, email, phone, profile, preferences) VALUES
    ('pv_ann', 'ann@example.org', '+47 1', '{"name": "Ann & Co"}', '{"colour": "red"}'),
    ('pv_phone', NULL, '+47 2', '{}', '{"sms_enabled": true}'), ('pv_none', NULL, NULL, '{}', '{}'),
    ('pv_out', 'out@example.org', NULL, '{}', '{"email_enabled": false}');
INSERT INTO nudge.rules (name, trigger_type, template_id, channels, personalization) VALUES
    ('pv', 'behavioral', 'pv', '{email,sms}', '{"include_cart_items": true, "discount_offer": 10, "user_preferences": true, "related_products": 2}'),
    ('pv email', 'behavioral', 'pv', '{email}', '{}'), ('pv abort', 'behavioral', 'pv_abort', '{email}', '{}'),
    ('pv nothing', 'behavioral', NULL, '{email}', '{}'), ('pv push', 'behavioral', 'pv', '{push}', '{}');
INSERT INTO nudge.items (item, data, seen, bought, score, last_at) VALUES
    ('pv1', '{"product_id": "pv1"}', 1, 0, 1000000, now()), ('pv2', '{"product_id": "pv2"}', 1, 0, 999999, now());
CREATE FUNCTION pg_temp.rule(n text) RETURNS bigint LANGUAGE sql AS $$ SELECT rule_id FROM nudge.rules WHERE name = n $$;
CREATE TEMP TABLE before AS
    SELECT (SELECT count(*) FROM nudge.events) AS events, (SELECT count(*) FROM nudge.messages) AS messages, (SELECT count(*) FROM nudge.pending) AS pending,
           (SELECT count(*) FROM nudge.actions) AS actions, (SELECT last_value FROM nudge.messages_message_id_seq) AS id;

SELECT * FROM nudge.preview(pg_temp.rule('pv'), 'pv_ann', 'cart', '{"item": "hat", "value": 12}', '2020-03-02 10:00', '{"page": "/p"}') \gx
SELECT channel, subject, replace(body_text, to_char(now(), 'YYYY-MM-DD'), 'TODAY') LIKE 'ann@example.org    TODAY%' AS now, body_html
FROM nudge.preview(pg_temp.rule('pv email'), 'pv_ann') \gx
-- the other channel
SELECT * FROM nudge.preview(pg_temp.rule('pv'), 'pv_phone');
-- whatever the status is
UPDATE nudge.rules SET status = 'disabled' WHERE name = 'pv email';
SELECT subject FROM nudge.preview(pg_temp.rule('pv email'), 'pv_ann');
UPDATE nudge.rules SET status = 'active' WHERE name = 'pv email';
-- a change of the template is seen at once
UPDATE nudge.templates SET subject = 'Hello {{ user.profile.name }}' WHERE template_id = 'pv' AND channel = 'email';
SELECT subject FROM nudge.preview(pg_temp.rule('pv email'), 'pv_ann');
-- for many users
SELECT u.user_id, p.channel, p.subject FROM nudge.users u CROSS JOIN LATERAL nudge.preview(pg_temp.rule('pv'), u.user_id) p WHERE u.user_id LIKE 'pv\_%' ORDER BY 1;

-- No message, and why
SELECT * FROM nudge.preview(pg_temp.rule('pv'), 'pv_unknown');
SELECT * FROM nudge.preview(pg_temp.rule('pv'), 'pv_none');
SELECT * FROM nudge.preview(pg_temp.rule('pv email'), 'pv_out');
SELECT * FROM nudge.preview(pg_temp.rule('pv nothing'), 'pv_ann');
SELECT * FROM nudge.preview(pg_temp.rule('pv push'), 'pv_ann');
SELECT * FROM nudge.preview(pg_temp.rule('pv abort'), 'pv_ann');

-- Nothing has happened
SELECT (SELECT count(*) FROM nudge.events) = events AND (SELECT count(*) FROM nudge.messages) = messages AND (SELECT count(*) FROM nudge.pending) = pending
       AND (SELECT count(*) FROM nudge.actions) = actions AND (SELECT last_value FROM nudge.messages_message_id_seq) = id AS no_effect
FROM before;
BEGIN READ ONLY;
SELECT channel FROM nudge.preview(pg_temp.rule('pv'), 'pv_ann');
COMMIT;

-- What is sent is what was shown
SET client_min_messages = warning;
INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at, occurred_at, action_type, action_data, context)
SELECT u, pg_temp.rule('pv'), 'normal', '2020-03-02 10:00', '2020-03-02 10:00', '2020-03-02 10:00', 'cart', '{"item": "hat", "value": 12}', '{"page": "/p"}'
FROM unnest('{pv_ann,pv_phone}'::text[]) u;
SELECT * FROM nudge.execute_pending(as_of => '2020-03-02 10:00');
SELECT m.user_id, (m.channel, m.subject, m.body_text, m.body_html) IS NOT DISTINCT FROM (p.channel, p.subject, p.body_text, p.body_html) AS same
FROM nudge.messages m
LEFT JOIN LATERAL nudge.preview(m.rule_id, m.user_id, 'cart', '{"item": "hat", "value": 12}', '2020-03-02 10:00', '{"page": "/p"}') p ON true
WHERE m.rule_id = pg_temp.rule('pv') ORDER BY 1;

-- Those who may not read addresses do not see them
CREATE ROLE pv_marketer;
SELECT nudge.grant_access('pv_marketer', 'marketer');
SET ROLE pv_marketer;
SELECT body_text FROM nudge.preview(pg_temp.rule('pv'), 'pv_ann', occurred_at => '2020-03-02 10:00');
SELECT body_text FROM nudge.preview(pg_temp.rule('pv'), 'pv_phone');
SELECT email FROM nudge.users;
RESET ROLE;
GRANT SELECT (email, phone, push_token) ON nudge.users TO pv_marketer;
SET ROLE pv_marketer;
SELECT body_text FROM nudge.preview(pg_temp.rule('pv'), 'pv_phone');
RESET ROLE;
REVOKE SELECT (email, phone, push_token) ON nudge.users FROM pv_marketer;
SELECT nudge.revoke_access('pv_marketer', 'marketer');
DROP ROLE pv_marketer;

DELETE FROM nudge.items WHERE item LIKE 'pv_';
DELETE FROM nudge.rules WHERE name LIKE 'pv%';
DELETE FROM nudge.templates WHERE template_id LIKE 'pv%';
DELETE FROM nudge.users WHERE user_id LIKE 'pv\_%';
DELETE FROM nudge.outbox WHERE user_id LIKE 'pv\_%';
