-- What reported events bring about: suppressions, and what does not suppress
SET client_min_messages = warning;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.message(who text, at timestamptz DEFAULT '2026-03-01 12:00', channel text DEFAULT 'email', recipient text DEFAULT NULL)
RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO nudge.messages (user_id, channel, recipient, priority, created_at)
    VALUES ('ei_' || who, channel, coalesce(recipient, who || '@example.org'), 'normal', at) RETURNING message_id
$$;
CREATE FUNCTION pg_temp.id(who text) RETURNS bigint LANGUAGE sql AS $$ SELECT max(message_id) FROM nudge.messages WHERE user_id = 'ei_' || who $$;
CREATE VIEW pg_temp.suppressed AS
    SELECT s.user_id, s.address, s.channel, s.reason, s.source, s.message_id = pg_temp.id(substr(s.user_id, 4)) AS by_this
    FROM nudge.suppressions s WHERE s.user_id LIKE 'ei\_%' ORDER BY s.suppression_id;

-- Hard bounces and complaints suppress the address, unsubscriptions the user, for the channel
SELECT count(pg_temp.message(w)) FROM unnest('{hard,plain,spam,unsub,fail,open}'::text[]) AS w;
SELECT nudge.record_event(pg_temp.id('hard'), 'bounced', '2026-03-01 12:01', '{"bounce_type": "hard", "provider": "postmark"}'),
    nudge.record_event(pg_temp.id('plain'), 'bounced', '2026-03-01 12:01'),
    nudge.record_event(pg_temp.id('spam'), 'complained', '2026-03-01 12:01'),
    nudge.record_event(pg_temp.id('unsub'), 'unsubscribed', '2026-03-01 12:01'),
    nudge.record_event(pg_temp.id('fail'), 'failed', '2026-03-01 12:01', '{"bounce_type": "hard"}'),
    nudge.record_event(pg_temp.id('open'), 'opened', '2026-03-01 12:01');
TABLE pg_temp.suppressed;
SELECT user_id, event_type, reason FROM nudge.events WHERE user_id LIKE 'ei\_%' AND event_type = 'bounced' ORDER BY event_id;
-- in the same transaction: what is rolled back suppresses nobody
SELECT pg_temp.message('back') IS NOT NULL AS made;
BEGIN;
SELECT nudge.record_event(pg_temp.id('back'), 'complained', '2026-03-01 12:01');
SELECT count(*) FROM pg_temp.suppressed WHERE user_id = 'ei_back';
ROLLBACK;
SELECT count(*) FROM pg_temp.suppressed WHERE user_id = 'ei_back';
-- twice is once
SELECT nudge.record_event(pg_temp.id('spam'), 'complained', '2026-03-01 12:01'), nudge.record_event(pg_temp.id('spam'), 'complained', '2026-03-01 12:02');
SELECT count(*) FROM pg_temp.suppressed WHERE user_id = 'ei_spam';
-- by phone too; and nothing stands in the way of an event about a channel that is no more, or a recipient that is none
SELECT pg_temp.message('sms', channel => 'sms', recipient => '+49 30 123') IS NOT NULL AS made;
SELECT pg_temp.message('pigeon', channel => 'pigeon') IS NOT NULL AS made;
SELECT pg_temp.message('blank', recipient => '  ') IS NOT NULL AS made;
SELECT nudge.record_event(pg_temp.id(w), 'bounced', '2026-03-01 12:01') FROM unnest('{sms,pigeon,blank}'::text[]) AS w;
SELECT nudge.record_event(pg_temp.id('pigeon'), 'unsubscribed', '2026-03-01 12:01');
SELECT * FROM pg_temp.suppressed WHERE user_id IN ('ei_sms', 'ei_pigeon', 'ei_blank');
-- a machine's events suppress nobody
SELECT pg_temp.message('robot') IS NOT NULL AS made;
SELECT nudge.record_event(pg_temp.id('robot'), t, '2026-03-01 12:01', '{"machine": true}') FROM unnest('{bounced,complained,unsubscribed}'::text[]) AS t;
SELECT nudge.record_event(pg_temp.id('robot'), 'unsubscribed', '2026-03-01 12:02', '{"user_agent": "Barracuda Sentinel (EE)", "method": "GET"}');
SELECT count(*) FROM pg_temp.suppressed WHERE user_id = 'ei_robot';
-- but one-click unsubscriptions are people's
SELECT nudge.record_event(pg_temp.id('robot'), 'unsubscribed', '2026-03-01 12:03', '{"user_agent": "Barracuda Sentinel (EE)", "method": "POST"}');
SELECT * FROM pg_temp.suppressed WHERE user_id = 'ei_robot';

