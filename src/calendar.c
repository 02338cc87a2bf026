/*-------------------------------------------------------------------------
 *
 * calendar.c
 *	  Local days and times of day in a time zone, and windows of them.
 *
 * A window is reckoned as a span between two instants, not by what a clock on the
 * wall shows: where an hour comes twice, a window that is entered before it is
 * not left and entered again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "calendar.h"

#include "caps.h"
#include "utils/datetime.h"

/* More than a week, so that each weekday comes, also where a day is left out */
#define DAYS_AHEAD 10

bool
calendar_covers(TimestampTz at)
{
	/* Away from the ends of the type, so that nothing here overflows */
	return at > MIN_TIMESTAMP + 400 * USECS_PER_DAY &&
		at < END_TIMESTAMP - 400 * USECS_PER_DAY;
}

/* Microseconds that local time is ahead of UTC */
static int64
offset_at(TimestampTz at, pg_tz *tz)
{
	pg_time_t	time = timestamptz_to_time_t(at);
	struct pg_tm *tm = pg_localtime(&time, tz);

	return tm != NULL ? tm->tm_gmtoff * USECS_PER_SEC : 0;
}

/* The next change of the zone's offset after an instant */
static TimestampTz
next_change(TimestampTz at, pg_tz *tz)
{
	pg_time_t	time = timestamptz_to_time_t(at);
	pg_time_t	boundary;
	long		offset_before;
	long		offset_after;
	int			dst_before;
	int			dst_after;

	if (pg_next_dst_boundary(&time, &offset_before, &dst_before, &boundary,
							 &offset_after, &dst_after, tz) != 1)
		return at;
	return time_t_to_timestamptz(boundary);
}

/*
 * An instant is local time less the offset that the zone has then.  The offsets of
 * a day before and a day after are the only ones that come into question.
 */
TimestampTz
calendar_instant(DateADT day, TimeADT time, pg_tz *tz, bool last)
{
	int64		local = day * USECS_PER_DAY + time;
	TimestampTz earlier = local - offset_at(local - USECS_PER_DAY, tz);
	TimestampTz later = local - offset_at(local + USECS_PER_DAY, tz);
	bool		earlier_good = earlier + offset_at(earlier, tz) == local;
	bool		later_good = later + offset_at(later, tz) == local;

	if (earlier_good && later_good)
		return last ? Max(earlier, later) : Min(earlier, later);
	if (earlier_good)
		return earlier;
	if (later_good)
		return later;
	return next_change(Min(earlier, later), tz);
}

/*
 * The window's span that begins on a local day; false where it has none there.
 */
static bool
day_window_on(const DayWindow *window, DateADT day, pg_tz *tz,
			  TimestampTz *begin, TimestampTz *end)
{
	int			weekday = (j2day(day + POSTGRES_EPOCH_JDATE) + 6) % 7;
	DateADT		last_day = window->ends > window->starts ? day : day + 1;

	if (window->days != 0 && (window->days & (1 << weekday)) == 0)
		return false;
	*begin = calendar_instant(day, window->starts, tz, false);
	*end = calendar_instant(last_day, window->ends, tz, true);
	return *begin < *end;
}

bool
day_window_contains(const DayWindow *window, TimestampTz at, pg_tz *tz,
					TimestampTz *end)
{
	DateADT		today = caps_local_day(at, tz);
	bool		found = false;

	/* The span that began yesterday may overlap today's; the later end counts. */
	for (DateADT day = today - 1; day <= today + 1; day++)
	{
		TimestampTz begin;
		TimestampTz this_end;

		if (!day_window_on(window, day, tz, &begin, &this_end) ||
			at < begin || at >= this_end)
			continue;
		*end = this_end;
		found = true;
	}
	return found;
}

TimestampTz
day_window_next(const DayWindow *window, TimestampTz at, pg_tz *tz)
{
	DateADT		today = caps_local_day(at, tz);

	for (DateADT day = today - 1; day <= today + DAYS_AHEAD; day++)
	{
		TimestampTz begin;
		TimestampTz end;

		if (day_window_on(window, day, tz, &begin, &end) && begin > at)
			return begin;
	}
	return DT_NOEND;
}
