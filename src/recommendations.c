/*-------------------------------------------------------------------------
 *
 * recommendations.c
 *	  Items to recommend, for many messages at once.
 *
 * What is recommended is SQL's to say: nudge.recommend_for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "recommendations.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "plan.h"
#include "queries.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/*
 * Between "make install" and ALTER EXTENSION UPDATE the tables of version 0.2.0
 * are not there yet; messages go out all the same.
 */
static bool
is_upgraded(void)
{
	Oid			schema = get_namespace_oid("nudge", true);

	return OidIsValid(schema) &&
		OidIsValid(get_relname_relid("item_pairs", schema));
}

static void
make_arguments(const RecommendationRequest *requests, int n, TimestampTz as_of,
			   Datum *arguments)
{
	MemoryContext context = CurrentMemoryContext;
	ArrayBuildState *users = NULL;
	ArrayBuildState *actions = NULL;
	ArrayBuildState *amounts = NULL;

	for (int i = 0; i < n; i++)
	{
		const RecommendationRequest *request = &requests[i];

		users = accumArrayResult(users, request->user_id, false, TEXTOID, context);
		actions = accumArrayResult(actions, JsonbPGetDatum(request->action_data),
								   request->action_data == NULL, JSONBOID, context);
		amounts = accumArrayResult(amounts, Int32GetDatum(request->amount), false,
								   INT4OID, context);
	}
	arguments[0] = makeArrayResult(users, context);
	arguments[1] = makeArrayResult(actions, context);
	arguments[2] = makeArrayResult(amounts, context);
	arguments[3] = TimestampTzGetDatum(as_of);
}

void
recommendations_fetch(RecommendationRequest *requests, int n, TimestampTz as_of)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTARRAYOID, JSONBARRAYOID, INT4ARRAYOID, TIMESTAMPTZOID};
	Datum		arguments[lengthof(types)];

	if (n == 0 || !is_upgraded())
		return;
	make_arguments(requests, n, as_of, arguments);
	if (SPI_execute_plan(plan_get(&plan, query_recommendations, lengthof(types), types),
						 arguments, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read recommendations");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		int64		ordinal = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		Datum		items = SPI_getbinval(tuple, desc, 2, &isnull);

		Assert(ordinal >= 1 && ordinal <= n);
		requests[ordinal - 1].items = DatumGetJsonbPCopy(items);
	}
	SPI_freetuptable(SPI_tuptable);
}
