--
-- Channels: scores worked out by hand, strategies, fallback, caps over several
-- messages of one trigger, and a channel that somebody adds.
--
SET client_min_messages = warning;
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on

SELECT name, base_score, address_path, enabled FROM nudge.channels ORDER BY name;
SELECT urgency, string_agg(channel || ' ' || modifier, ', ' ORDER BY channel) FROM nudge.channel_urgency GROUP BY urgency ORDER BY urgency;

INSERT INTO nudge.templates (template_id, channel, body_text) VALUES
    ('ch', 'email', 'e'), ('ch', 'sms', 's'), ('ch', 'push', 'p'), ('ch_email', 'email', 'e');
CREATE FUNCTION pg_temp.who(who text, more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.users (user_id, email, phone, push_token, profile, preferences)
    SELECT 'ch_' || who, r.email, r.phone, r.push_token, r.profile, r.preferences
    FROM jsonb_populate_record(NULL::nudge.users, '{"email": "x@example.org", "phone": "+49", "push_token": "t", "profile": {},
        "preferences": {"email_enabled": true, "sms_enabled": true, "push_enabled": true, "whatsapp_enabled": true}}' || more) AS r
$$;
CREATE FUNCTION pg_temp.rule(name text, channels text[], strategy nudge.channel_strategy DEFAULT 'best',
                             priority nudge.priority DEFAULT 'normal', template text DEFAULT 'ch') RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO nudge.rules (name, trigger_type, template_id, channels, channel_strategy, priority, fallback_after)
    VALUES ('ch ' || name, 'behavioral', template, channels, strategy, priority, '4 hours')
    RETURNING rule_id
$$;
CREATE FUNCTION pg_temp.id(rule text) RETURNS bigint LANGUAGE sql AS $$
    SELECT rule_id FROM nudge.rules WHERE name = 'ch ' || rule
$$;
CREATE FUNCTION pg_temp.fire(who text, rule text, fired timestamptz) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at)
    SELECT 'ch_' || who, rule_id, priority, fired, fired FROM nudge.rules WHERE name = 'ch ' || rule
    RETURNING pending_id
$$;
-- A message that was sent, and what became of it
CREATE FUNCTION pg_temp.sent(who text, channel text, at timestamptz, events text[] DEFAULT '{}', metadata jsonb DEFAULT '{}')
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id bigint;
    e  text;
BEGIN
    INSERT INTO nudge.messages (user_id, channel, recipient, priority, created_at)
    VALUES ('ch_' || who, channel, 'x', 'normal', at) RETURNING message_id INTO id;
    INSERT INTO nudge.message_results (message_id, user_id, created_at, status, attempts, finished_at)
    VALUES (id, 'ch_' || who, at, 'sent', 1, at);
    FOREACH e IN ARRAY events LOOP
        at := at + interval '1 hour';
        PERFORM nudge.record_event(id, e, at, metadata);
    END LOOP;
END
$$;
CREATE FUNCTION pg_temp.scores(who text, urgency text DEFAULT 'normal')
RETURNS TABLE (channel text, eligible boolean, reason text, engagement numeric, modifier float8, score numeric) LANGUAGE sql AS $$
    SELECT s.channel, s.eligible, s.reason, round(s.engagement::numeric, 4), s.modifier, round(s.score::numeric, 4)
    FROM nudge.channel_scores('ch_' || who, urgency) AS s
