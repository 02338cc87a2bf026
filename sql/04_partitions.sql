--
-- Partitions: monthly, by UTC
--

CREATE FUNCTION nudge.prepare_partition(parent text, partition text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE parent
    WHEN 'actions' THEN
        EXECUTE format('ALTER TABLE nudge.%I '
            'ADD CHECK (octet_length(user_id) BETWEEN 1 AND 1024), '
            'ADD CHECK (octet_length(action_type) BETWEEN 1 AND 1024), '
            'ADD CHECK (jsonb_typeof(action_data) = ''object''), '
            'ADD CHECK (jsonb_typeof(context) = ''object''), '
            'ADD CHECK (isfinite(occurred_at)), '
            'ADD CHECK (isfinite(recorded_at))', partition);
        EXECUTE format('CREATE INDEX ON nudge.%I (user_id, action_type, recorded_at, action_id)', partition);
    WHEN 'events' THEN
        EXECUTE format('CREATE INDEX ON nudge.%I (user_id, recorded_at)', partition);
        EXECUTE format('CREATE UNIQUE INDEX ON nudge.%I (message_id, event_type, event_key) '
            'WHERE event_key IS NOT NULL', partition);
    WHEN 'messages' THEN
        EXECUTE format('CREATE UNIQUE INDEX ON nudge.%I (message_id)', partition);
        EXECUTE format('CREATE INDEX ON nudge.%I (user_id, created_at)', partition);
    WHEN 'message_results' THEN
        EXECUTE format('CREATE UNIQUE INDEX ON nudge.%I (message_id)', partition);
    END CASE;
END
$$;
COMMENT ON FUNCTION nudge.prepare_partition(text, text) IS
    'Gives a partition the constraints and indexes of its kind; the parents carry none';

CREATE TABLE nudge.actions_default PARTITION OF nudge.actions DEFAULT;
COMMENT ON TABLE nudge.actions_default IS 'Actions of months that have no partition of their own';
SELECT pg_catalog.pg_extension_config_dump('nudge.actions_default', '');

CREATE TABLE nudge.events_default PARTITION OF nudge.events DEFAULT;
COMMENT ON TABLE nudge.events_default IS 'Events of months that have no partition of their own';
SELECT pg_catalog.pg_extension_config_dump('nudge.events_default', '');

CREATE TABLE nudge.messages_default PARTITION OF nudge.messages DEFAULT;
COMMENT ON TABLE nudge.messages_default IS 'Messages of months that have no partition of their own';
SELECT pg_catalog.pg_extension_config_dump('nudge.messages_default', '');

CREATE TABLE nudge.message_results_default PARTITION OF nudge.message_results DEFAULT;
COMMENT ON TABLE nudge.message_results_default IS 'Results of months that have no partition of their own';
SELECT pg_catalog.pg_extension_config_dump('nudge.message_results_default', '');

SELECT nudge.prepare_partition(p, p || '_default')
FROM (VALUES ('actions'), ('events'), ('messages'), ('message_results')) AS v (p);
