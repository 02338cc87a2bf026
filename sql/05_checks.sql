--
-- Checks of configuration, and invalidation of the compiled rules
--
-- Rows may be written by nudge.create_rule or by plain DML: the same triggers
-- guard both.
--

CREATE FUNCTION nudge.check_user() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_check_user';
COMMENT ON FUNCTION nudge.check_user() IS 'Trigger function of nudge.users: time zone, updated_at';

CREATE TRIGGER check_user BEFORE INSERT OR UPDATE ON nudge.users
    FOR EACH ROW EXECUTE FUNCTION nudge.check_user();
COMMENT ON TRIGGER check_user ON nudge.users IS 'Refuses unknown time zones; sets updated_at';

CREATE FUNCTION nudge.check_template_row() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_check_template_row';
COMMENT ON FUNCTION nudge.check_template_row() IS
    'Trigger function of nudge.templates: Liquid syntax, nudge.template_ids, updated_at';

CREATE TRIGGER check_template_row BEFORE INSERT OR UPDATE ON nudge.templates
    FOR EACH ROW EXECUTE FUNCTION nudge.check_template_row();
COMMENT ON TRIGGER check_template_row ON nudge.templates IS
    'Refuses what is no Liquid; adds the id to nudge.template_ids; sets updated_at';

CREATE FUNCTION nudge.remove_template_id() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_remove_template_id';
COMMENT ON FUNCTION nudge.remove_template_id() IS
    'Trigger function of nudge.templates: takes an id without rows out of nudge.template_ids';

CREATE TRIGGER remove_template_id AFTER DELETE OR UPDATE OF template_id ON nudge.templates
    FOR EACH ROW EXECUTE FUNCTION nudge.remove_template_id();
COMMENT ON TRIGGER remove_template_id ON nudge.templates IS
    'Takes the id out of nudge.template_ids with its last channel, unless a rule uses it';

CREATE TRIGGER remove_template_ids AFTER TRUNCATE ON nudge.templates
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.remove_template_id();
COMMENT ON TRIGGER remove_template_ids ON nudge.templates IS
    'Empties nudge.template_ids, unless a rule uses one';

CREATE FUNCTION nudge.keep_segments() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_keep_segments';
COMMENT ON FUNCTION nudge.keep_segments() IS
    'Trigger function of nudge.segments: rules.segments follows new names and keeps segments from being removed';

CREATE TRIGGER keep_segment AFTER DELETE OR UPDATE OF name ON nudge.segments
    FOR EACH ROW EXECUTE FUNCTION nudge.keep_segments();
COMMENT ON TRIGGER keep_segment ON nudge.segments IS
    'Refuses to remove a segment that a rule names; gives rules its new name';

CREATE TRIGGER keep_segments AFTER TRUNCATE ON nudge.segments
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.keep_segments();
COMMENT ON TRIGGER keep_segments ON nudge.segments IS
    'Refuses to remove segments that a rule names';

CREATE FUNCTION nudge.check_rule() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_check_rule';
COMMENT ON FUNCTION nudge.check_rule() IS
    'Trigger function of nudge.rules: delay, expiry, segments, channels, cancel_on, personalization, updated_at';

CREATE TRIGGER check_rule BEFORE INSERT OR UPDATE ON nudge.rules
    FOR EACH ROW EXECUTE FUNCTION nudge.check_rule();
COMMENT ON TRIGGER check_rule ON nudge.rules IS 'Refuses rules that make no sense; sets updated_at';

CREATE FUNCTION nudge.check_condition() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_check_condition';
COMMENT ON FUNCTION nudge.check_condition() IS
    'Trigger function of nudge.conditions: type, operator, parameters, weight';

CREATE TRIGGER check_condition BEFORE INSERT OR UPDATE ON nudge.conditions
    FOR EACH ROW EXECUTE FUNCTION nudge.check_condition();
COMMENT ON TRIGGER check_condition ON nudge.conditions IS
    'Refuses conditions that cannot be evaluated; puts the default of the type in place of a null operator';

CREATE FUNCTION nudge.check_frequency_cap() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_check_frequency_cap';
COMMENT ON FUNCTION nudge.check_frequency_cap() IS
    'Trigger function of nudge.frequency_caps: max_messages, channel';

