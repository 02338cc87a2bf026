-- Recorded actions of a time, both ends included, user by user
SELECT a.*
FROM nudge.actions a
WHERE a.recorded_at OPERATOR(pg_catalog.>=) $1 AND a.recorded_at OPERATOR(pg_catalog.<=) $2
ORDER BY a.user_id, a.recorded_at, a.action_id
