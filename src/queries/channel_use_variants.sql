-- The same as channel_use for variants, which came with a later version
SELECT v.channel, pg_catalog.format('variant "%s" of rule "%s"', v.name, r.name)
FROM nudge.variants v JOIN nudge.rules r ON r.rule_id OPERATOR(pg_catalog.=) v.rule_id
WHERE v.channel IS NOT NULL AND ($1 IS NULL OR v.channel OPERATOR(pg_catalog.=) $1)
ORDER BY v.rule_id, v.name
LIMIT 1
