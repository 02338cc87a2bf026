--
-- Version 0.4.0: attribution of conversions to messages
--
-- A conversion is shared out among the messages that reached the user in a window
-- before it, by models that are rows of a table.
--

CREATE TABLE nudge.attribution_models (
    name        text COLLATE "C" PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 200),
    kind        text NOT NULL,
    "window"    interval NOT NULL,
    parameters  jsonb NOT NULL DEFAULT '{}',
    enabled     boolean NOT NULL DEFAULT true,
    description text
);
COMMENT ON TABLE nudge.attribution_models IS
    'How conversions are shared out among messages; after a change nudge.recompute_attribution() brings earlier conversions up to date';
COMMENT ON COLUMN nudge.attribution_models.kind IS 'first_touch, last_touch, linear, position_decay or markov';
COMMENT ON COLUMN nudge.attribution_models."window" IS
    'How long before a conversion a message counts: hours, days of 24 hours, months of 30 days; the window of a conversion''s goal can make it shorter';
COMMENT ON COLUMN nudge.attribution_models.parameters IS
    'Of position_decay: decay (an interval) and floor, which make max(floor, 1 − age / decay) of a touch''s age; first, last and middle, by which this is multiplied, middle divided by the number of touches between. What is left out is filled in';
COMMENT ON COLUMN nudge.attribution_models.enabled IS
    'Whether nudge.run_attribution() keeps figures of it; rows that come with the extension are to be disabled rather than deleted, as a restored dump brings deleted ones back';
SELECT pg_catalog.pg_extension_config_dump('nudge.attribution_models', '');

