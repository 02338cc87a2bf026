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

/*
 * The first cap that forbids one more message of the rule by a channel, for a
 * trigger that fired on a day of the user's, given what has been counted; NULL if
 * none does.
 */
extern const FrequencyCap *caps_forbid_message(const Rules *rules, const Rule *rule,
											   const Usage *usage,
											   const char *channel, DateADT day);

#endif							/* NUDGE_CAP_CHECK_H */
