/*-------------------------------------------------------------------------
 *
 * reentry.h
 *	  Whether a user may enter a rule again.
 *
 * A user enters a rule when a trigger of it ends in a message.  Entries of rules
 * that mind are kept in nudge.rule_entries, by a key: what a jsonpath finds in the
 * action's data, or the empty string where all entries of the user are one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_REENTRY_H
#define NUDGE_REENTRY_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "faults.h"
#include "utils/jsonb.h"
#include "utils/jsonpath.h"

typedef enum ReentryKind
{
	REENTRY_ALWAYS,
	REENTRY_ONCE,
	REENTRY_AFTER,
	REENTRY_KEY
} ReentryKind;

typedef struct Reentry
{
	ReentryKind kind;
	Interval	after;			/* REENTRY_AFTER */
	JsonPath   *key;			/* REENTRY_KEY: into action_data; NULL: no key ever */
} Reentry;

/* Columns of nudge.rule_entries, as 43_reentry.sql creates them */
enum
{
	Anum_rule_entries_user_id = 1,
	Anum_rule_entries_rule_id,
	Anum_rule_entries_entry_key,
	Anum_rule_entries_entered_at,
	Anum_rule_entries_pending_id,
	Natts_rule_entries = Anum_rule_entries_pending_id
};

/* Checks rules.reentry; faults have paths below path. */
extern void check_reentry(FaultList *faults, const char *path,
						  const Jsonb *document);

/*
 * Reads rules.reentry into the current memory context.  A jsonpath that does not
 * compile raises an error, unless errors are to be caught.  False where the
 * document is not as check_reentry would have it: nobody may enter then.
 */
extern bool reentry_read(Reentry *reentry, const Jsonb *document,
						 bool catch_errors);

/* "always", "once", "after" or "key" */
extern const char *reentry_kind_name(ReentryKind kind);

/*
 * The key of an entry by an action with this data (NULL: none), as text in the
 * current memory context.  False where the rule asks for a key and there is none.
 * Raises no error for what the data may hold.
 */
extern bool reentry_key(const Reentry *reentry, Jsonb *data, Datum *key);

/* Does an entry at one time forbid one at another, with the same key? */
extern bool reentry_forbids(const Reentry *reentry, TimestampTz entered_at,
							TimestampTz fired_at);

#endif							/* NUDGE_REENTRY_H */
