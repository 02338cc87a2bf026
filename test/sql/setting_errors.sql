--
-- Settings out of range: refused as PostgreSQL says it, and nothing changes.
--
-- A session knows the settings once it has used pg_nudge; a bad value set before that
-- is refused then, with a warning, and the default holds.
SET nudge.retention_days = 0;
LOAD 'pg_nudge';
SHOW nudge.retention_days;
SELECT name, setting, unit FROM pg_settings WHERE name LIKE 'nudge.%' ORDER BY name COLLATE "C";
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before text := (SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name LIKE 'nudge.%');
    state text := 'not refused';
BEGIN
    BEGIN
        EXECUTE statement;
    EXCEPTION WHEN OTHERS THEN
        state := SQLSTATE;
    END;
    RETURN state || CASE WHEN before <> (SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name LIKE 'nudge.%')
        THEN ' but changed something' ELSE '' END;
END
$$;
SELECT s AS statement, pg_temp.refused(s)
FROM unnest(ARRAY[
    $$SET nudge.timezone = 'Mars/Olympus'$$,
    $$SET nudge.timezone = ''$$,
    $$SET nudge.batch_interval = 0$$,
    $$SET nudge.batch_interval = '-1 min'$$,
    $$SET nudge.batch_interval = '8 d'$$,
    $$SET nudge.batch_interval = 'soon'$$,
    $$SET nudge.retention_days = 0$$,
    $$SET nudge.retention_days = 100000$$,
    $$SET nudge.max_pending_triggers = 0$$,
    $$SET nudge.max_pending_triggers = 1e12$$,
    $$SET nudge.evaluate = 'maybe'$$,
    $$SET nudge.template_errors = 'loud'$$,
    $$SET nudge.template_max_steps = -1$$,
    $$SET nudge.no_such_setting = 1$$]) AS s;
