-- What happens to messages comes back as actions of their users
SET client_min_messages = warning;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
INSERT INTO nudge.templates (template_id, channel, body_text) SELECT 'en', c, 'hello {{ action.data.rule }} {{ action.data.url }}' FROM unnest('{email,sms,push}'::text[]) AS c;
INSERT INTO nudge.users (user_id, email, phone, push_token, preferences) VALUES
    ('en_ann', 'ann@example.org', NULL, NULL, '{}'),
    ('en_bob', NULL, '+4930123456', NULL, '{"sms_enabled": true}'),
    ('en_cid', NULL, NULL, 'token', '{"push_enabled": true}');
SELECT count(nudge.create_rule(jsonb_build_object('name', 'en welcome', 'type', 'behavioral', 'template_id', 'en', 'channels', '["email", "sms", "push"]'::jsonb,
    'conditions', '[{"type": "action_type", "parameters": {"types": ["en_signup"]}}]'::jsonb)));
CREATE VIEW pg_temp.came AS
    SELECT a.user_id, a.action_type, a.source, a.action_data - 'message_id' - 'rule_id' AS data, a.context, a.occurred_at
    FROM nudge.actions a WHERE a.user_id LIKE 'en\_%' ORDER BY a.action_id;
CREATE FUNCTION pg_temp.last(who text) RETURNS bigint LANGUAGE sql AS $$ SELECT max(message_id) FROM nudge.messages WHERE user_id = who $$;

-- Each kind of event, by each channel
SELECT cardinality(nudge.register_action('en_' || u, 'en_signup')) AS fired FROM unnest('{ann,bob,cid}'::text[]) AS u;
SELECT executed FROM nudge.execute_pending();
SELECT user_id, channel, depth FROM nudge.messages WHERE user_id LIKE 'en\_%' ORDER BY 1;
SELECT nudge.record_event(pg_temp.last('en_ann'), t) FROM unnest('{delivered,opened,clicked,bounced,complained,unsubscribed,failed,converted}'::text[]) AS t;
-- (she is to get more)
DELETE FROM nudge.suppressions WHERE user_id = 'en_ann';
SELECT nudge.record_event(pg_temp.last(u), 'clicked', metadata => '{"url": "https://example.org/a?b=1", "ip": "::1"}') FROM unnest('{en_bob,en_cid}'::text[]) AS u;
SELECT user_id, action_type, source, data, context FROM pg_temp.came WHERE source = 'pg_nudge';
SELECT bool_and((action_data ->> 'message_id')::bigint = pg_temp.last(a.user_id)) AS message, bool_and((action_data ->> 'rule_id')::bigint = r.rule_id) AS rule
FROM nudge.actions a, nudge.rules r WHERE a.source = 'pg_nudge' AND a.user_id LIKE 'en\_%' AND r.name = 'en welcome';

-- Once for an event, however often it is reported; what is refused or unknown is nothing
SELECT count(*) AS before FROM pg_temp.came \gset
SELECT nudge.record_event(pg_temp.last('en_ann'), 'opened', metadata => '{"event_id": "x"}') FROM generate_series(1, 3);
SELECT nudge.record_event(-1, 'opened');
SELECT nudge.record_event(pg_temp.last('en_ann'), 'read');
BEGIN;
SELECT nudge.record_event(pg_temp.last('en_ann'), 'opened', metadata => '{"event_id": "rolled back"}');
ROLLBACK;
SELECT count(*) - :before AS new FROM pg_temp.came;
-- When: as the provider says, unless its clock cannot be right
BEGIN;
SELECT nudge.record_event(pg_temp.last('en_ann'), 'clicked', now() + interval '1 hour', '{"event_id": "t1"}'),
    nudge.record_event(pg_temp.last('en_ann'), 'clicked', now() + interval '25 hours', '{"event_id": "t2"}'),
    nudge.record_event(pg_temp.last('en_ann'), 'clicked', '1970-01-01', '{"event_id": "t3"}');
SELECT occurred_at - now() AS off FROM pg_temp.came WHERE action_type = 'email_clicked' ORDER BY occurred_at DESC LIMIT 3;
ROLLBACK;
-- What a machine does is recorded, flagged, and nobody's action
SELECT nudge.record_event(pg_temp.last('en_ann'), 'opened', metadata => '{"machine": true}'), nudge.record_event(pg_temp.last('en_ann'), 'clicked', '1970-01-01', '{"machine": true}'),
    nudge.record_event(pg_temp.last('en_ann'), 'opened', metadata => '{"machine": false}');
SELECT event_type, flag FROM nudge.events WHERE user_id = 'en_ann' AND metadata ? 'machine' ORDER BY event_id;
SELECT count(*) - :before AS new FROM pg_temp.came;

-- A rule follows up on a click on another rule's message, and not on others'
SELECT nudge.create_rule('{"name": "en after click", "type": "behavioral", "template_id": "en", "conditions": [
    {"type": "action_type", "parameters": {"types": ["email_clicked"]}},
    {"type": "action_attribute", "parameters": {"path": "rule", "value": "en welcome"}}]}') IS NOT NULL AS made;
