-- The best hours to send to users ($1) messages of rules ($2), as known at a time ($3)
SELECT w.ordinal, nudge.send_hour(w.user_id, w.rule_id, $3)
FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY AS w (user_id, rule_id, ordinal)
