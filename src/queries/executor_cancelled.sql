-- Waiting triggers ($1 tells which) whose user did an action that cancels them:
-- after the firing, and no later than the due time.
SELECT DISTINCT w.ordinal
FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),
                pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6))
     AS w (ordinal, user_id, action_type, fired_at, action_id, due_at)
-- LIMIT keeps this a look-up by index, whatever the statistics say.
CROSS JOIN LATERAL (
    SELECT 1
    FROM nudge.actions AS a
    WHERE a.user_id = w.user_id AND a.action_type = w.action_type
      AND a.recorded_at >= w.fired_at AND a.recorded_at <= w.due_at
      AND (a.recorded_at, a.action_id) > (w.fired_at, w.action_id)
    LIMIT 1) AS found
