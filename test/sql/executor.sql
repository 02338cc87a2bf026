--
-- The executor: what becomes of a due trigger, in which order, and when.  Triggers
-- are put into nudge.pending by hand, in 2020, and time is passed in.
--
SET client_min_messages = warning;
SET timezone = 'UTC';

INSERT INTO nudge.templates (template_id, channel, subject, body_text, body_html, sender_name, sender_address, reply_to) VALUES
    ('ex_plain', 'email', 'Hi {{ user.profile.name }}', 'Your {{ action.data.item }}', '<b>{{ user.profile.name }}</b>',
     '{{ personalization.shop }}', 'shop@example.org', 'help@example.org'),
    ('ex_plain', 'sms', NULL, 'SMS {{ user.profile.name }}', NULL, NULL, NULL, NULL),
    ('ex_zero', 'email', 'x', '{{ 1 | divided_by: user.profile.zero }}', NULL, NULL, NULL, NULL),
    ('ex_abort', 'email', 'x', '{% abort "no stock" %}', NULL, NULL, NULL, NULL),
    ('ex_line', 'email', '{{ action.data.item }}', 'x', NULL, NULL, NULL, NULL),
    ('ex_name', 'email', 'x', 'x', NULL, '{{ action.data.item }}', NULL, NULL),
    ('ex_bytes', 'email', 'x', '{{ "%ff" | url_decode }}', NULL, NULL, NULL, NULL),
    ('ex_all', 'email', 'x',
     '{{ user.user_id }}|{{ user.email }}|{{ user.phone }}|{{ user.timezone }}|{{ user.locale }}|{{ user.created_at }}|'
     '{{ user.profile.name }}|{{ user.behavior.visits }}|{{ user.preferences.colour }}|'
     '{{ action.type }}|{{ action.action_type }}|{{ action.data.item }}|{{ action.action_data.item }}|{{ action.data.deep[1].x }}|'
     '{{ action.context.page }}|{{ action.occurred_at }}|{{ action.action_id }}|'
     '{{ rule.name }}|{{ rule.priority }}|{{ rule.trigger_type }}|{{ personalization.shop }}|'
     '{{ message.channel }}|{{ message.recipient }}|{{ action.occurred_at | date: "%H:%M" }}|'
     '{% if message.message_id > 0 and rule.rule_id > 0 %}ids{% endif %}', NULL, NULL, NULL, NULL);

CREATE FUNCTION pg_temp.rule(name text, template_id text DEFAULT 'ex_plain', priority nudge.priority DEFAULT 'normal',
                             type nudge.trigger_type DEFAULT 'behavioral', channels text[] DEFAULT '{email}',
                             cancel_on text[] DEFAULT '{}', personalization jsonb DEFAULT '{"shop": "Shop"}')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.rules (name, trigger_type, priority, template_id, channels, cancel_on, personalization)
    VALUES ('ex ' || name, type, priority, template_id, channels, cancel_on, personalization)
$$;
-- What is due at t0 + due, having fired at fired (t0 unless told)
CREATE FUNCTION pg_temp.fire(who text, rule text, due interval DEFAULT '0', priority nudge.priority DEFAULT 'normal',
                             fired timestamptz DEFAULT '2020-03-02 10:00+00', expires interval DEFAULT NULL,
                             data jsonb DEFAULT '{"item": "hat"}', action_id bigint DEFAULT NULL)
RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at, expires_at, action_id, occurred_at,
                               action_type, action_data, context)
    SELECT 'ex_' || who, coalesce((SELECT rule_id FROM nudge.rules WHERE name = 'ex ' || rule), 0), priority, fired,
           '2020-03-02 10:00+00'::timestamptz + due, '2020-03-02 10:00+00'::timestamptz + due + expires, action_id,
           '2020-03-02 09:59:30+00', 'ex_action', data, '{"page": "/hats"}'
    RETURNING pending_id
$$;
CREATE FUNCTION pg_temp.t0(i interval DEFAULT '0') RETURNS timestamptz LANGUAGE sql AS
    $$ SELECT '2020-03-02 10:00+00'::timestamptz + i $$;
-- The last event of each trigger of a user whose name is like this
CREATE FUNCTION pg_temp.what(who text) RETURNS TABLE (user_id text, event text, reason text) LANGUAGE sql AS $$
    SELECT e.user_id, e.event_type, e.reason FROM nudge.events e
    WHERE e.user_id LIKE 'ex\_' || who AND e.event_type <> 'scheduled' ORDER BY e.event_id
$$;

