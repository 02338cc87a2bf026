SELECT 1
FROM ONLY nudge.{child} c
WHERE c.{child_column} OPERATOR(pg_catalog.=) $1
LIMIT 1
