--
-- Users that are refused
--
\pset format unaligned
\pset tuples_only on

\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
CREATE FUNCTION pg_temp.rows() RETURNS TABLE (relation text, n bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR relation IN SELECT c.oid::regclass FROM pg_class c
                    WHERE c.relnamespace = 'nudge'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*) FROM %s', relation) INTO n;
        RETURN NEXT;
    END LOOP;
END
$$;
INSERT INTO nudge.users (user_id) VALUES ('user_errors');
CREATE TEMPORARY TABLE rows_before AS SELECT * FROM pg_temp.rows();
CREATE FUNCTION pg_temp.bad(columns text, vals text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused(format('INSERT INTO nudge.users (user_id, %s) VALUES (''user_errors_new'', %s)', columns, vals))
$$;
SELECT pg_temp.bad('timezone', $$'Mars/Olympus_Mons'$$);
SELECT pg_temp.bad('timezone', $$''$$);
SELECT pg_temp.bad('timezone', $$'FOO5'$$);
SELECT pg_temp.bad('timezone', $$'<UTC>-3'$$);
SELECT pg_temp.bad('timezone', $$'Europe/Berlin2'$$);
SELECT pg_temp.bad('timezone', $$'Etc/GMT+13'$$);
SELECT pg_temp.bad('timezone', $$'+02:00'$$);
SELECT pg_temp.bad('timezone', $$'../../etc/passwd'$$);
SELECT pg_temp.bad('timezone', 'repeat($$x$$, 1000)') ~ '^22023';
SELECT pg_temp.bad('email', $$'nobody'$$) ~ '^23514';
SELECT pg_temp.bad('email', $$E'a@b.example\nBcc: c@d.example'$$) ~ '^23514';
SELECT pg_temp.bad('phone', $$E'1\r2'$$) ~ '^23514';
SELECT pg_temp.bad('profile', $$'[]'$$) ~ '^23514';
SELECT pg_temp.bad('behavior', $$'3'$$) ~ '^23514';
SELECT pg_temp.bad('preferences', 'NULL') ~ '^23502';
SELECT pg_temp.refused($$INSERT INTO nudge.users (user_id) VALUES ('')$$) ~ '^23514';
SELECT pg_temp.refused($$UPDATE nudge.users SET timezone = 'Nowhere' WHERE user_id = 'user_errors'$$);

\echo tables whose number of rows changed:
SELECT b.relation, b.n, a.n FROM rows_before b FULL JOIN pg_temp.rows() a USING (relation) WHERE a.n IS DISTINCT FROM b.n;

-- Good names, in any case, with digits too
INSERT INTO nudge.users (user_id, timezone) VALUES
    ('user_errors_1', 'Europe/Berlin'), ('user_errors_2', 'america/port-au-prince'), ('user_errors_3', 'UTC'),
    ('user_errors_4', 'Etc/GMT+12'), ('user_errors_5', 'Etc/GMT-14'), ('user_errors_6', 'Asia/Kolkata'), ('user_errors_7', NULL);
SELECT user_id, timezone FROM nudge.users WHERE user_id LIKE 'user_errors_%' ORDER BY user_id;
-- Every name that PostgreSQL lists is good.
SELECT name FROM pg_timezone_names
WHERE name !~ '^posix/' AND pg_temp.refused(format('INSERT INTO nudge.users (user_id, timezone) VALUES (%L, %L)', 'user_errors_y' || name, name)) NOT LIKE 'ACCEPTED%'
ORDER BY name;
-- updated_at follows UPDATE
INSERT INTO nudge.users (user_id, updated_at) VALUES ('user_errors_old', '2020-01-01');
UPDATE nudge.users SET locale = 'de' WHERE user_id = 'user_errors_old' RETURNING updated_at = now();
DELETE FROM nudge.users WHERE user_id LIKE 'user\_errors%';
