-- A rule that names a segment; any segment where none is given.
SELECT r.name
FROM nudge.rules r
WHERE CASE WHEN $1 IS NULL THEN pg_catalog.cardinality(r.segments) OPERATOR(pg_catalog.>) 0
           ELSE $1 OPERATOR(pg_catalog.=) ANY (r.segments) END
ORDER BY r.rule_id
LIMIT 1
