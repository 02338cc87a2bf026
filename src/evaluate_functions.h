/*-------------------------------------------------------------------------
 *
 * evaluate_functions.h
 *	  Actions that SQL functions think of.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_EVALUATE_FUNCTIONS_H
#define NUDGE_EVALUATE_FUNCTIONS_H

#include "postgres.h"

#include "action.h"
#include "fmgr.h"

/*
 * An action out of the arguments user_id, action_type, action_data, occurred_at
 * and context; 23502 or 23514 where the table would refuse it.
 */
extern void action_from_arguments(Action *action, FunctionCallInfo fcinfo);

/*
 * Parts of an action that is only thought of get the checks that the table makes
 * of one that is recorded: an id, a document (0 where it is NULL), a time.
 */
extern void check_action_id(FunctionCallInfo fcinfo, int arg, const char *name);
extern Datum object_argument(FunctionCallInfo fcinfo, int arg, const char *name);
extern TimestampTz check_occurred_at(TimestampTz occurred_at);

#endif							/* NUDGE_EVALUATE_FUNCTIONS_H */
