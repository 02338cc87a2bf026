-- Did A, and not B within X.  Clocks are given throughout.
BEGIN;
DELETE FROM nudge.rules;
DELETE FROM nudge.users;
DELETE FROM nudge.segments;
TRUNCATE nudge.pending, nudge.events, nudge.actions, nudge.timers, nudge.timer_firings, nudge.timer_signals;
SELECT nudge.run_timers();

SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE FUNCTION pg_temp.act(user_id text, action_type text, clock text, data jsonb DEFAULT '{}', context jsonb DEFAULT '{}')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.actions (user_id, action_type, occurred_at, action_data, context)
    VALUES (user_id, action_type, ('2021-03-01 ' || clock || '+00')::timestamptz, data, context)
$$;
CREATE FUNCTION pg_temp.run(clock text) RETURNS integer LANGUAGE sql AS $$
    SELECT nudge.run_timers(('2021-03-01 ' || clock || '+00')::timestamptz)
$$;
CREATE VIEW fired AS
    SELECT r.name, p.user_id, p.fired_at, p.action_type, p.occurred_at, p.action_data, p.context
    FROM nudge.pending p JOIN nudge.rules r USING (rule_id);

SELECT nudge.create_rule('{"name": "cart", "type": "time_based", "schedule":
    {"kind": "abandonment", "start": "cart_add", "unless": ["purchase", "cart_cleared"], "within": "1 hour"}}') IS NOT NULL;
SELECT pg_temp.act('left', 'cart_add', '10:00', '{"cart_id": "c1", "items": ["shoe"]}', '{"page": "/shoes"}');
SELECT pg_temp.act('bought', 'cart_add', '10:00'), pg_temp.act('bought', 'purchase', '10:59');
SELECT pg_temp.act('cleared', 'cart_add', '10:00'), pg_temp.act('cleared', 'cart_cleared', '11:00');
SELECT pg_temp.act('late', 'cart_add', '10:00'), pg_temp.act('late', 'purchase', '11:00:01');
SELECT pg_temp.act('before', 'purchase', '09:59'), pg_temp.act('before', 'cart_add', '10:00');
SELECT pg_temp.act('other', 'view', '10:00');
SELECT count(*) FROM nudge.timer_signals;
SELECT pg_temp.run('10:59:59');
SELECT count(*) FROM nudge.timer_signals;
SELECT pg_temp.run('11:00'), pg_temp.run('11:00'), pg_temp.run('12:00');
-- The trigger has the action that was not followed, and its data for the template
SELECT * FROM fired ORDER BY user_id;

-- A new action within the time changes nothing; after it, it starts anew
SELECT pg_temp.act('again', 'cart_add', '10:00'), pg_temp.act('again', 'cart_add', '10:40'), pg_temp.act('again', 'cart_add', '11:10');
SELECT pg_temp.run('11:00'), pg_temp.run('11:40'), pg_temp.run('12:10');
-- and so it does after what it should be followed by
SELECT pg_temp.act('anew', 'cart_add', '10:00'), pg_temp.act('anew', 'purchase', '10:20'), pg_temp.act('anew', 'cart_add', '10:40');
SELECT pg_temp.run('11:00'), pg_temp.run('11:40');
-- also where a run dealt with the first in between
SELECT pg_temp.act('split', 'cart_add', '10:00');
SELECT pg_temp.run('11:05');
SELECT pg_temp.act('split', 'cart_add', '10:30');
SELECT pg_temp.run('11:35');
SELECT user_id, fired_at, occurred_at FROM fired WHERE user_id IN ('again', 'anew', 'split') ORDER BY 1, 2;

-- Downtime: within grace all is made up for, past it an event tells
SELECT pg_temp.act('down', 'cart_add', '10:00'), pg_temp.act('down', 'cart_add', '13:00');
SELECT nudge.run_timers('2021-03-02 12:00+00');
SELECT user_id, fired_at, occurred_at FROM fired WHERE user_id = 'down';
SELECT user_id, reason, metadata - 'occurrence' AS metadata FROM nudge.events WHERE event_type = 'skipped';

