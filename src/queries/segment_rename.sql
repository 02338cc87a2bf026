-- Follows a segment that got another name.
UPDATE nudge.rules
SET segments = pg_catalog.array_replace(segments, $1, $2)
WHERE $1 OPERATOR(pg_catalog.=) ANY (segments)
