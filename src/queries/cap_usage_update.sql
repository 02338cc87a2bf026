UPDATE nudge.cap_usage
SET rule_ids = $2, channels = $3, days = $4, counts = $5
WHERE user_id = $1
