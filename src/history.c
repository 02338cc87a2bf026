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
#include "bytesmap.h"
#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "relations.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
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
#define Anum_subscriptions_subscribed 3
#define Anum_suppressions_address 3
#define Anum_suppressions_channel 4
#define Anum_suppressions_reason 5

/* Indexes of nudge.suppressions, which begin with what they look up by */
#define SUPPRESSIONS_BY_USER "suppressions_user_id_idx"
#define SUPPRESSIONS_BY_ADDRESS "suppressions_address_idx"

#define PENDING_REENTRY_INDEX "pending_reentry_idx"

/* A table, open for look-ups through one of its indexes */
typedef struct Probe
{
	Relation	table;
	Relation	index;
	IndexScanDesc scan;
	IndexScanDesc seek;			/* of the index alone; opened at first use */
	TupleTableSlot *slot;

	/* A partition's rows were recorded from then on, and before the other */
	TimestampTz from;
	TimestampTz before;
} Probe;

/* Keys of a scan of actions: user, type, two ends of times, two ends of ids */
#define NUM_ACTION_KEYS 6

/* Keys of a look for types that a user has done: user, type */
#define NUM_SEEK_KEYS 2

/* Keys of a scan of events: user, and when it was recorded */
#define NUM_EVENT_KEYS 2

/* So many users of a statement are remembered. */
#define MAX_MEMOS 4096

/* So many notes about users of a statement are kept. */
#define MAX_NOTES 100000

/* What is known of a user's history up to a row of the statement */
typedef struct Memo
{
	const char *count_type;		/* NULL: nothing */
	int64		count_id;		/* up to and including this action */
	int64		count;
	int64		count_limit;

	const char *last_type;		/* NULL: nothing */
	int64		last_id;
	TimestampTz since;			/* what was asked */
	TimestampTz enough;
	bool		found;
	TimestampTz last;
} Memo;

