-- After TRUNCATE
SELECT 1
FROM ONLY nudge.{child} c
WHERE c.{child_column} IS NOT NULL
    AND NOT EXISTS (SELECT FROM ONLY nudge.{parent} p
                    WHERE p.{parent_column} OPERATOR(pg_catalog.=) c.{child_column})
LIMIT 1
