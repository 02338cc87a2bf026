/*-------------------------------------------------------------------------
 *
 * history.c
 *	  What the database knows of a user, read on the insert path.
 *
 * Everything is read through indexes, below SQL, and under SnapshotSelf: what is
 * committed by now, and what this transaction did.  That is what evaluation
 * means by a user's history, and it has two more merits.  Rows that the running
 * statement recorded are seen, so a COPY counts as single inserts would.  And a
 * snapshot that is not an MVCC one takes no predicate locks, so that rules can
 * never make a SERIALIZABLE transaction of the application fail.
 *
 * A row that another session updates just now is seen in one of its versions; a
 * scan may miss both when the update commits between two index entries, which is
 * why the user's row is looked for twice.  Counts may be off by such a race; the
 * executor counts again under a lock.
 *
 * Locking: AccessShareLock on the tables, kept to the end of the transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "history_probe.h"

#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Columns that are read here of the other tables */
#define Anum_segment_members_segment 1
#define Anum_pending_pending_id 2
#define Anum_pending_rule_id 3
#define Anum_pending_status 5
#define Anum_pending_fired_at 7
#define Anum_cap_usage_rule_ids 2
#define Anum_cap_usage_channels 3
#define Anum_cap_usage_days 4
#define Anum_cap_usage_counts 5
#define Anum_events_user_id 2
#define Anum_events_recorded_at 10

#define PENDING_REENTRY_INDEX "pending_reentry_idx"

/* Keys of a scan of events: user, and when it was recorded */
#define NUM_EVENT_KEYS 2

static void
probe_open(Probe *probe, Oid table, Oid index, int nkeys)
{
	probe->table = table_open(table, AccessShareLock);
	if (!OidIsValid(index))
		index = RelationGetPrimaryKeyIndex(probe->table);
	probe->index = index_open(index, AccessShareLock);
	probe->scan = index_beginscan(probe->table, probe->index, SnapshotSelf,
								  nkeys, 0);
	probe->slot = table_slot_create(probe->table, NULL);
}

static void
probe_close(Probe *probe)
{
	if (probe->table == NULL)
		return;
	ExecDropSingleTupleTableSlot(probe->slot);
	index_endscan(probe->scan);
	if (probe->seek != NULL)
		index_endscan(probe->seek);
	index_close(probe->index, NoLock);
	table_close(probe->table, NoLock);
}

void
key_text(ScanKey key, AttrNumber attnum, Datum value)
{
	ScanKeyEntryInitialize(key, 0, attnum, BTEqualStrategyNumber, InvalidOid,
						   C_COLLATION_OID, F_TEXTEQ, value);
}

Probe *
probe_by_key(History *history, Probe *probe, NudgeRelation table, int nkeys)
{
	if (probe->table == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(history->context);

		probe_open(probe, nudge_relation(table), InvalidOid, nkeys);
		MemoryContextSwitchTo(old);
	}
	return probe;
}

Probe *
probe_by_index(History *history, Probe *probe, NudgeRelation table,
			   const char *index_name, int nkeys)
{
	Oid			relid = nudge_relation(table);
	MemoryContext old;
	Oid			index;

	if (probe->table != NULL)
		return probe;
	index = get_relname_relid(index_name, get_rel_namespace(relid));
	if (!OidIsValid(index))
		return NULL;
	old = MemoryContextSwitchTo(history->context);
	probe_open(probe, relid, index, nkeys);
	MemoryContextSwitchTo(old);
	return probe;
}

void
probe_rescan(History *history, Probe *probe, ScanKey keys, int nkeys)
{
	MemoryContext old = MemoryContextSwitchTo(history->context);

	index_rescan(probe->scan, keys, nkeys, NULL, 0);
	MemoryContextSwitchTo(old);
}

bool
probe_next(History *history, Probe *probe, ScanDirection direction)
{
	MemoryContext old = MemoryContextSwitchTo(history->context);
	bool		found = index_getnext_slot(probe->scan, direction, probe->slot);

	MemoryContextSwitchTo(old);
	return found;
}

