-- When messages may go out: quiet hours by channel, and the rule's send window, both
-- in the user's time zone, through daylight saving.
SET client_min_messages = warning;
SET timezone = 'UTC';
DELETE FROM nudge.outbox;
INSERT INTO nudge.templates (template_id, channel, body_text) VALUES ('qh', 'email', 'x'), ('qh', 'sms', 'x');
CREATE FUNCTION pg_temp.rule(n text, between_ time[] DEFAULT NULL, on_ text[] DEFAULT NULL, type nudge.trigger_type DEFAULT 'behavioral', channels text[] DEFAULT '{email}', priority nudge.priority DEFAULT 'normal', expiry interval DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    WITH r AS (
        INSERT INTO nudge.rules (name, trigger_type, template_id, channels, send_between, send_on, priority, expiry)
        VALUES ('qh ' || n, type, 'qh', channels, between_, on_, priority, expiry) RETURNING rule_id)
    INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters) SELECT rule_id, 0, 'action_type', '{"types": ["qh"]}' FROM r
$$;
INSERT INTO nudge.users (user_id, email, phone, timezone, preferences)
SELECT 'qh_' || v.u, 'x@example.org', '+49', v.tz, '{"sms_enabled": true}'
FROM (VALUES ('utc', 'UTC'), ('berlin', 'Europe/Berlin'), ('la', 'America/Los_Angeles'), ('kathmandu', 'Asia/Kathmandu'), ('nowhere', NULL), ('apia', 'Pacific/Apia')) AS v (u, tz);
-- A trigger that is due at a local time: what becomes of it, and until when it waits
-- (where it does), in the user's time and in UTC.  It is executed until that is known.
CREATE FUNCTION pg_temp.at(who text, rule text, at timestamptz, OUT outcome text, OUT local timestamp, OUT utc timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    id bigint;
    zone text := coalesce((SELECT timezone FROM nudge.users WHERE user_id = 'qh_' || who), nudge.setting('timezone'));
BEGIN
    INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at, expires_at)
    SELECT 'qh_' || who, r.rule_id, r.priority, at, at, at + r.expiry FROM nudge.rules r WHERE r.name = 'qh ' || rule
    RETURNING pending_id INTO STRICT id;
    PERFORM nudge.execute_pending(as_of => at);
    SELECT e.event_type || coalesce(': ' || e.reason, '') INTO outcome FROM nudge.events e WHERE e.pending_id = id;
    SELECT due_at INTO utc FROM nudge.pending WHERE pending_id = id;
    local := utc AT TIME ZONE zone;
    IF utc IS NOT NULL THEN
        -- no earlier than that, and then at once
        ASSERT (nudge.execute_pending(as_of => utc - interval '1 us')).executed = 0;
        ASSERT (nudge.execute_pending(as_of => utc)).executed = 1;
    END IF;
    DELETE FROM nudge.pending WHERE pending_id = id;
END
$$;

--
-- Quiet hours over midnight
--
SELECT pg_temp.rule('any'), pg_temp.rule('paid', type => 'transactional'), pg_temp.rule('sms', channels => '{sms}');
INSERT INTO nudge.quiet_hours (starts, ends) VALUES ('22:00', '08:00');
SELECT v.at, a.* FROM unnest('{2026-01-05 21:59:59.999999,2026-01-05 22:00,2026-01-06 00:00,2026-01-06 07:59:59.999999,2026-01-06 08:00}'::timestamptz[]) AS v (at), pg_temp.at('utc', 'any', v.at) a;
SELECT * FROM pg_temp.at('utc', 'paid', '2026-01-05 23:00');
-- Each in their own zone; who has none is in nudge.timezone
SELECT u, a.* FROM unnest('{berlin,la,kathmandu,nowhere}'::text[]) AS u, pg_temp.at(u, 'any', '2026-01-05 05:00') a;
SELECT * FROM pg_temp.at('kathmandu', 'any', '2026-01-05 16:14:59');
SELECT * FROM pg_temp.at('kathmandu', 'any', '2026-01-05 16:15');
SET nudge.timezone = 'Asia/Tokyo';
SELECT * FROM pg_temp.at('nowhere', 'any', '2026-01-05 14:00');
RESET nudge.timezone;

