INSERT INTO nudge.rules (name, description, trigger_type, priority, status, template_id,
                         delay, expiry, segments, personalization, channels, cancel_on,
                         reentry, schedule, topic, send_between, send_on, holdout_percent,
                         urgency, channel_strategy, fallback_after)
VALUES ($1, $2, $3::nudge.trigger_type, $4::nudge.priority, $5::nudge.rule_status, $6,
        $7, $8, $9, $10, $11, $12,
        coalesce($13, '"always"'), $14, $15, $16, $17, $18,
        $19::nudge.urgency, $20::nudge.channel_strategy, $21)
RETURNING rule_id
