-- Re-entry: how often users enter a rule
SET client_min_messages = warning;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
INSERT INTO nudge.templates (template_id, body_text) VALUES ('re', 'hello');
INSERT INTO nudge.users (user_id, email)
SELECT 're_' || u, u || '@example.org' FROM unnest('{ann,bob,cid,dan,eve,fay,gus,hal,ida}'::text[]) AS u;
SELECT count(nudge.create_rule(jsonb_build_object('name', 're ' || name, 'type', 'behavioral', 'template_id', 're', 'reentry', reentry,
    'conditions', jsonb_build_array(jsonb_build_object('type', 'action_type', 'parameters', jsonb_build_object('types', jsonb_build_array(name)))))))
FROM (VALUES ('re_always', '"always"'::jsonb), ('re_once', '"once"'), ('re_after', '{"after": "7 days"}'), ('re_key', '{"key": "$.order_id"}')) AS v (name, reentry);
SELECT name, reentry FROM nudge.rules WHERE name LIKE 're %' ORDER BY rule_id;
CREATE VIEW pg_temp.told AS
    SELECT e.user_id, e.event_type, e.reason, e.metadata - 'entered_at' - 'waiting_since' AS metadata,
           e.metadata ? 'entered_at' AS entered, e.metadata ? 'waiting_since' AS waits
    FROM nudge.events e WHERE e.user_id LIKE 're\_%' ORDER BY e.event_id;
CREATE FUNCTION pg_temp.entries() RETURNS TABLE (user_id text, rule text, entry_key text) LANGUAGE sql AS $$
    SELECT e.user_id, r.name, e.entry_key FROM nudge.rule_entries e JOIN nudge.rules r USING (rule_id)
    WHERE e.user_id LIKE 're\_%' ORDER BY 1, 2, 3 $$;

-- always: no rows, no key
SELECT cardinality(nudge.register_action('re_ann', 're_always')) AS fired FROM generate_series(1, 2);
SELECT reentry_key IS NULL AS no_key FROM nudge.pending WHERE user_id = 're_ann';
SELECT executed, skipped FROM nudge.execute_pending();
SELECT * FROM pg_temp.entries();

-- once: what waits counts, and what has entered
SELECT cardinality(nudge.register_action('re_ann', 're_once')) AS fired FROM generate_series(1, 2);
SELECT reentry_key FROM nudge.pending WHERE user_id = 're_ann';
SELECT outcome, reason LIKE 'a trigger of the rule waits since %' AS why, detail -> 'reentry' ?& '{kind,waiting_since}' AS shown
FROM nudge.explain('re_ann', 're_once') WHERE name = 're re_once';
SELECT executed, skipped FROM nudge.execute_pending();
SELECT * FROM pg_temp.entries();
SELECT cardinality(nudge.register_action('re_ann', 're_once')) AS fired;
SELECT outcome, reason LIKE 'the user entered the rule at %' AS why, detail -> 'reentry' ?& '{kind,entered_at}' AS shown, detail -> 'reentry' -> 'kind' AS kind
FROM nudge.explain('re_ann', 're_once') WHERE name = 're re_once';
SELECT * FROM pg_temp.told WHERE event_type <> 'scheduled';
-- of one statement the first
INSERT INTO nudge.actions (user_id, action_type) SELECT 're_bob', 're_once' FROM generate_series(1, 100);
SELECT event_type, reason, waits, count(*) FROM pg_temp.told WHERE user_id = 're_bob' GROUP BY 1, 2, 3 ORDER BY 1;

