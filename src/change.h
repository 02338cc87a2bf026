/*-------------------------------------------------------------------------
 *
 * change.h
 *	  What changed in a row, as the data of an action.
 *
 * {"changed": {column: {"old": …, "new": …}}, "operation": …, "table": …}
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CHANGE_H
#define NUDGE_CHANGE_H

#include "postgres.h"

#include "source_column.h"

typedef struct Change
{
	int			n;				/* columns, or paths in documents, that changed */
	Size		bytes;
	bool		is_partial;		/* became too large; the rest is left out */
	JsonbParseState *state;
} Change;

/* A column before and after; for INSERT the old value is null, for DELETE the new */
typedef struct ChangedValue
{
	Datum		old_value;
	Datum		new_value;
	bool		old_null;
	bool		new_null;
} ChangedValue;

extern void change_begin(Change *change);

/* Adds a column where its value changed. */
extern void change_column(Change *change, SourceColumn *column,
						  const ChangedValue *value);

/* The same, without telling more of the values than whether there are any */
extern void change_hidden(Change *change, const SourceColumn *column,
						  const ChangedValue *value);

/*
 * Adds what changed in a document: "column.key" of each key below it, of objects
 * as a whole and of what they hold.
 */
extern void change_document(Change *change, const SourceColumn *column,
							const ChangedValue *value);

/* NULL where nothing changed */
extern Jsonb *change_finish(Change *change, const char *operation,
							const char *table);

#endif							/* NUDGE_CHANGE_H */
