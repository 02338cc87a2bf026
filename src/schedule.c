/*-------------------------------------------------------------------------
 *
 * schedule.c
 *	  Appends what fired to nudge.pending, and what happened to nudge.events.
 *
 * Only appends, so that two sessions never wait for each other here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "schedule.h"

#include "append.h"
#include "cap_check.h"
#include "document.h"
#include "due.h"
#include "entry_check.h"
#include "holdout.h"
#include "pg_nudge.h"
#include "relations.h"
#include "variants.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Twice what the checks of rules allow for each part of a delay or an expiry */
#define MAX_SPAN_DAYS (200 * 360)

/* Of errors of one statement, so many different conditions are told of. */
#define MAX_ERRORS 1000

/*
 * A condition of a rule or of a segment that could not be computed, at least once
 * in the statement
 */
typedef struct ErrorSeen
{
	const Rule *rule;			/* NULL: of a segment */
	const Segment *segment;
	int			condition;
	char	   *reason;
	Datum		user_id;		/* of the first action */
	int64		action_id;
	int64		actions;
} ErrorSeen;

struct Scheduler
{
	MemoryContext context;		/* lives as long as the statement */
	Appender   *pending;		/* opened at first use */
	Appender   *events;
	List	   *errors;
};

FiredRules *fired_rules = NULL;

const char *const pending_later_columns[NLATER_PENDING] = PENDING_LATER_COLUMNS;

Scheduler *
scheduler_open(void)
{
	Scheduler  *scheduler = palloc0(sizeof(Scheduler));

	scheduler->context = CurrentMemoryContext;
	return scheduler;
}

static Appender *
open_once(Scheduler *scheduler, Appender **appender, NudgeRelation table,
		  int natts)
{
	if (*appender == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(scheduler->context);

		*appender = appender_open(nudge_relation(table), natts);
		MemoryContextSwitchTo(old);
	}
	return *appender;
}

static Appender *
open_pending(Scheduler *scheduler)
{
	bool		is_open = scheduler->pending != NULL;
	Appender   *appender = open_once(scheduler, &scheduler->pending,
									 NUDGE_PENDING, NFIRST_PENDING);

	if (!is_open)
		appender_later_columns(appender, pending_later_columns, NLATER_PENDING);
	return appender;
}

/*
 * Appends an event about the user of the action in hand.
 */
static void
append_event(Scheduler *scheduler, const char *type, TimestampTz now,
			 Datum user_id, int64 action_id, int64 rule_id, int64 pending_id,
			 const char *reason, Jsonb *metadata)
{
	Datum		values[Natts_events] = {0};
	bool		nulls[Natts_events] = {0};

	values[Anum_events_event_id - 1] =
		Int64GetDatum(nudge_nextval(NUDGE_EVENTS_SEQ));
	values[Anum_events_user_id - 1] = user_id;
	values[Anum_events_event_type - 1] = CStringGetTextDatum(type);
	values[Anum_events_rule_id - 1] = Int64GetDatum(rule_id);
	nulls[Anum_events_rule_id - 1] = rule_id == 0;
	values[Anum_events_pending_id - 1] = Int64GetDatum(pending_id);
	nulls[Anum_events_pending_id - 1] = pending_id == 0;
	nulls[Anum_events_message_id - 1] = true;
	if (reason != NULL)
		values[Anum_events_reason - 1] = CStringGetTextDatum(reason);
	nulls[Anum_events_reason - 1] = reason == NULL;
	nulls[Anum_events_flag - 1] = true;
	values[Anum_events_occurred_at - 1] = TimestampTzGetDatum(now);
	values[Anum_events_recorded_at - 1] = TimestampTzGetDatum(now);
	nulls[Anum_events_event_key - 1] = true;
	values[Anum_events_metadata - 1] =
		JsonbPGetDatum(metadata != NULL ? metadata : jsonb_empty_object());
	values[Anum_events_action_id - 1] = Int64GetDatum(action_id);
	nulls[Anum_events_action_id - 1] = action_id == 0;

	appender_insert(open_once(scheduler, &scheduler->events, NUDGE_EVENTS,
							  Natts_events),
					values, nulls);
}

