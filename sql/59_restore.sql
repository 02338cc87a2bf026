--
-- Version 0.4.0: a restored dump is trusted for no longer than its statements
-- (49_restore.sql), also for the tables of this version
--

DO $$
DECLARE
    trusted regclass;
BEGIN
    FOR trusted IN
        SELECT t.tgrelid FROM pg_catalog.pg_trigger t
        WHERE t.tgfoid OPERATOR(pg_catalog.=) 'nudge.trust_restore()'::pg_catalog.regprocedure
        EXCEPT
        SELECT t.tgrelid FROM pg_catalog.pg_trigger t
        WHERE t.tgname OPERATOR(pg_catalog.=) 'z_trust_no_more'
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
