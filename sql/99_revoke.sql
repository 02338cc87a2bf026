--
-- Privileges: the last part
--
-- Functions can be executed by PUBLIC unless that is revoked, and default
-- privileges of the installing role may have granted more.  This part stands at
-- the end of the install script only.  In an upgrade script it would make
-- PostgreSQL take what had been granted by then for privileges that come with the
-- extension, and pg_dump leave it out.  So parts that an upgrade script is made of
-- revoke by themselves what they create.
--

REVOKE ALL ON ALL TABLES IN SCHEMA nudge FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA nudge FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA nudge FROM PUBLIC;