CREATE TRIGGER check_frequency_cap BEFORE INSERT OR UPDATE ON nudge.frequency_caps
    FOR EACH ROW EXECUTE FUNCTION nudge.check_frequency_cap();
COMMENT ON TRIGGER check_frequency_cap ON nudge.frequency_caps IS
    'Refuses caps below 1 and unknown channels';

-- A rule that can never fire is no error, but surely not what was meant.

CREATE FUNCTION nudge.warn_never_fires() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_warn_never_fires';
COMMENT ON FUNCTION nudge.warn_never_fires() IS
    'Trigger function of nudge.rules and nudge.conditions: warns of a rule that can never fire';

CREATE CONSTRAINT TRIGGER warn_never_fires AFTER INSERT OR UPDATE OF trigger_type ON nudge.rules
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION nudge.warn_never_fires();
COMMENT ON TRIGGER warn_never_fires ON nudge.rules IS
    'Warns, when the transaction ends, of a rule that can never fire';

CREATE CONSTRAINT TRIGGER warn_never_fires AFTER INSERT OR UPDATE OR DELETE ON nudge.conditions
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION nudge.warn_never_fires();
COMMENT ON TRIGGER warn_never_fires ON nudge.conditions IS
    'Warns, when the transaction ends, of a rule that can never fire';

-- Rows that arrive by logical replication change the rules too: ENABLE ALWAYS.

CREATE FUNCTION nudge.invalidate_rules() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_invalidate_rules';
COMMENT ON FUNCTION nudge.invalidate_rules() IS
    'Trigger function of configuration tables: has every session compile the rules anew';

CREATE TRIGGER invalidate_rules AFTER INSERT OR UPDATE OR DELETE ON nudge.rules
    FOR EACH ROW EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.rules ENABLE ALWAYS TRIGGER invalidate_rules;
COMMENT ON TRIGGER invalidate_rules ON nudge.rules IS 'Has every session compile the rules anew';

CREATE TRIGGER invalidate_all_rules AFTER TRUNCATE ON nudge.rules
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.rules ENABLE ALWAYS TRIGGER invalidate_all_rules;
COMMENT ON TRIGGER invalidate_all_rules ON nudge.rules IS 'Has every session compile the rules anew';

CREATE TRIGGER invalidate_rules AFTER INSERT OR UPDATE OR DELETE ON nudge.conditions
    FOR EACH ROW EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.conditions ENABLE ALWAYS TRIGGER invalidate_rules;
COMMENT ON TRIGGER invalidate_rules ON nudge.conditions IS 'Has every session compile the rules anew';

CREATE TRIGGER invalidate_all_rules AFTER TRUNCATE ON nudge.conditions
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.conditions ENABLE ALWAYS TRIGGER invalidate_all_rules;
COMMENT ON TRIGGER invalidate_all_rules ON nudge.conditions IS 'Has every session compile the rules anew';

CREATE TRIGGER invalidate_rules AFTER INSERT OR UPDATE OR DELETE ON nudge.frequency_caps
    FOR EACH ROW EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.frequency_caps ENABLE ALWAYS TRIGGER invalidate_rules;
COMMENT ON TRIGGER invalidate_rules ON nudge.frequency_caps IS 'Has every session compile the rules anew';

CREATE TRIGGER invalidate_all_rules AFTER TRUNCATE ON nudge.frequency_caps
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.frequency_caps ENABLE ALWAYS TRIGGER invalidate_all_rules;
COMMENT ON TRIGGER invalidate_all_rules ON nudge.frequency_caps IS 'Has every session compile the rules anew';

CREATE TRIGGER invalidate_rules AFTER INSERT OR UPDATE OR DELETE ON nudge.segments
    FOR EACH ROW EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.segments ENABLE ALWAYS TRIGGER invalidate_rules;
COMMENT ON TRIGGER invalidate_rules ON nudge.segments IS 'Has every session compile the rules anew';

CREATE TRIGGER invalidate_all_rules AFTER TRUNCATE ON nudge.segments
    FOR EACH STATEMENT EXECUTE FUNCTION nudge.invalidate_rules();
ALTER TABLE nudge.segments ENABLE ALWAYS TRIGGER invalidate_all_rules;
COMMENT ON TRIGGER invalidate_all_rules ON nudge.segments IS 'Has every session compile the rules anew';
