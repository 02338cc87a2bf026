/*-------------------------------------------------------------------------
 *
 * timer_fire.c
 *	  SQL functions of nudge.run_timers that need compiled rules: when a
 *	  schedule is due next for a user, and firing a rule for an occurrence.
 *
 * A rule with a schedule fires in the same way as one that an action fires:
 * conditions, segments, caps and the rest are asked of the same code.  Where no
 * action makes it fire, the action in hand is one of type "timer" that says what
 * came due; a rule that follows a user's action up is evaluated with that action.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "evaluate.h"
#include "fmgr.h"
#include "funcapi.h"
#include "relations.h"
#include "schedule.h"
#include "timer_occurrence.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(nudge_local_instant);
PG_FUNCTION_INFO_V1(nudge_timer_next);
PG_FUNCTION_INFO_V1(nudge_clock_next);
PG_FUNCTION_INFO_V1(nudge_timer_wants);
PG_FUNCTION_INFO_V1(nudge_fire_timer);

/*
 * These functions are internal, and called by SQL of ours; somebody who may call
 * them by hand should get an error for nulls, not a crash.
 */
static void
refuse_null(FunctionCallInfo fcinfo, int arg)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument %d of nudge.%s() must not be null", arg + 1,
						get_func_name(fcinfo->flinfo->fn_oid)),
				 errhint("Call nudge.run_timers() instead.")));
}

