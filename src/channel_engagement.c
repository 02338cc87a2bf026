/*-------------------------------------------------------------------------
 *
 * channel_engagement.c
 *	  What users did with the messages that they got.
 *
 * Computed where it is asked for, by index, and only where there is a choice of
 * channels; so nothing has to be kept up while messages are sent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "channel_engagement.h"

#include "catalog/pg_type.h"
#include "plan.h"
#include "queries.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

static Datum
text_array(const ChannelEngagement *asked, int n, bool channels)
{
	Datum	   *elements = palloc(n * sizeof(Datum));

	for (int i = 0; i < n; i++)
		elements[i] = channels ? CStringGetTextDatum(asked[i].channel) :
			asked[i].user_id;
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

static int64
int64_column(uint64 row, int column)
{
	bool		isnull;

	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[row],
									   SPI_tuptable->tupdesc, column, &isnull));
}

void
channel_engagement_fetch(ChannelEngagement *asked, int n)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTARRAYOID, TEXTARRAYOID};
	Datum		arguments[lengthof(types)];

	if (n == 0)
		return;
	arguments[0] = text_array(asked, n, false);
	arguments[1] = text_array(asked, n, true);
	if (SPI_execute_plan(plan_get(&plan, query_channel_engagement,
								  lengthof(types), types),
						 arguments, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read engagement with channels");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int64		ordinal = int64_column(i, 1);
		double		delivered = int64_column(i, 2);
		double		engaged = int64_column(i, 3);

		Assert(ordinal >= 1 && ordinal <= n);
		asked[ordinal - 1].engagement = (engaged + 1.0) / (delivered + 2.0);
	}
	SPI_freetuptable(SPI_tuptable);
}

void
channel_plans_engage(ChannelPlan *const *plans, const Datum *user_ids, int nplans)
{
	ChannelEngagement *asked;
	int			n = 0;

	for (int i = 0; i < nplans; i++)
		n += channel_plan_is_open(plans[i]) ? plans[i]->neligible : 0;
	if (n == 0)
		return;

	asked = palloc(n * sizeof(ChannelEngagement));
	n = 0;
	for (int i = 0; i < nplans; i++)
	{
		for (int j = 0; channel_plan_is_open(plans[i]) && j < plans[i]->neligible; j++)
			asked[n++] = (ChannelEngagement)
			{
				user_ids[i], plans[i]->candidates[j].name
			};
	}
	channel_engagement_fetch(asked, n);
	n = 0;
	for (int i = 0; i < nplans; i++)
	{
		for (int j = 0; channel_plan_is_open(plans[i]) && j < plans[i]->neligible; j++)
			plans[i]->candidates[j].engagement = asked[n++].engagement;
	}
	pfree(asked);
}

/*
 * Looks with a snapshot that is as new as can be: whoever has read a message must
 * not be reminded of it just because a batch, or a transaction, began before.
 */
void
messages_engaged(const int64 *message_ids, int n, bool *engaged)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {INT8ARRAYOID};
	Datum	   *elements = palloc(n * sizeof(Datum));
	Datum		array;

	memset(engaged, false, n * sizeof(bool));
	for (int i = 0; i < n; i++)
		elements[i] = Int64GetDatum(message_ids[i]);
	array = PointerGetDatum(construct_array(elements, n, INT8OID, sizeof(int64),
											FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	if (SPI_execute_snapshot(plan_get(&plan, query_messages_engaged, 1, types),
							 &array, NULL, GetLatestSnapshot(), InvalidSnapshot,
							 true, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read events of messages");
	for (uint64 i = 0; i < SPI_processed; i++)
		engaged[int64_column(i, 1) - 1] = true;
	SPI_freetuptable(SPI_tuptable);
	pfree(elements);
}
