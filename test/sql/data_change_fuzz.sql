--
-- Tables of odd names, types and kinds, watched and followed by mappings that are right
-- or wrong: nudge.watch_table and nudge.sync_users take them or refuse them and change
-- nothing; whatever the application does with its table afterwards works as on a
-- twin without triggers.
--
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL statement_timeout = 0;
SELECT setseed(0.48);

CREATE SCHEMA "fuzzed Schéma";
CREATE TYPE "fuzzed Schéma".mood AS ENUM ('sad', 'hap"py');
CREATE TYPE "fuzzed Schéma".pair AS (a int, b text);
CREATE DOMAIN "fuzzed Schéma".positive AS int CHECK (value > 0);
CREATE DOMAIN "fuzzed Schéma".numbers AS int[];
-- Types, and values of them
CREATE TEMP TABLE kinds (n int GENERATED ALWAYS AS IDENTITY, type text, examples text[]);
INSERT INTO kinds (type, examples) VALUES
    ('text', ARRAY['', 'a', 'é', 'x@example.org', 'Europe/Oslo', repeat('z', 70000), E'\n']), ('varchar(60)', '{"",A,"b "}'), ('char(5)', '{"","b "}'),
    ('"char"', '{"",a}'), ('name', '{"",a}'), ('int', '{0,1,2}'), ('bigint', '{3}'), ('numeric', '{1.0,1.00,NaN,Infinity}'), ('float8', '{-0,NaN,Infinity}'),
    ('bool', '{t,f}'), ('date', '{infinity,2020-02-29,"4713-01-01 BC"}'), ('timestamptz', '{-infinity,294276-01-01}'), ('timetz', '{24:00}'),
    ('interval', '{-178000000 years}'), ('uuid', '{00000000-0000-0000-0000-000000000001}'), ('bytea', '{"",\\x00ff}'),
    ('json', ARRAY['null', '{"a": 1, "a": 2}', '"\u0000"', '[1e131072]', repeat('[', 300) || repeat(']', 300)]),
    ('jsonb', ARRAY['null', '{}', '{"a": {"b": {"c": 1}}}', '[null]', '"x"', '{"": ""}', repeat('[', 300) || repeat(']', 300)]),
    ('int[]', ARRAY['{}', '{1,NULL}', '[2:3]={1,2}', '{{1,2},{3,4}}']), ('text[]', ARRAY['{}', '{NULL,a}']), ('xml', '{<a/>}'),
    ('"fuzzed Schéma".mood', '{sad,"hap\"py"}'), ('"fuzzed Schéma".mood[]', ARRAY['{sad,NULL}']), ('"fuzzed Schéma".pair', ARRAY['(1,x)', '(,)']),
    ('"fuzzed Schéma".pair[]', ARRAY['{"(1,x)",NULL}']), ('"fuzzed Schéma".positive', '{1,2}'), ('"fuzzed Schéma".numbers', ARRAY['{1,2}']),
    ('point', ARRAY['(1,2)', '(NaN,Infinity)']), ('int4range', ARRAY['empty', '[1,)']), ('tsvector', '{a}'), ('inet', '{1.2.3.4}'), ('bit(3)', '{101}'),
    ('money', '{1}'), ('oid', '{7}'), ('regclass', '{pg_class,12345678}'), ('tid', ARRAY['(0,1)']), ('oidvector', '{1 2}'), ('jsonpath', '{$.a}'),
    ('information_schema.yes_or_no', '{YES}');