/*
 * Adds an interval as PostgreSQL does for UTC: a session's time zone must not
 * decide when a message is due.
 */
TimestampTz
schedule_add_interval(TimestampTz time, const Interval *span)
{
	/* Rows that came past the checks must not make the INSERT fail. */
	if (abs(span->month) > MAX_SPAN_DAYS / DAYS_PER_MONTH ||
		abs(span->day) > MAX_SPAN_DAYS ||
		span->time > MAX_SPAN_DAYS * USECS_PER_DAY ||
		span->time < -MAX_SPAN_DAYS * USECS_PER_DAY)
		return time;
	return DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval,
												 TimestampGetDatum(time),
												 IntervalPGetDatum(span)));
}

/*
 * Batch ones at the next multiple of the interval since 1970
 */
TimestampTz
schedule_own_due_time(const Rule *rule, TimestampTz now)
{
	TimestampTz due = schedule_add_interval(now, &rule->delay);

	if (rule->priority == PRIORITY_BATCH)
		due = due_batch_time(due);
	return due;
}

TimestampTz
schedule_due_time(const Rule *rule, TimestampTz now)
{
	TimestampTz due = rule->nvariants == 0 || rule->also_as_is ?
	schedule_own_due_time(rule, now) : DT_NOEND;

	for (int i = 0; i < rule->nvariants; i++)
		due = Min(due, schedule_own_due_time(rule->variants[i].rule, now));
	return due;
}

/*
 * The last time at which the executor may have the trigger due for its user: the
 * longest of the variants' delays, and a day more, which daylight saving may make
 * longer, where the hour counts.
 */
static TimestampTz
last_due_time(const Rule *rule, TimestampTz now, TimestampTz due)
{
	TimestampTz last = rule->also_as_is ? schedule_own_due_time(rule, now) : due;
	bool		has_hour = rule->best_time;

	for (int i = 0; i < rule->nvariants; i++)
	{
		last = Max(last, schedule_own_due_time(rule->variants[i].rule, now));
		has_hour |= rule->variants[i].hour >= 0;
	}
	return has_hour ? last + 25 * USECS_PER_HOUR : last;
}

static void
append_pending(Scheduler *scheduler, Evaluator *evaluator, const Rule *rule,
			   double score, int64 pending_id, Datum reentry_key)
{
	Action	   *action = &evaluator->action;
	TimestampTz due = schedule_due_time(rule, evaluator->now);
	Datum		values[Natts_pending] = {0};
	bool		nulls[Natts_pending] = {0};

	values[Anum_pending_user_id - 1] = action->user_id_datum;
	values[Anum_pending_pending_id - 1] = Int64GetDatum(pending_id);
	values[Anum_pending_rule_id - 1] = Int64GetDatum(rule->rule_id);
	values[Anum_pending_priority - 1] =
		ObjectIdGetDatum(nudge_enum_value(NUDGE_PRIORITY_TYPE, rule->priority));
	values[Anum_pending_status - 1] =
		ObjectIdGetDatum(nudge_enum_value(NUDGE_PENDING_STATUS_TYPE,
										  PENDING_WAITING));
	values[Anum_pending_attempts - 1] = Int32GetDatum(0);
	values[Anum_pending_fired_at - 1] = TimestampTzGetDatum(evaluator->now);
	values[Anum_pending_due_at - 1] = TimestampTzGetDatum(due);
	if (rule->has_expiry)
		values[Anum_pending_expires_at - 1] =
			TimestampTzGetDatum(schedule_add_interval(last_due_time(rule, evaluator->now,
																	due),
													  &rule->expiry));
	nulls[Anum_pending_expires_at - 1] = !rule->has_expiry;
	values[Anum_pending_score - 1] = Float8GetDatum(score);
	values[Anum_pending_action_id - 1] = Int64GetDatum(action->action_id);
	nulls[Anum_pending_action_id - 1] = action->action_id == 0;	/* a timer's */
	values[Anum_pending_occurred_at - 1] =
		TimestampTzGetDatum(action->occurred_at);
	values[Anum_pending_action_type - 1] =
		PointerGetDatum(cstring_to_text_with_len(action->action_type.data,
												 action->action_type.length));
	values[Anum_pending_action_data - 1] = action->data_datum;
	nulls[Anum_pending_action_data - 1] = action->data_datum == (Datum) 0;
	values[Anum_pending_context - 1] = action->context_datum;
	nulls[Anum_pending_context - 1] = action->context_datum == (Datum) 0;
	nulls[Anum_pending_last_error - 1] = true;
	for (int i = NFIRST_PENDING; i < Natts_pending; i++)
		nulls[i] = true;
	values[Anum_pending_reentry_key - 1] = reentry_key;
	nulls[Anum_pending_reentry_key - 1] = reentry_key == (Datum) 0;
	values[Anum_pending_occurrence - 1] = evaluator->occurrence;
	nulls[Anum_pending_occurrence - 1] = evaluator->occurrence == (Datum) 0;

	appender_insert(open_pending(scheduler), values, nulls);
}

