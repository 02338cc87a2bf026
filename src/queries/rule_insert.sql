INSERT INTO nudge.rules (name, description, trigger_type, priority, status, template_id,
                         delay, expiry, segments, personalization, channels, cancel_on)
VALUES ($1, $2, $3::nudge.trigger_type, $4::nudge.priority, $5::nudge.rule_status, $6,
        $7, $8, $9, $10, $11, $12)
RETURNING rule_id
