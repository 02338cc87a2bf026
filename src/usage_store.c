/*-------------------------------------------------------------------------
 *
 * usage_store.c
 *	  Rows of nudge.cap_usage: locked, read and written below SQL.
 *
 * Locking: RowExclusiveLock on the table.  A user's row is that user's lock: who
 * holds it decides what the user's caps allow.  Nobody ever waits for one here:
 * a row that is taken is reported as busy, and so is a new row that a rival
 * inserts at the same time.  So executors that hold the rows of many users cannot
 * deadlock, in whatever order they come to them.
 *
 * A row is read and locked once, and written at the end, however many messages are
 * counted in between; only new rows are inserted at once, to know that no rival
 * has made them.
 *
 * Under READ COMMITTED the latest version of a row is locked and read.  Under
 * the other levels a row that has changed since the snapshot is reported as
 * busy, since its latest version must not be read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "usage_store.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "action.h"
#include "catalog/pg_collation.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "nodes/makefuncs.h"
#include "miscadmin.h"
#include "relations.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

enum
{
	Anum_cap_usage_user_id = 1,
	Anum_cap_usage_rule_ids,
	Anum_cap_usage_channels,
	Anum_cap_usage_days,
	Anum_cap_usage_counts,
	Natts_cap_usage = Anum_cap_usage_counts
};

struct UsageStore
{
	MemoryContext context;		/* of the rows in hand */
	HTAB	   *rows;			/* of UsageRow, by user_id */

	Relation	relation;
	Relation	key;
	IndexScanDesc scan;
	Snapshot	snapshot;
	TupleTableSlot *slot;		/* for reading */
	EState	   *estate;
	ResultRelInfo *target;
	TupleTableSlot *new_slot;	/* for writing */

	/* Defaults of columns that users added, by column; NULL: there are none */
	ExprState **defaults;
};

static uint32
hash_user(const void *key, Size size)
{
	const Bytes *user_id = key;

	return hash_bytes((const unsigned char *) user_id->data, user_id->length);
}

static int
match_users(const void *a, const void *b, Size size)
{
	const Bytes *left = a;
	const Bytes *right = b;

	return left->length != right->length ||
		memcmp(left->data, right->data, left->length) != 0;
}

