--
-- Version 0.4.0: conversions, as they are reported or found in actions
--

-- The unique index on user and key settles concurrent reports: the one waits for the
-- other and finds its row.
CREATE FUNCTION nudge.record_conversion(user_id text, value numeric DEFAULT 0, currency text DEFAULT NULL,
                                        occurred_at timestamptz DEFAULT now(), metadata jsonb DEFAULT '{}',
                                        idempotency_key text DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    id bigint;
BEGIN
    IF record_conversion.user_id IS NULL OR octet_length(record_conversion.user_id) NOT BETWEEN 1 AND 1024 THEN
        RAISE EXCEPTION 'user_id must have 1 to 1024 bytes, not %', coalesce(octet_length(record_conversion.user_id)::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Pass the user_id under which the application records actions.';
    END IF;
    IF record_conversion.value IS NULL OR record_conversion.value IN ('NaN', 'Infinity', '-Infinity') THEN
        RAISE EXCEPTION 'value must be a finite number, not %', coalesce(record_conversion.value::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Pass an amount in units of the currency, a negative one for a refund; leave it out where there is none.';
    END IF;
    IF record_conversion.value NOT BETWEEN -1e30 AND 1e30 OR scale(trim_scale(record_conversion.value)) > 30 THEN
        RAISE EXCEPTION 'value must be from -1e30 to 1e30 and have at most 30 decimal places, not %', left(record_conversion.value::text, 200)
            USING ERRCODE = '22023', HINT = 'Pass an amount in units of the currency.';
    END IF;
    IF record_conversion.currency !~ '^[A-Za-z]{3}$' THEN
        RAISE EXCEPTION 'currency must be a code of three letters, not %', quote_literal(left(record_conversion.currency, 200))
            USING ERRCODE = '22023', HINT = 'Pass an ISO 4217 code, for example EUR; leave it out where there is but one currency.';
    END IF;
    IF record_conversion.occurred_at IS NULL OR NOT isfinite(record_conversion.occurred_at) THEN
        RAISE EXCEPTION 'occurred_at must be a finite time, not %', coalesce(record_conversion.occurred_at::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Pass the time at which the user converted.';
    END IF;
    IF record_conversion.occurred_at NOT BETWEEN '0001-01-01 00:00+00' AND '9999-12-31 00:00+00' THEN
        RAISE EXCEPTION 'occurred_at must be in the years 1 to 9999, not %', record_conversion.occurred_at
            USING ERRCODE = '22023', HINT = 'Pass the time at which the user converted.';
    END IF;
    IF record_conversion.metadata IS NULL OR jsonb_typeof(record_conversion.metadata) <> 'object' THEN
        RAISE EXCEPTION 'metadata must be a JSON object, not %', coalesce(jsonb_typeof(record_conversion.metadata), 'NULL')
            USING ERRCODE = '22023', HINT = 'Pass ''{}'' where there is none.';
    END IF;
    IF octet_length(record_conversion.idempotency_key) NOT BETWEEN 1 AND 1024 THEN
        RAISE EXCEPTION 'idempotency_key must have 1 to 1024 bytes, not %', octet_length(record_conversion.idempotency_key)
            USING ERRCODE = '22023', HINT = 'Pass what tells this conversion of the user from others, for example the number of an order.';
    END IF;
    PERFORM nudge.refuse_read_only('record conversions');

    LOOP
        INSERT INTO nudge.conversions AS c (user_id, value, currency, occurred_at, metadata, idempotency_key)
        VALUES (record_conversion.user_id, record_conversion.value, upper(record_conversion.currency),
                record_conversion.occurred_at, record_conversion.metadata, record_conversion.idempotency_key)
        ON CONFLICT (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
        RETURNING c.conversion_id INTO id;
        EXIT WHEN FOUND;
        SELECT c.conversion_id INTO id FROM nudge.conversions c
        WHERE c.user_id = record_conversion.user_id AND c.idempotency_key = record_conversion.idempotency_key;
        EXIT WHEN FOUND;
        -- deleted meanwhile: once more
    END LOOP;
    RETURN id;
END
$$;
COMMENT ON FUNCTION nudge.record_conversion(text, numeric, text, timestamptz, jsonb, text) IS
    'Records that a user converted, with a value in units of the currency (negative: a refund), once for each idempotency_key of the user; the id, also of what was recorded before';
REVOKE ALL ON FUNCTION nudge.record_conversion(text, numeric, text, timestamptz, jsonb, text) FROM PUBLIC;

--
-- Goals: conversions in actions
--

CREATE TABLE nudge.conversion_goals (
    name          text COLLATE "C" PRIMARY KEY,
    action_type   text COLLATE "C" NOT NULL,
    filter        jsonpath,
    value_path    jsonpath,
    currency      text,
    currency_path jsonpath,
    "window"      interval,
    enabled       boolean NOT NULL DEFAULT true,
    collected_to  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE nudge.conversion_goals IS 'Which actions are conversions; nudge.collect_conversions() finds them';
COMMENT ON COLUMN nudge.conversion_goals.action_type IS 'Type of the actions, exactly';
COMMENT ON COLUMN nudge.conversion_goals.filter IS
    'Path within action_data; an action counts if the first thing that it finds is neither false nor null ($.total > 10). NULL: all actions of the type';
COMMENT ON COLUMN nudge.conversion_goals.value_path IS 'Path of the value within action_data; where there is no number, or none that nudge.conversions takes, the value is 0 and metadata says so. NULL: 0';
COMMENT ON COLUMN nudge.conversion_goals.currency IS 'ISO 4217 code of the values';
COMMENT ON COLUMN nudge.conversion_goals.currency_path IS 'Path of the code within action_data; where there is none, currency holds';
COMMENT ON COLUMN nudge.conversion_goals."window" IS 'How old a message may be that gets credit; NULL: as the model of attribution says';
COMMENT ON COLUMN nudge.conversion_goals.collected_to IS
    'Actions recorded before have been looked at, at first those from before the goal was made; set it back to have them looked at (once more). No action counts twice';
SELECT pg_catalog.pg_extension_config_dump('nudge.conversion_goals', '');

CREATE UNIQUE INDEX conversions_goal_idx ON nudge.conversions (user_id, goal, action_id) WHERE action_id IS NOT NULL;

-- A path with a variable would fail on each action.  In the text of a path a variable
-- is a quoted word after a dollar sign; words are gone through from the left, so that
-- the dollar at the end of a string is none.
CREATE FUNCTION nudge.check_conversion_goal() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    path record;
BEGIN
    IF NEW.name IS NULL OR octet_length(NEW.name) NOT BETWEEN 1 AND 1024 THEN
        RAISE EXCEPTION 'name of a conversion goal must have 1 to 1024 bytes, not %', coalesce(octet_length(NEW.name)::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Give it a name that reports can show.';
    END IF;
    IF NEW.action_type IS NULL OR octet_length(NEW.action_type) NOT BETWEEN 1 AND 1024 THEN
        RAISE EXCEPTION 'action_type of conversion goal "%" must have 1 to 1024 bytes, not %', NEW.name,
                coalesce(octet_length(NEW.action_type)::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Pass the type of the actions that are conversions.';
    END IF;
    IF NEW.currency !~ '^[A-Za-z]{3}$' THEN
        RAISE EXCEPTION 'currency of conversion goal "%" must be a code of three letters, not %', NEW.name, quote_literal(left(NEW.currency, 200))
            USING ERRCODE = '22023', HINT = 'Pass an ISO 4217 code, for example EUR; leave it out where there is but one currency.';
    END IF;
    NEW.currency := upper(NEW.currency);
    IF NOT isfinite(NEW."window") OR NEW."window" > interval '10 years' OR NEW."window" <= interval '0' THEN
        RAISE EXCEPTION 'window of conversion goal "%" must be positive and at most 10 years, not %', NEW.name, NEW."window"
            USING ERRCODE = '22023', HINT = 'Leave it out to have each model of attribution use its own.';
    END IF;
    FOR path IN SELECT * FROM (VALUES ('filter', NEW.filter), ('value_path', NEW.value_path), ('currency_path', NEW.currency_path)) AS v (name, path)
                WHERE EXISTS (SELECT FROM regexp_matches(v.path::text, '\$?"(?:[^"\\]|\\.)*"', 'g') AS w (word) WHERE w.word[1] LIKE '$%')
    LOOP
        RAISE EXCEPTION '% of conversion goal "%" has a variable', path.name, NEW.name USING ERRCODE = '22023',
            DETAIL = format('The path is %s.', path.path), HINT = 'Paths begin with $, which stands for action_data; name a key by $.key.';
    END LOOP;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION nudge.check_conversion_goal() IS 'Trigger function of nudge.conversion_goals: name, action_type, currency, window, paths without variables';
REVOKE ALL ON FUNCTION nudge.check_conversion_goal() FROM PUBLIC;

CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.conversion_goals
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.conversion_goals IS 'Lets rows of a dump in as they are';
CREATE TRIGGER check_conversion_goal BEFORE INSERT OR UPDATE ON nudge.conversion_goals
    FOR EACH ROW EXECUTE FUNCTION nudge.check_conversion_goal();
COMMENT ON TRIGGER check_conversion_goal ON nudge.conversion_goals IS 'Refuses goals that could not be collected';

-- A document that is nested too deeply for a path (see nudge.json_fits) has nothing.
CREATE FUNCTION nudge.path_first(document jsonb, path jsonpath) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN nudge.json_fits(document, '1 == 1') THEN jsonb_path_query_first_tz(document, path, '{}', true) END
$$;
COMMENT ON FUNCTION nudge.path_first(jsonb, jsonpath) IS
    'Internal: the first thing that a path finds in a document; null where it finds nothing, or cannot be followed';
REVOKE ALL ON FUNCTION nudge.path_first(jsonb, jsonpath) FROM PUBLIC;

-- In the order of users, so that two who collect the same wait for each other and no more.
CREATE FUNCTION nudge.collect_goals(goals text[], from_at timestamptz, to_at timestamptz) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    amount bigint;
BEGIN
    WITH found AS MATERIALIZED (
        SELECT a.user_id, a.action_id, a.occurred_at, g.name, g.value_path,
               nudge.path_first(a.action_data, g.value_path) AS value,
               nudge.path_first(a.action_data, g.currency_path) #>> '{}' AS code, g.currency
        FROM nudge.conversion_goals g
        JOIN nudge.actions a ON a.action_type = g.action_type
        WHERE g.name = ANY (goals) AND a.recorded_at >= from_at AND a.recorded_at < to_at
            AND CASE WHEN g.filter IS NULL THEN true
                     ELSE coalesce(nudge.path_first(a.action_data, g.filter), 'null') NOT IN ('null', 'false') END)
    INSERT INTO nudge.conversions (user_id, value, currency, occurred_at, goal, action_id, metadata)
    SELECT f.user_id,
           CASE WHEN f.has_value THEN f.value::numeric ELSE 0 END,
           CASE WHEN f.code ~ '^[A-Za-z]{3}$' THEN upper(f.code) ELSE f.currency END,
           least(greatest(f.occurred_at, '0001-01-01 00:00+00'), '9999-12-31 00:00+00'), f.name, f.action_id,
           CASE WHEN f.value_path IS NOT NULL AND NOT f.has_value
                THEN jsonb_build_object('no_number_at', f.value_path::text) ELSE '{}' END
    FROM (SELECT v.*, CASE WHEN jsonb_typeof(v.value) = 'number'
                           THEN v.value::numeric BETWEEN -1e30 AND 1e30 AND scale(trim_scale(v.value::numeric)) <= 30
                           ELSE false END AS has_value
          FROM found v) AS f
    ORDER BY f.user_id, f.action_id, f.name
    ON CONFLICT (user_id, goal, action_id) WHERE action_id IS NOT NULL DO NOTHING;
    GET DIAGNOSTICS amount = ROW_COUNT;
    RETURN amount;
END
$$;
COMMENT ON FUNCTION nudge.collect_goals(text[], timestamptz, timestamptz) IS
    'Internal: records the conversions of some goals in actions that were recorded from the one time up to the other; how many are new';
REVOKE ALL ON FUNCTION nudge.collect_goals(text[], timestamptz, timestamptz) FROM PUBLIC;

-- recorded_at is the start of the transaction that records, and rows come into sight
-- at its end.  So what can be seen is collected at once, but collected_to only moves
-- up to a time before which nothing can still commit (nudge.lifecycle_horizon, which
-- tells of slack): what was recorded since is looked at again, and the unique index knows
-- what has been found already.
--
-- Locks: the rows of the goals; those that somebody changes, or collects, are left for
-- the next time.
CREATE FUNCTION nudge.collect_conversions(slack interval DEFAULT '10 s') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    oldest  CONSTANT timestamptz := clock_timestamp() - make_interval(days => nudge.setting('retention_days')::integer);
    horizon timestamptz;
    goals   record;
    from_at timestamptz;
    to_at   timestamptz;
    total   bigint := 0;
BEGIN
    IF slack IS NULL OR slack NOT BETWEEN interval '0' AND interval '1 day' THEN
        RAISE EXCEPTION 'slack must be between 0 and a day, not %', coalesce(slack::text, 'NULL') USING ERRCODE = '22023',
            HINT = 'Leave it out to mean ten seconds.';
    END IF;
    PERFORM nudge.refuse_read_only('collect conversions');
    horizon := nudge.lifecycle_horizon(slack);
    FOR goals IN
        SELECT g.collected_to, array_agg(g.name ORDER BY g.name) AS names
        FROM (SELECT c.name, c.collected_to FROM nudge.conversion_goals c WHERE c.enabled FOR UPDATE SKIP LOCKED) AS g
        GROUP BY g.collected_to
        ORDER BY g.collected_to
    LOOP
        -- A day of actions at most; days without any cost nothing
        from_at := greatest(goals.collected_to, oldest);
        to_at := from_at + interval '24 hours';
        IF EXISTS (SELECT FROM nudge.actions a WHERE a.recorded_at >= from_at AND a.recorded_at < to_at) THEN
            total := total + nudge.collect_goals(goals.names, from_at, to_at);
        ELSE
            SELECT min(a.recorded_at) INTO to_at FROM nudge.actions a WHERE a.recorded_at >= to_at;
        END IF;
        to_at := least(to_at, horizon);
        UPDATE nudge.conversion_goals g
        SET collected_to = to_at
        WHERE g.name = ANY (goals.names) AND g.collected_to < to_at AND horizon IS NOT NULL;
    END LOOP;
    RETURN total;
END
$$;
COMMENT ON FUNCTION nudge.collect_conversions(interval) IS
    'Records conversions of all goals that are enabled, from where it stopped, a day of actions at most; how many are new';
REVOKE ALL ON FUNCTION nudge.collect_conversions(interval) FROM PUBLIC;

-- (No settings of the planner: they would be those of nudge.rollup() and
-- nudge.run_attribution() as well, which retention may have to run.)
CREATE FUNCTION nudge.prune_conversions(as_of timestamptz DEFAULT clock_timestamp()) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    cutoff timestamptz;
    n      bigint;
BEGIN
    IF as_of IS NULL OR NOT isfinite(as_of) THEN
        RAISE EXCEPTION 'as_of must be a finite time, not %', coalesce(as_of::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Leave it out to mean now.';
    END IF;
    IF as_of > clock_timestamp() + interval '1 day' AND NOT pg_has_role(session_user, current_user, 'USAGE') THEN
        RAISE EXCEPTION 'as_of must not be in the future' USING ERRCODE = '42501',
            DETAIL = 'Only the owner of the extension may delete what is not past its retention yet.',
            HINT = 'Leave as_of out to mean now.';
    END IF;
    PERFORM nudge.refuse_read_only('prune conversions');
    cutoff := nudge.retention_cutoff(as_of);  -- NULL while nudge.rollup() is at work: the next time
    DELETE FROM nudge.conversions c WHERE c.recorded_at < cutoff;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;
COMMENT ON FUNCTION nudge.prune_conversions(timestamptz) IS 'Deletes conversions recorded more than nudge.retention_days ago; how many';
REVOKE ALL ON FUNCTION nudge.prune_conversions(timestamptz) FROM PUBLIC;

INSERT INTO nudge.jobs (job_name, schedule, command, description) VALUES
    ('nudge conversions', '* * * * *', 'SELECT nudge.collect_conversions()', 'Finds conversions in actions'),
    ('nudge old conversions', '27 3 * * *', 'SELECT nudge.prune_conversions()', 'Deletes conversions past their retention');

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('app', 'routine', 'record_conversion', 'EXECUTE'),
    ('marketer', 'table', 'conversion_goals', 'SELECT, INSERT, UPDATE, DELETE'),
    ('executor', 'routine', 'collect_conversions', 'EXECUTE'),
    ('executor', 'routine', 'prune_conversions', 'EXECUTE');
REVOKE ALL ON TABLE nudge.conversion_goals FROM PUBLIC;
