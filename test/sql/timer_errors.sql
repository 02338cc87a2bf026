-- Bad schedules: refused the same by create_rule and by plain DML, and nothing changed
CREATE FUNCTION pg_temp.try(schedule jsonb) RETURNS TABLE (state text, message text, detail text, hint text, dml boolean)
LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 2 LOOP
        BEGIN
            IF i = 1 THEN
                PERFORM nudge.create_rule(jsonb_build_object('name', 'bad', 'type', 'time_based', 'schedule', schedule));
            ELSE
                INSERT INTO nudge.rules (name, trigger_type, schedule) VALUES ('bad', 'time_based', schedule);
            END IF;
            state := 'accepted'; message := NULL; detail := NULL; hint := NULL; dml := NULL;
            DELETE FROM nudge.rules WHERE name = 'bad';
            RETURN NEXT;
            RETURN;
        EXCEPTION WHEN OTHERS THEN
            DECLARE
                m text;
                s text;
            BEGIN
                GET STACKED DIAGNOSTICS s = RETURNED_SQLSTATE, m = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
                IF i = 1 THEN
                    state := s; message := m;
                ELSE
                    dml := (s, regexp_replace(m, '^.* has (\d+ faults)', '\1')) = (state, regexp_replace(message, '^.* has (\d+ faults)', '\1'));
                END IF;
            END;
        END;
    END LOOP;
    RETURN NEXT;
END
$$;
\x
SELECT t.* FROM unnest(ARRAY[
    '[]', '"daily"', '{}', '{"kind": 5}', '{"kind": "weekly"}',
    '{"kind": "anniversary"}',
    '{"kind": "anniversary", "attribute": "profile.birthday", "atribute": 1}',
    '{"kind": "anniversary", "attribute": "profile.birthday", "after": "1 day"}',
    '{"kind": "anniversary", "attribute": "birthday"}',
    '{"kind": "anniversary", "attribute": "profile"}',
    '{"kind": "anniversary", "attribute": "profile..x"}',
    '{"kind": "anniversary", "attribute": "email"}',
    '{"kind": "anniversary", "attribute": 5}',
    '{"kind": "anniversary", "attribute": "profile.birthday", "offset": "soon"}',
    '{"kind": "anniversary", "attribute": "profile.birthday", "offset": "-2 years"}',
    '{"kind": "anniversary", "attribute": "profile.birthday", "at": "25:00"}',
    '{"kind": "anniversary", "attribute": "profile.birthday", "at": "24:00"}',
    '{"kind": "anniversary", "attribute": "profile.birthday", "at": 9}',
    '{"kind": "anniversary", "attribute": "profile.birthday", "grace": "0"}',
    '{"kind": "anniversary", "attribute": "profile.birthday", "grace": "-1 hour"}',
    '{"kind": "milestone", "attribute": "created_at"}',
    '{"kind": "milestone", "attribute": "created_at", "after": "0 days"}',
    '{"kind": "milestone", "attribute": "created_at", "after": "1 month -1 day"}',
    '{"kind": "milestone", "attribute": "created_at", "after": "1000 years"}',
    '{"kind": "milestone", "attribute": "created_at", "after": "99999999999999 days"}',
    '{"kind": "abandonment", "start": "a"}',
    '{"kind": "abandonment", "start": [], "unless": "", "within": "1 hour"}',
    '{"kind": "abandonment", "start": ["a", 5], "unless": {"a": 1}, "within": "1 hour"}',
    '{"kind": "abandonment", "start": "a", "unless": "b", "within": 3600}',
    '{"kind": "abandonment", "start": "a", "unless": "b", "within": "1 hour", "key": "$.["}',
    '{"kind": "abandonment", "start": "a", "unless": "b", "within": "1 hour", "key": "$.a ? (@ == $x)"}',
    '{"kind": "abandonment", "start": "a", "unless": "b", "within": "1 hour", "key": 1}',
    '{"kind": "abandonment", "start": "a", "unless": "b", "within": "1 hour", "restart": "yes"}',
    '{"kind": "decline"}',
    '{"kind": "decline", "after": "14 days", "types": []}',
    '{"kind": "reminder", "offset": "-1 day"}',
    '{"kind": "reminder", "attribute": "profile.x", "action": "a", "path": "$.x"}',
    '{"kind": "reminder", "action": "a"}',
    '{"kind": "reminder", "attribute": "profile.x", "key": "$.x"}',
    '{"kind": "recurring"}',
    '{"kind": "recurring", "every": "1 day", "days": ["mon"]}',
    '{"kind": "recurring", "every": "1 minute"}',
    '{"kind": "recurring", "days": []}',
    '{"kind": "recurring", "days": "mon"}',
    '{"kind": "recurring", "days": ["mon", "someday", 5]}',
    '{"kind": "recurring", "days": ["mon"], "starting": "2021-02-29"}',
    '{"kind": "recurring", "days": ["mon"], "starting": "tomorrow"}',
    '{"kind": "recurring", "days": ["mon"], "starting": 5}'
]::jsonb[]) WITH ORDINALITY AS s (schedule, n) CROSS JOIN LATERAL pg_temp.try(s.schedule) AS t ORDER BY n;
\x
SELECT t.state FROM unnest(ARRAY[
    '{"kind": "anniversary", "attribute": "preferences.a.b", "offset": "1 year", "at": "9:00:30", "grace": "2 days"}',
    '{"kind": "engagement_decline", "after": "1 mon", "types": "login"}',
    '{"kind": "reminder", "attribute": "created_at"}',
    '{"kind": "recurring", "every": "1 hour"}']::jsonb[]) AS s CROSS JOIN LATERAL pg_temp.try(s) AS t;
