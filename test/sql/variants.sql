-- Variants: who gets which, what they change, and when they are due
SET client_min_messages = warning;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
INSERT INTO nudge.templates (template_id, channel, subject, body_text) VALUES
    ('va', 'email', 'Plain {{ user.profile.name }}', 'plain'), ('va', 'sms', NULL, 'short'), ('va_new', 'email', 'New', 'new');
INSERT INTO nudge.rules (rule_id, name, trigger_type, template_id, channels) VALUES
    (7541001, 'va', 'behavioral', 'va', '{email}'), (7541002, 'va plain', 'behavioral', 'va', '{email}');
INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters) SELECT r, 0, 'action_type', '{"types": ["va_go"]}' FROM generate_series(7541001, 7541002) AS r;
INSERT INTO nudge.users (user_id, email, phone, profile, preferences)
SELECT 'va_' || n, 'va' || n || '@example.org', '+47 ' || n, jsonb_build_object('name', 'N' || n), '{"sms_enabled": true}' FROM generate_series(1, 1000) AS n;
CREATE VIEW pg_temp.got AS
    SELECT m.user_id, m.variant, m.channel, m.template_id, m.subject, m.body_text FROM nudge.messages m WHERE m.rule_id = 7541001;

-- A rule without variants is sent as it is, and one with variants as they say
INSERT INTO nudge.variants (rule_id, name, subject, template_id, channel, share) VALUES
    (7541001, 'a', NULL, NULL, NULL, 1), (7541001, 'b', 'Dear {{ user.profile.name }}', NULL, NULL, 2), (7541001, 'c', NULL, 'va_new', NULL, 3),
    (7541001, 'd', 'not shown', NULL, 'sms', 4), (7541001, 'off', NULL, NULL, NULL, 0);
INSERT INTO nudge.variants (rule_id, name, enabled) VALUES (7541001, 'disabled', false);
-- what explain and preview say beforehand
CREATE TEMP TABLE foretold AS
    SELECT u.user_id, e.detail ->> 'variant' AS variant, p.subject, p.channel
    FROM nudge.users u
    CROSS JOIN LATERAL nudge.explain(u.user_id, 'va_go') AS e
    CROSS JOIN LATERAL nudge.preview(7541001, u.user_id) AS p
    WHERE u.user_id LIKE 'va\_%' AND e.rule_id = 7541001;
SELECT count(*) FILTER (WHERE detail ? 'variant') AS without FROM nudge.explain('va_1', 'va_go') WHERE rule_id = 7541002;
SELECT f.variant, nudge.coordinate_channels(7541001, f.user_id) #>> '{channels,0,channel}' AS channel, count(*) > 50 AS many FROM foretold f GROUP BY 1, 2 ORDER BY 1;
SELECT count(*) AS asking_writes_nothing FROM nudge.variant_assignments WHERE user_id LIKE 'va\_%';
INSERT INTO nudge.actions (user_id, action_type) SELECT user_id, 'va_go' FROM nudge.users WHERE user_id LIKE 'va\_%';
SELECT * FROM nudge.execute_pending(5000);
SELECT count(*), count(variant) AS variants FROM nudge.messages WHERE rule_id = 7541002;
SELECT variant, count(*), min(got.channel) AS channel, min(got.template_id) AS template, min(regexp_replace(got.subject, '\d+', '#')) AS subject, min(body_text) AS body,
       abs(count(*) - 1000 * share / 10) < 4 * sqrt(1000 * share / 10) AS by_share
FROM pg_temp.got LEFT JOIN nudge.variants v ON v.rule_id = 7541001 AND v.name = variant GROUP BY variant, share ORDER BY 1;
SELECT count(*) AS foretold FROM foretold JOIN pg_temp.got USING (user_id, variant, channel) WHERE got.subject IS NOT DISTINCT FROM foretold.subject;
SELECT count(*) AS kept FROM nudge.variant_assignments a JOIN pg_temp.got USING (user_id, variant) WHERE a.rule_id = 7541001;

