/*-------------------------------------------------------------------------
 *
 * history_consent.c
 *	  What users said about messages: topics and suppressions.
 *
 * history.c tells what is seen.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "history_probe.h"

#include "access/table.h"
#include "access/tableam.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"

/* Columns that are read here */
#define Anum_subscriptions_subscribed 3
#define Anum_suppressions_address 3
#define Anum_suppressions_channel 4
#define Anum_suppressions_reason 5

/* Indexes of nudge.suppressions, which begin with what they look up by */
#define SUPPRESSIONS_BY_USER "suppressions_user_id_idx"
#define SUPPRESSIONS_BY_ADDRESS "suppressions_address_idx"

/*
 * Looks for the user's word about a topic; false where there is none.
 */
static bool
find_subscription(History *history, Probe *probe, Datum user_id, Datum topic,
				  bool *subscribed)
{
	ScanKeyData keys[2];
	bool		found;
	bool		isnull;

	key_text(&keys[0], 1, user_id);
	key_text(&keys[1], 2, topic);
	probe_rescan(history, probe, keys, 2);
	found = probe_next(history, probe, ForwardScanDirection);
	if (found)
		*subscribed = DatumGetBool(slot_getattr(probe->slot,
												Anum_subscriptions_subscribed,
												&isnull));
	ExecClearTuple(probe->slot);
	return found;
}

bool
history_subscribed(History *history, Datum user_id, const char *topic)
{
	Probe	   *probe;
	Datum		topic_datum;
	bool		subscribed = true;

	if (!nudge_relation_exists(NUDGE_SUBSCRIPTIONS))
		return true;
	probe = probe_by_key(history, &history->subscriptions, NUDGE_SUBSCRIPTIONS, 2);
	topic_datum = CStringGetTextDatum(topic);

	/* Twice, as with users: a scan may miss a row that is being updated. */
	if (!find_subscription(history, probe, user_id, topic_datum, &subscribed))
		find_subscription(history, probe, user_id, topic_datum, &subscribed);
	pfree(DatumGetPointer(topic_datum));
	return subscribed;
}

/* A probe of nudge.suppressions by one of its indexes, opened at first use */
static Probe *
suppressions_probe(History *history, Probe *probe, const char *index_name)
{
	Probe	   *opened = probe_by_index(history, probe, NUDGE_SUPPRESSIONS,
										index_name, 1);

	if (opened == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index \"%s\" of table nudge.suppressions does not exist",
						index_name),
				 errhint("Create it again as the extension's script does.")));
	return opened;
}

/*
 * What has an address stands for that address, whoever has it.  Returns whether
 * the visitor wants more.
 */
static bool
visit_suppressions(History *history, Probe *probe, Datum key_value,
				   bool by_address, SuppressionVisitor visit, void *arg)
{
	ScanKeyData key;
	bool		more = true;

	key_text(&key, 1, key_value);
	probe_rescan(history, probe, &key, 1);
	while (more && probe_next(history, probe, ForwardScanDirection))
	{
		Datum	   *values = probe->slot->tts_values;
		bool	   *nulls = probe->slot->tts_isnull;

		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(probe->slot, Anum_suppressions_reason);
		if (!by_address && !nulls[Anum_suppressions_address - 1])
			continue;
		more = visit(nulls[Anum_suppressions_channel - 1] ? NULL :
					 TextDatumGetCString(values[Anum_suppressions_channel - 1]),
					 TextDatumGetCString(values[Anum_suppressions_reason - 1]), arg);
	}
	ExecClearTuple(probe->slot);
	return more;
}

/*
 * Looks once, since the size of a table is a question to the operating system.
 * What comes into an empty table during a long call of the executor is seen by the
 * claims that follow.
 */
bool
history_has_suppressions(History *history)
{
	if (!history->suppressions_known)
	{
		Relation	table;

		history->no_suppressions = true;
		if (nudge_relation_exists(NUDGE_SUPPRESSIONS))
		{
			table = table_open(nudge_relation(NUDGE_SUPPRESSIONS), AccessShareLock);
			history->no_suppressions = RelationGetNumberOfBlocks(table) == 0;
			table_close(table, NoLock);
		}
		history->suppressions_known = true;
	}
	return !history->no_suppressions;
}

void
history_suppressions(History *history, Datum user_id, Datum address,
					 SuppressionVisitor visit, void *arg)
{
	if (!history_has_suppressions(history))
		return;
	if (visit_suppressions(history,
						   suppressions_probe(history, &history->user_suppressions,
											  SUPPRESSIONS_BY_USER),
						   user_id, false, visit, arg) &&
		address != (Datum) 0)
		visit_suppressions(history,
						   suppressions_probe(history, &history->address_suppressions,
											  SUPPRESSIONS_BY_ADDRESS),
						   address, true, visit, arg);
}
