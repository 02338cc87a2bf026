/*-------------------------------------------------------------------------
 *
 * segment_functions.c
 *	  SQL functions of segments.
 *
 * They are SECURITY DEFINER functions with a search path of their own, so that
 * whoever may call them need not read users and actions, and so that queries made
 * here mean PostgreSQL's functions and operators.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "condition_scorer.h"
#include "document.h"
#include "evaluate_functions.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "relations.h"
#include "segment.h"
#include "segment_sql.h"
#include "softtime.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(nudge_in_segment);
PG_FUNCTION_INFO_V1(nudge_segment_users);
PG_FUNCTION_INFO_V1(nudge_segment_size);
PG_FUNCTION_INFO_V1(nudge_json_time);
PG_FUNCTION_INFO_V1(nudge_json_fits);
PG_FUNCTION_INFO_V1(nudge_user_fits);

/*
 * The segment that an argument names; 22023 where it is null, 23503 where there is
 * none.
 */
static const Segment *
segment_argument(FunctionCallInfo fcinfo, int arg, const Rules *rules)
{
	const Segment *segment;
	char	   *name;

	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the name of a segment must not be null"),
				 errhint("Names are in nudge.segments.")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(arg));
	segment = rules_find_segment(rules, name);
	if (segment == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("segment \"%s\" does not exist", name),
				 errdetail("There is no such row in nudge.segments."),
				 errhint("Names are in nudge.segments; they are case-sensitive.")));
	return segment;
}

/*
 * in_segment(user_id, segment) returns boolean
 */
Datum
nudge_in_segment(PG_FUNCTION_ARGS)
{
	Evaluator	evaluator = {rules_acquire()};
	const Segment *segment = segment_argument(fcinfo, 1, evaluator.rules);
	bool		in;

	check_action_id(fcinfo, 0, "user_id");
	evaluator.history = history_open();
	segment_begin(&evaluator, PointerGetDatum(PG_GETARG_TEXT_PP(0)),
				  GetCurrentTransactionStartTimestamp());
	in = segment_score(&evaluator, segment->name) == SCORE_YES;
	history_close(evaluator.history);
	rules_release(evaluator.rules);
	PG_RETURN_BOOL(in);
}

/*
 * Runs the query of the segment that the first argument names.  SPI is connected
 * then, and has the result.
 */
static void
select_users(FunctionCallInfo fcinfo, const char *result)
{
	const Rules *rules = rules_acquire();
	const Segment *segment = segment_argument(fcinfo, 0, rules);
	char	   *query = segment_query(rules, segment,
									  GetCurrentTransactionStartTimestamp(),
									  result);

	rules_release(rules);
	SPI_connect();
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "users of a segment could not be selected");
	pfree(query);
}

/*
 * segment_users(name) returns setof text
 */
Datum
nudge_segment_users(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	select_users(fcinfo, "s.user_id");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		user_id = SPI_getbinval(SPI_tuptable->vals[i],
											SPI_tuptable->tupdesc, 1, &isnull);

		tuplestore_putvalues(result->setResult, result->setDesc, &user_id, &isnull);
	}
	SPI_finish();
	return (Datum) 0;
}

/*
 * segment_size(name) returns bigint
 */
Datum
nudge_segment_size(PG_FUNCTION_ARGS)
{
	bool		isnull;
	int64		size;

	select_users(fcinfo, "count(*)");
	size = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	PG_RETURN_INT64(size);
}

/*
 * json_time(value jsonb, timezone text) returns timestamptz: what conditions take
 * a value for; null where they cannot take it for a time.
 */
Datum
nudge_json_time(PG_FUNCTION_ARGS)
{
	char	   *zone = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	JsonbValue	value;
	TimestampTz time;

	if (PG_ARGISNULL(0) ||
		!JsonbExtractScalar(&PG_GETARG_JSONB_P(0)->root, &value) ||
		!soft_timestamptz(&value, caps_timezone(zone), &time))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(time);
}

/*
 * json_fits(document jsonb, path jsonpath) returns boolean: whether a path
 * predicate is true of a document; null for one that is nested too deeply.
 */
Datum
nudge_json_fits(PG_FUNCTION_ARGS)
{
	Jsonb	   *document = PG_GETARG_JSONB_P(0);

	if (jsonb_depth(document, DOCUMENT_MAX_DEPTH) > DOCUMENT_MAX_DEPTH)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(jsonpath_holds(PG_GETARG_JSONPATH_P(1), document));
}

/*
 * The row of nudge.users in an argument
 */
static void
user_argument(FunctionCallInfo fcinfo, int arg, UserRow *user)
{
	HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(arg);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row),
											  HeapTupleHeaderGetTypMod(row));
	HeapTupleData tuple = {0};

	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	tuple.t_data = row;
	user_from_tuple(user, &tuple, desc, nudge_column(desc, USERS_STAGE_COLUMN));
	ReleaseTupleDesc(desc);
}

/*
 * The condition in three arguments
 */
static Condition *
parse_argument(FunctionCallInfo fcinfo, int arg)
{
	Condition  *condition = palloc(sizeof(Condition));
	FaultList	faults = {NIL};

	condition_parse(condition, text_to_cstring(PG_GETARG_TEXT_PP(arg)),
					text_to_cstring(PG_GETARG_TEXT_PP(arg + 1)),
					PG_GETARG_JSONB_P(arg + 2), 1.0, &faults, "");
	fault_report(&faults, "condition");
	if (condition_segments(condition, NIL) != NIL ||
		condition_rules(condition, NIL) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("nudge.user_fits() knows no segments and rules"),
				 errhint("Use nudge.in_segment().")));
	return condition;
}

/*
 * The same, parsed once a query where the arguments are constants
 */
static const Condition *
condition_argument(FunctionCallInfo fcinfo, int arg)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	bool		stable = true;

	for (int i = arg; i < arg + 3; i++)
		stable &= get_fn_expr_arg_stable(flinfo, i);
	if (!stable)
		return parse_argument(fcinfo, arg);
	if (flinfo->fn_extra == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(flinfo->fn_mcxt);

		flinfo->fn_extra = parse_argument(fcinfo, arg);
		MemoryContextSwitchTo(old);
	}
	return flinfo->fn_extra;
}

/*
 * user_fits(u nudge.users, type, operator, parameters) returns boolean: the score
 * of a condition for a user without an action; null where it cannot be computed.
 * It does without the compiled rules, which a parallel worker could not load.
 */
Datum
nudge_user_fits(PG_FUNCTION_ARGS)
{
	const Condition *condition = condition_argument(fcinfo, 1);
	Evaluator	evaluator = {NULL};
	UserRow		user = {0};
	Score		score;

	user_argument(fcinfo, 0, &user);
	user.found = true;
	evaluator.history = history_open();
	segment_begin(&evaluator, user.values[Anum_users_user_id - 1],
				  GetCurrentTransactionStartTimestamp());
	evaluator.user = user;
	evaluator.user_known = true;
	score = segment_condition_score(&evaluator, condition);
	history_close(evaluator.history);
	if (score == SCORE_ERROR)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(score == SCORE_YES);
}
