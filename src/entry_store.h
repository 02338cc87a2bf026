/*-------------------------------------------------------------------------
 *
 * entry_store.h
 *	  Rows of nudge.rule_entries, written by the executor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_ENTRY_STORE_H
#define NUDGE_ENTRY_STORE_H

#include "postgres.h"

#include "due.h"
#include "rules.h"

typedef enum EntryOutcome
{
	ENTRY_OPEN,					/* may enter */
	ENTRY_FORBIDDEN,			/* has entered before */
	ENTRY_BUSY					/* somebody else has the row */
} EntryOutcome;

typedef struct EntryStore EntryStore;

/* Lives in the current memory context; tables are opened at first use. */
extern EntryStore *entry_store_open(void);
extern void entry_store_close(EntryStore *store);

/*
 * Whether the user of a trigger may enter its rule, and the entry itself, which is
 * seen at once.  The caller holds the user's row of nudge.cap_usage (usage_store.h)
 * from before the question until the end of the transaction.
 */
extern EntryOutcome entry_store_ask(EntryStore *store, const Rule *rule,
									const DueTrigger *due, Datum key);
extern EntryOutcome entry_store_enter(EntryStore *store, const Rule *rule,
									  const DueTrigger *due, Datum key);

#endif							/* NUDGE_ENTRY_STORE_H */