-- It expires while it waits
SELECT pg_temp.rule('short', expiry => '1 hour');
INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at, expires_at)
SELECT 'qh_utc', rule_id, priority, '2026-01-05 23:00', '2026-01-05 23:00', '2026-01-06 00:00' FROM nudge.rules WHERE name = 'qh short';
SELECT deferred FROM nudge.execute_pending(as_of => '2026-01-05 23:00');
SELECT due_at, expires_at, status, attempts FROM nudge.pending WHERE user_id = 'qh_utc';
SELECT skipped FROM nudge.execute_pending(as_of => '2026-01-06 08:00');
SELECT event_type, reason, occurred_at FROM nudge.events WHERE user_id = 'qh_utc' ORDER BY event_id DESC LIMIT 2;

-- A channel's own hours count alone
INSERT INTO nudge.quiet_hours (channel, starts, ends, action) VALUES ('sms', '12:00', '14:00', 'drop');
SELECT h, (pg_temp.at('utc', 'any', '2026-01-05'::timestamptz + h)).*, (pg_temp.at('utc', 'sms', '2026-01-05'::timestamptz + h)).* FROM unnest('{10:00,13:00,23:00}'::interval[]) AS h;
-- Hours of other channels and hours that follow upon hours
INSERT INTO nudge.quiet_hours (starts, ends) VALUES ('08:00', '09:30'), ('09:00', '09:15'), ('20:00', '23:00');
SELECT * FROM pg_temp.at('utc', 'any', '2026-01-05 21:00');
DELETE FROM nudge.quiet_hours WHERE starts <> '22:00';
-- Days are those on which they begin
UPDATE nudge.quiet_hours SET days = '{fri,SAT}';
SELECT to_char(v.at, 'Dy HH24:MI') AS at, a.outcome, to_char(a.utc, 'Dy HH24:MI') AS until
FROM unnest('{2026-01-08 23:00,2026-01-09 07:00,2026-01-09 23:00,2026-01-10 07:00,2026-01-10 23:00,2026-01-11 07:00,2026-01-11 23:00}'::timestamptz[]) AS v (at), pg_temp.at('utc', 'any', v.at) a;
-- The whole of a day
UPDATE nudge.quiet_hours SET starts = '00:00', ends = '24:00', days = '{sun}';
SELECT * FROM pg_temp.at('berlin', 'any', '2026-03-28 22:59:59');
SELECT * FROM pg_temp.at('berlin', 'any', '2026-03-28 23:00');
SELECT * FROM pg_temp.at('berlin', 'any', '2026-03-29 21:59:59');
-- Every day all day: nothing may ever go out
UPDATE nudge.quiet_hours SET days = NULL;
SELECT * FROM pg_temp.at('berlin', 'any', '2026-03-28 22:59:59');