-- A user keeps the variant, whatever becomes of shares
UPDATE nudge.variants SET share = CASE name WHEN 'off' THEN 100 ELSE 0 END WHERE rule_id = 7541001;
INSERT INTO nudge.actions (user_id, action_type) SELECT user_id, 'va_go' FROM nudge.users WHERE user_id LIKE 'va\_%';
SELECT executed FROM nudge.execute_pending(5000);
SELECT count(*) AS users, max(variants) AS variants FROM (SELECT user_id, count(DISTINCT variant) AS variants FROM pg_temp.got GROUP BY 1) AS u;
-- but new ones get what is for new ones
INSERT INTO nudge.users (user_id, email) VALUES ('va_new', 'n@example.org');
INSERT INTO nudge.actions (user_id, action_type) VALUES ('va_new', 'va_go');
SELECT executed FROM nudge.execute_pending(10);
SELECT variant FROM pg_temp.got WHERE user_id = 'va_new';
-- Who has one that is not enabled any more, or gone, gets another and keeps it
CREATE TEMP TABLE before AS SELECT DISTINCT user_id, variant FROM pg_temp.got;
UPDATE nudge.variants SET share = 1, enabled = name <> 'b' WHERE rule_id = 7541001;
DELETE FROM nudge.variants WHERE rule_id = 7541001 AND name = 'disabled' OR name = 'c';
DELETE FROM nudge.messages WHERE rule_id = 7541001;
INSERT INTO nudge.actions (user_id, action_type) SELECT user_id, 'va_go' FROM nudge.users WHERE user_id LIKE 'va\_%';
SELECT executed FROM nudge.execute_pending(5000);
SELECT before.variant AS had, string_agg(DISTINCT got.variant, ',') AS got, count(*) FILTER (WHERE a.variant = got.variant) = count(*) AS kept
FROM before JOIN pg_temp.got USING (user_id) JOIN nudge.variant_assignments a ON a.user_id = got.user_id AND a.rule_id = 7541001 GROUP BY 1 ORDER BY 1;
-- No variant for new users, and none at all: as the rule is
UPDATE nudge.variants SET share = 0 WHERE rule_id = 7541001;
INSERT INTO nudge.users (user_id, email) VALUES ('va_none', 'n@example.org');
INSERT INTO nudge.actions (user_id, action_type) VALUES ('va_none', 'va_go');
SELECT executed FROM nudge.execute_pending(10);
SELECT variant, subject FROM pg_temp.got WHERE user_id = 'va_none';
DELETE FROM nudge.variants WHERE rule_id = 7541001;
DELETE FROM nudge.messages WHERE rule_id = 7541001;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('va_1', 'va_go');
SELECT executed FROM nudge.execute_pending(10);
SELECT variant, subject FROM pg_temp.got WHERE user_id = 'va_1';

