/*-------------------------------------------------------------------------
 *
 * changed_rows.h
 *	  The rows that a statement changed, as its trigger sees them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CHANGED_ROWS_H
#define NUDGE_CHANGED_ROWS_H

#include "postgres.h"

#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"

/*
 * The trigger's data, after checking that it fires after a statement, with the
 * statement's rows: 39P01 otherwise.
 */
extern TriggerData *changed_rows_trigger(FunctionCallInfo fcinfo,
										 const char *function);

typedef struct ChangedRows
{
	Tuplestorestate *old_rows;	/* NULL for INSERT */
	Tuplestorestate *new_rows;	/* NULL for DELETE */
	TupleTableSlot *old_row;
	TupleTableSlot *new_row;
	AttrNumber	last;			/* columns after this one are not looked at */
} ChangedRows;

/* false where old and new rows of the UPDATE do not go together */
extern bool changed_rows_open(ChangedRows *rows, const TriggerData *trigger,
							  AttrNumber last);

/*
 * Goes to the next row, in a context that lives as long as the call; false past
 * the last.
 */
extern bool changed_rows_next(ChangedRows *rows);

/* Starts over. */
extern void changed_rows_rewind(ChangedRows *rows);

extern void changed_rows_close(ChangedRows *rows);

/* A value of a row that may not be there */
static inline Datum
changed_row_value(TupleTableSlot *row, AttrNumber attnum, bool *isnull)
{
	if (row == NULL)
	{
		*isnull = true;
		return (Datum) 0;
	}
	*isnull = row->tts_isnull[attnum - 1];
	return row->tts_values[attnum - 1];
}

#endif							/* NUDGE_CHANGED_ROWS_H */
