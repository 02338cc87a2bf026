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

#include "history.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "partitioning/partdesc.h"
#include "relations.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Columns that are read here of the other tables */
#define Anum_pending_pending_id 2
#define Anum_pending_rule_id 3
#define Anum_pending_status 5
#define Anum_pending_fired_at 7
#define Anum_cap_usage_rule_ids 2
#define Anum_cap_usage_channels 3
#define Anum_cap_usage_days 4
#define Anum_cap_usage_counts 5

/* A table, open for look-ups through one of its indexes */
typedef struct Probe
{
	Relation	table;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
} Probe;

struct History
{
	MemoryContext context;		/* lives as long as the statement */
	Probe		users;
	Probe		segment_members;
	Probe		cap_usage;
	Probe		pending;
	bool		actions_open;
	int			nactions;		/* one a partition */
	Probe	   *actions;
};

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
	index_close(probe->index, NoLock);
	table_close(probe->table, NoLock);
}

static void
key_text(ScanKey key, AttrNumber attnum, Datum value)
{
	ScanKeyEntryInitialize(key, 0, attnum, BTEqualStrategyNumber, InvalidOid,
						   C_COLLATION_OID, F_TEXTEQ, value);
}

/* A table's probe by its primary key, opened at first use */
static Probe *
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

/*
 * Scans run in the statement's context: what an index access method allocates
 * on the way lives as long as the scan, not as the action in hand.
 */
static void
probe_rescan(History *history, Probe *probe, ScanKey keys, int nkeys)
{
	MemoryContext old = MemoryContextSwitchTo(history->context);

	index_rescan(probe->scan, keys, nkeys, NULL, 0);
	MemoryContextSwitchTo(old);
}

static bool
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
	for (int i = 0; i < history->nactions; i++)
		probe_close(&history->actions[i]);
	pfree(history);
}

/*
 * Finds a user's row; copies it if there is one.
 */
static bool
find_user(History *history, Probe *probe, Datum user_id, UserRow *user)
{
	ScanKeyData key;
	HeapTuple	tuple;

	key_text(&key, 1, user_id);
	probe_rescan(history, probe, &key, 1);
	if (!probe_next(history, probe, ForwardScanDirection))
		return false;

	tuple = ExecCopySlotHeapTuple(probe->slot);
	ExecClearTuple(probe->slot);
	heap_deform_tuple(tuple, RelationGetDescr(probe->table), user->values,
					  user->nulls);
	return true;
}

void
history_user(History *history, Datum user_id, UserRow *user)
{
	Probe	   *probe = probe_by_key(history, &history->users, NUDGE_USERS, 1);

	user->found = find_user(history, probe, user_id, user) ||
		find_user(history, probe, user_id, user);
}

/*
 * The index of a partition of nudge.actions that looks up by user and type.
 */
static Oid
actions_index(Relation partition)
{
	static const AttrNumber wanted[] = {
		Anum_actions_user_id, Anum_actions_action_type,
		Anum_actions_recorded_at, Anum_actions_action_id
	};
	List	   *indexes = RelationGetIndexList(partition);
	Oid			result = InvalidOid;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;

		if (form->indnkeyatts == lengthof(wanted) &&
			memcmp(form->indkey.values, wanted, sizeof(wanted)) == 0 &&
			form->indisvalid)
			result = RelationGetRelid(index);
		index_close(index, NoLock);
		if (OidIsValid(result))
			break;
	}
	list_free(indexes);
	if (!OidIsValid(result))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("partition \"%s\" of nudge.actions lacks its index",
						RelationGetRelationName(partition)),
				 errdetail("There must be an index on (user_id, action_type, recorded_at, action_id)."),
				 errhint("Create it, or make partitions with nudge.maintain().")));
	return result;
}

static void
open_actions(History *history)
{
	MemoryContext old = MemoryContextSwitchTo(history->context);
	Relation	parent = table_open(nudge_relation(NUDGE_ACTIONS),
									AccessShareLock);
	PartitionDesc partitions = RelationGetPartitionDesc(parent, true);

	history->actions = palloc0(Max(partitions->nparts, 1) * sizeof(Probe));
	for (int i = 0; i < partitions->nparts; i++)
	{
		Relation	partition = table_open(partitions->oids[i],
										   AccessShareLock);
		Oid			index = actions_index(partition);

		table_close(partition, NoLock);
		probe_open(&history->actions[i], partitions->oids[i], index, 3);
		history->nactions++;
	}
	table_close(parent, NoLock);
	history->actions_open = true;
	MemoryContextSwitchTo(old);
}

