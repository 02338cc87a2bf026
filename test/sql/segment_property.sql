--
-- Segments at random: the query that a segment is compiled to and the evaluation
-- in C agree for every user.  All happens in one transaction, so that now() is the
-- same for both.
--
\unset ECHO
\set QUIET 1
SET timezone = 'America/St_Johns';
SET client_min_messages = warning;
BEGIN;
SELECT setseed(0.42) IS NULL AS seeded \gset

-- One of some values, any as likely
CREATE FUNCTION pg_temp.pick(VARIADIC of jsonb[]) RETURNS jsonb LANGUAGE sql VOLATILE AS
$$ SELECT of[1 + floor(random() * cardinality(of))] $$;
CREATE FUNCTION pg_temp.chance(p float8) RETURNS boolean LANGUAGE sql VOLATILE AS $$ SELECT random() < p $$;
CREATE FUNCTION pg_temp.ago(days float8) RETURNS timestamptz LANGUAGE sql VOLATILE AS
$$ SELECT now() - CASE WHEN random() < 0.3 THEN floor(random() * days) * interval '1 day'
                         ELSE floor(random() * days * 24) * interval '1 hour' + interval '7 minutes' END $$;

-- Values as they stand in users' documents, odd ones among them
CREATE FUNCTION pg_temp.scalar() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT pg_temp.pick('"gold"', '"gold"', '"gold"', '"gold"', '5', '5', '5', '"silver"', '"Gold"', '"go"', '"ld"', '""', '"søster Å"', '"Å"', '"it''s \\ \"q\""', '"5"', '"10"',
        '5', '5.0', '10', '-3', '0', '0.5', '1e30', '12345678901234567890.5', '7', 'true', 'false', '"true"')
$$;
CREATE FUNCTION pg_temp.moment() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT pg_temp.pick(to_jsonb(pg_temp.ago(12)), to_jsonb(pg_temp.ago(12)), to_jsonb(pg_temp.ago(3)),
        to_jsonb(pg_temp.ago(12)::timestamp), to_jsonb((pg_temp.ago(3) + interval '1 day')::text),
        to_jsonb(floor(extract(epoch FROM pg_temp.ago(12)))), '"yesterday"', '"now"', '"infinity"', '"not a time"',
        '"2024-02-30"', '"2024-03-10 02:30 America/New_York"', 'null', 'true', '{"a": 1}', '1e300')
$$;
CREATE FUNCTION pg_temp.value(depth int DEFAULT 2) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    CASE floor(random() * CASE WHEN depth > 0 THEN 12 ELSE 9 END)
        WHEN 0 THEN RETURN 'null';
        WHEN 1 THEN RETURN pg_temp.moment();
        WHEN 9 THEN RETURN jsonb_build_array(pg_temp.scalar(), pg_temp.value(depth - 1), pg_temp.scalar());
        WHEN 10 THEN RETURN jsonb_build_object(pg_temp.pick('"a"', '"0"', '"1"', '"gold"', '" 1"') #>> '{}', pg_temp.value(depth - 1),
                                               'a', pg_temp.value(depth - 1));
        WHEN 11 THEN RETURN jsonb_build_array();
        ELSE RETURN pg_temp.scalar();
    END CASE;
END
$$;
CREATE FUNCTION pg_temp.document() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_object_agg(k, pg_temp.value()), '{}')
    FROM unnest('{a,b,tier,age,0,x y}'::text[]) AS k WHERE pg_temp.chance(0.7)
$$;