-- Delays: the trigger is due with the first, and goes on to the user's own
UPDATE nudge.rules SET delay = '2 hours', expiry = '1 hour' WHERE rule_id = 7541001;
DELETE FROM nudge.variant_assignments WHERE rule_id = 7541001;
INSERT INTO nudge.variants (rule_id, name, delay) VALUES (7541001, 'rule', NULL), (7541001, 'at once', '0'), (7541001, 'late', '5 hours');
INSERT INTO nudge.variant_assignments VALUES ('va_1', 7541001, 'rule', now()), ('va_2', 7541001, 'at once', now()), ('va_3', 7541001, 'late', now());
DELETE FROM nudge.messages WHERE rule_id = 7541001;
UPDATE nudge.rules SET status = 'disabled' WHERE rule_id = 7541002;
INSERT INTO nudge.actions (user_id, action_type) SELECT 'va_' || n, 'va_go' FROM generate_series(1, 3) AS n;
SELECT user_id, due_at - fired_at AS due, expires_at - fired_at AS expires FROM nudge.pending WHERE rule_id = 7541001 ORDER BY 1;
SELECT executed, deferred FROM nudge.execute_pending(10);
SELECT p.user_id, p.due_at - p.fired_at AS due, e.reason FROM nudge.pending p JOIN nudge.events e USING (pending_id) WHERE p.rule_id = 7541001 AND e.event_type = 'deferred' ORDER BY 1;
SELECT detail ->> 'variant' AS variant, outcome FROM nudge.explain('va_3', 'va_go') WHERE rule_id = 7541001;
SELECT executed, deferred FROM nudge.execute_pending(10, now() + interval '2 hours 1 minute');
SELECT executed, deferred, skipped FROM nudge.execute_pending(10, now() + interval '5 hours 1 minute');
SELECT user_id, variant FROM pg_temp.got ORDER BY 1;
-- it expires an hour after it was due, each by its own delay
INSERT INTO nudge.actions (user_id, action_type) SELECT 'va_' || n, 'va_go' FROM generate_series(1, 3) AS n;
SELECT executed, deferred, skipped FROM nudge.execute_pending(10, now() + interval '3 hours 1 minute');
SELECT executed, deferred, skipped FROM nudge.execute_pending(10, now() + interval '6 hours 1 minute');
SELECT user_id, reason FROM nudge.events WHERE rule_id = 7541001 AND event_type = 'skipped' ORDER BY event_id;

-- no variant for new users: by the rule's own delay
UPDATE nudge.variants SET share = 0, delay = CASE name WHEN 'late' THEN interval '5 hours' ELSE '1 hour' END WHERE rule_id = 7541001;
INSERT INTO nudge.actions (user_id, action_type) VALUES ('va_4', 'va_go'), ('va_3', 'va_go');
SELECT user_id, due_at - fired_at AS due, expires_at - fired_at AS expires FROM nudge.pending WHERE rule_id = 7541001 ORDER BY 1;
SELECT executed, deferred, skipped FROM nudge.execute_pending(10, now() + interval '1 hour 1 minute');
SELECT user_id, due_at - fired_at AS due FROM nudge.pending WHERE rule_id = 7541001 ORDER BY 1;
SELECT executed, deferred, skipped FROM nudge.execute_pending(10, now() + interval '2 hours 1 minute');
DELETE FROM nudge.pending WHERE rule_id = 7541001;

-- Hours of the user's clock, through daylight saving: on 29 March 2020 in Berlin 2:00
-- to 3:00 is left out, on 25 October it comes twice
UPDATE nudge.rules SET delay = '0', expiry = NULL WHERE rule_id = 7541001;
DELETE FROM nudge.variants WHERE rule_id = 7541001;
INSERT INTO nudge.variants (rule_id, name, hour) SELECT 7541001, 'h' || h, h FROM unnest('{0,2,9,23}'::int[]) AS h;
INSERT INTO nudge.users (user_id, email, timezone) SELECT 'va_z' || h, 'z@example.org', 'Europe/Berlin' FROM unnest('{0,2,9,23}'::int[]) AS h;
INSERT INTO nudge.variant_assignments SELECT 'va_z' || h, 7541001, 'h' || h, now() FROM unnest('{0,2,9,23}'::int[]) AS h;
CREATE FUNCTION pg_temp.due(fired timestamptz) RETURNS TABLE (at text, h0 text, h2 text, h9 text, h23 text) LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM nudge.pending WHERE rule_id = 7541001;
    DELETE FROM nudge.messages WHERE rule_id = 7541001;
    INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at)
    SELECT 'va_z' || h, 7541001, 'normal', fired, fired FROM unnest('{0,2,9,23}'::int[]) AS h;
    PERFORM nudge.execute_pending(10, fired);
    RETURN QUERY
        SELECT to_char(fired AT TIME ZONE 'Europe/Berlin', 'DD HH24:MI'), min(t) FILTER (WHERE u = 'va_z0'), min(t) FILTER (WHERE u = 'va_z2'),
               min(t) FILTER (WHERE u = 'va_z9'), min(t) FILTER (WHERE u = 'va_z23')
        FROM (SELECT user_id AS u, to_char(due_at AT TIME ZONE 'Europe/Berlin', 'DD HH24:MI') || ' +' || (due_at - fired_at) AS t FROM nudge.pending WHERE rule_id = 7541001
              UNION ALL SELECT user_id, 'sent' FROM pg_temp.got) AS x;
