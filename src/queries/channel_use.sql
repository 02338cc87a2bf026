-- Channels of those in $1 (NULL: any) that something names: the channel and what
SELECT u.channel, u.what
FROM (SELECT c.channel, pg_catalog.format('rule "%s"', r.name) AS what, 1 AS kind, r.rule_id AS id
      FROM nudge.rules r CROSS JOIN LATERAL pg_catalog.unnest(r.channels) AS c (channel)
      UNION ALL
      SELECT f.channel, pg_catalog.format('frequency cap %s', f.cap_id), 2, f.cap_id
      FROM nudge.frequency_caps f
      WHERE f.channel IS NOT NULL
      UNION ALL
      SELECT t.channel, pg_catalog.format('template "%s"', t.template_id), 3, 0
      FROM nudge.templates t
      WHERE t.channel OPERATOR(pg_catalog.<>) 'partial') AS u
WHERE $1 IS NULL OR u.channel OPERATOR(pg_catalog.=) $1
ORDER BY u.kind, u.id, u.what
LIMIT 1