-- Who is suppressed gets nothing more, of what waits already neither
INSERT INTO nudge.templates (template_id, body_text) VALUES ('ei', 'hello');
INSERT INTO nudge.users (user_id, email) VALUES ('ei_live', 'Live@example.org'), ('ei_flatmate', 'live@example.org');
SELECT nudge.create_rule('{"name": "ei", "type": "behavioral", "template_id": "ei", "conditions": [{"type": "action_type", "parameters": {"types": ["ei_go"]}}]}') IS NOT NULL AS made;
SELECT cardinality(nudge.register_action(u, 'ei_go')) FROM unnest('{ei_live,ei_flatmate}'::text[]) AS u;
SELECT executed FROM nudge.execute_pending();
SELECT nudge.record_event(pg_temp.id('live'), 'bounced', now(), '{"bounce_type": "Permanent"}');
SELECT count(*) AS claimed FROM nudge.claim('ei');
SELECT cardinality(nudge.register_action('ei_live', 'ei_go'));
SELECT executed, skipped FROM nudge.execute_pending();
SELECT user_id, event_type, reason FROM nudge.events WHERE user_id IN ('ei_live', 'ei_flatmate') AND event_type = 'skipped' ORDER BY event_id;

-- Soft bounces: three messages within seven days
CREATE FUNCTION pg_temp.soft(who text, VARIADIC at timestamptz[]) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
DECLARE
    t timestamptz;
BEGIN
    FOREACH t IN ARRAY at LOOP
        PERFORM nudge.record_event(pg_temp.message(who, '2026-01-01'), 'bounced', t, '{"bounce_type": "soft"}');
        RETURN QUERY SELECT count(*) FROM pg_temp.suppressed WHERE user_id = 'ei_' || who;
    END LOOP;
END
$$;
SELECT pg_temp.soft('s1', '2026-03-01', '2026-03-04', '2026-03-07 23:59');
SELECT user_id, address, channel, reason FROM pg_temp.suppressed WHERE user_id = 'ei_s1';
-- seven days after the first is too late
SELECT pg_temp.soft('s2', '2026-03-01', '2026-03-04', '2026-03-08');
SELECT pg_temp.soft('s2', '2026-03-10');
-- in whatever order they are reported
SELECT pg_temp.soft('s3', '2026-03-07', '2026-03-01', '2026-03-04');
SELECT pg_temp.soft('s4', '2026-03-08', '2026-03-01', '2026-03-04');
-- three reports of one message are one bounce
SELECT pg_temp.message('s5', '2026-01-01') IS NOT NULL AS made;
SELECT nudge.record_event(pg_temp.id('s5'), 'bounced', '2026-03-01'::timestamptz + n * interval '1 h', '{"bounce_type": "Transient"}') FROM generate_series(1, 4) AS n;
SELECT count(*) FROM pg_temp.suppressed WHERE user_id = 'ei_s5';
-- by whatever name the kind of a bounce is told
SELECT pg_temp.message('s9', '2026-01-01') IS NOT NULL AS made;
SELECT nudge.record_event(pg_temp.id('s9'), 'bounced', '2026-03-01', m) FROM unnest(ARRAY['{"type": "soft"}', '{"bounce": "Soft"}', '{"bounceType": "Transient"}',
    '{"type": "bounce", "bounce_type": "soft"}', '{"type": "hard", "bounce_type": "soft"}']::jsonb[]) AS m;
