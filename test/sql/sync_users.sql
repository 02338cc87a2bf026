--
-- nudge.users follows an application's table of users
--
\pset format unaligned
\pset tuples_only on
SET timezone = 'UTC';
SET client_min_messages = warning;

CREATE FUNCTION pg_temp.users() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', user_id, coalesce(email, '-'), coalesce(phone, '-'), coalesce(timezone, '-'), coalesce(locale, '-'),
                     profile, nullif(behavior, '{}'), nullif(preferences, '{}'))
    FROM nudge.users WHERE user_id ~ '^s[0-9]' ORDER BY user_id
$$;
CREATE TEMPORARY TABLE seen AS SELECT action_id, NULL::bigint AS event_id FROM nudge.actions UNION ALL SELECT NULL, event_id FROM nudge.events;
CREATE FUNCTION pg_temp.news() RETURNS SETOF text LANGUAGE sql AS $$
    WITH done AS (INSERT INTO seen
                  SELECT a.action_id, NULL FROM nudge.actions a WHERE NOT EXISTS (SELECT FROM seen s WHERE s.action_id = a.action_id)
                  UNION ALL
                  SELECT NULL, e.event_id FROM nudge.events e WHERE NOT EXISTS (SELECT FROM seen s WHERE s.event_id = e.event_id)
                  RETURNING *)
    (SELECT concat_ws(' ', a.user_id, a.action_type, a.action_data -> 'changed') FROM nudge.actions a JOIN done USING (action_id) ORDER BY a.action_id)
    UNION ALL
    (SELECT concat_ws(' ', e.user_id, e.event_type, e.reason, e.metadata) FROM nudge.events e JOIN done USING (event_id) ORDER BY e.event_id)
$$;

CREATE TABLE public.members (
    id text PRIMARY KEY DEFERRABLE, email text, phone varchar(30), zone text, given_name text, city text, plan text, spent numeric, wants_mail boolean, seen_at timestamptz);
INSERT INTO nudge.users (user_id, email, profile, behavior) VALUES ('s2', 'old@example.org', '{"first_name": "Old", "hobby": "chess", "address": {"zip": "2"}}', '{"visits": 1}');
INSERT INTO public.members VALUES
    ('s1', 's1@example.org', '+33 1', 'Europe/Paris', 'Anna', 'Paris', 'free', 0, true, now()),
    ('s2', 's2@example.org', NULL, '', 'Bert', 'Lyon', 'paid', 12.50, false, now()),
    ('', 'x@example.org', NULL, NULL, 'Nobody', NULL, NULL, NULL, NULL, now());

-- Takes over what is there, as no news to anybody, and leaves what is not mapped
SELECT nudge.sync_users('public.members', '{"user_id": "id", "email": "email", "phone": "phone", "timezone": "zone", "profile.first_name": "given_name",
    "profile.address.city": "city", "profile.plan": "plan", "behavior.spent": "spent", "preferences.email_enabled": "wants_mail"}');
SELECT * FROM pg_temp.users();
SELECT * FROM pg_temp.news();
SELECT table_name, mapping ->> 'user_id', missing_columns FROM nudge.synced_tables;

-- Follows
INSERT INTO public.members VALUES ('s3', 's3@example.org', NULL, 'Asia/Tokyo', 'Cho', NULL, NULL, 5, NULL, now());
UPDATE public.members SET plan = 'paid', city = NULL WHERE id = 's1';
UPDATE public.members SET seen_at = now(), given_name = given_name;
SELECT * FROM pg_temp.users();
SELECT * FROM pg_temp.news();
-- Only rows that differ are written
SELECT xmin::text AS was FROM nudge.users WHERE user_id = 's2' \gset
UPDATE public.members SET plan = 'paid', phone = '';
SELECT xmin::text = :'was' AS untouched FROM nudge.users WHERE user_id = 's2';
SELECT * FROM pg_temp.news();

-- What nudge.users cannot take is left out and told; the statement does not fail
UPDATE public.members SET email = 'nowhere' WHERE id IN ('s1', 's2');
UPDATE public.members SET zone = 'Mars/Base1', phone = E'1\n2', city = repeat('x', 100000) WHERE id = 's3';
SELECT * FROM pg_temp.users();
SELECT * FROM pg_temp.news();
UPDATE public.members SET email = id || '@example.com', zone = 'Asia/Seoul', phone = NULL, city = NULL;
SELECT * FROM pg_temp.users();

-- Ids that change: what else is known of the user stays
UPDATE public.members SET id = 's20' WHERE id = 's2';
SELECT * FROM pg_temp.users();
-- Two that change places, one that takes the id of another user, one that becomes nobody
UPDATE public.members SET id = CASE id WHEN 's1' THEN 's3' ELSE 's1' END WHERE id IN ('s1', 's3');
SELECT * FROM pg_temp.users();
INSERT INTO nudge.users (user_id, profile) VALUES ('s4', '{"known": true}');
UPDATE public.members SET id = 's4' WHERE id = 's3';
SELECT * FROM pg_temp.users();
UPDATE public.members SET id = repeat('s', 2000) WHERE id = 's4';
SELECT * FROM pg_temp.users();
-- Who leaves the application is forgotten
DELETE FROM public.members WHERE id = 's1' OR length(id) > 1000;
SELECT * FROM pg_temp.users();

