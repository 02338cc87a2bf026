-- Loads the shop's events and inserts them as actions, as if they happened now.
-- The file's name is in the variable events.

CREATE TABLE shop_events (
    event_time    timestamptz,
    event_type    text,
    product_id    text,
    category_id   text,
    category_code text,
    brand         text,
    price         numeric,
    user_id       text,
    user_session  text
);
COPY shop_events FROM :'events' (FORMAT csv, HEADER);

-- The data knows users by number only.  Names are made up; so is the last login, by which
-- half of the users count as medium engaged: 1 to 7 days ago.
INSERT INTO nudge.users (user_id, email, profile, behavior)
SELECT user_id, 'user' || user_id || '@example.com',
       jsonb_build_object('name', (ARRAY['Ada', 'Ben', 'Carla', 'Dev', 'Elif', 'Femi', 'Grace'])[1 + user_id::bigint % 7]),
       jsonb_build_object('last_login', now() - CASE user_id::bigint % 4
           WHEN 0 THEN interval '2 hours' WHEN 1 THEN '20 days' ELSE '3 days' END)
FROM (SELECT DISTINCT user_id FROM shop_events) u;

-- Each minute's events are one INSERT, and so one transaction.
SELECT clock_timestamp() AS started \gset
SELECT format($$
    INSERT INTO nudge.actions (user_id, action_type, action_data, session_id, source)
    SELECT user_id,
           CASE event_type WHEN 'view' THEN 'page_visit' WHEN 'cart' THEN 'add_to_cart' ELSE event_type END,
           jsonb_build_object(
               'page_url', concat_ws('/', '/products', replace(category_code, '.', '/'), product_id),
               'product_id', product_id, 'category', category_code, 'brand', brand, 'price', price),
           user_session, 'web'
    FROM shop_events
    WHERE date_trunc('minute', event_time) = %L
    ORDER BY event_time
$$, minute)
FROM (SELECT DISTINCT date_trunc('minute', event_time) AS minute FROM shop_events) m
ORDER BY minute \gexec
SELECT round(extract(epoch FROM clock_timestamp() - :'started') * 1000) AS took \gset

-- The shop's session time-out calls every cart an abandoned one.  The rule asks whether
-- the user has bought.
INSERT INTO nudge.actions (user_id, action_type, action_data, session_id, source)
SELECT user_id, 'cart_abandonment', action_data, session_id, 'time-out'
FROM nudge.actions
WHERE action_type = 'add_to_cart';

SELECT count(*) AS actions, count(DISTINCT user_id) AS users FROM nudge.actions \gset
SELECT count(*) AS fired FROM nudge.events WHERE event_type = 'scheduled' \gset
SELECT count(*) AS capped FROM nudge.events WHERE event_type = 'capped' \gset
\echo '  ' :actions actions of :users users inserted in :took ms, rules and all: :fired triggers fired, :capped were over a cap
