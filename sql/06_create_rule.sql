--
-- Whole rules as JSON documents
--

CREATE FUNCTION nudge.create_rule(config jsonb) RETURNS bigint
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'nudge_create_rule';
COMMENT ON FUNCTION nudge.create_rule(jsonb) IS
    'Creates a rule with its conditions and caps out of one document and returns its id; keys: name, type (both needed), description, template_id, priority (1 to 5, or the name), status, delay_seconds, expiry_hours, max_frequency, conditions, segmentation_rules, personalization_config, channels, cancel_on';

CREATE FUNCTION nudge.rule_document(rule_id bigint) RETURNS jsonb
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
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
            SELECT jsonb_agg(jsonb_build_object('type', c.condition_type, 'operator', c.operator,
                                                'parameters', c.parameters, 'weight', c.weight)
                             ORDER BY c.position)
            FROM nudge.conditions c
            WHERE c.rule_id = r.rule_id), '[]'),
        'segmentation_rules', r.segments,
        'personalization_config', r.personalization,
        'channels', r.channels,
        'cancel_on', r.cancel_on)) AS d (document)
    WHERE r.rule_id = rule_document.rule_id
$$;
COMMENT ON FUNCTION nudge.rule_document(bigint) IS
    'A rule as the document that nudge.create_rule takes; NULL if there is no such rule. Caps of a single channel have no place in it';
