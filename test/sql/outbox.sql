-- What claim, ack and nack hand out, change and refuse to change.
-- Messages of other tests are kept out of the way by a channel of our own.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.put(names text[], priority nudge.priority, channel text DEFAULT 'outbox_test',
                            available_at timestamptz DEFAULT now(), created_at timestamptz DEFAULT now())
RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.users (user_id) SELECT unnest(names) ON CONFLICT DO NOTHING;
    WITH m AS (
        INSERT INTO nudge.messages (user_id, pending_id, rule_id, channel, recipient, template_id, subject,
                                    body_text, body_html, sender_name, sender_address, reply_to, headers,
                                    priority, created_at)
        SELECT n, 7, 8, channel, n || '@example.org', 'welcome', 'Hello ' || n, 'text', '<p>html</p>',
               'Shop', 'shop@example.org', 'help@example.org', '{"X-Campaign": "1"}', priority, created_at
        FROM unnest(names) WITH ORDINALITY AS u (n, i) ORDER BY i
        RETURNING *),
    q AS (
        INSERT INTO nudge.message_queue (message_id, user_id, created_at, priority, channel, available_at)
        SELECT m.message_id, m.user_id, m.created_at, m.priority, m.channel, available_at FROM m)
    INSERT INTO nudge.message_blocks (priority, block)
    SELECT DISTINCT m.priority, m.message_id / 1024 FROM m;
$$;
CREATE FUNCTION pg_temp.id(name text) RETURNS bigint LANGUAGE sql AS
    $$ SELECT message_id FROM nudge.outbox WHERE user_id = name AND channel = 'outbox_test' $$;
CREATE FUNCTION pg_temp.token(name text) RETURNS uuid LANGUAGE sql AS
    $$ SELECT claim_token FROM nudge.outbox WHERE user_id = name AND channel = 'outbox_test' $$;
-- Times are shown as what they are to now
CREATE VIEW pg_temp.state AS
    SELECT user_id, status, attempts,
           available_at <= clock_timestamp() AS due,
           claimed_by, claim_token IS NOT NULL AS token, lease_until > clock_timestamp() AS leased,
           sent_at IS NOT NULL AS sent, provider_message_id AS provider, last_error
    FROM nudge.outbox WHERE channel = 'outbox_test' ORDER BY message_id;

-- The columns of the contract, in its order
SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = 'nudge.outbox'::regclass AND attnum > 0;

-- By priority, then by age
SELECT pg_temp.put('{n1,n2,n3}', 'normal');
SELECT pg_temp.put('{b1}', 'batch');
SELECT pg_temp.put('{i1,i2}', 'immediate');
SELECT pg_temp.put('{l1}', 'low');
SELECT pg_temp.put('{h1}', 'high');
SELECT pg_temp.put('{later}', 'immediate', available_at => now() + interval '1 hour');
SELECT user_id, status, attempts, claimed_by, lease_until > now() AS leased
FROM nudge.claim('one', 4, channels => '{outbox_test}');
SELECT user_id, status, attempts, claimed_by, lease_until > now() AS leased
FROM nudge.claim('two', 100, channels => '{outbox_test,other}');
SELECT user_id FROM nudge.claim('three', channels => '{outbox_test}');
SELECT * FROM pg_temp.state;

-- All that the mailer needs comes along, and it is what nudge.outbox shows
SELECT pg_temp.put('{whole}', 'normal');
CREATE TEMP TABLE handed AS SELECT * FROM nudge.claim('four', lease => '1 hour', channels => '{outbox_test}');
SELECT pending_id, rule_id, user_id, channel, recipient, template_id, subject, body_text, body_html,
       sender_name, sender_address, reply_to, headers, priority, status, attempts,
       lease_until - clock_timestamp() BETWEEN '59 min' AND '1 hour' AS leased
FROM handed;
TABLE handed EXCEPT TABLE nudge.outbox;

-- A claim is durable whatever the session says, and asks no more than that
BEGIN;
SET LOCAL synchronous_commit = off;
SELECT count(*) FROM nudge.claim('five', channels => '{outbox_test}');
SHOW synchronous_commit;
ROLLBACK;
BEGIN;
SET LOCAL synchronous_commit = remote_apply;
SELECT count(*) FROM nudge.claim('five', channels => '{outbox_test}');
SHOW synchronous_commit;
ROLLBACK;