History *
history_open(void)
{
	History    *history = palloc0(sizeof(History));

	history->context = CurrentMemoryContext;
	return history;
}

void
history_close(History *history)
{
	probe_close(&history->users);
	probe_close(&history->segment_members);
	probe_close(&history->cap_usage);
	probe_close(&history->pending);
	probe_close(&history->subscriptions);
	probe_close(&history->user_suppressions);
	probe_close(&history->address_suppressions);
	probe_close(&history->pending_entries);
	probe_close(&history->entries);
	for (int i = 0; i < history->nactions; i++)
		probe_close(&history->actions[i]);
	for (int i = 0; i < history->nevents; i++)
		probe_close(&history->events[i]);
	pfree(history);
}

/*
 * Finds a user's row; copies it if there is one.
 */
static bool
find_user(History *history, Probe *probe, Datum user_id, UserRow *user)
{
	ScanKeyData key;

	key_text(&key, 1, user_id);
	probe_rescan(history, probe, &key, 1);
	if (!probe_next(history, probe, ForwardScanDirection))
		return false;

	user_from_tuple(user, ExecCopySlotHeapTuple(probe->slot),
					RelationGetDescr(probe->table), history->users_stage);
	ExecClearTuple(probe->slot);
	return true;
}

void
history_user(History *history, Datum user_id, UserRow *user)
{
	bool		is_open = history->users.table != NULL;
	Probe	   *probe = probe_by_key(history, &history->users, NUDGE_USERS, 1);

	if (!is_open)
		history->users_stage = nudge_column(RelationGetDescr(probe->table),
											USERS_STAGE_COLUMN);
	user->found = find_user(history, probe, user_id, user) ||
		find_user(history, probe, user_id, user);
}

/*
 * The index of a partition on some columns; InvalidOid where it has none, or is no
 * ordinary table.
 */
static Oid
partition_index(Relation partition, const AttrNumber *wanted, int nwanted)
{
	List	   *indexes;
	Oid			result = InvalidOid;
	ListCell   *lc;

	if (partition->rd_rel->relkind != RELKIND_RELATION)
		return InvalidOid;
	indexes = RelationGetIndexList(partition);
	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;

		if (form->indnkeyatts == nwanted &&
			memcmp(form->indkey.values, wanted, nwanted * sizeof(AttrNumber)) == 0 &&
			form->indisvalid && RelationGetIndexPredicate(index) == NIL)
			result = RelationGetRelid(index);
		index_close(index, NoLock);
		if (OidIsValid(result))
			break;
	}
	list_free(indexes);
	return result;
}

/*
 * When the rows of a partition were recorded, as its bounds say; whenever, in the
 * DEFAULT partition, and where somebody made the table otherwise.
 */
static void
partition_times(PartitionDesc partitions, int partition, Probe *probe)
{
	PartitionBoundInfo bounds = partitions->boundinfo;

	probe->from = PG_INT64_MIN;
	probe->before = PG_INT64_MAX;
	if (bounds->strategy != PARTITION_STRATEGY_RANGE)
		return;
	for (int i = 0; i < bounds->ndatums; i++)
	{
		/* indexes[i] is the partition below the i-th bound. */
		if (bounds->indexes[i] != partition)
			continue;
		if (bounds->kind[i][0] == PARTITION_RANGE_DATUM_VALUE)
			probe->before = DatumGetTimestampTz(bounds->datums[i][0]);
		if (i > 0 && bounds->kind[i - 1][0] == PARTITION_RANGE_DATUM_VALUE)
			probe->from = DatumGetTimestampTz(bounds->datums[i - 1][0]);
	}
}

