/*-------------------------------------------------------------------------
 *
 * entry_check.h
 *	  Whether a user may enter a rule when it fires.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_ENTRY_CHECK_H
#define NUDGE_ENTRY_CHECK_H

#include "postgres.h"

#include "evaluate.h"

/* What stands in the way of an entry */
typedef struct EntryState
{
	Datum		key;			/* text; 0 where the rule minds no entries, or
								 * there is no key */
	const char *reason;			/* "no_key", "reentry", or NULL: may enter */
	bool		entered;		/* has entered before */
	TimestampTz entered_at;
	bool		waiting;		/* a trigger waits that forbids it */
	TimestampTz waiting_since;
} EntryState;

/*
 * Whether the user of the action in hand may enter a rule, as far as is known by
 * now: reads without locks.
 */
extern bool entry_check(Evaluator *evaluator, const Rule *rule,
						EntryState *state);

/* Pushes key, entered_at and waiting_since, as far as there are such. */
extern void push_entry(JsonbParseState **parse_state, const Rule *rule,
					   const EntryState *state);

#endif							/* NUDGE_ENTRY_CHECK_H */
