--
-- Items that are seen or bought together: counted by hand, in steps and all at once,
-- and recommended.  The year is 1999, before all that other tests record.
--
SET client_min_messages = warning;
SET timezone = 'UTC';
SET nudge.evaluate = off;
TRUNCATE nudge.items, nudge.item_pairs, nudge.item_counting;

CREATE FUNCTION pg_temp.did(who text, at timestamptz, type text, data jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.actions (user_id, action_type, action_data, recorded_at) VALUES ('rc_' || who, type, data, at)
$$;
CREATE FUNCTION pg_temp.for_action(who text, data jsonb, n integer DEFAULT 4, at timestamptz DEFAULT '1999-01-10') RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(item || ':' || score, ' ' ORDER BY place) FROM nudge.recommend_for(ARRAY['rc_' || who], ARRAY[data], ARRAY[n], at)
$$;

--
-- What an action names
--
SELECT d, i.* FROM unnest(ARRAY[
    '{"product_id": "a", "name": "A", "price": 1.5, "quantity": 2, "address": "secret"}',
    '{"product_id": 17}', '{"product_id": ""}', '{"product_id": null}', '{"product_id": ["a"]}', '{"product_id": true}', '{"name": "A"}', '{}', '[]', 'null',
    '{"items": [{"product_id": "b", "brand": "x"}, {"name": "none"}, "c", {"product_id": 3, "url": {"no": "scalar"}}, null]}',
    '{"product_id": "a", "items": [{"product_id": "b"}]}', '{"items": {"product_id": "b"}}', '{"items": "b"}']::jsonb[]) AS d
LEFT JOIN nudge.named_items(d) i ON true;
SELECT count(*) FROM nudge.named_items(jsonb_build_object('product_id', repeat('x', 1024)));
SELECT count(*) FROM nudge.named_items(jsonb_build_object('product_id', repeat('x', 1025)));
SELECT i.data FROM nudge.named_items(jsonb_build_object('product_id', 'a', 'name', repeat('x', 3000))) i;
SELECT t, nudge.item_weight(t) FROM unnest('{page_visit,add_to_cart,cart_abandonment,purchase,remove_from_cart,repurchase}'::text[]) t;

--
-- By hand
--
-- One user sees A, puts B into the cart and buys C; another buys A and B
SELECT pg_temp.did('u1', '1999-01-04 09:00', 'page_visit', '{"product_id": "A", "name": "Axe", "price": 10}'),
       pg_temp.did('u1', '1999-01-04 10:00', 'add_to_cart', '{"product_id": "B", "name": "Bow"}'),
       pg_temp.did('u1', '1999-01-04 11:00', 'purchase', '{"product_id": "C"}'),
       pg_temp.did('u2', '1999-01-04 12:00', 'purchase', '{"items": [{"product_id": "A"}, {"product_id": "B", "price": 20}]}'),
       pg_temp.did('u3', '1999-01-04 12:00', 'page_visit', '{"product_id": "A", "price": 11}'),
       pg_temp.did('u3', '1999-01-04 13:00', 'remove_from_cart', '{"product_id": "D"}'),
       pg_temp.did('u1', '1999-01-05 09:00', 'page_visit', '{"product_id": "A"}'),
       pg_temp.did('u1', '1999-01-05 09:00', 'page_visit', '{"product_id": "D", "name": "Dart"}'),
       -- midnight comes in between
       pg_temp.did('u4', '1999-01-05 23:59:59.999999', 'page_visit', '{"product_id": "A"}'),
       pg_temp.did('u4', '1999-01-06 00:00', 'page_visit', '{"product_id": "B"}');
CALL nudge.count_items('1999-01-04 09:00');
SELECT count(*) FROM nudge.items;
CALL nudge.count_items('1999-01-04 10:30');
SELECT * FROM nudge.item_pairs ORDER BY 1, 2;
CALL nudge.count_items('1999-01-07');
TABLE nudge.item_counting;
SELECT * FROM nudge.items ORDER BY 1;
SELECT * FROM nudge.item_pairs ORDER BY 1, 2;
-- Again, or for a time that has been counted: nothing
CALL nudge.count_items('1999-01-07');
CALL nudge.count_items('1999-01-05');
SELECT sum(seen), sum(bought), sum(score) FROM nudge.item_pairs;
TABLE nudge.item_counting;

--
-- Recommended: for the action in hand, then what is popular, which scores 0
--
SELECT pg_temp.for_action('nobody', '{"product_id": "A"}');
SELECT pg_temp.for_action('nobody', '{"product_id": "A"}', 2);
SELECT pg_temp.for_action('nobody', '{"product_id": "C"}');
SELECT pg_temp.for_action('nobody', '{"items": [{"product_id": "A"}, {"product_id": "C"}]}');
SELECT pg_temp.for_action('nobody', '{"product_id": "unheard of"}', 3);
SELECT pg_temp.for_action('nobody', NULL, 3);
-- Without an item in hand, by the last actions of the user; never what was bought
SELECT pg_temp.for_action('u4', NULL);
SELECT pg_temp.for_action('u2', NULL);
SELECT pg_temp.for_action('u2', '{"product_id": "D"}');
SELECT pg_temp.for_action('u2', '{"product_id": "D"}', at => '1999-02-03 12:00');
SELECT pg_temp.for_action('u1', NULL);
-- Many at once
SELECT ordinal, string_agg(item, ' ' ORDER BY place)
FROM nudge.recommend_for('{rc_u4,rc_nobody,rc_u2}', ARRAY[NULL, '{"product_id": "B"}', '{}']::jsonb[], '{1,50,2}', '1999-01-10')
GROUP BY ordinal ORDER BY ordinal;
-- As people call it: actions of today count
INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('rc_now', 'page_visit', '{"product_id": "A"}');
SELECT * FROM nudge.recommend('rc_now');
SELECT item FROM nudge.recommend('rc_now', 2);
INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('rc_now', 'purchase', '{"product_id": "B"}');
SELECT item, score FROM nudge.recommend('rc_now', 50);
SELECT item FROM nudge.recommend(NULL, 1);
\set VERBOSITY sqlstate
SELECT * FROM nudge.recommend('rc_now', 0);
SELECT * FROM nudge.recommend('rc_now', 51);
SELECT * FROM nudge.recommend('rc_now', NULL);
CALL nudge.count_items(NULL);
CALL nudge.count_items('infinity');
BEGIN;
CALL nudge.count_items();
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT nudge.count_items_until(now());
ROLLBACK;
BEGIN READ ONLY;
SELECT nudge.count_items_until(now());
ROLLBACK;
\set VERBOSITY default

--
-- Any steps give what one gives, and what plain SQL gives
--
DELETE FROM nudge.actions WHERE user_id LIKE 'rc\_%';
TRUNCATE nudge.items, nudge.item_pairs, nudge.item_counting;
SELECT setseed(0.42);
-- Users of whom some name more than 20 items a day, in single actions and lists; times collide
INSERT INTO nudge.actions (user_id, action_type, action_data, recorded_at)
SELECT 'rc_p' || floor(random() * 12),
       (ARRAY['page_visit', 'page_visit', 'add_to_cart', 'purchase', 'remove_from_cart'])[1 + floor(random() * 5)],
       CASE WHEN random() < 0.7
            THEN jsonb_build_object('product_id', 'i' || floor(random() * 40), 'price', floor(random() * 100))
            WHEN random() < 0.8
            THEN jsonb_build_object('items', (SELECT jsonb_agg(jsonb_build_object('product_id', 'i' || floor(random() * 40), 'name', g || ' ' || k))
                                              FROM generate_series(1, 4) k WHERE g > 0))
            ELSE '{"price": 1}' END,
       '1999-03-01 00:00'::timestamptz + interval '10 min' * floor(random() * 420)
FROM generate_series(1, 1500) g;
CALL nudge.count_items('1999-04-01');
CREATE TEMP TABLE once AS SELECT * FROM nudge.items;
CREATE TEMP TABLE once_pairs AS SELECT * FROM nudge.item_pairs;
TRUNCATE nudge.items, nudge.item_pairs, nudge.item_counting;
SELECT format('CALL nudge.count_items(%L)', '1999-03-01'::timestamptz + interval '1 hour' * g * g / 8) FROM generate_series(1, 30) g \gexec
CALL nudge.count_items('1999-04-01');
SELECT count(*) FROM once;
SELECT count(*) > 1000 AS many FROM once_pairs;
(TABLE once EXCEPT TABLE nudge.items) UNION ALL (TABLE nudge.items EXCEPT TABLE once);
(TABLE once_pairs EXCEPT TABLE nudge.item_pairs) UNION ALL (TABLE nudge.item_pairs EXCEPT TABLE once_pairs);

CREATE TEMP TABLE raw AS
    SELECT a.user_id, (a.recorded_at AT TIME ZONE 'UTC')::date AS day, a.recorded_at, a.action_id, i.said ->> 'product_id' AS item, i.said,
           CASE a.action_type WHEN 'purchase' THEN 3 WHEN 'add_to_cart' THEN 2 ELSE 1 END AS weight
    FROM nudge.actions a
    CROSS JOIN LATERAL (SELECT a.action_data AS said WHERE a.action_data ? 'product_id'
                        UNION ALL SELECT jsonb_array_elements(a.action_data -> 'items')) i
    WHERE a.user_id LIKE 'rc\_p%' AND a.action_type <> 'remove_from_cart';
CREATE TEMP TABLE days AS
    SELECT user_id, day, item, max(weight) AS weight, max(recorded_at) AS at, max(action_id) AS id FROM raw GROUP BY 1, 2, 3;
CREATE TEMP TABLE last_20 AS
    SELECT d.* FROM days d
    WHERE (SELECT count(*) FROM days e WHERE e.user_id = d.user_id AND e.day = d.day
           AND (e.at > d.at OR e.at = d.at AND (e.id > d.id OR e.id = d.id AND e.item COLLATE "C" < d.item COLLATE "C"))) < 20;
SELECT count(*) > (SELECT count(*) FROM last_20) AS some_are_left_out FROM days;
CREATE TEMP TABLE plain_pairs AS
    SELECT a.item, b.item AS other, count(*) AS seen, count(*) FILTER (WHERE a.weight = 3 AND b.weight = 3) AS bought,
           sum(least(a.weight, b.weight)) AS score
    FROM last_20 a JOIN last_20 b ON a.user_id = b.user_id AND a.day = b.day AND a.item <> b.item
    GROUP BY 1, 2;
(TABLE plain_pairs EXCEPT TABLE once_pairs) UNION ALL (TABLE once_pairs EXCEPT TABLE plain_pairs);
(SELECT item, count(*), count(*) FILTER (WHERE weight = 3), sum(weight), max(at) FROM days GROUP BY 1
 EXCEPT SELECT item, seen, bought, score, last_at FROM once)
UNION ALL
(SELECT item, seen, bought, score, last_at FROM once
 EXCEPT SELECT item, count(*), count(*) FILTER (WHERE weight = 3), sum(weight), max(at) FROM days GROUP BY 1);
-- The last price and name that anybody told
SELECT o.item, o.data, r.price, r.name
FROM once o
CROSS JOIN LATERAL (SELECT (SELECT said -> 'price' FROM raw WHERE item = o.item AND said ? 'price' ORDER BY recorded_at DESC, action_id DESC LIMIT 1) AS price,
                           (SELECT array_agg(said -> 'name') FROM raw WHERE item = o.item AND action_id =
                               (SELECT action_id FROM raw WHERE item = o.item AND said ? 'name' ORDER BY recorded_at DESC, action_id DESC LIMIT 1)) AS name) r
WHERE o.data -> 'price' <> r.price OR o.data -> 'name' <> ALL (r.name) OR o.data ->> 'product_id' <> o.item;

--
-- Bounds
--
DELETE FROM nudge.actions WHERE user_id LIKE 'rc\_%';
TRUNCATE nudge.items, nudge.item_pairs, nudge.item_counting;
-- X is seen with 100 others, one of them twice; with one more, the best 50 are left
SELECT count(pg_temp.did('x' || g, '1999-05-03 10:00', 'page_visit', jsonb_build_object('items', jsonb_build_array('{"product_id": "X"}'::jsonb,
       jsonb_build_object('product_id', 'o' || g % 100))))) FROM generate_series(1, 101) g;
CALL nudge.count_items('1999-05-04');
SELECT count(*), max(seen) FROM nudge.item_pairs WHERE item = 'X';
SELECT pg_temp.did('y', '1999-05-04 10:00', 'page_visit', '{"items": [{"product_id": "X"}, {"product_id": "new"}]}');
CALL nudge.count_items('1999-05-05');
SELECT count(*), max(seen) FROM nudge.item_pairs WHERE item = 'X';
-- What nobody has named for a year is forgotten
SELECT pg_temp.did('z', '2000-05-03 11:00', 'page_visit', '{"product_id": "Z"}');
CALL nudge.count_items('2000-05-04');
SELECT item FROM nudge.items ORDER BY item;
SELECT * FROM nudge.item_pairs ORDER BY 1, 2;

DELETE FROM nudge.actions WHERE user_id LIKE 'rc\_%';
TRUNCATE nudge.items, nudge.item_pairs, nudge.item_counting;