-- Restarted by a new action
DELETE FROM nudge.rules;
SELECT nudge.create_rule('{"name": "restart", "type": "time_based", "schedule":
    {"kind": "abandonment", "start": ["cart_add", "cart_update"], "unless": "purchase", "within": "1 hour", "restart": true}}') IS NOT NULL;
SELECT pg_temp.act('r', 'cart_add', '10:00'), pg_temp.act('r', 'cart_update', '10:40'), pg_temp.act('r', 'cart_add', '11:39');
SELECT pg_temp.run('11:00'), pg_temp.run('11:40'), pg_temp.run('12:38'), pg_temp.run('12:39'), pg_temp.run('14:00');
SELECT user_id, fired_at, action_type, occurred_at FROM fired WHERE name = 'restart';

-- By cart: what has no key counts for all
DELETE FROM nudge.rules;
SELECT nudge.create_rule('{"name": "by cart", "type": "time_based", "schedule": {"kind": "abandonment", "start": "cart_add",
    "unless": ["purchase", "cart_cleared"], "within": "1 hour", "key": "$.cart_id"}}') IS NOT NULL;
SELECT pg_temp.act('k', 'cart_add', '10:00', '{"cart_id": 1}'), pg_temp.act('k', 'cart_add', '10:10', '{"cart_id": 2}'),
       pg_temp.act('k', 'cart_add', '10:20', '{"cart_id": 1}'), pg_temp.act('k', 'cart_add', '10:30', '{"cart_id": "3"}'),
       pg_temp.act('k', 'purchase', '10:15', '{"cart_id": 2}'), pg_temp.act('k', 'purchase', '10:15', '{"cart_id": "x"}');
SELECT pg_temp.act('all', 'cart_add', '10:00', '{"cart_id": 1}'), pg_temp.act('all', 'cart_add', '10:10', '{"cart_id": 2}'),
       pg_temp.act('all', 'cart_cleared', '10:20');
SELECT pg_temp.act('long', 'cart_add', '10:00', jsonb_build_object('cart_id', repeat('y', 5000))),
       pg_temp.act('long', 'purchase', '10:00', jsonb_build_object('cart_id', repeat('y', 4999)));
SELECT pg_temp.run('11:30');
SELECT user_id, left(action_data ->> 'cart_id', 3) AS cart, occurred_at FROM fired WHERE name = 'by cart' ORDER BY 1, 2;

-- A user may be gone, or never have had a row
INSERT INTO nudge.users (user_id, email) VALUES ('gone', 'g@example.com');
SELECT pg_temp.act('gone', 'cart_add', '15:00', '{"cart_id": 1}');
SELECT pg_temp.run('15:30');
DELETE FROM nudge.users;
SELECT pg_temp.run('16:00');
-- What was rolled back never was; history is not evaluated
SAVEPOINT s;
SELECT pg_temp.act('back', 'cart_add', '17:00');
ROLLBACK TO s;
INSERT INTO nudge.actions (user_id, action_type, occurred_at, recorded_at) VALUES ('history', 'cart_add', '2021-03-01 17:00+00', '2021-03-01 17:00+00');
SELECT pg_temp.run('19:00');
-- A COPY of many, and a key that does not fit the data
INSERT INTO nudge.actions (user_id, action_type, occurred_at, action_data)
SELECT 'many' || n, 'cart_add', '2021-03-01 20:00+00', '[{"cart_id": {"a": 1}}]'::jsonb -> 0 FROM generate_series(1, 2500) AS n;
SELECT pg_temp.run('21:00');
-- Waiting timers are shown by explain, whatever else stands in the way
SELECT pg_temp.act('shown', 'cart_add', '22:00', '{"cart_id": 1}');
SELECT pg_temp.run('22:00');
SELECT outcome, detail -> 'next_due' AS next_due FROM nudge.explain('shown', 'cart_add');
-- Another schedule, other timers; the same one set again, the same
UPDATE nudge.rules SET schedule = schedule;
SELECT pg_temp.run('22:00');
SELECT count(*) FROM nudge.timers WHERE user_id = 'shown';
UPDATE nudge.rules SET schedule = schedule || '{"within": "2 hours"}';
SELECT pg_temp.run('22:00');
SELECT count(*) FROM nudge.timers;
ROLLBACK;
