-- Whether a template still has a row, and a rule that uses it.
SELECT EXISTS (SELECT FROM nudge.templates t WHERE t.template_id OPERATOR(pg_catalog.=) $1),
       (SELECT r.name FROM nudge.rules r WHERE r.template_id OPERATOR(pg_catalog.=) $1
        ORDER BY r.rule_id LIMIT 1)
