-- Of the last 50 messages of each user by each channel, how many were sent and did
-- not bounce, and how many of these were engaged with.  ordinals: places in $1 and $2.
SELECT o.ordinal, g.delivered, g.engaged
FROM (SELECT w.user_id, w.channel, pg_catalog.array_agg(w.ordinal) AS ordinals
      FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY AS w (user_id, channel, ordinal)
      GROUP BY w.user_id, w.channel) AS a
CROSS JOIN LATERAL (
    SELECT pg_catalog.count(*) FILTER (WHERE s.bounced IS NOT TRUE) AS delivered,
           pg_catalog.count(*) FILTER (WHERE s.engaged AND s.bounced IS NOT TRUE) AS engaged
    FROM (SELECT m.message_id
          FROM nudge.messages AS m
          WHERE m.user_id OPERATOR(pg_catalog.=) a.user_id AND m.channel OPERATOR(pg_catalog.=) a.channel
          ORDER BY m.created_at DESC, m.message_id DESC
          LIMIT 50) AS l
    -- What is reported of messages has a key, and that has an index.
    CROSS JOIN LATERAL (
        SELECT pg_catalog.bool_or(e.event_type OPERATOR(pg_catalog.=) 'bounced') AS bounced,
               pg_catalog.bool_or(e.event_type OPERATOR(pg_catalog.=) ANY (ARRAY['opened', 'clicked'])
                   AND e.flag IS DISTINCT FROM 'machine'
                   AND NOT (e.metadata OPERATOR(pg_catalog.@>) '{"machine": true}'::pg_catalog.jsonb)) AS engaged
        FROM nudge.events AS e
        WHERE e.message_id OPERATOR(pg_catalog.=) l.message_id AND e.event_key IS NOT NULL) AS s
    -- LIMIT keeps this a look-up by index, whatever the statistics say.
    WHERE (SELECT true FROM nudge.message_results AS r
           WHERE r.message_id OPERATOR(pg_catalog.=) l.message_id
             AND r.status OPERATOR(pg_catalog.=) 'sent'::nudge.message_status
           LIMIT 1)) AS g
CROSS JOIN LATERAL pg_catalog.unnest(a.ordinals) AS o (ordinal)
