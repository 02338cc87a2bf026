-- Who may be sent what: preferences by channel, topics, suppressions; asked when a
-- trigger is due, and again when its message is claimed.
SET client_min_messages = warning;
SET timezone = 'UTC';
DELETE FROM nudge.outbox;
INSERT INTO nudge.templates (template_id, channel, body_text) VALUES ('cs', 'email', 'x'), ('cs', 'sms', 'x'), ('cs', 'push', 'x');
BEGIN;
INSERT INTO nudge.rules (name, trigger_type, template_id, channels, topic) VALUES
    ('cs email', 'behavioral', 'cs', '{email}', NULL), ('cs sms', 'behavioral', 'cs', '{sms}', NULL), ('cs push', 'behavioral', 'cs', '{push}', NULL),
    ('cs news', 'behavioral', 'cs', '{email}', 'news'), ('cs offers', 'behavioral', 'cs', '{email}', 'offers'),
    ('cs any', 'behavioral', 'cs', '{push,sms,email}', NULL),
    ('cs receipt', 'transactional', 'cs', '{email}', 'news'), ('cs receipt sms', 'transactional', 'cs', '{sms}', NULL);
INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters)
SELECT rule_id, 0, 'action_type', '{"types": ["cs"]}' FROM nudge.rules WHERE name LIKE 'cs %';
COMMIT;
CREATE FUNCTION pg_temp.person(who text, preferences jsonb DEFAULT '{}', email text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.users (user_id, email, phone, push_token, preferences)
    VALUES ('cs_' || who, coalesce(email, who || '@example.org'), '+49 30 ' || who, 'Token-' || who, preferences)
$$;
-- What becomes of triggers of a user's that are due at a time
CREATE FUNCTION pg_temp.outcome(who text, VARIADIC rules text[]) RETURNS TABLE (rule text, outcome text)
LANGUAGE plpgsql AS $$
DECLARE
    before bigint := (SELECT coalesce(max(event_id), 0) FROM nudge.events);
BEGIN
    INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at)
    SELECT 'cs_' || who, r.rule_id, 'normal', '2026-01-05 12:00', '2026-01-05 12:00' FROM nudge.rules r
    WHERE r.name = ANY (SELECT 'cs ' || unnest(rules)) ORDER BY r.rule_id;
    PERFORM nudge.execute_pending(as_of => '2026-01-05 12:00');
    RETURN QUERY
        SELECT r.name, coalesce(e.reason, m.channel) FROM nudge.events e
        JOIN nudge.rules r USING (rule_id) LEFT JOIN nudge.messages m USING (message_id)
        WHERE e.event_id > before AND e.user_id = 'cs_' || who ORDER BY e.event_id;
END
$$;

--
-- Channels: email and push unless they say no, sms only if they say yes
--
SELECT pg_temp.person('default');
SELECT * FROM pg_temp.outcome('default', 'email', 'sms', 'push', 'receipt sms');
SELECT pg_temp.person('no', '{"email_enabled": false, "sms_enabled": false, "push_enabled": false}');
SELECT * FROM pg_temp.outcome('no', 'email', 'sms', 'push', 'receipt');
SELECT pg_temp.person('yes', '{"email_enabled": true, "sms_enabled": true, "push_enabled": true}');
SELECT * FROM pg_temp.outcome('yes', 'email', 'sms', 'push', 'receipt sms');
-- Only true and false say something
SELECT pg_temp.person('odd', '{"email_enabled": "false", "sms_enabled": "true", "push_enabled": 0}');
SELECT * FROM pg_temp.outcome('odd', 'email', 'sms', 'push');
SELECT pg_temp.person('null', '{"email_enabled": null, "sms_enabled": 1, "push_enabled": [false]}');
SELECT * FROM pg_temp.outcome('null', 'email', 'sms', 'push');
-- The next channel of the rule
SELECT pg_temp.person('one', '{"push_enabled": false}');
SELECT * FROM pg_temp.outcome('one', 'any');

