SELECT template_id, channel, subject, body_text, body_html, sender_name, sender_address, reply_to
FROM nudge.templates
WHERE template_id = ANY ($1)
