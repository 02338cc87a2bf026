/*-------------------------------------------------------------------------
 *
 * soft_call.h
 *	  Calls code of others whose errors must not be ours.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_SOFT_CALL_H
#define NUDGE_SOFT_CALL_H

#include "postgres.h"

/*
 * Calls function(arg) in a subtransaction; false where it raised an error, of
 * which nothing is left.  What it allocates in the current context stays.  As long
 * as the function writes nothing, the subtransaction has no id and leaves no trace,
 * so that it may be done for each row.  A cancelled query and the end of the session
 * are raised on.
 */
extern bool soft_call(void (*function) (void *arg), void *arg);

#endif							/* NUDGE_SOFT_CALL_H */
