--
-- Access: what the kinds of users of pg_nudge may do
--
-- A table says it all, so that each part of pg_nudge adds rows for its objects.
-- Rows for objects that do not exist count for nothing.
--

CREATE TABLE nudge.access_rights (
    access     text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('table', 'routine')),
    object     text NOT NULL,
    privileges text NOT NULL,
    PRIMARY KEY (access, kind, object)
);
COMMENT ON TABLE nudge.access_rights IS 'Privileges that nudge.grant_access grants';
COMMENT ON COLUMN nudge.access_rights.object IS 'Name in schema nudge; a routine stands for all routines of the name';
COMMENT ON COLUMN nudge.access_rights.privileges IS 'As GRANT writes them';

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    -- action_id and recorded_at are the engine's
    ('app', 'table', 'actions',
     'INSERT (user_id, action_type, action_data, context, session_id, source, occurred_at)'),
    ('app', 'table', 'users',
     'SELECT (user_id, email, phone, push_token, timezone, locale, profile, behavior, preferences, created_at, updated_at), '
     'INSERT (user_id, email, phone, push_token, timezone, locale, profile, behavior, preferences, created_at, updated_at), '
     'UPDATE (email, phone, push_token, timezone, locale, profile, behavior, preferences, updated_at)'),
    ('app', 'routine', 'register_action', 'EXECUTE'),

    ('marketer', 'table', 'rules', 'SELECT, INSERT, UPDATE, DELETE'),
    ('marketer', 'table', 'conditions', 'SELECT, INSERT, UPDATE, DELETE'),
    ('marketer', 'table', 'frequency_caps', 'SELECT, INSERT, UPDATE, DELETE'),
    ('marketer', 'table', 'templates', 'SELECT, INSERT, UPDATE, DELETE'),
    ('marketer', 'table', 'template_ids', 'SELECT'),
    ('marketer', 'table', 'segments', 'SELECT, INSERT, UPDATE, DELETE'),
    ('marketer', 'table', 'segment_members', 'SELECT, INSERT, UPDATE, DELETE'),
    ('marketer', 'table', 'cap_counters', 'SELECT'),
    ('marketer', 'table', 'health', 'SELECT'),
    -- metadata may hold addresses, in what a provider says
    ('marketer', 'table', 'events',
     'SELECT (event_id, user_id, event_type, rule_id, pending_id, message_id, action_id, reason, flag, occurred_at, recorded_at)'),
    ('marketer', 'routine', 'create_rule', 'EXECUTE'),
    ('marketer', 'routine', 'rule_document', 'EXECUTE'),
    ('marketer', 'routine', 'evaluate', 'EXECUTE'),
    ('marketer', 'routine', 'explain', 'EXECUTE'),
    ('marketer', 'routine', 'render_template', 'EXECUTE'),
    ('marketer', 'routine', 'setting', 'EXECUTE'),

    ('mailer', 'routine', 'claim', 'EXECUTE'),
    ('mailer', 'routine', 'ack', 'EXECUTE'),
    ('mailer', 'routine', 'nack', 'EXECUTE'),
    ('mailer', 'routine', 'record_event', 'EXECUTE'),

    ('executor', 'routine', 'execute_pending', 'EXECUTE'),
    ('executor', 'routine', 'run', 'EXECUTE'),
    -- (of which run, as it commits, is made: it runs with the caller's rights)
    ('executor', 'routine', 'run_start', 'EXECUTE'),
    ('executor', 'routine', 'run_step', 'EXECUTE'),
    ('executor', 'routine', 'run_finish', 'EXECUTE'),
    ('executor', 'routine', 'doze', 'EXECUTE'),
    ('executor', 'routine', 'requeue', 'EXECUTE'),
    ('executor', 'routine', 'maintain', 'EXECUTE'),
    ('executor', 'routine', 'schedule_jobs', 'EXECUTE'),
    ('executor', 'routine', 'unschedule_jobs', 'EXECUTE'),
    ('executor', 'routine', 'job_commands', 'EXECUTE'),
    ('executor', 'routine', 'require_cron', 'EXECUTE'),
    ('executor', 'routine', 'setting', 'EXECUTE'),
    ('executor', 'table', 'jobs', 'SELECT'),
    ('executor', 'table', 'health', 'SELECT'),

    ('analyst', 'table', 'cap_counters', 'SELECT'),
    ('analyst', 'table', 'health', 'SELECT'),
    ('analyst', 'table', 'events',
     'SELECT (event_id, user_id, event_type, rule_id, pending_id, message_id, action_id, reason, flag, occurred_at, recorded_at)'),
    ('analyst', 'routine', 'setting', 'EXECUTE');

-- The clauses "<privileges> ON <object>" of an access; raises unless the caller
-- owns the schema and the access exists.
CREATE FUNCTION nudge.access_clauses(access text) RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known text[];
BEGIN
    IF NOT pg_has_role(current_user, (SELECT e.extowner FROM pg_extension e WHERE e.extname = 'pg_nudge'), 'USAGE') THEN
        RAISE EXCEPTION 'only the owner of pg_nudge may grant or revoke access to it' USING ERRCODE = '42501',
            HINT = 'Connect as the role that ran CREATE EXTENSION pg_nudge, or as a superuser.';
    END IF;
    known := ARRAY(SELECT DISTINCT r.access FROM nudge.access_rights r ORDER BY 1);
    IF access_clauses.access IS NULL OR access_clauses.access <> ALL (known) THEN
        RAISE EXCEPTION 'unknown access %', coalesce(quote_literal(access_clauses.access), 'NULL') USING ERRCODE = '22023',
            HINT = format('Accesses: %s.', array_to_string(known, ', '));
    END IF;
    RETURN QUERY
        SELECT 'USAGE ON SCHEMA nudge'
        UNION ALL
        SELECT format('%s ON nudge.%I', r.privileges, r.object)
        FROM nudge.access_rights r
        WHERE r.access = access_clauses.access AND r.kind = 'table'
            AND to_regclass(format('nudge.%I', r.object)) IS NOT NULL
        UNION ALL
        SELECT format('%s ON ROUTINE %s', r.privileges, p.oid::regprocedure)
        FROM nudge.access_rights r
        JOIN pg_proc p ON p.proname = r.object::name AND p.pronamespace = 'nudge'::regnamespace
        WHERE r.access = access_clauses.access AND r.kind = 'routine';
END
$$;
COMMENT ON FUNCTION nudge.access_clauses(text) IS 'Internal: what an access consists of, as in GRANT';

-- Whether a role has been granted all of an access, by whatever way.
CREATE FUNCTION nudge.has_access(role regrole, access text) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT has_schema_privilege(role, 'nudge', 'USAGE') AND NOT EXISTS (
        SELECT FROM nudge.access_rights r
        WHERE r.access = has_access.access AND CASE r.kind
            WHEN 'routine' THEN EXISTS (
                SELECT FROM pg_proc p
                WHERE p.proname = r.object::name AND p.pronamespace = 'nudge'::regnamespace
                    AND NOT has_function_privilege(role, p.oid, 'EXECUTE'))
            ELSE EXISTS (
                SELECT FROM regexp_matches(r.privileges, '([A-Z]+)(?: *\(([^)]*)\))?', 'g') AS m (parts)
                CROSS JOIN LATERAL unnest(coalesce(string_to_array(replace(m.parts[2], ' ', ''), ','), '{NULL}')) AS c (attname)
                WHERE to_regclass(format('nudge.%I', r.object)) IS NOT NULL
                    AND NOT CASE WHEN c.attname IS NULL
                                 THEN has_table_privilege(role, format('nudge.%I', r.object), m.parts[1])
                                 ELSE has_column_privilege(role, format('nudge.%I', r.object), c.attname, m.parts[1]) END)
            END)
$$;
COMMENT ON FUNCTION nudge.has_access(regrole, text) IS 'Whether a role may do all that an access allows';

CREATE FUNCTION nudge.grant_access(role regrole, access text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    clause text;
BEGIN
    IF role IS NULL THEN
        RAISE EXCEPTION 'role must not be null' USING ERRCODE = '22023', HINT = 'Pass the name of a role.';
    END IF;
    FOR clause IN SELECT c FROM nudge.access_clauses(access) AS c LOOP
        EXECUTE format('GRANT %s TO %s', clause, role);
    END LOOP;
END
$$;
COMMENT ON FUNCTION nudge.grant_access(regrole, text) IS
    'Grants a role what an app, a marketer, a mailer, an executor or an analyst needs, and no more; call it again after an upgrade';

-- What another access of the role needs as well stays, unless that other access is
-- but a part of this one (analyst of marketer): nobody could tell whether it had
-- been granted by itself.
CREATE FUNCTION nudge.revoke_access(role regrole, access text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    clauses text[];
    others  text[];
    other   text;
    clause  text;
BEGIN
    IF role IS NULL THEN
        RAISE EXCEPTION 'role must not be null' USING ERRCODE = '22023', HINT = 'Pass the name of a role.';
    END IF;
    clauses := ARRAY(SELECT c FROM nudge.access_clauses(access) AS c);
    others := ARRAY(SELECT DISTINCT r.access FROM nudge.access_rights r
                    WHERE r.access <> revoke_access.access AND nudge.has_access(role, r.access)
                        AND NOT EXISTS (SELECT FROM nudge.access_rights w
                                        WHERE w.access = revoke_access.access AND w.kind = r.kind
                                            AND w.object = r.object AND w.privileges = r.privileges)
                        AND NOT EXISTS (SELECT FROM pg_roles s WHERE s.oid = role AND s.rolsuper));
    FOREACH clause IN ARRAY clauses LOOP
        EXECUTE format('REVOKE %s FROM %s', clause, role);
    END LOOP;
    FOREACH other IN ARRAY others LOOP
        PERFORM nudge.grant_access(role, other);
    END LOOP;
END
$$;
COMMENT ON FUNCTION nudge.revoke_access(regrole, text) IS 'Takes an access back, with accesses that are part of it';
