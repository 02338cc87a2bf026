-- register_action: what an application would write itself.
INSERT INTO nudge.actions (user_id, action_type, action_data, occurred_at, context, session_id, source)
VALUES ($1, $2, $3, $4, $5, $6, $7)
