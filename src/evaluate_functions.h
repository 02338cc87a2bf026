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

#endif							/* NUDGE_EVALUATE_FUNCTIONS_H */
