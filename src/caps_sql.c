/*-------------------------------------------------------------------------
 *
 * caps_sql.c
 *	  Gives back the place that a message took under its user's caps.
 *
 * Locking: the user's row of nudge.cap_usage, until the end of the transaction.
 * Executors never wait for such a row while they hold another one; whoever gives
 * back places of several users does so in the order of their ids.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "caps.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "plan.h"
#include "queries.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(nudge_cap_release);

/*
 * Locks and reads the user's counts; false where there are none.
 */
static bool
lock_usage(Datum user_id, Usage *usage, pg_tz **tz)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTOID};
	TupleDesc	desc;
	HeapTuple	tuple;
	Datum		columns[4];

	if (SPI_execute_plan(plan_get(&plan, query_cap_usage_lock, 1, types),
						 &user_id, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not lock a row of nudge.cap_usage");
	if (SPI_processed == 0)
		return false;
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	for (int i = 0; i < lengthof(columns); i++)
	{
		bool		isnull;

		columns[i] = SPI_getbinval(tuple, desc, i + 1, &isnull);
	}
	usage_from_arrays(usage, columns[0], columns[1], columns[2], columns[3]);
	*tz = caps_timezone(SPI_getvalue(tuple, desc, 5));
	return true;
}

static void
update_usage(Datum user_id, const Usage *usage)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTOID, INT8ARRAYOID, TEXTARRAYOID,
	DATEARRAYOID, INT4ARRAYOID};
	Datum		arguments[5] = {user_id};

	usage_to_arrays(usage, &arguments[1], &arguments[2], &arguments[3],
					&arguments[4]);
	if (SPI_execute_plan(plan_get(&plan, query_cap_usage_update, 5, types),
						 arguments, NULL, false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "could not update a row of nudge.cap_usage");
}

static bool
has_entry(const Usage *usage, int64 rule_id, const char *channel, DateADT day)
{
	for (int i = 0; i < usage->nentries; i++)
	{
		const UsageEntry *entry = &usage->entries[i];

		if (entry->rule_id == rule_id && entry->day == day &&
			strcmp(entry->channel, channel) == 0)
			return true;
	}
	return false;
}

/*
 * nudge.cap_release(user_id text, rule_id bigint, channel text, fired_at
 * timestamptz): whether there was a place to give back.
 */
Datum
nudge_cap_release(PG_FUNCTION_ARGS)
{
	/* The day may be the next one over if the user's time zone has changed. */
	static const int shifts[] = {0, -1, 1};
	Datum		user_id = PG_GETARG_DATUM(0);
	int64		rule_id = PG_GETARG_INT64(1);
	char	   *channel = text_to_cstring(PG_GETARG_TEXT_PP(2));
	TimestampTz fired_at = PG_GETARG_TIMESTAMPTZ(3);
	Usage		usage;
	pg_tz	   *tz;
	bool		released = false;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (lock_usage(user_id, &usage, &tz))
	{
		DateADT		day = caps_local_day(fired_at, tz);

		for (int i = 0; i < lengthof(shifts) && !released; i++)
		{
			released = has_entry(&usage, rule_id, channel, day + shifts[i]);
			if (released)
			{
				usage_add(&usage, rule_id, channel, day + shifts[i], -1);
				update_usage(user_id, &usage);
			}
		}
	}
	SPI_finish();
	PG_RETURN_BOOL(released);
}
