-- Some of those who clicked buy.  What messages brought about, by rule, then by model of attribution

SELECT nudge.record_conversion(m.user_id, 25 + m.message_id % 50, 'EUR', now() + interval '20 min', idempotency_key => 'order of ' || m.user_id)
FROM nudge.events e JOIN nudge.messages m USING (message_id)
WHERE e.event_type = 'clicked' AND e.message_id % 2 = 0 \g /dev/null

SELECT name, total_triggers, sent, opened, clicked, conversions, revenue,
       round(100 * click_rate::numeric, 1) AS "click %",
       format('%s to %s', round(100 * click_rate_low::numeric, 1), round(100 * click_rate_high::numeric, 1)) AS "95 % interval"
FROM nudge.rule_performance WHERE sent > 0 ORDER BY rule_id;

SELECT name, model, round(conversions, 2) AS conversions, revenue FROM nudge.attribution WHERE model IN ('last_touch', 'linear', 'markov') ORDER BY name, model;

-- What a rule would have done that nobody has defined yet: "views twice within ten minutes, at most one message a day"
SELECT b -> 'triggers' AS triggers, b -> 'fired' AS fired, b -> 'capped' AS capped, b -> 'users' AS users
FROM nudge.backtest('{"name": "Twice in ten minutes", "type": "behavioral", "max_frequency": {"daily": 1},
                      "conditions": [{"type": "action_count", "parameters": {"action_type": "*", "within": "10 min", "min": 2}}]}',
                    now() - interval '1 day', now()) AS b;
