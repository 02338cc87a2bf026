-- After TRUNCATE: ids go that have no row.
DELETE FROM nudge.template_ids i
WHERE NOT EXISTS (SELECT FROM nudge.templates t WHERE t.template_id OPERATOR(pg_catalog.=) i.template_id)