CREATE FUNCTION pg_temp.pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT choices[1 + floor(random() * cardinality(choices))::int]
$$;
CREATE FUNCTION pg_temp.column_name() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT pg_temp.pick('id', 'Id', 'user id', 'naïve', '日本', 'a"b', 'a''b', E'a\\b', 'a.b', 'select', ' ', '{', '"', ',', '%I', '$1', E'nl\n', 'old_rows', 'NULL', 'changed', repeat('n', 63), repeat('é', 31))
$$;
CREATE FUNCTION pg_temp.example(of_type text) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN random() < 0.2 THEN 'NULL' ELSE quote_literal(pg_temp.pick(VARIADIC examples)) END FROM kinds WHERE type = of_type
$$;
CREATE FUNCTION pg_temp.mapping(columns text[]) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    m jsonb := jsonb_build_object('user_id', pg_temp.pick(VARIADIC columns));
BEGIN
    FOR i IN 1 .. floor(random() * 6)::int LOOP
        m := m || jsonb_build_object(pg_temp.pick('email', 'phone', 'push_token', 'timezone', 'locale', 'profile.a', 'profile.b.c', 'profile.b.d', 'behavior.é',
                                                  'preferences.email_enabled', 'profile.' || repeat('x', 5000), 'profile' || repeat('.a', 64)),
                                     pg_temp.pick(VARIADIC columns));
    END LOOP;
    RETURN CASE floor(random() * 20)
        WHEN 0 THEN pg_temp.pick('null', '[]', '1', '"x"', '{}')::jsonb
        WHEN 1 THEN m - 'user_id'
        WHEN 2 THEN m || pg_temp.pick('{"profile": "id"}', '{"profile.": "id"}', '{"Email": "id"}', '{"": "id"}', '{"profile.a.b.c": "id", "profile.a.b": "id"}')::jsonb
        WHEN 3 THEN m || jsonb_build_object('email', pg_temp.pick('null', '1', '[]', '{}', '"ctid"', '"no such"', '""')::jsonb)
        WHEN 4 THEN m || jsonb_build_object('profile' || repeat('.a', 100000), columns[1])
        ELSE m END;