Probe *
probe_partitions(History *history, NudgeRelation table, const AttrNumber *wanted,
				 int nwanted, int nkeys, int *nprobes, bool *incomplete)
{
	MemoryContext old = MemoryContextSwitchTo(history->context);
	Relation	parent = table_open(nudge_relation(table), AccessShareLock);
	PartitionDesc partitions = RelationGetPartitionDesc(parent, true);
	Probe	   *probes = palloc0(Max(partitions->nparts, 1) * sizeof(Probe));

	for (int i = 0; i < partitions->nparts; i++)
	{
		Relation	partition = table_open(partitions->oids[i],
										   AccessShareLock);
		Oid			index = partition_index(partition, wanted, nwanted);
		bool		empty = OidIsValid(index) &&
		RelationGetNumberOfBlocks(partition) == 0;

		table_close(partition, NoLock);
		if (!OidIsValid(index))
			*incomplete = true;
		else if (!empty)
		{
			Probe	   *probe = &probes[(*nprobes)++];

			probe_open(probe, partitions->oids[i], index, nkeys);
			partition_times(partitions, i, probe);
		}
	}
	table_close(parent, NoLock);
	MemoryContextSwitchTo(old);
	return probes;
}

static void
open_events(History *history)
{
	static const AttrNumber wanted[] = {
		Anum_events_user_id, Anum_events_recorded_at
	};

	history->events = probe_partitions(history, NUDGE_EVENTS, wanted,
									   lengthof(wanted), NUM_EVENT_KEYS,
									   &history->nevents,
									   &history->events_incomplete);
	history->events_open = true;
}

bool
history_visit_events(History *history, Datum user_id, TimestampTz since,
					 EventVisitor visit, void *arg)
{
	ScanKeyData keys[NUM_EVENT_KEYS];
	bool		more = true;

	if (!history->events_open)
		open_events(history);
	if (history->events_incomplete)
		return false;
	key_text(&keys[0], 1, user_id);
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(since));
	for (int i = 0; i < history->nevents && more; i++)
	{
		Probe	   *probe = &history->events[i];

		if (probe->before <= since)
			continue;
		probe_rescan(history, probe, keys, NUM_EVENT_KEYS);
		while (more && probe_next(history, probe, ForwardScanDirection))
		{
			CHECK_FOR_INTERRUPTS();
			more = visit(probe->slot, arg);
		}
		ExecClearTuple(probe->slot);
	}
	return true;
}

bool
history_in_segment(History *history, Datum user_id, const char *segment)
{
	Probe	   *probe = probe_by_key(history, &history->segment_members,
									 NUDGE_SEGMENT_MEMBERS, 2);
	Datum		segment_datum = CStringGetTextDatum(segment);
	ScanKeyData keys[2];
	bool		found;

	key_text(&keys[0], 1, user_id);
	key_text(&keys[1], 2, segment_datum);
	probe_rescan(history, probe, keys, 2);
	found = probe_next(history, probe, ForwardScanDirection);
	ExecClearTuple(probe->slot);
	pfree(DatumGetPointer(segment_datum));
	return found;
}

void
history_segments(History *history, Datum user_id, SegmentVisitor visit, void *arg)
{
	Probe	   *probe = probe_by_key(history, &history->segment_members,
									 NUDGE_SEGMENT_MEMBERS, 2);
	Datum		lowest = PointerGetDatum(cstring_to_text(""));
	ScanKeyData keys[2];

	key_text(&keys[0], 1, user_id);
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTGreaterEqualStrategyNumber,
						   InvalidOid, C_COLLATION_OID, F_TEXT_GE, lowest);
	probe_rescan(history, probe, keys, 2);
	while (probe_next(history, probe, ForwardScanDirection))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		visit(TextDatumGetCString(slot_getattr(probe->slot,
											   Anum_segment_members_segment,
											   &isnull)), arg);
	}
	ExecClearTuple(probe->slot);
}