static void
remember_fired(const Rule *rule)
{
	if (fired_rules == NULL)
		return;
	if (fired_rules->n == fired_rules->max)
	{
		fired_rules->max = Max(8, fired_rules->max * 2);
		fired_rules->rule_ids = fired_rules->rule_ids == NULL ?
			MemoryContextAlloc(fired_rules->context,
							   fired_rules->max * sizeof(int64)) :
			repalloc(fired_rules->rule_ids, fired_rules->max * sizeof(int64));
	}
	fired_rules->rule_ids[fired_rules->n++] = rule->rule_id;
}

/*
 * Which cap forbade it: {"period": …, "max_messages": …, …}
 */
static Jsonb *
cap_document(const FrequencyCap *cap)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_int64(&state, "cap_id", cap->cap_id);
	push_int64(&state, "max_messages", cap->max_messages);
	push_text(&state, "period",
			  CStringGetTextDatum(nudge_enum_label(NUDGE_CAP_PERIOD_TYPE,
												   cap->period)), false);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static Jsonb *
entry_metadata(const Rule *rule, const EntryState *entry)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_entry(&state, rule, entry);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * Whether the user may enter the rule and is not held out; an event tells of it
 * if not.  Held out are those who would otherwise have entered, so that they
 * compare with those who did; caps come later, as one group uses up none.
 */
static bool
may_enter(Scheduler *scheduler, Evaluator *evaluator, const Rule *rule,
		  EntryState *entry)
{
	Action	   *action = &evaluator->action;
	const char *reason;
	const char *type = "skipped";

	if (entry_check(evaluator, rule, entry))
	{
		reason = holdout_reason(rule, action->user_id);
		if (reason == NULL)
			return true;
		type = "held_out";
	}
	else
		reason = entry->reason;
	append_event(scheduler, type, evaluator->now, action->user_id_datum,
				 action->action_id, rule->rule_id, 0, reason,
				 entry_metadata(rule, entry));
	return false;
}

