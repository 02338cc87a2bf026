-- What cannot be reported, collected or taken in: refused, and nothing changes
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
SELECT count(*) AS before FROM nudge.events \gset
INSERT INTO nudge.messages (user_id, channel, recipient, priority, created_at) VALUES ('fe_u', 'email', 'fe@example.org', 'normal', '2026-03-01') RETURNING message_id AS id \gset

\pset format unaligned
\pset tuples_only on
-- record_event: see events
SELECT pg_temp.refused(format('SELECT nudge.record_event(%s, %L)', :id, 'sent'));
SELECT pg_temp.refused(format('SELECT nudge.record_event(%s, %L, %L)', :id, 'opened', at))
FROM unnest('{4714-11-24 00:00+00 BC,294276-12-31 00:00+00}'::text[]) AS at;

-- record_conversion
SELECT pg_temp.refused(s) FROM unnest(ARRAY[
    $$SELECT nudge.record_conversion(NULL)$$,
    $$SELECT nudge.record_conversion('')$$,
    $$SELECT nudge.record_conversion(repeat('x', 1025))$$,
    $$SELECT nudge.record_conversion('fe_u', NULL)$$,
    $$SELECT nudge.record_conversion('fe_u', 'NaN')$$,
    $$SELECT nudge.record_conversion('fe_u', 'Infinity')$$,
    $$SELECT nudge.record_conversion('fe_u', '-Infinity')$$,
    -- which figures could not be added up with, or turned into float8
    $$SELECT nudge.record_conversion('fe_u', 1e400)$$,
    $$SELECT nudge.record_conversion('fe_u', -1.1e30)$$,
    $$SELECT nudge.record_conversion('fe_u', 1e-31)$$,
    $$SELECT nudge.record_conversion('fe_u', 'ten')$$,
    $$SELECT nudge.record_conversion('fe_u', 1, '')$$,
    $$SELECT nudge.record_conversion('fe_u', 1, 'EU')$$,
    $$SELECT nudge.record_conversion('fe_u', 1, 'EURO')$$,
    $$SELECT nudge.record_conversion('fe_u', 1, E'EUR\n')$$,
    $$SELECT nudge.record_conversion('fe_u', 1, '€$¥')$$,
    $$SELECT nudge.record_conversion('fe_u', 1, 'EUR', NULL)$$,
    $$SELECT nudge.record_conversion('fe_u', 1, 'EUR', 'infinity')$$,
    -- before and after which there are no times, so that windows cannot be computed
    $$SELECT nudge.record_conversion('fe_u', 1, 'EUR', '4714-11-24 00:00+00 BC')$$,
    $$SELECT nudge.record_conversion('fe_u', 1, 'EUR', '294276-12-31 00:00+00')$$,
    $$SELECT nudge.record_conversion('fe_u', 1, 'EUR', now(), NULL)$$,
    $$SELECT nudge.record_conversion('fe_u', 1, 'EUR', now(), '[1]')$$,
    $$SELECT nudge.record_conversion('fe_u', 1, 'EUR', now(), '{"x": "\u0000"}')$$,
    $$SELECT nudge.record_conversion('fe_u', 1, 'EUR', now(), '{}', '')$$,
    $$SELECT nudge.record_conversion('fe_u', 1, 'EUR', now(), '{}', repeat('x', 1025))$$]) AS s;
SELECT count(*) FROM nudge.conversions WHERE user_id LIKE 'fe%';

-- Goals
SELECT pg_temp.refused(format('INSERT INTO nudge.conversion_goals (name, action_type, filter, value_path, currency, currency_path, "window") VALUES (%s)', v)) FROM unnest(ARRAY[
    $$NULL, 'a', NULL, NULL, NULL, NULL, NULL$$,
    $$'', 'a', NULL, NULL, NULL, NULL, NULL$$,
    $$'fe', NULL, NULL, NULL, NULL, NULL, NULL$$,
    $$'fe', '', NULL, NULL, NULL, NULL, NULL$$,
    $$'fe', repeat('x', 1025), NULL, NULL, NULL, NULL, NULL$$,
    $$'fe', 'a', '$.total >', NULL, NULL, NULL, NULL$$,
    $$'fe', 'a', '$.total > $least', NULL, NULL, NULL, NULL$$,
    $$'fe', 'a', NULL, '$.a ? (@ == $x)', NULL, NULL, NULL$$,
    $$'fe', 'a', NULL, NULL, NULL, '$"key"', NULL$$,
    $$'fe', 'a', '$.x like_regex "("', NULL, NULL, NULL, NULL$$,
    $$'fe', 'a', NULL, NULL, 'euro', NULL, NULL$$,
    $$'fe', 'a', NULL, NULL, NULL, NULL, '0'$$,
    $$'fe', 'a', NULL, NULL, NULL, NULL, '-1 day'$$,
    $$'fe', 'a', NULL, NULL, NULL, NULL, '11 years'$$]) AS v;
