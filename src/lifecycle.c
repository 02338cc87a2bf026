/*-------------------------------------------------------------------------
 *
 * lifecycle.c
 *	  Which stage of nudge.lifecycle_stages a user is in, and how long that holds.
 *
 * Conditions are scored by the same code as those of segments, as of the time that
 * the caller states.  All the rest, above all which users are looked at and when,
 * is sql/49_lifecycle.sql.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "action.h"
#include "bytesmap.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "condition_scorer.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "row_trigger.h"
#include "rule_checks.h"
#include "schedule.h"
#include "segment.h"
#include "softtime.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(nudge_check_lifecycle_stage);
PG_FUNCTION_INFO_V1(nudge_check_stages_of_stage);
PG_FUNCTION_INFO_V1(nudge_lifecycle_look);

/* Arguments of nudge.lifecycle_look */
enum
{
	ARG_USER_ID,
	ARG_AS_OF,
	ARG_NAMES,
	ARG_CONDITIONS,
	ARG_MATCHES,
	ARG_LASTS,
	ARG_SINCE
};

typedef struct Stage
{
	Datum		name;			/* text */
	bool		match_any;
	bool		broken;			/* came past the checks: holds for nobody */
	bool		has_lasts;
	Interval	lasts;
	int			nconditions;
	Condition  *conditions;
} Stage;

/* In order of position */
typedef struct Stages
{
	int			n;
	Stage	   *stages;
} Stages;

/*
 * Trigger on lifecycle_stages, before a row is written.
 */
Datum
nudge_check_lifecycle_stage(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_lifecycle_stage");
	HeapTuple	row = trigger_row(trigger);
	FaultList	faults = {NIL};
	bool		isnull;
	Datum		value = row_column(trigger, row, "conditions", &isnull);
	Condition  *conditions;
	int			n;

	/* NOT NULL is a constraint. */
	if (isnull || !row_column_changes(trigger, "conditions"))
		return PointerGetDatum(row);

	conditions = conditions_check_array(DatumGetJsonbP(value), &faults,
										"conditions", &n);
	for (int i = 0; conditions != NULL && i < n; i++)
	{
		char	   *path = psprintf("conditions[%d]", i);

		if (condition_needs_action(&conditions[i]))
			fault_add(&faults, ERRCODE_INVALID_PARAMETER_VALUE, path,
					  "Ask for what is known of the user, such as user_attribute or action_count; what an action must be like belongs to a rule.",
					  "condition of type \"%s\" needs an action in hand, which a lifecycle stage does not have",
					  condition_type_name(conditions[i].type));
		else
			check_condition_references(&faults, path, &conditions[i], NULL);
	}
	fault_report(&faults, "lifecycle stage");
	return PointerGetDatum(row);
}

/*
 * Trigger on lifecycle_stages, after INSERT or UPDATE of conditions of a row: the
 * stages that it asks for are there.  Those of one statement may ask for each
 * other, so this is for when all of its rows are there.
 */
Datum
nudge_check_stages_of_stage(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = after_row_trigger(fcinfo, "check_stages_of_stage");
	FaultList	faults = {NIL};
	bool		isnull;
	Datum		value = row_column(trigger, trigger_row(trigger), "conditions",
								   &isnull);
	int			n;
	Condition  *conditions = conditions_check_array(DatumGetJsonbP(value), &faults,
													"conditions", &n);

	for (int i = 0; conditions != NULL && i < n; i++)
		check_condition_stages(&faults, psprintf("conditions[%d]", i),
							   &conditions[i]);
	fault_report(&faults, "lifecycle stage");
	return PointerGetDatum(NULL);
}

static void
take_elements(FunctionCallInfo fcinfo, int arg, Oid type, int16 length,
			  bool by_value, char align, Datum **elements, bool **nulls, int *n)
{
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), type, length, by_value, align,
					  elements, nulls, n);
}

static void
read_stage(Stage *stage, Datum name, Datum conditions, Datum match)
{
	FaultList	faults = {NIL};

	stage->name = name;
	stage->match_any = strcmp(TextDatumGetCString(match), "any") == 0;
	stage->conditions = conditions_check_array(DatumGetJsonbP(conditions), &faults,
											   "conditions", &stage->nconditions);
	stage->broken = faults.faults != NIL;
}

