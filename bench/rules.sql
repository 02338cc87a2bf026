-- Sets of rules for the benchmarks of the insert path, the twin of nudge.actions
-- that has no trigger, and the users of the shop.

CREATE SCHEMA bench;

-- Dated partitions, as the maintenance job makes them
DO $$
BEGIN
    IF to_regprocedure('nudge.maintain()') IS NOT NULL THEN
        PERFORM nudge.maintain();
    END IF;
END
$$;

-- A table that is nudge.actions in all but the trigger: the same partitions with the
-- same constraints, indexes and bounds.
CREATE FUNCTION bench.create_twin(twin text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part record;
BEGIN
    EXECUTE format('CREATE TABLE bench.%I (LIKE nudge.actions INCLUDING ALL) PARTITION BY RANGE (recorded_at)', twin);
    FOR part IN
        SELECT c.oid::regclass::text AS source, c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'nudge.actions'::regclass
    LOOP
        EXECUTE format('CREATE TABLE bench.%I (LIKE %s INCLUDING ALL)', twin || '_' || part.name, part.source);
        EXECUTE format('ALTER TABLE bench.%I ATTACH PARTITION bench.%I %s', twin, twin || '_' || part.name, part.bound);
    END LOOP;
END
$$;

SELECT bench.create_twin('actions');

CREATE TABLE bench.pending (LIKE nudge.pending INCLUDING ALL) WITH (fillfactor = 90);

-- Empties all that the insert path appends to.
CREATE PROCEDURE bench.clean() LANGUAGE sql AS $$
    TRUNCATE nudge.actions, nudge.pending, nudge.events, nudge.tallies;
    TRUNCATE bench.actions, bench.pending;
$$;

-- n active rules of one of the sets below, none of which can match an action of the shop.
--
-- substrings: each looks for a product of its own that the shop does not have; half of the
-- patterns begin like the URLs that come in, so that the search goes deep.
--
-- pages: each looks for two, one of either kind, as rules for "/products/ or /catalog/" do.
--
-- mixed: a quarter each of action types that never come; of purchases of a product that does not exist;
-- of pages that do not exist; of brands that do not exist, for users of a tier that some have.
CREATE PROCEDURE bench.use_rules(kind text, n integer) LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM nudge.rules;
    INSERT INTO nudge.rules (name, trigger_type, delay)
        SELECT kind || ' ' || i, 'behavioral', '1 hour' FROM generate_series(1, n) i;
    IF kind = 'substrings' THEN
        INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters)
            SELECT r.rule_id, 1, 'page_visit', 'contains',
                   jsonb_build_object('pages', jsonb_build_array(
                       CASE i % 2 WHEN 0 THEN '/products/electronics/smartphone/x' || i
                                  ELSE '/landing/' || i || '/offer' END))
            FROM generate_series(1, n) i JOIN nudge.rules r ON r.name = kind || ' ' || i;
    ELSIF kind = 'pages' THEN
        INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters)
            SELECT r.rule_id, 1, 'page_visit', 'contains',
                   jsonb_build_object('pages', jsonb_build_array(
                       '/products/electronics/smartphone/x' || i, '/landing/' || i || '/offer'))
            FROM generate_series(1, n) i JOIN nudge.rules r ON r.name = kind || ' ' || i;
    ELSIF kind = 'mixed' THEN
        INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters)
            SELECT r.rule_id, c.position, c.type, 'equals', c.parameters
            FROM generate_series(1, n) i
            JOIN nudge.rules r ON r.name = kind || ' ' || i
            JOIN LATERAL (VALUES
                (0, 1, 'action_type', jsonb_build_object('types', jsonb_build_array('never_' || i))),
                (1, 1, 'action_type', '{"types": ["purchase"]}'),
                (1, 2, 'action_attribute', jsonb_build_object('path', 'action_data.product_id', 'value', 'x' || i)),
                (2, 1, 'page_visit', jsonb_build_object('pages', jsonb_build_array('/products/none/' || i))),
                (3, 1, 'action_attribute', jsonb_build_object('path', 'action_data.brand', 'value', 'brand ' || i)),
                (3, 2, 'user_attribute', '{"path": "profile.tier", "value": "gold"}')
            ) AS c (kind, position, type, parameters) ON c.kind = i % 4;
    ELSE
        RAISE 'unknown set of rules: %', kind;
    END IF;
END
$$;

-- One more rule, which fires for page visits whose URL contains a text.
CREATE PROCEDURE bench.add_rule(part text, capped boolean DEFAULT false) LANGUAGE sql AS $$
    WITH rule AS (
        INSERT INTO nudge.rules (name, trigger_type, delay)
        VALUES ('fires', 'behavioral', '1 hour') RETURNING rule_id
    ), condition AS (
        INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters)
        SELECT rule_id, 1, 'page_visit', 'contains', jsonb_build_object('pages', jsonb_build_array(part))
        FROM rule
    )
    INSERT INTO nudge.frequency_caps (rule_id, period, max_messages)
    SELECT rule_id, period, 1000
    FROM rule, unnest('{daily,weekly}'::nudge.cap_period[]) AS period
    WHERE capped;
$$;
