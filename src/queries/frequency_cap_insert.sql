INSERT INTO nudge.frequency_caps (rule_id, period, max_messages)
VALUES ($1, $2::nudge.cap_period, $3)