/*
 * The stages in the arguments, parsed once a query: they are constants there.
 */
static const Stages *
stages_argument(FunctionCallInfo fcinfo)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	MemoryContext old;
	Stages	   *stages;
	Datum	   *names;
	Datum	   *conditions;
	Datum	   *matches;
	Datum	   *lasts;
	bool	   *nulls;
	int			n[4];

	if (flinfo->fn_extra != NULL)
		return flinfo->fn_extra;

	old = MemoryContextSwitchTo(flinfo->fn_mcxt);
	take_elements(fcinfo, ARG_NAMES, TEXTOID, -1, false, TYPALIGN_INT,
				  &names, NULL, &n[0]);
	take_elements(fcinfo, ARG_CONDITIONS, JSONBOID, -1, false, TYPALIGN_INT,
				  &conditions, NULL, &n[1]);
	take_elements(fcinfo, ARG_MATCHES, TEXTOID, -1, false, TYPALIGN_INT,
				  &matches, NULL, &n[2]);
	take_elements(fcinfo, ARG_LASTS, INTERVALOID, sizeof(Interval), false,
				  TYPALIGN_DOUBLE, &lasts, &nulls, &n[3]);
	if (n[1] != n[0] || n[2] != n[0] || n[3] != n[0])
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("names, conditions, matches and lasts must have the same length")));

	stages = palloc(sizeof(Stages));
	stages->n = n[0];
	stages->stages = palloc0(Max(stages->n, 1) * sizeof(Stage));
	for (int i = 0; i < stages->n; i++)
	{
		read_stage(&stages->stages[i], PointerGetDatum(PG_DETOAST_DATUM_COPY(names[i])),
				   conditions[i], matches[i]);
		stages->stages[i].has_lasts = !nulls[i];
		if (!nulls[i])
			stages->stages[i].lasts = *DatumGetIntervalP(lasts[i]);
	}
	MemoryContextSwitchTo(old);
	flinfo->fn_extra = stages;
	return stages;
}

/*
 * Half a day to a whole one, another for each user, so that looks without a better
 * reason do not all come at once.
 */
static TimestampTz
some_day(Evaluator *evaluator)
{
	Bytes		user_id = evaluator->action.user_id;
	uint32		hash = hash_bytes((const unsigned char *) user_id.data,
								  user_id.length);

	return evaluator->now + USECS_PER_DAY / 2 +
		(TimestampTz) (hash % (SECS_PER_DAY / 2)) * USECS_PER_SEC;
}

static TimestampTz
attribute_holds_until(Evaluator *evaluator, const Condition *condition)
{
	JsonbValue	value;
	TimestampTz then;
	TimestampTz until;

	if ((condition->op != OPERATOR_WITHIN && condition->op != OPERATOR_AFTER) ||
		!user_attribute(evaluator_user(evaluator), &condition->path, &value) ||
		!soft_timestamptz(&value, evaluator_timezone(evaluator), &then) ||
		pg_add_s64_overflow(then, condition->window + 1, &until) ||
		until <= evaluator->now)
		return PG_INT64_MAX;
	return until;
}

/*
 * When, at the earliest, the passage of time alone changes a condition's score;
 * PG_INT64_MAX: never.  Where that is hard to say: when to look again.
 */
static TimestampTz
condition_holds_until(Evaluator *evaluator, const Condition *condition)
{
	TimestampTz until = PG_INT64_MAX;

	check_stack_depth();
	switch (condition->type)
	{
		case CONDITION_ACTION_COUNT:
			return action_count_holds_until(evaluator, condition->count);
		case CONDITION_USER_ATTRIBUTE:
			return attribute_holds_until(evaluator, condition);
		case CONDITION_LOCAL_TIME:
			return evaluator->now + 15 * USECS_PER_MINUTE;
		case CONDITION_ENGAGEMENT_LEVEL:
		case CONDITION_MESSAGE_ENGAGEMENT:
		case CONDITION_SEGMENT:
			return some_day(evaluator);
		case CONDITION_ALL:
		case CONDITION_ANY:
		case CONDITION_NOT:
			for (int i = 0; i < condition->nmembers; i++)
				until = Min(until,
							condition_holds_until(evaluator, &condition->members[i]));
			return until;
		default:
			return PG_INT64_MAX;
	}
}

