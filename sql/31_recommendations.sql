--
-- Version 0.2.0: recommendations
--
-- Items that are seen or bought together are counted out of nudge.actions, by a
-- job and in steps.  A step takes the actions that were recorded from one time to
-- another, and no action is in two steps or in none: see nudge.count_items_until.
--

-- Counting asks for all actions of a time.  What is recorded together lies together,
-- so that an index of a few pages will do, and costs an INSERT next to nothing.
-- (A member of this extension since 0.1.0, so nobody else's function is replaced.)
CREATE OR REPLACE FUNCTION nudge.prepare_partition(parent text, partition text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE parent
    WHEN 'actions' THEN
        EXECUTE format('ALTER TABLE nudge.%I '
            'ADD CHECK (octet_length(user_id) BETWEEN 1 AND 1024), '
            'ADD CHECK (octet_length(action_type) BETWEEN 1 AND 1024), '
            'ADD CHECK (jsonb_typeof(action_data) = ''object''), '
            'ADD CHECK (jsonb_typeof(context) = ''object''), '
            'ADD CHECK (isfinite(occurred_at)), '
            'ADD CHECK (isfinite(recorded_at))', partition);
        EXECUTE format('CREATE INDEX ON nudge.%I (user_id, action_type, recorded_at, action_id)', partition);
        EXECUTE format('CREATE INDEX ON nudge.%I USING brin (recorded_at) '
            'WITH (pages_per_range = 32, autosummarize = on)', partition);
    WHEN 'events' THEN
        EXECUTE format('CREATE INDEX ON nudge.%I (user_id, recorded_at)', partition);
        EXECUTE format('CREATE UNIQUE INDEX ON nudge.%I (message_id, event_type, event_key) '
            'WHERE event_key IS NOT NULL', partition);
    WHEN 'messages' THEN
        EXECUTE format('CREATE UNIQUE INDEX ON nudge.%I (message_id)', partition);
        EXECUTE format('CREATE INDEX ON nudge.%I (user_id, created_at)', partition);
    WHEN 'message_results' THEN
        EXECUTE format('CREATE UNIQUE INDEX ON nudge.%I (message_id)', partition);
    END CASE;
END
$$;

DO $$
DECLARE
    partition name;
BEGIN
    FOR partition IN
        SELECT c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'nudge.actions'::pg_catalog.regclass
        ORDER BY c.relname
    LOOP
        EXECUTE pg_catalog.format('CREATE INDEX ON nudge.%I USING brin (recorded_at) '
            'WITH (pages_per_range = 32, autosummarize = on)', partition);
    END LOOP;
END
$$;

CREATE TABLE nudge.items (
    item    text COLLATE "C" PRIMARY KEY,
    data    jsonb NOT NULL DEFAULT '{}',
    seen    bigint NOT NULL,
    bought  bigint NOT NULL,
    score   bigint NOT NULL,
    last_at timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX items_score_idx ON nudge.items (score DESC, item);
COMMENT ON TABLE nudge.items IS 'Products that actions have named, by product_id';
COMMENT ON COLUMN nudge.items.data IS 'What was last said of each of product_id, name, title, price, currency, page_url, url, image, image_url, brand, category';
COMMENT ON COLUMN nudge.items.seen IS 'Days on which a user named it, whatever the action, summed up over users';
COMMENT ON COLUMN nudge.items.bought IS 'The same of purchases';
COMMENT ON COLUMN nudge.items.score IS 'The weights of those days: 3 with a purchase, else 2 with an action about a cart, else 1';
COMMENT ON COLUMN nudge.items.last_at IS 'When it was last named';
SELECT pg_catalog.pg_extension_config_dump('nudge.items', '');

CREATE TABLE nudge.item_pairs (
    item   text COLLATE "C" NOT NULL,
    other  text COLLATE "C" NOT NULL,
    seen   bigint NOT NULL,
    bought bigint NOT NULL,
    score  bigint NOT NULL,
    PRIMARY KEY (item, other)
) WITH (fillfactor = 80);
COMMENT ON TABLE nudge.item_pairs IS
    'Items that the same user named on the same day (UTC, by recorded_at): each pair in both orders, of the 20 items that the user named last on the day; an item of more than 100 pairs keeps the best 50';
COMMENT ON COLUMN nudge.item_pairs.seen IS 'Days on which a user named both, summed up over users';
COMMENT ON COLUMN nudge.item_pairs.bought IS 'Days on which a user bought both';
COMMENT ON COLUMN nudge.item_pairs.score IS
    'Sum, over those days, of the weight that both items have: 3 where both were bought, 2 where both were at least in a cart, else 1';
SELECT pg_catalog.pg_extension_config_dump('nudge.item_pairs', '');

CREATE TABLE nudge.item_counting (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    counted_to timestamptz NOT NULL
);
COMMENT ON TABLE nudge.item_counting IS 'How far nudge.count_items has come; no row before its first step';
COMMENT ON COLUMN nudge.item_counting.counted_to IS 'Actions recorded before this time are counted, none since';
SELECT pg_catalog.pg_extension_config_dump('nudge.item_counting', '');

-- Only what says something of the product itself, and no more than a line of it:
-- items are shown to other users than the one whose action it was.  All names are in
-- full instead of a search_path, so that this becomes part of the queries that use it.
CREATE FUNCTION nudge.named_items(action_data jsonb) RETURNS TABLE (item text, data jsonb, place bigint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT n.product OPERATOR(pg_catalog.->>) 'product_id',
           (SELECT coalesce(pg_catalog.jsonb_object_agg(e.key, e.value), '{}')
            FROM pg_catalog.jsonb_each(n.product) e
            WHERE e.key OPERATOR(pg_catalog.=) ANY ('{product_id,name,title,price,currency,page_url,url,image,image_url,brand,category}'::pg_catalog.text[])
                AND pg_catalog.jsonb_typeof(e.value) OPERATOR(pg_catalog.=) ANY ('{string,number}'::pg_catalog.text[])
                AND pg_catalog.octet_length(e.value::pg_catalog.text) OPERATOR(pg_catalog.<=) 2048),
           n.place
    FROM (SELECT action_data AS product, 0::bigint AS place
          UNION ALL
          SELECT e.element, e.place
          FROM pg_catalog.jsonb_array_elements(
                   CASE WHEN pg_catalog.jsonb_typeof(action_data OPERATOR(pg_catalog.->) 'items') OPERATOR(pg_catalog.=) 'array'
                        THEN action_data OPERATOR(pg_catalog.->) 'items' ELSE '[]' END)
              WITH ORDINALITY AS e (element, place)
          WHERE pg_catalog.jsonb_typeof(e.element) OPERATOR(pg_catalog.=) 'object') AS n
    WHERE pg_catalog.jsonb_typeof(n.product OPERATOR(pg_catalog.->) 'product_id')
              OPERATOR(pg_catalog.=) ANY ('{string,number}'::pg_catalog.text[])
        AND pg_catalog.octet_length(n.product OPERATOR(pg_catalog.->>) 'product_id') OPERATOR(pg_catalog.>=) 1
        AND pg_catalog.octet_length(n.product OPERATOR(pg_catalog.->>) 'product_id') OPERATOR(pg_catalog.<=) 1024
    ORDER BY n.place
$$;
COMMENT ON FUNCTION nudge.named_items(jsonb) IS
    'Items that an action names, by action_data.product_id and action_data.items[].product_id, in this order, with what it says of them';

CREATE FUNCTION nudge.item_weight(action_type text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN action_type OPERATOR(pg_catalog.=) 'purchase' THEN 3
                WHEN action_type OPERATOR(pg_catalog.~~) '%remove%' THEN 0
                WHEN action_type OPERATOR(pg_catalog.~~) '%cart%' THEN 2
                ELSE 1 END
$$;
COMMENT ON FUNCTION nudge.item_weight(text) IS
    'What an action says for an item that it names: 3 a purchase, 2 a type with "cart" in it, 0 one with "remove", 1 any other';

-- One step: the actions recorded in [from_at, to_at), which are all of one day.
--
-- What a user named on the day counts as a whole: by the highest weight of each item,
-- the last 20 items paired.  So the users of the step are counted over their day
-- up to to_at, minus the same up to from_at, which earlier steps have counted.
CREATE FUNCTION nudge.count_items_between(from_at timestamptz, to_at timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    day_at  CONSTANT timestamptz := date_trunc('day', from_at, 'UTC');
    changed text[];
BEGIN
    -- What is known of the items
    WITH named AS MATERIALIZED (
        SELECT i.item, i.data, a.recorded_at, a.action_id, i.place
        FROM nudge.actions a CROSS JOIN LATERAL nudge.named_items(a.action_data) i
        WHERE a.recorded_at >= from_at AND a.recorded_at < to_at
            AND nudge.item_weight(a.action_type) > 0),
    said AS (
        SELECT DISTINCT ON (n.item, e.key) n.item, e.key, e.value
        FROM named n CROSS JOIN LATERAL jsonb_each(n.data) e
        ORDER BY n.item, e.key, n.recorded_at DESC, n.action_id DESC, n.place DESC)
    INSERT INTO nudge.items AS t (item, data, seen, bought, score, last_at)
    SELECT l.item, coalesce(s.data, '{}'), 0, 0, 0, l.last_at
    FROM (SELECT n.item, max(n.recorded_at) AS last_at FROM named n GROUP BY n.item) l
    LEFT JOIN (SELECT s.item, jsonb_object_agg(s.key, s.value) AS data FROM said s GROUP BY s.item) s ON s.item = l.item
    ORDER BY l.item
    ON CONFLICT (item) DO UPDATE SET data = t.data || EXCLUDED.data, last_at = greatest(t.last_at, EXCLUDED.last_at);

    WITH users AS MATERIALIZED (
        SELECT DISTINCT a.user_id
        FROM nudge.actions a
        WHERE a.recorded_at >= from_at AND a.recorded_at < to_at
            AND nudge.item_weight(a.action_type) > 0
            AND EXISTS (SELECT FROM nudge.named_items(a.action_data))),
    named AS MATERIALIZED (
        SELECT a.user_id, i.item, nudge.item_weight(a.action_type) AS weight, a.recorded_at, a.action_id
        FROM users u
        JOIN nudge.actions a ON a.user_id = u.user_id
        CROSS JOIN LATERAL nudge.named_items(a.action_data) i
        WHERE a.recorded_at >= day_at AND a.recorded_at < to_at
            AND nudge.item_weight(a.action_type) > 0),
    counted AS MATERIALIZED (
        SELECT s.sign, n.user_id, n.item, max(n.weight) AS weight,
               row_number() OVER (PARTITION BY s.sign, n.user_id
                                  ORDER BY max(n.recorded_at) DESC, max(n.action_id) DESC, n.item) AS age
        FROM named n
        JOIN (VALUES (1, to_at), (-1, from_at)) AS s (sign, until_at) ON n.recorded_at < s.until_at
        GROUP BY s.sign, n.user_id, n.item),
    single AS (
        UPDATE nudge.items t
        SET seen = t.seen + d.seen, bought = t.bought + d.bought, score = t.score + d.score
        FROM (SELECT c.item, sum(c.sign) AS seen, sum(c.sign) FILTER (WHERE c.weight = 3) AS bought,
                     sum(c.sign * c.weight) AS score
              FROM counted c GROUP BY c.item) AS s
        CROSS JOIN LATERAL (SELECT s.seen, coalesce(s.bought, 0) AS bought, s.score) AS d
        WHERE t.item = s.item AND (d.seen, d.bought, d.score) <> (0, 0, 0)),
    paired AS (
        SELECT a.item, b.item AS other, sum(a.sign) AS seen,
               sum(CASE WHEN a.weight = 3 AND b.weight = 3 THEN a.sign ELSE 0 END) AS bought,
               sum(a.sign * least(a.weight, b.weight)) AS score
        FROM counted a
        JOIN counted b ON b.sign = a.sign AND b.user_id = a.user_id AND b.item <> a.item
        WHERE a.age <= 20 AND b.age <= 20
        GROUP BY a.item, b.item),
    pair AS (
        INSERT INTO nudge.item_pairs AS t (item, other, seen, bought, score)
        SELECT p.item, p.other, p.seen, p.bought, p.score
        FROM paired p
        WHERE (p.seen, p.bought, p.score) <> (0, 0, 0)
            -- a pair that has been pruned is not missed
            AND (p.seen > 0 OR EXISTS (SELECT FROM nudge.item_pairs e WHERE e.item = p.item AND e.other = p.other))
        ORDER BY p.item, p.other
        ON CONFLICT (item, other) DO UPDATE
            SET seen = t.seen + EXCLUDED.seen, bought = t.bought + EXCLUDED.bought, score = t.score + EXCLUDED.score
        RETURNING t.item)
    SELECT array_agg(DISTINCT p.item) INTO changed FROM pair p;

    DELETE FROM nudge.item_pairs t WHERE t.item = ANY (changed) AND t.seen <= 0;
    DELETE FROM nudge.item_pairs t
    USING (SELECT p.item, p.other,
                  row_number() OVER (PARTITION BY p.item ORDER BY p.score DESC, p.bought DESC, p.other) AS place,
                  count(*) OVER (PARTITION BY p.item) AS pairs
           FROM nudge.item_pairs p WHERE p.item = ANY (changed)) AS r
    WHERE t.item = r.item AND t.other = r.other AND r.pairs > 100 AND r.place > 50;

    -- With the first step of a day: what nobody has named for a year
    IF from_at = day_at THEN
        WITH gone AS (
            DELETE FROM nudge.items t WHERE t.last_at < from_at - interval '365 days' RETURNING t.item)
        DELETE FROM nudge.item_pairs p
        USING gone g
        WHERE p.item = g.item OR p.other = g.item;
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.count_items_between(timestamptz, timestamptz) IS
    'Internal: counts the items named by actions that were recorded from the one time up to the other, both of one day';

-- recorded_at is the start of the transaction that records, and rows come into sight
-- at its end.  So all rows from before a time can be seen once no transaction is
-- left that began before it: counting goes no further than that.  A transaction
-- that is prepared no longer tells when it began; as long as there is one that has
-- touched nudge.actions, counting waits.
CREATE FUNCTION nudge.count_items_until(as_of timestamptz, OUT counted_to timestamptz, OUT is_done boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    from_at timestamptz;
    last_at timestamptz;
    next_at timestamptz;
BEGIN
    IF as_of IS NULL OR NOT isfinite(as_of) THEN
        RAISE EXCEPTION 'as_of must be a finite time, not %', coalesce(as_of::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Leave it out to mean now.';
    END IF;
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'cannot count items in a read-only transaction' USING ERRCODE = '25006',
            HINT = 'Connect to the primary server, in a transaction that may write.';
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'cannot count items in a transaction that is %', current_setting('transaction_isolation')
            USING ERRCODE = '25000',
                DETAIL = 'What other transactions have committed must be seen as soon as they have ended.',
                HINT = 'Use CALL nudge.count_items(), outside of a transaction block.';
    END IF;
    is_done := true;
    -- ('nudg', 3): one at a time in a database
    IF NOT pg_try_advisory_xact_lock(1853187175, 3) THEN
        RETURN;
    END IF;

    -- In this order, since a running transaction may become a prepared one meanwhile
    PERFORM pg_stat_clear_snapshot();
    last_at := least(as_of, clock_timestamp(),
                     (SELECT min(CASE a.state WHEN 'disabled' THEN '-infinity' ELSE a.xact_start END)
                      FROM pg_stat_activity a
                      WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
                          AND a.backend_type <> 'autovacuum worker'));
    IF last_at = '-infinity' THEN
        RAISE WARNING 'items are not counted while track_activities is off' USING ERRCODE = '55000',
            DETAIL = 'A session of this database does not show when its transaction began.',
            HINT = 'Set track_activities = on for all sessions.';
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pg_locks l
               WHERE l.pid IS NULL AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
                   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                   AND l.relation IN (SELECT t.relid FROM pg_partition_tree('nudge.actions') t))
    THEN
        RETURN;
    END IF;

    SELECT c.counted_to INTO from_at FROM nudge.item_counting c;
    IF NOT FOUND THEN
        SELECT min(a.recorded_at) INTO from_at FROM nudge.actions a;
    END IF;
    counted_to := from_at;
    IF from_at IS NULL OR from_at >= last_at THEN
        RETURN;
    END IF;

    counted_to := least(last_at, date_trunc('day', from_at, 'UTC') + interval '24 hours');
    IF EXISTS (SELECT FROM nudge.actions a WHERE a.recorded_at >= from_at AND a.recorded_at < counted_to) THEN
        PERFORM nudge.count_items_between(from_at, counted_to);
    ELSE
        -- on to the next day on which something happened
        SELECT min(a.recorded_at) INTO next_at
        FROM nudge.actions a WHERE a.recorded_at >= counted_to AND a.recorded_at < last_at;
        counted_to := greatest(counted_to, coalesce(date_trunc('day', next_at, 'UTC'), last_at));
    END IF;
    INSERT INTO nudge.item_counting AS c (counted_to) VALUES (count_items_until.counted_to)
    ON CONFLICT (only_row) DO UPDATE SET counted_to = EXCLUDED.counted_to;
    is_done := counted_to = last_at;
END
$$;
COMMENT ON FUNCTION nudge.count_items_until(timestamptz) IS
    'Internal: a step of nudge.count_items, up to the end of a day at most; how far counting has come, and whether that is all for now';

-- Ten seconds stand between "now" and what is counted: a transaction takes its time a
-- moment before pg_stat_activity shows it.
--
-- Like nudge.run it commits, and therefore leaves everything to a function that is
-- SECURITY DEFINER and has a search_path of its own.
CREATE PROCEDURE nudge.count_items(as_of timestamptz DEFAULT clock_timestamp() - interval '10 s')
LANGUAGE plpgsql AS $$
DECLARE
    step record;
BEGIN
    COMMIT;
    LOOP
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        SELECT s.* INTO step FROM nudge.count_items_until(as_of) AS s;
        COMMIT;
        EXIT WHEN step.is_done;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE nudge.count_items(timestamptz) IS
    'Counts the items named by actions that were recorded before as_of and since it was last called, day by day; never past the start of a transaction that still runs';

-- The first parameters are arrays of what a recommendation is asked for: who, for which
-- action (items of which the action in hand names none come from the user's last
-- actions), how many.
CREATE FUNCTION nudge.recommend_for(users text[], actions jsonb[], amounts integer[], as_of timestamptz)
RETURNS TABLE (ordinal bigint, place bigint, item text, score bigint, data jsonb)
LANGUAGE sql STABLE ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.ordinal, b.place, b.item, b.score, b.data
    FROM ROWS FROM (unnest(users), unnest(actions), unnest(amounts))
        WITH ORDINALITY AS r (user_id, action_data, amount, ordinal)
    CROSS JOIN LATERAL (
        SELECT coalesce(
            (SELECT array_agg(i.item) FROM (SELECT n.item FROM nudge.named_items(r.action_data) n LIMIT 20) i),
            (SELECT array_agg(i.item)
             FROM (SELECT n.item
                   FROM nudge.actions a CROSS JOIN LATERAL nudge.named_items(a.action_data) n
                   WHERE a.user_id = r.user_id AND a.recorded_at > as_of - interval '30 days'
                       AND nudge.item_weight(a.action_type) > 0
                   GROUP BY n.item
                   ORDER BY max(a.recorded_at) DESC, max(a.action_id) DESC, n.item
                   LIMIT 20) i),
            '{}') AS items) AS known
    CROSS JOIN LATERAL (
        SELECT known.items || coalesce(
            (SELECT array_agg(DISTINCT n.item)
             FROM nudge.actions a CROSS JOIN LATERAL nudge.named_items(a.action_data) n
             WHERE a.user_id = r.user_id AND a.action_type = 'purchase'
                 AND a.recorded_at > as_of - interval '30 days'), '{}') AS items) AS excluded
    CROSS JOIN LATERAL (
        SELECT f.item, f.score, f.data, row_number() OVER (ORDER BY f.score DESC, f.popularity DESC, f.item) AS place
        FROM (SELECT t.item, p.score::bigint AS score, t.data, t.score AS popularity
              FROM (SELECT p.other, sum(p.score) AS score
                    FROM nudge.item_pairs p
                    WHERE p.item = ANY (known.items) AND p.other <> ALL (excluded.items)
                    GROUP BY p.other) AS p
              JOIN nudge.items t ON t.item = p.other
              UNION ALL
              (SELECT t.item, 0::bigint, t.data, t.score
               FROM nudge.items t
               WHERE t.item <> ALL (excluded.items)
                   AND NOT EXISTS (SELECT FROM nudge.item_pairs p WHERE p.item = ANY (known.items) AND p.other = t.item)
               ORDER BY t.score DESC, t.item
               LIMIT r.amount)) AS f
        ORDER BY place
        LIMIT r.amount) AS b
$$;
COMMENT ON FUNCTION nudge.recommend_for(text[], jsonb[], integer[], timestamptz) IS
    'Internal: nudge.recommend for many users at once';

CREATE FUNCTION nudge.recommend(user_id text, n integer DEFAULT 4)
RETURNS TABLE (item text, score bigint, data jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 4
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF n IS NULL OR n NOT BETWEEN 1 AND 50 THEN
        RAISE EXCEPTION 'n is out of range: %', coalesce(n::text, 'NULL') USING ERRCODE = '22023',
            DETAIL = 'It must be between 1 and 50.',
            HINT = 'It says how many items are wanted.';
    END IF;
    RETURN QUERY
        SELECT r.item, r.score, r.data
        FROM nudge.recommend_for(ARRAY[user_id], ARRAY[NULL::jsonb], ARRAY[n], clock_timestamp()) r
        ORDER BY r.place;
END
$$;
COMMENT ON FUNCTION nudge.recommend(text, integer) IS
    'Items most often seen or bought together with those of the user''s actions of the last 30 days, the best first; filled up, with score 0, by the most popular items; never one that the user has just named or bought in the last 30 days';

INSERT INTO nudge.jobs (job_name, schedule, command, description) VALUES
    ('nudge recommendations', '*/10 * * * *', 'CALL nudge.count_items()', 'Counts items that are seen or bought together');

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('app', 'routine', 'recommend', 'EXECUTE'),
    ('marketer', 'routine', 'recommend', 'EXECUTE'),
    ('marketer', 'table', 'items', 'SELECT'),
    ('marketer', 'table', 'item_pairs', 'SELECT'),
    ('analyst', 'table', 'items', 'SELECT'),
    ('analyst', 'table', 'item_pairs', 'SELECT'),
    ('executor', 'routine', 'count_items', 'EXECUTE'),
    -- (of which count_items, as it commits, is made)
    ('executor', 'routine', 'count_items_until', 'EXECUTE');

REVOKE ALL ON TABLE nudge.items, nudge.item_pairs, nudge.item_counting FROM PUBLIC;
REVOKE ALL ON ROUTINE nudge.named_items(jsonb), nudge.item_weight(text),
    nudge.count_items_between(timestamptz, timestamptz), nudge.count_items_until(timestamptz),
    nudge.count_items(timestamptz), nudge.recommend_for(text[], jsonb[], integer[], timestamptz),
    nudge.recommend(text, integer)
    FROM PUBLIC;
