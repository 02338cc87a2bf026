-- A rule with its conditions, in their order; one row without a type where it has none.
-- (Before an upgrade there is no column schedule.)
SELECT r.name, r.trigger_type, c.condition_type, c.operator, c.parameters, c.weight,
       (pg_catalog.to_jsonb(r) OPERATOR(pg_catalog.->>) 'schedule') IS NOT NULL
FROM nudge.rules r
LEFT JOIN nudge.conditions c ON c.rule_id OPERATOR(pg_catalog.=) r.rule_id
WHERE r.rule_id OPERATOR(pg_catalog.=) $1
ORDER BY c.position
