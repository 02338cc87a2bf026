-- The five accesses against every table, view, sequence and routine: what each
-- may do is written down here once more, and everything else must be refused.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

CREATE ROLE t_nobody;
CREATE ROLE t_app;
CREATE ROLE t_marketer;
CREATE ROLE t_mailer;
CREATE ROLE t_executor;
CREATE ROLE t_analyst;
SELECT nudge.maintain() IS NOT NULL AS partitions_exist;
SELECT nudge.grant_access(('t_' || a)::regrole, a) FROM unnest('{app,marketer,mailer,executor,analyst}'::text[]) AS a;

-- Columns '*' stands for the whole table.
CREATE TEMP TABLE allowed (access text, object text, privilege text, columns text);
INSERT INTO allowed VALUES
    ('app', 'actions', 'INSERT', 'user_id,action_type,action_data,context,session_id,source,occurred_at'),
    ('app', 'users', 'SELECT', 'user_id,email,phone,push_token,timezone,locale,profile,behavior,preferences,created_at,updated_at'),
    ('app', 'users', 'INSERT', 'user_id,email,phone,push_token,timezone,locale,profile,behavior,preferences,created_at,updated_at'),
    ('app', 'users', 'UPDATE', 'email,phone,push_token,timezone,locale,profile,behavior,preferences,updated_at'),
    ('marketer', 'template_ids', 'SELECT', '*'),
    ('marketer', 'cap_counters', 'SELECT', '*'),
    ('marketer', 'health', 'SELECT', '*'),
    ('marketer', 'items', 'SELECT', '*'),
    ('marketer', 'item_pairs', 'SELECT', '*'),
    ('marketer', 'events', 'SELECT', 'event_id,user_id,event_type,rule_id,pending_id,message_id,action_id,reason,flag,occurred_at,recorded_at'),
    ('executor', 'jobs', 'SELECT', '*'),
    ('executor', 'health', 'SELECT', '*'),
    ('analyst', 'cap_counters', 'SELECT', '*'),
    ('analyst', 'health', 'SELECT', '*'),
    ('analyst', 'items', 'SELECT', '*'),
    ('analyst', 'item_pairs', 'SELECT', '*'),
    ('analyst', 'events', 'SELECT', 'event_id,user_id,event_type,rule_id,pending_id,message_id,action_id,reason,flag,occurred_at,recorded_at');
INSERT INTO allowed VALUES
    ('marketer', 'timers', 'SELECT', 'user_id,rule_id,timer,due_at,key,occurrence,date,started_at,recorded_at,action_id,action_type'),
    ('marketer', 'timer_firings', 'SELECT', '*'),
    ('analyst', 'timer_firings', 'SELECT', '*');
INSERT INTO allowed
SELECT 'marketer', t, p, '*'
FROM unnest('{rules,conditions,frequency_caps,templates,segments,segment_members}'::text[]) AS t,
     unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS p;
-- consent
INSERT INTO allowed VALUES
    ('app', 'subscriptions', 'SELECT', 'user_id,topic,subscribed,updated_at'),
    ('app', 'subscriptions', 'INSERT', 'user_id,topic,subscribed'),
    ('app', 'subscriptions', 'UPDATE', 'subscribed'),
    ('marketer', 'subscriptions', 'SELECT', '*'),
    ('marketer', 'suppressions', 'SELECT', 'suppression_id,user_id,channel,reason,message_id,source,created_at'),
    ('marketer', 'quiet_hours', 'SELECT', '*'), ('marketer', 'quiet_hours', 'INSERT', '*'),
    ('marketer', 'quiet_hours', 'UPDATE', '*'), ('marketer', 'quiet_hours', 'DELETE', '*');

CREATE TEMP TABLE callable (access text, routine text);
INSERT INTO callable VALUES
    ('app', 'register_action'), ('app', 'recommend'),
    ('marketer', 'create_rule'), ('marketer', 'evaluate'), ('marketer', 'explain'), ('marketer', 'rule_document'), ('marketer', 'render_template'),
    ('marketer', 'setting'), ('marketer', 'preview'), ('marketer', 'recommend'),
    ('mailer', 'claim'), ('mailer', 'ack'), ('mailer', 'nack'), ('mailer', 'record_event'),
    ('executor', 'execute_pending'), ('executor', 'run'), ('executor', 'requeue'), ('executor', 'maintain'),
    ('executor', 'schedule_jobs'), ('executor', 'unschedule_jobs'), ('executor', 'job_commands'), ('executor', 'require_cron'),
    ('executor', 'run_start'), ('executor', 'run_step'), ('executor', 'run_finish'), ('executor', 'doze'),
    ('executor', 'setting'), ('executor', 'count_items'), ('executor', 'count_items_until'),
    ('analyst', 'setting');
INSERT INTO callable VALUES
    ('executor', 'run_timers');

INSERT INTO callable VALUES     -- segments
    ('app', 'in_segment'), ('marketer', 'in_segment'), ('marketer', 'segment_users'), ('marketer', 'segment_size'), ('analyst', 'segment_size');

