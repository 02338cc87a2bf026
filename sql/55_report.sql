--
-- Version 0.4.0: reports on a rule, and what could be better
--

CREATE FUNCTION nudge.two_proportion_test(successes1 bigint, trials1 bigint, successes2 bigint, trials2 bigint)
RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'nudge_two_proportion_test';
COMMENT ON FUNCTION nudge.two_proportion_test(bigint, bigint, bigint, bigint) IS
    'Two-sided p-value of the pooled z-test of whether two shares differ; NULL where there is nothing to compare';

-- What is advised where a figure is on the wrong side of a threshold.
CREATE VIEW nudge.optimization_advice AS
    SELECT a.* FROM (VALUES
        (1, 'open_rate', 'below', 0.15::float8, 'subject_line', 'Try other subject lines: shorter, more specific, with what the user looked at'),
        (2, 'open_rate', 'below', 0.15, 'send_time', 'Try another send time: nudge.send_time_performance has when the users of this rule open most'),
        (3, 'open_rate', 'below', 0.15, 'sender_name', 'Use a sender name that users know'),
        (4, 'click_rate', 'below', 0.02, 'content', 'Say less, and first what the message is about'),
        (5, 'click_rate', 'below', 0.02, 'call_to_action', 'Have one call to action, and have it early'),
        (6, 'click_rate', 'below', 0.02, 'personalisation', 'Show what concerns the user: the cart, related products, recommendations'),
        (7, 'unsubscribe_rate', 'above', 0.005, 'frequency', 'Send less: lower the caps of this rule'),
        (8, 'unsubscribe_rate', 'above', 0.005, 'targeting', 'Send to fewer users: narrow its conditions or segments'),
        (9, 'unsubscribe_rate', 'above', 0.005, 'sensitivity', 'Look at whether its text, or its moment, may annoy'),
        (10, 'conversion_rate', 'below', 0.01, 'timing', 'Send sooner, or later, after what users do'),
        (11, 'conversion_rate', 'below', 0.01, 'landing_page', 'Look at the landing page that its links lead to'),
        (12, 'conversion_rate', 'below', 0.01, 'offers', 'Try another offer')
    ) AS a (place, metric, side, threshold, area, advice);
COMMENT ON VIEW nudge.optimization_advice IS 'What nudge.optimize_rule and nudge.performance_report advise, by metric; side: on which side of the threshold the figure is bad';

-- Fewer messages than these tell nothing.
CREATE FUNCTION nudge.least_messages() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT 100::bigint $$;
COMMENT ON FUNCTION nudge.least_messages() IS 'Sent messages of a rule below which nothing is recommended';

-- Raises unless the rule exists.
CREATE FUNCTION nudge.require_rule(rule_id bigint) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF require_rule.rule_id IS NULL THEN
        RAISE EXCEPTION 'rule_id must not be null' USING ERRCODE = '22023', HINT = 'Pass the rule_id of a rule of nudge.rules.';
    END IF;
    PERFORM FROM nudge.rules r WHERE r.rule_id = require_rule.rule_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'rule % does not exist', require_rule.rule_id USING ERRCODE = '23503', HINT = 'Look for it in nudge.rules.';
    END IF;
END
$$;
COMMENT ON FUNCTION nudge.require_rule(bigint) IS 'Internal: an error unless the rule exists';

-- A period that ends today, as whole days by nudge.timezone.
CREATE FUNCTION nudge.period_days(period interval) RETURNS integer
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most_days CONSTANT integer := 3660;
    days numeric := ceil(extract(epoch FROM period) / 86400);
