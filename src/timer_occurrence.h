/*-------------------------------------------------------------------------
 *
 * timer_occurrence.h
 *	  When a schedule's occurrences are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_TIMER_OCCURRENCE_H
#define NUDGE_TIMER_OCCURRENCE_H

#include "postgres.h"

#include "pgtime.h"
#include "timer_schedule.h"
#include "utils/timestamp.h"

typedef struct TimerOccurrence
{
	char	   *name;			/* tells it from the others of user and rule */
	TimestampTz at;
	char	   *date;			/* the local date that it is about */
} TimerOccurrence;

/*
 * The instant at which clocks in a zone show a time: the first of both where they
 * show it twice, and the first instant after a gap where they never do.
 */
extern TimestampTz local_instant(Timestamp wall, pg_tz *tz);

/* What clocks in a zone show at an instant */
extern Timestamp local_wall(TimestampTz instant, pg_tz *tz);

/*
 * The first occurrence at or after floor of a schedule that goes by a date, which
 * is value.  False where there is none, or value is no date.
 */
extern bool timer_date_next(const TimerSchedule *schedule, const JsonbValue *value,
							pg_tz *tz, TimestampTz floor, TimerOccurrence *next);

/* The same of a recurring schedule that began at since. */
extern bool timer_clock_next(const TimerSchedule *schedule, pg_tz *tz,
							 TimestampTz since, TimestampTz floor,
							 TimerOccurrence *next);

#endif							/* NUDGE_TIMER_OCCURRENCE_H */
