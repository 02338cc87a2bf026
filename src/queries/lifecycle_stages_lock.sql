-- Lifecycle stages of a list of names, kept from going away until the transaction ends.
SELECT s.name
FROM nudge.lifecycle_stages s
WHERE s.name OPERATOR(pg_catalog.=) ANY ($1)
FOR KEY SHARE
