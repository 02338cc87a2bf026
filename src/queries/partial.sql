-- The text of a partial, by its name.
SELECT t.body_text
  FROM nudge.templates AS t
 WHERE t.template_id OPERATOR(pg_catalog.=) $1
   AND t.channel OPERATOR(pg_catalog.=) 'partial'
