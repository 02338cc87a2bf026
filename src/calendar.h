/*-------------------------------------------------------------------------
 *
 * calendar.h
 *	  Local days and times of day in a time zone, and windows of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CALENDAR_H
#define NUDGE_CALENDAR_H

#include "postgres.h"

#include "pgtime.h"
#include "utils/date.h"
#include "utils/timestamp.h"

/*
 * Hours that come back on some weekdays: from a time of day to another, which is
 * on the next day where it is not later.
 */
typedef struct DayWindow
{
	TimeADT		starts;
	TimeADT		ends;
	uint8		days;			/* on which it begins, Monday the lowest bit; 0: any */
} DayWindow;

/* A time between these can be reckoned with, whatever the time zone. */
extern bool calendar_covers(TimestampTz at);

/*
 * When it is that time of day on a local day.  What daylight saving leaves out
 * stands for the first instant after the gap; of what comes twice, the second is
 * taken if last is true.
 */
extern TimestampTz calendar_instant(DateADT day, TimeADT time, pg_tz *tz,
									bool last);

/*
 * Whether an instant is inside a window, and if so when that ends.  A time that
 * comes twice begins a window at its first coming, and ends one at its second.
 */
extern bool day_window_contains(const DayWindow *window, TimestampTz at,
								pg_tz *tz, TimestampTz *end);

/* When the window next begins after an instant; DT_NOEND: not within ten days */
extern TimestampTz day_window_next(const DayWindow *window, TimestampTz at,
								   pg_tz *tz);

#endif							/* NUDGE_CALENDAR_H */
