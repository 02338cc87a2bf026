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
#include "condition.h"
#include "storage/itemptr.h"

typedef enum UsageState
{
	USAGE_MINE,					/* there is a row, and we hold its lock */
	USAGE_NEW,					/* the user has no row */
	USAGE_BUSY					/* somebody else has the row */
} UsageState;

/* A user's row in hand */
typedef struct UsageRow
{
	Bytes		user_id;		/* key in the store's hash table */
	UsageState	state;
	ItemPointerData tid;		/* of the latest version, if mine */
	Usage		usage;
	bool		changed;		/* usage is still to be written */
} UsageRow;

typedef struct UsageStore UsageStore;

/* Works with the active snapshot; its rows live in a context below the current one. */
extern UsageStore *usage_store_open(void);

/* Writes what has changed. */
extern void usage_store_close(UsageStore *store);

/* Bytes of the rows in hand */
extern Size usage_store_size(const UsageStore *store);

/* Locks and reads a user's row at first use, without waiting. */
extern UsageRow *usage_store_row(UsageStore *store, Datum user_id);

/*
 * Counts messages in a row that is not busy; what is older than "oldest" is
 * forgotten.
 */
extern void usage_store_add(UsageStore *store, UsageRow *row, int64 rule_id,
							const char *channel, DateADT day, DateADT oldest);

/*
 * Makes sure that a new row that has changed is there.  False where another
 * session has made it meanwhile: it is then busy, and nothing has been written.
 */
extern bool usage_store_claim(UsageStore *store, UsageRow *row);

/*
 * The same, whether or not it has changed: who goes on holds the user's lock.
 */
extern bool usage_store_take(UsageStore *store, UsageRow *row);

#endif							/* NUDGE_USAGE_STORE_H */
