/*-------------------------------------------------------------------------
 *
 * timer_occurrence.c
 *	  When a schedule's occurrences are.
 *
 * All is reckoned in what clocks in the user's zone show, and brought to an
 * instant at the end: days and months are the calendar's, hours are real ones.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "timer_occurrence.h"

#include "softtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

/* Dates of other years are taken for mistakes. */
#define FIRST_YEAR 1
#define LAST_YEAR 9999

#define UNIX_OFFSET ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

static Timestamp
wall_of_date(DateADT date, TimeADT time)
{
	return (Timestamp) date * USECS_PER_DAY + time;
}

static int64
floor_divide(int64 number, int64 by)
{
	return number / by - (number % by < 0 ? 1 : 0);
}

static DateADT
date_of_wall(Timestamp wall)
{
	return (DateADT) floor_divide(wall, USECS_PER_DAY);
}

TimestampTz
local_instant(Timestamp wall, pg_tz *tz)
{
	int64		seconds = floor_divide(wall, USECS_PER_SEC) + UNIX_OFFSET;
	int64		fraction = wall - floor_divide(wall, USECS_PER_SEC) * USECS_PER_SEC;
	pg_time_t	from = seconds - 2 * SECS_PER_DAY;
	pg_time_t	instant;

	for (;;)
	{
		long int	before;
		long int	after;
		int			before_dst;
		int			after_dst;
		pg_time_t	boundary;
		int			found = pg_next_dst_boundary(&from, &before, &before_dst,
												 &boundary, &after, &after_dst, tz);

		/* An earlier boundary than this one did not show the time before it. */
		instant = seconds - before;
		if (found <= 0 || instant < boundary)
			break;
		if (seconds - after < boundary)
		{
			/* Clocks were put forward over it. */
			instant = boundary;
			fraction = 0;
			break;
		}
		from = boundary;
	}
	return (instant - UNIX_OFFSET) * USECS_PER_SEC + fraction;
}

Timestamp
local_wall(TimestampTz instant, pg_tz *tz)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	Timestamp	wall;

	if (timestamp2tm(instant, &offset, &tm, &fsec, NULL, tz) != 0 ||
		tm2timestamp(&tm, fsec, NULL, &wall) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return wall;
}

static char *
date_text(Timestamp wall, bool with_time)
{
	int			year;
	int			month;
	int			day;
	int			seconds = (wall - wall_of_date(date_of_wall(wall), 0)) / USECS_PER_SEC;
	int			minutes = seconds / SECS_PER_MINUTE;

	j2date(date_of_wall(wall) + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	if (!with_time)
		return psprintf("%04d-%02d-%02d", year, month, day);
	if (seconds % SECS_PER_MINUTE == 0)
		return psprintf("%04d-%02d-%02dT%02d:%02d", year, month, day,
						minutes / MINS_PER_HOUR, minutes % MINS_PER_HOUR);
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
					minutes / MINS_PER_HOUR, minutes % MINS_PER_HOUR,
					seconds % SECS_PER_MINUTE);
}

/*
 * A date, or a point in time, as clocks of the user's zone show it
 */
static bool
read_date(const JsonbValue *value, pg_tz *tz, Timestamp *wall, bool *has_time)
{
	TimestampTz instant;
	int			year;
	int			month;
	int			day;

	*has_time = value->type == jbvNumeric ||
		(value->type == jbvString &&
		 memchr(value->val.string.val, ':', value->val.string.len) != NULL);
	/* A day without a time is the same in every zone. */
	if (!soft_timestamptz(value, *has_time ? tz : pg_tzset("GMT"), &instant))
		return false;
	*wall = *has_time ? local_wall(instant, tz) : (Timestamp) instant;
	j2date(date_of_wall(*wall) + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return year >= FIRST_YEAR && year <= LAST_YEAR;
}

/*
 * An interval after a local time: months and days by the calendar, the rest as
 * time that passes.
 */
static TimestampTz
instant_after(Timestamp wall, const Interval *span, pg_tz *tz)
{
	Interval	days = {0};

	days.month = span->month;
	days.day = span->day;
	wall = DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval,
												 TimestampGetDatum(wall),
												 IntervalPGetDatum(&days)));
	return local_instant(wall, tz) + span->time;
}

/*
 * Each year after that of the date; 29 February is the 28th in other years.
 */