--
-- Daylight saving.  Berlin leaves out 02:00 to 03:00 on 2026-03-29, and has that hour
-- twice on 2026-10-25; Los Angeles on 2026-03-08 and 2026-11-01 (01:00 to 02:00).
--
-- An end in the gap: the first instant after it; a beginning likewise
UPDATE nudge.quiet_hours SET starts = '22:00', ends = '02:30';
SELECT * FROM pg_temp.at('berlin', 'any', '2026-03-28 22:30');
SELECT * FROM pg_temp.at('la', 'any', '2026-03-08 06:30');
UPDATE nudge.quiet_hours SET starts = '02:30', ends = '05:00';
SELECT v.at, a.* FROM unnest('{2026-03-29 00:59:59,2026-03-29 01:00,2026-03-29 02:59:59,2026-03-29 03:00}'::timestamptz[]) AS v (at), pg_temp.at('berlin', 'any', v.at) a;
-- Nothing is left of hours within the gap
UPDATE nudge.quiet_hours SET starts = '02:10', ends = '02:50';
SELECT * FROM pg_temp.at('berlin', 'any', '2026-03-29 00:59:59.999999');
SELECT * FROM pg_temp.at('berlin', 'any', '2026-03-29 01:00');
-- Eight hours of quiet are seven in spring and nine in autumn
UPDATE nudge.quiet_hours SET starts = '23:00', ends = '07:00';
SELECT v.at, a.* FROM unnest('{2026-03-28 22:00,2026-10-24 21:00}'::timestamptz[]) AS v (at), pg_temp.at('berlin', 'any', v.at) a;
-- What comes twice ends hours at its second coming, and begins them at its first
UPDATE nudge.quiet_hours SET starts = '22:00', ends = '02:30';
SELECT v.at, a.* FROM unnest('{2026-10-24 20:00,2026-10-25 00:29:59,2026-10-25 00:30,2026-10-25 01:29:59,2026-10-25 01:30}'::timestamptz[]) AS v (at), pg_temp.at('berlin', 'any', v.at) a;
UPDATE nudge.quiet_hours SET starts = '02:30', ends = '04:00';
SELECT v.at, a.* FROM unnest('{2026-10-25 00:29:59,2026-10-25 00:30,2026-10-25 01:10,2026-10-25 02:59:59}'::timestamptz[]) AS v (at), pg_temp.at('berlin', 'any', v.at) a;
UPDATE nudge.quiet_hours SET starts = '00:30', ends = '01:30';
SELECT v.at, a.* FROM unnest('{2026-11-01 07:29:59,2026-11-01 07:30,2026-11-01 08:45,2026-11-01 09:30}'::timestamptz[]) AS v (at), pg_temp.at('la', 'any', v.at) a;
-- Apia left out the whole of 2011-12-30
UPDATE nudge.quiet_hours SET starts = '22:00', ends = '08:00';
SELECT * FROM pg_temp.at('apia', 'any', '2011-12-30 09:30');
-- Times at which nothing can be reckoned
SELECT outcome FROM pg_temp.at('utc', 'any', '294276-12-31 23:00');
SELECT outcome FROM pg_temp.at('utc', 'any', '4713-01-01 23:00 BC');

--
-- Send windows of rules
--
DELETE FROM nudge.quiet_hours;
SELECT pg_temp.rule('day', '{09:00,18:00}'), pg_temp.rule('night', '{21:00,02:00}'), pg_temp.rule('weekdays', on_ => '{mon,tue,wed,thu,fri}'),
       pg_temp.rule('friday night', '{22:00,03:00}', '{fri}'), pg_temp.rule('paid day', '{09:00,18:00}', type => 'transactional'),
       pg_temp.rule('gap', '{02:15,02:45}'), pg_temp.rule('narrow', '{02:30,02:40}');
SELECT v.at, a.* FROM unnest('{2026-01-05 08:59:59,2026-01-05 09:00,2026-01-05 17:59:59.999999,2026-01-05 18:00}'::timestamptz[]) AS v (at), pg_temp.at('utc', 'day', v.at) a;
SELECT v.at, a.* FROM unnest('{2026-01-05 20:00,2026-01-05 21:00,2026-01-06 01:59:59,2026-01-06 02:00}'::timestamptz[]) AS v (at), pg_temp.at('utc', 'night', v.at) a;
SELECT to_char(v.at, 'Dy HH24:MI') AS at, a.outcome, to_char(a.utc, 'Dy HH24:MI') AS until
FROM unnest('{2026-01-09 23:59:59,2026-01-10 00:00,2026-01-11 23:59:59,2026-01-12 00:00}'::timestamptz[]) AS v (at), pg_temp.at('utc', 'weekdays', v.at) a;
SELECT to_char(v.at, 'Dy HH24:MI') AS at, a.outcome, to_char(a.utc, 'Dy HH24:MI') AS until
FROM unnest('{2026-01-09 02:00,2026-01-09 22:00,2026-01-10 02:59:59,2026-01-10 03:00,2026-01-10 22:30}'::timestamptz[]) AS v (at), pg_temp.at('utc', 'friday night', v.at) a;
SELECT u, a.* FROM unnest('{berlin,la,kathmandu}'::text[]) AS u, pg_temp.at(u, 'day', '2026-01-05 19:00') a;
SELECT * FROM pg_temp.at('utc', 'paid day', '2026-01-05 20:00');
-- The next opening over a change of the clocks
SELECT v.at, a.* FROM unnest('{2026-03-28 18:00,2026-10-24 18:00}'::timestamptz[]) AS v (at), pg_temp.at('berlin', 'day', v.at) a;
-- A window within the gap is not there on that day
SELECT * FROM pg_temp.at('berlin', 'gap', '2026-03-29 00:00');
-- One that comes twice is open from its first coming to its second
SELECT v.at, a.* FROM unnest('{2026-10-24 20:00,2026-10-25 00:50,2026-10-25 01:39:59,2026-10-25 01:40}'::timestamptz[]) AS v (at), pg_temp.at('berlin', 'narrow', v.at) a;

