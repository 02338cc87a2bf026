DELETE FROM ONLY nudge.{child}
WHERE {child_column} OPERATOR(pg_catalog.=) $1