-- Channels
SELECT pg_temp.put('{c1}', 'normal', 'outbox_test_sms');
SELECT user_id FROM nudge.claim('five', channels => '{outbox_test}');
SELECT user_id FROM nudge.claim('five', channels => '{}');
SELECT user_id FROM nudge.claim('five', channels => '{outbox_test_sms}');

-- ack: one, several, none
SELECT nudge.ack(pg_temp.id('i1'), pg_temp.token('i1'), 'provider-1');
SELECT nudge.ack(ARRAY[pg_temp.id('i2'), pg_temp.id('h1')], ARRAY[pg_temp.token('i2'), pg_temp.token('h1')], '{p2,p3}');
SELECT nudge.ack(ARRAY[pg_temp.id('n1')], ARRAY[pg_temp.token('n1')]);
SELECT nudge.ack('{}'::bigint[], '{}'::uuid[]);
SELECT * FROM pg_temp.state WHERE status = 'sent';
SELECT user_id, event_type, rule_id, pending_id, reason, message_id = pg_temp.id(user_id) AS message
FROM nudge.events WHERE event_type = 'sent' AND user_id IN ('i1', 'i2', 'h1', 'n1') ORDER BY message_id;

-- A lease that is over: handed out again, under a new token; the old one is void
SELECT pg_temp.token('n2') AS old_token \gset
UPDATE nudge.outbox SET lease_until = now() - interval '1 s' WHERE user_id = 'n2' AND channel = 'outbox_test';
SELECT user_id, attempts, claimed_by, claim_token <> :'old_token' AS new_token
FROM nudge.claim('six', channels => '{outbox_test}');
\set VERBOSITY sqlstate
SELECT nudge.ack(pg_temp.id('n2'), :'old_token');
SELECT nudge.nack(pg_temp.id('n2'), :'old_token', 'no');
\set VERBOSITY default
SELECT nudge.ack(pg_temp.id('n2'), pg_temp.token('n2'));
-- One that is over but has not been handed out again may still be reported
UPDATE nudge.outbox SET lease_until = now() - interval '1 s' WHERE user_id = 'n3' AND channel = 'outbox_test';
SELECT nudge.ack(pg_temp.id('n3'), pg_temp.token('n3'));