INSERT INTO nudge.users (user_id, email, phone, push_token, timezone, locale, profile, behavior, preferences, created_at)
SELECT 'ex_' || u, u || '@example.org', NULL, NULL, NULL, NULL, jsonb_build_object('name', u), '{}', '{}', '2019-01-01'
FROM unnest('{gone,paused,disabled,testing,expired,fresh,cancelled,later,before,other,own,nobody_else,fine,
              bad,good1,good2,abort,line,name,bytes,required,required2,broken,batch,dead}'::text[]) AS u;
INSERT INTO nudge.users (user_id, email, phone, timezone, locale, profile, behavior, preferences, created_at) VALUES
    ('ex_phone', NULL, '+49 1', NULL, NULL, '{"name": "phone"}', '{}', '{"sms_enabled": true}', '2019-01-01'),
    ('ex_none', NULL, NULL, NULL, NULL, '{}', '{}', '{}', '2019-01-01'),
    ('ex_out', 'out@example.org', NULL, NULL, NULL, '{}', '{}', '{"email_enabled": false}', '2019-01-01'),
    ('ex_out_phone', 'out@example.org', '+49 2', NULL, NULL, '{"name": "out"}', '{}', '{"email_enabled": false, "sms_enabled": true}', '2019-01-01'),
    ('ex_yes', 'yes@example.org', NULL, NULL, NULL, '{}', '{}', '{"email_enabled": true, "sms_enabled": false}', '2019-01-01'),
    ('ex_all', 'all@example.org', '+49 3', 'Asia/Tokyo', 'de', '{"name": "A & B", "zero": 0}', '{"visits": 3}',
     '{"colour": "red"}', '2019-01-01');

--
-- Skips that the rule or the trigger decides
--
SELECT pg_temp.rule(r) FROM unnest('{paused,disabled,testing,active,deleted}'::text[]) AS r;
SELECT count(pg_temp.fire(v[1], v[2])) FROM (VALUES ('{paused,paused}'::text[]), ('{disabled,disabled}'),
    ('{testing,testing}'), ('{gone,deleted}'), ('{fine,active}'), ('{unknown,active}')) AS x (v);
UPDATE nudge.rules SET status = substr(name, 4)::nudge.rule_status WHERE name IN ('ex paused', 'ex disabled', 'ex testing');
DELETE FROM nudge.rules WHERE name = 'ex deleted';
SELECT count(pg_temp.fire(v[1], 'active', expires => v[2]::interval)) FROM (VALUES ('{expired,10 min}'::text[]), ('{fresh,11 min}')) AS x (v);
-- Nothing is due before its time
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0('-1 us'));
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0('10 min'));
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0('10 min'));
SELECT * FROM pg_temp.what('%') ORDER BY user_id;
SELECT count(*) FROM nudge.pending WHERE user_id LIKE 'ex\_%';

--
-- The message, its place in the queue, its event
--
SELECT m.recipient, m.channel, m.subject, m.body_text, m.body_html, m.sender_name, m.sender_address, m.reply_to,
       m.template_id, m.priority, m.fired_at, q.status, q.attempts, q.priority AS queue_priority, q.channel AS queue_channel,
       q.created_at = m.created_at AS same_key, q.available_at <= clock_timestamp() AS available,
       e.event_type, e.message_id = m.message_id AS same_message, e.pending_id = m.pending_id AS same_trigger,
       e.rule_id = m.rule_id AS same_rule, e.occurred_at,
       EXISTS (SELECT FROM nudge.message_blocks b WHERE b.priority = m.priority AND b.block = m.message_id / 1024) AS block
FROM nudge.messages m JOIN nudge.message_queue q USING (message_id, created_at) JOIN nudge.events e USING (message_id)
WHERE m.user_id = 'ex_fine';
SELECT pg_temp.rule('all', 'ex_all', type => 'lifecycle');
SELECT count(pg_temp.fire('all', 'all', action_id => 4711, data => '{"item": "<hat>", "deep": [0, {"x": 1.50}]}'));
SELECT executed FROM nudge.execute_pending(as_of => pg_temp.t0());
SELECT string_agg(part, E'\n' ORDER BY n) FROM nudge.messages, unnest(string_to_array(body_text, '|')) WITH ORDINALITY AS u (part, n)
WHERE user_id = 'ex_all';