void
schedule_rule(Scheduler *scheduler, Evaluator *evaluator, const Rule *rule,
			  double score)
{
	const FrequencyCap *cap;
	const char *missing;
	Action	   *action = &evaluator->action;
	EntryState	entry;
	int64		pending_id;

	if (!evaluate_segments(evaluator, rule, &missing))
		return;

	if (rule->status == RULE_TESTING)
	{
		append_event(scheduler, "would_trigger", evaluator->now,
					 action->user_id_datum, action->action_id, rule->rule_id, 0,
					 NULL, NULL);
		return;
	}

	if (!may_enter(scheduler, evaluator, rule, &entry))
		return;
	cap = cap_forbids(evaluator, rule);
	if (cap != NULL)
	{
		append_event(scheduler, "capped", evaluator->now,
					 action->user_id_datum, action->action_id, rule->rule_id, 0,
					 nudge_enum_label(NUDGE_CAP_PERIOD_TYPE, cap->period),
					 cap_document(cap));
		return;
	}

	pending_id = nudge_nextval(NUDGE_PENDING_SEQ);
	append_pending(scheduler, evaluator, rule, score, pending_id, entry.key);
	append_event(scheduler, "scheduled", evaluator->now, action->user_id_datum,
				 action->action_id, rule->rule_id, pending_id, NULL, NULL);
	remember_fired(rule);
}

void
schedule_late(Scheduler *scheduler, Evaluator *evaluator, const Rule *rule)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_text(&state, "occurrence", evaluator->occurrence, false);
	push_timestamptz(&state, "occurs_at", evaluator->occurs_at);
	append_event(scheduler, "skipped", evaluator->now,
				 evaluator->action.user_id_datum, evaluator->action.action_id,
				 rule->rule_id, 0, "late",
				 JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/*
 * Counts the error; one event a condition and statement tells of it, so that a
 * bulk load does not write an event a row.
 */
static void
remember_error(Scheduler *scheduler, Evaluator *evaluator, const Rule *rule,
			   const Segment *segment, int condition)
{
	ErrorSeen  *seen;
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, scheduler->errors)
	{
		seen = lfirst(lc);
		if (seen->rule == rule && seen->segment == segment &&
			seen->condition == condition)
		{
			seen->actions++;
			return;
		}
	}
	if (list_length(scheduler->errors) >= MAX_ERRORS)
		return;

	old = MemoryContextSwitchTo(scheduler->context);
	seen = palloc(sizeof(ErrorSeen));
	seen->rule = rule;
	seen->segment = segment;
	seen->condition = condition;
	seen->reason = segment == NULL ?
		psprintf("conditions[%d]: %s", condition, evaluator->error) :
		psprintf("segment \"%s\": conditions[%d]: %s", segment->name, condition,
				 evaluator->error);
	seen->user_id = PointerGetDatum(PG_DETOAST_DATUM_COPY(evaluator->action.user_id_datum));
	seen->action_id = evaluator->action.action_id;
	seen->actions = 1;
	scheduler->errors = lappend(scheduler->errors, seen);
	MemoryContextSwitchTo(old);
}

void
schedule_error(Evaluator *evaluator, const Rule *rule, int condition, void *arg)
{
	remember_error(arg, evaluator, rule, NULL, condition);
}

void
schedule_segment_error(Evaluator *evaluator, const Segment *segment,
					   int condition, void *arg)
{
	remember_error(arg, evaluator, NULL, segment, condition);
}

static void
append_errors(Scheduler *scheduler, TimestampTz now)
{
	ListCell   *lc;

	foreach(lc, scheduler->errors)
	{
		ErrorSeen  *seen = lfirst(lc);
		JsonbParseState *state = NULL;
		Jsonb	   *metadata;

		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_int64(&state, "actions", seen->actions);
		push_int64(&state, "condition", seen->condition);
		if (seen->segment != NULL)
			push_text(&state, "segment",
					  CStringGetTextDatum(seen->segment->name), false);
		metadata = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT,
													NULL));
		append_event(scheduler, "evaluation_error", now, seen->user_id,
					 seen->action_id,
					 seen->rule != NULL ? seen->rule->rule_id : 0, 0,
					 seen->reason, metadata);
	}
}

void
scheduler_close(Scheduler *scheduler, Evaluator *evaluator)
{
	append_errors(scheduler, evaluator->now);
	if (scheduler->pending != NULL)
		appender_close(scheduler->pending);
	if (scheduler->events != NULL)
		appender_close(scheduler->events);
	pfree(scheduler);
}
