/*-------------------------------------------------------------------------
 *
 * source_column.h
 *	  Columns of application tables, and their values as JSON and as text.
 *
 * An application's statement must not fail because of what its columns hold, so
 * nothing here raises an error for a value.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_SOURCE_COLUMN_H
#define NUDGE_SOURCE_COLUMN_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "fmgr.h"
#include "utils/jsonb.h"

/* Values that are larger, or nested deeper, are not shown. */
#define SOURCE_MAX_VALUE (64 * 1024)

typedef enum SourceKind
{
	SOURCE_BOOLEAN,
	SOURCE_INTEGER,
	SOURCE_NUMERIC,
	SOURCE_TEXT,
	SOURCE_JSONB,
	SOURCE_OTHER				/* through to_jsonb() */
} SourceKind;

typedef struct SourceColumn
{
	MemoryContext context;
	AttrNumber	attnum;
	const char *name;
	Oid			type;			/* under domains */
	int16		length;
	bool		by_value;
	SourceKind	kind;
	bool		is_risky;		/* conversion may raise an error */

	/* Looked up at first use */
	FmgrInfo	to_jsonb;
	FmgrInfo	output;
} SourceColumn;

/* By number; what is looked up later lives in the current context. */
extern void source_column_init(SourceColumn *column, TupleDesc desc,
							   AttrNumber attnum);

/* By name; false where there is no such column */
extern bool source_column_find(SourceColumn *column, TupleDesc desc,
							   const char *name);

/* Whether two values are the same, byte by byte */
extern bool source_values_same(const SourceColumn *column, Datum a, bool a_null,
							   Datum b, bool b_null);

/*
 * A value as to_jsonb() shows it; false where it cannot be shown.  It may point
 * into the row.
 */
extern bool source_value_json(SourceColumn *column, Datum value, bool isnull,
							  JsonbValue *json);

/* A value as text, char(n) without its padding; NULL where there is none. */
extern text *source_value_text(SourceColumn *column, Datum value, bool isnull);

/*
 * The text by which a user is known; NULL where it cannot be one: null, empty, or
 * longer than 1,024 bytes.
 */
extern text *source_user_id(SourceColumn *column, Datum value, bool isnull);

/* True the first time that a session asks for this trigger and column. */
extern bool first_in_session(Oid trigger, const char *column);

#endif							/* NUDGE_SOURCE_COLUMN_H */
