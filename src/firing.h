/*-------------------------------------------------------------------------
 *
 * firing.h
 *	  How the scores of conditions make a rule fire.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_FIRING_H
#define NUDGE_FIRING_H

#include "postgres.h"

#include "rules.h"

typedef enum Necessity
{
	NECESSARY_ALL,				/* cannot fire unless all of the set hold */
	NECESSARY_ONE,				/* cannot fire unless one of the set holds */
	NEVER_FIRES
} Necessity;

/*
 * Finds a set of a rule's conditions without which it cannot fire.  conditions
 * has room for all of them.
 */
extern Necessity firing_necessary(const Rule *rule,
								  const Condition **conditions, int *n);

/*
 * Whether weighted scores make a rule fire.  *score is the figure that is held
 * against the threshold: the least score of a behavioral rule, the mean of an
 * engagement rule, the greatest of any other.
 */
extern bool firing_decide(TriggerType trigger_type, const double *scores, int n,
						  double *score);

#endif							/* NUDGE_FIRING_H */
