UPDATE nudge.rules
SET send_time = coalesce($2, send_time), allocation = coalesce($3, allocation), goal = coalesce($4, goal), auto_optimize = $5
WHERE rule_id = $1
