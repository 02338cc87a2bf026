/*-------------------------------------------------------------------------
 *
 * execute_sql.c
 *	  The executor's functions in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "execute.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pg_nudge.h"
#include "pgstat.h"
#include "plan.h"
#include "queries.h"
#include "relations.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define MOST_ROWS 100000

PG_FUNCTION_INFO_V1(nudge_execute_pending);
PG_FUNCTION_INFO_V1(nudge_execute_batch);
PG_FUNCTION_INFO_V1(nudge_doze);

/*
 * Warns where more triggers wait than the operator expects.
 */
static void
check_backlog(void)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {INT8OID};
	Relation	pending = table_open(nudge_relation(NUDGE_PENDING), AccessShareLock);
	int64		most = (int64) RelationGetNumberOfBlocks(pending) * MaxHeapTuplesPerPage;
	Datum		limit = Int64GetDatum((int64) nudge_max_pending_triggers + 1);
	bool		isnull;

	table_close(pending, NoLock);
	if (most <= nudge_max_pending_triggers)
		return;
	if (SPI_execute_plan(plan_get(&plan, query_executor_backlog, 1, types),
						 &limit, NULL, false, 0) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not count pending triggers");
	if (DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
									1, &isnull)) > nudge_max_pending_triggers)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("more than %d triggers are pending",
						nudge_max_pending_triggers),
				 errdetail("That is the value of nudge.max_pending_triggers; nothing is dropped."),
				 errhint("See view nudge.health; run more executors, or raise nudge.max_pending_triggers.")));
}

static void
record_run(TimestampTz started_at, const ExecuteTotals *totals)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID, INT8OID};
	Datum		arguments[] = {
		TimestampTzGetDatum(started_at), Int64GetDatum(totals->executed),
		Int64GetDatum(totals->failed), Int64GetDatum(totals->skipped),
		Int64GetDatum(totals->deferred)
	};

	if (SPI_execute_plan(plan_get(&plan, query_executor_run, lengthof(types), types),
						 arguments, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not record a run of the executor");
}

static int
checked_max_rows(FunctionCallInfo fcinfo)
{
	int			max_rows = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0);

	if (max_rows <= 0 || max_rows > MOST_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 PG_ARGISNULL(0) ? errmsg("max_rows must not be null") :
				 errmsg("max_rows is out of range: %d", max_rows),
				 errdetail("It must be between 1 and %d.", MOST_ROWS),
				 errhint("Call the function again for more rows.")));
	return max_rows;
}

static TimestampTz
checked_as_of(FunctionCallInfo fcinfo)
{
	TimestampTz as_of = PG_ARGISNULL(1) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(1);

	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("as_of must be a finite time"),
				 errdetail("Triggers that are due at this time are executed."),
				 errhint("Leave it out to execute what is due now.")));
	return as_of;
}

static Datum
totals_row(FunctionCallInfo fcinfo, const ExecuteTotals *totals)
{
	TupleDesc	desc;
	Datum		values[] = {
		Int64GetDatum(totals->executed), Int64GetDatum(totals->failed),
		Int64GetDatum(totals->skipped), Int64GetDatum(totals->deferred)
	};
	bool		nulls[lengthof(values)] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * Checks the arguments, executes, and says how many triggers ended how.
 */
static ExecuteTotals
execute(FunctionCallInfo fcinfo, const char *name, bool record, bool warn)
{
	ExecuteTotals totals = {0};
	int			max_rows = checked_max_rows(fcinfo);
	TimestampTz as_of = checked_as_of(fcinfo);
	TimestampTz started_at = GetCurrentTimestamp();

	PreventCommandDuringRecovery(name);
	PreventCommandIfReadOnly(name);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	execute_due(max_rows, as_of, &totals);
	if (record &&
		totals.executed + totals.failed + totals.skipped + totals.deferred > 0)
		record_run(started_at, &totals);
	if (warn)
		check_backlog();
	SPI_finish();
	return totals;
}

/*
 * nudge.execute_pending(max_rows integer, as_of timestamptz)
 */
Datum
nudge_execute_pending(PG_FUNCTION_ARGS)
{
	ExecuteTotals totals = execute(fcinfo, "nudge.execute_pending()", true, true);

	return totals_row(fcinfo, &totals);
}

/*
 * nudge.execute_batch(max_rows integer, as_of timestamptz, warn boolean): the
 * same as a part of a run, which keeps its own record.
 */
Datum
nudge_execute_batch(PG_FUNCTION_ARGS)
{
	ExecuteTotals totals = execute(fcinfo, "nudge.execute_batch()", false,
								   !PG_ARGISNULL(2) && PG_GETARG_BOOL(2));

	return totals_row(fcinfo, &totals);
}

/*
 * nudge.doze(milliseconds integer): commits, and sleeps without a snapshot, which
 * any statement of a PL/pgSQL procedure would hold all the while.
 */
Datum
nudge_doze(PG_FUNCTION_ARGS)
{
	CallContext *context = (CallContext *) fcinfo->context;
	int			milliseconds = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0);
	bool		atomic = context == NULL || !IsA(context, CallContext) ||
	context->atomic;
	TimestampTz until;
	long		left;

	if (SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	SPI_commit();
	SPI_finish();

	until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
	while ((left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until)) > 0)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 left, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_VOID();
}
