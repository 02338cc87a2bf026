--
-- What a rule's personalization asks for, as a template in the executor sees it
--
SET client_min_messages = warning;
SET timezone = 'UTC';
SET nudge.evaluate = off;
INSERT INTO nudge.templates (template_id, subject, body_text, body_html) VALUES
    ('pz', 'cart {{ cart.items | json }} {{ cart.value }} {{ cart.items.size }}',
     'discount {{ discount | json }} {{ discount.percent }} preferences {{ preferences | json }} recommendations {{ recommendations | json }} personalization {{ personalization | json }}',
     NULL),
    ('pz_loop', 'x', '{% for r in recommendations %}{{ r.name | default: r.product_id }} {% endfor %}', NULL),
    ('pz_link', 'x', NULL, '{{ action.data.html | raw }}'),
    ('pz_href', 'x', NULL, '<a title="1 < 2" href="{{ action.data.url }}">see</a>');
INSERT INTO nudge.users (user_id, email, preferences)
SELECT 'pz_' || u, u || '@example.org', '{"colour": "red", "sizes": [1, 2]}' FROM unnest('{a,b,c}'::text[]) u;

CREATE FUNCTION pg_temp.rule(name text, personalization jsonb, template_id text DEFAULT 'pz') RETURNS void LANGUAGE sql AS $$
    INSERT INTO nudge.rules (name, trigger_type, template_id, personalization) VALUES ('pz ' || name, 'behavioral', template_id, personalization)
$$;
CREATE FUNCTION pg_temp.send(rule text, data jsonb, who text DEFAULT 'a', at timestamptz DEFAULT '2020-03-02 10:00+00')
RETURNS TABLE (subject text, body_text text, body_html text, error text) LANGUAGE plpgsql AS $$
DECLARE
    id bigint;
    counts record;
BEGIN
    INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at, occurred_at, action_type, action_data, context)
    SELECT 'pz_' || who, r.rule_id, 'normal', at, at, at, 'x', data, '{}' FROM nudge.rules r WHERE r.name = 'pz ' || rule
    RETURNING pending_id INTO id;
    SELECT * INTO counts FROM nudge.execute_pending(as_of => at);
    RETURN QUERY
        SELECT m.subject, m.body_text, m.body_html, e.reason
        FROM nudge.events e LEFT JOIN nudge.messages m ON m.pending_id = id
        WHERE e.pending_id = id AND e.event_type IN ('executed', 'failed', 'skipped', 'dead');
    DELETE FROM nudge.pending p WHERE p.pending_id = id;
END
$$;

--
-- Nothing is there unless it is asked for
--
SELECT pg_temp.rule('nothing', '{"shop": "Shop"}'), pg_temp.rule('no', '{"include_cart_items": false, "user_preferences": null, "discount_offer": null, "include_recommendations": false, "related_products": null}');
SELECT * FROM pg_temp.send('nothing', '{"items": [1]}');
SELECT * FROM pg_temp.send('no', '{"items": [1]}');

--
-- The cart
--
SELECT pg_temp.rule('cart', '{"include_cart_items": true}');
SELECT d AS data, s.subject, s.error FROM unnest(ARRAY[
    '{"items": [{"name": "hat", "price": 10.50, "quantity": 2}, {"name": "cap", "price": 1}]}',
    '{"cart_items": [{"price": "3.25"}, {"price": "a lot"}, {"price": "-1"}, {"price": "1e3"}, "x", 5], "products": [{"price": 100}]}',
    '{"products": [{"price": 4, "quantity": "3"}]}',
    '{"items": {"price": 4}, "products": [{"price": 5}]}',
    '{"items": [], "value": 7.10}', '{"items": [{"price": 1}], "cart_value": 8, "value": "9"}', '{"value": 1, "cart_value": 2}',
    '{"product_id": "p1", "price": 39.90, "quantity": 2}', '{"product": "kettle", "price": 39.90}', '{"product": {"name": "pot", "price": 5}, "product_id": 3}',
    '{"items": ["a", "b"]}', '{"price": 3}', '{}', '{"product": ["x"]}', '{"product": true}',
    '{"items": [{"price": 0.1}, {"price": 0.2}]}']::jsonb[]) AS d CROSS JOIN LATERAL pg_temp.send('cart', d) s;
-- As large and as deep as it may be: no error but of the trigger itself
SELECT s.subject IS NULL AS no_message, left(s.error, 80) AS error
FROM pg_temp.send('cart', jsonb_build_object('items', jsonb_build_array(jsonb_build_object('price', ('1' || repeat('0', 131000))::numeric, 'quantity', ('1' || repeat('0', 131000))::numeric)))) s;
SELECT right(s.subject, 8) AS subject, left(s.error, 80) AS error
FROM pg_temp.send('cart', ('{"items": [' || repeat('[', 5000) || repeat(']', 5000) || ']}')::jsonb) s;
SELECT length(s.subject) > 1000 AS long, right(s.subject, 12) AS subject, s.error
FROM pg_temp.send('cart', (SELECT jsonb_build_object('items', jsonb_agg(jsonb_build_object('price', g))) FROM generate_series(1, 1000) g)) s;
SELECT * FROM pg_temp.send('cart', NULL);