CREATE FUNCTION nudge.attribution_parameters(kind text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE kind WHEN 'position_decay'
                     THEN '{"decay": "7 days", "floor": 0.1, "first": 0.4, "last": 0.4, "middle": 0.2}'::jsonb
                     ELSE '{}' END
$$;
COMMENT ON FUNCTION nudge.attribution_parameters(text) IS 'Internal: the parameters of a kind of attribution model, with what they are if left out';

CREATE FUNCTION nudge.check_attribution_model() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kinds    CONSTANT text[] := '{first_touch,last_touch,linear,position_decay,markov}';
    defaults CONSTANT jsonb := nudge.attribution_parameters(NEW.kind);
    key      text;
    val      jsonb;
BEGIN
    IF NEW.kind <> ALL (kinds) THEN
        RAISE EXCEPTION 'unknown kind of attribution model %', quote_literal(left(NEW.kind, 200)) USING ERRCODE = '22023',
            HINT = format('Kinds: %s.', array_to_string(kinds, ', '));
    END IF;
    IF NEW."window" NOT BETWEEN '1 second' AND '3650 days' THEN
        RAISE EXCEPTION 'window of attribution model "%" must be from 1 second to 3650 days, not %', NEW.name, NEW."window"
            USING ERRCODE = '22023', HINT = 'Pass an interval such as ''30 days''.';
    END IF;
    IF jsonb_typeof(NEW.parameters) <> 'object' THEN
        RAISE EXCEPTION 'parameters of attribution model "%" must be a JSON object, not %', NEW.name, jsonb_typeof(NEW.parameters)
            USING ERRCODE = '22023', HINT = 'Pass ''{}'' where there are none.';
    END IF;
    FOR key, val IN SELECT e.key, e.value FROM jsonb_each(NEW.parameters) AS e LOOP
        IF NOT defaults ? key THEN
            RAISE EXCEPTION 'unknown parameter % of attribution model "%"', quote_literal(left(key, 200)), NEW.name
                USING ERRCODE = '22023',
                    HINT = CASE WHEN defaults = '{}' THEN format('A model of kind %s has no parameters.', NEW.kind)
                                ELSE 'Parameters: ' || (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(defaults) AS k) || '.' END;
        END IF;
        IF key = 'decay' THEN
            IF jsonb_typeof(val) <> 'string' OR (val #>> '{}')::interval NOT BETWEEN '1 second' AND '3650 days' THEN
                RAISE EXCEPTION 'decay of attribution model "%" must be an interval from 1 second to 3650 days, not %', NEW.name, val
                    USING ERRCODE = '22023', HINT = 'Pass an interval such as "7 days".';
            END IF;
        ELSIF jsonb_typeof(val) <> 'number' OR val::numeric NOT BETWEEN 0 AND 1 THEN
            RAISE EXCEPTION '% of attribution model "%" must be a number from 0 to 1, not %', key, NEW.name, left(val::text, 200)
                USING ERRCODE = '22023', HINT = 'Only how the numbers compare with each other matters.';
        END IF;
    END LOOP;
    NEW.parameters := defaults || NEW.parameters;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION nudge.check_attribution_model() IS
    'Trigger function of nudge.attribution_models: kind, window, parameters';
CREATE TRIGGER check_attribution_model BEFORE INSERT OR UPDATE ON nudge.attribution_models
    FOR EACH ROW EXECUTE FUNCTION nudge.check_attribution_model();
COMMENT ON TRIGGER check_attribution_model ON nudge.attribution_models IS
    'Refuses models that cannot be computed; fills in parameters';

-- (Parameters in full: in a script trust_restore keeps the trigger from firing.)
INSERT INTO nudge.attribution_models (name, kind, "window", parameters, description)
SELECT v.name, v.name, v."window"::interval, nudge.attribution_parameters(v.name), v.description
FROM (VALUES
    ('first_touch', '30 days', 'All to the first message'),
    ('last_touch', '7 days', 'All to the last message'),
    ('linear', '14 days', 'To all messages alike'),
    ('position_decay', '30 days', 'Most to the first and the last message, more to recent ones'),
    ('markov', '30 days', 'By what would be lost without the rule: removal effects in a Markov chain of all journeys'))
    AS v (name, "window", description);

-- A dump has all rows, also those that came with the extension, which are there
-- already when a dump is restored; so a row of a dump takes the place of the one
-- that it finds.  The trigger fires in sessions that replicate or restore only
-- (trust_restore makes a restoring session one).
CREATE FUNCTION nudge.replace_shipped_model() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM nudge.attribution_models m WHERE m.name = NEW.name;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION nudge.replace_shipped_model() IS
    'Trigger function of nudge.attribution_models: rows of a dump replace those that came with the extension';
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.attribution_models
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.attribution_models IS 'Lets rows of a dump in as they are';
CREATE TRIGGER replace_shipped_model BEFORE INSERT ON nudge.attribution_models
    FOR EACH ROW EXECUTE FUNCTION nudge.replace_shipped_model();
ALTER TABLE nudge.attribution_models ENABLE REPLICA TRIGGER replace_shipped_model;
COMMENT ON TRIGGER replace_shipped_model ON nudge.attribution_models IS
    'Lets rows of a dump replace those that came with the extension';

--
-- Touches
--

-- A message that nobody knows to have arrived is no touch, so a sent event alone makes
-- none.  What a machine opened has arrived as well.  A delivery counts at the time that
-- was reported, also where that is before the message was made, as whoever reports what
-- happened elsewhere knows better than when our row was written; a time in the future
-- tells nothing.  All names are in full instead of a search_path, so that this becomes
-- part of the queries that use it.
CREATE FUNCTION nudge.touches(before timestamptz DEFAULT 'infinity')
RETURNS TABLE (user_id text, message_id bigint, rule_id bigint, touched_at timestamptz)
LANGUAGE sql STABLE
AS $$
    SELECT e.user_id, e.message_id, coalesce(pg_catalog.max(e.rule_id), 0),
           coalesce(pg_catalog.min(e.occurred_at) FILTER (
                        WHERE e.event_type OPERATOR(pg_catalog.=) 'delivered'
                            AND coalesce(e.flag, '') OPERATOR(pg_catalog.<>) 'in_future'),
                    pg_catalog.min(e.occurred_at) FILTER (WHERE e.event_type OPERATOR(pg_catalog.=) 'sent'),
                    pg_catalog.min(CASE WHEN e.flag OPERATOR(pg_catalog.=) 'in_future' THEN e.recorded_at ELSE e.occurred_at END))
    FROM nudge.events e
    WHERE e.message_id IS NOT NULL
        AND e.event_type OPERATOR(pg_catalog.=) ANY ('{sent,delivered,opened,clicked}'::pg_catalog.text[])
        AND e.recorded_at OPERATOR(pg_catalog.<) before
    GROUP BY e.user_id, e.message_id
    HAVING pg_catalog.bool_or(e.event_type OPERATOR(pg_catalog.<>) 'sent')
$$;
COMMENT ON FUNCTION nudge.touches(timestamptz) IS
    'Internal: messages of which an event delivered, opened or clicked, of a person or a machine, recorded before a time, says that they reached their users. touched_at: when it was delivered, as reported; where that is not known, when it was sent, else when it was first opened or clicked. rule_id: 0 for messages of no rule';

CREATE FUNCTION nudge.share_touches(kind text, parameters float8[], effect_rules bigint[], effects float8[],
    converted_at timestamptz, since timestamptz, value numeric, decimals integer,
    touched_at timestamptz[], touches bigint[], rules bigint[],
    OUT message_ids bigint[], OUT rule_ids bigint[], OUT weights float8[], OUT shares numeric[], OUT revenues numeric[])
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nudge_share_touches';
COMMENT ON FUNCTION nudge.share_touches(text, float8[], bigint[], float8[], timestamptz, timestamptz, numeric, integer, timestamptz[], bigint[], bigint[]) IS
    'Internal: shares of a conversion among touches (in the order of time) by a model; parameters are decay in seconds, floor, first, last, middle; effects are those of effect_rules (ascending), for kind markov. Shares add up to 1 and revenues to value, which has so many decimals; null without a touch since then';

-- One row a conversion and model in which it has touches; the arrays have an element
-- for each touch with a share, in the order of time.
--
-- For few conversions the touches of their users are looked up by index (OFFSET 0 has the
-- user looked for within the grouping query, and a function's columns have no collation
-- of their own).  For many, or all, where conversions is NULL, all touches are read.  The
-- plan is made anew each time, and has only one of the two.
CREATE FUNCTION nudge.attribution_shares(conversions bigint[], models text[])
RETURNS TABLE (model text, conversion_id bigint, user_id text, occurred_at timestamptz,
               message_ids bigint[], rule_ids bigint[], weights float8[], shares numeric[], revenues numeric[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    many    boolean := conversions IS NULL OR cardinality(conversions) > 20000;
    longest interval := (SELECT make_interval(secs => max(date_part('epoch', m."window")))
                         FROM nudge.attribution_models m WHERE m.name = ANY (models));
    users   text[] := '{}';
BEGIN
    IF NOT many THEN
        users := ARRAY(SELECT DISTINCT c.user_id FROM nudge.conversions c WHERE c.conversion_id = ANY (conversions));
    END IF;
    RETURN QUERY
    WITH model AS MATERIALIZED (
        SELECT m.name, m.kind, make_interval(secs => date_part('epoch', m."window")) AS length,
               ARRAY[date_part('epoch', (p.parameters ->> 'decay')::interval), (p.parameters ->> 'floor')::float8,
                     (p.parameters ->> 'first')::float8, (p.parameters ->> 'last')::float8, (p.parameters ->> 'middle')::float8] AS parameters,
               coalesce(e.rules, '{}') AS rules, coalesce(e.effects, '{}') AS effects
        FROM nudge.attribution_models m
        CROSS JOIN LATERAL (SELECT nudge.attribution_parameters(m.kind) || m.parameters AS parameters) AS p
        -- (inside, so that others than markov do not ask)
        CROSS JOIN LATERAL (SELECT array_agg(e.rule_id ORDER BY e.rule_id) AS rules,
                                   array_agg(e.removal_effect ORDER BY e.rule_id) AS effects
                            FROM nudge.removal_effects(m.name) AS e
                            WHERE m.kind = 'markov') AS e
        WHERE m.name = ANY (models)),
    chosen AS (
        SELECT c.conversion_id, c.user_id, c.occurred_at, c.value,
               make_interval(secs => date_part('epoch', g."window")) AS length
        FROM nudge.conversions c
        LEFT JOIN nudge.conversion_goals g ON g.name = c.goal
        WHERE conversions IS NULL OR c.conversion_id = ANY (conversions)),
    touch AS (
        SELECT t.*
        FROM unnest(users) AS u (user_id)
        CROSS JOIN LATERAL (SELECT t.* FROM nudge.touches() AS t WHERE t.user_id COLLATE "C" = u.user_id OFFSET 0) AS t
        UNION ALL
        SELECT t.* FROM nudge.touches() AS t WHERE many),
    journey AS (
        SELECT o.conversion_id, min(o.user_id) AS user_id, min(o.occurred_at) AS occurred_at, min(o.value) AS value,
               min(o.length) AS length, array_agg(o.touched_at) AS touched_at,
               array_agg(o.message_id) AS messages, array_agg(o.rule_id) AS rules
        FROM (SELECT c.conversion_id, c.user_id, c.occurred_at, c.value, c.length, t.touched_at, t.message_id, t.rule_id
              FROM chosen c
              JOIN touch t ON t.user_id = c.user_id AND t.touched_at BETWEEN c.occurred_at - longest AND c.occurred_at
              ORDER BY c.conversion_id, t.touched_at, t.message_id) AS o
        GROUP BY o.conversion_id)
    SELECT m.name, j.conversion_id, j.user_id, j.occurred_at,
           s.message_ids, s.rule_ids, s.weights, s.shares, s.revenues
    FROM journey j
    CROSS JOIN model m
    CROSS JOIN LATERAL nudge.share_touches(m.kind, m.parameters, m.rules, m.effects,
                                           j.occurred_at, j.occurred_at - least(m.length, j.length),
                                           j.value, greatest(2, scale(trim_scale(j.value))),
                                           j.touched_at, j.messages, j.rules) AS s
    WHERE s.message_ids IS NOT NULL;
END
$$;
COMMENT ON FUNCTION nudge.attribution_shares(bigint[], text[]) IS
    'Internal: shares of conversions (NULL: all) by models, out of the raw events';

CREATE FUNCTION nudge.require_attribution_model(model text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM nudge.attribution_models m WHERE m.name = model) THEN
        RAISE EXCEPTION 'unknown attribution model %', coalesce(quote_literal(left(model, 200)), 'NULL') USING ERRCODE = '22023',
            HINT = coalesce('Models: ' || (SELECT string_agg(m.name, ', ' ORDER BY m.name) FROM nudge.attribution_models m) || '.',
                            'Add one to nudge.attribution_models.');
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.require_attribution_model(text) IS 'Internal: an error unless the model exists';

CREATE FUNCTION nudge.attribute_conversion(conversion_id bigint, model text DEFAULT 'last_touch')
RETURNS TABLE (message_id bigint, rule_id bigint, weight numeric, share numeric, revenue numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF attribute_conversion.conversion_id IS NULL THEN
        RAISE EXCEPTION 'conversion_id must not be null' USING ERRCODE = '22023',
            HINT = 'Pass the conversion_id that nudge.record_conversion() returned.';
    END IF;
    PERFORM nudge.require_attribution_model(model);
    IF NOT EXISTS (SELECT FROM nudge.conversions c WHERE c.conversion_id = attribute_conversion.conversion_id) THEN
        RAISE EXCEPTION 'unknown conversion %', conversion_id USING ERRCODE = '02000',
            DETAIL = 'Conversions are kept for nudge.retention_days.',
            HINT = 'Pass the conversion_id that nudge.record_conversion() returned.';
    END IF;
    RETURN QUERY
    SELECT t.message_id, nullif(t.rule_id, 0), trim_scale(t.weight::numeric), trim_scale(t.share), t.revenue
    FROM nudge.attribution_shares(ARRAY[attribute_conversion.conversion_id], ARRAY[model]) AS s
    CROSS JOIN LATERAL unnest(s.message_ids, s.rule_ids, s.weights, s.shares, s.revenues) WITH ORDINALITY
        AS t (message_id, rule_id, weight, share, revenue, place)
    ORDER BY t.place;
END
$$;
COMMENT ON FUNCTION nudge.attribute_conversion(bigint, text) IS
    'Shares a conversion out among the messages that reached its user in the model''s window before it, the earliest first; weight as the model has it, share of all weights (they add up to 1), revenue (adds up to the conversion''s value). Out of raw events. 22023: unknown model; 02000: unknown conversion';

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('marketer', 'table', 'attribution_models', 'SELECT, INSERT, UPDATE, DELETE'),
    ('marketer', 'routine', 'attribute_conversion', 'EXECUTE'),
    ('analyst', 'routine', 'attribute_conversion', 'EXECUTE');

REVOKE ALL ON TABLE nudge.attribution_models FROM PUBLIC;
REVOKE ALL ON ROUTINE nudge.attribution_parameters(text), nudge.check_attribution_model(), nudge.replace_shipped_model(), nudge.touches(timestamptz),
    nudge.share_touches(text, float8[], bigint[], float8[], timestamptz, timestamptz, numeric, integer, timestamptz[], bigint[], bigint[]),
    nudge.attribution_shares(bigint[], text[]), nudge.require_attribution_model(text),
    nudge.attribute_conversion(bigint, text) FROM PUBLIC;