-- nack: back-off of 5 minutes, doubling to an hour, a fifth more or less
CREATE FUNCTION pg_temp.backoff(tries integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    usual interval := least(interval '5 min' * 2 ^ (least(tries, 10) - 1), interval '1 h');
    before timestamptz;
    m record;
BEGIN
    UPDATE nudge.outbox SET status = 'ready', attempts = tries - 1, available_at = now()
    WHERE user_id = 'l1' AND channel = 'outbox_test';
    SELECT * INTO STRICT m FROM nudge.claim('seven', channels => '{outbox_test}');
    before := clock_timestamp();
    PERFORM nudge.nack(m.message_id, m.claim_token, 'try ' || tries);
    SELECT available_at INTO m.available_at FROM nudge.outbox WHERE message_id = m.message_id;
    RETURN m.available_at >= before + usual * 0.8 AND m.available_at <= clock_timestamp() + usual * 1.2;
END
$$;
SELECT tries, pg_temp.backoff(tries) FROM unnest('{1,2,3,4,5,6,40}'::int[]) AS tries;
SELECT * FROM pg_temp.state WHERE user_id = 'l1';
CREATE FUNCTION pg_temp.delays(n integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    seconds bigint[];
BEGIN
    FOR i IN 1 .. n LOOP
        PERFORM pg_temp.backoff(1);
        seconds := seconds || (SELECT extract(epoch FROM available_at - clock_timestamp())::bigint FROM nudge.outbox
                               WHERE user_id = 'l1' AND channel = 'outbox_test');
    END LOOP;
    RETURN (SELECT count(DISTINCT s) FROM unnest(seconds) AS s);
END
$$;
SELECT pg_temp.delays(8) > 1 AS jitter;
-- not before its time
SELECT user_id FROM nudge.claim('eight', channels => '{outbox_test}');
-- after five days it is dead, and a permanent failure is one at once
SELECT pg_temp.put('{old}', 'normal', created_at => now() - interval '5 days 1 min');
SELECT nudge.nack(message_id, claim_token, 'mailbox full: old@example.org') FROM nudge.claim('eight', channels => '{outbox_test}');
SELECT pg_temp.put('{gone}', 'normal');
SELECT nudge.nack(message_id, claim_token, 'no such mailbox', true) FROM nudge.claim('eight', channels => '{outbox_test}');
SELECT * FROM pg_temp.state WHERE user_id IN ('old', 'gone');
SELECT user_id, event_type, reason, metadata FROM nudge.events
WHERE user_id IN ('old', 'gone') AND event_type IN ('failed', 'dead') ORDER BY event_id;

-- Mending: what is released is handed out at once, whatever the guide had said
UPDATE nudge.outbox SET available_at = now() WHERE user_id IN ('l1', 'later') AND channel = 'outbox_test';
SELECT user_id FROM nudge.claim('nine', channels => '{outbox_test}');
UPDATE nudge.outbox SET status = 'ready' WHERE user_id = 'later' AND channel = 'outbox_test';
SELECT * FROM pg_temp.state WHERE user_id = 'later';
SELECT user_id FROM nudge.claim('ten', channels => '{outbox_test}');
UPDATE nudge.outbox SET status = 'failed', last_error = 'by hand' WHERE user_id = 'later' AND channel = 'outbox_test';
UPDATE nudge.outbox SET status = 'sent', provider_message_id = 'p9' WHERE user_id = 'l1' AND channel = 'outbox_test';
SELECT * FROM pg_temp.state WHERE user_id IN ('later', 'l1');
DELETE FROM nudge.outbox WHERE user_id IN ('b1', 'whole', 'old') AND channel = 'outbox_test';
SELECT user_id, status FROM pg_temp.state;
SELECT user_id, event_type, reason FROM nudge.events WHERE user_id IN ('b1', 'whole', 'later', 'l1') ORDER BY event_id;

-- Only a message that was not sent gives its place under the caps back
INSERT INTO nudge.cap_usage (user_id, rule_ids, channels, days, counts)
SELECT u, '{8}', '{outbox_test}', ARRAY[(now() AT TIME ZONE 'UTC')::date], '{3}'
FROM unnest('{cap-sent,cap-retry,cap-failed,cap-dead,cap-deleted}'::text[]) AS u;
SELECT pg_temp.put('{cap-sent,cap-retry,cap-failed}', 'normal');
SELECT pg_temp.put('{cap-dead}', 'normal', created_at => now() - interval '6 days');
SELECT pg_temp.put('{cap-deleted}', 'normal', available_at => now() + interval '1 h');
UPDATE nudge.messages SET fired_at = now() WHERE user_id LIKE 'cap-%';
CREATE TEMP TABLE capped AS SELECT * FROM nudge.claim('caps', channels => '{outbox_test}');
SELECT nudge.ack(message_id, claim_token) FROM capped WHERE user_id = 'cap-sent';
SELECT nudge.nack(message_id, claim_token, 'no', user_id = 'cap-failed') FROM capped WHERE user_id <> 'cap-sent' ORDER BY message_id;
DELETE FROM nudge.outbox WHERE user_id = 'cap-deleted' AND channel = 'outbox_test';
SELECT user_id, rule_id, channel, messages FROM nudge.cap_counters WHERE user_id LIKE 'cap-%' ORDER BY user_id;
SELECT user_id, status FROM pg_temp.state WHERE user_id LIKE 'cap-%';

-- The guide: a block that has nothing to hand out is looked at again when its
-- first message is due, and goes with its last one
CREATE VIEW pg_temp.guide AS
    SELECT b.priority, b.next_at > clock_timestamp() AS waits, count(*)
    FROM nudge.message_blocks b, (SELECT last_value / 1024 AS block FROM nudge.messages_message_id_seq) m
    WHERE b.block = m.block AND b.priority = 'low'
    GROUP BY 1, 2 ORDER BY 1, 2;
-- (start a block of our own)
SELECT setval('nudge.messages_message_id_seq', (nextval('nudge.messages_message_id_seq') / 1024 + 1) * 1024) IS NOT NULL AS moved;
SELECT pg_temp.put('{g1}', 'low', 'guide_test');
SELECT pg_temp.put('{g2}', 'low', 'guide_test');
SELECT pg_temp.put('{g3}', 'low', 'guide_test', available_at => now() + interval '1 day');
TABLE pg_temp.guide;
CREATE TEMP TABLE held AS SELECT * FROM nudge.claim('guide', 2, channels => '{guide_test}');
TABLE pg_temp.guide;
SELECT user_id FROM nudge.claim('guide', channels => '{guide_test}');
TABLE pg_temp.guide;
SELECT next_at = (SELECT lease_until FROM held LIMIT 1) AS at_the_end_of_the_lease
FROM nudge.message_blocks WHERE priority = 'low' AND block = (SELECT message_id / 1024 FROM held LIMIT 1);
-- under REPEATABLE READ it stays as it is
SELECT pg_temp.put('{g4}', 'low', 'guide_test', available_at => now() + interval '1 day');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT user_id FROM nudge.claim('guide', channels => '{guide_test}');
COMMIT;
TABLE pg_temp.guide;
SELECT user_id FROM nudge.claim('guide', channels => '{guide_test}');
TABLE pg_temp.guide;
-- a nack brings the message's time along
SELECT nudge.nack(message_id, claim_token, 'later') FROM held WHERE user_id = 'g1';
SELECT nudge.ack(message_id, claim_token) FROM held WHERE user_id = 'g2';
TABLE pg_temp.guide;
SELECT min(b.next_at) <= q.available_at AS in_time FROM nudge.message_blocks b, nudge.message_queue q
WHERE q.channel = 'guide_test' AND q.user_id = 'g1' AND b.block = q.message_id / 1024 AND b.priority = q.priority
GROUP BY q.available_at;
DELETE FROM nudge.outbox WHERE channel = 'guide_test' AND user_id IN ('g3', 'g4');
UPDATE nudge.message_queue SET available_at = now() WHERE channel = 'guide_test';
UPDATE nudge.message_blocks SET next_at = now() WHERE priority = 'low' AND block = (SELECT message_id / 1024 FROM held LIMIT 1);
SELECT nudge.ack(message_id, claim_token) FROM nudge.claim('guide', channels => '{guide_test}');
SELECT user_id FROM nudge.claim('guide', channels => '{guide_test}');
TABLE pg_temp.guide;

-- Claims change no index: HOT updates only
SELECT pg_temp.put(ARRAY(SELECT 'hot' || g FROM generate_series(1, 500) g), 'high');
BEGIN;
SELECT pg_stat_get_xact_tuples_updated(q) AS updated, pg_stat_get_xact_tuples_hot_updated(q) AS hot
FROM CAST('nudge.message_queue' AS regclass) AS q \gset
SELECT count(*) FROM nudge.claim('hot', 1000, channels => '{outbox_test}');
SELECT pg_stat_get_xact_tuples_updated(q) - :updated AS updated, pg_stat_get_xact_tuples_hot_updated(q) - :hot AS hot
FROM CAST('nudge.message_queue' AS regclass) AS q;
COMMIT;

DELETE FROM nudge.outbox WHERE channel IN ('outbox_test', 'outbox_test_sms', 'guide_test');
DELETE FROM nudge.events WHERE user_id ~ '^(n[123]|b1|i[12]|l1|h1|later|whole|c1|old|gone|g[1-4]|hot[0-9]+|cap-.*)$';
DELETE FROM nudge.users WHERE user_id ~ '^(n[123]|b1|i[12]|l1|h1|later|whole|c1|old|gone|g[1-4]|hot[0-9]+|cap-.*)$';
DELETE FROM nudge.cap_usage WHERE user_id LIKE 'cap-%';
SELECT count(*) FROM nudge.outbox WHERE channel IN ('outbox_test', 'outbox_test_sms', 'guide_test');
