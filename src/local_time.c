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

/*
 * The time of day and the day, from 0 for Monday, where the user is; false where
 * the calendar ends.
 */
static bool
local_now(Evaluator *evaluator, TimeADT *time, int *day)
{
	pg_tz	   *tz = evaluator_timezone(evaluator);
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;

	if (timestamp2tm(evaluator->now, &offset, &tm, &fsec, NULL, tz) != 0)
		return false;
	*time = ((tm.tm_hour * MINS_PER_HOUR + tm.tm_min) * SECS_PER_MINUTE +
			 tm.tm_sec) * USECS_PER_SEC + fsec;
	/* j2day says 0 for Sunday. */
	*day = (j2day(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday)) + 6) % 7;
	return true;
}

char *
local_time_text(Evaluator *evaluator)
{
	static const char *const days[] = {
		"mon", "tue", "wed", "thu", "fri", "sat", "sun"
	};
	TimeADT		time;
	int			day;
	int			seconds;

	if (!local_now(evaluator, &time, &day))
		return "";
	seconds = time / USECS_PER_SEC;
	return psprintf("%s %02d:%02d:%02d", days[day], seconds / SECS_PER_HOUR,
					seconds / SECS_PER_MINUTE % MINS_PER_HOUR,
					seconds % SECS_PER_MINUTE);
}

Score
score_local_time(Evaluator *evaluator, const Condition *condition)
{
	TimeADT		time;
	int			day;
	Score		within;

	if (!local_now(evaluator, &time, &day))
		return score_error(evaluator, "the local time is out of range");
	within = score_of(is_in_window(condition->local, time, day));
	return condition->op == OPERATOR_NOT_IN ? score_negated(within) : within;
}
