/*-------------------------------------------------------------------------
 *
 * timer_schedule.h
 *	  rules.schedule: what time, instead of an action, makes a rule fire.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_TIMER_SCHEDULE_H
#define NUDGE_TIMER_SCHEDULE_H

#include "postgres.h"

#include "condition.h"
#include "faults.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

typedef enum TimerKind
{
	TIMER_ANNIVERSARY,
	TIMER_MILESTONE,
	TIMER_ABANDONMENT,
	TIMER_DECLINE,
	TIMER_REMINDER,
	TIMER_RECURRING,
	TIMER_BROKEN				/* came past the checks: never fires */
} TimerKind;

typedef struct TimerSchedule
{
	TimerKind	kind;

	/* anniversary, milestone, reminder: the date, if a user's attribute gives it */
	bool		has_attribute;
	AttributePath attribute;

	/*
	 * Of a date: from it to the occurrence (offset, after).  Of actions: how long
	 * nothing may happen (within, after).  Recurring: from one to the next.
	 */
	Interval	span;
	bool		has_at;
	TimeADT		at;				/* 09:00 where it is not given */

	/* Action types that the schedule wants to hear of; any_type: all */
	bool		any_type;
	int			ntypes;
	char	  **types;

	/* recurring */
	uint8		days;			/* bits of weekdays, Monday first; 0: every span */
	bool		has_starting;
	DateADT		starting;
} TimerSchedule;

/* Checks rules.schedule; faults have paths below path. */
extern void check_timer_schedule(FaultList *faults, const char *path,
								 const Jsonb *document);

/*
 * Reads rules.schedule into the current memory context; never NULL, and what came
 * past the checks never fires.
 */
extern TimerSchedule *timer_schedule_read(const Jsonb *document);

/* Whether the dates of users make it fire, or their actions, or clocks */
extern bool timer_is_of_attribute(const TimerSchedule *schedule);
extern bool timer_is_of_actions(const TimerSchedule *schedule);

#endif							/* NUDGE_TIMER_SCHEDULE_H */
