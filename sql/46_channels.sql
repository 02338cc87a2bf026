--
-- Version 0.3.0: channels, and which of them suits a user best
--

CREATE TABLE nudge.channels (
    name         text COLLATE "C" PRIMARY KEY,
    base_score   float8 NOT NULL DEFAULT 0.5,
    address_path text NOT NULL,
    enabled      boolean NOT NULL DEFAULT true,
    description  text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE nudge.channels IS 'Ways to reach a user; rows that come with the extension may be changed, and others added';
COMMENT ON COLUMN nudge.channels.base_score IS 'How well the channel works for a stranger; times engagement and urgency modifier it is a channel''s score for a user';
COMMENT ON COLUMN nudge.channels.address_path IS 'Where a user''s address is: a column of nudge.users, or a path such as profile.whatsapp; without one it is profile and the channel''s name';
COMMENT ON COLUMN nudge.channels.enabled IS 'Whether messages are made for it; to be without a channel that comes with the extension, turn it off, as a restored dump brings deleted ones back';
SELECT pg_catalog.pg_extension_config_dump('nudge.channels', '');

CREATE TABLE nudge.channel_urgency (
    urgency  nudge.urgency NOT NULL,
    channel  text COLLATE "C" NOT NULL REFERENCES nudge.channels ON UPDATE CASCADE ON DELETE CASCADE,
    modifier float8 NOT NULL,
    PRIMARY KEY (urgency, channel)
);
COMMENT ON TABLE nudge.channel_urgency IS 'What urgency does to a channel''s score; without a row it is 1.0';
SELECT pg_catalog.pg_extension_config_dump('nudge.channel_urgency', '');

INSERT INTO nudge.channels (name, base_score, address_path, description) VALUES
    ('email', 0.7, 'email', 'E-mail'),
    ('sms', 0.9, 'phone', 'Text messages to a phone'),
    ('push', 0.6, 'push_token', 'Notifications of an app');

INSERT INTO nudge.channel_urgency (urgency, channel, modifier) VALUES
    ('low', 'email', 1.0), ('low', 'sms', 0.3), ('low', 'push', 0.8),
    ('normal', 'email', 1.0), ('normal', 'sms', 0.6), ('normal', 'push', 1.0),
    ('high', 'email', 0.7), ('high', 'sms', 1.0), ('high', 'push', 1.0),
    ('critical', 'email', 0.3), ('critical', 'sms', 1.0), ('critical', 'push', 0.9);

--
-- A dump has all rows, also those that came with the extension, which are there
-- already when a dump is restored; so a row of a dump takes the place of the one
-- that it finds.  The triggers fire in sessions that replicate or restore only
-- (trust_restore makes a restoring session one).
--

CREATE FUNCTION nudge.replace_shipped_row() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'channels' THEN
        DELETE FROM nudge.channels AS c WHERE c.name = NEW.name;
    ELSE
        DELETE FROM nudge.channel_urgency AS u WHERE u.urgency = NEW.urgency AND u.channel = NEW.channel;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION nudge.replace_shipped_row() IS
    'Trigger function of nudge.channels and nudge.channel_urgency: rows of a dump replace those that came with the extension';

CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.channels
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.channels IS 'Lets rows of a dump in as they are';
CREATE TRIGGER replace_shipped_row BEFORE INSERT ON nudge.channels
    FOR EACH ROW EXECUTE FUNCTION nudge.replace_shipped_row();
ALTER TABLE nudge.channels ENABLE REPLICA TRIGGER replace_shipped_row;
COMMENT ON TRIGGER replace_shipped_row ON nudge.channels IS 'Lets rows of a dump replace those that came with the extension';
CREATE TRIGGER a_trust_restore BEFORE INSERT ON nudge.channel_urgency
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.trust_restore();
COMMENT ON TRIGGER a_trust_restore ON nudge.channel_urgency IS 'Lets rows of a dump in as they are';
CREATE TRIGGER replace_shipped_row BEFORE INSERT ON nudge.channel_urgency
    FOR EACH ROW EXECUTE FUNCTION nudge.replace_shipped_row();
ALTER TABLE nudge.channel_urgency ENABLE REPLICA TRIGGER replace_shipped_row;
COMMENT ON TRIGGER replace_shipped_row ON nudge.channel_urgency IS 'Lets rows of a dump replace those that came with the extension';

--
-- Checks
--

CREATE FUNCTION nudge.check_channel() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_check_channel';
COMMENT ON FUNCTION nudge.check_channel() IS
    'Trigger function of nudge.channels: name, base_score, address_path, updated_at';
CREATE TRIGGER check_channel BEFORE INSERT OR UPDATE ON nudge.channels
    FOR EACH ROW EXECUTE FUNCTION nudge.check_channel();
COMMENT ON TRIGGER check_channel ON nudge.channels IS
    'Refuses channels that could not be used; fills in address_path; sets updated_at';

CREATE FUNCTION nudge.check_channel_urgency() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_check_channel_urgency';
COMMENT ON FUNCTION nudge.check_channel_urgency() IS
    'Trigger function of nudge.channel_urgency: modifier';
CREATE TRIGGER check_channel_urgency BEFORE INSERT OR UPDATE ON nudge.channel_urgency
    FOR EACH ROW EXECUTE FUNCTION nudge.check_channel_urgency();
COMMENT ON TRIGGER check_channel_urgency ON nudge.channel_urgency IS 'Refuses modifiers that are no factors';

CREATE FUNCTION nudge.keep_channels() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_keep_channels';
COMMENT ON FUNCTION nudge.keep_channels() IS
    'Trigger function of nudge.channels: channels that rules, caps or templates name stay';
CREATE TRIGGER keep_channel AFTER DELETE OR UPDATE OF name ON nudge.channels
    FOR EACH ROW EXECUTE FUNCTION nudge.keep_channels();
COMMENT ON TRIGGER keep_channel ON nudge.channels IS
    'Refuses to remove or rename a channel that is in use';
CREATE TRIGGER keep_channels AFTER TRUNCATE ON nudge.channels
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.keep_channels();
COMMENT ON TRIGGER keep_channels ON nudge.channels IS
    'Refuses to remove channels that are in use';

CREATE TRIGGER invalidate_rules AFTER INSERT OR UPDATE OR DELETE ON nudge.channels
    FOR EACH ROW EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.channels ENABLE ALWAYS TRIGGER invalidate_rules;
COMMENT ON TRIGGER invalidate_rules ON nudge.channels IS 'Has every session compile the rules anew';
CREATE TRIGGER invalidate_all_rules AFTER TRUNCATE ON nudge.channels
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.channels ENABLE ALWAYS TRIGGER invalidate_all_rules;
COMMENT ON TRIGGER invalidate_all_rules ON nudge.channels IS 'Has every session compile the rules anew';
CREATE TRIGGER invalidate_rules AFTER INSERT OR UPDATE OR DELETE ON nudge.channel_urgency
    FOR EACH ROW EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.channel_urgency ENABLE ALWAYS TRIGGER invalidate_rules;
COMMENT ON TRIGGER invalidate_rules ON nudge.channel_urgency IS 'Has every session compile the rules anew';
CREATE TRIGGER invalidate_all_rules AFTER TRUNCATE ON nudge.channel_urgency
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.channel_urgency ENABLE ALWAYS TRIGGER invalidate_all_rules;
COMMENT ON TRIGGER invalidate_all_rules ON nudge.channel_urgency IS 'Has every session compile the rules anew';

--
-- Questions.  The settings fix the plans: tables are entered by their indexes.
--

CREATE FUNCTION nudge.channel_scores(user_id text, urgency text DEFAULT 'normal')
RETURNS TABLE (channel text, eligible boolean, reason text, base float8, engagement float8, modifier float8, score float8)
LANGUAGE C VOLATILE ROWS 3
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS 'MODULE_PATHNAME', 'nudge_channel_scores';
COMMENT ON FUNCTION nudge.channel_scores(text, text) IS
    'Score of each channel for a user, base × engagement × urgency modifier, the best first; reason says why a channel is not eligible: channel_disabled, no_user, no_address, or what consent says';

CREATE FUNCTION nudge.channel_scores(user_id text, urgency nudge.urgency)
RETURNS TABLE (channel text, eligible boolean, reason text, base float8, engagement float8, modifier float8, score float8)
LANGUAGE sql VOLATILE ROWS 3
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.* FROM nudge.channel_scores(user_id, urgency::text) AS s
$$;
COMMENT ON FUNCTION nudge.channel_scores(text, nudge.urgency) IS
    'Score of each channel for a user, with the urgency as its type';

CREATE FUNCTION nudge.coordinate_channels(rule bigint, user_id text) RETURNS jsonb
LANGUAGE C VOLATILE
SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS 'MODULE_PATHNAME', 'nudge_coordinate_channels';
COMMENT ON FUNCTION nudge.coordinate_channels(bigint, text) IS
    'By which channels a message of the rule would go to the user now: strategy, urgency, channels in order with their scores and the cap that would forbid them, dropped with reasons, and fallback_after; decided by the code that sends';

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('marketer', 'table', 'channels', 'SELECT, INSERT, UPDATE, DELETE'),
    ('marketer', 'table', 'channel_urgency', 'SELECT, INSERT, UPDATE, DELETE'),
    ('marketer', 'routine', 'channel_scores', 'EXECUTE'),
    ('marketer', 'routine', 'coordinate_channels', 'EXECUTE');

REVOKE ALL ON TABLE nudge.channels, nudge.channel_urgency FROM PUBLIC;
REVOKE ALL ON ROUTINE nudge.replace_shipped_row(), nudge.check_channel(), nudge.check_channel_urgency(),
    nudge.keep_channels(), nudge.channel_scores(text, text), nudge.channel_scores(text, nudge.urgency),
    nudge.coordinate_channels(bigint, text) FROM PUBLIC;
