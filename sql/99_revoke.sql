--
-- Privileges: the last part
--
-- Functions can be executed by PUBLIC unless that is revoked, and default
-- privileges of the installing role may have granted more.  This part stands at
-- the end of the install script and has to be repeated at the end of every
-- upgrade script that creates something.
--

REVOKE ALL ON ALL TABLES IN SCHEMA nudge FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA nudge FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA nudge FROM PUBLIC;