INSERT INTO nudge.users (user_id, email, phone, timezone, locale, profile, behavior, preferences, lifecycle_stage, created_at, updated_at)
SELECT CASE WHEN i % 5 = 0 THEN 'søster ''' || i ELSE 'p' || i END,
       CASE WHEN pg_temp.chance(0.7) THEN 'p' || i % 9 || '@example.' || (pg_temp.pick('"com"', '"org"') #>> '{}') END,
       CASE WHEN pg_temp.chance(0.3) THEN '+47 ' || i END,
       pg_temp.pick('null', '"UTC"', '"Europe/Oslo"', '"America/New_York"', '"Asia/Kolkata"', '"Pacific/Auckland"') #>> '{}',
       pg_temp.pick('null', '"nb"', '"en"') #>> '{}',
       pg_temp.document()
           || CASE WHEN pg_temp.chance(0.6) THEN jsonb_build_object('location', pg_temp.pick('{"country": "NO", "region": "03"}', '{"country": "de"}',
               '{"lat": 59.9, "lon": 10.7}', '{"lat": 60.4, "lon": 5.3, "country": "NO"}', '{"lat": "x", "lon": 1}', '{"region": "DE-BY"}', '5', 'null')) ELSE '{}' END,
       pg_temp.document()
           || CASE WHEN pg_temp.chance(0.4) THEN jsonb_build_object('total_purchases', pg_temp.pick('0', '1', '2', '3', '3.0', '2.5', '40', '-1', 'null', '"3"', '[3]')) ELSE '{}' END
           || CASE WHEN pg_temp.chance(0.5) THEN jsonb_build_object('last_login', pg_temp.moment()) ELSE '{}' END,
       pg_temp.document(),
       pg_temp.pick('null', '"new"', '"active"', '"dormant"') #>> '{}',
       pg_temp.ago(20), pg_temp.ago(20)
FROM generate_series(1, 220) AS i;

-- recorded_at lies in the past: history, which fires nothing.
CREATE TEMP TABLE person AS SELECT user_id, row_number() OVER (ORDER BY user_id) AS n FROM nudge.users;
INSERT INTO nudge.actions (user_id, action_type, action_data, occurred_at, recorded_at)
SELECT p.user_id, pg_temp.pick('"purchase"', '"purchase"', '"login"', '"view"', '"cart"') #>> '{}',
       CASE WHEN pg_temp.chance(0.8) THEN pg_temp.document() || jsonb_build_object('price', pg_temp.scalar(), 'category', pg_temp.pick('"shoes"', '"hats"', 'null')) ELSE '{}' END,
       t.recorded_at - CASE WHEN pg_temp.chance(0.3) THEN interval '5 hours' ELSE interval '0' END, t.recorded_at
FROM generate_series(1, 1400) AS i
CROSS JOIN LATERAL (SELECT 1 + floor(random() * 180) AS n, pg_temp.ago(14) AS recorded_at WHERE i > 0) AS t
JOIN person p ON p.n = t.n;

INSERT INTO nudge.rules (name, trigger_type) VALUES ('property a', 'behavioral'), ('property b', 'behavioral');
INSERT INTO nudge.events (user_id, event_type, rule_id, flag, occurred_at, recorded_at)
SELECT p.user_id, pg_temp.pick('"sent"', '"sent"', '"opened"', '"clicked"', '"executed"') #>> '{}', r.rule_id,
       CASE WHEN pg_temp.chance(0.2) THEN 'machine' END, t.recorded_at - interval '1 minute', t.recorded_at
FROM generate_series(1, 900) AS i
CROSS JOIN LATERAL (SELECT 1 + floor(random() * 210) AS n, pg_temp.ago(14) AS recorded_at WHERE i > 0) AS t
JOIN person p ON p.n = t.n
JOIN nudge.rules r ON r.name = CASE WHEN i % 2 = 0 THEN 'property a' ELSE 'property b' END;

-- What the conditions of segments ask
CREATE FUNCTION pg_temp.path() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT to_jsonb(CASE WHEN pg_temp.chance(0.8)
        THEN (pg_temp.pick('"profile"', '"behavior"', '"preferences"') #>> '{}') || '.' ||
             (pg_temp.pick('"a"', '"b"', '"tier"', '"age"', '"0"', '"a.0"', '"a.a"', '"b.-1"', '"a.gold"', '"b.1.a"', '"x y"', '"a. 1"', '"a.+1"', '"none"', '"tier"', '"age"', '"a"') #>> '{}')
        ELSE pg_temp.pick('"email"', '"phone"', '"timezone"', '"locale"', '"user_id"', '"created_at"', '"updated_at"', '"push_token"') #>> '{}' END)
$$;
CREATE FUNCTION pg_temp.span() RETURNS jsonb LANGUAGE sql VOLATILE AS
$$ SELECT pg_temp.pick('"1 day"', '"5 days"', '"10 days"', '"36 hours"', '1440', '"2 months"') $$;
CREATE FUNCTION pg_temp.comparison(op text) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT CASE
        WHEN op IN ('starts_with', 'ends_with') THEN jsonb_build_object('value', pg_temp.pick('"g"', '"gold"', '"ld"', '"Å"', '"søs"', '"p1"', '".com"', '"5"'))
        WHEN op IN ('contains', 'not_contains') THEN jsonb_build_object('values', jsonb_build_array(pg_temp.scalar(), pg_temp.pick('"ol"', '"a"', '"example.o"', '5')))
        WHEN op IN ('greater_than', 'at_least', 'less_than', 'at_most') THEN jsonb_build_object('value', pg_temp.pick('5', '0', '6.5', '-10', '"gold"', '"a"', '"p3"', '"5"', '1e25'))
        WHEN op = 'in_range' THEN pg_temp.pick('{"min": 0}', '{"max": 5}', '{"min": 0.5, "max": 10}', '{"min": 5, "max": 5}')
        WHEN op IN ('in', 'not_in') THEN jsonb_build_object('values', jsonb_build_array(pg_temp.scalar(), pg_temp.scalar(), pg_temp.pick('"p1@example.com"', '"nb"', '"UTC"')))
        WHEN op IN ('exists', 'not_exists') THEN '{}'
        WHEN op IN ('within', 'after') THEN jsonb_build_object('value', pg_temp.span())
        ELSE jsonb_build_object('value', CASE WHEN pg_temp.chance(0.2) THEN pg_temp.pick('"p1@example.com"', '"nb"', '"UTC"') ELSE pg_temp.scalar() END) END
$$;
CREATE FUNCTION pg_temp.how_often(op text) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT CASE
        WHEN op IN ('exists', 'not_exists') THEN '{}'
        WHEN op IN ('equals', 'not_equals', 'greater_than', 'at_least', 'less_than', 'at_most') THEN jsonb_build_object('count', pg_temp.pick('0', '1', '2', '3'))
        WHEN op = 'in_range' THEN pg_temp.pick('{"min": 1, "max": 2}', '{"max": 1}', '{"min": 2}')
        ELSE pg_temp.pick('{}', '{}', '{"min": 2}', '{"max": 1}', '{"min": 1, "max": 2}', '{"count": 0}', '{"count": 2}', '{"min": 0, "max": 2}') END
$$;
CREATE TEMP TABLE kind (n serial, type text, op text);
INSERT INTO kind (type, op)
SELECT 'user_attribute', unnest('{equals,not_equals,contains,not_contains,starts_with,ends_with,greater_than,at_least,less_than,at_most,in_range,in,not_in,exists,not_exists,within,after}'::text[])
UNION ALL SELECT 'purchase_behavior', unnest('{greater_than,less_than,equals,in_range}'::text[])
UNION ALL SELECT 'engagement_level', 'equals'
UNION ALL SELECT 'jsonpath', 'equals'
UNION ALL SELECT 'action_count', unnest('{did,did_not,exists,not_exists,equals,not_equals,greater_than,at_least,less_than,at_most,in_range}'::text[])
UNION ALL SELECT 'segment', unnest('{equals,not_equals}'::text[])
UNION ALL SELECT 'location', unnest('{within,not_in}'::text[])
UNION ALL SELECT 'local_time', unnest('{within,not_in}'::text[])
UNION ALL SELECT 'message_engagement', unnest('{opened,clicked,ignored}'::text[])
UNION ALL SELECT 'lifecycle_stage', unnest('{equals,not_equals,in,not_in}'::text[]);

CREATE FUNCTION pg_temp.leaf(which int DEFAULT 1 + floor(random() * 47), plain boolean DEFAULT false) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    k record;
    parameters jsonb;
BEGIN
    SELECT * INTO k FROM kind WHERE n = which;
    parameters := CASE k.type
        WHEN 'user_attribute' THEN jsonb_build_object('path', pg_temp.path()) || pg_temp.comparison(k.op)
            || CASE WHEN plain THEN jsonb_build_object('path', 'profile.' || (pg_temp.pick('"a"', '"tier"', '"age"') #>> '{}')) ELSE '{}' END
            || CASE WHEN plain AND k.op IN ('equals', 'not_equals', 'at_least') THEN '{"value": 5}'::jsonb
                    WHEN plain AND k.op IN ('in', 'not_in', 'contains', 'not_contains') THEN '{"values": ["gold", 5]}' ELSE '{}' END
        WHEN 'purchase_behavior' THEN
            CASE WHEN k.op = 'in_range' THEN pg_temp.pick('{"min": 1}', '{"max": 2.5}', '{"min": 0, "max": 3}')
                 ELSE jsonb_build_object('threshold', pg_temp.pick('0', '1', '2', '2.5', '3', '-1')) END
            || CASE WHEN pg_temp.chance(0.2) THEN '{"metric": "age"}'::jsonb ELSE '{}' END
        WHEN 'engagement_level' THEN jsonb_build_object('level', pg_temp.pick('"low"', '"medium"', '"high"'))
            || CASE WHEN pg_temp.chance(0.5) THEN pg_temp.pick('{"high_days": 0}', '{"high_days": 2.5, "medium_days": 5.5}', '{"medium_days": 1e300}') ELSE '{}' END
        WHEN 'jsonpath' THEN jsonb_build_object('path', pg_temp.pick('"$.user.profile.age > 3"', '"exists($.user.profile.** ? (@ == \"gold\"))"',
            '"$.user.behavior.a.type() == \"array\""', '"$.user.email like_regex \"p[1-4]@\""', '"$.user.created_at.datetime() > \"2020-01-01\".datetime()"',
            '"strict $.user.profile.a.b == 1 || $.user.timezone == \"UTC\""', '"!($.user.profile.age < 6)"'))
        WHEN 'action_count' THEN jsonb_build_object('action_type', pg_temp.pick('"purchase"', '"login"', '["view", "cart"]', '["purchase", "purchase", "view"]', '"nothing"'))
            || pg_temp.how_often(k.op)
            || CASE WHEN pg_temp.chance(0.5) THEN jsonb_build_object('within', pg_temp.span()) ELSE '{}' END
            || CASE WHEN pg_temp.chance(0.4) THEN jsonb_build_object('where', pg_temp.pick('"$.category == \"shoes\""', '"$.price > 4"', '"exists($.a[*] ? (@ == 5))"',
                '"$.action_type == \"view\""', '"$.action_data.price >= 5"')) ELSE '{}' END
        WHEN 'segment' THEN jsonb_build_object('segment', 'property ' || 1 + floor(random() * greatest(1, (SELECT count(*) FROM nudge.segments WHERE name LIKE 'property %'))))
        WHEN 'location' THEN pg_temp.pick('{"countries": ["NO"]}', '{"countries": ["DE", "SE"]}', '{"regions": ["NO-03", "DE-BY"]}', '{"lat": 59.91, "lon": 10.75, "radius_km": 100}', '{"lat": 60, "lon": 8, "radius_km": 400}')
        WHEN 'local_time' THEN pg_temp.pick('{"from": "09:00", "to": "17:00"}', '{"from": "17:00", "to": "05:00"}', '{"from": "00:00", "to": "12:00"}', '{"from": "06:00", "to": "18:00"}', '{"days": ["mon", "wed", "fri", "sun"]}', '{"from": "12:00", "to": "23:59", "days": ["sat", "mon"]}')
        WHEN 'message_engagement' THEN jsonb_build_object('rule', pg_temp.pick('"property a"', '"property b"'))
            || CASE WHEN pg_temp.chance(0.5) THEN jsonb_build_object('within', pg_temp.span()) ELSE '{}' END
        WHEN 'lifecycle_stage' THEN CASE WHEN k.op IN ('in', 'not_in') THEN '{"stages": ["new", "active"]}'::jsonb ELSE jsonb_build_object('stage', pg_temp.pick('"new"', '"dormant"')) END
        END;
    RETURN jsonb_build_object('type', k.type, 'operator', k.op, 'parameters', parameters);
END
$$;
CREATE FUNCTION pg_temp.condition(depth int) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    CASE floor(random() * CASE WHEN depth > 0 THEN 8 ELSE 4 END)
        WHEN 4, 5 THEN RETURN jsonb_build_object('not', pg_temp.condition(depth - 1));
        WHEN 6 THEN RETURN jsonb_build_object('all', jsonb_build_array(pg_temp.condition(depth - 1), pg_temp.condition(depth - 1)));
        WHEN 7 THEN RETURN jsonb_build_object('any', jsonb_build_array(pg_temp.condition(depth - 1), pg_temp.condition(depth - 1), pg_temp.leaf()));
        ELSE RETURN pg_temp.leaf();
    END CASE;
END
$$;

-- First segments of one condition, each kind in turn, a third of them of plain attributes and half of them negated, which
-- tells what is false from what cannot be computed; then groups and several.
DO $$
DECLARE
    c jsonb;
BEGIN
    FOR i IN 1..540 LOOP
        IF i <= 470 THEN
            c := pg_temp.leaf(1 + (i - 1) % 47, i % 3 = 0);
            IF i > 235 THEN
                c := jsonb_build_object('not', c);
            END IF;
            c := jsonb_build_array(c);
        ELSE
            SELECT jsonb_agg(pg_temp.condition(3)) INTO c FROM generate_series(1, 1 + floor(random() * 3)::int);
        END IF;
        INSERT INTO nudge.segments (name, match, conditions)
        VALUES ('property ' || i, CASE WHEN pg_temp.chance(0.5) THEN 'all' ELSE 'any' END,
                c);
        IF i % 10 = 0 THEN
            INSERT INTO nudge.segment_members (segment, user_id)
            SELECT 'property ' || i, user_id FROM person WHERE n % 83 = i % 83 UNION ALL SELECT 'property ' || i, 'without a row';
        END IF;
    END LOOP;
END
$$;

-- Everybody: users, and one who is only listed
CREATE TEMP TABLE found AS
SELECT s.name, u.user_id FROM nudge.segments s, nudge.segment_users(s.name) u (user_id) WHERE s.name LIKE 'property %';
CREATE TEMP TABLE answer AS
SELECT s.name, e.user_id, nudge.in_segment(e.user_id, s.name) AS by_c, f.user_id IS NOT NULL AS by_query
FROM nudge.segments s
CROSS JOIN (SELECT user_id FROM person UNION ALL SELECT 'without a row') e
LEFT JOIN found f ON f.name = s.name AND f.user_id = e.user_id
WHERE s.name LIKE 'property %';

\set ECHO all
-- disagreements
SELECT a.name, s.match, s.conditions, count(*) AS users, min(a.user_id) AS example, bool_or(a.by_c) AS by_c, bool_or(a.by_query) AS by_query
FROM answer a JOIN nudge.segments s USING (name)
WHERE a.by_c IS DISTINCT FROM a.by_query
GROUP BY s.name, a.name ORDER BY length(s.conditions::text) LIMIT 20;
SELECT f.name, nudge.segment_size(f.name), count(*) FROM found f GROUP BY 1 HAVING count(*) <> nudge.segment_size(f.name);
-- somebody twice, or nobody knows who
SELECT name, user_id FROM found GROUP BY 1, 2 HAVING count(*) > 1 OR (user_id <> 'without a row' AND user_id NOT IN (SELECT user_id FROM person));

-- It would be no test if segments were all empty, or had everybody in.
CREATE TEMP TABLE mixed AS
SELECT a.name, count(*) FILTER (WHERE by_c) BETWEEN 3 AND (SELECT count(*) - 3 FROM person) AS mixed FROM answer a GROUP BY 1;
SELECT count(*) AS segments, count(*) FILTER (WHERE mixed) > 270 AS many_mixed FROM mixed;
-- kinds of conditions that no segment of one condition shows at work
SELECT k.type, k.op FROM kind k
WHERE NOT EXISTS (
    SELECT FROM mixed m JOIN nudge.segments s USING (name)
    CROSS JOIN coalesce(s.conditions #> '{0,not}', s.conditions -> 0) AS c
    WHERE m.mixed AND jsonb_array_length(s.conditions) = 1 AND c ->> 'type' = k.type AND c ->> 'operator' = k.op)
ORDER BY k.n;
ROLLBACK;
