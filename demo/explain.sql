-- A user who looked at a product and got nothing, and what rules say to that visit now

SELECT a.user_id, a.action_type, a.action_data
FROM nudge.actions a
WHERE a.action_type = 'page_visit'
  AND NOT EXISTS (SELECT FROM nudge.events e WHERE e.user_id = a.user_id)
ORDER BY a.action_id
LIMIT 1 \gset

\echo '   User' :user_id visited :action_data
SELECT name, outcome, reason, jsonb_path_query_array(detail, '$.conditions[*] ? (@.score == 0).type') AS failed_conditions
FROM nudge.explain(:'user_id', :'action_type', :'action_data')
ORDER BY rule_id;
