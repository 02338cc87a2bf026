/*-------------------------------------------------------------------------
 *
 * timer_index.h
 *	  Which actions and which changes of users concern schedules.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_TIMER_INDEX_H
#define NUDGE_TIMER_INDEX_H

#include "postgres.h"

#include "rules.h"

/* Rules with a schedule that want to hear of actions of a type */
typedef struct TimerListeners
{
	bool		always;			/* some rule wants each */
	int			ndeclines;		/* these want one only where they do not watch */
	int64	   *declines;
} TimerListeners;

struct TimerIndex
{
	struct bytesmap_hash *types;	/* of TimerListeners; NULL: none */
	TimerListeners any;			/* those who listen to all types */
	bool		listening;		/* whether anyone does */
	int			nattributes;
	const AttributePath **attributes;	/* that hold dates of schedules */
	bool		has_zones;		/* some schedule follows the users' zones */
	bool		has_clocks;		/* some schedule is recurring */
};

/* Of active and testing rules, in the current context */
extern TimerIndex *timer_index_build(const Rules *rules);

/* NULL where nobody listens to the type in particular */
extern const TimerListeners *timer_index_find(const TimerIndex *index, Bytes action_type);

#endif							/* NUDGE_TIMER_INDEX_H */