-- Watched and followed tables
INSERT INTO allowed VALUES
    ('app', 'watched_tables', 'SELECT', '*'), ('marketer', 'watched_tables', 'SELECT', '*'), ('marketer', 'synced_tables', 'SELECT', '*');
INSERT INTO callable
SELECT 'app', r FROM unnest('{watch_table,unwatch_table,watch,check_source_table,check_source_columns,put_triggers,drop_triggers}'::text[]) AS r;
-- consent
INSERT INTO callable VALUES
    ('app', 'suppress'), ('marketer', 'suppress'), ('marketer', 'unsuppress'), ('mailer', 'suppress');

-- Re-entry
INSERT INTO allowed VALUES ('marketer', 'rule_entries', 'SELECT', '*'), ('marketer', 'rule_entries', 'DELETE', '*');
INSERT INTO callable VALUES ('executor', 'prune_entries');

-- Channels
INSERT INTO allowed
SELECT 'marketer', t, p, '*'
FROM unnest('{channels,channel_urgency}'::text[]) AS t, unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS p;
INSERT INTO callable VALUES ('marketer', 'channel_scores'), ('marketer', 'coordinate_channels');
-- The lifecycle
INSERT INTO allowed
SELECT 'marketer', 'lifecycle_stages', p, '*' FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS p;
INSERT INTO allowed VALUES ('marketer', 'lifecycle_flow', 'SELECT', '*'), ('analyst', 'lifecycle_flow', 'SELECT', '*');
INSERT INTO callable VALUES ('executor', 'run_lifecycle'), ('executor', 'prune_transitions');

-- Feedback
INSERT INTO allowed
SELECT a, 'conversions', 'SELECT', 'conversion_id,user_id,value,currency,occurred_at,recorded_at,goal,action_id,idempotency_key'
FROM unnest('{marketer,analyst}'::text[]) AS a;
INSERT INTO callable
SELECT a, r FROM unnest('{marketer,analyst}'::text[]) AS a, unnest('{wilson_low,wilson_high}'::text[]) AS r;

-- Reports
INSERT INTO allowed SELECT a, 'optimization_advice', 'SELECT', '*' FROM unnest('{marketer,analyst}'::text[]) AS a;
INSERT INTO callable
SELECT a, r FROM unnest('{marketer,analyst}'::text[]) AS a, unnest('{two_proportion_test,performance_report,optimize_rule,report}'::text[]) AS r
UNION ALL SELECT 'marketer', 'backtest';

-- Events in
INSERT INTO allowed
SELECT 'marketer', t, p, '*'
FROM unnest('{machine_agents,conversion_goals}'::text[]) AS t, unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS p;
INSERT INTO callable VALUES
    ('app', 'record_conversion'), ('mailer', 'ingest_webhook'), ('marketer', 'rescore_machine_events'),
    ('executor', 'rescore_machine_events'), ('executor', 'collect_conversions'), ('executor', 'prune_conversions');
-- Attribution
INSERT INTO allowed
SELECT 'marketer', 'attribution_models', p, '*' FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS p
UNION ALL
SELECT a, t, 'SELECT', '*' FROM unnest('{marketer,analyst}'::text[]) AS a, unnest('{attribution_effects,attribution,attribution_daily}'::text[]) AS t;
INSERT INTO callable VALUES ('marketer', 'attribute_conversion'), ('marketer', 'attribution_tail'), ('marketer', 'recompute_attribution'),
    ('analyst', 'attribute_conversion'), ('analyst', 'attribution_tail'),
    ('executor', 'run_attribution'), ('executor', 'recompute_attribution');

-- Optimisers
INSERT INTO allowed
SELECT 'marketer', 'optimization_thresholds', p, '*' FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS p;
INSERT INTO allowed VALUES
    ('marketer', 'optimizations', 'SELECT', '*'), ('analyst', 'optimizations', 'SELECT', '*'),
    ('marketer', 'recommendations', 'SELECT', '*'), ('analyst', 'recommendations', 'SELECT', '*');
INSERT INTO callable VALUES
    ('executor', 'monitor_and_optimize'), ('marketer', 'undo_optimization'), ('marketer', 'rule_violations'),
    ('marketer', 'adaptive_recommendations'), ('marketer', 'apply_recommendation'), ('marketer', 'undo_recommendation'),
    ('marketer', 'confidence_greater'), ('analyst', 'confidence_greater');

-- Figures
INSERT INTO allowed
SELECT a, v, 'SELECT', '*'
FROM unnest('{marketer,analyst}'::text[]) AS a,
     unnest('{rule_performance,rule_performance_daily,channel_performance,template_performance,variant_performance,segment_performance,send_time_performance,'
            'frequency_fatigue,funnel,queue_latency,message_figures,rule_figures,segment_figures,hour_figures}'::text[]) AS v;