END
$$;
SELECT d.* FROM unnest('{2020-06-01 07:00+00, 2020-06-01 07:59:59+00, 2020-06-01 08:00+00, 2020-06-01 21:30+00,
    2020-03-28 08:00+00, 2020-03-29 00:30+00, 2020-03-29 01:30+00, 2020-10-24 08:00+00, 2020-10-25 00:30+00, 2020-10-25 01:30+00, 2020-10-25 02:30+00}'::timestamptz[]) AS f CROSS JOIN LATERAL pg_temp.due(f) AS d;
-- a message that is due goes out, however late the executor comes
SELECT pg_temp.due('2020-06-01 12:00+00');
SELECT executed, deferred FROM nudge.execute_pending(10, '2020-06-02 11:00+00');

-- Thompson sampling: the better variant, the more often; foretold, and kept
UPDATE nudge.rules SET allocation = 'thompson', goal = 'open' WHERE rule_id = 7541001;
DELETE FROM nudge.variants WHERE rule_id = 7541001;
DELETE FROM nudge.pending WHERE rule_id = 7541001;
DELETE FROM nudge.messages WHERE rule_id = 7541001;
DELETE FROM nudge.variant_assignments WHERE rule_id = 7541001;
INSERT INTO nudge.variants (rule_id, name, subject) SELECT 7541001, v, v FROM unnest('{poor,fair,good}'::text[]) AS v;
CREATE FUNCTION pg_temp.drawn() RETURNS TABLE (variant text, users bigint) LANGUAGE sql AS $$
    SELECT p.subject, count(*) FROM nudge.users u CROSS JOIN LATERAL nudge.preview(7541001, u.user_id) AS p
    WHERE u.user_id ~ '^va_\d+$' GROUP BY 1 ORDER BY 1 $$;
-- nothing is known: one as often as the other
SELECT variant, users BETWEEN 270 AND 400 AS a_third FROM pg_temp.drawn();
INSERT INTO nudge.bandit_arms VALUES (7541001, 'poor', 100, 10, 0, now()), (7541001, 'fair', 100, 20, 0, now()), (7541001, 'good', 100, 23, 0, now());
-- as often as each is probably the best
SELECT d.variant, abs(d.users / 1000.0 - b.p) < 0.06 AS by_probability
FROM pg_temp.drawn() d JOIN unnest('{fair,good,poor}'::text[], nudge.probability_to_be_best('{20,23,10}', '{100,100,100}')) AS b (v, p) ON b.v = d.variant;
UPDATE nudge.bandit_arms SET trials = trials * 1000, successes = successes * 1000 WHERE rule_id = 7541001;
SELECT * FROM pg_temp.drawn();
-- revenue: fewer buy more
UPDATE nudge.rules SET goal = 'revenue' WHERE rule_id = 7541001;
UPDATE nudge.bandit_arms SET value = successes * CASE variant WHEN 'poor' THEN 30 ELSE 10 END WHERE rule_id = 7541001;
SELECT * FROM pg_temp.drawn();
INSERT INTO nudge.actions (user_id, action_type) VALUES ('va_1', 'va_go'), ('va_1', 'va_go');
SELECT executed FROM nudge.execute_pending(10);
UPDATE nudge.bandit_arms SET value = 0 WHERE variant = 'poor' AND rule_id = 7541001;
SELECT * FROM pg_temp.drawn();
INSERT INTO nudge.actions (user_id, action_type) VALUES ('va_1', 'va_go'), ('va_2', 'va_go');
SELECT executed FROM nudge.execute_pending(10);
SELECT user_id, variant, count(*) FROM pg_temp.got GROUP BY 1, 2 ORDER BY 1, 2;
-- share 0: nobody new
UPDATE nudge.variants SET share = 0 WHERE rule_id = 7541001 AND name = 'good';
SELECT * FROM pg_temp.drawn();

