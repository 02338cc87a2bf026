/*-------------------------------------------------------------------------
 *
 * due.h
 *	  The queue of due triggers, in the order in which they are executed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_DUE_H
#define NUDGE_DUE_H

#include "postgres.h"

#include "condition.h"
#include "datatype/timestamp.h"
#include "schedule.h"
#include "rules.h"
#include "storage/itemptr.h"
#include "utils/rel.h"

/* A row of nudge.pending that this transaction has locked */
typedef struct DueTrigger
{
	ItemPointerData tid;

	/* Columns; in the memory context that was current when it was fetched */
	Datum		values[Natts_pending];	/* toasted as they are stored */
	bool		nulls[Natts_pending];

	/* Some of them again */
	Bytes		user_id;
	int64		pending_id;
	int64		rule_id;
	Priority	priority;
	int32		attempts;
	TimestampTz fired_at;
	TimestampTz due_at;
} DueTrigger;

typedef struct DueQueue DueQueue;

/* What is due at as_of, as the active snapshot sees it */
extern DueQueue *due_open(Relation pending, TimestampTz as_of);
extern void due_close(DueQueue *queue);

/*
 * Locks the next trigger that nobody else has locked, and copies it into the
 * current memory context.  False where there are no more.
 */
extern bool due_next(DueQueue *queue, DueTrigger *trigger);

/* The first time at or after at when triggers of priority batch go out */
extern TimestampTz due_batch_time(TimestampTz at);

#endif							/* NUDGE_DUE_H */