static Datum
occurrence_row(FunctionCallInfo fcinfo, bool found, const TimerOccurrence *next)
{
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {!found, !found, !found};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (found)
	{
		values[0] = CStringGetTextDatum(next->name);
		values[1] = TimestampTzGetDatum(next->at);
		values[2] = CStringGetTextDatum(next->date);
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * nudge.local_instant(wall timestamp, timezone text)
 */
Datum
nudge_local_instant(PG_FUNCTION_ARGS)
{
	Timestamp	wall = PG_GETARG_TIMESTAMP(0);
	pg_tz	   *tz = caps_timezone(text_to_cstring(PG_GETARG_TEXT_PP(1)));

	if (TIMESTAMP_NOT_FINITE(wall))
		PG_RETURN_TIMESTAMPTZ(wall);
	PG_RETURN_TIMESTAMPTZ(local_instant(wall, tz));
}

/*
 * nudge.timer_next(rule_id, user_id, floor, date jsonb): the first occurrence at or
 * after floor; date instead of the user's attribute where it is given.  Nulls where
 * there is none.
 */
Datum
nudge_timer_next(PG_FUNCTION_ARGS)
{
	const Rules *rules;
	const Rule *rule;
	TimestampTz floor = PG_GETARG_TIMESTAMPTZ(2);
	History    *history;
	UserRow		user;
	TimerOccurrence next;
	JsonbValue	value;
	bool		found = false;

	for (int i = 0; i < 3; i++)
		refuse_null(fcinfo, i);
	rules = rules_acquire();
	rule = rules_find(rules, PG_GETARG_INT64(0));
	history = history_open();
	history_user(history, PG_GETARG_DATUM(1), &user);
	if (rule != NULL && rule->schedule != NULL)
	{
		if (!PG_ARGISNULL(3))
			found = JsonbExtractScalar(&PG_GETARG_JSONB_P(3)->root, &value);
		else
			found = timer_is_of_attribute(rule->schedule) &&
				user_attribute(&user, &rule->schedule->attribute, &value);
		found = found && timer_date_next(rule->schedule, &value,
										 caps_timezone(user_timezone(&user)), floor, &next);
	}
	history_close(history);
	rules_release(rules);
	return occurrence_row(fcinfo, found, &next);
}

/*
 * nudge.clock_next(rule_id, timezone, since, floor): the same of a recurring rule
 */
Datum
nudge_clock_next(PG_FUNCTION_ARGS)
{
	const Rules *rules = rules_acquire();
	const Rule *rule = rules_find(rules, PG_GETARG_INT64(0));
	char	   *timezone = text_to_cstring(PG_GETARG_TEXT_PP(1));
	TimerOccurrence next;
	bool		found = false;

	if (rule != NULL && rule->schedule != NULL &&
		rule->schedule->kind == TIMER_RECURRING)
		found = timer_clock_next(rule->schedule,
								 caps_timezone(timezone[0] == '\0' ? NULL : timezone),
								 PG_GETARG_TIMESTAMPTZ(2), PG_GETARG_TIMESTAMPTZ(3),
								 &next);
	rules_release(rules);
	return occurrence_row(fcinfo, found, &next);
}

static bool
is_running(const Rule *rule)
{
	return rule != NULL && rule->schedule != NULL && !rule->broken &&
		(rule->status == RULE_ACTIVE || rule->status == RULE_TESTING);
}

/*
 * nudge.timer_wants(rule_id, user_id): whether the user is in the rule's segments
 */
Datum
nudge_timer_wants(PG_FUNCTION_ARGS)
{
	Evaluator	evaluator = {rules_acquire()};
	const Rule *rule = rules_find(evaluator.rules, PG_GETARG_INT64(0));
	const char *missing;
	bool		wants = is_running(rule);

	evaluator.history = history_open();
	evaluator.now = GetCurrentTimestamp();
	evaluator.action.user_id_datum = PG_GETARG_DATUM(1);
	evaluator.action.user_id = bytes_of_text(evaluator.action.user_id_datum);
	evaluator_reset(&evaluator);
	wants = wants && evaluate_segments(&evaluator, rule, &missing);
	history_close(evaluator.history);
	rules_release(evaluator.rules);
	PG_RETURN_BOOL(wants);
}

/*
 * The action in hand: taken as recorded just now, after all of the user's history,
 * which it is not to be counted with once more.
 */
static void
action_in_hand(Action *action, FunctionCallInfo fcinfo)
{
	memset(action, 0, sizeof(Action));
	action->recorded = true;
	action->recorded_at = Max(GetCurrentTimestamp(), PG_GETARG_TIMESTAMPTZ(2)) + 1;
	action->user_id_datum = PointerGetDatum(PG_GETARG_TEXT_PP(1));
	action->user_id = bytes_of_text(action->user_id_datum);
	action->occurred_at = PG_GETARG_TIMESTAMPTZ(6);
	action->action_id = PG_ARGISNULL(7) ? 0 : PG_GETARG_INT64(7);
	action->action_type = bytes_of_text(PointerGetDatum(PG_GETARG_TEXT_PP(8)));
	action->data_datum = PG_ARGISNULL(9) ? (Datum) 0 : PG_GETARG_DATUM(9);
	action->context_datum = PG_ARGISNULL(10) ? (Datum) 0 : PG_GETARG_DATUM(10);
}

/*
 * Evaluates and schedules the rule; late: records only that it should have fired.
 */
static void
fire(Evaluator *evaluator, const Rule *rule, bool late)
{
	Scheduler  *scheduler = scheduler_open();
	double		score = 1.0;

	if (late)
		schedule_late(scheduler, evaluator, rule);
	else if (rule->nconditions == 0 ||
			 evaluate_rule(evaluator, rule, NULL, &score, schedule_error, scheduler))
		schedule_rule(scheduler, evaluator, rule, score);
	scheduler_close(scheduler, evaluator);
}

/*
 * nudge.fire_timer(rule_id, user_id, as_of, occurrence, occurs_at, late,
 * occurred_at, action_id, action_type, action_data, context): whether a trigger
 * came of it
 */
Datum
nudge_fire_timer(PG_FUNCTION_ARGS)
{
	Evaluator	evaluator = {0};
	const Rule *rule;
	FiredRules	fired = {0};
	FiredRules *outer = fired_rules;

	for (int i = 0; i < 7; i++)
		refuse_null(fcinfo, i);
	refuse_null(fcinfo, 8);
	evaluator.rules = rules_acquire();
	rule = rules_find(evaluator.rules, PG_GETARG_INT64(0));
	fired.context = CurrentMemoryContext;
	if (is_running(rule))
	{
		evaluator.history = history_open();
		evaluator.now = PG_GETARG_TIMESTAMPTZ(2);
		evaluator_reset(&evaluator);
		action_in_hand(&evaluator.action, fcinfo);
		evaluator.occurrence = PG_GETARG_DATUM(3);
		evaluator.occurs_at = PG_GETARG_TIMESTAMPTZ(4);
		PG_TRY();
		{
			fired_rules = &fired;
			fire(&evaluator, rule, PG_GETARG_BOOL(5));
		}
		PG_FINALLY();
		{
			fired_rules = outer;
		}
		PG_END_TRY();
		history_close(evaluator.history);
	}
	rules_release(evaluator.rules);
	PG_RETURN_BOOL(fired.n > 0);
}
