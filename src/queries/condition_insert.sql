INSERT INTO nudge.conditions (rule_id, position, condition_type, operator, parameters, weight)
VALUES ($1, $2, $3, $4, $5, $6)
