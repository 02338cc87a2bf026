-- The row that a reference means, kept from being removed.
SELECT 1
FROM ONLY nudge.{parent} p
WHERE p.{parent_column} OPERATOR(pg_catalog.=) $1
FOR KEY SHARE OF p
