-- record_event: what is recorded, once, and what is refused
SET client_min_messages = warning;
\set SHOW_CONTEXT never
INSERT INTO nudge.messages (user_id, rule_id, pending_id, action_id, channel, recipient, priority, created_at)
VALUES ('ev1', 8, 7, 6, 'email', 'x@example.org', 'normal', '2026-03-01 12:00+00'),
       ('ev2', NULL, NULL, NULL, 'email', 'x@example.org', 'normal', '2026-03-01 12:00+00');
SELECT message_id AS id1 FROM nudge.messages WHERE user_id = 'ev1' \gset
SELECT message_id AS id2 FROM nudge.messages WHERE user_id = 'ev2' \gset
CREATE VIEW pg_temp.seen AS
    SELECT user_id, event_type, rule_id, pending_id, action_id, flag, occurred_at AT TIME ZONE 'UTC' AS occurred_at, metadata
    FROM nudge.events WHERE user_id LIKE 'ev_' ORDER BY event_id;

-- every type; opens and clicks with the delivery would be a machine's (machine_events)
SELECT t, nudge.record_event(:id1, t, CASE t WHEN 'delivered' THEN '2026-03-01 12:59+00' ELSE '2026-03-01 13:00+00'::timestamptz END)
FROM unnest('{delivered,opened,clicked,bounced,complained,unsubscribed,failed,converted}'::text[]) AS t;
TABLE pg_temp.seen;

-- the same event twice, by the provider's id, or else by time and metadata
SELECT nudge.record_event(:id1, 'opened', '2026-03-01 13:00+00');
SELECT nudge.record_event(:id1, 'opened', '2026-03-01 13:00:01+00');
SELECT nudge.record_event(:id1, 'opened', '2026-03-01 13:00:01+00', '{"ip": "::1", "agent": "x"}');
SELECT nudge.record_event(:id1, 'opened', '2026-03-01 13:00:01+00', '{"agent": "x", "ip": "::1"}');
SELECT nudge.record_event(:id1, 'clicked', '2026-03-01 14:00+00', '{"provider_event_id": "p1"}');
SELECT nudge.record_event(:id1, 'clicked', '2026-03-01 15:00+00', '{"provider_event_id": "p1", "retry": 2}');
SELECT nudge.record_event(:id1, 'clicked', '2026-03-01 15:00+00', '{"event_id": "p2"}');
SELECT nudge.record_event(:id1, 'clicked', '2026-03-01 16:00+00', '{"event_id": "p2"}');
-- the id is the provider's for a type and a message
SELECT nudge.record_event(:id1, 'converted', '2026-03-01 15:00+00', '{"event_id": "p2"}');
SELECT nudge.record_event(:id2, 'clicked', '2026-03-01 15:00+00', '{"event_id": "p2"}');
-- an empty id is none; a number will do; a very long one too
SELECT nudge.record_event(:id2, 'clicked', '2026-03-01 15:00+00', '{"event_id": ""}');
SELECT nudge.record_event(:id2, 'clicked', '2026-03-01 16:00+00', '{"event_id": ""}');
SELECT nudge.record_event(:id2, 'opened', '2026-03-01 15:00+00', '{"event_id": 5}');
SELECT nudge.record_event(:id2, 'opened', '2026-03-01 16:00+00', '{"event_id": 5}');
SELECT nudge.record_event(:id2, 'bounced', '2026-03-01 16:00+00', jsonb_build_object('event_id', repeat('x', 10000)));
SELECT nudge.record_event(:id2, 'bounced', '2026-03-01 17:00+00', jsonb_build_object('event_id', repeat('x', 10000)));
SELECT nudge.record_event(:id2, 'bounced', '2026-03-01 17:00+00', jsonb_build_object('event_id', repeat('x', 9999)));
SELECT user_id, event_type, count(*) FROM pg_temp.seen GROUP BY 1, 2 ORDER BY 1, 2;
-- times that cannot be right are kept and flagged
SELECT nudge.record_event(:id2, 'opened', '2026-03-01 11:59:59+00');
SELECT nudge.record_event(:id2, 'opened', now() + interval '23 hours', '{"event_id": "tomorrow"}');
SELECT nudge.record_event(:id2, 'opened', now() + interval '25 hours', '{"event_id": "later"}');
SELECT nudge.record_event(:id2, 'opened');
SELECT event_key LIKE 'sha256:%' AS digest, flag, occurred_at > '2026-03-02' AS new FROM nudge.events
WHERE user_id = 'ev2' AND event_type = 'opened' ORDER BY event_id;

-- an unknown message is counted
SELECT coalesce(sum(amount), 0) AS before FROM nudge.tallies WHERE tally = 'unknown_message_events' \gset
SELECT nudge.record_event(9223372036854775807, 'opened');
SELECT nudge.record_event(-1, 'opened');
SELECT sum(amount) - :before FROM nudge.tallies WHERE tally = 'unknown_message_events';
SELECT unknown_message_events - :before FROM nudge.health;

-- refused: nothing is recorded
SELECT count(*) AS events FROM nudge.events \gset
SELECT nudge.record_event(NULL, 'opened');
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(:id1, NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(:id1, '');
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(:id1, 'Opened');
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(:id1, 'sent');
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(-1, 'seen');
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(:id1, 'opened', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(:id1, 'opened', 'infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(:id1, 'opened', '-infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(:id1, 'opened', now(), NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(:id1, 'opened', now(), '[]');
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(:id1, 'opened', now(), '"x"');
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(:id1, 'opened', now(), 'null');
\echo :LAST_ERROR_SQLSTATE
SELECT nudge.record_event(-1, 'opened', now(), '{"x": "\u0000"}');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) - :events AS recorded FROM nudge.events;

DELETE FROM nudge.suppressions WHERE user_id LIKE 'ev_';
DELETE FROM nudge.events WHERE user_id LIKE 'ev_';
DELETE FROM nudge.messages WHERE user_id LIKE 'ev_';
