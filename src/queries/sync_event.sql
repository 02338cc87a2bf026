-- A value of an application's table that nudge.users cannot take
INSERT INTO nudge.events (user_id, event_type, reason, metadata)
VALUES ($1, 'sync_error', $2, pg_catalog.jsonb_build_object('table', $3::pg_catalog.text, 'attribute', $4::pg_catalog.text, 'column', $5::pg_catalog.text, 'rows', $6::pg_catalog.int8))