static bool
anniversary_next(const TimerSchedule *schedule, Timestamp base, pg_tz *tz,
				 TimestampTz floor, TimerOccurrence *next)
{
	int			born;
	int			month;
	int			day;
	int			year;

	j2date(date_of_wall(local_wall(floor, tz)) + POSTGRES_EPOCH_JDATE, &year, &month,
		   &day);
	j2date(date_of_wall(base) + POSTGRES_EPOCH_JDATE, &born, &month, &day);

	/* The offset may reach a year in either direction. */
	year = Max(year - 2, born + 1);
	for (int last = year + 5; year <= last; year++)
	{
		int			most = day_tab[isleap(year)][month - 1];
		DateADT		date = date2j(year, month, Min(day, most)) - POSTGRES_EPOCH_JDATE;

		next->at = instant_after(wall_of_date(date, schedule->at), &schedule->span, tz);
		if (next->at >= floor)
		{
			next->name = psprintf("%04d", year);
			next->date = date_text(wall_of_date(date, 0), false);
			return true;
		}
	}
	return false;
}

bool
timer_date_next(const TimerSchedule *schedule, const JsonbValue *value, pg_tz *tz,
				TimestampTz floor, TimerOccurrence *next)
{
	Timestamp	base;
	Timestamp	stable;
	bool		has_time;

	if (!read_date(value, tz, &base, &has_time))
		return false;
	if (schedule->kind == TIMER_ANNIVERSARY)
		return anniversary_next(schedule, base, tz, floor, next);

	/* A point in time keeps its name where its user moves to another zone. */
	stable = has_time ? (Timestamp) local_instant(base, tz) : base;
	next->date = date_text(base, has_time);
	next->name = date_text(stable, has_time && schedule->kind != TIMER_MILESTONE);
	if (!has_time || schedule->has_at)
		base = wall_of_date(date_of_wall(base), schedule->at);
	next->at = instant_after(base, &schedule->span, tz);
	return next->at >= floor;
}

static bool
weekday_next(const TimerSchedule *schedule, pg_tz *tz, TimestampTz floor,
			 TimerOccurrence *next)
{
	DateADT		date = date_of_wall(local_wall(floor, tz)) - 1;

	if (schedule->has_starting)
		date = Max(date, schedule->starting);
	for (int i = 0; i < 10; i++, date++)
	{
		/* j2day counts from Sunday. */
		int			day = (j2day(date + POSTGRES_EPOCH_JDATE) + 6) % 7;

		if ((schedule->days & (1 << day)) == 0)
			continue;
		next->at = local_instant(wall_of_date(date, schedule->at), tz);
		if (next->at < floor)
			continue;
		next->date = date_text(wall_of_date(date, 0), false);
		next->name = next->date;
		return true;
	}
	return false;
}

/*
 * The n-th repetition, each from the first day, so that those of the 31st do not
 * slip to the 28th for good
 */
static Timestamp
repetition(Timestamp first, const Interval *every, int64 n)
{
	Interval	span;

	span.month = every->month * n;
	span.day = every->day * n;
	span.time = every->time * n;
	return DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval,
												 TimestampGetDatum(first),
												 IntervalPGetDatum(&span)));
}

static bool
every_next(const TimerSchedule *schedule, pg_tz *tz, TimestampTz since,
		   TimestampTz floor, TimerOccurrence *next)
{
	const Interval *every = &schedule->span;
	DateADT		start = schedule->has_starting ? schedule->starting :
		date_of_wall(local_wall(since, tz));
	Timestamp	first = wall_of_date(start, schedule->at);

	/* As long as it can be, so that the guess is never too late */
	int64		longest = every->month * 31 * USECS_PER_DAY +
		every->day * USECS_PER_DAY + every->time;
	int64		n = (local_wall(floor, tz) - first) / longest - 2;

	for (n = Max(n, 0);; n++)
	{
		Timestamp	wall = repetition(first, every, n);

		next->at = local_instant(wall, tz);
		if (next->at < floor)
			continue;
		next->date = date_text(wall, every->time != 0);
		next->name = next->date;
		return true;
	}
}

bool
timer_clock_next(const TimerSchedule *schedule, pg_tz *tz, TimestampTz since,
				 TimestampTz floor, TimerOccurrence *next)
{
	return schedule->days != 0 ? weekday_next(schedule, tz, floor, next) :
		every_next(schedule, tz, since, floor, next);
}
