-- Opens and clicks that no person did
SET client_min_messages = warning;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
-- (what other tests may have left is right from here on)
SELECT nudge.rescore_machine_events() IS NOT NULL AS rescored;
TRUNCATE nudge.rescored_messages;
CREATE FUNCTION pg_temp.message(who text) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO nudge.messages (user_id, channel, recipient, priority, created_at)
    VALUES ('me_' || who, 'email', who || '@example.org', 'normal', '2026-03-01 12:00') RETURNING message_id
$$;
CREATE FUNCTION pg_temp.id(who text) RETURNS bigint LANGUAGE sql AS $$ SELECT max(message_id) FROM nudge.messages WHERE user_id = 'me_' || who $$;
-- What an event of a user agent is taken for, and whether it became an action
CREATE FUNCTION pg_temp.taken(event text, metadata jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    id bigint := pg_temp.message('taken');
    e  record;
BEGIN
    PERFORM nudge.record_event(id, event, '2026-03-01 13:00', metadata);
    SELECT coalesce(flag, 'person') AS flag INTO STRICT e FROM nudge.events WHERE message_id = id;
    RETURN e.flag || CASE WHEN EXISTS (SELECT FROM nudge.actions a WHERE a.user_id = 'me_taken' AND (a.action_data ->> 'message_id')::bigint = id) THEN ', an action' ELSE '' END;
END
$$;
SELECT a.agent, pg_temp.taken('opened', jsonb_build_object('user_agent', a.agent)) AS opened, pg_temp.taken('clicked', jsonb_build_object('user_agent', a.agent)) AS clicked
FROM unnest(ARRAY[
    'Mozilla/5.0',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
    'Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)',
    'YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html',
    'Mozilla/5.0 (Linux; Android 9; CUBOT NOVA) AppleWebKit/537.36',
    'Mozilla/4.0 (compatible; ms-office; MSOffice 16)',
    'Barracuda Sentinel (EE)',
    'Mozilla/5.0 (compatible; proofpoint/1.0)',
    'Mimecast-Scanner',
    'Microsoft Office Existence Discovery',
    'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
    'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
    'python-requests/2.31.0', 'curl/8.5.0', 'Go-http-client/1.1', 'WhatsApp/2.23.20.0',
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/119.0.0.0 Safari/537.36',
    '']) WITH ORDINALITY AS a (agent, n) ORDER BY a.n;
-- What a provider says, and what whoever reports it knows
SELECT m.metadata, pg_temp.taken('opened', m.metadata) AS opened, pg_temp.taken('clicked', m.metadata) AS clicked
FROM unnest(ARRAY['{}', '{"method": "HEAD"}', '{"method": "head"}', '{"method": "GET"}', '{"http_method": "HEAD"}', '{"request_method": "HEAD"}', '{"machine_open": true}', '{"sg_machine_open": true}', '{"sg_machine_open": false}',
    '{"bot": "apple"}', '{"bot": "gmail"}', '{"bot": ""}', '{"machine": true}', '{"machine": false, "user_agent": "curl/8"}', '{"useragent": "curl/8"}', '{"userAgent": "curl/8"}']::jsonb[]) WITH ORDINALITY AS m (metadata, n)
ORDER BY m.n;
SELECT count(*) FROM nudge.suppressions WHERE user_id = 'me_taken';

-- Within two seconds of delivery
CREATE FUNCTION pg_temp.after(delivered timestamptz, VARIADIC seconds numeric[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    id bigint := pg_temp.message('after');
    s  numeric;
BEGIN
    PERFORM nudge.record_event(id, 'delivered', delivered);
    FOREACH s IN ARRAY seconds LOOP
        PERFORM nudge.record_event(id, 'clicked', delivered + s * interval '1 s', jsonb_build_object('s', s));
    END LOOP;
    RETURN (SELECT string_agg(e.metadata ->> 's' || coalesce(' ' || e.flag, ''), ', ' ORDER BY e.event_id) FROM nudge.events e WHERE e.message_id = id AND e.event_type = 'clicked');
END
$$;
SELECT pg_temp.after('2026-03-01 13:00', 0, 1, 2, 2.001, 60, -1, -2.5);
SELECT count(*) FROM nudge.actions WHERE user_id = 'me_after';
-- nobody is quick to complain, or to be unsubscribed
SELECT pg_temp.message('quick') IS NOT NULL AS made;
SELECT nudge.record_event(pg_temp.id('quick'), t, '2026-03-01 13:00') FROM unnest('{delivered,complained,unsubscribed,bounced}'::text[]) AS t;
SELECT event_type, flag FROM nudge.events WHERE user_id = 'me_quick' ORDER BY event_id;
-- times that the mailer left out tell nothing of how quick anybody was
SELECT pg_temp.message('lax') IS NOT NULL AS made;
BEGIN;
SELECT nudge.record_event(pg_temp.id('lax'), 'delivered'), nudge.record_event(pg_temp.id('lax'), 'opened'),
    nudge.record_event(pg_temp.id('lax'), 'clicked', now() + interval '1 s');
COMMIT;
SELECT event_type, flag FROM nudge.events WHERE user_id = 'me_lax' ORDER BY event_id;

-- A click that is reported before its delivery is rescored when that comes; the action stays
SELECT pg_temp.message('late') IS NOT NULL AS made;
SELECT nudge.record_event(pg_temp.id('late'), 'opened', '2026-03-01 13:00:01'), nudge.record_event(pg_temp.id('late'), 'clicked', '2026-03-01 13:00:30'),
    nudge.record_event(pg_temp.id('late'), 'complained', '2026-03-01 13:00:01');
SELECT nudge.record_event(pg_temp.id('late'), 'delivered', '2026-03-01 13:00:00');
SELECT event_type, flag FROM nudge.events WHERE user_id = 'me_late' ORDER BY event_id;
SELECT count(*) FROM nudge.actions WHERE user_id = 'me_late';
SELECT user_id, message_id = pg_temp.id('late') AS that FROM nudge.rescored_messages;
TRUNCATE nudge.rescored_messages;

-- The heuristics change: flags follow, back and forth; nothing fires, and each message is noted
DELETE FROM nudge.events WHERE user_id LIKE 'me\_%';
DELETE FROM nudge.suppressions WHERE user_id LIKE 'me\_%';
SELECT count(pg_temp.message('w' || n)) FROM generate_series(1, 4) AS n;
SELECT nudge.record_event(pg_temp.id('w1'), 'opened', '2026-03-01 13:00', '{"user_agent": "NewScan/1"}'), nudge.record_event(pg_temp.id('w1'), 'clicked', '2026-03-01 13:00', '{"user_agent": "NewScan/1"}'),
    nudge.record_event(pg_temp.id('w2'), 'opened', '2026-03-01 11:00', '{"user_agent": "curl/8"}'),
    nudge.record_event(pg_temp.id('w3'), 'unsubscribed', '2026-03-01 13:00', '{"user_agent": "curl/8"}'),
    nudge.record_event(pg_temp.id('w4'), 'opened', '2026-03-01 13:00', '{"user_agent": "curl/8", "machine": true}');
SELECT user_id, event_type, flag FROM nudge.events WHERE user_id LIKE 'me\_w%' ORDER BY event_id;
SELECT count(*) AS actions FROM nudge.actions WHERE user_id LIKE 'me\_w%' \gset
SELECT nudge.rescore_machine_events();
SELECT count(*) FROM nudge.rescored_messages;
INSERT INTO nudge.machine_agents (name, pattern) VALUES ('newscan', '^newscan');
UPDATE nudge.machine_agents SET enabled = false WHERE name = 'libraries';
-- (events of before are left alone)
SELECT nudge.rescore_machine_events(clock_timestamp());
SELECT nudge.rescore_machine_events();
SELECT user_id, event_type, flag FROM nudge.events WHERE user_id LIKE 'me\_w%' ORDER BY event_id;
SELECT user_id, count(*) FROM nudge.rescored_messages GROUP BY 1 ORDER BY 1;
SELECT count(*) - :actions AS new_actions FROM nudge.actions WHERE user_id LIKE 'me\_w%';
-- who was unsubscribed by a person after all is suppressed
SELECT user_id, address, channel, reason FROM nudge.suppressions WHERE user_id LIKE 'me\_%';
SELECT nudge.rescore_machine_events('2000-01-01');
DELETE FROM nudge.machine_agents WHERE name = 'newscan';
UPDATE nudge.machine_agents SET enabled = true WHERE name = 'libraries';
SELECT nudge.rescore_machine_events();
SELECT user_id, event_type, flag FROM nudge.events WHERE user_id LIKE 'me\_w%' ORDER BY event_id;

-- Events of many days, each looked at
INSERT INTO nudge.events (user_id, event_type, message_id, occurred_at, recorded_at, event_key, metadata)
SELECT 'me_old', 'opened', -n, '2026-03-01', now() - n * interval '1 day', 'k', '{"user_agent": "curl/8"}' FROM generate_series(1, 30) AS n;
SELECT nudge.rescore_machine_events(now() - interval '10.5 days');
SELECT nudge.rescore_machine_events();
SELECT count(*) FILTER (WHERE flag = 'machine'), count(*) FROM nudge.events WHERE user_id = 'me_old';

-- Rows that come with the extension
SELECT name, event_types, enabled FROM nudge.machine_agents ORDER BY name;

TRUNCATE nudge.rescored_messages;
DELETE FROM nudge.suppressions WHERE user_id LIKE 'me\_%';
DELETE FROM nudge.messages WHERE user_id LIKE 'me\_%';
DELETE FROM nudge.events WHERE user_id LIKE 'me\_%';
DELETE FROM nudge.actions WHERE user_id LIKE 'me\_%';
