/*-------------------------------------------------------------------------
 *
 * cap_check.h
 *	  Whether caps already forbid a trigger when its rule fires.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CAP_CHECK_H
#define NUDGE_CAP_CHECK_H

#include "postgres.h"

#include "evaluate.h"

/* How far a cap is used up */
typedef struct CapState
{
	const FrequencyCap *cap;
	int64		used;			/* messages in the window of now */
	int64		waiting;		/* pending triggers in it */
} CapState;

/*
 * The first cap that forbids a message of the rule to the user of the action in
 * hand, NULL if none does.  Reads without locks.
 */
extern const FrequencyCap *cap_forbids(Evaluator *evaluator, const Rule *rule);

/* All caps that apply to the rule and their state; returns their number. */
extern int	cap_states(Evaluator *evaluator, const Rule *rule,
					   CapState **states);

#endif							/* NUDGE_CAP_CHECK_H */
