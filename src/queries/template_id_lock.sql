-- Keeps a template id from going away until the transaction ends.
SELECT 1
FROM nudge.template_ids i
WHERE i.template_id OPERATOR(pg_catalog.=) $1
FOR KEY SHARE
