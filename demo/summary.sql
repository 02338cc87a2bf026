-- Of each rule: how often it fired and what became of that

SELECT r.name,
       count(*) FILTER (WHERE e.event_type = 'capped') AS over_cap,
       count(*) FILTER (WHERE e.event_type = 'scheduled') AS fired,
       count(*) FILTER (WHERE e.event_type = 'skipped' AND e.reason = 'cancelled') AS cancelled,
       count(*) FILTER (WHERE e.event_type = 'skipped' AND e.reason <> 'cancelled') AS skipped,
       count(*) FILTER (WHERE e.event_type IN ('failed', 'dead')) AS failed,
       count(*) FILTER (WHERE e.event_type = 'executed') AS messages,
       count(*) FILTER (WHERE e.event_type = 'sent') AS sent,
       count(*) FILTER (WHERE e.event_type = 'opened') AS opened
FROM nudge.rules r LEFT JOIN nudge.events e USING (rule_id)
GROUP BY r.rule_id ORDER BY r.rule_id;