-- Columns come, change their name, and go
ALTER TABLE public.members ADD COLUMN nick text DEFAULT 'n';
UPDATE public.members SET nick = 'm', plan = 'gold';
ALTER TABLE public.members RENAME COLUMN given_name TO first;
UPDATE public.members SET first = 'Berta', plan = 'platinum';
ALTER TABLE public.members DROP COLUMN phone;
UPDATE public.members SET plan = 'free', spent = 'NaN' WHERE id = 's20';
INSERT INTO public.members (id, first, plan) VALUES ('s5', 'Eve', 'new');
SELECT * FROM pg_temp.users();
SELECT missing_columns FROM nudge.synced_tables;
SELECT missing_columns, substring(status FROM 'watched or followed.*') FROM nudge.health;
SELECT nudge.sync_users('public.members', '{"user_id": "id", "profile.first_name": "given_name"}');
SELECT nudge.sync_users('public.members', '{"user_id": "id", "profile.first_name": "first", "locale": "nick"}');
SELECT * FROM pg_temp.users();
SELECT missing_columns FROM nudge.health;
ALTER TABLE public.members ALTER COLUMN first TYPE jsonb USING jsonb_build_object('given', first);
UPDATE public.members SET nick = NULL;
UPDATE public.members SET first = first || '{"x": [1]}';
SELECT * FROM pg_temp.users();
ALTER TABLE public.members RENAME COLUMN id TO member_id;
UPDATE public.members SET nick = 'z';
INSERT INTO public.members (member_id) VALUES ('s6');
SELECT * FROM pg_temp.users();
ALTER TABLE public.members RENAME COLUMN member_id TO id;

-- The same user twice: the last row counts.  Ids of other types.
CREATE TABLE public.logins (member int, name text);
SELECT nudge.sync_users('public.logins', '{"user_id": "member", "profile.login": "name"}');
INSERT INTO public.logins VALUES (101, 'a'), (102, 'b'), (101, 'c');
SELECT user_id, profile FROM nudge.users WHERE user_id IN ('101', '102') ORDER BY 1;
DELETE FROM public.logins;
SELECT count(*) FROM nudge.users WHERE user_id IN ('101', '102');
-- Many rows, in and out of step
INSERT INTO public.logins SELECT g, 'n' || g FROM generate_series(1000001, 1012000) g;
UPDATE public.logins SET name = 'x' || name WHERE member % 2 = 0;
UPDATE public.logins SET member = member + 1000000 WHERE member % 3 = 0;
SELECT count(*), bool_and(u.profile ->> 'login' = l.name) FROM nudge.users u FULL JOIN public.logins l ON l.member::text = u.user_id
WHERE u.user_id IS NULL OR u.user_id ~ '^[12]0[0-9]{5}$';
DELETE FROM public.logins;
SELECT count(*) FROM nudge.users WHERE user_id ~ '^[12]0[0-9]{5}$';

-- Users are written before the changes are evaluated that the same statement is watched for
SELECT nudge.watch_table('public.members', 'id', '{plan}', 'plan_changed');
SELECT nudge.sync_users('public.members', '{"user_id": "id", "profile.plan": "plan"}');
SELECT nudge.create_rule('{"name": "sync_users", "type": "behavioral", "conditions": [
    {"type": "action_type", "parameters": {"types": ["plan_changed"]}},
    {"type": "user_attribute", "operator": "equals", "parameters": {"path": "profile.plan", "value": "vip"}}]}') > 0 AS created;
UPDATE public.members SET plan = 'vip' WHERE id = 's5';
SELECT p.user_id FROM nudge.pending p JOIN nudge.rules r USING (rule_id) WHERE r.name = 'sync_users';

-- Whoever may change the table need not know of nudge.users
CREATE ROLE regress_clerk;
GRANT SELECT, UPDATE ON public.members TO regress_clerk;
SET ROLE regress_clerk;
UPDATE public.members SET plan = 'by clerk' WHERE id = 's5';
RESET ROLE;
SELECT * FROM pg_temp.users();

SELECT nudge.unsync_users('public.members'), nudge.unsync_users('public.members');
UPDATE public.members SET plan = 'unseen';
DELETE FROM public.members;
SELECT * FROM pg_temp.users();

-- Attributes at paths
SELECT nudge.copy_attributes('{"a": 1, "b": {"c": 2, "d": 3}, "e": "x"}', s::jsonb, '{a,b.c,e.f,g.h.i}')
FROM unnest(ARRAY['{}', '{"a": 9, "b": {"c": 8}}', '{"a": {"z": 1}, "e": {"f": 7}, "g": {"h": {"i": [1], "k": 0}}}', '{"q": 1, "b": 5}']) AS s;

DROP TABLE public.members, public.logins;
DELETE FROM nudge.users WHERE user_id ~ '^s[0-9]';
DELETE FROM nudge.pending WHERE rule_id = (SELECT rule_id FROM nudge.rules WHERE name = 'sync_users');
DELETE FROM nudge.rules WHERE name = 'sync_users';
DROP ROLE regress_clerk;
