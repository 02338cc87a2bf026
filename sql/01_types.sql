\echo Use "CREATE EXTENSION pg_nudge" to load this file. \quit

--
-- Types
--

CREATE TYPE nudge.trigger_type AS ENUM
    ('behavioral', 'time_based', 'data_change', 'lifecycle', 'engagement', 'transactional');
COMMENT ON TYPE nudge.trigger_type IS
    'Kind of a rule; decides how its conditions'' scores add up to a match';

CREATE TYPE nudge.priority AS ENUM ('immediate', 'high', 'normal', 'low', 'batch');
COMMENT ON TYPE nudge.priority IS
    'Promise of latency after the due time: immediate within seconds, high 5 min, normal 30 min, low 2 h; batch at the next multiple of nudge.batch_interval';

CREATE TYPE nudge.rule_status AS ENUM ('active', 'paused', 'disabled', 'testing');
COMMENT ON TYPE nudge.rule_status IS
    'active schedules, testing records would_trigger events only, paused and disabled are not evaluated as actions come in';

CREATE TYPE nudge.cap_period AS ENUM ('daily', 'weekly', 'monthly');
COMMENT ON TYPE nudge.cap_period IS
    'Window of a frequency cap in the user''s calendar: day, ISO week from Monday, month';

CREATE TYPE nudge.pending_status AS ENUM ('waiting', 'failed', 'dead');
COMMENT ON TYPE nudge.pending_status IS
    'waiting for its due time, failed and to be retried, or dead until a person requeues it';

CREATE TYPE nudge.message_status AS ENUM ('ready', 'claimed', 'sent', 'failed', 'dead');
COMMENT ON TYPE nudge.message_status IS
    'ready to be claimed, claimed under a lease, sent, failed for good, or dead after too many tries';
