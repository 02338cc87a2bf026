UPDATE nudge.pending AS p
SET status = u.status::nudge.pending_status, attempts = u.attempts, due_at = u.due_at,
    last_error = u.last_error
FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),
                pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6))
     AS u (user_id, pending_id, status, attempts, due_at, last_error)
WHERE p.user_id = u.user_id AND p.pending_id = u.pending_id