INSERT INTO callable
SELECT a, r FROM unnest('{marketer,analyst}'::text[]) AS a, unnest('{rates,latency_bucket,outcome_bit}'::text[]) AS r
UNION ALL SELECT 'executor', r FROM unnest('{rollup,rebuild_rollups}'::text[]) AS r;
-- Variants
INSERT INTO allowed
SELECT 'marketer', 'variants', p, '*' FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS p;
INSERT INTO allowed VALUES
    ('marketer', 'variant_assignments', 'SELECT', '*'), ('marketer', 'variant_assignments', 'DELETE', '*'),
    ('marketer', 'bandit_arms', 'SELECT', '*'), ('analyst', 'bandit_arms', 'SELECT', '*'),
    ('marketer', 'experiment_results', 'SELECT', '*'), ('analyst', 'experiment_results', 'SELECT', '*');
INSERT INTO callable
SELECT a, r FROM unnest('{marketer,analyst}'::text[]) AS a, unnest('{probability_to_be_best,simulate_bandit}'::text[]) AS r;
INSERT INTO allowed VALUES ('marketer', 'send_hours', 'SELECT', '*'), ('analyst', 'send_hours', 'SELECT', '*');
INSERT INTO callable VALUES ('executor', 'update_bandits'), ('executor', 'update_send_hours'), ('marketer', 'send_hour');

-- Tables, views, materialised views, partitions: each privilege on each column
CREATE TEMP VIEW may AS
    SELECT r.access, c.relname::text AS object, p.privilege, a.attname::text AS attname
    FROM unnest('{nobody,app,marketer,mailer,executor,analyst}'::text[]) AS r (access)
    CROSS JOIN pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) AS p (privilege)
    WHERE c.relnamespace = 'nudge'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND has_column_privilege(('t_' || r.access)::regrole, c.oid, a.attnum, p.privilege);
SELECT set_eq(
    $$SELECT access, object, privilege, attname FROM may$$,
    $$SELECT w.access, w.object, w.privilege, a.attname::text
      FROM allowed w
      JOIN pg_attribute a ON a.attrelid = ('nudge.' || w.object)::regclass AND a.attnum > 0 AND NOT a.attisdropped
          AND (w.columns = '*' OR a.attname = ANY (string_to_array(w.columns, ',')))
      WHERE w.privilege <> 'DELETE'$$,
    'columns that each access may read and write: those listed, and no others');
SELECT set_eq(
    $$SELECT r.access, c.relname::text, p.privilege
      FROM unnest('{nobody,app,marketer,mailer,executor,analyst}'::text[]) AS r (access)
      CROSS JOIN pg_class c
      CROSS JOIN unnest('{DELETE,TRUNCATE,TRIGGER}'::text[]) AS p (privilege)
      WHERE c.relnamespace = 'nudge'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
          AND has_table_privilege(('t_' || r.access)::regrole, c.oid, p.privilege)$$,
    $$SELECT access, object, privilege FROM allowed WHERE privilege = 'DELETE'$$,
    'tables that each access may delete from');
SELECT is_empty(
    $$SELECT r.access, c.relname
      FROM unnest('{nobody,app,marketer,mailer,executor,analyst}'::text[]) AS r (access)
      CROSS JOIN pg_class c
      WHERE c.relnamespace = 'nudge'::regnamespace AND c.relkind = 'S'
          AND has_sequence_privilege(('t_' || r.access)::regrole, c.oid, 'USAGE,SELECT,UPDATE')$$,
    'no access needs a sequence');
SELECT set_eq(
    $$SELECT r.access, p.oid::regprocedure::text
      FROM unnest('{nobody,app,marketer,mailer,executor,analyst}'::text[]) AS r (access)
      CROSS JOIN pg_proc p
      WHERE p.pronamespace = 'nudge'::regnamespace
          AND has_function_privilege(('t_' || r.access)::regrole, p.oid, 'EXECUTE')$$,
    $$SELECT c.access, p.oid::regprocedure::text
      FROM callable c JOIN pg_proc p ON p.proname = c.routine AND p.pronamespace = 'nudge'::regnamespace$$,
    'routines that each access may call');
SELECT is_empty(
    $$SELECT routine FROM callable WHERE routine <> ALL (ARRAY(
          SELECT proname FROM pg_proc WHERE pronamespace = 'nudge'::regnamespace))$$,
    'the routines all exist');
SELECT is_empty(
    $$SELECT access, object FROM nudge.access_rights WHERE kind = 'routine' AND object <> ALL (ARRAY(
          SELECT proname FROM pg_proc WHERE pronamespace = 'nudge'::regnamespace))
      UNION ALL
      SELECT access, object FROM nudge.access_rights WHERE kind = 'table' AND to_regclass('nudge.' || object) IS NULL$$,
    'and so do the objects of nudge.access_rights');
SELECT set_eq(
    $$SELECT a FROM unnest('{nobody,app,marketer,mailer,executor,analyst}'::text[]) AS a
      WHERE has_schema_privilege('t_' || a, 'nudge', 'USAGE')$$,
    '{app,marketer,mailer,executor,analyst}'::text[],
    'the schema is open to those with an access only');
