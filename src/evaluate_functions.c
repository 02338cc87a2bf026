/*-------------------------------------------------------------------------
 *
 * evaluate_functions.c
 *	  SQL functions that evaluate: register_action and evaluate.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "evaluate_functions.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "queries.h"
#include "schedule.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(nudge_register_action);
PG_FUNCTION_INFO_V1(nudge_evaluate_rules);

/* Arguments of register_action */
#define NUM_ARGS 7

void
check_action_id(FunctionCallInfo fcinfo, int arg, const char *name)
{
	int			length;

	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("%s must not be null", name),
				 errdetail("An action is one thing that one user did."),
				 errhint("Pass a %s of 1 to 1,024 bytes.", name)));
	length = VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(arg));
	if (length < 1 || length > 1024)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s must have 1 to 1,024 bytes", name),
				 errdetail("It has %d bytes.", length),
				 errhint("Pass the id by which the application knows it.")));
}

Datum
object_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		return (Datum) 0;
	if (!JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(arg)))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s must be a JSON object", name),
				 errdetail("It is an array or a scalar."),
				 errhint("Pass an object such as {\"price\": 9.90}.")));
	return PG_GETARG_DATUM(arg);
}

TimestampTz
check_occurred_at(TimestampTz occurred_at)
{
	if (TIMESTAMP_NOT_FINITE(occurred_at))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("occurred_at must be finite"),
				 errdetail("An action occurred at some point in time."),
				 errhint("Leave occurred_at out for now().")));
	return occurred_at;
}

void
action_from_arguments(Action *action, FunctionCallInfo fcinfo)
{
	check_action_id(fcinfo, 0, "user_id");
	check_action_id(fcinfo, 1, "action_type");

	memset(action, 0, sizeof(Action));
	action->recorded_at = GetCurrentTransactionStartTimestamp();
	action->user_id_datum = PointerGetDatum(PG_GETARG_TEXT_PP(0));
	action->user_id = bytes_of_text(action->user_id_datum);
	action->action_type =
		bytes_of_text(PointerGetDatum(PG_GETARG_TEXT_PP(1)));
	action->data_datum = object_argument(fcinfo, 2, "action_data");
	action->occurred_at = PG_ARGISNULL(3) ? action->recorded_at :
		check_occurred_at(PG_GETARG_TIMESTAMPTZ(3));
	action->context_datum = object_argument(fcinfo, 4, "context");
}

static int
compare_ids(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return (left > right) - (left < right);
}

static Datum
fired_array(FiredRules *fired)
{
	Datum	   *elements = palloc(Max(fired->n, 1) * sizeof(Datum));

	if (fired->n > 1)
		qsort(fired->rule_ids, fired->n, sizeof(int64), compare_ids);
	for (int i = 0; i < fired->n; i++)
		elements[i] = Int64GetDatum(fired->rule_ids[i]);
	return PointerGetDatum(construct_array(elements, fired->n, INT8OID,
										   sizeof(int64), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

/*
 * Inserts the row as the caller would, with the caller's privileges.
 */
static void
insert_action(FunctionCallInfo fcinfo)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[NUM_ARGS] = {
		TEXTOID, TEXTOID, JSONBOID, TIMESTAMPTZOID, JSONBOID, TEXTOID, TEXTOID
	};
	Datum		values[NUM_ARGS];
	char		nulls[NUM_ARGS];

	for (int i = 0; i < NUM_ARGS; i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	SPI_connect();
	if (plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(query_insert_action, NUM_ARGS,
										   (Oid *) types);

		if (prepared == NULL)
			elog(ERROR, "could not prepare: %s",
				 SPI_result_code_string(SPI_result));
		SPI_keepplan(prepared);
		plan = prepared;
	}
	if (SPI_execute_plan(plan, values, nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not insert the action");
	SPI_finish();
}

/*
 * register_action(user_id, action_type, action_data, occurred_at, context,
 * session_id, source) returns bigint[]: ids of the rules that it scheduled.
 */
Datum
nudge_register_action(PG_FUNCTION_ARGS)
{
	FiredRules	fired = {0};
	FiredRules *outer = fired_rules;

	fired.context = CurrentMemoryContext;
	PG_TRY();
	{
		fired_rules = &fired;
		insert_action(fcinfo);
	}
	PG_FINALLY();
	{
		fired_rules = outer;
	}
	PG_END_TRY();

	PG_RETURN_DATUM(fired_array(&fired));
}

static Datum
scores_array(const double *scores, int n)
{
	Datum	   *elements = palloc(Max(n, 1) * sizeof(Datum));

	for (int i = 0; i < n; i++)
		elements[i] = Float8GetDatum(scores[i]);
	return PointerGetDatum(construct_array(elements, n, FLOAT8OID,
										   sizeof(float8), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

/*
 * evaluate(user_id, action_type, action_data, occurred_at, context): every rule,
 * whatever its status, with no effect.
 */
Datum
nudge_evaluate_rules(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Evaluator	evaluator = {0};
	MemoryContext rule_context;

	action_from_arguments(&evaluator.action, fcinfo);
	InitMaterializedSRF(fcinfo, 0);

	evaluator.rules = rules_acquire();
	evaluator.history = history_open();
	evaluator.now = evaluator.action.recorded_at;
	rule_context = AllocSetContextCreate(CurrentMemoryContext,
										 "pg_nudge evaluation",
										 ALLOCSET_DEFAULT_SIZES);

	for (int i = 0; i < evaluator.rules->nrules; i++)
	{
		const Rule *rule = &evaluator.rules->rules[i];
		MemoryContext old = MemoryContextSwitchTo(rule_context);
		double	   *scores = palloc0(Max(rule->nconditions, 1) * sizeof(double));
		double		score;
		const char *missing;
		Datum		values[5];
		bool		nulls[5] = {false, false, false, false, false};
		bool		matched;

		CHECK_FOR_INTERRUPTS();
		evaluator_reset(&evaluator);
		/* A rule with a schedule is not fired by actions. */
		matched = evaluate_rule(&evaluator, rule, scores, &score, NULL, NULL) &&
			rule->schedule == NULL &&
			evaluate_segments(&evaluator, rule, &missing);
		values[0] = Int64GetDatum(rule->rule_id);
		values[1] = CStringGetTextDatum(rule->name);
		values[2] = BoolGetDatum(matched);
		values[3] = Float8GetDatum(score);
		values[4] = scores_array(scores, rule->nconditions);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(rule_context);
	}

	MemoryContextDelete(rule_context);
	history_close(evaluator.history);
	rules_release(evaluator.rules);
	return (Datum) 0;
}
