/*-------------------------------------------------------------------------
 *
 * timer_signal.c
 *	  Tells nudge.run_timers of actions and of changes of users.
 *
 * The application's transaction appends a row to nudge.timer_signals and no more;
 * what comes of it is found out by nudge.run_timers.  Actions of a type that no
 * schedule names cost a look-up in a hash table.  Those that keep a user from being
 * in decline are not worth a row each: where the user is watched already, what the
 * user did last is looked up when the time is over.
 *
 * Locking: none but the table locks of reading and appending.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "timer_signal.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "append.h"
#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "relations.h"
#include "row_trigger.h"
#include "timer_index.h"
#include "timer_occurrence.h"
#include "user.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(nudge_note_user);

/* Columns of nudge.timer_signals */
enum
{
	Anum_signals_at = 1,
	Anum_signals_action_id,
	Anum_signals_user_id,
	Anum_signals_signal,
	Anum_signals_action_type,
	Natts_signals = Anum_signals_action_type
};

/* Columns of nudge.timers that are read here */
#define Anum_timers_due_at 4
#define NUM_TIMER_KEYS 2

/*
 * A user who is watched for longer than this is taken to be watched still when the
 * action's transaction commits.
 */
#define WATCHED_MARGIN USECS_PER_HOUR

struct TimerSignals
{
	MemoryContext context;
	const TimerIndex *index;
	Appender   *appender;		/* NULL: nothing appended yet */

	/* Look-ups in nudge.timers */
	Relation	timers;			/* NULL: not open */
	Relation	timers_index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
};

TimerSignals *
timer_signals_open(const Rules *rules)
{
	TimerSignals *signals = palloc0(sizeof(TimerSignals));

	signals->context = CurrentMemoryContext;
	signals->index = rules->timers;
	return signals;
}

static void
append_signal(TimerSignals *signals, const char *signal, TimestampTz at,
			  Datum user_id, const Action *action)
{
	Datum		values[Natts_signals] = {0};
	bool		nulls[Natts_signals] = {0};

	if (signals->appender == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(signals->context);

		signals->appender = appender_open(nudge_relation(NUDGE_TIMER_SIGNALS),
										  Natts_signals);
		MemoryContextSwitchTo(old);
	}
	values[Anum_signals_at - 1] = TimestampTzGetDatum(at);
	values[Anum_signals_action_id - 1] = Int64GetDatum(action != NULL ? action->action_id : 0);
	values[Anum_signals_user_id - 1] = user_id;
	values[Anum_signals_signal - 1] = CStringGetTextDatum(signal);
	nulls[Anum_signals_action_type - 1] = action == NULL;
	if (action != NULL)
		values[Anum_signals_action_type - 1] =
			PointerGetDatum(cstring_to_text_with_len(action->action_type.data,
													 action->action_type.length));
	appender_insert(signals->appender, values, nulls);
}

static void
open_timers(TimerSignals *signals)
{
	MemoryContext old = MemoryContextSwitchTo(signals->context);

	signals->timers = table_open(nudge_relation(NUDGE_TIMERS), AccessShareLock);
	signals->timers_index = index_open(RelationGetPrimaryKeyIndex(signals->timers),
									   AccessShareLock);
	signals->scan = index_beginscan(signals->timers, signals->timers_index,
									SnapshotSelf, NUM_TIMER_KEYS, 0);
	signals->slot = table_slot_create(signals->timers, NULL);
	MemoryContextSwitchTo(old);
}

/*
 * When the first timer of a user and a rule is due; false where there is none
 */
static bool
find_timer(TimerSignals *signals, Datum user_id, int64 rule_id, TimestampTz *due)
{
	ScanKeyData keys[NUM_TIMER_KEYS];
	MemoryContext old;
	bool		found = false;

	if (signals->timers == NULL)
		open_timers(signals);
	old = MemoryContextSwitchTo(signals->context);
	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   C_COLLATION_OID, F_TEXTEQ, user_id);
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(rule_id));
	index_rescan(signals->scan, keys, NUM_TIMER_KEYS, NULL, 0);
	while (index_getnext_slot(signals->scan, ForwardScanDirection, signals->slot))
	{
		bool		isnull;
		Datum		due_at = slot_getattr(signals->slot, Anum_timers_due_at, &isnull);

		if (isnull || (found && *due <= DatumGetTimestampTz(due_at)))
			continue;
		*due = DatumGetTimestampTz(due_at);
		found = true;
	}
	ExecClearTuple(signals->slot);
	MemoryContextSwitchTo(old);
	return found;
}

/*
 * Whether a user will be looked at for a rule, not before some time has passed
 */
static bool
is_watched(TimerSignals *signals, Datum user_id, int64 rule_id, TimestampTz from)
{
	TimestampTz due;

	return find_timer(signals, user_id, rule_id, &due) && due > from;
}

static bool
earliest_timer(Evaluator *evaluator, int64 rule_id, TimestampTz *due)
{
	TimerSignals *signals = timer_signals_open(evaluator->rules);
	bool		found = find_timer(signals, evaluator->action.user_id_datum, rule_id, due);

	timer_signals_close(signals);
	return found;
}