-- what is cancelled, expired or suppressed has not entered
UPDATE nudge.rules SET status = 'paused' WHERE name = 're re_once';
SELECT executed, skipped FROM nudge.execute_pending();
UPDATE nudge.rules SET status = 'active' WHERE name = 're re_once';
SELECT cardinality(nudge.register_action('re_bob', 're_once')) AS fired;
UPDATE nudge.users SET email = NULL WHERE user_id = 're_bob';
SELECT executed, skipped FROM nudge.execute_pending();
UPDATE nudge.users SET email = 'bob@example.org' WHERE user_id = 're_bob';
SELECT cardinality(nudge.register_action('re_bob', 're_once')) AS fired;
SELECT executed, skipped FROM nudge.execute_pending();
-- nor has he whose message was not sent in the end
SELECT count(nudge.nack(message_id, claim_token, 'no such mailbox', true)) FROM nudge.claim('re') WHERE user_id = 're_bob';
SELECT * FROM pg_temp.entries() WHERE user_id = 're_bob';
SELECT cardinality(nudge.register_action('re_bob', 're_once')) AS fired;
SELECT executed, skipped FROM nudge.execute_pending();
-- (a message that is tried again keeps it)
SELECT count(nudge.nack(message_id, claim_token, 'busy', false)) FROM nudge.claim('re') WHERE user_id = 're_bob';
SELECT cardinality(nudge.register_action('re_bob', 're_once')) AS fired;
DELETE FROM nudge.outbox WHERE user_id = 're_bob' AND status = 'ready';
SELECT cardinality(nudge.register_action('re_bob', 're_once')) AS fired;
-- nor has a trigger that is dead, but it may be requeued once only
UPDATE nudge.pending SET status = 'dead' WHERE user_id = 're_bob';
SELECT cardinality(nudge.register_action('re_bob', 're_once')) AS fired;
SELECT nudge.requeue(pending_id) FROM nudge.pending WHERE user_id = 're_bob' AND status = 'dead';
SELECT executed, skipped FROM nudge.execute_pending();
SELECT event_type, reason, count(*) FROM pg_temp.told WHERE user_id = 're_bob' AND event_type = 'skipped' GROUP BY 1, 2 ORDER BY 2;
-- an entry lives as long as one of its messages
SELECT rule_id AS rule, pending_id AS trigger FROM nudge.rule_entries WHERE user_id = 're_bob' \gset
BEGIN;
INSERT INTO nudge.messages (user_id, rule_id, pending_id, channel, recipient, priority) VALUES ('re_bob', :rule, :trigger, 'sms', '1', 'normal'), ('re_bob', :rule, :trigger, 'push', '1', 'normal');
INSERT INTO nudge.message_queue (message_id, user_id, created_at, priority, channel, available_at)
SELECT message_id, user_id, created_at, priority, channel, created_at FROM nudge.messages WHERE user_id = 're_bob' AND channel <> 'email';
SELECT nudge.finish_message(message_id, 'failed', 'failed', 'permanent', 'x') FROM nudge.messages WHERE user_id = 're_bob' AND channel = 'sms';
SELECT count(*) FROM pg_temp.entries() WHERE user_id = 're_bob';
SELECT nudge.finish_message(message_id, 'failed', 'failed', 'permanent', 'x') FROM nudge.messages WHERE user_id = 're_bob' AND channel = 'push';
SELECT count(*) FROM pg_temp.entries() WHERE user_id = 're_bob';
ROLLBACK;

-- after: counted from when the trigger fired
SELECT cardinality(nudge.register_action('re_cid', 're_after')) AS fired FROM generate_series(1, 2);
SELECT executed, skipped FROM nudge.execute_pending();
UPDATE nudge.rule_entries SET entered_at = now() - interval '7 days' + interval '1 minute' WHERE user_id = 're_cid';
SELECT cardinality(nudge.register_action('re_cid', 're_after')) AS fired;
UPDATE nudge.rule_entries SET entered_at = now() - interval '7 days' WHERE user_id = 're_cid';
SELECT cardinality(nudge.register_action('re_cid', 're_after')) AS fired FROM generate_series(1, 2);
SELECT executed, skipped FROM nudge.execute_pending();
SELECT entered_at > now() - interval '1 minute' AS now FROM nudge.rule_entries WHERE user_id = 're_cid';
-- in order of firing, in one batch and in several; what fired before counts as well
CREATE FUNCTION pg_temp.fire(who text, rule text, VARIADIC fired timestamptz[]) RETURNS bigint LANGUAGE sql AS $$
    WITH i AS (INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at)
        SELECT 're_' || who, rule_id, 'normal', f, f FROM nudge.rules, unnest(fired) AS f WHERE name = 're ' || rule RETURNING true)
    SELECT count(*) FROM i $$;
SELECT pg_temp.fire('dan', 're_after', '2020-03-09', '2020-03-07 23:59:59', '2020-03-01', '2020-03-08', '2020-03-15');
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-04-01');
SELECT fired_at FROM nudge.messages WHERE user_id = 're_dan' ORDER BY 1;
SELECT pg_temp.fire('dan', 're_after', '2020-03-21', '2020-03-09 12:00', '2020-03-22');
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-04-01');
SELECT fired_at FROM nudge.messages WHERE user_id = 're_dan' AND fired_at > '2020-03-15';
SELECT entered_at FROM nudge.rule_entries WHERE user_id = 're_dan';
-- one that comes late changes nothing about the latest
SELECT pg_temp.fire('dan', 're_after', '2020-01-01');
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-04-01');
SELECT entered_at FROM nudge.rule_entries WHERE user_id = 're_dan';
SELECT pg_temp.fire('dan', 're_after', 'infinity', '-infinity', '290000-01-01');
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-04-01');
UPDATE nudge.pending SET due_at = '2020-04-01' WHERE user_id = 're_dan';
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-04-01');