END
$$;
-- What a statement ends with; (columns that are gone are the twin's error as well)
CREATE FUNCTION pg_temp.state_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
CREATE FUNCTION pg_temp.traces(source regclass) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT concat_ws(' ', (SELECT count(*) FROM nudge.users), (SELECT count(*) FROM nudge.actions), (SELECT count(*) FROM nudge.events),
        (SELECT string_agg(t.tgname || t.tgargs::text, ',' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = source))
$$;

CREATE TEMP TABLE fuzzed (call text, state text, unchanged boolean);
CREATE TEMP TABLE differences (statement text, twin text, watched text);
DO $$
DECLARE
    kind text; columns text[]; types text[]; listed text; source regclass; statement text; state text; traces text; on_twin text;
BEGIN
    FOR i IN 1 .. 200 LOOP
        kind := pg_temp.pick('plain', 'plain', 'temporary', 'partitioned', 'inherited', 'keyed');
        columns := ARRAY(SELECT DISTINCT pg_temp.column_name() FROM generate_series(1, 1 + floor(random() * 5)::int));
        types := ARRAY(SELECT k.type FROM unnest(columns), LATERAL (SELECT type FROM kinds WHERE unnest IS NOT NULL ORDER BY random() LIMIT 1) AS k);
        listed := (SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) AS c);
        FOR twin IN 0 .. 1 LOOP
            EXECUTE format('CREATE %s TABLE %I (%s%s) %s', CASE kind WHEN 'temporary' THEN 'TEMP' END, 'Fuzzed ' || twin,
                (SELECT string_agg(format('%I %s', c, t), ', ') FROM unnest(columns, types) AS x (c, t)),
                CASE kind WHEN 'keyed' THEN ', key_ int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, made_ text GENERATED ALWAYS AS (''g'') STORED'
                          WHEN 'partitioned' THEN ', part_ int DEFAULT 1' ELSE '' END,
                CASE kind WHEN 'partitioned' THEN 'PARTITION BY LIST (part_)' END);
            CASE kind
                WHEN 'inherited' THEN
                    EXECUTE format('CREATE TABLE "Child %s" (more int) INHERITS ("Fuzzed %s")', twin, twin);
                WHEN 'partitioned' THEN
                    -- a partition whose columns are in another order
                    EXECUTE format('CREATE TABLE "Part %s" (part_ int, gone int, %s)', twin, (SELECT string_agg(format('%I %s', c, t), ', ') FROM unnest(columns, types) AS x (c, t)));
                    EXECUTE format('ALTER TABLE "Part %s" DROP COLUMN gone', twin);
                    EXECUTE format('ALTER TABLE "Fuzzed %s" ATTACH PARTITION "Part %s" FOR VALUES IN (1)', twin, twin);
                    EXECUTE format('CREATE TABLE "Default %s" PARTITION OF "Fuzzed %s" DEFAULT', twin, twin);
                ELSE NULL;
            END CASE;
        END LOOP;
        source := '"Fuzzed 1"';
        -- @ stands for the table and its twin
        FOREACH statement IN ARRAY ARRAY[
            format('SELECT nudge.watch_table(%L, %L, %L, %L)', source, pg_temp.pick(VARIADIC columns || pg_temp.column_name()),
                   CASE WHEN random() < 0.7 THEN ARRAY(SELECT c FROM unnest(columns) AS c WHERE random() < 0.7) END,
                   CASE WHEN random() < 0.3 THEN pg_temp.pick('', 'é', ' ', repeat('y', 1025)) END),
            (SELECT format('INSERT INTO @ (%s) VALUES (%s)', listed, string_agg(pg_temp.example(t), ', ')) FROM unnest(types) AS t),
            format('SELECT nudge.sync_users(%L, %L)', source, pg_temp.mapping(columns)),
            (SELECT format('INSERT INTO @ (%s) VALUES (%s)', listed, string_agg(pg_temp.example(t), ', ')) FROM unnest(types) AS t),
            (SELECT format('INSERT INTO @ (%s) VALUES (%s)', listed, string_agg(pg_temp.example(t), ', ')) FROM unnest(types) AS t),
            format('UPDATE @ SET %I = %s', columns[1], pg_temp.example(types[1])),
            format('UPDATE @ SET %I = %s', columns[cardinality(columns)], pg_temp.example(types[cardinality(columns)])),
            CASE kind WHEN 'partitioned' THEN 'UPDATE @ SET part_ = 3 - part_' WHEN 'inherited' THEN 'INSERT INTO "Child" SELECT * FROM @' END,
            CASE WHEN random() < 0.3 THEN format('ALTER TABLE @ RENAME COLUMN %I TO "ren amed"', pg_temp.pick(VARIADIC columns)) END,
            CASE WHEN random() < 0.3 THEN format('ALTER TABLE @ DROP COLUMN %I CASCADE', pg_temp.pick(VARIADIC columns)) END,
            CASE WHEN random() < 0.3 THEN format('ALTER TABLE @ ALTER COLUMN %I TYPE text', pg_temp.pick(VARIADIC columns)) END,
            CASE WHEN random() < 0.3 THEN 'ALTER TABLE @ ADD COLUMN "ad ded" jsonb DEFAULT ''{"a": 1}''' END,
            'INSERT INTO @ DEFAULT VALUES', 'DELETE FROM @'] LOOP
            CONTINUE WHEN statement IS NULL;
            IF statement LIKE 'SELECT nudge.%' THEN
                traces := pg_temp.traces(source);
                state := pg_temp.state_of(statement);
                INSERT INTO fuzzed VALUES (substring(statement FROM 'nudge\.(\w+)'), state, traces IS NOT DISTINCT FROM pg_temp.traces(source));
            ELSE
                on_twin := pg_temp.state_of(replace(replace(statement, '@ ', '"Fuzzed 0" '), '"Child"', '"Child 0"'));
                state := pg_temp.state_of(replace(replace(statement, '@ ', '"Fuzzed 1" '), '"Child"', '"Child 1"'));
                IF state <> on_twin THEN
                    INSERT INTO differences VALUES (left(statement, 200), on_twin, state);
                END IF;
            END IF;
        END LOOP;
        PERFORM FROM nudge.watched_tables;
        PERFORM FROM nudge.synced_tables;
        PERFORM status FROM nudge.health;
        DROP TABLE "Fuzzed 0", "Fuzzed 1" CASCADE;
    END LOOP;
END
$$;
SELECT * FROM differences;
SELECT call, state FROM fuzzed WHERE state NOT IN ('done', '22023', '42703', '54001') GROUP BY call, state;
SELECT call, count(*) FILTER (WHERE state <> 'done' AND NOT unchanged) AS changed,
       count(*) FILTER (WHERE state = 'done') > 100 AS many_taken, count(*) FILTER (WHERE state <> 'done') > 30 AS many_refused
FROM fuzzed GROUP BY call ORDER BY call;
SELECT count(*) > 100 AS actions FROM nudge.actions;
SELECT count(DISTINCT reason) > 4 AS faults FROM nudge.events WHERE event_type = 'sync_error';
ROLLBACK;
