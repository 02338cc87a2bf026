/*-------------------------------------------------------------------------
 *
 * entry_store.c
 *	  Rows of nudge.rule_entries, written by the executor.
 *
 * Locking: RowExclusiveLock on the table.  Rows of a user are written by whoever
 * holds the user's row of nudge.cap_usage, so that nobody waits for another here.
 * Rows are read under SnapshotSelf: under that lock what is committed is what
 * counts, whatever the transaction's snapshot shows.
 *
 * An entry that takes the place of an older one is deleted and inserted, as a
 * row's key says whose it is and nothing else refers to it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "entry_store.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "append.h"
#include "catalog/pg_collation.h"
#include "relations.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

struct EntryStore
{
	MemoryContext context;		/* lives as long as the store */
	Relation	relation;		/* NULL: not open yet */
	Relation	key;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	Appender   *appender;
};

EntryStore *
entry_store_open(void)
{
	EntryStore *store = palloc0(sizeof(EntryStore));

	store->context = CurrentMemoryContext;
	return store;
}

static void
open_tables(EntryStore *store)
{
	MemoryContext old;
	Oid			relid;

	if (store->relation != NULL)
		return;
	old = MemoryContextSwitchTo(store->context);
	relid = nudge_relation(NUDGE_RULE_ENTRIES);
	store->relation = table_open(relid, RowExclusiveLock);
	store->key = index_open(RelationGetPrimaryKeyIndex(store->relation),
							AccessShareLock);
	store->scan = index_beginscan(store->relation, store->key, SnapshotSelf, 3, 0);
	store->slot = table_slot_create(store->relation, NULL);
	store->appender = appender_open(relid, Natts_rule_entries);
	MemoryContextSwitchTo(old);
}

void
entry_store_close(EntryStore *store)
{
	if (store->relation != NULL)
	{
		appender_close(store->appender);
		ExecDropSingleTupleTableSlot(store->slot);
		index_endscan(store->scan);
		index_close(store->key, NoLock);
		table_close(store->relation, NoLock);
	}
	pfree(store);
}

/*
 * Finds the entry with a key; it is then in store->slot.
 */
static bool
find_entry(EntryStore *store, const DueTrigger *due, Datum key)
{
	ScanKeyData keys[3];
	MemoryContext old;
	bool		found;

	open_tables(store);
	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   C_COLLATION_OID, F_TEXTEQ,
						   due->values[Anum_pending_user_id - 1]);
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(due->rule_id));
	ScanKeyEntryInitialize(&keys[2], 0, 3, BTEqualStrategyNumber, InvalidOid,
						   C_COLLATION_OID, F_TEXTEQ, key);
	old = MemoryContextSwitchTo(store->context);
	index_rescan(store->scan, keys, 3, NULL, 0);
	found = index_getnext_slot(store->scan, ForwardScanDirection, store->slot);
	MemoryContextSwitchTo(old);
	return found;
}

static TimestampTz
entered_at(TupleTableSlot *slot)
{
	bool		isnull;

	return DatumGetTimestampTz(slot_getattr(slot, Anum_rule_entries_entered_at,
											&isnull));
}

EntryOutcome
entry_store_ask(EntryStore *store, const Rule *rule, const DueTrigger *due,
				Datum key)
{
	bool		forbidden = find_entry(store, due, key) &&
	reentry_forbids(&rule->reentry, entered_at(store->slot), due->fired_at);

	ExecClearTuple(store->slot);
	return forbidden ? ENTRY_FORBIDDEN : ENTRY_OPEN;
}

static bool
delete_entry(EntryStore *store, ItemPointer tid)
{
	TM_FailureData failure;

	/* What was inserted by this command could not be deleted by it. */
	CommandCounterIncrement();
	return table_tuple_delete(store->relation, tid, GetCurrentCommandId(true),
							  GetActiveSnapshot(), InvalidSnapshot, false,
							  &failure, false) == TM_Ok;
}

EntryOutcome
entry_store_enter(EntryStore *store, const Rule *rule, const DueTrigger *due,
				  Datum key)
{
	Datum		values[Natts_rule_entries];
	bool		nulls[Natts_rule_entries] = {false};

	if (find_entry(store, due, key))
	{
		ItemPointerData tid = store->slot->tts_tid;
		bool		is_later = entered_at(store->slot) >= due->fired_at;

		ExecClearTuple(store->slot);
		if (is_later)
			return ENTRY_OPEN;
		if (!delete_entry(store, &tid))
			return ENTRY_BUSY;
	}
	values[Anum_rule_entries_user_id - 1] = due->values[Anum_pending_user_id - 1];
	values[Anum_rule_entries_rule_id - 1] = Int64GetDatum(due->rule_id);
	values[Anum_rule_entries_entry_key - 1] = key;
	values[Anum_rule_entries_entered_at - 1] = TimestampTzGetDatum(due->fired_at);
	values[Anum_rule_entries_pending_id - 1] = Int64GetDatum(due->pending_id);
	appender_insert(store->appender, values, nulls);
	return ENTRY_OPEN;
}