static bool
stage_holds(Evaluator *evaluator, const Stage *stage)
{
	bool		holds = !stage->match_any;

	if (stage->broken || stage->nconditions == 0)
		return false;
	for (int i = 0; i < stage->nconditions && holds != stage->match_any; i++)
		holds = segment_condition_score(evaluator,
										&stage->conditions[i]) == SCORE_YES;
	return holds;
}

static TimestampTz
stage_holds_until(Evaluator *evaluator, const Stage *stage)
{
	TimestampTz until = PG_INT64_MAX;

	for (int i = 0; !stage->broken && i < stage->nconditions; i++)
		until = Min(until,
					condition_holds_until(evaluator, &stage->conditions[i]));
	return until;
}

/* Until when the stage that the user is in lasts at most; PG_INT64_MAX: no end */
static TimestampTz
stage_ends(Evaluator *evaluator, const Stage *stage, TimestampTz since)
{
	const UserRow *user = evaluator_user(evaluator);

	if (!stage->has_lasts || user->nulls[Anum_users_lifecycle_stage - 1] ||
		!bytes_equal(bytes_of_text(stage->name),
					 bytes_of_text(PointerGetDatum(PG_DETOAST_DATUM_PACKED(user->values[Anum_users_lifecycle_stage - 1])))))
		return PG_INT64_MAX;
	return schedule_add_interval(since, &stage->lasts);
}

/*
 * The last of the stages that holds, or NULL; and when to look again.
 */
static const Stage *
find_stage(Evaluator *evaluator, const Stages *stages, TimestampTz since,
		   TimestampTz *check_at)
{
	const Stage *found = NULL;

	*check_at = PG_INT64_MAX;
	for (int i = 0; i < stages->n; i++)
	{
		const Stage *stage = &stages->stages[i];
		TimestampTz ends = stage_ends(evaluator, stage, since);

		CHECK_FOR_INTERRUPTS();
		*check_at = Min(*check_at, stage_holds_until(evaluator, stage));
		if (ends > evaluator->now)
			*check_at = Min(*check_at, ends);
		if (ends > evaluator->now && stage_holds(evaluator, stage))
			found = stage;
	}
	return found;
}

/*
 * lifecycle_look(user_id text, as_of timestamptz, names text[], conditions jsonb[],
 * matches text[], lasts interval[], since timestamptz, OUT stage text, OUT check_at
 * timestamptz): since says when the user entered the stage that they are in; stage is
 * null where none holds, check_at where time alone changes nothing.
 */
Datum
nudge_lifecycle_look(PG_FUNCTION_ARGS)
{
	const Stages *stages;
	const Stage *stage;
	Evaluator	evaluator = {rules_acquire()};
	TimestampTz as_of;
	TimestampTz check_at = PG_INT64_MAX;
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2];

	for (int i = 0; i < ARG_SINCE; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("only since may be null")));
	}
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	as_of = PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);
	stages = stages_argument(fcinfo);
	evaluator.history = history_open();
	segment_begin(&evaluator, PointerGetDatum(PG_GETARG_TEXT_PP(ARG_USER_ID)), as_of);
	evaluator.action.ends_history = true;
	stage = !evaluator_user(&evaluator)->found ? NULL :
		find_stage(&evaluator, stages,
				   PG_ARGISNULL(ARG_SINCE) ? as_of : PG_GETARG_TIMESTAMPTZ(ARG_SINCE),
				   &check_at);
	nulls[0] = stage == NULL;
	values[0] = stage == NULL ? (Datum) 0 : stage->name;
	nulls[1] = !IS_VALID_TIMESTAMP(check_at);
	values[1] = TimestampTzGetDatum(check_at);
	history_close(evaluator.history);
	rules_release(evaluator.rules);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