void
history_usage(History *history, Datum user_id, Usage *usage)
{
	Probe	   *probe = probe_by_key(history, &history->cap_usage,
									 NUDGE_CAP_USAGE, 1);
	ScanKeyData key;

	memset(usage, 0, sizeof(Usage));
	key_text(&key, 1, user_id);
	probe_rescan(history, probe, &key, 1);
	if (probe_next(history, probe, ForwardScanDirection))
	{
		Datum	   *values = probe->slot->tts_values;

		slot_getallattrs(probe->slot);
		usage_from_arrays(usage,
						  values[Anum_cap_usage_rule_ids - 1],
						  values[Anum_cap_usage_channels - 1],
						  values[Anum_cap_usage_days - 1],
						  values[Anum_cap_usage_counts - 1]);
	}
	ExecClearTuple(probe->slot);
}

/*
 * Shows the triggers of a scan that are not dead.
 */
static void
visit_pending(History *history, Probe *probe, ScanKey keys, int nkeys,
			  PendingVisitor visit, void *arg)
{
	Oid			dead = nudge_enum_value(NUDGE_PENDING_STATUS_TYPE, PENDING_DEAD);
	bool		more = true;

	probe_rescan(history, probe, keys, nkeys);
	while (more && probe_next(history, probe, ForwardScanDirection))
	{
		Datum	   *values = probe->slot->tts_values;

		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(probe->slot, Anum_pending_fired_at);
		if (DatumGetObjectId(values[Anum_pending_status - 1]) == dead)
			continue;
		more = visit(DatumGetInt64(values[Anum_pending_rule_id - 1]),
					 DatumGetTimestampTz(values[Anum_pending_fired_at - 1]), arg);
	}
	ExecClearTuple(probe->slot);
}

void
history_pending(History *history, Datum user_id, int64 rule_id,
				PendingVisitor visit, void *arg)
{
	Probe	   *probe = probe_by_key(history, &history->pending, NUDGE_PENDING,
									 2);
	ScanKeyData keys[2];

	key_text(&keys[0], 1, user_id);
	ScanKeyInit(&keys[1], 2,
				rule_id != 0 ? BTEqualStrategyNumber : BTGreaterEqualStrategyNumber,
				rule_id != 0 ? F_INT8EQ : F_INT8GE,
				Int64GetDatum(rule_id != 0 ? rule_id : PG_INT64_MIN));
	visit_pending(history, probe, keys, 2, visit, arg);
}

/*
 * A user and a rule, and a key of entries
 */
static void
entry_keys(ScanKey keys, Datum user_id, int64 rule_id, Datum key)
{
	key_text(&keys[0], 1, user_id);
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(rule_id));
	key_text(&keys[2], 3, key);
}

/*
 * By an index of their own, since a rule may have as many triggers waiting as
 * there are keys.  Where somebody dropped it, nothing is found, and the executor
 * decides alone.
 */
void
history_pending_entries(History *history, Datum user_id, int64 rule_id,
						Datum key, PendingVisitor visit, void *arg)
{
	Probe	   *probe = probe_by_index(history, &history->pending_entries,
									   NUDGE_PENDING, PENDING_REENTRY_INDEX, 3);
	ScanKeyData keys[3];

	if (probe == NULL)
		return;
	entry_keys(keys, user_id, rule_id, key);
	visit_pending(history, probe, keys, 3, visit, arg);
}

bool
history_entry(History *history, Datum user_id, int64 rule_id, Datum key,
			  TimestampTz *entered_at)
{
	Probe	   *probe = probe_by_key(history, &history->entries,
									 NUDGE_RULE_ENTRIES, 3);
	ScanKeyData keys[3];
	bool		found;
	bool		isnull;

	entry_keys(keys, user_id, rule_id, key);
	probe_rescan(history, probe, keys, 3);
	found = probe_next(history, probe, ForwardScanDirection);
	if (found)
		*entered_at =
			DatumGetTimestampTz(slot_getattr(probe->slot,
											 Anum_rule_entries_entered_at, &isnull));
	ExecClearTuple(probe->slot);
	return found;
}
