-- What has a condition for a segment, any segment where none is given: a segment,
-- or else a rule.
SELECT u.kind, u.name
FROM (SELECT 'segment' AS kind, s.name, 0::bigint AS place
      FROM nudge.segments s
      WHERE s.conditions OPERATOR(pg_catalog.<>) '[]'
        AND $1 IS NOT NULL
        AND pg_catalog.jsonb_path_exists(
            s.conditions,
            '$.** ? (@.type == "segment" && (@.parameters.segment == $name || @.parameters.value == $name))',
            pg_catalog.jsonb_build_object('name', $1))
      UNION ALL
      SELECT 'rule', r.name, r.rule_id
      FROM nudge.conditions c
      JOIN nudge.rules r ON r.rule_id OPERATOR(pg_catalog.=) c.rule_id
      WHERE CASE WHEN c.condition_type OPERATOR(pg_catalog.=) 'segment'
                 THEN $1 IS NULL OR pg_catalog.jsonb_path_exists(
                     c.parameters, '$ ? (@.segment == $name || @.value == $name)',
                     pg_catalog.jsonb_build_object('name', $1))
                 WHEN c.condition_type OPERATOR(pg_catalog.=) ANY ('{all,any,not}')
                 THEN pg_catalog.jsonb_path_exists(
                     c.parameters,
                     '$.** ? (@.type == "segment" && ($name == null || @.parameters.segment == $name || @.parameters.value == $name))',
                     pg_catalog.jsonb_build_object('name', $1))
                 ELSE false END) AS u
ORDER BY u.place, u.name
LIMIT 1
