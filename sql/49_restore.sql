--
-- Version 0.3.0: a restored dump is trusted for no longer than its statements
--
-- Where a dump is restored in one transaction, what comes after the rows of a table
-- is none of trust_restore's business.  Whether triggers fire for a row is decided as
-- the row is written, and for a statement when all rows are there, in any case before
-- the first trigger AFTER it fires: setting the role back there lets none in.
--
-- pg_nudge.trusted says which statement's table set the role, and what it had been: a
-- session that someone else made a replica stays one.
--

CREATE OR REPLACE FUNCTION nudge.trust_restore() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    trusted CONSTANT text[] := string_to_array(current_setting('pg_nudge.trusted', true), ' ');
BEGIN
    IF TG_WHEN = 'AFTER' THEN
        IF trusted[1] = TG_RELID::text THEN
            PERFORM set_config('session_replication_role', trusted[2], true),
                    set_config('pg_nudge.trusted', '', true);
        END IF;
    ELSIF NOT current_setting('check_function_bodies')::boolean
        AND (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user)
    THEN
        PERFORM set_config('pg_nudge.trusted', concat_ws(' ', TG_RELID, current_setting('session_replication_role')), true),
                set_config('session_replication_role', 'replica', true);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION nudge.trust_restore() IS
    'Leaves out foreign keys and triggers for a statement by which a superuser restores a dump';

-- Every table whose rows are trusted; the trigger fires in sessions that are replicas.
DO $$
DECLARE
    trusted regclass;
BEGIN
    FOR trusted IN
        SELECT t.tgrelid FROM pg_catalog.pg_trigger t
        WHERE t.tgfoid OPERATOR(pg_catalog.=) 'nudge.trust_restore()'::pg_catalog.regprocedure
    LOOP
        EXECUTE pg_catalog.format($f$
            CREATE TRIGGER z_trust_no_more AFTER INSERT ON %1$s
                FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
            ALTER TABLE %1$s ENABLE REPLICA TRIGGER z_trust_no_more;
            COMMENT ON TRIGGER z_trust_no_more ON %1$s IS 'Has what comes after the rows of a dump checked again'
        $f$, trusted);
    END LOOP;
END
$$;