-- Both: the window has to open outside of quiet hours
INSERT INTO nudge.quiet_hours (starts, ends) VALUES ('22:00', '10:00');
SELECT v.at, a.* FROM unnest('{2026-01-05 08:00,2026-01-05 09:30,2026-01-05 19:00}'::timestamptz[]) AS v (at), pg_temp.at('utc', 'day', v.at) a;
SELECT v.at, a.* FROM unnest('{2026-01-05 03:00,2026-01-05 21:30,2026-01-05 23:00}'::timestamptz[]) AS v (at), pg_temp.at('utc', 'night', v.at) a;
SELECT * FROM pg_temp.at('utc', 'paid day', '2026-01-05 09:30');
SELECT * FROM pg_temp.at('utc', 'friday night', '2026-01-05 12:00');
-- Nothing is dropped that would have waited for the window anyway
UPDATE nudge.quiet_hours SET action = 'drop';
SELECT v.at, a.* FROM unnest('{2026-01-05 08:00,2026-01-05 09:30,2026-01-05 23:00}'::timestamptz[]) AS v (at), pg_temp.at('utc', 'day', v.at) a;

-- Batch goes with the batch, within the window
SET nudge.batch_interval = '1 h';
UPDATE nudge.quiet_hours SET starts = '22:00', ends = '07:20', action = 'hold';
SELECT pg_temp.rule('batch', priority => 'batch'), pg_temp.rule('batch never', '{09:10,09:50}', priority => 'batch');
SELECT * FROM pg_temp.at('utc', 'batch', '2026-01-05 23:00');
SELECT * FROM pg_temp.at('utc', 'batch never', '2026-01-05 23:00');
RESET nudge.batch_interval;

--
-- Other zones, and days that there are not: against a search, in steps of a quarter of
-- an hour, for the spans from the first instant that shows the beginning to the last
-- that shows the end.  Nothing is different.
--
CREATE FUNCTION pg_temp.showing(wall timestamp, zone text, last boolean) RETURNS timestamptz LANGUAGE sql AS $$
    SELECT CASE WHEN last THEN max(i) FILTER (WHERE (i - interval '15 min') AT TIME ZONE zone < wall) ELSE min(i) END
    FROM generate_series((wall AT TIME ZONE 'UTC') - interval '27 hours', (wall AT TIME ZONE 'UTC') + interval '27 hours', interval '15 min') AS i
    WHERE i AT TIME ZONE zone >= wall
$$;
CREATE FUNCTION pg_temp.spans(zone text, around timestamp, starts time, ends time, days text[]) RETURNS SETOF tstzrange LANGUAGE sql AS $$
    SELECT tstzrange(a, b)
    FROM generate_series(around - interval '9 days', around + interval '9 days', interval '1 day') AS d,
        pg_temp.showing(d + starts, zone, false) AS a,
        pg_temp.showing(d + CASE WHEN ends <= starts THEN interval '1 day' ELSE '0' END + ends::interval, zone, true) AS b
    WHERE a < b AND (days IS NULL OR lower(to_char(d, 'dy')) = ANY (days))
