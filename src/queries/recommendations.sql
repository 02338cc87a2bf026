-- A JSON array of items for each place of the arrays that has any.
SELECT r.ordinal, pg_catalog.jsonb_agg(r.data ORDER BY r.place)
FROM nudge.recommend_for($1, $2, $3, $4) AS r
GROUP BY r.ordinal
