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

#include "faults.h"
#include "utils/jsonb.h"

typedef struct TimerSchedule TimerSchedule;

/* Checks rules.schedule; faults have paths below path. */
extern void check_timer_schedule(FaultList *faults, const char *path,
								 const Jsonb *document);

/*
 * Reads rules.schedule into the current memory context; never NULL, and what came
 * past the checks never fires.
 */
extern TimerSchedule *timer_schedule_read(const Jsonb *document);

#endif							/* NUDGE_TIMER_SCHEDULE_H */