$$;
-- What a user got: message's channel, time of making after that of firing, and what was said of the trigger
CREATE FUNCTION pg_temp.got(who text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', e.event_type, e.reason, m.channel, e.metadata ->> 'channel')
    FROM nudge.events e LEFT JOIN nudge.messages m USING (message_id)
    WHERE e.user_id = 'ch_' || who AND e.event_type IN ('executed', 'skipped', 'capped', 'scheduled', 'failed')
    ORDER BY e.event_id
$$;

--
-- Scores: base × engagement × modifier
--
SELECT pg_temp.who('stranger');
SELECT * FROM pg_temp.scores('stranger');
SELECT urgency, string_agg(s.channel || ' ' || s.score, ', ') FROM unnest('{low,high,critical}'::text[]) AS urgency, pg_temp.scores('stranger', urgency) AS s GROUP BY urgency ORDER BY 1;
SELECT channel, base FROM nudge.channel_scores('ch_stranger');
SELECT count(*) FROM nudge.channel_scores('ch_stranger', 'high'::nudge.urgency);

-- (engaged + 1) / (delivered + 2): of four e-mails two were opened and another clicked twice; of two texts none
SELECT pg_temp.who('reader');
SELECT pg_temp.sent('reader', 'email', '2020-03-01', '{delivered,opened}');
SELECT pg_temp.sent('reader', 'email', '2020-03-02', '{opened,clicked,clicked}');
SELECT pg_temp.sent('reader', 'email', '2020-03-03', '{delivered}');
SELECT pg_temp.sent('reader', 'email', '2020-03-04', '{opened}');
SELECT pg_temp.sent('reader', 'sms', '2020-03-04'), pg_temp.sent('reader', 'sms', '2020-03-05');
SELECT * FROM pg_temp.scores('reader');
-- neither a bounce nor a machine nor a message that was not sent counts
SELECT pg_temp.sent('reader', 'push', '2020-03-06', '{opened}', '{"machine": true}');
SELECT pg_temp.sent('reader', 'push', '2020-03-06', '{opened,bounced}');
INSERT INTO nudge.messages (user_id, channel, recipient, priority) VALUES ('ch_reader', 'push', 'x', 'normal');
SELECT * FROM pg_temp.scores('reader');
-- the last 50: ten that were opened are too long ago
SELECT pg_temp.who('many');
SELECT count(pg_temp.sent('many', 'email', '2020-01-01'::timestamptz + n * interval '1 hour', CASE WHEN n <= 10 THEN '{opened}'::text[] WHEN n = 11 THEN '{clicked}' ELSE '{}' END))
FROM generate_series(1, 60) AS n;
SELECT engagement, round((1 + 1) / (50 + 2.0), 4) FROM pg_temp.scores('many') WHERE channel = 'email';
-- a user without a row; addresses, consent
SELECT * FROM pg_temp.scores('nobody');
SELECT pg_temp.who('partly', '{"phone": null, "preferences": {"push_enabled": false}}');
SELECT channel, eligible, reason FROM pg_temp.scores('partly');

--
-- best: by score; ties by the order of the rule; urgency of the priority or of the rule
--
SELECT pg_temp.rule('best', '{push,sms,email}') > 0, pg_temp.rule('urgent', '{push,sms,email}', 'best', 'immediate') > 0;
SELECT pg_temp.fire('stranger', 'best', '2020-03-10 10:00') > 0, pg_temp.fire('stranger', 'urgent', '2020-03-10 10:00') > 0,
       pg_temp.fire('reader', 'best', '2020-03-10 10:00') > 0, pg_temp.fire('partly', 'urgent', '2020-03-10 10:00') > 0;
SELECT * FROM nudge.execute_pending(as_of => '2020-03-10 10:00');
SELECT m.user_id, r.name, m.channel FROM nudge.messages m JOIN nudge.rules r USING (rule_id) WHERE m.user_id LIKE 'ch\_%' ORDER BY m.user_id, r.name;
UPDATE nudge.rules SET urgency = 'low' WHERE name = 'ch urgent';
SELECT nudge.coordinate_channels(pg_temp.id('urgent'), 'ch_stranger') -> 'channels' -> 0 ->> 'channel';
UPDATE nudge.channel_urgency SET modifier = 0.7 / 0.6 WHERE urgency = 'low' AND channel = 'push';
SELECT nudge.coordinate_channels(pg_temp.id('urgent'), 'ch_stranger') -> 'channels' -> 0 ->> 'channel' AS "push ties, and is named first";
DELETE FROM nudge.channel_urgency WHERE urgency = 'low' AND channel = 'push';
SELECT modifier AS "1 without a row" FROM pg_temp.scores('stranger', 'low') WHERE channel = 'push';
INSERT INTO nudge.channel_urgency VALUES ('low', 'push', 0.8);

--
-- top2 and all: messages of one trigger, each with an id of its own
--
SELECT pg_temp.rule('two', '{sms,push,email}', 'top2') > 0, pg_temp.rule('all', '{sms,push,email}', 'all') > 0, pg_temp.rule('one', '{sms,email}', 'all', template => 'ch_email') > 0;
SELECT pg_temp.who('two'), pg_temp.who('all'), pg_temp.who('one');
SELECT pg_temp.fire('two', 'two', '2020-03-10 10:00') > 0, pg_temp.fire('all', 'all', '2020-03-10 10:00') > 0, pg_temp.fire('one', 'one', '2020-03-10 10:00') > 0;
SELECT * FROM nudge.execute_pending(as_of => '2020-03-10 10:00');
SELECT user_id, count(DISTINCT pending_id), count(DISTINCT message_id), string_agg(channel || ' ' || body_text || ' ' || recipient || ' ' || status, ', ' ORDER BY message_id)
FROM nudge.outbox WHERE user_id IN ('ch_two', 'ch_all', 'ch_one') GROUP BY user_id ORDER BY user_id;
SELECT * FROM pg_temp.got('all');
SELECT channel, messages FROM nudge.cap_counters WHERE user_id = 'ch_all' ORDER BY channel;
-- one template that fails makes the trigger fail as a whole: nothing is sent twice by its retry
INSERT INTO nudge.templates (template_id, channel, body_text) VALUES
    ('ch_bad', 'email', 'e'), ('ch_bad', 'sms', '{% for i in (1..100000000) %}{% endfor %}'), ('ch_bad', 'push', '{% abort "not today" %}');
SELECT pg_temp.rule('bad', '{sms,push,email}', 'all', template => 'ch_bad') > 0, pg_temp.who('bad'), pg_temp.fire('bad', 'bad', '2020-03-10 10:00') > 0;
SELECT * FROM nudge.execute_pending(as_of => '2020-03-10 10:00');
SELECT count(*) FROM nudge.messages WHERE user_id = 'ch_bad';
SELECT count(*) FROM nudge.cap_counters WHERE user_id = 'ch_bad';
UPDATE nudge.templates SET body_text = 'mended' WHERE template_id = 'ch_bad' AND channel = 'sms';
SELECT * FROM nudge.execute_pending(as_of => '2020-03-10 12:00');
SELECT channel, body_text FROM nudge.outbox WHERE user_id = 'ch_bad' ORDER BY channel;
-- one that gives up drops its channel only
UPDATE nudge.rules SET channels = '{push}' WHERE name = 'ch bad';
SELECT pg_temp.fire('bad', 'bad', '2020-03-10 13:00') > 0;
SELECT * FROM nudge.execute_pending(as_of => '2020-03-10 13:00');
SELECT * FROM pg_temp.got('bad');
SELECT channel FROM nudge.preview(pg_temp.id('bad'), 'ch_bad');

--
-- Caps: each message counts; the best goes first
--
CREATE FUNCTION pg_temp.cap(rule text, period nudge.cap_period, most int, channel text DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.frequency_caps (rule_id, channel, period, max_messages)
    VALUES ((SELECT rule_id FROM nudge.rules WHERE name = 'ch ' || rule), channel, period, most)
$$;
SELECT pg_temp.cap('all', 'daily', 4), pg_temp.who('capped');
SELECT pg_temp.fire('capped', 'all', t) > 0 FROM unnest('{2020-03-10 10:00, 2020-03-10 11:00, 2020-03-10 12:00}'::timestamptz[]) AS t;
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-03-10 13:00');
SELECT * FROM pg_temp.got('capped');
SELECT reason, metadata - 'cap_id' FROM nudge.events WHERE user_id = 'ch_capped' AND event_type = 'capped' ORDER BY event_id;
DELETE FROM nudge.frequency_caps;
-- a cap of the rule on a channel, and one over all rules on another
SELECT pg_temp.cap('all', 'daily', 1, 'email'), pg_temp.cap(NULL, 'weekly', 1, 'sms'), pg_temp.who('capped2');
SELECT pg_temp.fire('capped2', 'all', '2020-03-10 10:00') > 0, pg_temp.fire('capped2', 'two', '2020-03-10 11:00') > 0, pg_temp.fire('capped2', 'all', '2020-03-11 10:00') > 0, pg_temp.fire('capped2', 'all', '2020-03-11 11:00') > 0;
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-03-11 13:00');
SELECT * FROM pg_temp.got('capped2');
SELECT channel, day, messages FROM nudge.cap_counters WHERE user_id = 'ch_capped2' ORDER BY channel, day, rule_id;
DELETE FROM nudge.frequency_caps;

-- explain leaves out what a cap on a channel forbids, and says so where nothing is left
SELECT pg_temp.cap('two', 'daily', 1, 'email'), pg_temp.who('capped3'), pg_temp.fire('capped3', 'two', now()) > 0;
SELECT outcome, reason FROM nudge.explain('ch_capped3', 'act') WHERE name = 'ch two';
SELECT executed FROM nudge.execute_pending(as_of => now());
SELECT outcome, reason FROM nudge.explain('ch_capped3', 'act') WHERE name = 'ch two';
SELECT pg_temp.cap('two', 'weekly', 1, channel) FROM unnest('{email,push}'::text[]) AS channel;
SELECT outcome, reason FROM nudge.explain('ch_capped3', 'act') WHERE name = 'ch two';
DELETE FROM nudge.frequency_caps;

--
-- fallback: the best, and the next where it was not engaged with
--
SELECT pg_temp.rule('fallback', '{sms,push,email}', 'fallback') > 0, pg_temp.who('silent'), pg_temp.who('opens'), pg_temp.who('machine'), pg_temp.who('clicks');
SELECT pg_temp.fire(who, 'fallback', '2020-03-10 10:00') > 0 FROM unnest('{silent,opens,machine,clicks}'::text[]) AS who;
SELECT executed FROM nudge.execute_pending(as_of => '2020-03-10 10:00');
SELECT user_id, due_at, fired_at, channels, fallback_of = (SELECT max(m.message_id) FROM nudge.messages m WHERE m.user_id = p.user_id) AS follows
FROM nudge.pending p WHERE user_id LIKE 'ch\_%' ORDER BY user_id;
-- (rules without conditions would fire on the opens and clicks themselves)
SET nudge.evaluate = off;
SELECT nudge.record_event(message_id, 'opened', '2020-03-10 11:00') FROM nudge.messages WHERE user_id = 'ch_opens';
SELECT nudge.record_event(message_id, 'opened', '2020-03-10 11:00', '{"machine": true}') FROM nudge.messages WHERE user_id = 'ch_machine';
SELECT * FROM nudge.execute_pending(as_of => '2020-03-10 13:59:59');
SELECT * FROM nudge.execute_pending(as_of => '2020-03-10 14:00');
SELECT nudge.record_event(message_id, 'clicked', '2020-03-10 15:00') FROM nudge.messages WHERE user_id = 'ch_clicks' AND channel = 'push';
RESET nudge.evaluate;
SELECT * FROM nudge.execute_pending(as_of => '2020-03-10 18:00');
SELECT * FROM nudge.execute_pending(as_of => '2020-04-10 18:00');
SELECT * FROM pg_temp.got('silent');
SELECT * FROM pg_temp.got('opens');
SELECT * FROM pg_temp.got('machine');
SELECT * FROM pg_temp.got('clicks');
-- those of one trigger count together: on the day on which it fired
SELECT channel, day, messages FROM nudge.cap_counters WHERE user_id = 'ch_silent' ORDER BY channel;
-- expiry counts from each due time; a cancelling action cancels what follows; no channel any more
UPDATE nudge.rules SET expiry = '1 hour', cancel_on = '{bought}' WHERE name = 'ch fallback';
SELECT pg_temp.who('expired'), pg_temp.who('bought'), pg_temp.who('left');
SELECT pg_temp.fire(who, 'fallback', '2020-03-10 10:00') > 0 FROM unnest('{expired,bought,left}'::text[]) AS who;
SELECT executed FROM nudge.execute_pending(as_of => '2020-03-10 10:00');
SELECT user_id, expires_at FROM nudge.pending WHERE user_id = 'ch_expired';
INSERT INTO nudge.actions (user_id, action_type, recorded_at) VALUES ('ch_bought', 'bought', '2020-03-10 12:00');
UPDATE nudge.users SET push_token = NULL, phone = NULL WHERE user_id = 'ch_left';
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-03-10 14:30') ;
SELECT * FROM nudge.execute_pending(as_of => '2020-03-10 23:00');
SELECT * FROM pg_temp.got('expired');
SELECT * FROM pg_temp.got('bought');
SELECT * FROM pg_temp.got('left');
-- a rule that changes while something is to follow
UPDATE nudge.rules SET expiry = NULL WHERE name = 'ch fallback';
SELECT pg_temp.who('changed'), pg_temp.who('removed');
SELECT pg_temp.fire(who, 'fallback', '2020-03-10 10:00') > 0 FROM unnest('{changed,removed}'::text[]) AS who;
SELECT executed FROM nudge.execute_pending(as_of => '2020-03-10 10:00');
UPDATE nudge.rules SET channels = '{email,sms}' WHERE name = 'ch fallback';
UPDATE nudge.pending SET due_at = '2020-03-11' WHERE user_id = 'ch_changed';
SELECT executed FROM nudge.execute_pending(as_of => '2020-03-10 14:00');
UPDATE nudge.rules SET channel_strategy = 'best' WHERE name = 'ch fallback';
SELECT skipped FROM nudge.execute_pending(as_of => '2020-03-11');
SELECT * FROM pg_temp.got('removed');
SELECT * FROM pg_temp.got('changed');

--
-- A channel that somebody adds; one that is disabled
--
INSERT INTO nudge.channels (name, base_score, address_path) VALUES ('whatsapp', 0.95, 'profile.contact.whatsapp');
INSERT INTO nudge.channels (name) VALUES ('letter') RETURNING base_score, address_path;
INSERT INTO nudge.channel_urgency VALUES ('normal', 'whatsapp', 0.8);
INSERT INTO nudge.templates (template_id, channel, body_text) VALUES ('ch', 'whatsapp', 'w');
SELECT pg_temp.rule('added', '{email,whatsapp}') > 0, pg_temp.who('added', '{"profile": {"contact": {"whatsapp": 4915112345}}}'),
       pg_temp.who('lines', '{"profile": {"contact": {"whatsapp": "a\nb"}}}');
SELECT * FROM pg_temp.scores('added');
SELECT channel, reason FROM pg_temp.scores('lines') WHERE NOT eligible;
SELECT pg_temp.fire('added', 'added', '2020-03-10 10:00') > 0, pg_temp.fire('lines', 'added', '2020-03-10 10:00') > 0;
SELECT executed FROM nudge.execute_pending(as_of => '2020-03-10 10:00');
SELECT user_id, channel, recipient, body_text FROM nudge.outbox WHERE user_id IN ('ch_added', 'ch_lines') ORDER BY user_id;
SELECT count(*) FROM nudge.claim('wa', channels => '{whatsapp}');
-- the only channel of a rule, in a batch of several
SELECT pg_temp.rule('only', '{whatsapp}') > 0, count(pg_temp.who('only' || n, jsonb_build_object('profile', jsonb_build_object('contact', jsonb_build_object('whatsapp', 'w' || n)))))
FROM generate_series(1, 20) AS n;
SELECT count(pg_temp.fire('only' || n, 'only', '2020-03-10 10:00')) FROM generate_series(1, 20) AS n;
SELECT executed FROM nudge.execute_pending(as_of => '2020-03-10 10:00');
SELECT count(*) FROM nudge.outbox WHERE user_id = 'ch_only' || substr(recipient, 2) AND channel = 'whatsapp';
-- addresses in documents are hidden from those who may not read addresses, as those in columns are
CREATE ROLE ch_marketer;
SELECT nudge.grant_access('ch_marketer', 'marketer');
UPDATE nudge.templates SET body_text = '{{ user.profile.contact.whatsapp }} {{ user.profile | json }} {{ message.recipient }}' WHERE template_id = 'ch' AND channel = 'whatsapp';
INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters)
SELECT pg_temp.id('added'), n, 'user_attribute', 'exists', jsonb_build_object('path', path) FROM (VALUES (1, 'profile.contact.whatsapp'), (2, 'profile.contact')) AS v (n, path);
SELECT pg_temp.who('odd', '{"profile": {"contact": ["a"]}}');
SET ROLE ch_marketer;
SELECT p.channel FROM nudge.rules r, nudge.preview(r.rule_id, 'ch_odd') AS p WHERE r.name = 'ch added';
SELECT r.name, p.body_text FROM nudge.rules r, nudge.preview(r.rule_id, 'ch_added') AS p WHERE r.name = 'ch added';
SELECT outcome, jsonb_path_query_array(detail, '$.conditions[*].value') FROM nudge.explain('ch_added', 'x') WHERE name = 'ch added';
RESET ROLE;
SELECT p.body_text FROM nudge.preview(pg_temp.id('added'), 'ch_added') AS p;
SELECT nudge.revoke_access('ch_marketer', 'marketer');
DROP ROLE ch_marketer;
UPDATE nudge.channels SET enabled = false WHERE name = 'whatsapp';
SELECT channel, reason FROM pg_temp.scores('added') WHERE NOT eligible;
SELECT outcome, reason, detail -> 'channels' FROM nudge.explain('ch_added', 'x') WHERE name = 'ch added';
SELECT * FROM nudge.preview(pg_temp.id('added'), 'ch_added');
UPDATE nudge.rules SET channels = '{whatsapp}' WHERE name = 'ch added';
SELECT outcome, reason FROM nudge.explain('ch_added', 'x') WHERE name = 'ch added';
DELETE FROM nudge.channels WHERE name = 'letter' RETURNING name;

--
-- The same code answers: coordinate_channels, explain, preview
--
SELECT jsonb_pretty(nudge.coordinate_channels(pg_temp.id('two'), 'ch_reader') - 'rule_id');
SELECT nudge.coordinate_channels(pg_temp.id('all'), 'ch_partly') - 'rule_id' - 'channels';
SELECT nudge.coordinate_channels(pg_temp.id('all'), 'ch_nobody') - 'rule_id';
UPDATE nudge.rules SET channel_strategy = 'fallback', channels = '{sms,push,email}', urgency = 'critical' WHERE name = 'ch fallback';
SELECT p -> 'fallback_after', p -> 'urgency', jsonb_path_query_array(p, '$.channels[*].channel') FROM nudge.coordinate_channels(pg_temp.id('fallback'), 'ch_stranger') AS p;
-- what caps would say now: of three messages two
SELECT pg_temp.cap('all', 'daily', 2);
SELECT c ->> 'channel', c -> 'capped_by' -> 'max_messages' FROM jsonb_array_elements(nudge.coordinate_channels(pg_temp.id('all'), 'ch_stranger') -> 'channels') AS c;
DELETE FROM nudge.frequency_caps;
SELECT outcome, reason FROM nudge.explain('ch_reader', 'x') WHERE name = 'ch two';
SELECT outcome, reason FROM nudge.explain('ch_stranger', 'x') WHERE name = 'ch all';
SELECT * FROM nudge.preview(pg_temp.id('two'), 'ch_reader');
SELECT channel FROM nudge.preview(pg_temp.id('all'), 'ch_stranger');
SELECT channel FROM nudge.preview(pg_temp.id('fallback'), 'ch_stranger');

DELETE FROM nudge.rules WHERE name LIKE 'ch %';
DELETE FROM nudge.templates WHERE template_id LIKE 'ch%';
DELETE FROM nudge.channels WHERE name = 'whatsapp';
DELETE FROM nudge.pending WHERE user_id LIKE 'ch\_%';
DELETE FROM nudge.suppressions WHERE user_id LIKE 'ch\_%';
DELETE FROM nudge.users WHERE user_id LIKE 'ch\_%';
DELETE FROM nudge.cap_usage WHERE user_id LIKE 'ch\_%';
DELETE FROM nudge.message_queue WHERE user_id LIKE 'ch\_%';