--
-- Topics: subscribed until they unsubscribe; transactional rules have none
--
SELECT pg_temp.person('topics');
INSERT INTO nudge.subscriptions (user_id, topic, subscribed) VALUES ('cs_topics', 'news', false), ('cs_topics', 'offers', true);
SELECT * FROM pg_temp.outcome('topics', 'email', 'news', 'offers', 'receipt');
UPDATE nudge.subscriptions SET subscribed = NOT subscribed, updated_at = '2020-01-01' WHERE user_id = 'cs_topics';
SELECT * FROM pg_temp.outcome('topics', 'email', 'news', 'offers', 'receipt');
SELECT topic, updated_at > now() - interval '1 h' AS touched FROM nudge.subscriptions WHERE user_id = 'cs_topics' ORDER BY 1;
DELETE FROM nudge.subscriptions WHERE user_id = 'cs_topics';
SELECT * FROM pg_temp.outcome('topics', 'news', 'offers');

--
-- Suppressions
--
SELECT pg_temp.person('u', '{"sms_enabled": true}', 'Shared.Mailbox@Example.org');
SELECT pg_temp.person('v', '{"sms_enabled": true}', 'shared.mailbox@example.ORG');
-- of a user: whatever the address
SELECT nudge.suppress('cs_u');
SELECT * FROM pg_temp.outcome('u', 'email', 'sms', 'push', 'receipt');
SELECT * FROM pg_temp.outcome('v', 'email', 'sms', 'push', 'receipt');
SELECT nudge.suppress(user_id => 'cs_u') AS again, nudge.unsuppress('cs_u') AS lifted, nudge.unsuppress('cs_u') AS lifted_again;
SELECT * FROM pg_temp.outcome('u', 'email', 'sms', 'push', 'receipt');
-- of an address: whoever has it, however it is written
SELECT nudge.suppress(address => '  SHARED.mailbox@EXAMPLE.org ', reason => 'bounced');
SELECT * FROM pg_temp.outcome('u', 'email', 'sms', 'push', 'receipt');
SELECT * FROM pg_temp.outcome('v', 'email', 'sms', 'push', 'receipt');
SELECT nudge.suppress(address => 'shared.mailbox@example.org', reason => 'bounced') AS again,
       nudge.unsuppress(address => 'shared.mailbox@example.org', reason => 'complained') AS of_another_reason,
       nudge.unsuppress(address => 'Shared.Mailbox@example.org') AS lifted;