--
-- Discount, preferences
--
SELECT pg_temp.rule('number', '{"discount_offer": 12.5}'), pg_temp.rule('object', '{"discount_offer": {"percent": 10, "code": "BACK10"}}'),
       pg_temp.rule('preferences', '{"user_preferences": true}');
SELECT r, s.body_text, s.error FROM unnest('{number,object,preferences}'::text[]) r CROSS JOIN LATERAL pg_temp.send(r, '{}') s;

--
-- Recommendations
--
TRUNCATE nudge.items, nudge.item_pairs, nudge.item_counting;
INSERT INTO nudge.items (item, data, seen, bought, score, last_at)
SELECT 'i' || g, jsonb_build_object('product_id', 'i' || g, 'name', 'Item ' || g), 1, 0, 100 - g, '2020-03-01' FROM generate_series(1, 60) g;
INSERT INTO nudge.item_pairs (item, other, seen, bought, score) VALUES ('i1', 'i50', 1, 0, 5), ('i1', 'i40', 1, 0, 9), ('i2', 'i50', 1, 0, 2);
INSERT INTO nudge.actions (user_id, action_type, action_data, recorded_at) VALUES
    ('pz_b', 'page_visit', '{"product_id": "i2"}', '2020-03-01'), ('pz_c', 'purchase', '{"product_id": "i40"}', '2020-02-15');
SELECT pg_temp.rule('four', '{"include_recommendations": true}', 'pz_loop'), pg_temp.rule('three', '{"related_products": 3}', 'pz_loop'),
       pg_temp.rule('most', '{"related_products": 2, "include_recommendations": 50}', 'pz_loop');
SELECT body_text FROM pg_temp.send('four', '{"product_id": "i1"}');
SELECT body_text FROM pg_temp.send('three', '{"product_id": "i1"}');
SELECT array_length(string_to_array(body_text, 'Item'), 1) - 1 AS items FROM pg_temp.send('most', '{"product_id": "i1"}');
-- nothing in hand: what the user did; and never what was just bought
SELECT body_text FROM pg_temp.send('three', '{}', 'b');
SELECT body_text FROM pg_temp.send('three', '{"product_id": "i1"}', 'c');
SELECT body_text FROM pg_temp.send('three', '{"product_id": "i1"}', 'c', '2020-03-20');
-- for a batch at once, each its own
INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at, action_data)
SELECT 'pz_' || u, r.rule_id, 'normal', '2020-03-02 11:00+00', '2020-03-02 11:00+00', d::jsonb
FROM (VALUES ('a', 'three', '{"product_id": "i1"}'), ('b', 'four', '{}'), ('c', 'nothing', '{}'), ('c', 'three', '{"items": [{"product_id": "i2"}, {"product_id": "i1"}]}')) v (u, n, d)
JOIN nudge.rules r ON r.name = 'pz ' || n;
SELECT * FROM nudge.execute_pending(as_of => '2020-03-02 11:00+00');
SELECT m.user_id, r.name, left(m.body_text, 40) AS body_text FROM nudge.messages m JOIN nudge.rules r USING (rule_id)
WHERE m.user_id LIKE 'pz\_%' AND m.created_at = (SELECT max(created_at) FROM nudge.messages) ORDER BY 1, 2;
-- none known
TRUNCATE nudge.items, nudge.item_pairs;
SELECT pg_temp.rule('none', '{"include_recommendations": true}');
SELECT * FROM pg_temp.send('none', '{"product_id": "i1"}');
SELECT pg_temp.rule('required', '{"include_cart_items": true, "required": ["cart.value", "discount"]}');
SELECT * FROM pg_temp.send('required', '{}');
SELECT * FROM pg_temp.send('required', '{"value": 3}');

--
-- Links that run code
--
SELECT pg_temp.rule('link', '{}', 'pz_link'), pg_temp.rule('href', '{}', 'pz_href');
SELECT u, s.body_html IS NOT NULL AS sent, s.error FROM unnest(ARRAY['https://example.org/?a=javascript:', '/relative', '', 'java script:x',
    'javascript', 'javascripts:x', 'x javascript:alert(1)', 'mailto:a@example.org', 'database:x', '&#106;avascript:alert(1)',
    'javascript:alert(1)', 'JavaScript:alert(1)', ' javascript:x', E'\t\njava\tscr\nipt:x', E'\x01javascript:x', 'vbscript:x', 'DATA:text/html,x', 'data:image/png;base64,x'
    ]) u CROSS JOIN LATERAL pg_temp.send('href', jsonb_build_object('url', u)) s;
