INSERT INTO nudge.template_ids (template_id)
VALUES ($1)
ON CONFLICT (template_id) DO NOTHING