struct History
{
	MemoryContext context;		/* lives as long as the statement */
	Probe		users;
	AttrNumber	users_stage;	/* a column of users; 0: not there */
	Probe		segment_members;
	Probe		cap_usage;
	Probe		pending;
	Probe		subscriptions;
	Probe		user_suppressions;
	Probe		address_suppressions;
	Probe		pending_entries;	/* pending by another index */
	Probe		entries;
	bool		suppressions_known; /* whether there are any */
	bool		no_suppressions;
	bool		actions_open;
	int			nactions;		/* one a partition */
	Probe	   *actions;
	bool		incomplete;		/* a partition cannot be looked into */
	bytesmap_hash *memos;		/* of Memo, by user */
	bytesmap_hash *notes;		/* of history_note, by user and key */
	int			types_max;		/* room in types_done */
	bool	   *types_done;		/* all false in between */
	bool		events_open;
	int			nevents;		/* one a partition */
	Probe	   *events;
	bool		events_incomplete;
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
	if (probe->seek != NULL)
		index_endscan(probe->seek);
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

/*
 * Opens the partitions of a table, each by its index on the columns wanted.  One
 * that somebody made without it cannot be looked into: *incomplete.  Those that are
 * empty as yet are left out.
 */
static Probe *
open_partitions(History *history, NudgeRelation table, const AttrNumber *wanted,
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

/*
 * A partition without the index that looks up by user and type makes the history
 * incomplete.
 */
static void
open_actions(History *history)
{
	static const AttrNumber wanted[] = {
		Anum_actions_user_id, Anum_actions_action_type,
		Anum_actions_recorded_at, Anum_actions_action_id
	};

	history->actions = open_partitions(history, NUDGE_ACTIONS, wanted,
									   lengthof(wanted), NUM_ACTION_KEYS,
									   &history->nactions, &history->incomplete);
	history->actions_open = true;
}

bool
history_is_complete(History *history)
{
	if (!history->actions_open)
		open_actions(history);
	return !history->incomplete;
}

/* Actions of one user and type that were recorded in a range of time, and in a
 * range of ids */
typedef struct ActionRange
{
	TimestampTz from;			/* inclusive, as is to */
	TimestampTz to;
	int64		after_id;		/* exclusive */
	int64		upto_id;		/* inclusive */
} ActionRange;

static void
rescan_actions(History *history, Probe *probe, const Action *action, Datum type,
			   const ActionRange *range)
{
	ScanKeyData keys[NUM_ACTION_KEYS];

	key_text(&keys[0], 1, action->user_id_datum);
	if (DatumGetPointer(type) != NULL)
		key_text(&keys[1], 2, type);
	else
		ScanKeyEntryInitialize(&keys[1], 0, 2, BTGreaterEqualStrategyNumber,
							   InvalidOid, C_COLLATION_OID, F_TEXT_GE,
							   PointerGetDatum(cstring_to_text("")));
	ScanKeyInit(&keys[2], 3, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(range->from));
	ScanKeyInit(&keys[3], 3, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE,
				TimestampTzGetDatum(range->to));
	ScanKeyInit(&keys[4], 4, BTGreaterStrategyNumber, F_INT8GT,
				Int64GetDatum(range->after_id));
	ScanKeyInit(&keys[5], 4, BTLessEqualStrategyNumber, F_INT8LE,
				Int64GetDatum(range->upto_id));
	probe_rescan(history, probe, keys, NUM_ACTION_KEYS);
}

/* Whether a partition has nothing that was recorded in the range of time */
static inline bool
is_outside(const Probe *probe, const ActionRange *range)
{
	return probe->before <= range->from || probe->from > range->to;
}

/* What was recorded before the action in hand, no earlier than since */
static ActionRange
actions_before(const Action *action, TimestampTz since)
{
	ActionRange range = {since, PG_INT64_MAX, PG_INT64_MIN, PG_INT64_MAX};

	if (action->recorded)
		range.to = action->recorded_at - 1;
	else if (action->ends_history)
		range.to = action->recorded_at;
	return range;
}

/* What was recorded in the same transaction, after an id, up to the action */
static ActionRange
actions_beside(const Action *action, int64 after_id)
{
	ActionRange range = {action->recorded_at, action->recorded_at, after_id,
	action->action_id};

	return range;
}

/* An action that is only thought of is itself the last of its type. */
static bool
is_thought_of(const Action *action, const char *type)
{
	return !action->recorded && action->action_type.length == strlen(type) &&
		memcmp(action->action_type.data, type, strlen(type)) == 0;
}

/*
 * What is remembered of the action's user, to be carried on from row to row of
 * the statement; NULL where nothing is.  Counting anew for each row would make
 * many rows of one user cost the square of their number.
 */
static Memo *
find_memo(History *history, const Action *action)
{
	MemoryContext old;
	BytesMapEntry *entry;
	Bytes		key = action->user_id;
	bool		found;

	if (!action->recorded)
		return NULL;
	old = MemoryContextSwitchTo(history->context);
	if (history->memos == NULL)
		history->memos = bytesmap_create(history->context, 64, NULL);
	entry = bytesmap_lookup(history->memos, key);
	if (entry == NULL && history->memos->members < MAX_MEMOS)
	{
		key.data = memcpy(palloc(key.length), key.data, key.length);
		entry = bytesmap_insert(history->memos, key, &found);
		entry->value = palloc0(sizeof(Memo));
	}
	MemoryContextSwitchTo(old);
	return entry != NULL ? entry->value : NULL;
}

/*
 * Counts the actions in a range, as long as count stays below limit.
 */
static int64
count_range(History *history, const Action *action, Datum type,
			ActionRange range, int64 count, int64 limit)
{
	for (int i = 0; i < history->nactions && count < limit; i++)
	{
		Probe	   *probe = &history->actions[i];

		if (is_outside(probe, &range))
			continue;
		rescan_actions(history, probe, action, type, &range);
		while (count < limit &&
			   probe_next(history, probe, ForwardScanDirection))
		{
			CHECK_FOR_INTERRUPTS();
			count++;
		}
		ExecClearTuple(probe->slot);
	}
	return count;
}

int64
history_count_actions(History *history, const Action *action, const char *type,
					  int64 limit)
{
	Datum		type_datum = CStringGetTextDatum(type);
	Memo	   *memo = find_memo(history, action);
	int64		count = is_thought_of(action, type) ? 1 : 0;

	if (!history->actions_open)
		open_actions(history);

	/* What was cut off at a limit is good for limits up to that one only. */
	if (memo != NULL && memo->count_type == type &&
		memo->count_id <= action->action_id &&
		(memo->count < memo->count_limit || memo->count >= limit))
		count = count_range(history, action, type_datum,
							actions_beside(action, memo->count_id), memo->count,
							limit);
	else
	{
		count = count_range(history, action, type_datum,
							actions_before(action, PG_INT64_MIN), count, limit);
		if (action->recorded)
			count = count_range(history, action, type_datum,
								actions_beside(action, PG_INT64_MIN), count, limit);
	}
	if (memo != NULL)
	{
		memo->count_type = type;
		memo->count_id = action->action_id;
		memo->count = count;
		memo->count_limit = limit;
	}
	pfree(DatumGetPointer(type_datum));
	return count;
}

/*
 * Looks for the latest occurred_at in a range, from its end, until there is one
 * that is not before enough.
 */
static void
last_in_range(History *history, const Action *action, Datum type,
			  ActionRange range, TimestampTz enough, bool *found,
			  TimestampTz *last)
{
	for (int i = 0; i < history->nactions; i++)
	{
		Probe	   *probe = &history->actions[i];

		if (is_outside(probe, &range))
			continue;
		rescan_actions(history, probe, action, type, &range);
		while (!(*found && *last >= enough) &&
			   probe_next(history, probe, BackwardScanDirection))
		{
			TimestampTz occurred_at;
			bool		isnull;

			CHECK_FOR_INTERRUPTS();
			occurred_at =
				DatumGetTimestampTz(slot_getattr(probe->slot,
												 Anum_actions_occurred_at,
												 &isnull));
			if (!*found || occurred_at > *last)
				*last = occurred_at;
			*found = true;
		}
		ExecClearTuple(probe->slot);
	}
}

bool
history_last_action(History *history, const Action *action, const char *type,
					TimestampTz since, TimestampTz enough, TimestampTz *last)
{
	Datum		type_datum = CStringGetTextDatum(type);
	Memo	   *memo = find_memo(history, action);
	bool		found = is_thought_of(action, type);
	int64		after_id = PG_INT64_MIN;

	if (found)
		*last = action->occurred_at;
	if (!history->actions_open)
		open_actions(history);

	if (memo != NULL && memo->last_type == type && memo->since == since &&
		memo->enough == enough && memo->last_id <= action->action_id)
	{
		found = memo->found;
		*last = memo->last;
		after_id = memo->last_id;
	}
	if (action->recorded)
		last_in_range(history, action, type_datum,
					  actions_beside(action, after_id), enough, &found, last);
	if (after_id == PG_INT64_MIN)
		last_in_range(history, action, type_datum, actions_before(action, since),
					  enough, &found, last);
	if (memo != NULL)
	{
		memo->last_type = type;
		memo->last_id = action->action_id;
		memo->since = since;
		memo->enough = enough;
		memo->found = found;
		memo->last = *last;
	}
	pfree(DatumGetPointer(type_datum));
	return found;
}

/*
 * Shows the actions in a range; false once the visitor has seen enough.
 */
static bool
visit_range(History *history, const Action *action, Datum type,
			ActionRange range, PastActionVisitor visit, void *arg)
{
	bool		more = true;

	for (int i = 0; i < history->nactions && more; i++)
	{
		Probe	   *probe = &history->actions[i];

		if (is_outside(probe, &range))
			continue;
		rescan_actions(history, probe, action, type, &range);
		while (more && probe_next(history, probe, BackwardScanDirection))
		{
			CHECK_FOR_INTERRUPTS();
			more = visit(probe->slot, arg);
		}
		ExecClearTuple(probe->slot);
	}
	return more;
}

void
history_visit_actions(History *history, const Action *action, Datum type,
					  TimestampTz since, int64 after_id,
					  PastActionVisitor visit, void *arg)
{
	bool		more = true;

	if (!history->actions_open)
		open_actions(history);
	if (action->recorded)
		more = visit_range(history, action, type,
						   actions_beside(action, after_id), visit, arg);
	if (more && after_id == PG_INT64_MIN)
		visit_range(history, action, type, actions_before(action, since), visit,
					arg);
}

void *
history_note(History *history, const Action *action, Bytes key, Size size)
{
	char		space[256];
	Bytes		whole = {space, action->user_id.length + 1 + key.length};
	BytesMapEntry *entry;
	bool		found;

	if (!action->recorded)
		return NULL;
	if (history->notes == NULL)
		history->notes = bytesmap_create(history->context, 64, NULL);
	if (whole.length > sizeof(space))
		whole.data = palloc(whole.length);
	memcpy(whole.data, action->user_id.data, action->user_id.length);
	whole.data[action->user_id.length] = '\0';	/* is in no user_id */
	memcpy(whole.data + action->user_id.length + 1, key.data, key.length);

	entry = bytesmap_lookup(history->notes, whole);
	if (entry == NULL && history->notes->members < MAX_NOTES)
	{
		MemoryContext old = MemoryContextSwitchTo(history->context);

		whole.data = memcpy(palloc(whole.length), whole.data, whole.length);
		entry = bytesmap_insert(history->notes, whole, &found);
		entry->value = palloc0(size);
		MemoryContextSwitchTo(old);
	}
	return entry != NULL ? entry->value : NULL;
}

static int
compare_bytes(Bytes a, Bytes b)
{
	int			result = memcmp(a.data, b.data, Min(a.length, b.length));

	return result != 0 ? result : a.length - b.length;
}

/*
 * The type of the first action of the user, by type, that is not before the one
 * given.  It is taken from the index alone: whether the row is visible, or alive, does
 * not matter to who wants to know what may be there.
 */
static bool
seek_type(History *history, Probe *probe, Datum user_id, Bytes from, Bytes *type)
{
	Datum		from_datum = PointerGetDatum(cstring_to_text_with_len(from.data,
																	 from.length));
	ScanKeyData keys[NUM_SEEK_KEYS];
	MemoryContext old;
	Datum		found_type = (Datum) 0;
	bool		found;
	bool		isnull;

	key_text(&keys[0], 1, user_id);
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTGreaterEqualStrategyNumber,
						   InvalidOid, C_COLLATION_OID, F_TEXT_GE, from_datum);

	old = MemoryContextSwitchTo(history->context);
	if (probe->seek == NULL)
	{
		probe->seek = index_beginscan(probe->table, probe->index, SnapshotSelf,
									  NUM_SEEK_KEYS, 0);
		probe->seek->xs_want_itup = true;
	}
	index_rescan(probe->seek, keys, NUM_SEEK_KEYS, NULL, 0);
	found = index_getnext_tid(probe->seek, ForwardScanDirection) != NULL;
	if (found)
		found_type = index_getattr(probe->seek->xs_itup, 2,
								   probe->seek->xs_itupdesc, &isnull);
	MemoryContextSwitchTo(old);
	/* A long one may have been compressed. */
	if (found)
		*type = bytes_of_text(PointerGetDatum(PG_DETOAST_DATUM_PACKED(found_type)));
	pfree(DatumGetPointer(from_datum));
	return found;
}

/* Places of types that a user has done, while they are gathered */
typedef struct TypesDone
{
	bool	   *done;			/* by place; all false in between */
	int			n;
	int			max;
	int		   *places;
} TypesDone;

static void
add_place(TypesDone *found, int place)
{
	if (found->done[place])
		return;
	if (found->n == found->max)
	{
		found->max = Max(8, found->max * 2);
		found->places = found->n == 0 ? palloc(found->max * sizeof(int)) :
			repalloc(found->places, found->max * sizeof(int));
	}
	found->done[place] = true;
	found->places[found->n++] = place;
}

/*
 * Goes through the user's types and the wanted ones like a zip: each look into the
 * index leaps over what only one side has, so that it takes no more looks than the
 * shorter side is long.
 */
static void
leap_types(History *history, Probe *probe, const Action *action,
		   const Bytes *types, int ntypes, TypesDone *found)
{
	Bytes		type;
	int			i = 0;

	while (i < ntypes &&
		   seek_type(history, probe, action->user_id_datum, types[i], &type))
	{
		int			end = ntypes;

		CHECK_FOR_INTERRUPTS();
		/* The first that is not before the type found */
		while (i < end)
		{
			int			middle = i + (end - i) / 2;

			if (compare_bytes(types[middle], type) < 0)
				i = middle + 1;
			else
				end = middle;
		}
		if (i < ntypes && compare_bytes(types[i], type) == 0)
			add_place(found, i++);
	}
}

typedef struct TypesNote
{
	bool		known;
	int			n;
	int		   *places;
} TypesNote;

/* The note is filled in memory of the current context. */
static void
find_types_done(History *history, const Action *action, const Bytes *types,
				int ntypes, TypesNote *note)
{
	TypesDone	found = {history->types_done};

	if (!history->actions_open)
		open_actions(history);
	if (history->types_max < ntypes)
	{
		history->types_done = found.done =
			MemoryContextAllocZero(history->context, ntypes * sizeof(bool));
		history->types_max = ntypes;
	}
	for (int i = 0; i < history->nactions; i++)
		leap_types(history, &history->actions[i], action, types, ntypes, &found);
	for (int i = 0; i < found.n; i++)
		found.done[found.places[i]] = false;
	note->n = found.n;
	note->places = found.places;
	note->known = true;
}

const int *
history_types_done(History *history, const Action *action, const Bytes *types,
				   int ntypes, int *n)
{
	Bytes		key = {(char *) &types, sizeof(types)};
	TypesNote	unkept = {false};
	TypesNote  *note = history_note(history, action, key, sizeof(TypesNote));

	if (note == NULL)
		find_types_done(history, action, types, ntypes, note = &unkept);
	else if (!note->known)
	{
		MemoryContext old = MemoryContextSwitchTo(history->context);

		find_types_done(history, action, types, ntypes, note);
		MemoryContextSwitchTo(old);
	}
	*n = note->n;
	return note->places;
}

static void
open_events(History *history)
{
	static const AttrNumber wanted[] = {
		Anum_events_user_id, Anum_events_recorded_at
	};

	history->events = open_partitions(history, NUDGE_EVENTS, wanted,
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
	Oid			table = nudge_relation(NUDGE_SUPPRESSIONS);
	MemoryContext old;
	Oid			index;

	if (probe->table != NULL)
		return probe;
	index = get_relname_relid(index_name, get_rel_namespace(table));
	if (!OidIsValid(index))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index \"%s\" of table nudge.suppressions does not exist",
						index_name),
				 errhint("Create it again as the extension's script does.")));
	old = MemoryContextSwitchTo(history->context);
	probe_open(probe, table, index, 1);
	MemoryContextSwitchTo(old);
	return probe;
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
	Probe	   *probe = &history->pending_entries;
	ScanKeyData keys[3];

	if (probe->table == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(history->context);
		Oid			table = nudge_relation(NUDGE_PENDING);
		Oid			index = get_relname_relid(PENDING_REENTRY_INDEX,
											  get_rel_namespace(table));

		if (OidIsValid(index))
			probe_open(probe, table, index, 3);
		MemoryContextSwitchTo(old);
		if (!OidIsValid(index))
			return;
	}
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
