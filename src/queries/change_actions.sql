-- Actions of users whose data changed; their trigger evaluates them at the end of
-- this statement.
INSERT INTO nudge.actions (user_id, action_type, action_data, source)
SELECT c.user_id, $2, c.action_data, 'pg_nudge'
FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($3)) AS c (user_id, action_data)