-- key: once for each
INSERT INTO nudge.actions (user_id, action_type, action_data)
SELECT 're_eve', 're_key', d::jsonb FROM unnest(ARRAY['{"order_id": 7}', '{"order_id": 7.0}', '{"order_id": "7"}', '{"order_id": "A"}', '{"order_id": "a"}',
    '{"order_id": true}', '{"order_id": {"n": 1,  "m": [2]}}', '{"order_id": {"m": [2], "n": 1}}', '{"order_id": ["x", "y"]}', '{"order_id": 1e3}']) AS d;
SELECT reentry_key FROM nudge.pending WHERE user_id = 're_eve' ORDER BY pending_id;
SELECT executed, skipped FROM nudge.execute_pending();
SELECT * FROM pg_temp.entries() WHERE user_id = 're_eve';
INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('re_eve', 're_key', '{"order_id": "A"}'), ('re_eve', 're_key', '{"order_id": "B"}');
SELECT event_type, reason, metadata, entered, waits FROM pg_temp.told WHERE user_id = 're_eve' AND event_type = 'skipped';
SELECT outcome, reason LIKE '%entered the rule at%' AS why, detail #> '{reentry,key}' AS key FROM nudge.explain('re_eve', 're_key', '{"order_id": "A"}') WHERE name = 're re_key';
-- without a key nobody enters
INSERT INTO nudge.actions (user_id, action_type, action_data)
SELECT 're_fay', 're_key', d::jsonb FROM unnest(ARRAY['{}', '{"order_id": null}', '{"order_id": ""}', '{"order": 1}', NULL]) AS d;
SELECT event_type, reason, metadata FROM pg_temp.told WHERE user_id = 're_fay';
SELECT outcome, reason, detail -> 'reentry' AS reentry FROM nudge.explain('re_fay', 're_key', '{}') WHERE name = 're re_key';
-- long keys, deep documents
INSERT INTO nudge.actions (user_id, action_type, action_data)
SELECT 're_fay', 're_key', jsonb_build_object('order_id', repeat('k', n) || tail) FROM (VALUES (1024, ''), (1024, 'a'), (1024, 'b'), (1024, 'a'), (1000000, '')) AS v (n, tail);
SELECT left(reentry_key, 12) AS head, octet_length(reentry_key) AS length FROM nudge.pending WHERE user_id = 're_fay' ORDER BY pending_id;
SELECT reentry_key = 'sha256:' || encode(sha256(repeat('k', 1000000)::bytea), 'hex') AS digest FROM nudge.pending WHERE user_id = 're_fay' ORDER BY pending_id DESC LIMIT 1;
INSERT INTO nudge.actions (user_id, action_type, action_data)
SELECT 're_gus', 're_key', ('{"order_id": 1, "a": ' || repeat('[', n) || repeat(']', n) || '}')::jsonb FROM unnest(ARRAY[255, 256]) AS n;
SELECT event_type, reason FROM pg_temp.told WHERE user_id = 're_gus';
-- a rule may take its key from anywhere in the data; of several values the first
UPDATE nudge.rules SET reentry = '{"key": "$.items[*].sku ? (@ != \"gift\")"}' WHERE name = 're re_key';
SELECT cardinality(nudge.register_action('re_gus', 're_key', '{"items": [{"sku": "gift"}, {"sku": "p1"}, {"sku": "p2"}]}')) AS fired FROM generate_series(1, 2);
SELECT reentry_key FROM nudge.pending WHERE user_id = 're_gus' ORDER BY pending_id DESC LIMIT 1;

-- A rule that changes while triggers wait: they enter by what it says now
SELECT pg_temp.fire('hal', 're_always', '2020-05-01', '2020-05-02');
UPDATE nudge.rules SET reentry = '"once"' WHERE name = 're re_always';
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-06-01');
SELECT * FROM pg_temp.entries() WHERE user_id = 're_hal';
UPDATE nudge.pending SET due_at = '2020-06-01', fired_at = '2020-05-03' WHERE user_id = 're_fay';
UPDATE nudge.rules SET reentry = '"once"' WHERE name = 're re_key';
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-06-01');
SELECT * FROM pg_temp.entries() WHERE user_id = 're_fay';
SELECT cardinality(nudge.register_action('re_hal', 're_key')) AS fired;
UPDATE nudge.pending SET due_at = '2020-06-01' WHERE user_id = 're_hal';
UPDATE nudge.rules SET reentry = '{"key": "$.id"}' WHERE name = 're re_key';
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-06-01');
SELECT event_type, reason FROM pg_temp.told WHERE user_id = 're_hal' ORDER BY 1 DESC, 2 LIMIT 3;

