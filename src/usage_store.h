/*-------------------------------------------------------------------------
 *
 * usage_store.h
 *	  Rows of nudge.cap_usage: locked, read and written below SQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_USAGE_STORE_H
#define NUDGE_USAGE_STORE_H

#include "postgres.h"

#include "caps.h"
#include "storage/itemptr.h"

typedef enum UsageState
{
	USAGE_UNKNOWN,				/* not looked at yet */
	USAGE_MINE,					/* there is a row, and we hold its lock */
	USAGE_NEW,					/* the user has no row */
	USAGE_BUSY					/* somebody else has the row */
} UsageState;

/* A user's row in hand */
typedef struct UsageRow
{
	UsageState	state;
	ItemPointerData tid;		/* of the latest version, if mine */
	Usage		usage;			/* in the memory context of usage_store_lock */
} UsageRow;

typedef struct UsageStore UsageStore;

/* Works with the active snapshot. */
extern UsageStore *usage_store_open(void);
extern void usage_store_close(UsageStore *store);

/* Locks and reads a user's row, without waiting. */
extern void usage_store_lock(UsageStore *store, Datum user_id, UsageRow *row);

/*
 * Writes row->usage.  False where the row was new and another session has made
 * it meanwhile; it is then busy, and nothing has been written.  A row can be
 * written once in a command.
 */
extern bool usage_store_write(UsageStore *store, Datum user_id, UsageRow *row);

#endif							/* NUDGE_USAGE_STORE_H */
