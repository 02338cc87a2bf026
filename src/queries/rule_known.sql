-- Whether there is a rule of a name, or of an id.
SELECT 1
FROM nudge.rules r
WHERE r.name OPERATOR(pg_catalog.=) $1 OR r.rule_id OPERATOR(pg_catalog.=) $2
LIMIT 1