BEGIN
    IF days IS NULL OR days <= 0 OR days > most_days THEN
        RAISE EXCEPTION 'period must be positive and at most ten years, not %', coalesce(period::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Pass for example ''30 days''.';
    END IF;
    RETURN days;
END
$$;
COMMENT ON FUNCTION nudge.period_days(interval) IS 'Internal: the days of a period, rounded up; 22023 unless it is positive and at most ten years';

-- Figures of a rule, or with NULL of all, of messages made in some days.
CREATE FUNCTION nudge.period_figures(rule_id bigint, first_day date, last_day date)
RETURNS TABLE (total_triggers bigint, capped bigint, skipped bigint, sent bigint, delivered bigint, opened bigint, clicked bigint,
               conversions bigint, unsubscribes bigint, complaints bigint, bounces bigint, failures bigint, revenue numeric)
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(sum(d.total_triggers), 0)::bigint, coalesce(sum(d.capped), 0)::bigint, coalesce(sum(d.skipped), 0)::bigint,
           coalesce(sum(d.sent), 0)::bigint, coalesce(sum(d.delivered), 0)::bigint, coalesce(sum(d.opened), 0)::bigint,
           coalesce(sum(d.clicked), 0)::bigint, coalesce(sum(d.conversions), 0)::bigint, coalesce(sum(d.unsubscribes), 0)::bigint,
           coalesce(sum(d.complaints), 0)::bigint, coalesce(sum(d.bounces), 0)::bigint, coalesce(sum(d.failures), 0)::bigint,
           coalesce(sum(d.revenue), 0)
    FROM nudge.rule_performance_daily d
    WHERE (period_figures.rule_id IS NULL OR d.rule_id = period_figures.rule_id)
        AND d.day BETWEEN period_figures.first_day AND period_figures.last_day
$$;
COMMENT ON FUNCTION nudge.period_figures(bigint, date, date) IS
    'Internal: figures of a rule (NULL: all rules) of the messages that were made from one day to another';

CREATE FUNCTION nudge.period_hours(rule_id bigint, first_day date, last_day date) RETURNS TABLE (hour integer, sent bigint)
LANGUAGE sql STABLE ROWS 24
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.hour::integer, sum(f.sent)::bigint
    FROM nudge.hour_figures f
    WHERE (period_hours.rule_id IS NULL OR f.rule_id = period_hours.rule_id)
        AND f.day BETWEEN period_hours.first_day AND period_hours.last_day
    GROUP BY f.hour
$$;
COMMENT ON FUNCTION nudge.period_hours(bigint, date, date) IS
    'Internal: messages of a rule (NULL: of all) that were made in some days, by hour of the user''s clock';

CREATE FUNCTION nudge.period_segments(rule_id bigint, first_day date, last_day date)
RETURNS TABLE (segment text, sent bigint, opened bigint, clicked bigint, conversions bigint)
LANGUAGE sql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.segment, sum(f.sent)::bigint, sum(f.opened)::bigint, sum(f.clicked)::bigint, sum(f.conversions)::bigint
    FROM nudge.segment_figures f
    WHERE (period_segments.rule_id IS NULL OR f.rule_id = period_segments.rule_id)
        AND f.day BETWEEN period_segments.first_day AND period_segments.last_day
    GROUP BY f.segment
$$;
COMMENT ON FUNCTION nudge.period_segments(bigint, date, date) IS
    'Internal: figures of a rule (NULL: of all) by segment, of the messages made in some days';

CREATE FUNCTION nudge.period_channels(rule_id bigint, first_day date, last_day date)
RETURNS TABLE (channel text, sent bigint, delivered bigint, opened bigint, clicked bigint, conversions bigint, revenue numeric)
LANGUAGE sql STABLE ROWS 3
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.channel, sum(f.sent)::bigint, sum(f.delivered)::bigint, sum(f.opened)::bigint, sum(f.clicked)::bigint,
           sum(f.conversions)::bigint, sum(f.revenue)
    FROM nudge.message_figures f
    WHERE (period_channels.rule_id IS NULL OR f.rule_id = period_channels.rule_id)
        AND f.day BETWEEN period_channels.first_day AND period_channels.last_day
    GROUP BY f.channel
$$;
COMMENT ON FUNCTION nudge.period_channels(bigint, date, date) IS
    'Internal: figures of a rule (NULL: of all) by channel, of the messages made in some days';

REVOKE ALL ON FUNCTION nudge.period_hours(bigint, date, date), nudge.period_segments(bigint, date, date), nudge.period_channels(bigint, date, date) FROM PUBLIC;

-- The shares that reports tell of: how many of how many.
CREATE FUNCTION nudge.period_shares(rule_id bigint, first_day date, last_day date)
RETURNS TABLE (metric text, successes bigint, trials bigint)
LANGUAGE sql STABLE ROWS 8
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.metric, s.successes, s.trials
    FROM nudge.period_figures(period_shares.rule_id, period_shares.first_day, period_shares.last_day) AS f
    CROSS JOIN LATERAL (VALUES
        ('delivery_rate', f.delivered, f.sent),
        ('open_rate', f.opened, f.sent),
        ('click_rate', f.clicked, f.sent),
        ('click_to_open_rate', f.clicked, f.opened),
        ('conversion_rate', f.conversions, f.sent),
        ('unsubscribe_rate', f.unsubscribes, f.sent),
        ('spam_rate', f.complaints, f.sent),
        ('bounce_rate', f.bounces, f.sent)) AS s (metric, successes, trials)
$$;
COMMENT ON FUNCTION nudge.period_shares(bigint, date, date) IS
    'Internal: the rates of a rule (NULL: all rules) of the messages that were made from one day to another, as successes and trials';

-- How a rule's rates differ from others', by the two-proportion test.
CREATE FUNCTION nudge.compare_shares(rule_id bigint, first_day date, last_day date,
                                     other_rule bigint, other_first date, other_last date)
RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_object_agg(a.metric, jsonb_build_object(
               'value', a.successes::float8 / nullif(a.trials, 0),
               'other', o.successes::float8 / nullif(o.trials, 0),
               'difference', a.successes::float8 / nullif(a.trials, 0) - o.successes::float8 / nullif(o.trials, 0),
               'p_value', t.p,
               'significant', t.p < 0.05))
    FROM nudge.period_shares(compare_shares.rule_id, compare_shares.first_day, compare_shares.last_day) AS a
    JOIN nudge.period_shares(compare_shares.other_rule, compare_shares.other_first, compare_shares.other_last) AS b USING (metric)
    -- A rule cannot be tested against itself
    CROSS JOIN LATERAL (SELECT b.successes - CASE WHEN compare_shares.other_rule IS NULL THEN a.successes ELSE 0 END AS successes,
                               b.trials - CASE WHEN compare_shares.other_rule IS NULL THEN a.trials ELSE 0 END AS trials) AS o
    CROSS JOIN LATERAL (SELECT nudge.two_proportion_test(a.successes, a.trials, o.successes, o.trials) AS p) AS t
$$;
COMMENT ON FUNCTION nudge.compare_shares(bigint, date, date, bigint, date, date) IS
    'Internal: rates of a rule in some days against those of a rule (NULL: all other rules) in others';

-- What is to be advised about a rule with these figures; nothing below nudge.least_messages().
CREATE FUNCTION nudge.opportunities(rule_id bigint, first_day date, last_day date)
RETURNS TABLE (metric text, value float8, low float8, high float8, side text, threshold float8, areas text[], advice text[])
LANGUAGE sql STABLE ROWS 4
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.metric, s.successes::float8 / s.trials,
           nudge.wilson_low(s.successes, s.trials), nudge.wilson_high(s.successes, s.trials),
           a.side, a.threshold, array_agg(a.area ORDER BY a.place), array_agg(a.advice ORDER BY a.place)
    FROM nudge.period_shares(opportunities.rule_id, opportunities.first_day, opportunities.last_day) AS s
    JOIN nudge.optimization_advice a ON a.metric = s.metric
    WHERE s.trials >= nudge.least_messages()
        AND CASE a.side WHEN 'below' THEN s.successes::float8 / s.trials < a.threshold
                        ELSE s.successes::float8 / s.trials > a.threshold END
    GROUP BY s.metric, s.successes, s.trials, a.side, a.threshold
$$;
COMMENT ON FUNCTION nudge.opportunities(bigint, date, date) IS
    'Internal: the rates of a rule that are on the wrong side of their thresholds, with what is advised';

-- The hour of the user's day at which messages of the rule are opened most; none unless
-- the lower bound of its open rate is above the rate of all other hours.
CREATE FUNCTION nudge.best_open_hour(rule_id bigint)
RETURNS TABLE (hour integer, sent bigint, open_rate float8, open_rate_low float8, other_rate float8)
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
    WITH hours AS (
        SELECT p.hour, sum(p.sent)::bigint AS sent, sum(p.opened)::bigint AS opened
        FROM nudge.send_time_performance p
        WHERE p.rule_id = best_open_hour.rule_id
        GROUP BY p.hour)
    SELECT h.hour::integer, h.sent, h.opened::float8 / h.sent, nudge.wilson_low(h.opened, h.sent), o.rate
    FROM hours h
    CROSS JOIN LATERAL (SELECT sum(x.opened)::float8 / nullif(sum(x.sent), 0) AS rate FROM hours x WHERE x.hour <> h.hour) AS o
    WHERE h.sent > 0 AND nudge.wilson_low(h.opened, h.sent) > o.rate
    ORDER BY nudge.wilson_low(h.opened, h.sent) DESC, h.hour
    LIMIT 1
$$;
COMMENT ON FUNCTION nudge.best_open_hour(bigint) IS
    'The local hour of sending at which a rule''s messages are opened most; no row unless its Wilson lower bound is above the rate of all other hours';

CREATE FUNCTION nudge.performance_report(rule_id bigint, period interval DEFAULT '30 days') RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO' SET intervalstyle = 'postgres'
AS $$
#variable_conflict use_column
DECLARE
    days integer := nudge.period_days(performance_report.period);
    last_day date := (now() AT TIME ZONE nudge.setting('timezone'))::date;
    first_day date := last_day - days + 1;
    f record;
    advice jsonb;
BEGIN
    PERFORM nudge.require_rule(performance_report.rule_id);
    SELECT * INTO f FROM nudge.period_figures(performance_report.rule_id, first_day, last_day);
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'metric', o.metric, 'value', o.value, 'low', o.low, 'high', o.high,
               'side', o.side, 'threshold', o.threshold, 'areas', o.areas, 'advice', o.advice) ORDER BY o.metric), '[]')
    INTO advice
    FROM nudge.opportunities(performance_report.rule_id, first_day, last_day) AS o;

    RETURN jsonb_build_object(
        'rule_id', performance_report.rule_id,
        'time_period', jsonb_build_object('period', performance_report.period, 'days', days,
                                          'first_day', first_day, 'last_day', last_day, 'timezone', nudge.setting('timezone')),
        'base_metrics', jsonb_build_object(
            'total_triggers', f.total_triggers,
            'emails_sent', f.sent,
            'emails_delivered', f.delivered,
            'emails_opened', f.opened,
            'emails_clicked', f.clicked,
            'conversions', f.conversions,
            'revenue_attributed', f.revenue,
            'unsubscribes', f.unsubscribes,
            'spam_complaints', f.complaints,
            'bounce_rate', f.bounces::float8 / nullif(f.sent, 0),
            'delivery_failures', f.failures,
            'send_time_distribution', (
                SELECT jsonb_build_object(
                    'hour_0_6', coalesce(sum(s.sent) FILTER (WHERE s.hour < 6), 0),
                    'hour_6_12', coalesce(sum(s.sent) FILTER (WHERE s.hour >= 6 AND s.hour < 12), 0),
                    'hour_12_18', coalesce(sum(s.sent) FILTER (WHERE s.hour >= 12 AND s.hour < 18), 0),
                    'hour_18_24', coalesce(sum(s.sent) FILTER (WHERE s.hour >= 18), 0))
                FROM nudge.period_hours(performance_report.rule_id, first_day, last_day) AS s),
            'user_segment_performance', (
                SELECT coalesce(jsonb_object_agg(s.segment, jsonb_build_object(
                    'sent', s.sent, 'opened', s.opened, 'clicked', s.clicked, 'conversions', s.conversions,
                    'open_rate', s.opened::float8 / nullif(s.sent, 0),
                    'click_rate', s.clicked::float8 / nullif(s.sent, 0),
                    'conversion_rate', s.conversions::float8 / nullif(s.sent, 0))), '{}')
                FROM nudge.period_segments(performance_report.rule_id, first_day, last_day) AS s)),
        'performance_indicators', (
            SELECT jsonb_object_agg(s.metric, jsonb_build_object(
                'value', s.successes::float8 / nullif(s.trials, 0),
                'low', nudge.wilson_low(s.successes, s.trials),
                'high', nudge.wilson_high(s.successes, s.trials)))
                || jsonb_build_object('revenue_per_email', round(f.revenue / nullif(f.sent, 0), 4),
                                      'conversion_value', round(f.revenue / nullif(f.conversions, 0), 4))
            FROM nudge.period_shares(performance_report.rule_id, first_day, last_day) AS s),
        'comparative_analysis', jsonb_build_object(
            'previous_period', nudge.compare_shares(performance_report.rule_id, first_day, last_day,
                                                    performance_report.rule_id, first_day - days, first_day - 1),
            'all_rules', nudge.compare_shares(performance_report.rule_id, first_day, last_day, NULL, first_day, last_day)),
        'optimization_opportunities', advice,
        'recommendations', CASE
            WHEN f.sent < nudge.least_messages() THEN jsonb_build_array(format(
                'Nothing yet: %s more messages must be sent before figures say something', nudge.least_messages() - f.sent))
            ELSE (SELECT coalesce(jsonb_agg(t.line), '[]')
                  FROM jsonb_array_elements(advice) AS a (o), jsonb_array_elements(a.o -> 'advice') AS t (line)) END);
