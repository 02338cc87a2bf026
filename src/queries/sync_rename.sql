-- Users whose id in the application's table changed keep what else is known of them,
-- unless there is a user of the new id already.
UPDATE nudge.users AS u SET user_id = m.new_id
FROM (SELECT DISTINCT ON (c.new_id COLLATE "C") c.old_id, c.new_id
      FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS c (old_id, new_id)
      WHERE NOT EXISTS (SELECT FROM nudge.users x WHERE x.user_id OPERATOR(pg_catalog.=) c.new_id)
      ORDER BY c.new_id COLLATE "C", c.old_id COLLATE "C") AS m
WHERE u.user_id OPERATOR(pg_catalog.=) m.old_id