static HTAB *
create_rows(MemoryContext context)
{
	HASHCTL		control;

	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(Bytes);
	control.entrysize = sizeof(UsageRow);
	control.hash = hash_user;
	control.match = match_users;
	control.hcxt = context;
	return hash_create("pg_nudge cap counts", 1024, &control,
					   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

/*
 * Users may have added columns: a row that is rewritten keeps what they hold, and
 * a new one gets their defaults.
 */
static void
prepare_added_columns(UsageStore *store)
{
	TupleDesc	desc = RelationGetDescr(store->relation);

	if (desc->natts == Natts_cap_usage)
		return;
	store->defaults = palloc0(desc->natts * sizeof(ExprState *));
	for (int i = Natts_cap_usage; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Node	   *expression;

		if (att->attisdropped || att->attgenerated != '\0')
			continue;
		expression = build_column_default(store->relation, i + 1);
		if (expression != NULL)
			store->defaults[i] = ExecPrepareExpr((Expr *) expression,
												 store->estate);
	}
}

/*
 * Puts the added columns of the row's present version, or their defaults, into
 * slot.
 */
static void
fill_added_columns(UsageStore *store, UsageRow *row, TupleTableSlot *slot)
{
	TupleDesc	desc = slot->tts_tupleDescriptor;
	TupleTableSlot *present = NULL;

	if (row->state == USAGE_MINE)
	{
		present = store->slot;
		if (!table_tuple_fetch_row_version(store->relation, &row->tid,
										   SnapshotAny, present))
			elog(ERROR, "could not fetch a locked row of nudge.cap_usage");
		slot_getallattrs(present);
	}
	for (int i = Natts_cap_usage; i < desc->natts; i++)
	{
		slot->tts_values[i] = (Datum) 0;
		slot->tts_isnull[i] = true;
		if (TupleDescAttr(desc, i)->attisdropped)
			continue;
		if (present != NULL)
		{
			slot->tts_values[i] = present->tts_values[i];
			slot->tts_isnull[i] = present->tts_isnull[i];
		}
		else if (store->defaults[i] != NULL)
			slot->tts_values[i] =
				ExecEvalExpr(store->defaults[i],
							 GetPerTupleExprContext(store->estate),
							 &slot->tts_isnull[i]);
	}
}

static void
compute_generated(UsageStore *store, TupleTableSlot *slot)
{
	TupleConstr *constraints = RelationGetDescr(store->relation)->constr;

	/* As for an INSERT: an UPDATE would compute only what it is told to change. */
	if (constraints != NULL && constraints->has_generated_stored)
		ExecComputeStoredGenerated(store->target, store->estate, slot, CMD_INSERT);
}

UsageStore *
usage_store_open(void)
{
	UsageStore *store = palloc0(sizeof(UsageStore));
	Oid			relid = nudge_relation(NUDGE_CAP_USAGE);
	RangeTblEntry *rte = makeNode(RangeTblEntry);

	store->context = AllocSetContextCreate(CurrentMemoryContext,
										   "pg_nudge cap counts",
										   ALLOCSET_DEFAULT_SIZES);
	store->rows = create_rows(store->context);
	store->relation = table_open(relid, RowExclusiveLock);
	store->key = index_open(RelationGetPrimaryKeyIndex(store->relation),
							AccessShareLock);
	store->snapshot = RegisterSnapshot(GetActiveSnapshot());
	store->scan = index_beginscan(store->relation, store->key, store->snapshot,
								  1, 0);
	store->slot = table_slot_create(store->relation, NULL);

	rte->rtekind = RTE_RELATION;
	rte->relid = relid;
	rte->relkind = RELKIND_RELATION;
	rte->rellockmode = RowExclusiveLock;
	store->estate = CreateExecutorState();
	ExecInitRangeTable(store->estate, list_make1(rte));
	store->target = makeNode(ResultRelInfo);
	InitResultRelInfo(store->target, store->relation, 1, NULL, 0);
	ExecOpenIndices(store->target, true);
	store->new_slot = table_slot_create(store->relation,
										&store->estate->es_tupleTable);
	prepare_added_columns(store);
	return store;
}

static bool
find_row(UsageStore *store, Datum user_id)
{
	ScanKeyData key;

	ScanKeyEntryInitialize(&key, 0, 1, BTEqualStrategyNumber, InvalidOid,
						   C_COLLATION_OID, F_TEXTEQ, user_id);
	index_rescan(store->scan, &key, 1, NULL, 0);
	return index_getnext_slot(store->scan, ForwardScanDirection, store->slot);
}

static void
lock_row(UsageStore *store, Datum user_id, UsageRow *row)
{
	TupleTableSlot *slot = store->slot;
	TM_FailureData failure;
	TM_Result	result;

	row->usage = (Usage) {0};
	if (!find_row(store, user_id))
	{
		row->state = USAGE_NEW;
		return;
	}

	row->tid = slot->tts_tid;
	result = table_tuple_lock(store->relation, &row->tid, store->snapshot, slot,
							  GetCurrentCommandId(true),
							  LockTupleNoKeyExclusive, LockWaitSkip,
							  IsolationUsesXactSnapshot() ? 0 :
							  TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
							  &failure);
	if (result != TM_Ok)
	{
		row->state = USAGE_BUSY;
		ExecClearTuple(slot);
		return;
	}

	row->state = USAGE_MINE;
	row->tid = slot->tts_tid;
	slot_getallattrs(slot);
	usage_from_arrays(&row->usage,
					  slot->tts_values[Anum_cap_usage_rule_ids - 1],
					  slot->tts_values[Anum_cap_usage_channels - 1],
					  slot->tts_values[Anum_cap_usage_days - 1],
					  slot->tts_values[Anum_cap_usage_counts - 1]);
	ExecClearTuple(slot);
}

/*
 * Inserts a user's first row, speculatively: where a rival does the same, or has
 * done it, the index reports a conflict instead of waiting, and our row is taken
 * back as if it had never been.  (An ordinary row that we deleted again would
 * make others wait for the end of our transaction.)
 */
static bool
insert_row(UsageStore *store, TupleTableSlot *slot)
{
	TransactionId xid = GetCurrentTransactionId();
	uint32		token = SpeculativeInsertionLockAcquire(xid);
	bool		conflict = false;

	table_tuple_insert_speculative(store->relation, slot,
								   GetCurrentCommandId(true), 0, NULL, token);
	list_free(ExecInsertIndexTuples(store->target, slot, store->estate, false,
									true, &conflict, NIL));
	table_tuple_complete_speculative(store->relation, slot, token, !conflict);
	SpeculativeInsertionLockRelease(xid);
	return !conflict;
}

static void
update_row(UsageStore *store, ItemPointer tid, TupleTableSlot *slot)
{
	TM_FailureData failure;
	LockTupleMode mode;
	TM_Result	result;
	bool		update_indexes;

	result = table_tuple_update(store->relation, tid, slot,
								GetCurrentCommandId(true), store->snapshot,
								InvalidSnapshot, true, &failure, &mode,
								&update_indexes);
	if (result != TM_Ok)
		elog(ERROR, "could not update a locked row of nudge.cap_usage: %d",
			 result);
	if (update_indexes)
		list_free(ExecInsertIndexTuples(store->target, slot, store->estate,
										true, false, NULL, NIL));
}

/*
 * Writes row->usage; false where a new row has a rival.
 */
static bool
write_row(UsageStore *store, UsageRow *row)
{
	TupleTableSlot *slot = store->new_slot;
	Datum	   *values = slot->tts_values;
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(store->estate));
	bool		written = true;

	Assert(row->state != USAGE_BUSY);
	ExecClearTuple(slot);
	memset(slot->tts_isnull, false, Natts_cap_usage * sizeof(bool));
	values[Anum_cap_usage_user_id - 1] =
		PointerGetDatum(cstring_to_text_with_len(row->user_id.data,
												 row->user_id.length));
	usage_to_arrays(&row->usage,
					&values[Anum_cap_usage_rule_ids - 1],
					&values[Anum_cap_usage_channels - 1],
					&values[Anum_cap_usage_days - 1],
					&values[Anum_cap_usage_counts - 1]);
	if (store->defaults != NULL)
		fill_added_columns(store, row, slot);
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(store->relation);
	compute_generated(store, slot);

	if (row->state == USAGE_MINE)
		update_row(store, &row->tid, slot);
	else
		written = insert_row(store, slot);
	row->state = written ? USAGE_MINE : USAGE_BUSY;
	row->tid = slot->tts_tid;
	row->changed = false;
	ExecClearTuple(slot);
	MemoryContextSwitchTo(old);
	ResetPerTupleExprContext(store->estate);
	return written;
}

UsageRow *
usage_store_row(UsageStore *store, Datum user_id)
{
	Bytes		key = bytes_of_text(user_id);
	UsageRow   *row;
	bool		found;

	row = hash_search(store->rows, &key, HASH_ENTER, &found);
	if (!found)
	{
		MemoryContext old = MemoryContextSwitchTo(store->context);

		row->user_id.data = pnstrdup(key.data, key.length);
		row->changed = false;
		lock_row(store, user_id, row);
		MemoryContextSwitchTo(old);
	}
	return row;
}

void
usage_store_add(UsageStore *store, UsageRow *row, int64 rule_id,
				const char *channel, DateADT day, DateADT oldest)
{
	MemoryContext old = MemoryContextSwitchTo(store->context);

	if (!row->changed)
		usage_forget(&row->usage, oldest);
	usage_add(&row->usage, rule_id, channel, day, 1);
	row->changed = true;
	MemoryContextSwitchTo(old);
}

bool
usage_store_claim(UsageStore *store, UsageRow *row)
{
	if (row->state == USAGE_NEW && row->changed)
		write_row(store, row);
	return row->state != USAGE_BUSY;
}

bool
usage_store_take(UsageStore *store, UsageRow *row)
{
	if (row->state == USAGE_NEW)
		write_row(store, row);
	return row->state != USAGE_BUSY;
}

Size
usage_store_size(const UsageStore *store)
{
	return MemoryContextMemAllocated(store->context, true);
}

void
usage_store_close(UsageStore *store)
{
	HASH_SEQ_STATUS status;
	UsageRow   *row;

	/* What was inserted by this command could not be updated by it. */
	CommandCounterIncrement();
	hash_seq_init(&status, store->rows);
	while ((row = hash_seq_search(&status)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (row->changed)
			write_row(store, row);
	}

	ExecCloseIndices(store->target);
	ExecResetTupleTable(store->estate->es_tupleTable, false);
	FreeExecutorState(store->estate);
	ExecDropSingleTupleTableSlot(store->slot);
	index_endscan(store->scan);
	UnregisterSnapshot(store->snapshot);
	index_close(store->key, NoLock);
	table_close(store->relation, NoLock);
	MemoryContextDelete(store->context);
	pfree(store);
}