--
-- Channels
--
SELECT pg_temp.rule('both', channels => '{email,sms}');
SELECT pg_temp.rule('push', channels => '{push}');
SELECT pg_temp.rule('nothing', NULL);
SELECT count(pg_temp.fire(v[1], v[2])) FROM (VALUES ('{phone,both}'::text[]), ('{none,both}'), ('{out,active}'), ('{out,both}'),
    ('{out_phone,both}'), ('{yes,both}'), ('{yes,push}'), ('{yes,nothing}'), ('{phone,active}')) AS x (v);
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0());
SELECT e.user_id, r.name, e.event_type, e.reason, m.channel, m.recipient
FROM nudge.events e JOIN nudge.rules r USING (rule_id) LEFT JOIN nudge.messages m USING (message_id)
WHERE e.user_id IN ('ex_phone', 'ex_none', 'ex_out', 'ex_out_phone', 'ex_yes') ORDER BY e.user_id, r.name;

--
-- cancel_on: by that user, after the firing, before the due time
--
SELECT pg_temp.rule('cancel', cancel_on => '{ex_purchase,ex_refund}');
INSERT INTO nudge.actions (user_id, action_type, action_id, recorded_at) VALUES
    ('ex_cancelled', 'ex_purchase', 9000001, pg_temp.t0('30 min')),
    ('ex_later', 'ex_purchase', 9000002, pg_temp.t0('1 hour 1 us')),
    ('ex_before', 'ex_purchase', 9000003, pg_temp.t0('-1 us')),
    ('ex_other', 'ex_view', 9000004, pg_temp.t0('30 min')),
    ('ex_own', 'ex_refund', 9000005, pg_temp.t0()),
    ('ex_gone', 'ex_refund', 9000007, pg_temp.t0());
SELECT count(pg_temp.fire(v, 'cancel', '1 hour', action_id => 9000005))
FROM unnest('{cancelled,later,before,other,own,nobody_else}'::text[]) AS v;
-- Recorded at the same time as the firing action, but after it
SELECT count(pg_temp.fire('gone', 'cancel', '1 hour', action_id => 9000006));
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0('2 hours'));
SELECT user_id, event_type, e.reason FROM nudge.events e JOIN nudge.rules r USING (rule_id) WHERE r.name = 'ex cancel' ORDER BY user_id;

--
-- Failures: one bad row does not spoil the batch, before or after it
--
SELECT pg_temp.rule('zero', 'ex_zero');
SELECT pg_temp.rule('abort', 'ex_abort');
SELECT pg_temp.rule('line', 'ex_line');
SELECT pg_temp.rule('name', 'ex_name');
SELECT pg_temp.rule('bytes', 'ex_bytes');
SELECT pg_temp.rule('required', personalization => '{"required": ["user.profile.name", "action.data.price"]}');
SET session_replication_role = replica;
INSERT INTO nudge.template_ids VALUES ('ex_broken');
INSERT INTO nudge.templates (template_id, subject) VALUES ('ex_broken', '{% if %}');
RESET session_replication_role;
SELECT pg_temp.rule('broken', 'ex_broken');
UPDATE nudge.users SET profile = '{"zero": 0}' WHERE user_id = 'ex_bad';
SELECT count(pg_temp.fire(who, rule, data => data)) FROM (VALUES
    ('good1', 'active', '{"item": 1}'::jsonb), ('bad', 'zero', '{}'), ('abort', 'abort', '{}'),
    ('line', 'line', '{"item": "a\nb"}'), ('name', 'name', '{"item": "a\rb"}'), ('bytes', 'bytes', '{}'),
    ('required', 'required', '{"price": null}'), ('required2', 'required', '{"price": 0}'), ('broken', 'broken', '{}'),
    ('good2', 'active', '[]')) AS v (who, rule, data);
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0());
SELECT * FROM pg_temp.what('good_') UNION ALL SELECT * FROM pg_temp.what('bad') UNION ALL SELECT * FROM pg_temp.what('abort')
UNION ALL SELECT * FROM pg_temp.what('line') UNION ALL SELECT * FROM pg_temp.what('name') UNION ALL SELECT * FROM pg_temp.what('bytes')
UNION ALL SELECT * FROM pg_temp.what('required%') UNION ALL SELECT * FROM pg_temp.what('broken');
SELECT user_id, status, attempts, due_at, last_error FROM nudge.pending WHERE user_id LIKE 'ex\_%' ORDER BY pending_id;
-- A failure takes no place under a cap
SELECT user_id FROM nudge.cap_usage WHERE user_id IN ('ex_bad', 'ex_line', 'ex_good1') ORDER BY 1;
DELETE FROM nudge.pending WHERE user_id IN ('ex_line', 'ex_name', 'ex_bytes', 'ex_required', 'ex_broken');

-- Retries with back-off, then dead
CREATE TEMP TABLE tries AS SELECT 0 AS n, pg_temp.t0() AS at, NULL::nudge.pending_status AS status, 0 AS attempts LIMIT 0;
DO $$
DECLARE
    at timestamptz;
    row nudge.pending;
