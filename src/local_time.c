/*-------------------------------------------------------------------------
 *
 * local_time.c
 *	  Conditions on the time of day and the weekday where the user is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_scorer.h"

#include "utils/datetime.h"

static bool
begins_on(const LocalWindow *window, int day)
{
	return (window->days & (1 << day)) != 0;
}

/*
 * A window over midnight belongs to the day on which it begins: 22:00 to 02:00 on
 * fri goes until Saturday, 02:00.
 */
static bool
is_in_window(const LocalWindow *window, TimeADT time, int day)
{
	int			day_before = (day + 6) % 7;

	if (window->from < window->to)
		return time >= window->from && time < window->to &&
			begins_on(window, day);
	return (time >= window->from && begins_on(window, day)) ||
		(time < window->to && begins_on(window, day_before));
}

Score
score_local_time(Evaluator *evaluator, const Condition *condition)
{
	pg_tz	   *tz = evaluator_timezone(evaluator);
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	TimeADT		time;
	int			day;
	Score		within;

	if (timestamp2tm(evaluator->now, &offset, &tm, &fsec, NULL, tz) != 0)
		return score_error(evaluator, "the local time is out of range");
	time = ((tm.tm_hour * MINS_PER_HOUR + tm.tm_min) * SECS_PER_MINUTE +
			tm.tm_sec) * USECS_PER_SEC + fsec;
	/* j2day says 0 for Sunday. */
	day = (j2day(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday)) + 6) % 7;
	within = score_of(is_in_window(condition->local, time, day));
	return condition->op == OPERATOR_NOT_IN ? score_negated(within) : within;
}
