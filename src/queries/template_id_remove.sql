DELETE FROM nudge.template_ids
WHERE template_id OPERATOR(pg_catalog.=) $1
