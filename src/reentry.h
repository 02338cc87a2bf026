/*-------------------------------------------------------------------------
 *
 * reentry.h
 *	  Whether a user may enter a rule again.
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
	JsonPath   *key;			/* REENTRY_KEY: into action_data */
} Reentry;

/* Checks rules.reentry; faults have paths below path. */
extern void check_reentry(FaultList *faults, const char *path,
						  const Jsonb *document);

/*
 * Reads rules.reentry into the current memory context.  What came past the
 * checks means REENTRY_ALWAYS; a jsonpath that does not compile raises an error.
 */
extern void reentry_read(Reentry *reentry, const Jsonb *document);

#endif							/* NUDGE_REENTRY_H */