SELECT count(*) FROM nudge.rules WHERE name = 'bad';

-- A schedule that came past the checks fires nothing and stops nobody
INSERT INTO nudge.users (user_id, profile) VALUES ('te_u', '{"d": "2021-03-01"}');
SELECT nudge.create_rule('{"name": "te good", "type": "time_based", "schedule": {"kind": "milestone", "attribute": "profile.d", "after": "1 day"}}') IS NOT NULL;
ALTER TABLE nudge.rules DISABLE TRIGGER USER;
INSERT INTO nudge.rules (name, trigger_type, schedule) VALUES ('te broken', 'time_based', '{"kind": "abandonment", "start": "a", "unless": "b", "within": "soon", "key": "$.["}');
INSERT INTO nudge.timer_rule_changes SELECT rule_id FROM nudge.rules;
ALTER TABLE nudge.rules ENABLE TRIGGER USER;
ALTER TABLE nudge.rules ENABLE ALWAYS TRIGGER invalidate_rules, ENABLE ALWAYS TRIGGER invalidate_all_rules,
    ENABLE ALWAYS TRIGGER note_schedule, ENABLE ALWAYS TRIGGER note_other_schedule, ENABLE ALWAYS TRIGGER note_no_schedule,
    ENABLE ALWAYS TRIGGER note_no_schedules;
UPDATE nudge.rules SET priority = 'high' WHERE name = 'te good';
INSERT INTO nudge.actions (user_id, action_type) VALUES ('te_u', 'a');
SELECT nudge.run_timers('2021-03-02 09:00+00');
DELETE FROM nudge.rules WHERE name LIKE 'te %';
DELETE FROM nudge.users WHERE user_id = 'te_u';
DELETE FROM nudge.pending WHERE user_id = 'te_u';
SELECT nudge.run_timers('2021-03-02 09:00+00');

-- With nothing to do, a step writes nothing
BEGIN;
SELECT * FROM nudge.timer_step('2021-03-02 09:00+00', 1000);
SELECT pg_current_xact_id_if_assigned() IS NULL AS wrote_nothing;
ROLLBACK;

-- An error in a schedule does not keep messages from going out
BEGIN;
INSERT INTO nudge.users (user_id) VALUES ('te_u');
INSERT INTO nudge.timer_rules (rule_id, schedule, active, kind, floor, stage)
VALUES (-1, '{"within": "soon"}', true, 'decline', now(), 'filling');
CREATE FUNCTION pg_temp.fails() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'a fault'; END$$;
CREATE TRIGGER fails BEFORE UPDATE ON nudge.timer_rules FOR EACH ROW EXECUTE FUNCTION pg_temp.fails();
SELECT s.is_over FROM nudge.run_step('1 s', clock_timestamp() + '1 hour', false) AS s;
\set VERBOSITY terse
SELECT nudge.run_timers('2021-03-02 09:00+00');
ROLLBACK;

-- Internal functions get nulls only by hand
SELECT nudge.timer_next(1, NULL, now(), NULL);
SELECT nudge.fire_timer(1, NULL, now(), 'x', now(), false, now(), NULL, 'x', NULL, NULL);
SELECT nudge.fire_timer(1, 'u', now(), 'x', now(), false, now(), NULL, NULL, NULL, NULL);
SELECT nudge.fire_timer(1, 'u', now(), 'x', now(), NULL, now(), NULL, 'x', NULL, NULL);