bool
timer_next_due(Evaluator *evaluator, const Rule *rule, TimestampTz *due)
{
	const TimerSchedule *schedule = rule->schedule;
	pg_tz	   *tz = evaluator_timezone(evaluator);
	TimerOccurrence next;
	JsonbValue	value;

	if (schedule->kind == TIMER_BROKEN)
		return false;
	if (schedule->kind == TIMER_RECURRING)
	{
		/* Without starting, days count from when the rule was made. */
		if (schedule->days == 0 && !schedule->has_starting)
			return false;
		if (!timer_clock_next(schedule, tz, evaluator->now, evaluator->now, &next))
			return false;
		*due = next.at;
		return true;
	}
	if (timer_is_of_attribute(schedule))
	{
		if (!user_attribute(evaluator_user(evaluator), &schedule->attribute, &value) ||
			!timer_date_next(schedule, &value, tz, evaluator->now, &next))
			return false;
		*due = next.at;
		return true;
	}
	return earliest_timer(evaluator, rule->rule_id, due);
}

static bool
is_wanted(TimerSignals *signals, const TimerListeners *listeners, const Action *action)
{
	TimestampTz from = GetCurrentTimestamp() + WATCHED_MARGIN;

	if (listeners == NULL)
		return false;
	if (listeners->always)
		return true;
	for (int i = 0; i < listeners->ndeclines; i++)
	{
		if (!is_watched(signals, action->user_id_datum, listeners->declines[i], from))
			return true;
	}
	return false;
}

void
timer_signals_action(TimerSignals *signals, const Action *action)
{
	const TimerIndex *index = signals->index;

	if (!index->listening)
		return;
	if (is_wanted(signals, timer_index_find(index, action->action_type), action) ||
		(index->any.ndeclines > 0 && !source_is_engine(action->source_datum) &&
		 is_wanted(signals, &index->any, action)))
		append_signal(signals, "action", action->recorded_at, action->user_id_datum,
					  action);
}

void
timer_signals_close(TimerSignals *signals)
{
	if (signals->appender != NULL)
		appender_close(signals->appender);
	if (signals->timers != NULL)
	{
		ExecDropSingleTupleTableSlot(signals->slot);
		index_endscan(signals->scan);
		index_close(signals->timers_index, NoLock);
		table_close(signals->timers, NoLock);
	}
	pfree(signals);
}

/*
 * A row of nudge.users out of the trigger's tuple
 */
static void
user_of_tuple(UserRow *user, const TriggerData *trigger, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	memset(user, 0, sizeof(UserRow));
	user->found = true;
	for (int i = 0; i < NFIRST_USERS; i++)
		user->values[i] = heap_getattr(tuple, i + 1, desc, &user->nulls[i]);
	user->nulls[Anum_users_lifecycle_stage - 1] = true;
}

static bool
same_value(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case jbvString:
			return a->val.string.len == b->val.string.len &&
				memcmp(a->val.string.val, b->val.string.val, a->val.string.len) == 0;
		case jbvNumeric:
			return DatumGetBool(DirectFunctionCall2(numeric_eq,
													NumericGetDatum(a->val.numeric),
													NumericGetDatum(b->val.numeric)));
		default:
			return true;		/* no date, either of them */
	}
}

/*
 * Whether an attribute that holds a date of some schedule is another than before;
 * was is NULL for a new user.
 */
static bool
dates_change(const TimerIndex *index, const UserRow *was, const UserRow *is)
{
	for (int i = 0; i < index->nattributes; i++)
	{
		JsonbValue	before;
		JsonbValue	after;
		bool		had = was != NULL &&
			user_attribute(was, index->attributes[i], &before);
		bool		has = user_attribute(is, index->attributes[i], &after);

		if (had != has || (had && !same_value(&before, &after)))
			return true;
	}
	return false;
}

static bool
any_column_changes(const TriggerData *trigger)
{
	static const char *const columns[] = {
		"user_id", "timezone", "profile", "behavior", "preferences", "created_at"
	};

	for (int i = 0; i < lengthof(columns); i++)
	{
		if (row_column_changes(trigger, columns[i]))
			return true;
	}
	return false;
}

/*
 * A user of another id is a new one: timers are kept by id.
 */
static void
note_change(const TriggerData *trigger, TimerSignals *signals)
{
	const TimerIndex *index = signals->index;
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) &&
		!row_column_changes(trigger, "user_id");
	bool		moved = update && row_column_changes(trigger, "timezone");
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	UserRow		was;
	UserRow		is;
	Datum		user_id;

	user_of_tuple(&is, trigger, trigger_row(trigger));
	if (update)
		user_of_tuple(&was, trigger, trigger->tg_trigtuple);
	user_id = is.values[Anum_users_user_id - 1];
	if ((moved && index->has_zones) || dates_change(index, update ? &was : NULL, &is))
		append_signal(signals, "user", now, user_id, NULL);
	else if (index->has_clocks && !update && !is.nulls[Anum_users_timezone - 1])
		append_signal(signals, "zone", now, user_id, NULL);
	if (index->has_clocks && moved)
		append_signal(signals, "moved", now, user_id, NULL);
}

/*
 * Trigger on users, after INSERT and UPDATE of a row.
 */
Datum
nudge_note_user(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = after_row_trigger(fcinfo, "note_user");
	const Rules *rules;

	if (IsBinaryUpgrade || TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		!any_column_changes(trigger))
		return PointerGetDatum(NULL);
	rules = rules_acquire();
	if (rules->timers->nattributes > 0 || rules->timers->has_zones)
	{
		TimerSignals *signals = timer_signals_open(rules);

		note_change(trigger, signals);
		timer_signals_close(signals);
	}
	rules_release(rules);
	return PointerGetDatum(NULL);
}
