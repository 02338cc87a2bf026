-- What an application's table says of users, in an order that all sessions keep.
-- $1 to $6 and $8 to $10 hold a row each; $7 says which columns are mapped, $11 to
-- $13 which paths of the documents.  Of rows for the same user the last one counts.
INSERT INTO nudge.users AS u
    (user_id, email, phone, push_token, timezone, locale, profile, behavior, preferences)
SELECT g.user_id, g.email, g.phone, g.push_token, g.timezone, g.locale, g.profile, g.behavior, g.preferences
FROM (SELECT DISTINCT ON (r.user_id COLLATE "C") r.*
      FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),
                      pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6),
                      pg_catalog.unnest($8), pg_catalog.unnest($9), pg_catalog.unnest($10))
          WITH ORDINALITY AS r (user_id, email, phone, push_token, timezone, locale,
                                profile, behavior, preferences, place)
      ORDER BY r.user_id COLLATE "C", r.place DESC) AS g
ON CONFLICT (user_id) DO UPDATE SET
    email = CASE WHEN $7[1] THEN excluded.email ELSE u.email END,
    phone = CASE WHEN $7[2] THEN excluded.phone ELSE u.phone END,
    push_token = CASE WHEN $7[3] THEN excluded.push_token ELSE u.push_token END,
    timezone = CASE WHEN $7[4] THEN excluded.timezone ELSE u.timezone END,
    locale = CASE WHEN $7[5] THEN excluded.locale ELSE u.locale END,
    profile = nudge.copy_attributes(u.profile, excluded.profile, $11),
    behavior = nudge.copy_attributes(u.behavior, excluded.behavior, $12),
    preferences = nudge.copy_attributes(u.preferences, excluded.preferences, $13)
WHERE $7[1] AND u.email IS DISTINCT FROM excluded.email
    OR $7[2] AND u.phone IS DISTINCT FROM excluded.phone
    OR $7[3] AND u.push_token IS DISTINCT FROM excluded.push_token
    OR $7[4] AND u.timezone IS DISTINCT FROM excluded.timezone
    OR $7[5] AND u.locale IS DISTINCT FROM excluded.locale
    OR nudge.copy_attributes(u.profile, excluded.profile, $11) OPERATOR(pg_catalog.<>) u.profile
    OR nudge.copy_attributes(u.behavior, excluded.behavior, $12) OPERATOR(pg_catalog.<>) u.behavior
    OR nudge.copy_attributes(u.preferences, excluded.preferences, $13) OPERATOR(pg_catalog.<>) u.preferences