BEGIN
    FOR n IN 1..8 LOOP
        SELECT due_at INTO at FROM nudge.pending WHERE user_id = 'ex_bad';
        PERFORM nudge.execute_pending(as_of => at);
        SELECT * INTO row FROM nudge.pending WHERE user_id = 'ex_bad';
        INSERT INTO tries VALUES (n, at, row.status, row.attempts);
    END LOOP;
END
$$;
SELECT * FROM tries ORDER BY n;
SELECT event, reason, count(*) FROM pg_temp.what('bad') GROUP BY 1, 2 ORDER BY 1;
-- A person mends the cause and requeues
SELECT nudge.requeue(pending_id) FROM nudge.pending WHERE user_id = 'ex_bad';
SELECT status, attempts, due_at BETWEEN '2021-01-01' AND now() AS due, last_error FROM nudge.pending WHERE user_id = 'ex_bad';
-- What is not dead cannot be requeued
CREATE FUNCTION pg_temp.try(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT regexp_replace(pg_temp.try(format('SELECT nudge.requeue(%s)', pending_id)), '\d+ is', 'N is')
FROM nudge.pending WHERE user_id = 'ex_bad';
SELECT pg_temp.try('SELECT nudge.requeue(-1)');
SELECT pg_temp.try('SELECT nudge.requeue(NULL)');
UPDATE nudge.users SET profile = '{"zero": 1}' WHERE user_id = 'ex_bad';
UPDATE nudge.pending SET due_at = pg_temp.t0() WHERE user_id = 'ex_bad';
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0());
-- Expiry counts on retries, and after a requeue
SELECT count(pg_temp.fire('dead', 'zero', expires => '30 s'));
UPDATE nudge.users SET profile = '{"zero": 0}' WHERE user_id = 'ex_dead';
SELECT failed FROM nudge.execute_pending(as_of => pg_temp.t0());
SELECT skipped FROM nudge.execute_pending(as_of => pg_temp.t0('1 min'));
SELECT * FROM pg_temp.what('dead');

--
-- Order: what is past its promise first, by promised time; then by priority and due time
--
INSERT INTO nudge.users (user_id, email) SELECT 'ex_order_' || n, 'x@example.org' FROM generate_series(1, 20) AS n;
SELECT count(pg_temp.fire('order_' || n, 'active', due, p)) FROM (VALUES
    (1, '0'::interval, 'batch'::nudge.priority),        -- promised 12:00
    (2, '0', 'low'),                                    -- promised 12:00
    (3, '1 hour 29 min 59 s', 'normal'),                -- promised 11:59:59: overdue
    (4, '1 hour 54 min', 'high'),                       -- promised 11:59:00: overdue, the first
    (5, '2 hours', 'immediate'),                        -- in time
    (6, '1 hour 59 min 51 s', 'immediate'),             -- in time
    (7, '1 hour 59 min 49 s', 'immediate'),             -- promised 11:59:59: overdue
    (8, '1 hour 58 min', 'high'),                       -- in time
    (9, '-1 s', 'low'),                                 -- promised 11:59:59: overdue
    (10, '1 hour 40 min', 'normal'),                    -- in time
    (11, '3 hours', 'immediate')                        -- not due
    ) AS v (n, due, p);
DO $$
BEGIN
    FOR n IN 1..10 LOOP
        PERFORM nudge.execute_pending(1, pg_temp.t0('2 hours'));
    END LOOP;
END
$$;
SELECT m.user_id, m.priority FROM nudge.events e JOIN nudge.messages m USING (message_id)
WHERE e.user_id LIKE 'ex\_order%' ORDER BY e.event_id;
SELECT user_id FROM nudge.pending WHERE user_id LIKE 'ex\_order%';
-- max_rows is kept, also across the batches inside a call
DELETE FROM nudge.pending WHERE user_id LIKE 'ex\_order%';
SELECT count(pg_temp.fire('order_' || 1 + n % 20, 'active')) FROM generate_series(1, 2500) AS n;
SELECT executed FROM nudge.execute_pending(2001, pg_temp.t0());
SELECT executed FROM nudge.execute_pending(100000, pg_temp.t0());
SELECT count(*), count(DISTINCT message_id), count(DISTINCT pending_id) FROM nudge.messages WHERE user_id LIKE 'ex\_order%';
SELECT sum(messages) FROM nudge.cap_counters WHERE user_id LIKE 'ex\_order%';