-- The lift over who was held out, from the drawing or the holding out on
DELETE FROM nudge.variant_assignments WHERE rule_id = 7541001;
INSERT INTO nudge.variant_assignments SELECT 'va_' || n, 7541001, CASE WHEN n <= 20 THEN 'poor' ELSE 'good' END, '2020-06-01' FROM generate_series(1, 40) AS n;
INSERT INTO nudge.events (user_id, event_type, rule_id, reason, occurred_at) SELECT 'va_' || n, 'held_out', 7541001, 'holdout', '2020-06-01' FROM generate_series(101, 140) AS n, generate_series(1, 2);
INSERT INTO nudge.conversions (user_id, occurred_at)
SELECT 'va_' || n, t FROM (VALUES (1, 3, '2020-06-03'), (21, 26, '2020-06-07 23:59'), (27, 30, '2020-06-08'), (31, 33, '2020-05-31 23:59'), (101, 104, '2020-06-02')) AS c (a, b, t0)
CROSS JOIN LATERAL generate_series(a, b) AS n CROSS JOIN LATERAL (SELECT t0::timestamptz AS t) AS x;
INSERT INTO nudge.conversions (user_id, occurred_at) VALUES ('va_1', '2020-06-04');
SELECT variant, users, users_converted, held_out, held_out_converted, round(lift::numeric, 2) AS lift FROM nudge.experiment_results WHERE rule_id = 7541001 ORDER BY 1;

-- In a rule's document
SELECT nudge.create_rule('{"name": "va document", "type": "behavioral", "send_time": "best", "allocation": "thompson", "goal": "revenue", "auto_optimize": true}') AS id \gset
SELECT send_time, allocation, goal, auto_optimize FROM nudge.rules WHERE rule_id = :id;
SELECT nudge.create_rule(nudge.rule_document(:id) || '{"name": "va copy"}') AS copy \gset
SELECT send_time, allocation, goal, auto_optimize FROM nudge.rules WHERE rule_id = :copy;
SELECT nudge.rule_document(:id) - 'name' = nudge.rule_document(:copy) - 'name' AS same;
SELECT nudge.create_rule('{"name": "va defaults", "type": "behavioral", "goal": null, "auto_optimize": null}') AS id \gset
SELECT send_time, allocation, goal, auto_optimize FROM nudge.rules WHERE rule_id = :id;
DELETE FROM nudge.rules WHERE name IN ('va document', 'va copy', 'va defaults');

-- What is left of a rule that is gone
DELETE FROM nudge.rules WHERE rule_id = 7541001;
SELECT count(*) FROM nudge.variants WHERE rule_id = 7541001;
SELECT nudge.update_bandits() IS NOT NULL AS ran;
SELECT (SELECT count(*) FROM nudge.variant_assignments WHERE rule_id = 7541001) AS assignments, (SELECT count(*) FROM nudge.bandit_arms WHERE rule_id = 7541001) AS arms;
DELETE FROM nudge.pending WHERE rule_id IN (7541001, 7541002);
DELETE FROM nudge.rules WHERE rule_id = 7541002;
DELETE FROM nudge.users WHERE user_id LIKE 'va\_%';
DELETE FROM nudge.messages WHERE user_id LIKE 'va\_%';
DELETE FROM nudge.message_queue WHERE user_id LIKE 'va\_%';
DELETE FROM nudge.events WHERE user_id LIKE 'va\_%';
DELETE FROM nudge.conversions WHERE user_id LIKE 'va\_%';
DELETE FROM nudge.templates WHERE template_id LIKE 'va%';
