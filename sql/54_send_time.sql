--
-- Version 0.4.0: messages at the hour at which users are most likely to read them
--

ALTER TABLE nudge.rules
    ADD COLUMN send_time text NOT NULL DEFAULT 'asap' CHECK (send_time IN ('asap', 'best')),
    ADD CONSTRAINT rules_send_time_transactional CHECK (send_time = 'asap' OR trigger_type <> 'transactional');
COMMENT ON COLUMN nudge.rules.send_time IS
    'When messages are due: asap, after the delay, or best, at the hour of the user''s clock next after it at which the user is most likely to read them (nudge.send_hour), within a day. Transactional messages do not wait';

CREATE TABLE nudge.send_hours (
    rule_id    bigint PRIMARY KEY REFERENCES nudge.rules ON DELETE CASCADE,
    hour       smallint NOT NULL CHECK (hour BETWEEN 0 AND 23),
    basis      text NOT NULL CHECK (basis IN ('segments', 'rule')),
    sent       bigint NOT NULL,
    opened     bigint NOT NULL,
    rate       float8 NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE nudge.send_hours IS 'The best hour to send messages of rules whose send_time is best, for users of whom it is not known';
COMMENT ON COLUMN nudge.send_hours.hour IS 'Of the user''s clock';
COMMENT ON COLUMN nudge.send_hours.basis IS 'Whose messages tell: those of all rules to users of the rule''s segments, or the rule''s own';
COMMENT ON COLUMN nudge.send_hours.sent IS 'Messages made at that hour in the 90 days before';
COMMENT ON COLUMN nudge.send_hours.rate IS 'Smoothed share of them that were opened, by which the hour was chosen';
SELECT pg_catalog.pg_extension_config_dump('nudge.send_hours', '');
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.send_hours
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.send_hours IS 'Lets rows of a dump in as they are';

-- Hours have different numbers of messages, so each starts as if 20 had been sent that
-- were opened as often as all were (an empirical Bayes estimate).
CREATE FUNCTION nudge.smoothed_best_hour(hours integer[], sent bigint[], opened bigint[],
                                     OUT hour integer, OUT rate float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.h, (c.o + 20 * c.mean) / (c.s + 20)
    FROM (SELECT u.h, u.s, u.o, sum(u.o) OVER () / nullif(sum(u.s) OVER (), 0)::float8 AS mean,
                 sum(u.s) OVER () AS all_sent, sum(u.o) OVER () AS all_opened, count(*) FILTER (WHERE u.s >= 20) OVER () AS tried
          FROM unnest(hours, sent, opened) AS u (h, s, o) WHERE u.s > 0) AS c
    WHERE c.all_sent >= 100 AND c.all_opened >= 10 AND c.tried >= 2
    ORDER BY 2 DESC, 1
    LIMIT 1
$$;
COMMENT ON FUNCTION nudge.smoothed_best_hour(integer[], bigint[], bigint[]) IS
    'Internal: of hours with messages sent and opened, the one with the highest smoothed open rate; NULL under 100 sent, 10 opened, or two hours with 20 sent';

CREATE FUNCTION nudge.update_send_hours(as_of timestamptz DEFAULT now()) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own text := nudge.setting('timezone');
    n   integer;
BEGIN
    IF as_of IS NULL OR NOT isfinite(as_of) THEN
        RAISE EXCEPTION 'as_of must be a finite time, not %', coalesce(as_of::text, 'NULL') USING ERRCODE = '22023',
            HINT = 'Leave it out to judge by what is known now.';
    END IF;
    PERFORM nudge.refuse_read_only('update send hours');
    -- ('nudg', 56): one at a time in a database, to the end of the transaction
    IF NOT pg_try_advisory_xact_lock(1853187175, 56) THEN
        RETURN 0;
    END IF;
    DELETE FROM nudge.send_hours;
    INSERT INTO nudge.send_hours (rule_id, hour, basis, sent, opened, rate, updated_at)
    WITH best AS (
        SELECT r.rule_id, r.segments FROM nudge.rules r WHERE r.send_time = 'best'),
    counted AS (
        SELECT b.rule_id, 'segments' AS basis, extract(hour FROM m.created_at AT TIME ZONE coalesce(m.timezone, own))::integer AS hour,
               count(*) AS sent, count(*) FILTER (WHERE f.opened) AS opened
        FROM best b
        JOIN nudge.messages m ON m.segments && b.segments
            AND m.created_at >= as_of - interval '90 days' AND m.created_at < as_of
        CROSS JOIN LATERAL (
            SELECT bool_or(e.event_type = 'opened') AS opened
            FROM nudge.events e
            WHERE e.message_id = m.message_id AND e.event_key IS NOT NULL AND e.recorded_at < as_of
                AND e.event_type IN ('sent', 'delivered', 'opened') AND e.flag IS DISTINCT FROM 'machine'
            HAVING count(*) > 0) AS f
        WHERE b.segments <> '{}'
        GROUP BY 1, 2, 3
        UNION ALL
        SELECT b.rule_id, 'rule', f.hour, sum(f.sent)::bigint, sum(f.opened)::bigint
        FROM best b
        JOIN nudge.hour_figures f ON f.rule_id = b.rule_id
            AND f.day BETWEEN (as_of AT TIME ZONE own)::date - 89 AND (as_of AT TIME ZONE own)::date
        GROUP BY 1, 2, 3),
    gathered AS (
        SELECT c.rule_id, c.basis, array_agg(c.hour) AS hours, array_agg(c.sent) AS sent, array_agg(c.opened) AS opened
        FROM counted c GROUP BY c.rule_id, c.basis)
    SELECT DISTINCT ON (g.rule_id) g.rule_id, h.hour, g.basis, c.sent, c.opened, h.rate, as_of
    FROM gathered g
    CROSS JOIN LATERAL nudge.smoothed_best_hour(g.hours, g.sent, g.opened) AS h
    JOIN counted c ON c.rule_id = g.rule_id AND c.basis = g.basis AND c.hour = h.hour
    ORDER BY g.rule_id, g.basis DESC;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;
COMMENT ON FUNCTION nudge.update_send_hours(timestamptz) IS
    'Finds the best hours of rules whose send_time is best, by the messages of the 90 days before; of how many rules they are known. A job runs it';
INSERT INTO nudge.jobs (job_name, schedule, command, description) VALUES
    ('nudge send hours', '7 4 * * *', 'SELECT nudge.update_send_hours()', 'Finds the best hours to send messages');

-- An hour counts with half of its neighbours, so that 8:55 and 9:05 speak for each other.
CREATE FUNCTION nudge.user_send_hour(user_id text, as_of timestamptz) RETURNS integer
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH engaged AS (
        SELECT DISTINCT e.message_id,
               extract(hour FROM e.occurred_at AT TIME ZONE coalesce(u.timezone, nudge.setting('timezone')))::integer AS hour
        FROM nudge.events e
        JOIN nudge.users u ON u.user_id = e.user_id
        WHERE e.user_id = user_send_hour.user_id
            AND e.recorded_at >= as_of - interval '90 days' AND e.recorded_at < as_of
            AND e.event_type IN ('opened', 'clicked') AND e.flag IS DISTINCT FROM 'machine' AND e.message_id IS NOT NULL),
    counted AS (
        SELECT g.hour, count(*) AS n FROM engaged g GROUP BY g.hour)
    SELECT c.hour
    FROM counted c
    LEFT JOIN counted b ON b.hour = (c.hour + 23) % 24
    LEFT JOIN counted a ON a.hour = (c.hour + 1) % 24
    WHERE (SELECT count(DISTINCT g.message_id) FROM engaged g) >= 3
    ORDER BY c.n + coalesce(b.n, 0) / 2.0 + coalesce(a.n, 0) / 2.0 DESC, c.n DESC, c.hour
    LIMIT 1
$$;
COMMENT ON FUNCTION nudge.user_send_hour(text, timestamptz) IS
    'Internal: the hour of a user''s clock at which the user most often opened or clicked messages in the 90 days before, its neighbours counting half; NULL under 3 messages';

CREATE FUNCTION nudge.send_hour(user_id text, rule_id bigint, as_of timestamptz DEFAULT now()) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(nudge.user_send_hour(user_id, as_of),
                    (SELECT h.hour FROM nudge.send_hours h WHERE h.rule_id = send_hour.rule_id))
$$;
COMMENT ON FUNCTION nudge.send_hour(text, bigint, timestamptz) IS
    'The hour of a user''s clock, 0 to 23, at which a rule with send_time best would send: the user''s own, else that of the rule''s segments, else the rule''s; NULL where none is known. A user or rule that is NULL or unknown tells nothing';

-- The columns of this version too
CREATE OR REPLACE FUNCTION nudge.rule_document(rule_id bigint) RETURNS jsonb
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
AS $$
    SELECT (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(d.document) e WHERE e.value <> 'null')
    FROM nudge.rules r
    CROSS JOIN LATERAL (SELECT jsonb_build_object(
        'name', r.name,
        'description', r.description,
        'type', r.trigger_type,
        'template_id', r.template_id,
        'priority', r.priority,
        'status', r.status,
        'delay_seconds', trim_scale(extract(epoch FROM r.delay)),
        'expiry_hours', trim_scale(extract(epoch FROM r.expiry) / 3600),
        'max_frequency', (
            SELECT jsonb_object_agg(f.period, f.max_messages)
            FROM nudge.frequency_caps f
            WHERE f.rule_id = r.rule_id AND f.channel IS NULL),
        'conditions', coalesce((
            SELECT jsonb_agg(CASE WHEN c.condition_type IN ('all', 'any', 'not')
                                  THEN jsonb_build_object(c.condition_type, c.parameters -> 'conditions',
                                                          'weight', c.weight)
                                  ELSE jsonb_build_object('type', c.condition_type, 'operator', c.operator,
                                                          'parameters', c.parameters, 'weight', c.weight) END
                             ORDER BY c.position)
            FROM nudge.conditions c
            WHERE c.rule_id = r.rule_id), '[]'),
        'segmentation_rules', r.segments,
        'personalization_config', r.personalization,
        'channels', r.channels,
        'cancel_on', r.cancel_on,
        'reentry', r.reentry,
        'schedule', r.schedule,
        'topic', r.topic,
        'send_between', to_jsonb(r.send_between),
        'send_on', to_jsonb(r.send_on),
        'holdout_percent', r.holdout_percent,
        'urgency', r.urgency,
        'channel_strategy', r.channel_strategy,
        'fallback_after', r.fallback_after,
        'send_time', nullif(r.send_time, 'asap'),
        'allocation', nullif(r.allocation, 'fixed'),
        'goal', nullif(r.goal, 'click'),
        'auto_optimize', nullif(r.auto_optimize, false))) AS d (document)
    WHERE r.rule_id = rule_document.rule_id
$$;
COMMENT ON FUNCTION nudge.create_rule(jsonb) IS
    'Creates a rule with its conditions and caps out of one document and returns its id; keys: name, type (both needed), description, template_id, priority (1 to 5, or the name), status, delay_seconds, expiry_hours, max_frequency, conditions, segmentation_rules, personalization_config, channels, cancel_on, reentry, schedule, topic, send_between, send_on, holdout_percent, urgency, channel_strategy, fallback_after, send_time, allocation, goal, auto_optimize';

REVOKE ALL ON TABLE nudge.send_hours FROM PUBLIC;
REVOKE ALL ON FUNCTION nudge.smoothed_best_hour(integer[], bigint[], bigint[]), nudge.update_send_hours(timestamptz),
    nudge.user_send_hour(text, timestamptz), nudge.send_hour(text, bigint, timestamptz) FROM PUBLIC;
INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('marketer', 'table', 'send_hours', 'SELECT'),
    ('analyst', 'table', 'send_hours', 'SELECT'),
    ('marketer', 'routine', 'send_hour', 'EXECUTE'),
    ('executor', 'routine', 'update_send_hours', 'EXECUTE');
