--
-- Changes of data: application tables that are watched, and the one that nudge.users
-- is kept in step with
--
-- What is watched or synchronised stands in the arguments of triggers on the
-- application's table, and therefore comes and goes with the table, in a dump too.
--

--
-- Watched tables
--

CREATE FUNCTION nudge.watch() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_watch';
COMMENT ON FUNCTION nudge.watch() IS
    'Trigger function of watched tables: makes an action of each change; arguments: the column with the user, the action''s type, the watched columns (none: all)';
REVOKE ALL ON FUNCTION nudge.watch() FROM PUBLIC;

CREATE FUNCTION nudge.watch_users() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_watch_users';
COMMENT ON FUNCTION nudge.watch_users() IS
    'Trigger function of nudge.users: makes an action profile_updated of each change, unless nudge.watch_users is off';
REVOKE ALL ON FUNCTION nudge.watch_users() FROM PUBLIC;

CREATE TRIGGER watch_users AFTER UPDATE ON nudge.users
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.watch_users();
COMMENT ON TRIGGER watch_users ON nudge.users IS
    'Makes an action profile_updated of each change of a user';

-- Raises unless triggers may be put on the table, by the caller, that see all of its
-- changes.
CREATE FUNCTION nudge.check_source_table(source regclass, purpose text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c    record;
    away regclass;
BEGIN
    IF source IS NULL THEN
        RAISE EXCEPTION 'table must not be null' USING ERRCODE = '22023', HINT = 'Pass the name of a table.';
    END IF;
    SELECT r.relkind, r.relowner, r.relispartition, r.relnamespace::regnamespace::text AS namespace,
           r.relpersistence, (SELECT i.inhparent::regclass FROM pg_inherits i WHERE i.inhrelid = r.oid LIMIT 1) AS parent
    INTO c
    FROM pg_class r WHERE r.oid = source;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no table with the id %', source::oid USING ERRCODE = '42P01',
            HINT = 'Pass the name of a table.';
    END IF;
    IF c.relkind NOT IN ('r', 'p') THEN
        RAISE EXCEPTION '% cannot be %: it is a %', source, purpose,
            CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
                           WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' WHEN 'I' THEN 'partitioned index'
                           WHEN 'c' THEN 'composite type' ELSE 'TOAST table' END
            USING ERRCODE = '42809',
                DETAIL = 'Only changes of ordinary and of partitioned tables can be followed.',
                HINT = 'Pass the table whose rows change.';
    END IF;
    IF c.namespace IN ('nudge', 'pg_catalog', 'information_schema') THEN
        RAISE EXCEPTION '% cannot be %: it is not a table of an application', source, purpose
            USING ERRCODE = '42809',
                HINT = 'Changes of nudge.users become actions profile_updated by themselves.';
    END IF;
    IF c.relispartition THEN
        RAISE EXCEPTION '% cannot be %: it is a partition', source, purpose USING ERRCODE = '42809',
            DETAIL = format('Statements on %s do not fire triggers of its partitions.', c.parent),
            HINT = format('Pass %s.', c.parent);
    END IF;
    -- (with such triggers PostgreSQL refuses statements that reach foreign tables)
    WITH RECURSIVE below AS (
        SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = source
        UNION
        SELECT i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.inhrelid)
    SELECT f.oid::regclass INTO away FROM below b JOIN pg_class f ON f.oid = b.inhrelid
    WHERE f.relkind = 'f' ORDER BY f.oid LIMIT 1;
    IF away IS NOT NULL THEN
        RAISE EXCEPTION '% cannot be %: % is a foreign table', source, purpose, away USING ERRCODE = '42809',
            DETAIL = format('Statements on %s could not change rows of %s any more.', source, away),
            HINT = 'Keep rows that live elsewhere in a table of their own.';
    END IF;
    IF NOT pg_has_role(current_user, c.relowner, 'USAGE') THEN
        RAISE EXCEPTION 'must be owner of table %', source USING ERRCODE = '42501',
            HINT = 'Have its owner, or a superuser, call the function.';
    END IF;
    IF c.parent IS NOT NULL THEN
        RAISE WARNING '% inherits from %', source, c.parent
            USING HINT = format('Changes through %s will not be seen.', c.parent);
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.check_source_table(regclass, text) IS
    'Internal: raises unless the caller may have changes of the table followed';
REVOKE ALL ON FUNCTION nudge.check_source_table(regclass, text) FROM PUBLIC;

-- Raises unless all are columns of the table.
CREATE FUNCTION nudge.check_source_columns(source regclass, columns name[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known name[] := ARRAY(SELECT a.attname FROM pg_attribute a
                          WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum);
    c     name;
BEGIN
    FOREACH c IN ARRAY columns LOOP
        IF c IS NULL THEN
            RAISE EXCEPTION 'the name of a column must not be null' USING ERRCODE = '22023',
                HINT = format('Columns of %s: %s.', source, array_to_string(known, ', '));
        ELSIF c <> ALL (known) THEN
            RAISE EXCEPTION 'table % has no column %', source, quote_ident(c) USING ERRCODE = '42703',
                HINT = format('Its columns: %s.', array_to_string(known, ', '));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION nudge.check_source_columns(regclass, name[]) IS
    'Internal: raises unless the table has all of the columns';
REVOKE ALL ON FUNCTION nudge.check_source_columns(regclass, name[]) FROM PUBLIC;

-- Puts the three triggers on a table.  They go with the extension: DROP EXTENSION
-- needs no CASCADE for them.
CREATE FUNCTION nudge.put_triggers(source regclass, prefix text, function text, arguments text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    e record;
BEGIN
    FOR e IN SELECT * FROM (VALUES ('insert', 'NEW TABLE AS new_rows'),
                                   ('update', 'OLD TABLE AS old_rows NEW TABLE AS new_rows'),
                                   ('delete', 'OLD TABLE AS old_rows')) AS v (event, tables) LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s REFERENCING %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION nudge.%I(%s)',
            prefix || e.event, e.event, source, e.tables, function,
            (SELECT string_agg(quote_literal(a.a), ', ' ORDER BY a.n) FROM unnest(arguments) WITH ORDINALITY AS a (a, n)));
        EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION pg_nudge', prefix || e.event, source);
    END LOOP;
END
$$;
COMMENT ON FUNCTION nudge.put_triggers(regclass, text, text, text[]) IS
    'Internal: has changes of a table followed';
REVOKE ALL ON FUNCTION nudge.put_triggers(regclass, text, text, text[]) FROM PUBLIC;

-- Whether there were any
CREATE FUNCTION nudge.drop_triggers(source regclass, function regprocedure) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_any boolean := false;
    t         name;
BEGIN
    IF source IS NULL THEN
        RAISE EXCEPTION 'table must not be null' USING ERRCODE = '22023', HINT = 'Pass the name of a table.';
    END IF;
    FOR t IN SELECT g.tgname FROM pg_trigger g WHERE g.tgrelid = source AND g.tgfoid = function AND NOT g.tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', t, source);
        found_any := true;
    END LOOP;
    RETURN found_any;
END
$$;
COMMENT ON FUNCTION nudge.drop_triggers(regclass, regprocedure) IS
    'Internal: has changes of a table no longer followed; whether they were';
REVOKE ALL ON FUNCTION nudge.drop_triggers(regclass, regprocedure) FROM PUBLIC;

CREATE FUNCTION nudge.watch_table("table" regclass, user_id_column name,
                                  columns name[] DEFAULT NULL, action_type text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source CONSTANT regclass := watch_table."table";
    type_name text := watch_table.action_type;
BEGIN
    PERFORM nudge.check_source_table(source, 'watched');
    IF watch_table.user_id_column IS NULL THEN
        RAISE EXCEPTION 'user_id_column must not be null' USING ERRCODE = '22023',
            HINT = 'Pass the column that says which user a row belongs to.';
    END IF;
    PERFORM nudge.check_source_columns(source, ARRAY[watch_table.user_id_column]);
    IF cardinality(watch_table.columns) = 0 THEN
        RAISE EXCEPTION 'columns must not be empty' USING ERRCODE = '22023',
            HINT = 'Pass the columns to watch, or NULL for all.';
    END IF;
    PERFORM nudge.check_source_columns(source, coalesce(watch_table.columns, '{}'));
    type_name := coalesce(type_name, (SELECT c.relname || '_changed' FROM pg_class c WHERE c.oid = source));
    IF octet_length(type_name) NOT BETWEEN 1 AND 1024 THEN
        RAISE EXCEPTION 'action_type must have 1 to 1,024 bytes' USING ERRCODE = '22023',
            DETAIL = format('It has %s bytes.', octet_length(type_name)),
            HINT = 'Pass a short name such as order_changed, or NULL for the table''s name and _changed.';
    END IF;
    PERFORM nudge.put_triggers(source, 'nudge_watch_', 'watch',
        ARRAY[watch_table.user_id_column::text, type_name] || coalesce(watch_table.columns, '{}')::text[]);
END
$$;
COMMENT ON FUNCTION nudge.watch_table(regclass, name, name[], text) IS
    'Makes an action of each change in a table: of the user in user_id_column, of the given type (the table''s name and _changed), with changed {column: {old, new}}, table and operation, where one of the columns (NULL: all) changed; replaces what was watched before';
REVOKE ALL ON FUNCTION nudge.watch_table(regclass, name, name[], text) FROM PUBLIC;

CREATE FUNCTION nudge.unwatch_table("table" regclass) RETURNS boolean
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT nudge.drop_triggers("table", 'nudge.watch()')
$$;
COMMENT ON FUNCTION nudge.unwatch_table(regclass) IS
    'Changes of the table no longer become actions; whether they did';
REVOKE ALL ON FUNCTION nudge.unwatch_table(regclass) FROM PUBLIC;

-- Arguments of triggers follow each other in tgargs, each with a zero byte at its end.
CREATE VIEW nudge.watched_tables AS
    SELECT t.tgrelid::regclass AS table_name, a.arguments[1]::name AS user_id_column,
           nullif(a.arguments[3:]::name[], '{}') AS columns, a.arguments[2] AS action_type,
           ARRAY(SELECT c.c::name FROM unnest(a.arguments[1:1] || a.arguments[3:]) AS c (c)
                 WHERE NOT EXISTS (SELECT FROM pg_attribute b
                                   WHERE b.attrelid = t.tgrelid AND b.attname = c.c::name
                                       AND b.attnum > 0 AND NOT b.attisdropped)) AS missing_columns
    FROM pg_trigger t
    CROSS JOIN LATERAL (
        SELECT array_agg(convert_from(decode(p.p, 'hex'), getdatabaseencoding()) ORDER BY p.n) AS arguments
        FROM unnest(string_to_array(regexp_replace(encode(t.tgargs, 'hex'), '(..)', '\1 ', 'g'), '00 '))
            WITH ORDINALITY AS p (p, n)
        WHERE p.n <= t.tgnargs) AS a
    WHERE t.tgfoid = 'nudge.watch()'::regprocedure AND NOT t.tgisinternal AND t.tgnargs >= 2
        AND t.tgtype & 16 <> 0;
COMMENT ON VIEW nudge.watched_tables IS 'Application tables whose changes become actions (nudge.watch_table)';
COMMENT ON COLUMN nudge.watched_tables.columns IS 'NULL: all';
COMMENT ON COLUMN nudge.watched_tables.missing_columns IS
    'Columns that were dropped or renamed, and are not watched any more';
REVOKE ALL ON TABLE nudge.watched_tables FROM PUBLIC;

--
-- The application's table of users
--

CREATE FUNCTION nudge.copy_attributes(target jsonb, source jsonb, paths text[]) RETURNS jsonb
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nudge_copy_attributes';
COMMENT ON FUNCTION nudge.copy_attributes(jsonb, jsonb, text[]) IS
    'Internal: target with what source has at the paths (such as address.city), and without what it has not';
REVOKE ALL ON FUNCTION nudge.copy_attributes(jsonb, jsonb, text[]) FROM PUBLIC;

CREATE FUNCTION nudge.sync() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_sync';
COMMENT ON FUNCTION nudge.sync() IS
    'Trigger function of an application''s table of users: keeps nudge.users in step; argument: the mapping';
REVOKE ALL ON FUNCTION nudge.sync() FROM PUBLIC;

CREATE FUNCTION nudge.backfill_users("table" regclass, mapping jsonb) RETURNS bigint
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'nudge_backfill_users';
COMMENT ON FUNCTION nudge.backfill_users(regclass, jsonb) IS
    'Internal: takes the rows of an application''s table over into nudge.users; how many';
REVOKE ALL ON FUNCTION nudge.backfill_users(regclass, jsonb) FROM PUBLIC;

CREATE FUNCTION nudge.check_sync_mapping(source regclass, mapping jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    allowed CONSTANT text :=
        'Allowed: user_id, email, phone, push_token, timezone, locale, and profile.…, behavior.…, preferences.… with a name.';
    m     record;
    other text;
BEGIN
    IF mapping IS NULL OR jsonb_typeof(mapping) <> 'object' THEN
        RAISE EXCEPTION 'mapping must be a JSON object, not %', coalesce(jsonb_typeof(mapping), 'NULL') USING ERRCODE = '22023',
            HINT = 'Pass {"user_id": "id", "email": "email", "profile.first_name": "given_name"} with the columns of your table.';
    END IF;
    FOR m IN SELECT e.key, e.value, e.value #>> '{}' AS column_name FROM jsonb_each(mapping) AS e LOOP
        IF m.key !~ '^(user_id|email|phone|push_token|timezone|locale|(profile|behavior|preferences)(\.[^.]+)+)$' THEN
            RAISE EXCEPTION 'nudge.users has no attribute %', quote_literal(left(m.key, 200)) USING ERRCODE = '22023', HINT = allowed;
        END IF;
        IF length(m.key) - length(replace(m.key, '.', '')) > 64 THEN
            RAISE EXCEPTION 'path % is too deep', quote_literal(left(m.key, 200)) USING ERRCODE = '54001',
                DETAIL = 'Paths may have 64 names.', HINT = 'Map the column to a shorter path.';
        END IF;
        IF jsonb_typeof(m.value) <> 'string' THEN
            RAISE EXCEPTION 'mapping of % must name a column, not be of type %', m.key, jsonb_typeof(m.value)
                USING ERRCODE = '22023', HINT = 'Leave out attributes that your table does not have.';
        END IF;
        IF NOT EXISTS (SELECT FROM pg_attribute a
                       WHERE a.attrelid = source AND a.attname::text = m.column_name AND a.attnum > 0 AND NOT a.attisdropped) THEN
            RAISE EXCEPTION 'table % has no column %, which % is mapped to', source, quote_ident(left(m.column_name, 200)), m.key
                USING ERRCODE = '42703',
                    HINT = format('Its columns: %s.', (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a
                                                       WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped));
        END IF;
        SELECT k INTO other FROM jsonb_object_keys(mapping) AS k WHERE starts_with(k, m.key || '.') ORDER BY k LIMIT 1;
        IF other IS NOT NULL THEN
            RAISE EXCEPTION '% and % cannot both be mapped', m.key, other USING ERRCODE = '22023',
                DETAIL = 'One of them contains the other.', HINT = 'Leave one of them out.';
        END IF;
    END LOOP;
    IF NOT mapping ? 'user_id' THEN
        RAISE EXCEPTION 'mapping must say which column is the user_id' USING ERRCODE = '22023', HINT = allowed;
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.check_sync_mapping(regclass, jsonb) IS
    'Internal: raises unless nudge.sync_users can take the mapping';
REVOKE ALL ON FUNCTION nudge.check_sync_mapping(regclass, jsonb) FROM PUBLIC;

-- Creating the triggers locks the table against changes until the transaction ends;
-- in READ COMMITTED the backfill then sees all that was committed before.
CREATE FUNCTION nudge.sync_users("table" regclass, mapping jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source CONSTANT regclass := sync_users."table";
BEGIN
    PERFORM nudge.check_source_table(source, 'followed by nudge.users');
    PERFORM nudge.check_sync_mapping(source, sync_users.mapping);
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'nudge.sync_users() needs transaction isolation level READ COMMITTED' USING ERRCODE = '25001',
            DETAIL = 'Rows that were committed since the transaction began would be missed.',
            HINT = 'Call it in a transaction of its own.';
    END IF;
    PERFORM nudge.put_triggers(source, 'nudge_sync_', 'sync', ARRAY[sync_users.mapping::text]);
    RETURN nudge.backfill_users(source, sync_users.mapping);
END
$$;
COMMENT ON FUNCTION nudge.sync_users(regclass, jsonb) IS
    'Keeps nudge.users in step with an application''s table: mapping says which column user_id, email, profile.first_name and so on come from; takes over the rows that are there and returns how many; replaces an earlier mapping';
REVOKE ALL ON FUNCTION nudge.sync_users(regclass, jsonb) FROM PUBLIC;

CREATE FUNCTION nudge.unsync_users("table" regclass) RETURNS boolean
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT nudge.drop_triggers("table", 'nudge.sync()')
$$;
COMMENT ON FUNCTION nudge.unsync_users(regclass) IS
    'nudge.users no longer follows the table, and stays as it is; whether it did';
REVOKE ALL ON FUNCTION nudge.unsync_users(regclass) FROM PUBLIC;

CREATE VIEW nudge.synced_tables AS
    SELECT s.table_name, s.mapping,
           ARRAY(SELECT e.value::name FROM jsonb_each_text(s.mapping) AS e
                 WHERE NOT EXISTS (SELECT FROM pg_attribute b
                                   WHERE b.attrelid = s.table_name AND b.attname = e.value::name
                                       AND b.attnum > 0 AND NOT b.attisdropped)
                 ORDER BY e.key) AS missing_columns
    FROM (SELECT t.tgrelid::regclass AS table_name,
                 convert_from(substring(t.tgargs FROM 1 FOR octet_length(t.tgargs) - 1), getdatabaseencoding())::jsonb AS mapping
          FROM pg_trigger t
          WHERE t.tgfoid = 'nudge.sync()'::regprocedure AND NOT t.tgisinternal AND t.tgnargs = 1
              AND t.tgtype & 16 <> 0) AS s;
COMMENT ON VIEW nudge.synced_tables IS 'Application tables that nudge.users follows (nudge.sync_users)';
COMMENT ON COLUMN nudge.synced_tables.missing_columns IS
    'Columns that were dropped or renamed, and are not followed any more';
REVOKE ALL ON TABLE nudge.synced_tables FROM PUBLIC;

-- As before, and columns that nudge.watch_table and nudge.sync_users were given and
-- that are gone, and what nudge.run_timers has still to look at
CREATE OR REPLACE VIEW nudge.health AS
    WITH clock AS MATERIALIZED (
        SELECT pg_catalog.clock_timestamp() AS now_at,
               nudge.setting('max_pending_triggers')::bigint AS max_pending
    ),
    depth AS MATERIALIZED (
        SELECT p.priority, count(*) AS total,
               count(*) FILTER (WHERE p.due_at <= c.now_at) AS due,
               count(*) FILTER (WHERE p.status = 'failed') AS failed,
               count(*) FILTER (WHERE p.due_at < c.now_at - CASE p.priority
                                            WHEN 'immediate' THEN interval '10 s'
                                            WHEN 'high' THEN interval '5 min'
                                            WHEN 'normal' THEN interval '30 min'
                                            ELSE interval '2 h' END) AS missed,
               min(p.due_at) FILTER (WHERE p.due_at <= c.now_at) AS oldest_due
        FROM nudge.pending p CROSS JOIN clock c
        WHERE p.status <> 'dead'
        GROUP BY p.priority
    ),
    pending AS (
        SELECT coalesce(sum(d.total), 0)::bigint AS pending,
               jsonb_object_agg(v.priority, jsonb_build_object('due', coalesce(d.due, 0),
                                                               'waiting', coalesce(d.total - d.due, 0)))
                   AS pending_by_priority,
               min(d.oldest_due) AS oldest_due,
               coalesce(sum(d.missed), 0)::bigint AS promises_missed,
               coalesce(sum(d.failed), 0)::bigint AS failed
        FROM unnest(enum_range(NULL::nudge.priority)) AS v (priority)
        LEFT JOIN depth d ON d.priority = v.priority
    ),
    dead AS (
        SELECT count(*) AS dead FROM nudge.pending p WHERE p.status = 'dead'
    ),
    queue AS (
        SELECT count(*) FILTER (WHERE q.status = 'ready') AS outbox_ready,
               count(*) FILTER (WHERE q.status = 'claimed') AS outbox_claimed,
               min(q.available_at) FILTER (WHERE q.status = 'ready' AND q.available_at <= c.now_at) AS outbox_oldest_ready,
               count(*) FILTER (WHERE q.status = 'claimed' AND q.lease_until <= c.now_at) AS leases_over,
               count(*) FILTER (WHERE q.status = 'claimed' AND q.lease_until <= c.now_at - interval '5 min') AS abandoned
        FROM nudge.message_queue q CROSS JOIN clock c
    ),
    runs AS (
        SELECT max(coalesce(r.finished_at, r.started_at)) AS executor_last_run FROM nudge.executor_runs r
    ),
    tallies AS (
        SELECT coalesce(sum(t.amount) FILTER (WHERE t.tally = 'history_rows'), 0)::bigint AS history_rows,
               coalesce(sum(t.amount) FILTER (WHERE t.tally = 'unknown_message_events'), 0)::bigint AS unknown_message_events
        FROM nudge.tallies t
    ),
    -- the month up to which every table has its partitions
    ahead AS (
        SELECT CASE WHEN count(n.newest) = count(*) THEN min(n.newest) END AS newest
        FROM (SELECT t.parent, max(p.lower_bound) AS newest
              FROM nudge.partitioned_tables t
              LEFT JOIN nudge.partitions p ON p.parent = t.parent
              GROUP BY t.parent) n
    ),
    sources AS (
        SELECT coalesce(array_agg(s.missing ORDER BY s.missing), '{}') AS missing_columns
        FROM (SELECT format('%s.%I', w.table_name, m) COLLATE "default" AS missing FROM nudge.watched_tables w, unnest(w.missing_columns) AS m
              UNION
              SELECT format('%s.%I', y.table_name, m) COLLATE "default" FROM nudge.synced_tables y, unnest(y.missing_columns) AS m) AS s
    ),
    signals AS (
        SELECT count(*) AS timer_signals, min(g.at) AS oldest_timer_signal FROM nudge.timer_signals g
    )
    SELECT coalesce(nullif(concat_ws('; ',
               CASE WHEN p.promises_missed > 0
                    THEN format('triggers past their promised time: %s', p.promises_missed) END,
               CASE WHEN p.oldest_due < c.now_at - interval '2 min'
                        AND coalesce(r.executor_last_run, '-infinity') < c.now_at - interval '2 min'
                    THEN 'the executor is not running' END,
               CASE WHEN p.pending > c.max_pending
                    THEN format('pending triggers: %s, more than nudge.max_pending_triggers', p.pending) END,
               CASE WHEN d.dead > 0
                    THEN format('dead triggers that wait for nudge.requeue: %s', d.dead) END,
               CASE WHEN q.outbox_oldest_ready < c.now_at - interval '1 h'
                    THEN 'messages have been ready for over an hour: no mailer keeps up' END,
               CASE WHEN q.abandoned > 0
                    THEN format('claimed messages that no mailer has reported or taken over: %s', q.abandoned) END,
               CASE WHEN coalesce(a.newest, '-infinity') < c.now_at
                    THEN 'partitions have not been made ahead: call nudge.maintain()' END,
               CASE WHEN s.missing_columns <> '{}'
                    THEN format('watched or followed columns that are gone: %s', array_to_string(s.missing_columns, ', ')) END), ''), 'ok') AS status,
           p.pending, p.pending_by_priority, p.oldest_due, p.promises_missed,
           d.dead, p.failed,
           c.max_pending AS max_pending_triggers, p.pending > c.max_pending AS over_max_pending,
           r.executor_last_run,
           q.outbox_ready, q.outbox_claimed, q.outbox_oldest_ready, q.leases_over,
           t.history_rows, t.unknown_message_events,
           to_char(a.newest AT TIME ZONE 'UTC', 'YYYY-MM') AS partitions,
           s.missing_columns,
           g.timer_signals, g.oldest_timer_signal
    FROM clock c, pending p, dead d, queue q, runs r, tallies t, ahead a, sources s, signals g;
COMMENT ON COLUMN nudge.health.timer_signals IS
    'Actions and changes of users that schedules go by and that nudge.run_timers has not looked at yet';
COMMENT ON COLUMN nudge.health.oldest_timer_signal IS
    'Since when the oldest of them waits; NULL: there is none';
COMMENT ON COLUMN nudge.health.missing_columns IS
    'Columns that nudge.watch_table or nudge.sync_users were given, and that were dropped or renamed since';

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('app', 'routine', 'watch_table', 'EXECUTE'),
    ('app', 'routine', 'unwatch_table', 'EXECUTE'),
    -- (of which those two, as they work with the rights of the table's owner, are made)
    ('app', 'routine', 'watch', 'EXECUTE'),
    ('app', 'routine', 'check_source_table', 'EXECUTE'),
    ('app', 'routine', 'check_source_columns', 'EXECUTE'),
    ('app', 'routine', 'put_triggers', 'EXECUTE'),
    ('app', 'routine', 'drop_triggers', 'EXECUTE'),
    ('app', 'table', 'watched_tables', 'SELECT'),
    ('marketer', 'table', 'watched_tables', 'SELECT'),
    ('marketer', 'table', 'synced_tables', 'SELECT');
