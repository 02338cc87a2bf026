SELECT t.template_id, t.channel, t.subject, t.body_text, t.body_html, t.sender_name, t.sender_address, t.reply_to
FROM nudge.templates AS t
WHERE t.template_id OPERATOR(pg_catalog.=) ANY ($1)