$$;
CREATE TEMP TABLE differences (kind text, zone text, starts time, ends time, days text[], at timestamptz, got timestamptz, wanted timestamptz);
INSERT INTO nudge.users (user_id, email) VALUES ('qh_searched', 'x@example.org');
INSERT INTO nudge.rules (name, trigger_type, template_id) VALUES ('qh searched', 'behavioral', 'qh');
DO $$
DECLARE
    w record; z record; s tstzrange; spans tstzrange[]; at timestamptz; got timestamptz; wanted timestamptz; tried int := 0;
BEGIN
    DELETE FROM nudge.quiet_hours;
    FOR w IN SELECT * FROM (VALUES ('quiet', time '22:00', time '02:15', NULL::text[]), ('quiet', '01:45', '02:15', NULL), ('quiet', '09:00', '17:00', '{fri,sat}'), ('quiet', '00:00', '24:00', '{fri}'),
                                   ('window', '22:00', '02:15', NULL), ('window', '02:00', '02:30', NULL), ('window', '02:00', '03:00', '{sun}'), ('window', '00:00', '24:00', '{fri}')) AS v (kind, starts, ends, days) LOOP
        IF w.kind = 'quiet' THEN
            INSERT INTO nudge.quiet_hours (starts, ends, days) VALUES (w.starts, w.ends, w.days);
        ELSE
            UPDATE nudge.rules SET send_between = ARRAY[w.starts, w.ends], send_on = w.days WHERE name = 'qh searched';
        END IF;
        FOR z IN SELECT * FROM (VALUES ('Australia/Lord_Howe', timestamp '2011-04-02'), ('Australia/Lord_Howe', '2011-10-01'), ('Pacific/Apia', '2011-12-29'),
                                       ('America/New_York', '2011-11-05'), ('America/New_York', '2011-03-12'), ('Europe/Oslo', '2011-10-29')) AS v (name, around) LOOP
            spans := ARRAY(SELECT pg_temp.spans(z.name, z.around, w.starts, w.ends, w.days));
            UPDATE nudge.users SET timezone = z.name WHERE user_id = 'qh_searched';
            FOR at IN SELECT generate_series(z.around AT TIME ZONE 'UTC' - interval '14 hours', z.around AT TIME ZONE 'UTC' + interval '50 hours', interval '105 min') LOOP
                INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at) SELECT 'qh_searched', rule_id, 'normal', at, at FROM nudge.rules WHERE name = 'qh searched';
                PERFORM nudge.execute_pending(as_of => at);
                SELECT coalesce(min(p.due_at), at) INTO got FROM nudge.pending p WHERE p.user_id = 'qh_searched';
                DELETE FROM nudge.pending p WHERE p.user_id = 'qh_searched';
                wanted := at;
                IF w.kind = 'window' THEN
                    SELECT min(greatest(lower(x), at)) INTO wanted FROM unnest(spans) AS x WHERE upper(x) > at;
                ELSE
                    FOREACH s IN ARRAY spans LOOP	-- they are in order
                        wanted := CASE WHEN s @> wanted THEN upper(s) ELSE wanted END;
                    END LOOP;
                END IF;
                tried := tried + 1;
                IF got IS DISTINCT FROM wanted THEN
                    INSERT INTO differences VALUES (w.kind, z.name, w.starts, w.ends, w.days, at, got, wanted);
                END IF;
            END LOOP;
        END LOOP;
        DELETE FROM nudge.quiet_hours;
        UPDATE nudge.rules SET send_between = NULL, send_on = NULL WHERE name = 'qh searched';
    END LOOP;
    ASSERT tried > 1000;
END
$$;
SELECT * FROM differences;