INSERT INTO nudge.conversion_goals (name, action_type, filter) VALUES ('fe', 'fe_a', '$.a == "$\"x"');
SELECT pg_temp.refused($$INSERT INTO nudge.conversion_goals (name, action_type) VALUES ('fe', 'fe_b')$$);
SELECT pg_temp.refused($$UPDATE nudge.conversion_goals SET value_path = '$x'$$);
SELECT split_part(pg_temp.refused($$UPDATE nudge.conversion_goals SET collected_to = NULL$$), E'\n', 1);
SELECT name, action_type, filter FROM nudge.conversion_goals;
SELECT pg_temp.refused($$SELECT nudge.collect_conversions(NULL)$$);
SELECT pg_temp.refused($$SELECT nudge.collect_conversions('-1 s')$$);
SELECT pg_temp.refused($$SELECT nudge.collect_conversions('25 hours')$$);
SELECT pg_temp.refused($$SELECT nudge.prune_conversions(NULL)$$);
SELECT pg_temp.refused($$SELECT nudge.prune_conversions('infinity')$$);
-- goals under a REPEATABLE READ transaction: what it sees, and no further
INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('fe_u', 'fe_a', '{"a": "$\"x"}');
SELECT collected_to AS collected_to FROM nudge.conversion_goals \gset
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT nudge.collect_conversions();
SELECT collected_to = :'collected_to' FROM nudge.conversion_goals;
ROLLBACK;

-- Machines
SELECT pg_temp.refused(format('INSERT INTO nudge.machine_agents (name, pattern, event_types) VALUES (%s)', v)) FROM unnest(ARRAY[
    $$'fe', '(', DEFAULT$$,
    $$'fe', '', DEFAULT$$,
    $$'fe', NULL, DEFAULT$$,
    $$'', 'x', DEFAULT$$,
    $$'fe', 'x', '{delivered}'$$,
    $$'fe', 'x', '{}'$$,
    $$'bots', 'x', DEFAULT$$]) AS v;
SELECT pg_temp.refused($$DELETE FROM nudge.machine_agents WHERE name = 'barracuda'$$);
SELECT pg_temp.refused($$UPDATE nudge.machine_agents SET name = 'barra' WHERE name = 'barracuda'$$);
SELECT pg_temp.refused($$SELECT nudge.rescore_machine_events(NULL)$$);
SELECT pg_temp.refused($$SELECT nudge.rescore_machine_events('infinity')$$);

