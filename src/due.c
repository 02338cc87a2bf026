/*-------------------------------------------------------------------------
 *
 * due.c
 *	  The queue of due triggers, in the order in which they are executed.
 *
 * Each priority promises a latency.  Whatever is past its promise goes first, in
 * the order of the promised times, so that nothing starves; then it goes by
 * priority, and within one by due time.
 *
 * One scan of the index over (priority, due_at) a priority yields that
 * priority's triggers by due time, and therefore by promised time.  The queue
 * looks at the heads of the scans, takes the one that comes first, and locks only
 * that one.  The scans stay open for the whole call, so that they never walk
 * again over what the call has already taken.
 *
 * Locking: RowShareLock on the table is the caller's; each trigger is locked as
 * by FOR UPDATE SKIP LOCKED.  A trigger that another executor holds, or has
 * changed since the snapshot, is stepped over: it is either done, or seen again
 * by a later call.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "due.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "pg_nudge.h"
#include "relations.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define DUE_INDEX "pending_due_idx"

/* After the due time, in microseconds */
static const int64 latencies[NUM_PRIORITIES] = {
	[PRIORITY_IMMEDIATE] = 10 * USECS_PER_SEC,
	[PRIORITY_HIGH] = 5 * USECS_PER_MINUTE,
	[PRIORITY_NORMAL] = 30 * USECS_PER_MINUTE,
	[PRIORITY_LOW] = 2 * USECS_PER_HOUR,
	[PRIORITY_BATCH] = 2 * USECS_PER_HOUR,
};

/* The triggers of one priority, by due time */
typedef struct Stream
{
	IndexScanDesc scan;
	TupleTableSlot *slot;		/* the head, if there is one */
	bool		fetched;		/* slot is up to date */
	bool		ended;
	TimestampTz due_at;			/* of the head */
	TimestampTz promise;
} Stream;

struct DueQueue
{
	MemoryContext context;		/* lives as long as the queue */
	Relation	pending;
	Relation	index;
	TimestampTz as_of;
	Snapshot	snapshot;
	TupleTableSlot *locked;
	Datum	   *values;			/* of all columns, also of those that users added */
	bool	   *nulls;
	AttrNumber	later[NLATER_PENDING];	/* numbers of later columns, 0: not there */
	Stream		streams[NUM_PRIORITIES];
};

DueQueue *
due_open(Relation pending, TimestampTz as_of)
{
	DueQueue   *queue = palloc0(sizeof(DueQueue));
	Oid			index = get_relname_relid(DUE_INDEX,
										  RelationGetNamespace(pending));

	if (!OidIsValid(index))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index \"%s\" of table nudge.pending does not exist",
						DUE_INDEX),
				 errhint("Create it again as the extension's script does.")));

	queue->context = CurrentMemoryContext;
	queue->pending = pending;
	queue->index = index_open(index, AccessShareLock);
	queue->as_of = as_of;
	queue->snapshot = RegisterSnapshot(GetActiveSnapshot());
	queue->locked = table_slot_create(pending, NULL);
	queue->values = palloc(RelationGetNumberOfAttributes(pending) * sizeof(Datum));
	queue->nulls = palloc(RelationGetNumberOfAttributes(pending) * sizeof(bool));

	for (int i = 0; i < NLATER_PENDING; i++)
		queue->later[i] = nudge_column(RelationGetDescr(pending),
										 pending_later_columns[i]);

	for (int i = 0; i < NUM_PRIORITIES; i++)
	{
		Stream	   *stream = &queue->streams[i];
		ScanKeyData keys[2];

		ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_ENUM_EQ,
					ObjectIdGetDatum(nudge_enum_value(NUDGE_PRIORITY_TYPE, i)));
		ScanKeyInit(&keys[1], 2, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE,
					TimestampTzGetDatum(as_of));
		stream->scan = index_beginscan(pending, queue->index, queue->snapshot,
									   2, 0);
		index_rescan(stream->scan, keys, 2, NULL, 0);
		stream->slot = table_slot_create(pending, NULL);
	}
	return queue;
}

void
due_close(DueQueue *queue)
{
	for (int i = 0; i < NUM_PRIORITIES; i++)
	{
		ExecDropSingleTupleTableSlot(queue->streams[i].slot);
		index_endscan(queue->streams[i].scan);
	}
	ExecDropSingleTupleTableSlot(queue->locked);
	UnregisterSnapshot(queue->snapshot);
	index_close(queue->index, NoLock);
	pfree(queue->values);
	pfree(queue->nulls);
	pfree(queue);
}

/*
 * Makes the stream's head known.  What the index access method allocates on the
 * way must live as long as the scan, not as the caller's batch.
 */
