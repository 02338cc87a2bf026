-- Channels of a list of names, kept from going away until the transaction ends.
SELECT c.name
FROM nudge.channels c
WHERE c.name OPERATOR(pg_catalog.=) ANY ($1)
FOR KEY SHARE