-- Providers and payloads
SELECT pg_temp.refused(format('SELECT nudge.ingest_webhook(%s)', v)) FROM unnest(ARRAY[
    $$NULL, '{}'$$,
    $$'', '{}'$$,
    $$'mandrill', '{}'$$,
    $$'ses', NULL$$,
    $$'ses', '{'$$,
    $$'ses', '{}'$$,
    $$'ses', '[]'$$,
    $$'ses', '["Type"]'$$,
    $$'ses', 'null'$$,
    $$'ses', '5'$$,
    $$'ses', '{"Type": "SubscriptionConfirmation", "MessageId": "165545c9", "Token": "2336412f", "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic", "Message": "You have chosen to subscribe", "SubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription"}'$$,
    $$'ses', '{"Type": "UnsubscribeConfirmation"}'$$,
    $$'ses', '{"Type": "Other"}'$$,
    $$'ses', '{"Type": "Notification"}'$$,
    $$'ses', '{"Type": "Notification", "Message": "hello"}'$$,
    $$'ses', '{"Type": "Notification", "Message": "{\"a\": \"\\u0000\"}"}'$$,
    $$'ses', jsonb_build_object('Type', 'Notification', 'Message', repeat('[', 100000))$$,
    $$'ses', '{"Type": "Notification", "Message": "[]"}'$$,
    $$'ses', '{"eventType": "Melted", "mail": {}}'$$,
    $$'ses', '{"eventType": "Open"}'$$,
    $$'ses', '{"eventType": "Open", "mail": {}}'$$,
    $$'ses', '{"eventType": "Open", "mail": {}, "open": []}'$$,
    $$'ses', '{"eventType": "Open", "mail": {}, "open": {}}'$$,
    $$'ses', '{"eventType": "Open", "mail": {}, "open": {"timestamp": "soon"}}'$$,
    $$'ses', '{"eventType": "Open", "mail": {}, "open": {"timestamp": "infinity"}}'$$,
    $$'ses', '{"eventType": "Send", "send": {}, "mail": {"timestamp": "294276-12-31T00:00:00Z"}}'$$,
    $$'sendgrid', '{}'$$,
    $$'sendgrid', '{"event": "open"}'$$,
    $$'sendgrid', '[1]'$$,
    $$'sendgrid', '[[]]'$$,
    $$'sendgrid', '[{}]'$$,
    $$'sendgrid', '[{"event": null}]'$$,
    $$'sendgrid', '[{"event": 5}]'$$,
    $$'sendgrid', '[{"event": "Open", "timestamp": 1513299569}]'$$,
    $$'sendgrid', '[{"event": "open"}]'$$,
    $$'sendgrid', '[{"event": "open", "timestamp": -1}]'$$,
    $$'sendgrid', '[{"event": "open", "timestamp": 1e300}]'$$,
    $$'sendgrid', '[{"event": "open", "timestamp": {}}]'$$,
    $$'mailgun', '{}'$$,
    $$'mailgun', '[]'$$,
    $$'mailgun', '{"event-data": []}'$$,
    $$'mailgun', '{"event-data": {}}'$$,
    $$'mailgun', '{"event-data": {"event": "melted", "timestamp": 1}}'$$,
    $$'mailgun', '{"event-data": {"event": "failed", "timestamp": 1}}'$$,
    $$'mailgun', '{"event-data": {"event": "failed", "severity": "grave", "timestamp": 1}}'$$,
    $$'mailgun', '{"event-data": {"event": "opened"}}'$$,
    $$'postmark', '{}'$$,
    $$'postmark', '[]'$$,
    $$'postmark', '[{"RecordType": "Open"}]'$$,
    $$'postmark', '{"RecordType": null}'$$,
    $$'postmark', '{"RecordType": "Inbound"}'$$,
    $$'postmark', '{"RecordType": "Open"}'$$,
    $$'postmark', '{"RecordType": "Bounce", "BouncedAt": "2019-11-05T16:33:54.9070259Z"}'$$,
    $$'postmark', '{"RecordType": "Bounce", "Type": "Melted", "BouncedAt": "2019-11-05T16:33:54.9070259Z"}'$$]) AS v;
-- shapes that are odd and harmless
SELECT nudge.ingest_webhook(p, d) FROM (VALUES
    ('sendgrid', '[{"event": "open", "timestamp": 1513299569, "message_id": {"a": 1}, "email": [], "useragent": {}, "sg_message_id": 5}]'::jsonb),
    ('sendgrid', '[{"event": "open", "timestamp": 1e-400}]'),
    ('ses', '{"eventType": "Bounce", "mail": {"tags": [], "headers": 5}, "bounce": {"timestamp": "2019-11-05T16:33:54Z", "bouncedRecipients": "all"}}'),
    ('ses', '{"eventType": "Bounce", "mail": {"headers": [1, {"name": 1}]}, "bounce": {"timestamp": "2019-11-05T16:33:54Z", "bouncedRecipients": [[], 5, null]}}'),
    ('mailgun', '{"event-data": {"event": "opened", "timestamp": 1, "user-variables": 7, "message": [], "client-info": 8}}'),
    ('postmark', '{"RecordType": "Open", "ReceivedAt": "2019-11-05", "Metadata": 3, "MessageID": []}')) AS v (p, d);

-- Nothing of it in a transaction that cannot write
BEGIN READ ONLY;
SELECT pg_temp.refused(s) FROM unnest(ARRAY[
    format('SELECT nudge.record_event(%s, %L)', :id, 'opened'),
    $$SELECT nudge.record_conversion('fe_u')$$,
    $$SELECT nudge.collect_conversions()$$,
    $$SELECT nudge.prune_conversions()$$,
    $$SELECT nudge.rescore_machine_events()$$,
    $$SELECT nudge.ingest_webhook('sendgrid', '[]')$$]) AS s;
ROLLBACK;
SELECT count(*) - :before AS events FROM nudge.events;
SELECT count(*) FROM nudge.suppressions WHERE user_id = 'fe_u';

DELETE FROM nudge.conversion_goals;
DELETE FROM nudge.messages WHERE user_id LIKE 'fe\_%';
DELETE FROM nudge.actions WHERE user_id LIKE 'fe\_%';