SELECT nudge.suppress(address => '+49 (30) 77-1', reason => 'manual');
SELECT pg_temp.person('77/1', '{"sms_enabled": true}');
SELECT * FROM pg_temp.outcome('77/1', 'email', 'sms');
-- with both, it is the address that counts: a new one is free
INSERT INTO nudge.suppressions (user_id, address, reason, source) VALUES ('cs_u', 'SHARED.MAILBOX@example.org', 'bounced', 'by hand');
SELECT * FROM pg_temp.outcome('u', 'email', 'sms');
SELECT * FROM pg_temp.outcome('v', 'email');
UPDATE nudge.users SET email = 'new@example.org' WHERE user_id = 'cs_u';
SELECT * FROM pg_temp.outcome('u', 'email');
SELECT user_id, address, channel, reason, source, message_id FROM nudge.suppressions ORDER BY suppression_id;
SELECT nudge.unsuppress('cs_u', 'shared.mailbox@example.org');
-- of a channel
SELECT nudge.suppress('cs_u', channel => 'sms');
SELECT * FROM pg_temp.outcome('u', 'email', 'sms', 'push');
SELECT nudge.unsuppress('cs_u', channel => 'email') AS email, nudge.unsuppress('cs_u', channel => 'sms') AS sms;
-- reasons: who unsubscribes still gets what is transactional, nobody else does
CREATE FUNCTION pg_temp.with_reason(why text) RETURNS TABLE (reason text, rule text, outcome text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nudge.suppress('cs_u', reason => why);
    RETURN QUERY SELECT why, o.* FROM pg_temp.outcome('u', 'email', 'receipt') o;
    PERFORM nudge.unsuppress('cs_u', reason => why);
END
$$;
SELECT w.* FROM unnest('{unsubscribed,bounced,complained,manual}'::text[]) AS r, pg_temp.with_reason(r) AS w;
-- several reasons: the one that holds decides
SELECT nudge.suppress('cs_u', reason => 'unsubscribed'), nudge.suppress('cs_u', reason => 'bounced');
SELECT * FROM pg_temp.outcome('u', 'receipt');
SELECT nudge.unsuppress('cs_u', reason => 'bounced');
SELECT * FROM pg_temp.outcome('u', 'email', 'receipt');
SELECT nudge.unsuppress('cs_u');
-- push tokens are not letters of which case does not matter
SELECT nudge.suppress(address => 'token-u'), nudge.normal_address(' Ab@C.De '), nudge.normal_address('+1 (555) 010.99'), nudge.normal_address('ABC-12');
SELECT * FROM pg_temp.outcome('u', 'push');

--
-- explain says so too
--
CREATE FUNCTION pg_temp.why(who text) RETURNS TABLE (name text, outcome text, reason text) LANGUAGE sql AS
    $$ SELECT name, outcome, reason FROM nudge.explain('cs_' || who, 'cs') WHERE name IN ('cs email', 'cs sms', 'cs news', 'cs receipt') ORDER BY 1 $$;
INSERT INTO nudge.subscriptions (user_id, topic, subscribed) VALUES ('cs_default', 'news', false);
SELECT * FROM pg_temp.why('default');
SELECT nudge.suppress('cs_default', reason => 'complained');
SELECT * FROM pg_temp.why('default');
SELECT nudge.unsuppress('cs_default');
DELETE FROM nudge.subscriptions;

--
-- Claims: consent that was taken back meanwhile
--
DELETE FROM nudge.outbox;
INSERT INTO nudge.frequency_caps (rule_id, period, max_messages) SELECT rule_id, 'weekly', 100 FROM nudge.rules WHERE name LIKE 'cs %';
CREATE FUNCTION pg_temp.messages() RETURNS TABLE (who text, rule text, status nudge.message_status, attempts int, last_error text, reason text) LANGUAGE sql AS $$
    SELECT o.user_id, r.name, o.status, o.attempts, o.last_error,
           (SELECT string_agg(e.event_type || ': ' || e.reason, ', ') FROM nudge.events e WHERE e.message_id = o.message_id AND e.event_type <> 'executed')
    FROM nudge.outbox o LEFT JOIN nudge.rules r USING (rule_id) WHERE o.user_id LIKE 'cs\_%' ORDER BY o.message_id
$$;
SELECT pg_temp.person(n, '{"sms_enabled": true}') FROM unnest('{a,b,c,d,e,f}'::text[]) AS n;
SELECT o.* FROM unnest('{a,b,c,d,e}'::text[]) AS n, pg_temp.outcome(n, 'email', 'news', 'receipt') AS o;
SELECT nudge.suppress('cs_a', reason => 'unsubscribed'), nudge.suppress(address => 'B@example.org', reason => 'bounced');
INSERT INTO nudge.subscriptions (user_id, topic, subscribed) VALUES ('cs_c', 'news', false);
UPDATE nudge.users SET preferences = '{"email_enabled": false}' WHERE user_id = 'cs_d';
DELETE FROM nudge.users WHERE user_id = 'cs_e';
-- no more than are asked for, though others have to be refused on the way
SELECT user_id, rule_id = (SELECT rule_id FROM nudge.rules WHERE name = 'cs receipt') AS receipt, status, attempts FROM nudge.claim('cs', 2);
SELECT user_id, rule_id = (SELECT rule_id FROM nudge.rules WHERE name = 'cs receipt') AS receipt, status, attempts FROM nudge.claim('cs', 100);
SELECT user_id FROM nudge.claim('cs', 100);
SELECT * FROM pg_temp.messages();
-- what was refused has given its places back
SELECT user_id, sum(messages) FROM nudge.cap_counters WHERE user_id ~ '^cs_[a-e]$' AND day = '2026-01-05' GROUP BY 1 ORDER BY 1;
-- a refused message is finished: it neither comes back nor can be acknowledged
SELECT nudge.unsuppress('cs_a'), nudge.unsuppress(address => 'b@example.org');
SELECT user_id FROM nudge.claim('cs', 100);

-- A lease that is over: asked again, as the mailer may not have sent it
DELETE FROM nudge.outbox;
SELECT * FROM pg_temp.outcome('a', 'email');
SELECT user_id, claim_token FROM nudge.claim('cs') \gset
UPDATE nudge.outbox SET lease_until = now() - interval '1 s' WHERE user_id = 'cs_a';
SELECT nudge.suppress('cs_a', reason => 'complained');
SELECT user_id FROM nudge.claim('cs');
SELECT * FROM pg_temp.messages();
SELECT claimed_by, claim_token = :'claim_token' AS token FROM nudge.outbox WHERE user_id = 'cs_a';
\set VERBOSITY sqlstate
SELECT nudge.ack(message_id, claim_token) FROM nudge.outbox WHERE user_id = 'cs_a';
\set VERBOSITY default
SELECT nudge.unsuppress('cs_a');

-- The rule is gone, or another by now: the topic is that of now
DELETE FROM nudge.outbox;
DELETE FROM nudge.subscriptions;
INSERT INTO nudge.subscriptions (user_id, topic, subscribed) VALUES ('cs_a', 'offers', false), ('cs_b', 'news', false);
SELECT o.* FROM pg_temp.outcome('a', 'email', 'news') AS o;
SELECT o.* FROM pg_temp.outcome('b', 'email') AS o;
UPDATE nudge.rules SET topic = 'offers' WHERE name = 'cs email';
DELETE FROM nudge.rules WHERE name = 'cs news';
SELECT user_id FROM nudge.claim('cs') ORDER BY 1;
SELECT * FROM pg_temp.messages();

-- More that are refused than wanted, over many blocks: what is left is found
DELETE FROM nudge.outbox;
INSERT INTO nudge.users (user_id, email) SELECT 'cs_many' || g, 'many' || g || '@example.org' FROM generate_series(1, 3000) g;
INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at)
SELECT 'cs_many' || g, rule_id, 'normal', '2026-01-05', '2026-01-05' FROM generate_series(1, 3000) g, nudge.rules WHERE name = 'cs offers' ORDER BY g;
SELECT executed FROM nudge.execute_pending(5000, '2026-01-05');
INSERT INTO nudge.suppressions (user_id) SELECT 'cs_many' || g FROM generate_series(1, 3000) g WHERE g % 1000 <> 7;
SELECT user_id FROM nudge.claim('cs', 2) ORDER BY 1;
SELECT user_id FROM nudge.claim('cs', 2) ORDER BY 1;
SELECT status, last_error, count(*) FROM nudge.outbox WHERE user_id LIKE 'cs\_many%' GROUP BY 1, 2 ORDER BY 1, 2;

DELETE FROM nudge.outbox WHERE user_id LIKE 'cs\_%';
DELETE FROM nudge.events WHERE user_id LIKE 'cs\_%';
DELETE FROM nudge.cap_usage WHERE user_id LIKE 'cs\_%';
DELETE FROM nudge.suppressions;
DELETE FROM nudge.subscriptions;
DELETE FROM nudge.rules WHERE name LIKE 'cs %';
DELETE FROM nudge.templates WHERE template_id = 'cs';
DELETE FROM nudge.users WHERE user_id LIKE 'cs\_%';
