-- register_action: what an application would write itself; an argument that is
-- NULL means the column's default.
INSERT INTO nudge.actions (user_id, action_type, action_data, occurred_at, context, session_id, source)
VALUES ($1, $2, coalesce($3, '{}'), coalesce($4, pg_catalog.now()), coalesce($5, '{}'), $6, coalesce($7, 'unknown'))
