/*-------------------------------------------------------------------------
 *
 * holdout.h
 *	  Users who get nothing, so that what messages bring about can be measured.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_HOLDOUT_H
#define NUDGE_HOLDOUT_H

#include "postgres.h"

#include "rules.h"

/*
 * Why a user gets nothing of a rule: "control_group", "holdout", or NULL.  The
 * answer is the same always and everywhere, and who is held out at some percentage
 * is at every higher one.
 */
extern const char *holdout_reason(const Rule *rule, Bytes user_id);

#endif							/* NUDGE_HOLDOUT_H */
