--
-- Restoring a dump
--
-- pg_restore -j loads tables in any order, and knows nothing of the foreign keys of
-- an extension's tables, which are there before the rows.  Rows of a dump were
-- good when they were dumped, so they are loaded without checks and side effects:
-- as for data that pg_dump itself writes keys and triggers after.
--
-- A dump shows in check_function_bodies, which pg_dump and pg_restore turn off and
-- which nobody else does.  Only sessions of a superuser, who could do so by hand,
-- are let through; the others' rows are checked as ever.
--

CREATE FUNCTION nudge.trust_restore() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT current_setting('check_function_bodies')::boolean
        AND (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user)
    THEN
        PERFORM set_config('session_replication_role', 'replica', true);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION nudge.trust_restore() IS
    'Leaves out foreign keys and triggers until the end of a transaction in which a superuser restores a dump';

CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.users
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.users IS 'Lets rows of a dump in as they are';
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.template_ids
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.template_ids IS 'Lets rows of a dump in as they are';
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.templates
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.templates IS 'Lets rows of a dump in as they are';
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.segments
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.segments IS 'Lets rows of a dump in as they are';
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.segment_members
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.segment_members IS 'Lets rows of a dump in as they are';
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.rules
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.rules IS 'Lets rows of a dump in as they are';
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.conditions
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.conditions IS 'Lets rows of a dump in as they are';
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.frequency_caps
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.frequency_caps IS 'Lets rows of a dump in as they are';