-- Caps: what a cap forbids has not entered
UPDATE nudge.rules SET reentry = '"once"' WHERE name LIKE 're %';
INSERT INTO nudge.frequency_caps (rule_id, period, max_messages) SELECT rule_id, 'daily', 1 FROM nudge.rules WHERE name = 're re_after';
SELECT pg_temp.fire('ida', 're_after', '2020-07-01 10:00', '2020-07-02 10:00');
INSERT INTO nudge.cap_usage SELECT 're_ida', ARRAY[rule_id], '{email}', '{2020-07-01}', '{1}' FROM nudge.rules WHERE name = 're re_after';
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-07-03');
SELECT event_type, reason FROM pg_temp.told WHERE user_id = 're_ida';
SELECT entered_at FROM nudge.rule_entries WHERE user_id = 're_ida';
SELECT event_type, reason FROM pg_temp.told WHERE user_id = 're_ida' ORDER BY 1, 2;
-- A message that follows up another of the same entry may go out
UPDATE nudge.rules SET channel_strategy = 'fallback' WHERE name = 're re_after';
SELECT pg_temp.fire('ida', 're_after', '2020-07-04 10:00');
UPDATE nudge.pending SET fallback_of = (SELECT max(message_id) FROM nudge.messages WHERE user_id = 're_ida'), channels = '{email}' WHERE user_id = 're_ida';
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-07-05');
SELECT entered_at FROM nudge.rule_entries WHERE user_id = 're_ida';
SELECT event_type, reason FROM pg_temp.told WHERE user_id = 're_ida' ORDER BY 1, 2;

-- An entry lives as long as a message that follows up one of it; a claim that refuses
-- the last one ends it.
INSERT INTO nudge.users (user_id, email, push_token) VALUES ('re_jan', 'jan@example.org', 't');
INSERT INTO nudge.templates (template_id, channel, body_text) VALUES ('re', 'push', 'x');
UPDATE nudge.rules SET channels = '{email,push}', channel_strategy = 'fallback', fallback_after = '1 hour' WHERE name = 're re_once';
SELECT pg_temp.fire('jan', 're_once', '2020-07-10 10:00');
SELECT executed FROM nudge.execute_pending(as_of => '2020-07-10 10:00');
SELECT count(nudge.nack(message_id, claim_token, 'busy', false)) FROM nudge.claim('re') WHERE user_id = 're_jan';
SELECT executed FROM nudge.execute_pending(as_of => '2020-07-10 11:00');
SELECT nudge.finish_message(message_id, 'failed', 'failed', 'permanent', 'x') FROM nudge.outbox WHERE user_id = 're_jan' AND channel = 'email';
SELECT count(*) FROM nudge.rule_entries WHERE user_id = 're_jan';
SELECT cardinality(nudge.register_action('re_jan', 're_once')) AS fired;
SELECT nudge.suppress('re_jan', reason => 'manual');
SELECT count(*) FROM nudge.claim('re') WHERE user_id = 're_jan';
SELECT count(*) FROM nudge.rule_entries WHERE user_id = 're_jan';
SELECT nudge.unsuppress('re_jan');
SELECT cardinality(nudge.register_action('re_jan', 're_once')) AS fired;
UPDATE nudge.rules SET channels = '{email}', channel_strategy = 'best' WHERE name = 're re_once';

-- The other isolation levels
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.fire('gus', 're_once', '2020-08-01', '2020-08-02');
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-08-03');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT pg_temp.fire('gus', 're_once', '2020-08-03');
SELECT pg_temp.fire('hal', 're_once', '2020-08-03');
SELECT executed, skipped FROM nudge.execute_pending(as_of => '2020-08-03');
COMMIT;

-- Rules that are no more
SELECT count(*) AS before FROM nudge.rule_entries \gset
SELECT nudge.prune_entries();
DELETE FROM nudge.rules WHERE name LIKE 're %';
SELECT nudge.prune_entries() = :before AS all;

DELETE FROM nudge.pending WHERE user_id LIKE 're\_%';
DELETE FROM nudge.templates WHERE template_id = 're';
DELETE FROM nudge.users WHERE user_id LIKE 're\_%';
DELETE FROM nudge.cap_usage WHERE user_id LIKE 're\_%';
DELETE FROM nudge.message_queue WHERE user_id LIKE 're\_%';
DELETE FROM nudge.messages WHERE user_id LIKE 're\_%';
DELETE FROM nudge.events WHERE user_id LIKE 're\_%';
DELETE FROM nudge.actions WHERE user_id LIKE 're\_%';
