--
-- Version 0.3.0: where users are in their lifecycle
--
-- The application's transactions do nothing for it: neither do they wait.  nudge.run
-- reads which users did something, and looks at those and at users whose time has
-- come; looking twice does no harm.  One run works at a time (an advisory lock), and
-- leaves users whose row is locked for the next.
--

CREATE TABLE nudge.lifecycle_stages (
    name        text COLLATE "C" PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 200),
    position    integer NOT NULL UNIQUE DEFERRABLE,
    conditions  jsonb NOT NULL,
    match       text NOT NULL DEFAULT 'all' CHECK (match IN ('all', 'any')),
    lasts       interval CHECK (lasts > '0' AND lasts <= '100 years'),
    description text
);
COMMENT ON TABLE nudge.lifecycle_stages IS
    'Stages that users are in: each user in the last one, by position, whose conditions hold; where none holds, the user stays';
COMMENT ON COLUMN nudge.lifecycle_stages.conditions IS
    'Conditions as in segments, [{"type", "operator", "parameters"}]; with none the stage is for nobody';
COMMENT ON COLUMN nudge.lifecycle_stages.match IS 'Whether all conditions must hold, or any';
COMMENT ON COLUMN nudge.lifecycle_stages.lasts IS
    'A user who has been in the stage for so long leaves it, whether or not the conditions still hold; NULL: no limit';
SELECT pg_catalog.pg_extension_config_dump('nudge.lifecycle_stages', '');

CREATE TABLE nudge.lifecycle_removed_stages (
    name text COLLATE "C" PRIMARY KEY
);
COMMENT ON TABLE nudge.lifecycle_removed_stages IS
    'Stages that came with the extension and were removed: a restored dump removes them again';
SELECT pg_catalog.pg_extension_config_dump('nudge.lifecycle_removed_stages', '');

