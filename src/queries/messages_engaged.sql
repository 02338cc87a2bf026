-- Which places of $1 have messages that a person has opened or clicked
SELECT w.ordinal
FROM pg_catalog.unnest($1) WITH ORDINALITY AS w (message_id, ordinal)
WHERE (SELECT true FROM nudge.events AS e
       WHERE e.message_id OPERATOR(pg_catalog.=) w.message_id
         AND e.event_type OPERATOR(pg_catalog.=) ANY (ARRAY['opened', 'clicked'])
         AND e.event_key IS NOT NULL
         AND e.flag IS DISTINCT FROM 'machine'
         AND NOT (e.metadata OPERATOR(pg_catalog.@>) '{"machine": true}'::pg_catalog.jsonb)
       LIMIT 1)
