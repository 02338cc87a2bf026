-- Forgets what other tests have sent and counted: what is recorded as of a time up to
-- which figures have been counted would come too late
DO $$
BEGIN
    TRUNCATE nudge.events, nudge.messages, nudge.message_results, nudge.conversions, nudge.rescored_messages, nudge.rollup_progress,
        nudge.message_rollups, nudge.rule_rollups, nudge.hour_rollups, nudge.segment_rollups, nudge.fatigue_rollups, nudge.latency_rollups,
        nudge.attribution_totals, nudge.attribution_progress, nudge.attribution_effects, nudge.cap_usage;
END
$$;