--
-- explain, at the time of now
--
DELETE FROM nudge.quiet_hours;
SET nudge.timezone = 'UTC';
UPDATE nudge.rules SET status = 'disabled' WHERE name NOT IN ('qh any', 'qh paid', 'qh sms', 'qh day');
INSERT INTO nudge.quiet_hours (starts, ends, days) VALUES ('00:00', '24:00', ARRAY[lower(to_char(now(), 'dy')), lower(to_char(now() + interval '1 day', 'dy'))]);
INSERT INTO nudge.quiet_hours (channel, starts, ends, action) VALUES ('sms', '00:00', '24:00', 'drop');
SELECT name, outcome, regexp_replace(reason, '[0-9].*', '...') AS reason,
       (detail ->> 'until')::timestamptz = date_trunc('day', now()) + interval '2 days' AS until
FROM nudge.explain('qh_utc', 'qh') WHERE name IN ('qh any', 'qh paid', 'qh sms') ORDER BY 1;
-- after the rule's delay
UPDATE nudge.rules SET delay = '3 days' WHERE name = 'qh any';
SELECT name, outcome, reason FROM nudge.explain('qh_utc', 'qh') WHERE name = 'qh any';
UPDATE nudge.rules SET delay = '0', send_on = ARRAY[lower(to_char(now() + interval '3 days', 'dy'))] WHERE name = 'qh any';
SELECT name, outcome, (detail ->> 'until')::timestamptz = date_trunc('day', now()) + interval '3 days' AS until
FROM nudge.explain('qh_utc', 'qh') WHERE name = 'qh any';
UPDATE nudge.rules SET send_on = ARRAY[lower(to_char(now(), 'dy'))] WHERE name = 'qh any';
SELECT name, outcome, reason, detail ? 'until' AS until FROM nudge.explain('qh_utc', 'qh') WHERE name = 'qh any';

--
-- Claims: what waits in the outbox when quiet hours come
--
DELETE FROM nudge.quiet_hours;
UPDATE nudge.rules SET send_on = NULL WHERE name = 'qh any';
DELETE FROM nudge.outbox;
INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at)
SELECT 'qh_utc', rule_id, 'normal', '2026-01-05', '2026-01-05' FROM nudge.rules WHERE name IN ('qh any', 'qh paid', 'qh sms') ORDER BY rule_id;
SELECT executed FROM nudge.execute_pending(as_of => '2026-01-05');
INSERT INTO nudge.quiet_hours (starts, ends, days) VALUES ('00:00', '24:00', ARRAY[lower(to_char(now(), 'dy')), lower(to_char(now() + interval '1 day', 'dy'))]);
INSERT INTO nudge.quiet_hours (channel, starts, ends, action) VALUES ('sms', '00:00', '24:00', 'drop');
SELECT r.name FROM nudge.claim('qh') c JOIN nudge.rules r USING (rule_id);
SELECT r.name, o.status, o.attempts, o.last_error, o.available_at = date_trunc('day', now()) + interval '2 days' AS held
FROM nudge.outbox o JOIN nudge.rules r USING (rule_id) ORDER BY o.message_id;
SELECT r.name, e.event_type, e.reason FROM nudge.events e JOIN nudge.rules r USING (rule_id) JOIN nudge.outbox o USING (message_id) WHERE e.event_type <> 'executed' ORDER BY e.event_id;
-- It is to be had again when it may go out
SELECT count(*) FROM nudge.claim('qh');
DELETE FROM nudge.quiet_hours;
UPDATE nudge.outbox SET available_at = now() WHERE status = 'ready';
SELECT r.name, c.attempts FROM nudge.claim('qh') c JOIN nudge.rules r USING (rule_id);

DELETE FROM nudge.outbox;
DELETE FROM nudge.events WHERE user_id LIKE 'qh\_%';
DELETE FROM nudge.cap_usage WHERE user_id LIKE 'qh\_%';
DELETE FROM nudge.rules WHERE name LIKE 'qh %';
DELETE FROM nudge.templates WHERE template_id = 'qh';
DELETE FROM nudge.users WHERE user_id LIKE 'qh\_%';