static void
fetch_head(DueQueue *queue, Stream *stream, int64 latency)
{
	MemoryContext old;
	bool		isnull;
	bool		found;

	if (stream->fetched || stream->ended)
		return;
	old = MemoryContextSwitchTo(queue->context);
	found = index_getnext_slot(stream->scan, ForwardScanDirection, stream->slot);
	MemoryContextSwitchTo(old);
	if (!found)
	{
		stream->ended = true;
		return;
	}
	stream->fetched = true;
	stream->due_at = DatumGetTimestampTz(slot_getattr(stream->slot,
													  Anum_pending_due_at,
													  &isnull));

	/* Nothing overflows: the greatest timestamp is days below the type's end. */
	stream->promise = stream->due_at;
	if (!TIMESTAMP_NOT_FINITE(stream->due_at))
		stream->promise += latency;
}

/*
 * The stream whose head goes next, or NULL.
 */
static Stream *
choose_stream(DueQueue *queue)
{
	Stream	   *overdue = NULL;
	Stream	   *first = NULL;

	for (int i = 0; i < NUM_PRIORITIES; i++)
	{
		Stream	   *stream = &queue->streams[i];

		fetch_head(queue, stream, latencies[i]);
		if (stream->ended)
			continue;
		if (first == NULL)
			first = stream;
		if (stream->promise < queue->as_of &&
			(overdue == NULL || stream->promise < overdue->promise))
			overdue = stream;
	}
	return overdue != NULL ? overdue : first;
}

static void
copy_trigger(DueQueue *queue, DueTrigger *trigger)
{
	TupleTableSlot *slot = queue->locked;
	HeapTuple	tuple = ExecCopySlotHeapTuple(slot);
	Datum	   *values = trigger->values;
	struct varlena *user_id;

	/* The table may have more columns than a trigger. */
	heap_deform_tuple(tuple, slot->tts_tupleDescriptor, queue->values, queue->nulls);
	memcpy(values, queue->values, NFIRST_PENDING * sizeof(Datum));
	memcpy(trigger->nulls, queue->nulls, NFIRST_PENDING * sizeof(bool));
	for (int i = 0; i < NLATER_PENDING; i++)
	{
		AttrNumber	attnum = queue->later[i];

		values[NFIRST_PENDING + i] = attnum > 0 ? queue->values[attnum - 1] : (Datum) 0;
		trigger->nulls[NFIRST_PENDING + i] = attnum == 0 || queue->nulls[attnum - 1];
	}
	trigger->tid = slot->tts_tid;
	user_id = PG_DETOAST_DATUM_PACKED(values[Anum_pending_user_id - 1]);
	values[Anum_pending_user_id - 1] = PointerGetDatum(user_id);
	trigger->user_id.data = VARDATA_ANY(user_id);
	trigger->user_id.length = VARSIZE_ANY_EXHDR(user_id);
	trigger->pending_id = DatumGetInt64(values[Anum_pending_pending_id - 1]);
	trigger->rule_id = DatumGetInt64(values[Anum_pending_rule_id - 1]);
	trigger->priority =
		nudge_enum_ordinal(NUDGE_PRIORITY_TYPE,
						   DatumGetObjectId(values[Anum_pending_priority - 1]));
	trigger->attempts = DatumGetInt32(values[Anum_pending_attempts - 1]);
	trigger->fired_at = DatumGetTimestampTz(values[Anum_pending_fired_at - 1]);
	trigger->due_at = DatumGetTimestampTz(values[Anum_pending_due_at - 1]);
}

bool
due_next(DueQueue *queue, DueTrigger *trigger)
{
	Stream	   *stream;

	while ((stream = choose_stream(queue)) != NULL)
	{
		ItemPointerData tid = stream->slot->tts_tid;
		TM_FailureData failure;
		TM_Result	result;

		CHECK_FOR_INTERRUPTS();
		stream->fetched = false;
		result = table_tuple_lock(queue->pending, &tid, queue->snapshot,
								  queue->locked, GetCurrentCommandId(true),
								  LockTupleExclusive, LockWaitSkip, 0, &failure);
		if (result != TM_Ok)
			continue;
		copy_trigger(queue, trigger);
		ExecClearTuple(queue->locked);
		return true;
	}
	return false;
}

TimestampTz
due_batch_time(TimestampTz at)
{
	int64		interval = nudge_batch_interval * USECS_PER_SEC;
	int64		epoch = SetEpochTimestamp();
	int64		past;
	TimestampTz result;

	if (TIMESTAMP_NOT_FINITE(at))
		return at;
	past = (at - epoch) % interval;
	if (past == 0)
		return at;
	result = at - past + (past > 0 ? interval : 0);
	return IS_VALID_TIMESTAMP(result) ? result : at;
}