--
-- Batch: at the next multiple of nudge.batch_interval
--
SET nudge.batch_interval = '1 h';
SELECT count(pg_temp.fire('batch', 'active', '10 min', 'batch'));
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0('20 min'));
SELECT due_at FROM nudge.pending WHERE user_id = 'ex_batch';
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0('59 min'));
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0('1 hour'));
SELECT * FROM pg_temp.what('batch');
RESET nudge.batch_interval;

--
-- The outcome is the same in any isolation level and inside a bigger transaction
--
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(pg_temp.fire('good1', 'active'));
SELECT executed FROM nudge.execute_pending(as_of => pg_temp.t0());
SELECT count(pg_temp.fire('good1', 'active'));
SELECT executed FROM nudge.execute_pending(as_of => pg_temp.t0());
SELECT sum(messages) FROM nudge.cap_counters WHERE user_id = 'ex_good1';
ROLLBACK;
SELECT sum(messages) FROM nudge.cap_counters WHERE user_id = 'ex_good1';

--
-- Records: one row a call that did something, none of an idle one
--
SELECT count(*) AS runs FROM nudge.executor_runs \gset
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0());
SELECT count(*) - :runs AS idle FROM nudge.executor_runs;
SELECT count(pg_temp.fire('good1', 'active'));
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0());
SELECT executed, failed, skipped, deferred, finished_at >= started_at AS timed FROM nudge.executor_runs ORDER BY run_id DESC LIMIT 1;
BEGIN;
SELECT executed FROM nudge.execute_pending(as_of => pg_temp.t0());
SELECT pg_current_xact_id_if_assigned() IS NULL AS burnt_no_xid;
COMMIT;

-- One warning where more waits than is expected
SET nudge.max_pending_triggers = 20;
INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at)
SELECT 'ex_later', 0, 'normal', '2100-01-01', '2100-01-01' FROM generate_series(1, 2000);
SELECT * FROM nudge.execute_pending(as_of => pg_temp.t0());
RESET nudge.max_pending_triggers;
DELETE FROM nudge.pending WHERE user_id = 'ex_later';

--
-- Bad arguments
--
SELECT command, pg_temp.try(command) FROM unnest(ARRAY[
    'SELECT nudge.execute_pending(0)', 'SELECT nudge.execute_pending(-1)', 'SELECT nudge.execute_pending(100001)',
    'SELECT nudge.execute_pending(NULL)', 'SELECT nudge.execute_pending(1, NULL)',
    'SELECT nudge.execute_pending(1, ''infinity'')', 'SELECT nudge.execute_pending(1, ''-infinity'')',
    'CALL nudge.run(''0'')', 'CALL nudge.run(''-1 s'')', 'CALL nudge.run(NULL)', 'CALL nudge.run(''1 s'', ''0'')',
    'CALL nudge.run(''1 s'', ''-1 s'')', 'CALL nudge.run(''1 s'', NULL)']) AS command;
BEGIN READ ONLY;
SELECT nudge.execute_pending();
ROLLBACK;

--
-- A run: executes what is due, keeps one record, and needs no privilege on tables
--
CREATE ROLE ex_runner;
SELECT nudge.grant_access('ex_runner', 'executor');
SELECT count(pg_temp.fire('good1', 'active')) FROM generate_series(1, 1200);
SELECT count(*) AS runs FROM nudge.executor_runs \gset
SET ROLE ex_runner;
CALL nudge.run('1 ms', '1 s');
CALL nudge.run('1 ms', '1 s');
RESET ROLE;
SELECT count(*) FROM nudge.pending WHERE user_id LIKE 'ex\_%';
SELECT count(*), sum(executed) >= 1200 AS all_executed, bool_and(finished_at >= started_at) AS finished
FROM (SELECT * FROM nudge.executor_runs ORDER BY run_id DESC LIMIT 2) AS r;
SELECT count(*) - :runs AS runs FROM nudge.executor_runs;
-- It commits, so not inside a transaction
BEGIN;
CALL nudge.run('1 ms');
ROLLBACK;

DROP OWNED BY ex_runner;
DROP ROLE ex_runner;
DELETE FROM nudge.frequency_caps WHERE rule_id IN (SELECT rule_id FROM nudge.rules WHERE name LIKE 'ex %');
DELETE FROM nudge.rules WHERE name LIKE 'ex %';
DELETE FROM nudge.templates WHERE template_id LIKE 'ex\_%';
DELETE FROM nudge.users WHERE user_id LIKE 'ex\_%';
DELETE FROM nudge.cap_usage WHERE user_id LIKE 'ex\_%';
DELETE FROM nudge.message_queue WHERE user_id LIKE 'ex\_%';