/*
 * Starts a scan of the user's actions of a type that were recorded at a time
 * that compares so with bound.
 */
static void
rescan_actions(History *history, Probe *probe, const Action *action, Datum type,
			   StrategyNumber strategy, TimestampTz bound)
{
	ScanKeyData keys[3];

	key_text(&keys[0], 1, action->user_id_datum);
	key_text(&keys[1], 2, type);
	ScanKeyEntryInitialize(&keys[2], 0, 3, strategy, InvalidOid, InvalidOid,
						   strategy == BTLessEqualStrategyNumber ?
						   F_TIMESTAMPTZ_LE : F_TIMESTAMPTZ_GE,
						   TimestampTzGetDatum(bound));
	probe_rescan(history, probe, keys, 3);
}

/* Does the row in slot come after the action in hand? */
static bool
is_later(TupleTableSlot *slot, const Action *action)
{
	TimestampTz recorded_at;
	int64		action_id;
	bool		isnull;

	if (!action->recorded)
		return false;
	recorded_at = DatumGetTimestampTz(slot_getattr(slot,
												   Anum_actions_recorded_at,
												   &isnull));
	if (recorded_at != action->recorded_at)
		return recorded_at > action->recorded_at;
	action_id = DatumGetInt64(slot_getattr(slot, Anum_actions_action_id,
										   &isnull));
	return action_id > action->action_id;
}

/* An action that is only thought of is itself the last of its type. */
static bool
is_thought_of(const Action *action, const char *type)
{
	return !action->recorded && action->action_type.length == strlen(type) &&
		memcmp(action->action_type.data, type, strlen(type)) == 0;
}

int64
history_count_actions(History *history, const Action *action, const char *type,
					  int64 limit)
{
	Datum		type_datum = CStringGetTextDatum(type);
	TimestampTz until = action->recorded ? action->recorded_at : DT_NOEND;
	int64		count = is_thought_of(action, type) ? 1 : 0;

	if (!history->actions_open)
		open_actions(history);
	for (int i = 0; i < history->nactions && count < limit; i++)
	{
		Probe	   *probe = &history->actions[i];

		rescan_actions(history, probe, action, type_datum, BTLessEqualStrategyNumber,
					   until);
		while (count < limit &&
			   probe_next(history, probe, ForwardScanDirection))
		{
			CHECK_FOR_INTERRUPTS();
			if (!is_later(probe->slot, action))
				count++;
		}
		ExecClearTuple(probe->slot);
	}
	pfree(DatumGetPointer(type_datum));
	return count;
}

bool
history_last_action(History *history, const Action *action, const char *type,
					TimestampTz since, TimestampTz enough, TimestampTz *last)
{
	Datum		type_datum = CStringGetTextDatum(type);
	bool		found = is_thought_of(action, type);

	if (found)
		*last = action->occurred_at;
	if (!history->actions_open)
		open_actions(history);
	for (int i = 0; i < history->nactions; i++)
	{
		Probe	   *probe = &history->actions[i];

		rescan_actions(history, probe, action, type_datum, BTGreaterEqualStrategyNumber,
					   since);
		while (!(found && *last >= enough) &&
			   probe_next(history, probe, BackwardScanDirection))
		{
			TimestampTz occurred_at;
			bool		isnull;

			CHECK_FOR_INTERRUPTS();
			if (is_later(probe->slot, action))
				continue;
			occurred_at =
				DatumGetTimestampTz(slot_getattr(probe->slot,
												 Anum_actions_occurred_at,
												 &isnull));
			if (!found || occurred_at > *last)
				*last = occurred_at;
			found = true;
		}
		ExecClearTuple(probe->slot);
	}
	pfree(DatumGetPointer(type_datum));
	return found;
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

void
history_pending(History *history, Datum user_id, PendingVisitor visit,
				void *arg)
{
	Probe	   *probe = probe_by_key(history, &history->pending, NUDGE_PENDING,
									 1);
	Oid			dead = nudge_enum_value(NUDGE_PENDING_STATUS_TYPE, PENDING_DEAD);
	ScanKeyData key;

	key_text(&key, 1, user_id);
	probe_rescan(history, probe, &key, 1);
	while (probe_next(history, probe, ForwardScanDirection))
	{
		Datum	   *values = probe->slot->tts_values;

		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(probe->slot, Anum_pending_fired_at);
		if (DatumGetObjectId(values[Anum_pending_status - 1]) == dead)
			continue;
		visit(DatumGetInt64(values[Anum_pending_rule_id - 1]),
			  DatumGetTimestampTz(values[Anum_pending_fired_at - 1]), arg);
	}
	ExecClearTuple(probe->slot);
}
