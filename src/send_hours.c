/*-------------------------------------------------------------------------
 *
 * send_hours.c
 *	  The best hours to send messages of rules whose send_time is best.
 *
 * sql/54_send_time.sql says what is best.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "send_hours.h"

#include "catalog/pg_type.h"
#include "plan.h"
#include "queries.h"
#include "utils/array.h"
#include "utils/timestamp.h"

void
send_hours_fetch(SendHour *asked, int n, TimestampTz as_of)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTARRAYOID, INT8ARRAYOID, TIMESTAMPTZOID};
	Datum	   *user_ids = palloc(Max(n, 1) * sizeof(Datum));
	Datum	   *rule_ids = palloc(Max(n, 1) * sizeof(Datum));
	Datum		arguments[lengthof(types)];

	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
	{
		user_ids[i] = asked[i].user_id;
		rule_ids[i] = Int64GetDatum(asked[i].rule_id);
		asked[i].hour = -1;
	}
	arguments[0] = PointerGetDatum(construct_array(user_ids, n, TEXTOID, -1, false,
												   TYPALIGN_INT));
	arguments[1] = PointerGetDatum(construct_array(rule_ids, n, INT8OID,
												   sizeof(int64), FLOAT8PASSBYVAL,
												   TYPALIGN_DOUBLE));
	arguments[2] = TimestampTzGetDatum(as_of);
	if (SPI_execute_plan(plan_get(&plan, query_send_hours, lengthof(types), types),
						 arguments, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the best hours to send");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;
		int64		ordinal = DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc,
														  1, &isnull));
		Datum		hour = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull);

		Assert(ordinal >= 1 && ordinal <= n);
		if (!isnull)
			asked[ordinal - 1].hour = DatumGetInt32(hour);
	}
	SPI_freetuptable(SPI_tuptable);
	pfree(user_ids);
	pfree(rule_ids);
}
