/*-------------------------------------------------------------------------
 *
 * schedule.h
 *	  Appends what fired to nudge.pending, and what happened to nudge.events.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_SCHEDULE_H
#define NUDGE_SCHEDULE_H

#include "postgres.h"

#include "evaluate.h"

/* Columns of nudge.pending, as 03_runtime_tables.sql creates them */
enum
{
	Anum_pending_user_id = 1,
	Anum_pending_pending_id,
	Anum_pending_rule_id,
	Anum_pending_priority,
	Anum_pending_status,
	Anum_pending_attempts,
	Anum_pending_fired_at,
	Anum_pending_due_at,
	Anum_pending_expires_at,
	Anum_pending_score,
	Anum_pending_action_id,
	Anum_pending_occurred_at,
	Anum_pending_action_type,
	Anum_pending_action_data,
	Anum_pending_context,
	Anum_pending_last_error,

	/* Since 0.3.0: found by name (PENDING_LATER_COLUMNS), then in this order */
	Anum_pending_reentry_key,
	Anum_pending_occurrence,
	Anum_pending_channels,
	Anum_pending_fallback_of,
	Natts_pending = Anum_pending_fallback_of
};

#define NFIRST_PENDING Anum_pending_last_error
#define NLATER_PENDING (Natts_pending - NFIRST_PENDING)
#define PENDING_LATER_COLUMNS {"reentry_key", "occurrence", "channels", "fallback_of"}
extern const char *const pending_later_columns[NLATER_PENDING];

/* Columns of nudge.events */
enum
{
	Anum_events_event_id = 1,
	Anum_events_user_id,
	Anum_events_event_type,
	Anum_events_rule_id,
	Anum_events_pending_id,
	Anum_events_message_id,
	Anum_events_reason,
	Anum_events_flag,
	Anum_events_occurred_at,
	Anum_events_recorded_at,
	Anum_events_event_key,
	Anum_events_metadata,
	Anum_events_action_id,
	Natts_events = Anum_events_action_id
};

/* What one statement appends */
typedef struct Scheduler Scheduler;

extern Scheduler *scheduler_open(void);
extern void scheduler_close(Scheduler *scheduler, Evaluator *evaluator);

/* Adds a delay, an expiry or the like, in UTC */
extern TimestampTz schedule_add_interval(TimestampTz time, const Interval *span);

/* A rule's conditions hold for the action in hand. */
extern void schedule_rule(Scheduler *scheduler, Evaluator *evaluator,
						  const Rule *rule, double score);

/* An occurrence of a rule's schedule came due too long ago to fire now. */
extern void schedule_late(Scheduler *scheduler, Evaluator *evaluator,
						  const Rule *rule);

/* A condition of a rule could not be computed; an EvaluationError. */
extern void schedule_error(Evaluator *evaluator, const Rule *rule,
						   int condition, void *arg);
extern void schedule_segment_error(Evaluator *evaluator, const Segment *segment,
								   int condition, void *arg);

/* When a trigger that fires now is due as the rule is, without a look at variants */
extern TimestampTz schedule_own_due_time(const Rule *rule, TimestampTz now);

/* The same with the variant that is due first */
extern TimestampTz schedule_due_time(const Rule *rule, TimestampTz now);

/* Rules that schedule_rule scheduled are also put into this list, if it is set. */
typedef struct FiredRules
{
	int			n;
	int			max;
	int64	   *rule_ids;		/* in the memory context below */
	MemoryContext context;
} FiredRules;
extern FiredRules *fired_rules;

#endif							/* NUDGE_SCHEDULE_H */
