/*-------------------------------------------------------------------------
 *
 * send_time.c
 *	  When a message may go out: quiet hours and the rule's send window.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "send_time.h"

#include "caps.h"
#include "due.h"
#include "quiet_hours.h"
#include "schedule.h"
#include "variants.h"

/*
 * Quiet hours and windows come back each week.  What does not fit in two weeks,
 * one of which may be odd because of daylight saving, never does.
 */
#define DAYS_TO_TRY 15
#define MAX_STEPS 1000

static bool
has_send_window(const Rule *rule)
{
	return rule->has_send_between || rule->send_on != 0;
}

/*
 * When the rule's send window, outside of which an instant may be, is open.
 */
static TimestampTz
send_window_open(const Rule *rule, TimestampTz at, pg_tz *tz)
{
	DayWindow	window = {0, USECS_PER_DAY, rule->send_on};
	TimestampTz end;

	if (!has_send_window(rule))
		return at;
	if (rule->has_send_between)
	{
		window.starts = rule->send_between[0];
		window.ends = rule->send_between[1];
	}
	return day_window_contains(&window, at, tz, &end) ? at :
		day_window_next(&window, at, tz);
}

static TimestampTz
quiet_over(const Rules *rules, const char *channel, TimestampTz at, pg_tz *tz,
		   bool *drop)
{
	TimestampTz end;

	return quiet_hours_contain(rules->quiet_hours, rules->nquiet_hours, channel,
							   at, tz, &end, drop) ? end : at;
}

/* Whether quiet hours have anything to say at all */
static bool
may_be_quiet(const Rules *rules, const Rule *rule)
{
	return rules->nquiet_hours > 0 &&
		(rule == NULL || rule->trigger_type != TRIGGER_TRANSACTIONAL);
}

TimestampTz
quiet_hours_over(const Rules *rules, const Rule *rule, const UserRow *user,
				 const char *channel, TimestampTz at, bool *drop)
{
	pg_tz	   *tz;
	TimestampTz start = at;
	TimestampTz next;
	bool		ignored;

	*drop = false;
	if (!may_be_quiet(rules, rule) || !calendar_covers(at))
		return at;
	tz = caps_timezone(user_timezone(user));
	next = quiet_over(rules, channel, at, tz, drop);

	/* Hours may follow upon hours. */
	for (int i = 0; i < MAX_STEPS && next != at; i++)
	{
		at = next;
		if (at - start > DAYS_TO_TRY * USECS_PER_DAY)
			break;
		next = quiet_over(rules, channel, at, tz, &ignored);
	}
	return next;
}

/*
 * Moves on to an instant which nothing forbids.  A window that has not opened yet
 * comes before hours that drop: nothing would have been sent now anyway.
 */
TimestampTz
send_time_allowed(const Rules *rules, const Rule *rule, const UserRow *user,
				  const char *channel, TimestampTz at, bool *drop,
				  const char **reason)
{
	bool		quiet = may_be_quiet(rules, rule);
	TimestampTz start = at;
	pg_tz	   *tz;

	*drop = false;
	*reason = NULL;
	if ((!quiet && !has_send_window(rule)) || !calendar_covers(at))
		return at;
	tz = caps_timezone(user_timezone(user));

	for (int i = 0; i < MAX_STEPS && at - start <= DAYS_TO_TRY * USECS_PER_DAY; i++)
	{
		TimestampTz next = send_window_open(rule, at, tz);
		const char *why = "send_window";
		bool		drop_here = false;

		if (TIMESTAMP_IS_NOEND(next))
			break;
		if (next == at && quiet)
		{
			next = quiet_over(rules, channel, at, tz, &drop_here);
			why = "quiet_hours";
		}
		/* Once moved, a trigger of priority batch goes with the batch. */
		if (next == at && at != start && rule->priority == PRIORITY_BATCH)
			next = due_batch_time(at);
		if (next == at)
			return at;
		if (*reason == NULL)
		{
			*reason = why;
			*drop = drop_here;
			if (drop_here)
				return next;
		}
		at = next;
	}
	*reason = has_send_window(rule) ? "no_send_window" : "quiet_hours";
	return DT_NOEND;
}

/*
 * An hour that daylight saving leaves out stands for the first instant after it.
 */
TimestampTz
send_hour_next(int hour, const UserRow *user, TimestampTz at)
{
	DayWindow	window = {hour * USECS_PER_HOUR, (hour + 1) * USECS_PER_HOUR, 0};
	pg_tz	   *tz;
	DateADT		day;
	TimestampTz end;
	TimestampTz next;

	if (!calendar_covers(at))
		return at;
	tz = caps_timezone(user_timezone(user));
	if (day_window_contains(&window, at, tz, &end))
		return at;
	day = caps_local_day(at, tz);
	next = calendar_instant(day, window.starts, tz, false);
	return next >= at ? next : calendar_instant(day + 1, window.starts, tz, false);
}

/*
 * A variant that states an hour is to be tried at that hour.
 */
bool
send_time_is_best(const Rule *rule)
{
	return rule->best_time && (rule->variant == NULL || rule->variant->hour < 0);
}

TimestampTz
send_time_due(const Rule *rule, const UserRow *user, TimestampTz fired_at,
			  int best_hour)
{
	TimestampTz due_at = schedule_own_due_time(rule, fired_at);
	int			hour = rule->variant != NULL && rule->variant->hour >= 0 ?
	rule->variant->hour : best_hour;

	if (hour < 0)
		return due_at;
	due_at = send_hour_next(hour, user, due_at);
	return rule->priority == PRIORITY_BATCH ? due_batch_time(due_at) : due_at;
}