END
$$;
COMMENT ON FUNCTION nudge.performance_report(bigint, interval) IS
    'Figures of a rule of the messages made in a period that ends today, compared with the period before and with all other rules (all_rules), and what could be better; days are those of nudge.timezone';

CREATE FUNCTION nudge.optimize_rule(rule_id bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    first_day CONSTANT date := '-infinity';
    last_day  CONSTANT date := 'infinity';
    f       record;
    fatigue float8;
    summary jsonb;
    advice  jsonb;
    actions jsonb;
    missing bigint;
BEGIN
    PERFORM nudge.require_rule(optimize_rule.rule_id);
    SELECT * INTO f FROM nudge.period_figures(optimize_rule.rule_id, first_day, last_day);
    SELECT t.frequency_fatigue_score INTO fatigue FROM nudge.frequency_fatigue t WHERE t.rule_id = optimize_rule.rule_id;
    missing := greatest(nudge.least_messages() - f.sent, 0);
    SELECT jsonb_build_object(
               'rule_id', optimize_rule.rule_id,
               'total_triggers', f.total_triggers, 'sent', f.sent, 'delivered', f.delivered, 'opened', f.opened,
               'clicked', f.clicked, 'conversions', f.conversions, 'revenue', f.revenue,
               'frequency_fatigue_score', fatigue,
               'messages_missing', missing)
        || jsonb_object_agg(s.metric, s.successes::float8 / nullif(s.trials, 0))
    INTO summary
    FROM nudge.period_shares(optimize_rule.rule_id, first_day, last_day) AS s;

    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'metric', o.metric, 'value', o.value, 'low', o.low, 'high', o.high,
               'side', o.side, 'threshold', o.threshold, 'areas', o.areas, 'recommendations', o.advice) ORDER BY o.metric), '[]')
    INTO advice
    FROM nudge.opportunities(optimize_rule.rule_id, first_day, last_day) AS o;

    SELECT coalesce(jsonb_agg(to_jsonb(a) ORDER BY a.priority, a.action), '[]') INTO actions
    FROM (SELECT 'subject_line_test' AS action, 'high' AS priority,
                 format('The open rate is %s %%, below 20 %%', round((100.0 * f.opened / f.sent), 1)) AS reason,
                 jsonb_build_object('open_rate', f.opened::float8 / f.sent) AS evidence
          WHERE f.sent > 0 AND f.opened::float8 / f.sent < 0.20
          UNION ALL
          SELECT 'timing_optimization', 'medium',
                 format('Messages sent at %s:00 by the user''s clock are opened more than others', h.hour),
                 to_jsonb(h)
          FROM nudge.best_open_hour(optimize_rule.rule_id) AS h
          UNION ALL
          SELECT 'frequency_reduction', 'high',
                 format('Users with at least 4 messages in the week before open less: fatigue %s', round(fatigue::numeric, 2)),
                 jsonb_build_object('frequency_fatigue_score', fatigue)
          WHERE fatigue > 0.3) AS a
    WHERE missing = 0;

    RETURN jsonb_build_object(
        'performance_summary', summary,
        'optimization_recommendations', advice,
        'suggested_actions', actions)
        || CASE WHEN missing > 0
                THEN jsonb_build_object('insufficient_data', format(
                    '%s messages have been sent; %s more are needed before anything is recommended', f.sent, missing))
                ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION nudge.optimize_rule(bigint) IS
    'What could be better about a rule, from all its messages: rates past their thresholds with advice, and actions with their priority; nothing below 100 sent messages, but how many are missing';

REVOKE ALL ON TABLE nudge.optimization_advice FROM PUBLIC;
REVOKE ALL ON FUNCTION nudge.two_proportion_test(bigint, bigint, bigint, bigint), nudge.least_messages(), nudge.require_rule(bigint),
    nudge.period_days(interval), nudge.period_figures(bigint, date, date), nudge.period_shares(bigint, date, date),
    nudge.compare_shares(bigint, date, date, bigint, date, date), nudge.opportunities(bigint, date, date), nudge.best_open_hour(bigint),
    nudge.performance_report(bigint, interval), nudge.optimize_rule(bigint) FROM PUBLIC;
INSERT INTO nudge.access_rights (access, kind, object, privileges)
SELECT a, v.kind, v.object, v.privileges
FROM pg_catalog.unnest('{marketer,analyst}'::text[]) AS a,
     (VALUES ('table', 'optimization_advice', 'SELECT'),
             ('routine', 'two_proportion_test', 'EXECUTE'),
             ('routine', 'performance_report', 'EXECUTE'),
             ('routine', 'optimize_rule', 'EXECUTE')) AS v (kind, object, privileges);
