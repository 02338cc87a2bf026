/*-------------------------------------------------------------------------
 *
 * bandit.h
 *	  Thompson sampling: an arm is drawn as often as it is probably the best.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_BANDIT_H
#define NUDGE_BANDIT_H

#include "postgres.h"

#include "common/pg_prng.h"

/* What is known of an arm */
typedef struct BanditArm
{
	int64		trials;
	int64		successes;		/* at most as many */
	double		value;			/* of all successes, for bandit_draw_value */
} BanditArm;

/* A draw from the Beta posterior of an arm's rate, given a uniform prior */
extern double bandit_sample(const BanditArm *arm, pg_prng_state *random);

/* The arm whose draw is the highest */
extern int	bandit_draw(const BanditArm *arms, int n, pg_prng_state *random);

/*
 * The same for what a trial is worth: a draw of the rate times the mean value of a
 * success.  The mean is drawn towards that of all arms, as by one success more.
 */
extern int	bandit_draw_value(const BanditArm *arms, int n, pg_prng_state *random);

#endif							/* NUDGE_BANDIT_H */