CREATE TABLE nudge.lifecycle_states (
    user_id  text COLLATE "C" PRIMARY KEY,
    stage    text COLLATE "C",
    since    timestamptz NOT NULL,
    check_at timestamptz
) WITH (fillfactor = 85,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX lifecycle_states_check_idx ON nudge.lifecycle_states (check_at);
COMMENT ON TABLE nudge.lifecycle_states IS 'Since when users are in their stage, and when time alone may move them';
COMMENT ON COLUMN nudge.lifecycle_states.stage IS 'The stage that users.lifecycle_stage was given';
COMMENT ON COLUMN nudge.lifecycle_states.check_at IS 'NULL: not before they do something';
SELECT pg_catalog.pg_extension_config_dump('nudge.lifecycle_states', '');

CREATE TABLE nudge.lifecycle_transitions (
    user_id    text COLLATE "C" NOT NULL,
    from_stage text COLLATE "C",
    to_stage   text COLLATE "C",
    moved_at   timestamptz NOT NULL
);
CREATE INDEX lifecycle_transitions_idx ON nudge.lifecycle_transitions (user_id, moved_at);
CREATE INDEX lifecycle_transitions_moved_idx ON nudge.lifecycle_transitions USING brin (moved_at);
COMMENT ON TABLE nudge.lifecycle_transitions IS
    'Who moved from stage to stage; kept for nudge.retention_days, and then counted in nudge.lifecycle_weeks';
SELECT pg_catalog.pg_extension_config_dump('nudge.lifecycle_transitions', '');

CREATE TABLE nudge.lifecycle_weeks (
    week       date NOT NULL,
    from_stage text COLLATE "C",
    to_stage   text COLLATE "C",
    users      bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (week, from_stage, to_stage)
);
COMMENT ON TABLE nudge.lifecycle_weeks IS
    'How many users moved from stage to stage in weeks whose transitions have been deleted; a part of nudge.lifecycle_flow';
SELECT pg_catalog.pg_extension_config_dump('nudge.lifecycle_weeks', '');

CREATE TABLE nudge.lifecycle_checks (
    user_id text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX lifecycle_checks_idx ON nudge.lifecycle_checks (at, user_id);
COMMENT ON TABLE nudge.lifecycle_checks IS 'Users whom nudge.run_lifecycle has to look at; rows are only appended, and removed by the look';
SELECT pg_catalog.pg_extension_config_dump('nudge.lifecycle_checks', '');

CREATE TABLE nudge.lifecycle_progress (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    stages       text NOT NULL,
    history_rows bigint NOT NULL,
    walked_to    text COLLATE "C",
    settled_to   timestamptz NOT NULL,
    marked_to    timestamptz NOT NULL,
    marked       bigint NOT NULL DEFAULT 0,
    heard_to     timestamptz NOT NULL,
    heard        bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE nudge.lifecycle_progress IS 'How far nudge.run_lifecycle has come; no row before the first run';
COMMENT ON COLUMN nudge.lifecycle_progress.stages IS 'Digest of the stages by which all users have been, or are being, looked at';
COMMENT ON COLUMN nudge.lifecycle_progress.history_rows IS 'The same of actions recorded as history: their number';
COMMENT ON COLUMN nudge.lifecycle_progress.walked_to IS 'While all users are looked at: the last one that was';
COMMENT ON COLUMN nudge.lifecycle_progress.settled_to IS 'All actions recorded up to this time have been heard, also those of transactions that took long';
COMMENT ON COLUMN nudge.lifecycle_progress.marked IS 'Actions heard that were recorded after settled_to and up to marked_to';
COMMENT ON COLUMN nudge.lifecycle_progress.heard IS 'Actions heard that were recorded after marked_to and up to heard_to';
SELECT pg_catalog.pg_extension_config_dump('nudge.lifecycle_progress', '');

--
-- A dump has all rows, also those that came with the extension, which are there
-- already when a dump is restored; so a row of a dump takes the place of the one
-- that it finds.  These triggers fire in sessions that replicate or restore only
-- (trust_restore makes a restoring session one).
--

CREATE FUNCTION nudge.replace_shipped_stage() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'lifecycle_stages' THEN
        DELETE FROM nudge.lifecycle_stages s WHERE s.name = NEW.name OR s.position = NEW.position;
    ELSE
        DELETE FROM nudge.lifecycle_stages s WHERE s.name = NEW.name;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION nudge.replace_shipped_stage() IS
    'Trigger function of nudge.lifecycle_stages and nudge.lifecycle_removed_stages: rows of a dump replace those that came with the extension';

CREATE TRIGGER replace_shipped_stage BEFORE INSERT ON nudge.lifecycle_stages
    FOR EACH ROW EXECUTE FUNCTION nudge.replace_shipped_stage();
ALTER TABLE nudge.lifecycle_stages ENABLE REPLICA TRIGGER replace_shipped_stage;
COMMENT ON TRIGGER replace_shipped_stage ON nudge.lifecycle_stages IS 'Lets rows of a dump replace those that came with the extension';
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.lifecycle_removed_stages
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.lifecycle_removed_stages IS 'Lets rows of a dump in as they are';
CREATE TRIGGER replace_shipped_stage BEFORE INSERT ON nudge.lifecycle_removed_stages
    FOR EACH ROW EXECUTE FUNCTION nudge.replace_shipped_stage();
ALTER TABLE nudge.lifecycle_removed_stages ENABLE REPLICA TRIGGER replace_shipped_stage;
COMMENT ON TRIGGER replace_shipped_stage ON nudge.lifecycle_removed_stages IS 'Removes once more what had been removed of the stages that come with the extension';

--
-- Checks of stages
--

CREATE FUNCTION nudge.check_lifecycle_stage() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_check_lifecycle_stage';
COMMENT ON FUNCTION nudge.check_lifecycle_stage() IS 'Trigger function of nudge.lifecycle_stages: conditions';
CREATE TRIGGER check_lifecycle_stage BEFORE INSERT OR UPDATE ON nudge.lifecycle_stages
    FOR EACH ROW EXECUTE FUNCTION nudge.check_lifecycle_stage();
COMMENT ON TRIGGER check_lifecycle_stage ON nudge.lifecycle_stages IS
    'Refuses conditions that cannot be evaluated, or that need an action in hand';

CREATE FUNCTION nudge.check_stages_of_stage() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_check_stages_of_stage';
COMMENT ON FUNCTION nudge.check_stages_of_stage() IS 'Trigger function of nudge.lifecycle_stages: stages that conditions ask for';
CREATE TRIGGER check_stages_of_stage AFTER INSERT OR UPDATE OF conditions ON nudge.lifecycle_stages
    FOR EACH ROW EXECUTE FUNCTION nudge.check_stages_of_stage();
COMMENT ON TRIGGER check_stages_of_stage ON nudge.lifecycle_stages IS
    'Refuses conditions for stages that are not there after the statement';

-- What has a condition for the stage, for any if it is null; null where nothing has.  Conditions stand at any
-- depth, so all strings below a condition of the type are looked at.
CREATE FUNCTION nudge.lifecycle_stage_user(stage text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.what
    FROM (SELECT 'lifecycle stage ' || quote_ident(s.name) AS what, s.conditions
          FROM nudge.lifecycle_stages s WHERE s.name IS DISTINCT FROM stage
          UNION ALL
          SELECT 'segment ' || quote_ident(s.name), s.conditions FROM nudge.segments s
          UNION ALL
          SELECT 'rule ' || quote_ident(r.name), jsonb_build_object('type', c.condition_type, 'parameters', c.parameters)
          FROM nudge.conditions c JOIN nudge.rules r ON r.rule_id = c.rule_id) AS u
    WHERE jsonb_path_exists(u.conditions, 'lax $.** ? (@.type == "lifecycle_stage").parameters.* ? ($stage == null || @ == $stage)',
                            jsonb_build_object('stage', stage))
    ORDER BY u.what
    LIMIT 1
$$;
COMMENT ON FUNCTION nudge.lifecycle_stage_user(text) IS
    'Internal: a lifecycle stage, segment or rule with a condition for the stage';

CREATE FUNCTION nudge.keep_lifecycle_stages() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    shipped CONSTANT text[] := '{new,active,at_risk,dormant,churned,won_back}';
    used_by text;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        used_by := nudge.lifecycle_stage_user(NULL);
        IF used_by IS NOT NULL THEN
            RAISE EXCEPTION 'lifecycle stages are still in use' USING ERRCODE = '23503',
                DETAIL = format('A condition of %s asks for one.', used_by),
                HINT = 'Change the condition first.';
        END IF;
        INSERT INTO nudge.lifecycle_removed_stages (name) SELECT s FROM unnest(shipped) AS s ON CONFLICT DO NOTHING;
        RETURN NULL;
    END IF;
    IF TG_OP IN ('DELETE', 'UPDATE') AND NOT EXISTS (SELECT FROM nudge.lifecycle_stages s WHERE s.name = OLD.name) THEN
        used_by := nudge.lifecycle_stage_user(OLD.name);
        IF used_by IS NOT NULL THEN
            RAISE EXCEPTION 'lifecycle stage "%" is still in use', OLD.name USING ERRCODE = '23503',
                DETAIL = format('A condition of %s asks for it.', used_by),
                HINT = 'Change the condition first.';
        END IF;
        IF OLD.name = ANY (shipped) THEN
            INSERT INTO nudge.lifecycle_removed_stages (name) VALUES (OLD.name) ON CONFLICT DO NOTHING;
        END IF;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') AND NEW.name = ANY (shipped) THEN
        DELETE FROM nudge.lifecycle_removed_stages r WHERE r.name = NEW.name;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION nudge.keep_lifecycle_stages() IS
    'Trigger function of nudge.lifecycle_stages: stages that conditions name stay; remembers which of the extension''s were removed';
CREATE TRIGGER keep_lifecycle_stage AFTER INSERT OR DELETE OR UPDATE OF name ON nudge.lifecycle_stages
    FOR EACH ROW EXECUTE FUNCTION nudge.keep_lifecycle_stages();
COMMENT ON TRIGGER keep_lifecycle_stage ON nudge.lifecycle_stages IS
    'Refuses to remove or rename a stage that conditions ask for';
CREATE TRIGGER keep_lifecycle_stages AFTER TRUNCATE ON nudge.lifecycle_stages
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.keep_lifecycle_stages();
COMMENT ON TRIGGER keep_lifecycle_stages ON nudge.lifecycle_stages IS
    'Remembers that the extension''s stages were removed';

CREATE FUNCTION nudge.keep_segment_of_stages() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    used_by text;
BEGIN
    SELECT s.name INTO used_by
    FROM nudge.lifecycle_stages s
    WHERE jsonb_path_exists(s.conditions, 'lax $.** ? (@.type == "segment").parameters.* ? (@ == $segment)',
                            jsonb_build_object('segment', OLD.name))
        AND NOT EXISTS (SELECT FROM nudge.segments g WHERE g.name = OLD.name)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'segment "%" is still in use', OLD.name USING ERRCODE = '23503',
            DETAIL = format('A condition of lifecycle stage "%s" asks for the segment.', used_by),
            HINT = 'Change the condition first.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION nudge.keep_segment_of_stages() IS
    'Trigger function of nudge.segments: segments that lifecycle stages ask for stay';
CREATE TRIGGER keep_segment_of_stages AFTER DELETE OR UPDATE OF name ON nudge.segments
    FOR EACH ROW EXECUTE FUNCTION nudge.keep_segment_of_stages();
COMMENT ON TRIGGER keep_segment_of_stages ON nudge.segments IS
    'Refuses to remove or rename a segment that a lifecycle stage asks for';

--
-- The stages that come with the extension
--

INSERT INTO nudge.lifecycle_stages (name, position, lasts, description, conditions) VALUES
    ('new', 1, NULL, 'Known for less than 7 days',
     '[{"type": "user_attribute", "operator": "within", "parameters": {"path": "created_at", "value": "7 days"}}]'),
    ('active', 2, NULL, 'Did something within 14 days, and is no longer new',
     '[{"type": "action_count", "parameters": {"action_type": "*", "within": "14 days"}},
       {"type": "user_attribute", "operator": "after", "parameters": {"path": "created_at", "value": "7 days"}}]'),
    ('at_risk', 3, NULL, 'Did nothing for 14 days',
     '[{"type": "action_count", "operator": "did_not", "parameters": {"action_type": "*", "within": "14 days"}},
       {"any": [{"type": "user_attribute", "operator": "after", "parameters": {"path": "created_at", "value": "14 days"}},
                {"type": "action_count", "parameters": {"action_type": "*"}}]}]'),
    ('dormant', 4, NULL, 'Did nothing for 30 days',
     '[{"type": "action_count", "operator": "did_not", "parameters": {"action_type": "*", "within": "30 days"}},
       {"any": [{"type": "user_attribute", "operator": "after", "parameters": {"path": "created_at", "value": "30 days"}},
                {"type": "action_count", "parameters": {"action_type": "*"}}]}]'),
    ('churned', 5, NULL, 'Did nothing for 90 days',
     '[{"type": "action_count", "operator": "did_not", "parameters": {"action_type": "*", "within": "90 days"}},
       {"any": [{"type": "user_attribute", "operator": "after", "parameters": {"path": "created_at", "value": "90 days"}},
                {"type": "action_count", "parameters": {"action_type": "*"}}]}]'),
    ('won_back', 6, '14 days', 'Was dormant or churned, and did something again; for 14 days',
     '[{"type": "lifecycle_stage", "operator": "in", "parameters": {"stages": ["dormant", "churned", "won_back"]}},
       {"type": "action_count", "parameters": {"action_type": "*", "within": "14 days"}}]');

-- Only now: it takes the script of an extension for a restore, and would leave out
-- triggers and keys of all tables for the rest of the transaction.
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.lifecycle_stages
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.lifecycle_stages IS 'Lets rows of a dump in as they are';

--
-- Who has to be looked at
--

CREATE FUNCTION nudge.note_lifecycle() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO nudge.lifecycle_checks (user_id) SELECT n.user_id FROM new_rows n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO nudge.lifecycle_checks (user_id) SELECT o.user_id FROM old_rows o;
    -- Most stages go by actions alone.
    ELSIF EXISTS (SELECT FROM nudge.lifecycle_stages s
                  WHERE jsonb_path_exists(s.conditions, 'lax $.** ? (@.type != "action_count" && @.type != "lifecycle_stage" && !(@.type == "user_attribute" && @.parameters.path == "created_at"))'))
    THEN
        INSERT INTO nudge.lifecycle_checks (user_id)
        SELECT n.user_id
        FROM new_rows n
        WHERE NOT EXISTS (SELECT FROM old_rows o
                          WHERE o.user_id = n.user_id
                              AND to_jsonb(o) - '{updated_at,lifecycle_stage}'::text[]
                                  = to_jsonb(n) - '{updated_at,lifecycle_stage}'::text[]);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION nudge.note_lifecycle() IS
    'Trigger function of nudge.users: tells nudge.run_lifecycle of new users, of users who are gone, and, where stages go by what is known of users, of changes';

CREATE TRIGGER note_lifecycle_new AFTER INSERT ON nudge.users
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.note_lifecycle();
COMMENT ON TRIGGER note_lifecycle_new ON nudge.users IS 'Tells nudge.run_lifecycle of new users';
CREATE TRIGGER note_lifecycle_changed AFTER UPDATE ON nudge.users
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.note_lifecycle();
COMMENT ON TRIGGER note_lifecycle_changed ON nudge.users IS 'Tells nudge.run_lifecycle of changes that stages go by';
CREATE TRIGGER note_lifecycle_gone AFTER DELETE ON nudge.users
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.note_lifecycle();
COMMENT ON TRIGGER note_lifecycle_gone ON nudge.users IS 'Tells nudge.run_lifecycle of users who are gone';

-- recorded_at is the start of the transaction that records, and rows come into sight
-- at its end.  So all rows from before this time can be seen.  As in
-- nudge.count_items_until: a transaction takes its time a moment before
-- pg_stat_activity shows it, hence slack; and one that is prepared no longer tells when
-- it began.
CREATE FUNCTION nudge.lifecycle_horizon(slack interval) RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    horizon timestamptz;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RETURN NULL;
    END IF;
    PERFORM pg_stat_clear_snapshot();
    -- In this order, since a running transaction may become a prepared one meanwhile
    horizon := least(clock_timestamp() - slack,
                     (SELECT min(CASE a.state WHEN 'disabled' THEN '-infinity' ELSE a.xact_start END)
                      FROM pg_stat_activity a
                      WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
                          AND a.backend_type <> 'autovacuum worker'));
    IF EXISTS (SELECT FROM pg_locks l
               WHERE l.pid IS NULL AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
                   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                   AND l.relation IN (SELECT t.relid FROM pg_partition_tree('nudge.actions') t))
    THEN
        RETURN NULL;
    END IF;
    RETURN nullif(horizon, '-infinity');
END
$$;
COMMENT ON FUNCTION nudge.lifecycle_horizon(interval) IS
    'Internal: all actions recorded before this time can be seen; null where that is not known';

-- Actions are heard of as soon as they can be seen, by their time of recording.  A
-- transaction that took long may show actions from before a time up to which has been
-- heard; so what was heard is counted again once everything from then can be seen, and
-- where there is more than was heard, all of that time are looked at once more.
-- nudge.tallies tells of history, whose recorded_at says nothing: then all users are
-- looked at, as after a change of the stages.
CREATE FUNCTION nudge.hear_lifecycle(as_of timestamptz, slack interval DEFAULT '10 s') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    p           nudge.lifecycle_progress;
    digest      text;
    imported    bigint;
    horizon     timestamptz;
    last_at     timestamptz;
    amount      bigint;
    until_at    CONSTANT timestamptz := least(as_of, clock_timestamp());
BEGIN
    SELECT md5(string_agg(concat_ws(' ', s.position, s.name, s.match, extract(epoch FROM s.lasts), s.conditions), E'\n' ORDER BY s.position))
    INTO digest
    FROM nudge.lifecycle_stages s;
    SELECT coalesce(sum(t.amount), 0) INTO imported FROM nudge.tallies t WHERE t.tally = 'history_rows';

    SELECT x.* INTO p FROM nudge.lifecycle_progress x;
    IF NOT FOUND THEN
        horizon := coalesce(nudge.lifecycle_horizon(slack), clock_timestamp() - interval '1 day');
        INSERT INTO nudge.lifecycle_progress (stages, history_rows, walked_to, settled_to, marked_to, heard_to)
        VALUES (coalesce(digest, ''), imported, '', horizon, horizon, horizon)
        RETURNING * INTO p;
    ELSIF (p.stages, p.history_rows) <> (coalesce(digest, ''), imported)
        AND (p.walked_to IS NULL OR p.stages <> coalesce(digest, ''))
    THEN
        UPDATE nudge.lifecycle_progress SET stages = coalesce(digest, ''), history_rows = imported, walked_to = '';
    END IF;

    -- (recorded_at = now(): what this very transaction recorded)
    WITH new AS MATERIALIZED (
        SELECT a.user_id, a.recorded_at
        FROM nudge.actions a
        WHERE a.recorded_at BETWEEN least(p.heard_to, now()) AND until_at
            AND (a.recorded_at > p.heard_to OR a.recorded_at = now())
            AND a.action_type <> 'lifecycle_changed'),
    queued AS (
        INSERT INTO nudge.lifecycle_checks (user_id)
        SELECT DISTINCT n.user_id FROM new n)
    SELECT max(n.recorded_at), count(*) INTO last_at, amount FROM new n;
    IF last_at > p.heard_to THEN
        UPDATE nudge.lifecycle_progress x
        SET heard_to = last_at, heard = x.heard + amount
        RETURNING x.* INTO p;
    END IF;

    IF p.heard_to > p.settled_to THEN
        horizon := nudge.lifecycle_horizon(slack);
        IF p.marked_to < horizon THEN
            SELECT count(*) INTO amount
            FROM nudge.actions a
            WHERE a.recorded_at > p.settled_to AND a.recorded_at <= p.marked_to AND a.action_type <> 'lifecycle_changed';
            IF amount <> p.marked THEN
                INSERT INTO nudge.lifecycle_checks (user_id)
                SELECT DISTINCT a.user_id
                FROM nudge.actions a
                WHERE a.recorded_at > p.settled_to AND a.recorded_at <= p.marked_to AND a.action_type <> 'lifecycle_changed';
            END IF;
            UPDATE nudge.lifecycle_progress x
            SET settled_to = x.marked_to, marked_to = x.heard_to, marked = x.heard, heard = 0;
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.hear_lifecycle(timestamptz, interval) IS
    'Internal: notes whom nudge.run_lifecycle has to look at, because of what they did, or of changed stages';

--
-- Looking at users
--

CREATE FUNCTION nudge.lifecycle_look(user_id text, as_of timestamptz, names text[], conditions jsonb[], matches text[],
    lasts interval[], since timestamptz, OUT stage text, OUT check_at timestamptz)
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'nudge_lifecycle_look';
COMMENT ON FUNCTION nudge.lifecycle_look(text, timestamptz, text[], jsonb[], text[], interval[], timestamptz) IS
    'Internal: the last of some stages that holds for a user as of a time, and when to look again; null where there is none';

-- The first stage of a user is no transition, and nobody is told of it: rules would fire
-- for each new user, and for all when an installation gets its first stages.  newcomers:
-- those whose first stage counts all the same in the flow, as they are here because of
-- something new.  busy: users whose row somebody has; they are to be looked at again.
--
-- The user, the action and the rest are one transaction.  The user comes first, as rules
-- that the action fires may ask for the stage.
CREATE FUNCTION nudge.look_at_users(users text[], newcomers text[], as_of timestamptz,
    OUT moved integer, OUT busy text[])
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    names      text[];
    conditions jsonb[];
    matches    text[];
    durations  interval[];
    -- one entry a user who is to move: who, from and to where, whether it does not count
    movers     text[];
    origins    text[];
    goals      text[];
    quiets     boolean[];
    done       text[];
BEGIN
    SELECT array_agg(s.name ORDER BY s.position), array_agg(s.conditions ORDER BY s.position),
           array_agg(s.match ORDER BY s.position), array_agg(s.lasts ORDER BY s.position)
    INTO names, conditions, matches, durations
    FROM nudge.lifecycle_stages s;
    -- The last stage has gone: all who had one lose it.
    names := coalesce(names, '{}'); conditions := coalesce(conditions, '{}');
    matches := coalesce(matches, '{}'); durations := coalesce(durations, '{}');

    DELETE FROM nudge.lifecycle_states s
    WHERE s.user_id = ANY (users) AND NOT EXISTS (SELECT FROM nudge.users t WHERE t.user_id = s.user_id);

    WITH looked AS MATERIALIZED (
        SELECT t.user_id, t.lifecycle_stage AS origin, s.user_id IS NOT NULL AS known, s.check_at AS old_check,
               e.since, l.check_at,
               -- Where no stage holds the user stays, if there is still such a stage.
               coalesce(l.stage, CASE WHEN t.lifecycle_stage = ANY (names) THEN t.lifecycle_stage END) AS goal
        FROM nudge.users t
        LEFT JOIN nudge.lifecycle_states s ON s.user_id = t.user_id
        CROSS JOIN LATERAL (SELECT CASE WHEN s.stage IS NOT DISTINCT FROM t.lifecycle_stage THEN s.since END) AS e (since)
        CROSS JOIN LATERAL nudge.lifecycle_look(t.user_id, as_of, names, conditions, matches, durations, e.since) AS l
        WHERE t.user_id = ANY (users)),
    stays AS (
        INSERT INTO nudge.lifecycle_states AS s (user_id, stage, since, check_at)
        SELECT l.user_id, l.origin, coalesce(l.since, as_of), l.check_at
        FROM looked l
        WHERE l.goal IS NOT DISTINCT FROM l.origin
            AND (NOT l.known OR l.since IS NULL OR l.check_at IS DISTINCT FROM l.old_check)
        ON CONFLICT (user_id) DO UPDATE
        SET stage = EXCLUDED.stage, since = EXCLUDED.since, check_at = EXCLUDED.check_at)
    SELECT array_agg(l.user_id), array_agg(l.origin), array_agg(l.goal),
           array_agg(l.origin IS NULL AND NOT l.known AND l.user_id <> ALL (newcomers))
    INTO movers, origins, goals, quiets
    FROM looked l
    WHERE l.goal IS DISTINCT FROM l.origin;

    moved := 0;
    busy := '{}';
    IF movers IS NULL THEN
        RETURN;
    END IF;

    WITH free AS MATERIALIZED (
        SELECT t.user_id, t.lifecycle_stage
        FROM nudge.users t
        WHERE t.user_id = ANY (movers)
        ORDER BY t.user_id
        FOR NO KEY UPDATE SKIP LOCKED),
    changed AS (
        UPDATE nudge.users t
        SET lifecycle_stage = m.goal
        FROM unnest(movers, origins, goals) AS m (user_id, origin, goal)
        JOIN free f ON f.user_id = m.user_id AND f.lifecycle_stage IS NOT DISTINCT FROM m.origin
        WHERE t.user_id = m.user_id
        RETURNING t.user_id)
    SELECT coalesce(array_agg(c.user_id), '{}') INTO done FROM changed c;
    moved := cardinality(done);
    busy := ARRAY(SELECT m FROM unnest(movers) AS m EXCEPT SELECT d FROM unnest(done) AS d);
    UPDATE nudge.lifecycle_states s SET check_at = NULL WHERE s.user_id = ANY (busy) AND s.check_at <= as_of;

    WITH told AS (
        INSERT INTO nudge.lifecycle_transitions (user_id, from_stage, to_stage, moved_at)
        SELECT m.user_id, m.origin, m.goal, as_of
        FROM unnest(movers, origins, goals, quiets) AS m (user_id, origin, goal, quiet)
        JOIN unnest(done) AS d ON d = m.user_id
        WHERE NOT m.quiet
        RETURNING user_id, from_stage, to_stage)
    INSERT INTO nudge.actions (user_id, action_type, source, action_data, occurred_at)
    SELECT t.user_id, 'lifecycle_changed', 'pg_nudge', jsonb_build_object('from', t.from_stage, 'to', t.to_stage), as_of
    FROM told t
    WHERE t.from_stage IS NOT NULL
    ORDER BY t.user_id;

    -- How long the new stage holds.  Conditions may ask for the stage and want to go on
    -- from here; not at once, as two stages could want each other.
    INSERT INTO nudge.lifecycle_states AS s (user_id, stage, since, check_at)
    SELECT t.user_id, t.lifecycle_stage, as_of,
           least(l.check_at, CASE WHEN l.stage <> t.lifecycle_stage THEN as_of + interval '1 day' END)
    FROM nudge.users t
    CROSS JOIN LATERAL nudge.lifecycle_look(t.user_id, as_of, names, conditions, matches, durations, as_of) AS l
    WHERE t.user_id = ANY (done)
    ON CONFLICT (user_id) DO UPDATE
    SET stage = EXCLUDED.stage, since = EXCLUDED.since, check_at = EXCLUDED.check_at;
END
$$;
COMMENT ON FUNCTION nudge.look_at_users(text[], text[], timestamptz) IS
    'Internal: moves users to the stage that holds as of a time';

-- So much of what is to be looked at; is_over: there is no more.  Looks before it
-- writes, so that a run with nothing to do writes nothing.
CREATE FUNCTION nudge.lifecycle_step(as_of timestamptz, max_rows integer,
    OUT moved integer, OUT busy text[], OUT is_over boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    newcomers text[] := '{}';
    users     text[];
    walked    text[];
    walked_to text;
BEGIN
    IF EXISTS (SELECT FROM nudge.lifecycle_checks) THEN
        WITH taken AS (
            DELETE FROM nudge.lifecycle_checks c
            WHERE c.ctid = ANY (ARRAY(SELECT f.ctid FROM nudge.lifecycle_checks f ORDER BY f.at, f.user_id LIMIT max_rows))
            RETURNING c.user_id)
        SELECT coalesce(array_agg(DISTINCT t.user_id), '{}') INTO newcomers FROM taken t;
    END IF;
    users := newcomers || ARRAY(
        SELECT s.user_id FROM nudge.lifecycle_states s WHERE s.check_at <= as_of
        ORDER BY s.check_at LIMIT greatest(max_rows - cardinality(newcomers), 0));
    is_over := cardinality(users) < max_rows;

    SELECT p.walked_to INTO walked_to FROM nudge.lifecycle_progress p;
    IF is_over AND walked_to IS NOT NULL THEN
        walked := ARRAY(SELECT u.user_id FROM nudge.users u WHERE u.user_id > walked_to ORDER BY u.user_id LIMIT max_rows);
        users := users || walked;
        is_over := cardinality(walked) < max_rows;
        UPDATE nudge.lifecycle_progress p
        SET walked_to = CASE WHEN NOT is_over THEN walked[cardinality(walked)] END;
    END IF;

    moved := 0;
    busy := '{}';
    IF users <> '{}' THEN
        SELECT l.moved, l.busy INTO moved, busy
        FROM nudge.look_at_users(ARRAY(SELECT DISTINCT x FROM unnest(users) AS x ORDER BY x), newcomers, as_of) AS l;
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.lifecycle_step(timestamptz, integer) IS
    'Internal: a bounded part of nudge.run_lifecycle; how many users moved, whose row somebody had, and whether nothing is left';

-- The lock's two numbers are pg_nudge's: 'nudg' in ASCII, and 49 for the lifecycle.
CREATE FUNCTION nudge.run_lifecycle(as_of timestamptz DEFAULT clock_timestamp()) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    step  record;
    busy  text[] := '{}';
    total integer := 0;
    max_rows integer := 1000;
BEGIN
    IF as_of IS NULL OR NOT isfinite(as_of) THEN
        RAISE EXCEPTION 'as_of must be a finite time, not %', coalesce(as_of::text, 'NULL')
            USING ERRCODE = '22023',
                  DETAIL = 'Users get the stage that holds at this time.',
                  HINT = 'Leave it out to mean now.';
    END IF;
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'cannot execute nudge.run_lifecycle() in a read-only transaction' USING ERRCODE = '25006',
            DETAIL = 'Users who move to another stage are written.',
            HINT = 'Connect to the primary server, in a transaction that may write.';
    END IF;
    PERFORM pg_advisory_xact_lock(1853187175, 49);
    PERFORM nudge.hear_lifecycle(as_of);
    LOOP
        SELECT s.moved, s.busy, s.is_over INTO step FROM nudge.lifecycle_step(as_of, max_rows) AS s;
        total := total + step.moved;
        busy := busy || step.busy;
        EXIT WHEN step.is_over;
        -- What a transaction takes away stays in its way in the indexes.
        max_rows := least(2 * max_rows, 100000);
    END LOOP;
    INSERT INTO nudge.lifecycle_checks (user_id) SELECT DISTINCT b FROM unnest(busy) AS b;
    RETURN total;
END
$$;
COMMENT ON FUNCTION nudge.run_lifecycle(timestamptz) IS
    'Moves users to the lifecycle stage that holds at as_of; how many moved. nudge.run does it each time it polls, and nudge.run_timers before it fires schedules';

CREATE FUNCTION nudge.poll_lifecycle(as_of timestamptz, max_rows integer) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    step record;
BEGIN
    IF NOT pg_try_advisory_xact_lock(1853187175, 49) THEN
        RETURN true;
    END IF;
    PERFORM nudge.hear_lifecycle(as_of);
    SELECT s.busy, s.is_over INTO step FROM nudge.lifecycle_step(as_of, max_rows) AS s;
    INSERT INTO nudge.lifecycle_checks (user_id) SELECT b FROM unnest(step.busy) AS b;
    RETURN step.is_over;
END
$$;
COMMENT ON FUNCTION nudge.poll_lifecycle(timestamptz, integer) IS
    'Internal: a bounded part of nudge.run_lifecycle, unless it is at work elsewhere; whether nothing is left';

--
-- What is to be seen
--

CREATE VIEW nudge.lifecycle_flow AS
    SELECT f.week, f.from_stage, f.to_stage, sum(f.users)::bigint AS users
    FROM (SELECT date_trunc('week', t.moved_at AT TIME ZONE nudge.setting('timezone'))::date AS week,
                 t.from_stage, t.to_stage, count(DISTINCT t.user_id) AS users
          FROM nudge.lifecycle_transitions t
          GROUP BY 1, 2, 3
          UNION ALL
          SELECT w.week, w.from_stage, w.to_stage, w.users FROM nudge.lifecycle_weeks w) AS f
    GROUP BY 1, 2, 3;
COMMENT ON VIEW nudge.lifecycle_flow IS
    'How many users moved from which stage to which, by week (its Monday, in nudge.timezone)';
COMMENT ON COLUMN nudge.lifecycle_flow.from_stage IS 'NULL: the first stage of a user';

-- Weeks are counted when all of their days are past, so that each user counts once.
CREATE FUNCTION nudge.prune_transitions() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    zone   CONSTANT text := nudge.setting('timezone');
    oldest CONSTANT timestamptz := date_trunc(
        'week', now() - make_interval(days => nudge.setting('retention_days')::integer), zone);
    n bigint;
BEGIN
    WITH gone AS (
        DELETE FROM nudge.lifecycle_transitions t WHERE t.moved_at < oldest
        RETURNING date_trunc('week', t.moved_at AT TIME ZONE zone)::date AS week, t.from_stage, t.to_stage, t.user_id),
    counted AS (
        INSERT INTO nudge.lifecycle_weeks AS w (week, from_stage, to_stage, users)
        SELECT g.week, g.from_stage, g.to_stage, count(DISTINCT g.user_id)
        FROM gone g
        GROUP BY g.week, g.from_stage, g.to_stage
        ORDER BY g.week, g.from_stage, g.to_stage
        ON CONFLICT (week, from_stage, to_stage) DO UPDATE SET users = w.users + EXCLUDED.users)
    SELECT count(*) INTO n FROM gone;
    RETURN n;
END
$$;
COMMENT ON FUNCTION nudge.prune_transitions() IS
    'Deletes transitions of weeks that are past nudge.retention_days, and keeps their numbers for nudge.lifecycle_flow; how many';

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('marketer', 'table', 'lifecycle_stages', 'SELECT, INSERT, UPDATE, DELETE'),
    ('marketer', 'table', 'lifecycle_flow', 'SELECT'),
    ('analyst', 'table', 'lifecycle_flow', 'SELECT'),
    ('executor', 'routine', 'run_lifecycle', 'EXECUTE'),
    ('executor', 'routine', 'prune_transitions', 'EXECUTE');

REVOKE ALL ON TABLE nudge.lifecycle_stages, nudge.lifecycle_removed_stages, nudge.lifecycle_states,
    nudge.lifecycle_transitions, nudge.lifecycle_checks, nudge.lifecycle_progress, nudge.lifecycle_flow,
    nudge.lifecycle_weeks
    FROM PUBLIC;
REVOKE ALL ON ROUTINE nudge.replace_shipped_stage(), nudge.check_lifecycle_stage(), nudge.check_stages_of_stage(), nudge.lifecycle_stage_user(text),
    nudge.keep_lifecycle_stages(), nudge.keep_segment_of_stages(), nudge.note_lifecycle(),
    nudge.lifecycle_horizon(interval), nudge.hear_lifecycle(timestamptz, interval),
    nudge.lifecycle_look(text, timestamptz, text[], jsonb[], text[], interval[], timestamptz),
    nudge.look_at_users(text[], text[], timestamptz),
    nudge.lifecycle_step(timestamptz, integer), nudge.run_lifecycle(timestamptz),
    nudge.poll_lifecycle(timestamptz, integer), nudge.prune_transitions()
    FROM PUBLIC;