SELECT is_empty(
    $$SELECT a FROM unnest('{nobody,app,marketer,mailer,executor,analyst}'::text[]) AS a
      WHERE has_schema_privilege('t_' || a, 'nudge', 'CREATE')$$,
    'and none may create anything there');
SELECT is_empty(
    $$SELECT c.relname FROM pg_class c CROSS JOIN aclexplode(c.relacl) x
      WHERE c.relnamespace = 'nudge'::regnamespace AND x.grantee = 0
      UNION ALL
      SELECT p.proname FROM pg_proc p CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
      WHERE p.pronamespace = 'nudge'::regnamespace AND x.grantee = 0
      UNION ALL
      SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid CROSS JOIN aclexplode(a.attacl) x
      WHERE c.relnamespace = 'nudge'::regnamespace AND x.grantee = 0$$,
    'PUBLIC has nothing');
-- Code that runs with the owner's rights looks nothing up along the caller's path
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc p
      WHERE p.pronamespace = 'nudge'::regnamespace AND p.prosecdef
          AND NOT coalesce(p.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}'$$,
    'SECURITY DEFINER functions have a search_path of their own, with pg_temp at its end');

--
-- At work, with a schema full of traps at the head of the search_path
--
CREATE SCHEMA trap;
GRANT USAGE, CREATE ON SCHEMA trap TO PUBLIC;
CREATE FUNCTION trap.spring(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'trap sprung: % as %', what, current_user USING ERRCODE = 'XX000';
END
$$;
CREATE FUNCTION trap.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$SELECT trap.spring('clock_timestamp'); SELECT NULL::timestamptz$$;
CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE sql AS $$SELECT trap.spring('now'); SELECT NULL::timestamptz$$;
CREATE FUNCTION trap.gen_random_uuid() RETURNS uuid LANGUAGE sql AS $$SELECT trap.spring('gen_random_uuid'); SELECT NULL::uuid$$;
CREATE FUNCTION trap.unnest(bigint[]) RETURNS SETOF bigint LANGUAGE sql AS $$SELECT trap.spring('unnest'); SELECT NULL::bigint$$;
CREATE FUNCTION trap.array_agg(bigint) RETURNS bigint[] LANGUAGE sql AS $$SELECT trap.spring('array_agg'); SELECT NULL::bigint[]$$;
CREATE FUNCTION trap.format(text, text) RETURNS text LANGUAGE sql AS $$SELECT trap.spring('format'); SELECT NULL::text$$;
CREATE FUNCTION trap.coalesce_trap(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS $$SELECT trap.spring('operator'); SELECT NULL::boolean$$;
CREATE OPERATOR trap.<= (FUNCTION = trap.coalesce_trap, LEFTARG = timestamptz, RIGHTARG = timestamptz);
CREATE OPERATOR trap.>= (FUNCTION = trap.coalesce_trap, LEFTARG = timestamptz, RIGHTARG = timestamptz);
CREATE FUNCTION trap.bigint_trap(bigint, bigint) RETURNS boolean LANGUAGE sql AS $$SELECT trap.spring('operator'); SELECT NULL::boolean$$;
CREATE OPERATOR trap.= (FUNCTION = trap.bigint_trap, LEFTARG = bigint, RIGHTARG = bigint);
CREATE FUNCTION trap.jsonb_trap(jsonb, text) RETURNS text LANGUAGE sql AS $$SELECT trap.spring('operator')::text$$;
CREATE OPERATOR trap.->> (FUNCTION = trap.jsonb_trap, LEFTARG = jsonb, RIGHTARG = text);
CREATE FUNCTION trap.jsonb_typeof(jsonb) RETURNS text LANGUAGE sql AS $$SELECT trap.spring('jsonb_typeof')::text$$;
CREATE FUNCTION trap.jsonb_agg(jsonb) RETURNS jsonb LANGUAGE sql AS $$SELECT trap.spring('jsonb_agg')::text::jsonb$$;
CREATE FUNCTION trap.text_trap(text, text) RETURNS boolean LANGUAGE sql AS $$SELECT trap.spring('operator'); SELECT NULL::boolean$$;
CREATE OPERATOR trap.= (FUNCTION = trap.text_trap, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR trap.<> (FUNCTION = trap.text_trap, LEFTARG = text, RIGHTARG = text);
CREATE TABLE trap.templates (LIKE nudge.templates);
CREATE TABLE trap.items (LIKE nudge.items);
CREATE TABLE trap.item_pairs (LIKE nudge.item_pairs);
CREATE TABLE trap.messages (LIKE nudge.messages);
CREATE TABLE trap.message_queue (LIKE nudge.message_queue);
CREATE TABLE trap.pending (LIKE nudge.pending);
CREATE TABLE trap.events (LIKE nudge.events);
CREATE TABLE trap.users (LIKE nudge.users);
CREATE TABLE trap.actions (LIKE nudge.actions);
CREATE TEMP TABLE messages (LIKE nudge.messages);
CREATE TEMP TABLE message_queue (LIKE nudge.message_queue);
GRANT ALL ON ALL TABLES IN SCHEMA trap TO PUBLIC;

-- Calls as a role, along the path of traps; the SQLSTATE, or what came out
CREATE FUNCTION public.as_role(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text := '';
BEGIN
    PERFORM pg_catalog.set_config('role', role, true);
    PERFORM pg_catalog.set_config('search_path', 'trap, pg_catalog, pg_temp', true);
    BEGIN
        IF statement LIKE 'SELECT%' THEN
            EXECUTE statement INTO answer;
        ELSE
            EXECUTE statement;
        END IF;
    EXCEPTION WHEN OTHERS THEN
        answer := CASE WHEN SQLSTATE OPERATOR(pg_catalog.=) 'XX000' THEN SQLERRM ELSE SQLSTATE END;
    END;
    PERFORM pg_catalog.set_config('search_path', 'public, pg_catalog', true);
    PERFORM pg_catalog.set_config('role', 'none', true);
    RETURN answer;
END
$$;
GRANT EXECUTE ON FUNCTION public.as_role TO PUBLIC;

-- app
SELECT is(as_role('t_app', $$INSERT INTO nudge.users (user_id, email, profile) VALUES ('p1', 'p1@example.org', '{"a": 1}')
    ON CONFLICT (user_id) DO UPDATE SET email = EXCLUDED.email, profile = users.profile || EXCLUDED.profile, updated_at = pg_catalog.now()$$),
    '', 'app inserts a user');
SELECT is(as_role('t_app', $$INSERT INTO nudge.users (user_id, email, profile) VALUES ('p1', 'p2@example.org', '{"b": 1}')
    ON CONFLICT (user_id) DO UPDATE SET email = EXCLUDED.email, profile = users.profile || EXCLUDED.profile, updated_at = pg_catalog.now()$$),
    '', 'and updates it in the same way');
SELECT results_eq($$SELECT email, profile FROM nudge.users WHERE user_id = 'p1'$$, $$VALUES ('p2@example.org', '{"a": 1, "b": 1}'::jsonb)$$, 'both are there');
SELECT is(as_role('t_app', $$INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('p1', 'login', '{}')$$), '', 'app inserts an action');
SELECT is(as_role('t_app', $$SELECT nudge.register_action('p1', 'login')::pg_catalog.text$$), '{}', 'or registers it');
SELECT is(as_role('t_app', $$SELECT pg_catalog.count(*) FROM nudge.recommend('p1')$$), '0', 'and asks what to recommend');
SELECT is((SELECT count(*)::int FROM nudge.actions WHERE user_id = 'p1' AND action_type = 'login'), 2, 'both actions are there');
SELECT is(as_role('t_app', s), '42501', 'app: ' || s) FROM unnest(ARRAY[
    $$INSERT INTO nudge.actions (user_id, action_type, recorded_at) VALUES ('p1', 'login', '2020-01-01')$$,
    $$INSERT INTO nudge.actions (action_id, user_id, action_type) VALUES (1, 'p1', 'login')$$,
    $$UPDATE nudge.actions SET user_id = 'p2'$$,
    $$DELETE FROM nudge.actions$$,
    $$SELECT pg_catalog.count(*) FROM nudge.actions$$,
    $$INSERT INTO nudge.actions_default (user_id, action_type) VALUES ('p1', 'login')$$,
    $$DELETE FROM nudge.users$$,
    $$UPDATE nudge.users SET user_id = 'p2'$$,
    $$SELECT pg_catalog.count(*) FROM nudge.pending$$,
    $$SELECT pg_catalog.count(*) FROM nudge.outbox$$,
    $$SELECT pg_catalog.count(*) FROM nudge.items$$,
    $$SELECT pg_catalog.count(*) FROM nudge.named_items('{}')$$,
    $$SELECT nudge.preview(1, 'p1')$$,
    $$SELECT nudge.claim('x')$$,
    $$SELECT nudge.execute_pending()$$,
    $$SELECT nudge.maintain()$$,
    $$SELECT nudge.grant_access('t_app', 'mailer')$$]) AS s;

-- consent: pages for unsubscribing, and hours
SELECT is(as_role('t_app', $$INSERT INTO nudge.subscriptions (user_id, topic, subscribed) VALUES ('p1', 'news', false)
    ON CONFLICT (user_id, topic) DO UPDATE SET subscribed = EXCLUDED.subscribed$$), '', 'app says what a user thinks of a topic') FROM generate_series(1, 2);
SELECT is(as_role(r, $$SELECT nudge.suppress('t_consent', 'T@example.org')$$), CASE r WHEN 't_app' THEN 'true' ELSE 'false' END, r || ' suppresses an address')
FROM unnest('{t_app,t_marketer,t_mailer}'::text[]) AS r;
SELECT is(as_role('t_marketer', $$SELECT user_id FROM nudge.suppressions$$), 't_consent', 'marketer sees who is suppressed');
SELECT is(as_role('t_app', s), '42501', 'app: ' || s) FROM unnest(ARRAY[
    $$SELECT user_id FROM nudge.suppressions$$,
    $$INSERT INTO nudge.suppressions (user_id) VALUES ('p1')$$,
    $$SELECT nudge.unsuppress('t_consent')$$,
    $$SELECT nudge.message_refusals('{}', '{}', '{}', '{}')$$,
    $$DELETE FROM nudge.subscriptions$$,
    $$INSERT INTO nudge.quiet_hours (starts, ends) VALUES ('22:00', '08:00')$$]) AS s;
SELECT is(as_role('t_marketer', s), '42501', 'marketer: ' || s) FROM unnest(ARRAY[
    $$SELECT address FROM nudge.suppressions$$,
    $$DELETE FROM nudge.suppressions$$,
    $$UPDATE nudge.subscriptions SET subscribed = true$$]) AS s;
SELECT is(as_role('t_marketer', $$INSERT INTO nudge.quiet_hours (channel, starts, ends, days) VALUES ('sms', '22:00', '08:00', '{mon}')$$), '', 'marketer keeps quiet hours');
SELECT is(as_role('t_marketer', $$DELETE FROM nudge.quiet_hours$$), '', 'and removes them');
SELECT is(as_role('t_marketer', $$SELECT nudge.unsuppress('t_consent')$$), '1', 'and lifts a suppression');
DELETE FROM nudge.subscriptions WHERE user_id = 'p1';

-- marketer
SELECT is(as_role('t_marketer', $$INSERT INTO nudge.templates (template_id, subject, body_text) VALUES ('t_priv', 'Hi', 'Hello')$$), '', 'marketer writes a template');
SELECT is(as_role('t_marketer', $$INSERT INTO nudge.rules (name, trigger_type, template_id) VALUES ('t_priv', 'behavioral', 't_priv')$$), '', 'and a rule');
SELECT is(as_role('t_marketer', $$INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters)
    SELECT rule_id, 1, 'action_type', '{"types": ["login"]}' FROM nudge.rules WHERE name OPERATOR(pg_catalog.=) 't_priv'$$), '', 'and a condition');
SELECT is(as_role('t_marketer', $$INSERT INTO nudge.frequency_caps (rule_id, period, max_messages)
    SELECT rule_id, 'daily', 1 FROM nudge.rules WHERE name OPERATOR(pg_catalog.=) 't_priv'$$), '', 'and a cap');
SELECT is(as_role('t_marketer', $$INSERT INTO nudge.segments (name) VALUES ('t_priv')$$), '', 'and a segment');
SELECT is(as_role('t_marketer', $$INSERT INTO nudge.segment_members (segment, user_id) VALUES ('t_priv', 'p1')$$), '', 'and its members');
SELECT is(as_role('t_marketer', $$UPDATE nudge.segments SET conditions = '[{"type": "user_attribute", "operator": "exists", "parameters": {"path": "user_id"}}]' WHERE name OPERATOR(pg_catalog.=) 't_priv'$$), '', 'and its conditions');
SELECT is(as_role('t_marketer', $$SELECT nudge.segment_size('t_priv')$$), (SELECT count(*)::text FROM (SELECT user_id FROM nudge.users UNION SELECT 'p1') u), 'and counts its users without reading users');
SELECT is(as_role('t_marketer', $$UPDATE nudge.rules SET status = 'paused' WHERE name OPERATOR(pg_catalog.=) 't_priv'$$), '', 'and pauses the rule');
SELECT is(as_role('t_marketer', $$SELECT pg_catalog.count(*) FROM nudge.evaluate('p1', 'login')$$), (SELECT count(*)::text FROM nudge.rules), 'and tries it');
SELECT is(as_role('t_marketer', $$SELECT pg_catalog.count(*) FROM nudge.explain('p1', 'login')$$), (SELECT count(*)::text FROM nudge.rules), 'and has it explained');
SELECT is(as_role('t_marketer', $$SELECT nudge.render_template('{{ a }}', '{"a": 1}')$$), '1', 'and renders a template');
INSERT INTO nudge.actions (user_id, action_type, action_data, recorded_at) VALUES ('p9', 'purchase', '{"items": [{"product_id": "one"}, {"product_id": "two"}]}', now() - interval '40 days');
INSERT INTO nudge.items (item, data, seen, bought, score, last_at) VALUES ('one', '{"product_id": "one"}', 1, 1, 3, now()), ('two', '{"product_id": "two"}', 1, 1, 3, now());
INSERT INTO nudge.item_pairs (item, other, seen, bought, score) VALUES ('one', 'two', 1, 1, 3), ('two', 'one', 1, 1, 3);
SELECT is(as_role('t_marketer', $$INSERT INTO nudge.templates (template_id, subject, body_text)
    VALUES ('t_preview', 'Hi', '{{ user.email }} {{ recommendations | map: "product_id" }} {% render "t_part" %}')$$), '', 'and a template that shows all');
SELECT is(as_role('t_marketer', $$INSERT INTO nudge.templates (template_id, channel, body_text) VALUES ('t_part', 'partial', 'part')$$), '', 'with a partial');
SELECT is(as_role('t_marketer', $$INSERT INTO nudge.rules (name, trigger_type, template_id, personalization)
    VALUES ('t_preview', 'behavioral', 't_preview', '{"related_products": true}')$$), '', 'for a rule');
SELECT is(as_role('t_marketer', format($$SELECT body_text FROM nudge.preview(%s, 'p1', 'view', '{"product_id": "one"}')$$,
    (SELECT rule_id FROM nudge.rules WHERE name = 't_preview'))), '(hidden) two part', 'of which a preview shows all but addresses');
SELECT is(as_role('t_marketer', $$SELECT item FROM nudge.recommend('p9', 1)$$), 'one', 'and what to recommend');
SELECT is(as_role('t_marketer', $$SELECT pg_catalog.count(*) FROM nudge.item_pairs$$), '2', 'and what is bought together');
SELECT is(as_role('t_marketer', $$DELETE FROM nudge.rules WHERE name OPERATOR(pg_catalog.=) 't_preview'$$), '', 'and deletes the rule');
SELECT is(as_role('t_marketer', $$SELECT status IS NOT NULL FROM nudge.health$$), 'true', 'and sees the health');
SELECT is(as_role('t_marketer', $$DELETE FROM nudge.rules WHERE name OPERATOR(pg_catalog.=) 't_priv'$$), '', 'and deletes the rule');
SELECT is(as_role('t_marketer', $$DELETE FROM nudge.templates WHERE template_id OPERATOR(pg_catalog.=) 't_priv'$$), '', 'and the template');
SELECT is(as_role('t_marketer', s), '42501', 'marketer: ' || s) FROM unnest(ARRAY[
    $$SELECT email FROM nudge.users$$,
    $$SELECT recipient FROM nudge.outbox$$,
    $$SELECT recipient FROM nudge.messages$$,
    $$SELECT metadata FROM nudge.events$$,
    $$INSERT INTO nudge.actions (user_id, action_type) VALUES ('p1', 'login')$$,
    $$SELECT nudge.claim('x')$$,
    $$SELECT nudge.record_event(1, 'opened')$$,
    $$SELECT nudge.execute_pending()$$]) AS s;

-- mailer
WITH m AS (
    INSERT INTO nudge.messages (user_id, channel, recipient, priority) VALUES ('p1', 'email', 'p1@example.org', 'immediate'), ('p1', 'email', 'p1@example.org', 'immediate')
    RETURNING *),
q AS (
    INSERT INTO nudge.message_queue (message_id, user_id, created_at, priority, channel, available_at)
    SELECT message_id, user_id, created_at, priority, channel, created_at FROM m)
INSERT INTO nudge.message_blocks (priority, block) SELECT priority, message_id / 1024 FROM m;
SELECT is(as_role('t_mailer', $$SELECT pg_catalog.count(*) FROM nudge.claim('m', 2)$$), '2', 'mailer claims');
SELECT is(as_role('t_mailer', format('SELECT nudge.ack(%s, %L)::pg_catalog.text', message_id, claim_token)), '', 'and acks')
FROM nudge.outbox WHERE claimed_by = 'm' ORDER BY message_id LIMIT 1;
SELECT is(as_role('t_mailer', format('SELECT nudge.nack(%s, %L, %L, true)::pg_catalog.text', message_id, claim_token, 'no')), '', 'and nacks')
FROM nudge.outbox WHERE claimed_by = 'm' AND status = 'claimed';
SELECT is(as_role('t_mailer', format('SELECT nudge.record_event(%s, %L)', message_id, 'opened')), 'true', 'and records an event')
FROM nudge.outbox WHERE claimed_by = 'm' AND status = 'sent';
SELECT is((SELECT string_agg(status::text, ',' ORDER BY message_id) FROM nudge.outbox WHERE claimed_by = 'm'), 'sent,failed', 'all of which counts');
SELECT is(as_role('t_mailer', s), '42501', 'mailer: ' || s) FROM unnest(ARRAY[
    $$SELECT recipient FROM nudge.outbox$$,
    $$UPDATE nudge.outbox SET status = 'ready'$$,
    $$DELETE FROM nudge.outbox$$,
    $$UPDATE nudge.message_queue SET status = 'ready'$$,
    $$SELECT email FROM nudge.users$$,
    $$SELECT nudge.finish_message(1, 'sent', 'sent', NULL, NULL)$$,
    $$SELECT nudge.cap_release('p1', 1, 'email', pg_catalog.now())$$,
    $$SELECT nudge.execute_pending()$$,
    $$SELECT nudge.create_rule('{}')$$]) AS s;

-- executor
SELECT is(as_role('t_executor', $$SELECT executed FROM nudge.execute_pending()$$), '0', 'executor executes');
SELECT is(as_role('t_executor', $$SELECT nudge.maintain() OPERATOR(pg_catalog.->>) 'postponed'$$), '[]', 'and maintains');
SELECT is(as_role('t_executor', format('SELECT is_done FROM nudge.count_items_until(%L)', now() - interval '35 days')), 'false', 'and counts items, a day of them');
SELECT is((SELECT seen FROM nudge.items WHERE item = 'one'), 2::bigint, 'which counts');
SELECT is(as_role('t_executor', $$SELECT nudge.requeue(-1)$$), '02000', 'and requeues what there is');
SELECT is(as_role('t_executor', $$SELECT nudge.schedule_jobs()$$), CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN '3' ELSE '0A000' END, 'and schedules');
SELECT is(as_role('t_executor', $$SELECT status IS NOT NULL FROM nudge.health$$), 'true', 'and sees the health');
SELECT is(as_role('t_executor', s), '42501', 'executor: ' || s) FROM unnest(ARRAY[
    $$SELECT pg_catalog.count(*) FROM nudge.pending$$,
    $$SELECT recipient FROM nudge.outbox$$,
    $$SELECT nudge.claim('x')$$,
    $$INSERT INTO nudge.jobs VALUES ('x', '* * * * *', 'SELECT 1', 'x')$$,
    $$SELECT nudge.count_items_between('2020-01-01', '2020-01-02')$$,
    $$SELECT pg_catalog.count(*) FROM nudge.item_counting$$,
    $$SELECT nudge.make_partition('actions', 'recorded_at', '2020-01-01')$$,
    $$SELECT nudge.prepare_partition('actions', 'actions_default')$$]) AS s;

-- analyst
SELECT is(as_role('t_analyst', $$SELECT status IS NOT NULL FROM nudge.health$$), 'true', 'analyst sees the health');
SELECT is(as_role('t_analyst', $$SELECT pg_catalog.count(event_id) > 0 FROM nudge.events$$), 'true', 'and events');
SELECT is(as_role('t_analyst', $$SELECT pg_catalog.count(*) >= 0 FROM nudge.cap_counters$$), 'true', 'and counts');
SELECT is(as_role('t_analyst', s), '42501', 'analyst: ' || s) FROM unnest(ARRAY[
    $$SELECT metadata FROM nudge.events$$,
    $$SELECT * FROM nudge.users$$,
    $$SELECT * FROM nudge.outbox$$,
    $$SELECT * FROM nudge.actions$$,
    $$SELECT nudge.setting('x'), nudge.claim('x')$$]) AS s;

SELECT is_empty('SELECT user_id FROM trap.messages UNION ALL SELECT user_id FROM trap.message_queue UNION ALL SELECT user_id FROM trap.pending
                 UNION ALL SELECT user_id FROM trap.events UNION ALL SELECT user_id FROM trap.actions UNION ALL SELECT user_id FROM trap.users',
                'nothing went into a table of the same name');

--
-- Granting and revoking
--
SELECT throws_ok($$SELECT nudge.grant_access('t_nobody', 'admin')$$, '22023', 'unknown access ''admin''', 'an unknown access is refused');
SELECT throws_ok($$SELECT nudge.grant_access('t_nobody', NULL)$$, '22023', 'unknown access NULL', 'and so is none');
SELECT throws_ok($$SELECT nudge.grant_access(NULL, 'app')$$, '22023', 'role must not be null', 'and no role');
SELECT throws_ok($$SELECT nudge.grant_access('t_does_not_exist', 'app')$$, '42704', NULL, 'and an unknown role');
SELECT throws_ok($$SELECT nudge.revoke_access('t_nobody', 'admin')$$, '22023', NULL, 'so when revoking');
SET ROLE t_executor;
SELECT throws_ok($$SELECT nudge.grant_access('t_executor', 'mailer')$$, '42501', NULL, 'only the owner grants');
RESET ROLE;
GRANT EXECUTE ON FUNCTION nudge.grant_access, nudge.access_clauses TO t_executor;
SET ROLE t_executor;
SELECT throws_ok($$SELECT nudge.grant_access('t_executor', 'mailer')$$, '42501',
    'only the owner of pg_nudge may grant or revoke access to it', 'whoever may call the function');
RESET ROLE;

SELECT nudge.grant_access('t_nobody', 'mailer'), nudge.grant_access('t_nobody', 'analyst');
SELECT nudge.revoke_access('t_nobody', 'mailer');
SELECT ok(NOT nudge.has_access('t_nobody', 'mailer') AND nudge.has_access('t_nobody', 'analyst'), 'revoking one access leaves another');
SELECT nudge.revoke_access('t_nobody', 'analyst');
SELECT nudge.revoke_access('t_nobody', 'analyst');
SELECT lives_ok('DROP ROLE t_nobody', 'what is revoked leaves nothing behind');
SELECT nudge.revoke_access(('t_' || a)::regrole, a) FROM unnest('{app,marketer,mailer,analyst}'::text[]) AS a;
SELECT is_empty($$SELECT a FROM unnest('{app,marketer,mailer,analyst}'::text[]) AS a WHERE has_schema_privilege('t_' || a, 'nudge', 'USAGE')$$,
    'so for each access');

SELECT * FROM finish();
ROLLBACK;
