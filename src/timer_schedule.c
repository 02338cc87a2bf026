/*-------------------------------------------------------------------------
 *
 * timer_schedule.c
 *	  rules.schedule: what time, instead of an action, makes a rule fire.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "timer_schedule.h"

struct TimerSchedule
{
	int			kind;
};

void
check_timer_schedule(FaultList *faults, const char *path, const Jsonb *document)
{
}

TimerSchedule *
timer_schedule_read(const Jsonb *document)
{
	return palloc0(sizeof(TimerSchedule));
}
