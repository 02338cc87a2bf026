/*-------------------------------------------------------------------------
 *
 * row_trigger.h
 *	  What the trigger functions of configuration tables share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_ROW_TRIGGER_H
#define NUDGE_ROW_TRIGGER_H

#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"

/*
 * The trigger's data, after checking that the function was called by a trigger
 * of its kind: for a row, before or after; 39P01 otherwise.
 */
extern TriggerData *before_row_trigger(FunctionCallInfo fcinfo,
									   const char *function);
extern TriggerData *after_row_trigger(FunctionCallInfo fcinfo,
									  const char *function);

/* Error 39P01 unless the call comes from a trigger of any kind */
extern TriggerData *any_trigger(FunctionCallInfo fcinfo, const char *function);

/* The row that is to be, or that was inserted; the old one of DELETE */
extern HeapTuple trigger_row(const TriggerData *trigger);

/* A column by its name */
extern Datum row_column(const TriggerData *trigger, HeapTuple row,
						const char *column, bool *isnull);

/* The same as a string, NULL where it is null */
extern char *row_text(const TriggerData *trigger, HeapTuple row,
					  const char *column);

/* Whether UPDATE gives the column another value, byte by byte; true for INSERT */
extern bool row_column_changes(const TriggerData *trigger, const char *column);

/* A copy of the row with another value in a column */
extern HeapTuple row_with_column(const TriggerData *trigger, HeapTuple row,
								 const char *column, Datum value);

/* The row to be; on UPDATE its updated_at says when this transaction began. */
extern HeapTuple row_touched(const TriggerData *trigger, HeapTuple row);

#endif							/* NUDGE_ROW_TRIGGER_H */
