--
-- Version 0.3.0: what rules, segments, users, triggers and messages gained
--

CREATE TYPE nudge.urgency AS ENUM ('low', 'normal', 'high', 'critical');
COMMENT ON TYPE nudge.urgency IS
    'How urgent a message is; with a channel it gives the modifier of the channel''s score';

CREATE TYPE nudge.channel_strategy AS ENUM ('best', 'top2', 'all', 'fallback');
COMMENT ON TYPE nudge.channel_strategy IS
    'Which of a rule''s eligible channels get the message: the best, the two best, all, or the best first and the next where it was not engaged with';

ALTER TABLE nudge.rules
    ADD COLUMN reentry jsonb NOT NULL DEFAULT '"always"',
    ADD COLUMN schedule jsonb,
    ADD COLUMN topic text,
    ADD COLUMN send_between time[],
    ADD COLUMN send_on text[],
    ADD COLUMN holdout_percent float8 NOT NULL DEFAULT 0,
    ADD COLUMN urgency nudge.urgency,
    ADD COLUMN channel_strategy nudge.channel_strategy NOT NULL DEFAULT 'best',
    ADD COLUMN fallback_after interval NOT NULL DEFAULT '1 day';
COMMENT ON COLUMN nudge.rules.reentry IS
    'Whether a user may enter the rule again: "always", "once", {"after": "7 days"}, or {"key": "$.order_id"}, a jsonpath into action_data: once for each key';
COMMENT ON COLUMN nudge.rules.schedule IS
    'What time, instead of an action, makes the rule fire: an object with kind anniversary, abandonment, decline, reminder or recurring';
COMMENT ON COLUMN nudge.rules.topic IS 'What the messages are about; users subscribe and unsubscribe by topic in nudge.subscriptions';
COMMENT ON COLUMN nudge.rules.send_between IS 'From when to when, in the user''s time zone, messages may go out; may pass midnight';
COMMENT ON COLUMN nudge.rules.send_on IS 'Weekdays, in the user''s time zone, on which messages may go out: mon to sun';
COMMENT ON COLUMN nudge.rules.holdout_percent IS 'Share of users, 0 to 100, who get nothing of this rule, so that its lift can be measured';
COMMENT ON COLUMN nudge.rules.urgency IS 'NULL: from the priority (immediate critical, high high, normal normal, low and batch low)';
COMMENT ON COLUMN nudge.rules.channel_strategy IS 'Which of the eligible channels get the message';
COMMENT ON COLUMN nudge.rules.fallback_after IS 'Strategy fallback: how long to wait for engagement before the next channel is tried';

ALTER TABLE nudge.segments
    ADD COLUMN conditions jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN match text NOT NULL DEFAULT 'all' CHECK (match IN ('all', 'any'));
COMMENT ON COLUMN nudge.segments.conditions IS
    'Conditions as in rules, [{"type", "operator", "parameters"}]; with none the segment is but the list in nudge.segment_members';
COMMENT ON COLUMN nudge.segments.match IS 'Whether all conditions must hold, or any';

ALTER TABLE nudge.users ADD COLUMN lifecycle_stage text;
COMMENT ON COLUMN nudge.users.lifecycle_stage IS 'Stage of nudge.lifecycle_stages; the engine keeps it';

ALTER TABLE nudge.pending
    ADD COLUMN reentry_key text,
    ADD COLUMN occurrence text,
    ADD COLUMN channels text[],
    ADD COLUMN fallback_of bigint;
COMMENT ON COLUMN nudge.pending.reentry_key IS 'What rules.reentry says must not have been before: the key, or empty for once';
COMMENT ON COLUMN nudge.pending.occurrence IS 'Of rules with a schedule: which occurrence of it fired';
COMMENT ON COLUMN nudge.pending.channels IS 'Channels that are left to try; NULL: all of the rule''s';
COMMENT ON COLUMN nudge.pending.fallback_of IS 'The message which this one follows up unless that was engaged with';

ALTER TABLE nudge.messages ADD COLUMN segments text[];
COMMENT ON COLUMN nudge.messages.segments IS 'Segments the user was in when the message was made';

CREATE OR REPLACE FUNCTION nudge.rule_document(rule_id bigint) RETURNS jsonb
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
AS $$
    SELECT (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(d.document) e WHERE e.value <> 'null')
    FROM nudge.rules r
    CROSS JOIN LATERAL (SELECT jsonb_build_object(
        'name', r.name,
        'description', r.description,
        'type', r.trigger_type,
        'template_id', r.template_id,
        'priority', r.priority,
        'status', r.status,
        'delay_seconds', trim_scale(extract(epoch FROM r.delay)),
        'expiry_hours', trim_scale(extract(epoch FROM r.expiry) / 3600),
        'max_frequency', (
            SELECT jsonb_object_agg(f.period, f.max_messages)
            FROM nudge.frequency_caps f
            WHERE f.rule_id = r.rule_id AND f.channel IS NULL),
        'conditions', coalesce((
            SELECT jsonb_agg(CASE WHEN c.condition_type IN ('all', 'any', 'not')
                                  THEN jsonb_build_object(c.condition_type, c.parameters -> 'conditions',
                                                          'weight', c.weight)
                                  ELSE jsonb_build_object('type', c.condition_type, 'operator', c.operator,
                                                          'parameters', c.parameters, 'weight', c.weight) END
                             ORDER BY c.position)
            FROM nudge.conditions c
            WHERE c.rule_id = r.rule_id), '[]'),
        'segmentation_rules', r.segments,
        'personalization_config', r.personalization,
        'channels', r.channels,
        'cancel_on', r.cancel_on,
        'reentry', r.reentry,
        'schedule', r.schedule,
        'topic', r.topic,
        'send_between', to_jsonb(r.send_between),
        'send_on', to_jsonb(r.send_on),
        'holdout_percent', r.holdout_percent,
        'urgency', r.urgency,
        'channel_strategy', r.channel_strategy,
        'fallback_after', r.fallback_after)) AS d (document)
    WHERE r.rule_id = rule_document.rule_id
$$;
COMMENT ON FUNCTION nudge.create_rule(jsonb) IS
    'Creates a rule with its conditions and caps out of one document and returns its id; keys: name, type (both needed), description, template_id, priority (1 to 5, or the name), status, delay_seconds, expiry_hours, max_frequency, conditions, segmentation_rules, personalization_config, channels, cancel_on, reentry, schedule, topic, send_between, send_on, holdout_percent, urgency, channel_strategy, fallback_after';
