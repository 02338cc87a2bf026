-- Users whose row is gone, locked in an order that all sessions keep, but for those
-- in $2.
WITH gone AS MATERIALIZED (
    SELECT u.user_id
    FROM (SELECT DISTINCT d.user_id COLLATE "C" AS user_id FROM pg_catalog.unnest($1) AS d (user_id)
          EXCEPT
          SELECT k.user_id COLLATE "C" FROM pg_catalog.unnest($2) AS k (user_id)) AS d
    JOIN nudge.users u ON u.user_id OPERATOR(pg_catalog.=) d.user_id
    ORDER BY u.user_id
    FOR UPDATE OF u)
DELETE FROM nudge.users u USING gone g
WHERE u.user_id OPERATOR(pg_catalog.=) g.user_id
