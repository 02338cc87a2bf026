UPDATE ONLY nudge.{child}
SET {child_column} = $2
WHERE {child_column} OPERATOR(pg_catalog.=) $1
