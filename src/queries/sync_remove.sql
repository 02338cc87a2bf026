-- Users whose row is gone, locked in an order that all sessions keep, but for those
-- in $2.
WITH gone AS MATERIALIZED (
    SELECT u.user_id FROM nudge.users u
    WHERE u.user_id OPERATOR(pg_catalog.=) ANY ($1) AND u.user_id OPERATOR(pg_catalog.<>) ALL ($2)
    ORDER BY u.user_id
    FOR UPDATE)
DELETE FROM nudge.users u USING gone g
WHERE u.user_id OPERATOR(pg_catalog.=) g.user_id