SELECT nudge.record_event(pg_temp.last('en_ann'), 'clicked', metadata => '{"link": "https://example.org/b"}');
SELECT nudge.record_event(pg_temp.last('en_ann'), 'opened', metadata => '{"event_id": "y"}');
SELECT nudge.record_event(pg_temp.last('en_bob'), 'clicked', metadata => '{"event_id": "y"}');
SELECT executed FROM nudge.execute_pending();
SELECT user_id, body_text, depth FROM nudge.messages WHERE user_id LIKE 'en\_%' AND depth IS NOT NULL;
-- a click on that one is another rule's
SELECT nudge.record_event(pg_temp.last('en_ann'), 'clicked');
SELECT executed FROM nudge.execute_pending();
SELECT data, context FROM pg_temp.came WHERE user_id = 'en_ann' ORDER BY occurred_at DESC LIMIT 1;
-- of a rule that is no more there is no name
INSERT INTO nudge.messages (user_id, rule_id, channel, recipient, priority) VALUES ('en_dan', -1, 'email', 'x', 'normal'), ('en_eve', NULL, 'pigeon', 'x', 'normal');
SELECT nudge.record_event(pg_temp.last(u), 'opened') FROM unnest('{en_dan,en_eve}'::text[]) AS u;
SELECT action_type, action_data - 'message_id' AS data FROM nudge.actions WHERE user_id IN ('en_dan', 'en_eve') ORDER BY user_id;

-- A chain is cut at depth 5
DELETE FROM nudge.rules WHERE name = 'en after click';
SELECT nudge.create_rule('{"name": "en chain", "type": "behavioral", "template_id": "en", "conditions": [
    {"type": "action_type", "parameters": {"types": ["email_opened"]}}]}') IS NOT NULL AS made;
SELECT cardinality(nudge.register_action('en_ann', 'en_signup')) AS fired;
CREATE FUNCTION pg_temp.link(who text, n integer, OUT executed bigint, OUT new boolean, OUT depth integer, OUT waiting bigint) LANGUAGE plpgsql AS $$
BEGIN
    SELECT e.executed INTO executed FROM nudge.execute_pending() AS e;
    SELECT coalesce(m.depth, 0) INTO depth FROM nudge.messages m WHERE m.message_id = pg_temp.last(who);
    new := nudge.record_event(pg_temp.last(who), 'opened', metadata => '{"event_id": "chain"}');
    SELECT count(*) INTO waiting FROM nudge.pending p WHERE p.user_id = who;
END
$$;
SELECT l.* FROM generate_series(1, 7) AS n CROSS JOIN LATERAL pg_temp.link('en_ann', n) AS l;
SELECT e.event_type, r.name AS rule, e.reason, e.metadata, e.message_id = pg_temp.last('en_ann') AS of_the_last
FROM nudge.events e JOIN nudge.rules r USING (rule_id) WHERE e.user_id = 'en_ann' AND e.event_type = 'evaluation_error';
SELECT max((context #>> '{pg_nudge,depth}')::integer) FROM nudge.actions WHERE user_id = 'en_ann';
-- what the application says of depth cannot make a chain longer
UPDATE nudge.rules SET status = 'paused' WHERE name = 'en chain';
CREATE FUNCTION pg_temp.depths(contexts jsonb[]) RETURNS TABLE (context jsonb, depth smallint) LANGUAGE plpgsql AS $$
BEGIN
    FOREACH context IN ARRAY contexts LOOP
        PERFORM nudge.register_action('en_ann', 'en_signup', context => context);
        PERFORM nudge.execute_pending();
        SELECT m.depth INTO depth FROM nudge.messages m WHERE m.message_id = pg_temp.last('en_ann');
        RETURN NEXT;
    END LOOP;
END
$$;
SELECT left(context::text, 40) AS context, depth FROM pg_temp.depths(ARRAY['{"pg_nudge": {"depth": -3}}', '{"pg_nudge": {"depth": 2.9}}', '{"pg_nudge": {"depth": 1e999}}', '{"pg_nudge": {"depth": "3"}}',
    '{"pg_nudge": {"depth": null}}', '{"pg_nudge": []}', '{"pg_nudge": 4}', '{"other": 1}', '{}']::jsonb[]);
SELECT nudge.record_event(message_id, 'opened', metadata => '{"event_id": "forged"}') FROM nudge.messages WHERE user_id = 'en_ann' AND depth = 1000;
SELECT count(*) FROM nudge.events WHERE user_id = 'en_ann' AND event_type = 'evaluation_error';

-- With evaluation off the action is recorded all the same
SET nudge.evaluate = off;
UPDATE nudge.rules SET status = 'active' WHERE name = 'en chain';
SELECT nudge.record_event(pg_temp.last('en_ann'), 'opened', metadata => '{"event_id": "off"}');
RESET nudge.evaluate;
SELECT count(*) FROM nudge.pending WHERE user_id = 'en_ann';

-- A mailer may record events and nothing else
CREATE ROLE en_mailer;
SELECT nudge.grant_access('en_mailer', 'mailer');
SET ROLE en_mailer;
SELECT nudge.record_event(:before, 'opened') IS NOT NULL AS allowed;
SELECT nudge.follow_up(1, 'opened', now(), '{}');
INSERT INTO nudge.actions (user_id, action_type) VALUES ('en_ann', 'email_opened');
RESET ROLE;
SELECT nudge.revoke_access('en_mailer', 'mailer');
DROP ROLE en_mailer;

DELETE FROM nudge.rules WHERE name LIKE 'en %';
DELETE FROM nudge.templates WHERE template_id = 'en';
DELETE FROM nudge.users WHERE user_id LIKE 'en\_%';
DELETE FROM nudge.cap_usage WHERE user_id LIKE 'en\_%';
DELETE FROM nudge.pending WHERE user_id LIKE 'en\_%';
DELETE FROM nudge.message_queue WHERE user_id LIKE 'en\_%';
DELETE FROM nudge.messages WHERE user_id LIKE 'en\_%';
DELETE FROM nudge.events WHERE user_id LIKE 'en\_%';
DELETE FROM nudge.actions WHERE user_id LIKE 'en\_%';