SELECT reason, count(*) FROM nudge.events WHERE user_id = 'ei_s9' AND event_type = 'bounced' GROUP BY reason;
SELECT count(*) FROM pg_temp.suppressed WHERE user_id = 'ei_s9';
-- a message that was delivered after all counts for nothing
SELECT pg_temp.soft('s6', '2026-03-01', '2026-03-02');
SELECT nudge.record_event(pg_temp.id('s6'), 'delivered', '2026-03-02 01:00');
SELECT pg_temp.soft('s6', '2026-03-03');
SELECT pg_temp.soft('s6', '2026-03-04');
-- one that bounced after its delivery has bounced
SELECT count(nudge.record_event(pg_temp.message('s8', '2026-01-01'), 'delivered', '2026-02-28')) FROM generate_series(1, 3);
SELECT nudge.record_event(message_id, 'bounced', '2026-03-01', '{"bounce_type": "soft"}') FROM nudge.messages WHERE user_id = 'ei_s8';
SELECT count(*) FROM pg_temp.suppressed WHERE user_id = 'ei_s8';
-- another address counts for itself, and what a machine reports for nothing; an address is the same whatever its case
SELECT pg_temp.soft('s7', '2026-03-01', '2026-03-02');
SELECT nudge.record_event(pg_temp.message('s7', '2026-01-01', recipient => 'new@example.org'), 'bounced', '2026-03-03', '{"bounce_type": "soft"}'),
    nudge.record_event(pg_temp.message('s7', '2026-01-01'), 'bounced', '2026-03-03', '{"bounce_type": "soft", "machine": true}');
SELECT count(*) FROM pg_temp.suppressed WHERE user_id = 'ei_s7';
SELECT nudge.record_event(pg_temp.message('s7', '2026-01-01', recipient => 'S7@EXAMPLE.ORG'), 'bounced', '2026-03-03', '{"bounce_type": "temporary"}');
SELECT user_id, address, channel, reason FROM pg_temp.suppressed WHERE user_id = 'ei_s7';

-- Times: a provider rounds to seconds
SELECT pg_temp.message('time', '2026-03-01 12:00:00.7') IS NOT NULL AS made;
SELECT nudge.record_event(pg_temp.id('time'), 'delivered', t::timestamptz) FROM unnest('{2026-03-01 12:00:00,2026-03-01 11:59:59}'::text[]) AS t;
SELECT flag FROM nudge.events WHERE user_id = 'ei_time' ORDER BY event_id;

-- A mailer does all this without rights on the tables; metadata stays hidden
CREATE ROLE ei_mailer;
CREATE ROLE ei_analyst;
SELECT nudge.grant_access('ei_mailer', 'mailer'), nudge.grant_access('ei_analyst', 'analyst');
SELECT pg_temp.message('role') AS id \gset
SET ROLE ei_mailer;
SELECT nudge.record_event(:id, 'bounced', '2026-03-01 13:00', '{"recipient": "role@example.org"}');
SELECT count(*) FROM nudge.suppressions;
SET ROLE ei_analyst;
SELECT event_type, reason FROM nudge.events WHERE message_id = :id;
SELECT metadata FROM nudge.events WHERE message_id = :id;
RESET ROLE;
SELECT count(*) FROM pg_temp.suppressed WHERE user_id = 'ei_role';
SELECT nudge.revoke_access('ei_mailer', 'mailer'), nudge.revoke_access('ei_analyst', 'analyst');
DROP ROLE ei_mailer, ei_analyst;

DELETE FROM nudge.rules WHERE name = 'ei';
DELETE FROM nudge.templates WHERE template_id = 'ei';
DELETE FROM nudge.users WHERE user_id LIKE 'ei\_%';
DELETE FROM nudge.suppressions WHERE user_id LIKE 'ei\_%';
DELETE FROM nudge.message_queue WHERE user_id LIKE 'ei\_%';
DELETE FROM nudge.message_results WHERE user_id LIKE 'ei\_%';
DELETE FROM nudge.messages WHERE user_id LIKE 'ei\_%';
DELETE FROM nudge.events WHERE user_id LIKE 'ei\_%';
DELETE FROM nudge.actions WHERE user_id LIKE 'ei\_%';
DELETE FROM nudge.cap_usage WHERE user_id LIKE 'ei\_%';
