SELECT pg_catalog.count(*)
FROM (SELECT FROM nudge.pending WHERE status <> 'dead' LIMIT $1) AS p
