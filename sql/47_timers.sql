--
-- Version 0.3.0: rules that time fires
--
-- The application's transactions only append to nudge.timer_signals.  All else is
-- done by nudge.run_timers: it takes signals, keeps in nudge.timers when it has to
-- look at a user for a rule, and looks when that time has come.  nudge.timer_firings
-- has a row for each occurrence that is done with, written in the transaction that
-- fires it, so that none fires twice, whatever stops and restarts in between.
--
-- One run works at a time (an advisory lock), so that what it decides by looking
-- at a user's history is not decided twice.
--

CREATE TABLE nudge.timers (
    user_id     text COLLATE "C" NOT NULL,
    rule_id     bigint NOT NULL,
    timer       text COLLATE "C" NOT NULL DEFAULT '',
    due_at      timestamptz,
    key         text,
    occurrence  text,
    date        text,
    started_at  timestamptz,
    recorded_at timestamptz,
    action_id   bigint,
    action_type text COLLATE "C",
    action_data jsonb,
    context     jsonb,
    PRIMARY KEY (user_id, rule_id, timer)
) WITH (fillfactor = 90,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX timers_due_idx ON nudge.timers (due_at, user_id);
-- (With the user, so that a look-up of a user's timers does well by it too.)
CREATE INDEX timers_rule_idx ON nudge.timers (rule_id, user_id, timer);
COMMENT ON TABLE nudge.timers IS 'When nudge.run_timers has to look at a user for a rule with a schedule';
COMMENT ON COLUMN nudge.timers.timer IS 'Tells several timers of a user and a rule apart: the action that they follow';
COMMENT ON COLUMN nudge.timers.due_at IS 'NULL: not before another signal';
COMMENT ON COLUMN nudge.timers.key IS 'What the schedule''s key says of the action: a cart, an appointment';
COMMENT ON COLUMN nudge.timers.started_at IS 'When the action occurred that the timer follows up';
SELECT pg_catalog.pg_extension_config_dump('nudge.timers', '');

CREATE TABLE nudge.timer_firings (
    user_id     text COLLATE "C" NOT NULL,
    rule_id     bigint NOT NULL,
    occurrence  text COLLATE "C" NOT NULL,
    occurs_at   timestamptz NOT NULL,
    fired_at    timestamptz NOT NULL,
    key         text,
    started_at  timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, rule_id, occurrence)
);
CREATE INDEX timer_firings_recorded_idx ON nudge.timer_firings (recorded_at);
COMMENT ON TABLE nudge.timer_firings IS 'Occurrences of schedules that are done with: fired, found not to fire, or too late';
COMMENT ON COLUMN nudge.timer_firings.fired_at IS 'As of which time the run dealt with it';
SELECT pg_catalog.pg_extension_config_dump('nudge.timer_firings', '');

CREATE TABLE nudge.timer_signals (
    at          timestamptz NOT NULL,
    action_id   bigint NOT NULL,
    user_id     text COLLATE "C" NOT NULL,
    signal      text NOT NULL,
    action_type text COLLATE "C"
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX timer_signals_idx ON nudge.timer_signals (at, action_id);
COMMENT ON TABLE nudge.timer_signals IS 'What nudge.run_timers has not looked at yet: actions that schedules name, and changes of users';
COMMENT ON COLUMN nudge.timer_signals.at IS 'Start of the transaction that appended it';
COMMENT ON COLUMN nudge.timer_signals.signal IS 'action; user: a date or the time zone changed; moved: the time zone; zone: a new user';
SELECT pg_catalog.pg_extension_config_dump('nudge.timer_signals', '');

CREATE TABLE nudge.timer_rule_changes (
    rule_id    bigint,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE nudge.timer_rule_changes IS 'Rules whose schedule nudge.run_timers has to look at; NULL: all';
SELECT pg_catalog.pg_extension_config_dump('nudge.timer_rule_changes', '');

CREATE TABLE nudge.timer_rules (
    rule_id      bigint PRIMARY KEY,
    schedule     jsonb,
    active       boolean NOT NULL,
    kind         text,
    types        text[],
    grace        interval NOT NULL DEFAULT '24 hours',
    floor        timestamptz NOT NULL,
    stage        text NOT NULL CHECK (stage IN ('clearing', 'filling', 'settling', 'ready')),
    filled_to    text COLLATE "C" NOT NULL DEFAULT '',
    refill_after xid8
);
CREATE INDEX timer_rules_busy_idx ON nudge.timer_rules (rule_id) WHERE stage <> 'ready';
COMMENT ON TABLE nudge.timer_rules IS 'Rules with a schedule, as nudge.run_timers knows them';
COMMENT ON COLUMN nudge.timer_rules.kind IS 'anniversary, milestone, abandonment, decline, reminder (of an attribute), action_reminder or recurring';
COMMENT ON COLUMN nudge.timer_rules.types IS 'Action types that concern it; NULL: all, or none by its kind';
COMMENT ON COLUMN nudge.timer_rules.floor IS 'Since when the rule has had this schedule: nothing that came due before is looked for';
COMMENT ON COLUMN nudge.timer_rules.stage IS 'clearing: old timers are taken away; filling: users are gone through; settling: waits for transactions that may not have known the rule, then fills once more';
COMMENT ON COLUMN nudge.timer_rules.filled_to IS 'The last user gone through';
SELECT pg_catalog.pg_extension_config_dump('nudge.timer_rules', '');

CREATE TABLE nudge.timer_clocks (
    rule_id    bigint NOT NULL,
    timezone   text COLLATE "C" NOT NULL,
    due_at     timestamptz NOT NULL,
    occurrence text NOT NULL,
    date       text NOT NULL,
    done_to    text COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (rule_id, timezone)
);
CREATE INDEX timer_clocks_due_idx ON nudge.timer_clocks (due_at);
COMMENT ON TABLE nudge.timer_clocks IS 'When a recurring rule is due in a time zone; empty: users without one';
COMMENT ON COLUMN nudge.timer_clocks.done_to IS 'The last user of the zone that this occurrence has been done for';
SELECT pg_catalog.pg_extension_config_dump('nudge.timer_clocks', '');

-- Users of a zone, in order
CREATE INDEX users_timezone_idx ON nudge.users ((coalesce(timezone, '')) COLLATE "C", user_id);

--
-- What C does
--

CREATE FUNCTION nudge.schedule_is_good(schedule jsonb) RETURNS boolean
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'nudge_schedule_is_good';
COMMENT ON FUNCTION nudge.schedule_is_good(jsonb) IS 'Internal: whether a schedule passes the checks of rules';

CREATE FUNCTION nudge.local_instant(wall timestamp, timezone text) RETURNS timestamptz
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'nudge_local_instant';
COMMENT ON FUNCTION nudge.local_instant(timestamp, text) IS
    'The instant at which clocks in a zone show a time: the first of both where they show it twice, the first after a gap where they never do';

CREATE FUNCTION nudge.timer_next(rule_id bigint, user_id text, floor timestamptz, date_value jsonb,
    OUT occurrence text, OUT occurs_at timestamptz, OUT date text)
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'nudge_timer_next';
COMMENT ON FUNCTION nudge.timer_next(bigint, text, timestamptz, jsonb) IS
    'Internal: a user''s first occurrence at or after floor of a schedule that goes by a date: the user''s, or the one given; nulls where there is none';

CREATE FUNCTION nudge.clock_next(rule_id bigint, timezone text, since timestamptz, floor timestamptz,
    OUT occurrence text, OUT occurs_at timestamptz, OUT date text)
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'nudge_clock_next';
COMMENT ON FUNCTION nudge.clock_next(bigint, text, timestamptz, timestamptz) IS
    'Internal: the first occurrence at or after floor of a recurring schedule in a time zone';

CREATE FUNCTION nudge.timer_wants(rule_id bigint, user_id text) RETURNS boolean
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'nudge_timer_wants';
COMMENT ON FUNCTION nudge.timer_wants(bigint, text) IS
    'Internal: whether a rule with a schedule is running and the user is in its segments';

CREATE FUNCTION nudge.fire_timer(rule_id bigint, user_id text, as_of timestamptz, occurrence text,
    occurs_at timestamptz, late boolean, occurred_at timestamptz, action_id bigint, action_type text,
    action_data jsonb, context jsonb)
RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'nudge_fire_timer';
COMMENT ON FUNCTION nudge.fire_timer(bigint, text, timestamptz, text, timestamptz, boolean, timestamptz, bigint, text, jsonb, jsonb) IS
    'Internal: evaluates a rule for an occurrence of its schedule, as of a time; whether a trigger came of it';

CREATE FUNCTION nudge.note_user() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'nudge_note_user';
COMMENT ON FUNCTION nudge.note_user() IS
    'Trigger function of nudge.users: tells nudge.run_timers of dates of schedules that change';

CREATE TRIGGER note_user AFTER INSERT OR UPDATE ON nudge.users
    FOR EACH ROW EXECUTE FUNCTION nudge.note_user();
COMMENT ON TRIGGER note_user ON nudge.users IS 'Tells nudge.run_timers of dates of schedules that change';

--
-- Changes of rules
--

CREATE FUNCTION nudge.note_schedule() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- A dump that is restored (nudge.trust_restore) has what is known of its rules.
    IF NOT current_setting('check_function_bodies')::boolean
        AND (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user)
    THEN
        RETURN NULL;
    END IF;
    IF TG_LEVEL = 'STATEMENT' THEN
        INSERT INTO nudge.timer_rule_changes (rule_id) VALUES (NULL);
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO nudge.timer_rule_changes (rule_id) VALUES (OLD.rule_id);
    END IF;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND NEW.rule_id <> OLD.rule_id THEN
        INSERT INTO nudge.timer_rule_changes (rule_id) VALUES (NEW.rule_id);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION nudge.note_schedule() IS
    'Trigger function of nudge.rules: tells nudge.run_timers of rules with a schedule that change';

-- Rules may arrive by logical replication: ENABLE ALWAYS.
CREATE TRIGGER note_schedule AFTER INSERT ON nudge.rules
    FOR EACH ROW WHEN (NEW.schedule IS NOT NULL) EXECUTE FUNCTION nudge.note_schedule();
ALTER TABLE nudge.rules ENABLE ALWAYS TRIGGER note_schedule;
COMMENT ON TRIGGER note_schedule ON nudge.rules IS 'Tells nudge.run_timers of a new schedule';

CREATE TRIGGER note_other_schedule AFTER UPDATE ON nudge.rules
    FOR EACH ROW WHEN (NEW.schedule IS DISTINCT FROM OLD.schedule
                       OR NEW.schedule IS NOT NULL AND (NEW.status <> OLD.status OR NEW.rule_id <> OLD.rule_id))
    EXECUTE FUNCTION nudge.note_schedule();
ALTER TABLE nudge.rules ENABLE ALWAYS TRIGGER note_other_schedule;
COMMENT ON TRIGGER note_other_schedule ON nudge.rules IS 'Tells nudge.run_timers of a schedule that changes or starts or stops';

CREATE TRIGGER note_no_schedule AFTER DELETE ON nudge.rules
    FOR EACH ROW WHEN (OLD.schedule IS NOT NULL) EXECUTE FUNCTION nudge.note_schedule();
ALTER TABLE nudge.rules ENABLE ALWAYS TRIGGER note_no_schedule;
COMMENT ON TRIGGER note_no_schedule ON nudge.rules IS 'Tells nudge.run_timers of a schedule that goes away';

CREATE TRIGGER note_no_schedules AFTER TRUNCATE ON nudge.rules
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.note_schedule();
ALTER TABLE nudge.rules ENABLE ALWAYS TRIGGER note_no_schedules;
COMMENT ON TRIGGER note_no_schedules ON nudge.rules IS 'Tells nudge.run_timers that all schedules go away';

--
-- Small helpers
--

CREATE FUNCTION nudge.timer_types(types jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE jsonb_typeof(types)
           WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(types))
           WHEN 'string' THEN ARRAY[types #>> '{}'] END
$$;
COMMENT ON FUNCTION nudge.timer_types(jsonb) IS 'Internal: action types of a schedule, one or an array';

-- Long keys would not fit into an index.
CREATE FUNCTION nudge.timer_key(action_data jsonb, schedule jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN octet_length(k.key) > 256 THEN md5(k.key) ELSE coalesce(k.key, '') END
    FROM (SELECT CASE WHEN schedule ? 'key'
                      THEN jsonb_path_query_first_tz(coalesce(action_data, '{}'), (schedule ->> 'key')::jsonpath, '{}', true)
                 END #>> '{}') AS k (key)
$$;
COMMENT ON FUNCTION nudge.timer_key(jsonb, jsonb) IS
    'Internal: what a schedule''s key says of an action; empty where it says nothing';

-- Actions are looked up by user, type and time of recording.  One may have been
-- recorded before another that occurred earlier, but hardly by more than a day.
CREATE FUNCTION nudge.timer_answered(user_id text, types text[], schedule jsonb, key text,
    started_at timestamptz, action_id bigint, recorded_at timestamptz, until timestamptz)
RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM unnest(types) AS t (action_type)
        CROSS JOIN LATERAL (
            SELECT FROM nudge.actions a
            WHERE a.user_id = timer_answered.user_id AND a.action_type = t.action_type
              AND a.recorded_at >= least(timer_answered.started_at, timer_answered.recorded_at) - interval '1 day'
              AND (a.occurred_at, a.action_id) > (timer_answered.started_at, timer_answered.action_id)
              AND a.occurred_at <= until
              AND nudge.timer_key(a.action_data, schedule) IN (timer_answered.key, '')
            LIMIT 1) AS found)
$$;
COMMENT ON FUNCTION nudge.timer_answered(text, text[], jsonb, text, timestamptz, bigint, timestamptz, timestamptz) IS
    'Internal: whether a user did one of some actions, with a key or none, after another action and until a time';

-- Deals with an occurrence, if that has not been done; whether a trigger came of it.
CREATE FUNCTION nudge.settle_timer(rule nudge.timer_rules, user_id text, as_of timestamptz, occurrence text,
    occurs_at timestamptz, occurred_at timestamptz, action_id bigint, action_type text, action_data jsonb,
    context jsonb, key text DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO nudge.timer_firings (user_id, rule_id, occurrence, occurs_at, fired_at, key, started_at)
    VALUES (settle_timer.user_id, rule.rule_id, settle_timer.occurrence, settle_timer.occurs_at, as_of,
            settle_timer.key, settle_timer.occurred_at)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    RETURN nudge.fire_timer(rule.rule_id, user_id, as_of, occurrence, occurs_at, occurs_at < as_of - rule.grace,
                            occurred_at, action_id, action_type, action_data, context);
END
$$;
COMMENT ON FUNCTION nudge.settle_timer(nudge.timer_rules, text, timestamptz, text, timestamptz, timestamptz, bigint, text, jsonb, jsonb, text) IS
    'Internal: fires a rule for an occurrence of its schedule, once';

CREATE FUNCTION nudge.timer_document(rule nudge.timer_rules, occurrence text, occurs_at timestamptz, date text)
RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'kind', rule.schedule ->> 'kind', 'attribute', rule.schedule ->> 'attribute',
        'occurrence', occurrence, 'occurs_at', occurs_at, 'date', date))
$$;
COMMENT ON FUNCTION nudge.timer_document(nudge.timer_rules, text, timestamptz, text) IS
    'Internal: action_data of the action of type timer that a rule fires with';

--
-- Schedules that go by a date of the user
--

-- Sets the timer to the first occurrence at or after floor, or takes it away.
CREATE FUNCTION nudge.plan_timer(rule_id bigint, user_id text, floor timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n record;
BEGIN
    SELECT t.* INTO n FROM nudge.timer_next(rule_id, user_id, floor, NULL) AS t;
    IF n.occurs_at IS NULL THEN
        DELETE FROM nudge.timers AS t WHERE t.user_id = plan_timer.user_id AND t.rule_id = plan_timer.rule_id;
    ELSE
        INSERT INTO nudge.timers AS t (user_id, rule_id, due_at, occurrence, date)
        VALUES (plan_timer.user_id, plan_timer.rule_id, n.occurs_at, n.occurrence, n.date)
        ON CONFLICT ON CONSTRAINT timers_pkey DO UPDATE
        SET due_at = excluded.due_at, occurrence = excluded.occurrence, date = excluded.date
        WHERE (t.due_at, t.occurrence, t.date) IS DISTINCT FROM (excluded.due_at, excluded.occurrence, excluded.date);
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.plan_timer(bigint, text, timestamptz) IS
    'Internal: sets a user''s timer of a rule that goes by a date of the user';

-- Dates or time zones of users changed.  What should have fired by now and has not
-- stays.
CREATE FUNCTION nudge.plan_users(signals nudge.timer_signals[], as_of timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
    n record;
BEGIN
    WITH changed AS MATERIALIZED (
        SELECT s.user_id, min(s.at) AS at FROM unnest(signals) AS s WHERE s.signal = 'user'
        GROUP BY s.user_id ORDER BY s.user_id
    ), planned AS MATERIALIZED (
        SELECT c.user_id, r.rule_id, f.occurs_at, f.occurrence, f.date
        FROM changed c
        CROSS JOIN nudge.timer_rules r
        CROSS JOIN LATERAL nudge.timer_next(r.rule_id, c.user_id, least(c.at - r.grace, as_of - r.grace,
            (SELECT x.due_at FROM nudge.timers x
             WHERE x.user_id = c.user_id AND x.rule_id = r.rule_id AND x.due_at <= as_of)), NULL) AS f
        WHERE r.active AND r.stage <> 'clearing' AND r.kind IN ('anniversary', 'milestone', 'reminder')
    ), gone AS (
        DELETE FROM nudge.timers x USING planned p
        WHERE p.occurs_at IS NULL AND x.user_id = p.user_id AND x.rule_id = p.rule_id
    )
    INSERT INTO nudge.timers AS x (user_id, rule_id, due_at, occurrence, date)
    SELECT p.user_id, p.rule_id, p.occurs_at, p.occurrence, p.date FROM planned p WHERE p.occurs_at IS NOT NULL
    ON CONFLICT ON CONSTRAINT timers_pkey DO UPDATE
    SET due_at = excluded.due_at, occurrence = excluded.occurrence, date = excluded.date
    WHERE (x.due_at, x.occurrence, x.date) IS DISTINCT FROM (excluded.due_at, excluded.occurrence, excluded.date);

    FOR t IN SELECT x.*, c.schedule
             FROM unnest(signals) AS s
             JOIN nudge.timers x ON x.user_id = s.user_id
             JOIN nudge.timer_rules c ON c.rule_id = x.rule_id
             WHERE s.signal = 'user' AND c.kind = 'action_reminder' AND x.due_at > as_of
    LOOP
        SELECT f.* INTO n FROM nudge.timer_next(t.rule_id, t.user_id, '-infinity',
            jsonb_path_query_first_tz(t.action_data, (t.schedule ->> 'path')::jsonpath, '{}', true)) AS f;
        UPDATE nudge.timers AS x SET due_at = n.occurs_at, occurrence = n.occurrence, date = n.date
        WHERE x.user_id = t.user_id AND x.rule_id = t.rule_id AND x.timer = t.timer AND n.occurs_at IS NOT NULL;
    END LOOP;
END
$$;
COMMENT ON FUNCTION nudge.plan_users(nudge.timer_signals[], timestamptz) IS
    'Internal: sets timers after dates or time zones of users changed';

CREATE FUNCTION nudge.due_date(rule nudge.timer_rules, timer nudge.timers, as_of timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n record;
    fired boolean := false;
BEGIN
    -- The date may be another by now.
    SELECT t.* INTO n FROM nudge.timer_next(timer.rule_id, timer.user_id, timer.due_at, NULL) AS t;
    IF n.occurs_at = timer.due_at THEN
        fired := nudge.settle_timer(rule, timer.user_id, as_of, n.occurrence, n.occurs_at, n.occurs_at, NULL, 'timer',
                                    nudge.timer_document(rule, n.occurrence, n.occurs_at, n.date), '{}');
        PERFORM nudge.plan_timer(timer.rule_id, timer.user_id, timer.due_at + interval '1 microsecond');
    ELSE
        PERFORM nudge.plan_timer(timer.rule_id, timer.user_id, timer.due_at);
    END IF;
    RETURN fired;
END
$$;
COMMENT ON FUNCTION nudge.due_date(nudge.timer_rules, nudge.timers, timestamptz) IS
    'Internal: a timer of a schedule that goes by a date of the user is due';

--
-- Abandonment
--

CREATE FUNCTION nudge.start_abandonment(rule nudge.timer_rules, action nudge.actions) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    action_key CONSTANT text := nudge.timer_key(action.action_data, rule.schedule);
    within CONSTANT interval := rule.schedule ->> 'within';
    unless CONSTANT text[] := nudge.timer_types(rule.schedule -> 'unless');
BEGIN
    IF rule.schedule @> '{"restart": true}' THEN
        DELETE FROM nudge.timers t
        WHERE t.user_id = action.user_id AND t.rule_id = rule.rule_id AND t.key = action_key
          AND t.started_at <= action.occurred_at AND t.due_at >= action.occurred_at;
    ELSIF EXISTS (
        SELECT FROM (SELECT t.started_at, t.action_id, t.recorded_at FROM nudge.timers t
                     WHERE t.user_id = action.user_id AND t.rule_id = rule.rule_id AND t.key = action_key
                     UNION ALL
                     SELECT f.started_at, f.occurrence::bigint, f.started_at FROM nudge.timer_firings f
                     WHERE f.user_id = action.user_id AND f.rule_id = rule.rule_id AND f.key = action_key
                       AND f.started_at > action.occurred_at - within) AS o
        WHERE o.started_at <= action.occurred_at AND o.started_at + within > action.occurred_at
          AND o.action_id <> action.action_id
          AND NOT nudge.timer_answered(action.user_id, unless, rule.schedule, action_key, o.started_at, o.action_id,
                                       o.recorded_at, action.occurred_at))
    THEN
        RETURN;
    END IF;
    INSERT INTO nudge.timers (user_id, rule_id, timer, due_at, key, started_at, recorded_at, action_id, action_type,
                              action_data, context)
    VALUES (action.user_id, rule.rule_id, action.action_id::text, action.occurred_at + within, action_key,
            action.occurred_at, action.recorded_at, action.action_id, action.action_type, action.action_data,
            action.context)
    ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION nudge.start_abandonment(nudge.timer_rules, nudge.actions) IS
    'Internal: sets a timer for an action that something else should follow';

CREATE FUNCTION nudge.due_abandonment(rule nudge.timer_rules, timer nudge.timers, as_of timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM nudge.timers t
    WHERE t.user_id = timer.user_id AND t.rule_id = timer.rule_id AND t.timer = due_abandonment.timer.timer;
    IF nudge.timer_answered(timer.user_id, nudge.timer_types(rule.schedule -> 'unless'), rule.schedule, timer.key,
                            timer.started_at, timer.action_id, timer.recorded_at, timer.due_at)
    THEN
        RETURN false;
    END IF;
    RETURN nudge.settle_timer(rule, timer.user_id, as_of, timer.action_id::text, timer.due_at, timer.started_at,
                              timer.action_id, timer.action_type, timer.action_data, timer.context, timer.key);
END
$$;
COMMENT ON FUNCTION nudge.due_abandonment(nudge.timer_rules, nudge.timers, timestamptz) IS
    'Internal: the time after an action is over; fires where nothing followed it';

--
-- Engagement decline
--

-- Goes through the user's actions from one on.  Each that no other followed in
-- time is an occurrence; those that have been dealt with are known.  is_done: the first
-- action has been dealt with, however that was.
CREATE FUNCTION nudge.advance_decline(rule nudge.timer_rules, user_id text, as_of timestamptz, started_at timestamptz,
    recorded_at timestamptz, is_done boolean)
RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    after CONSTANT interval := rule.schedule ->> 'after';
    a record;
    fired integer := 0;
    next_due timestamptz;
    next_started timestamptz := started_at;
    next_recorded timestamptz := recorded_at;
BEGIN
    FOR a IN
        SELECT h.occurred_at, h.recorded_at, h.occurred_at + after AS crosses_at,
               lead(h.occurred_at) OVER (ORDER BY h.occurred_at, h.recorded_at) AS next_at
        FROM (SELECT advance_decline.started_at AS occurred_at, advance_decline.recorded_at
              UNION ALL
              SELECT x.occurred_at, x.recorded_at FROM nudge.actions x
              WHERE x.user_id = advance_decline.user_id AND x.action_type = ANY (rule.types)
                AND x.recorded_at >= least(advance_decline.started_at, advance_decline.recorded_at) - interval '1 day'
                AND x.occurred_at > advance_decline.started_at
              UNION ALL
              SELECT x.occurred_at, x.recorded_at FROM nudge.actions x
              WHERE x.user_id = advance_decline.user_id AND rule.types IS NULL AND x.source IS DISTINCT FROM 'pg_nudge'
                AND x.recorded_at >= least(advance_decline.started_at, advance_decline.recorded_at) - interval '1 day'
                AND x.occurred_at > advance_decline.started_at) AS h
        ORDER BY h.occurred_at, h.recorded_at
    LOOP
        IF a.next_at <= a.crosses_at THEN
            CONTINUE;
        END IF;
        next_started := a.occurred_at;
        next_recorded := a.recorded_at;
        IF a.crosses_at > as_of THEN
            next_due := a.crosses_at;
            EXIT;
        ELSIF NOT (is_done AND a.occurred_at = started_at)
            AND nudge.settle_timer(rule, user_id, as_of, to_char(a.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),
                a.crosses_at, a.crosses_at, NULL, 'timer',
                nudge.timer_document(rule, NULL, a.crosses_at, NULL) || jsonb_build_object('last_action_at', a.occurred_at), '{}')
        THEN
            fired := fired + 1;
        END IF;
    END LOOP;

    INSERT INTO nudge.timers AS t (user_id, rule_id, due_at, started_at, recorded_at)
    VALUES (advance_decline.user_id, rule.rule_id, next_due, next_started, next_recorded)
    ON CONFLICT ON CONSTRAINT timers_pkey DO UPDATE
    SET due_at = excluded.due_at, started_at = excluded.started_at, recorded_at = excluded.recorded_at;
    RETURN fired;
END
$$;
COMMENT ON FUNCTION nudge.advance_decline(nudge.timer_rules, text, timestamptz, timestamptz, timestamptz, boolean) IS
    'Internal: fires for each action that none followed in time, and sets the timer for the last; the number of triggers';

-- A user acted who is not watched, or not for long any more.
CREATE FUNCTION nudge.start_decline(rule nudge.timer_rules, action nudge.actions, as_of timestamptz) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t nudge.timers;
BEGIN
    SELECT x.* INTO t FROM nudge.timers x WHERE x.user_id = action.user_id AND x.rule_id = rule.rule_id;
    IF NOT FOUND THEN
        RETURN nudge.advance_decline(rule, action.user_id, as_of, action.occurred_at, action.recorded_at, false);
    ELSIF t.due_at IS NULL THEN
        RETURN nudge.advance_decline(rule, action.user_id, as_of, t.started_at, t.recorded_at, true);
    END IF;
    RETURN 0;                   -- looked at when it is due
END
$$;
COMMENT ON FUNCTION nudge.start_decline(nudge.timer_rules, nudge.actions, timestamptz) IS
    'Internal: starts to watch a user for engagement decline, or does so again after a return';

--
-- Reminders of a date that an action gives
--

CREATE FUNCTION nudge.set_reminder(rule nudge.timer_rules, action nudge.actions, floor timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    action_key CONSTANT text := nudge.timer_key(action.action_data, rule.schedule);
    n record;
BEGIN
    -- What came before it counts no more, unless it had been due by then; without a
    -- key it counts for all keys.
    DELETE FROM nudge.timers t
    WHERE t.user_id = action.user_id AND t.rule_id = rule.rule_id
      AND (t.started_at, t.action_id) < (action.occurred_at, action.action_id)
      AND t.due_at >= action.occurred_at AND (t.key = action_key OR action_key = '');
    IF action.action_type <> ALL (nudge.timer_types(rule.schedule -> 'action')) THEN
        RETURN;
    END IF;
    SELECT f.* INTO n FROM nudge.timer_next(rule.rule_id, action.user_id, floor,
        jsonb_path_query_first_tz(action.action_data, (rule.schedule ->> 'path')::jsonpath, '{}', true)) AS f;
    IF n.occurs_at IS NOT NULL
        AND NOT nudge.timer_answered(action.user_id, rule.types, rule.schedule, action_key, action.occurred_at,
                                     action.action_id, action.recorded_at, n.occurs_at)
    THEN
        INSERT INTO nudge.timers (user_id, rule_id, timer, due_at, key, occurrence, date, started_at, recorded_at,
                                  action_id, action_type, action_data, context)
        VALUES (action.user_id, rule.rule_id, action.action_id::text, n.occurs_at, action_key, n.occurrence, n.date,
                action.occurred_at, action.recorded_at, action.action_id, action.action_type, action.action_data,
                action.context)
        ON CONFLICT DO NOTHING;
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.set_reminder(nudge.timer_rules, nudge.actions, timestamptz) IS
    'Internal: sets, moves or clears the reminder of a date that an action gives';

CREATE FUNCTION nudge.due_reminder(rule nudge.timer_rules, timer nudge.timers, as_of timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM nudge.timers t
    WHERE t.user_id = timer.user_id AND t.rule_id = timer.rule_id AND t.timer = due_reminder.timer.timer;
    IF nudge.timer_answered(timer.user_id, rule.types, rule.schedule, timer.key, timer.started_at, timer.action_id,
                            timer.recorded_at, timer.due_at)
    THEN
        RETURN false;
    END IF;
    RETURN nudge.settle_timer(rule, timer.user_id, as_of, concat_ws(' ', nullif(timer.key, ''), timer.occurrence),
                              timer.due_at, timer.started_at, timer.action_id, timer.action_type,
                              timer.action_data || jsonb_build_object('reminder_date', timer.date), timer.context);
END
$$;
COMMENT ON FUNCTION nudge.due_reminder(nudge.timer_rules, nudge.timers, timestamptz) IS
    'Internal: the reminder of a date that an action gave is due';

--
-- Recurring
--

-- Makes sure that a recurring rule has a clock in a zone.
CREATE FUNCTION nudge.set_clock(rule nudge.timer_rules, timezone text, floor timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO nudge.timer_clocks (rule_id, timezone, due_at, occurrence, date)
    SELECT rule.rule_id, timezone, n.occurs_at, n.occurrence, n.date
    FROM nudge.clock_next(rule.rule_id, timezone, rule.floor, floor) AS n
    WHERE n.occurs_at IS NOT NULL
    ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION nudge.set_clock(nudge.timer_rules, text, timestamptz) IS
    'Internal: makes sure that a recurring rule has a clock in a time zone';

-- Zones that users have, hopping from one to the next in the index
CREATE FUNCTION nudge.user_timezones() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
    WITH RECURSIVE zones (zone) AS (
        (SELECT coalesce(u.timezone, '') COLLATE "C" FROM nudge.users u
         ORDER BY coalesce(u.timezone, '') COLLATE "C" LIMIT 1)
        UNION ALL
        SELECT (SELECT coalesce(u.timezone, '') COLLATE "C" FROM nudge.users u
                WHERE coalesce(u.timezone, '') COLLATE "C" > z.zone
                ORDER BY coalesce(u.timezone, '') COLLATE "C" LIMIT 1)
        FROM zones z WHERE z.zone IS NOT NULL)
    SELECT zone FROM zones WHERE zone IS NOT NULL
$$;
COMMENT ON FUNCTION nudge.user_timezones() IS 'Internal: time zones of users; empty for those without one';

-- A user is in another zone than before.  Whoever moves past an occurrence does
-- not miss it, and whoever moves back to before one does not get it twice.
CREATE FUNCTION nudge.move_user(user_id text, at timestamptz, as_of timestamptz) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r nudge.timer_rules;
    u record;
    n record;
    fired integer := 0;
BEGIN
    SELECT coalesce(x.timezone, '') AS timezone, x.created_at INTO u
    FROM nudge.users x WHERE x.user_id = move_user.user_id;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    FOR r IN SELECT c.* FROM nudge.timer_rules c WHERE c.active AND c.stage <> 'clearing' AND c.kind = 'recurring' LOOP
        PERFORM nudge.set_clock(r, u.timezone, greatest(least(at, as_of), r.floor));
        SELECT f.* INTO n FROM nudge.clock_next(r.rule_id, u.timezone, r.floor,
            greatest(least(at, as_of) - r.grace, r.floor, u.created_at)) AS f;
        WHILE n.occurs_at <= as_of LOOP
            IF nudge.timer_wants(r.rule_id, user_id)
                AND nudge.settle_timer(r, user_id, as_of, n.occurrence, n.occurs_at, n.occurs_at, NULL, 'timer',
                                       nudge.timer_document(r, n.occurrence, n.occurs_at, n.date), '{}')
            THEN
                fired := fired + 1;
            END IF;
            SELECT f.* INTO n FROM nudge.clock_next(r.rule_id, u.timezone, r.floor,
                                                    n.occurs_at + interval '1 microsecond') AS f;
        END LOOP;
    END LOOP;
    RETURN fired;
END
$$;
COMMENT ON FUNCTION nudge.move_user(text, timestamptz, timestamptz) IS
    'Internal: a user moved to another time zone; the number of triggers';

-- So many users of a zone for an occurrence of a recurring rule
CREATE FUNCTION nudge.due_clock(clock nudge.timer_clocks, as_of timestamptz, max_users integer) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    longest CONSTANT interval := '31 days';
    r nudge.timer_rules;
    u record;
    n record;
    last_user text;
    seen integer := 0;
    fired integer := 0;
    next_floor timestamptz := clock.due_at + interval '1 microsecond';
BEGIN
    SELECT c.* INTO r FROM nudge.timer_rules c WHERE c.rule_id = clock.rule_id AND c.active AND c.stage <> 'clearing';
    IF NOT FOUND THEN
        DELETE FROM nudge.timer_clocks c WHERE c.rule_id = clock.rule_id AND c.timezone = clock.timezone;
        RETURN 0;
    END IF;
    IF clock.due_at < as_of - greatest(r.grace, longest) THEN
        -- Nobody asks for what was missed that long ago.
        next_floor := as_of - greatest(r.grace, longest);
    ELSE
        FOR u IN SELECT x.user_id FROM nudge.users x
                 WHERE coalesce(x.timezone, '') COLLATE "C" = clock.timezone AND x.user_id > clock.done_to
                 ORDER BY coalesce(x.timezone, '') COLLATE "C", x.user_id
                 LIMIT max_users
        LOOP
            seen := seen + 1;
            last_user := u.user_id;
            IF nudge.timer_wants(r.rule_id, u.user_id)
                AND nudge.settle_timer(r, u.user_id, as_of, clock.occurrence, clock.due_at, clock.due_at, NULL, 'timer',
                        nudge.timer_document(r, clock.occurrence, clock.due_at, clock.date), '{}')
            THEN
                fired := fired + 1;
            END IF;
        END LOOP;
    END IF;
    IF seen = max_users THEN
        UPDATE nudge.timer_clocks c SET done_to = last_user
        WHERE c.rule_id = clock.rule_id AND c.timezone = clock.timezone;
        RETURN fired;
    END IF;
    SELECT f.* INTO n FROM nudge.clock_next(r.rule_id, clock.timezone, r.floor, next_floor) AS f;
    UPDATE nudge.timer_clocks c SET due_at = n.occurs_at, occurrence = n.occurrence, date = n.date, done_to = ''
    WHERE c.rule_id = clock.rule_id AND c.timezone = clock.timezone;
    RETURN fired;
END
$$;
COMMENT ON FUNCTION nudge.due_clock(nudge.timer_clocks, timestamptz, integer) IS
    'Internal: a recurring rule is due in a time zone; the number of triggers';
