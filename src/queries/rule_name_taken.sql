SELECT 1 FROM nudge.rules r WHERE r.name OPERATOR(pg_catalog.=) $1