SELECT h, s.body_html IS NOT NULL AS sent, s.error FROM unnest(ARRAY[
    '<a href=javascript:x>', '<a href = ''javascript:x''>', '<A HREF="JAVASCRIPT:x">', '<a/href="javascript:x">', '<a title=">" href="javascript:x">',
    '<a b=c/d href=javascript:x', '<a href="javascript:x', '<img src=data:x>', '<svg><a xlink:href="vbscript:x">', '<a href="&#106;avascript:x">', '<a href="&#x6A;avascript&colon;x">',
    '<a href="&#106avascript:x">', '<a href="&#0000000000106;avascript:x">', '<a href="java&Tab;script&NewLine;:x">', '<a href="&#1;javascript:x">', '<!--[if mso]><a href="javascript:x"><![endif]-->',
    '<a href="x" href="javascript:x">', 'a < b href="javascript:x"', '</a href="javascript:x">', '<a data-href="javascript:x">', '<a title="javascript:x" href="x">', '<a href>javascript:x</a>',
    '<a href="">', '<a href="&#">', '<a href="&#x">', '<a href="&#99999999999999;">', '<', '<a', '<a href=', '<a href="', '<a href="&', '<a =href="javascript:x">', '<p>javascript:x</p>'
    ]) h CROSS JOIN LATERAL pg_temp.send('link', jsonb_build_object('html', h)) s;

--
-- What an error leaves holds no values: whoever reads events and triggers may not see addresses
--
INSERT INTO nudge.templates (template_id, subject, body_text)
SELECT 'pz_say' || n, 'x', t FROM unnest(ARRAY['{% if "a" < action.data.number %}{% endif %}', '{% if action.data.number < user.email %}{% endif %}',
    '{{ "2020-01-01" | in_time_zone: user.email }}', '{{ action.data.numbers | map: user.email }}', '{{ "2020-01-01" | date: action.data.format }}',
    '{% include user.email %}', '{% include "pz_nowhere" %}', '{% abort user.email %}', '{% abort "for good" %}', '{{ user.email | no_filter }}',
    '{{ user.email | times: 2 | divided_by: user.email }}', '{{ user.email | base64_decode }}', '{{ user.email | date: "%Y", user.email }}']) WITH ORDINALITY AS x (t, n);
SELECT t.body_text, s.error FROM generate_series(1, 13) n JOIN nudge.templates t ON t.template_id = 'pz_say' || n
CROSS JOIN LATERAL pg_temp.rule('say' || n, '{}', t.template_id)
CROSS JOIN LATERAL pg_temp.send('say' || n, '{"number": 4711, "numbers": [1], "format": "4711 %"}') s ORDER BY n;
SELECT count(*) FROM nudge.events WHERE user_id LIKE 'pz\_%' AND reason ~ 'a@example|4711';
INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at, action_data)
SELECT 'pz_a', rule_id, 'normal', '2020-03-02 12:00+00', '2020-03-02 12:00+00', '{"number": 4711}' FROM nudge.rules WHERE name = 'pz say1';
SELECT * FROM nudge.execute_pending(as_of => '2020-03-02 12:00+00');
SELECT last_error FROM nudge.pending WHERE user_id = 'pz_a';
SELECT nudge.preview((SELECT rule_id FROM nudge.rules WHERE name = 'pz say1'), 'pz_a', 'x', '{"number": 4711}');
DELETE FROM nudge.pending WHERE user_id = 'pz_a';

--
-- Wrong types are refused, whichever way a rule is written
--
\set VERBOSITY verbose
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.try(statement text) RETURNS TABLE (state text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END
$$;
SELECT p, t.* FROM unnest(ARRAY['{"include_cart_items": "yes"}', '{"include_cart_items": 1}', '{"user_preferences": {}}', '{"discount_offer": "10 %"}', '{"discount_offer": true}',
    '{"discount_offer": [10]}', '{"include_recommendations": "4"}', '{"include_recommendations": 0}', '{"related_products": 51}', '{"related_products": 2.5}', '{"related_products": [1]}',
    '{"related_products": 1e400}']) p
CROSS JOIN LATERAL pg_temp.try(format($$SELECT nudge.create_rule('{"name": "pz bad", "type": "behavioral", "personalization_config": %s}')$$, p)) t;
SELECT * FROM pg_temp.try($$INSERT INTO nudge.rules (name, trigger_type, personalization) VALUES ('pz bad', 'behavioral', '{"include_cart_items": 1, "discount_offer": "x"}')$$);
SELECT * FROM pg_temp.try($$UPDATE nudge.rules SET personalization = '{"related_products": "all"}' WHERE name = 'pz cart'$$);
SELECT count(*) FROM nudge.rules WHERE name = 'pz bad';
-- A rule from before such checks can still be paused, and asks for nothing
ALTER TABLE nudge.rules DISABLE TRIGGER check_rule;
SELECT pg_temp.rule('old', '{"include_cart_items": "yes", "discount_offer": "10 %", "include_recommendations": 1000, "user_preferences": 1}');
ALTER TABLE nudge.rules ENABLE TRIGGER check_rule;
SELECT * FROM pg_temp.send('old', '{"items": [1]}');
UPDATE nudge.rules SET status = 'paused' WHERE name = 'pz old';

DELETE FROM nudge.rules WHERE name LIKE 'pz %';
DELETE FROM nudge.templates WHERE template_id LIKE 'pz%';
DELETE FROM nudge.users WHERE user_id LIKE 'pz\_%';
DELETE FROM nudge.actions WHERE user_id LIKE 'pz\_%';
DELETE FROM nudge.outbox WHERE user_id LIKE 'pz\_%';
