SELECT c.rule_ids, c.channels, c.days, c.counts,
       (SELECT u.timezone FROM nudge.users AS u WHERE u.user_id = c.user_id)
FROM nudge.cap_usage AS c
WHERE c.user_id = $1
FOR UPDATE
