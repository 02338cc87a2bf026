/*-------------------------------------------------------------------------
 *
 * send_time.h
 *	  When a message may go out: quiet hours and the rule's send window.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_SEND_TIME_H
#define NUDGE_SEND_TIME_H

#include "postgres.h"

#include "rules.h"
#include "user.h"

/*
 * When a message of a rule may go out to a user by a channel, from an instant on:
 * that instant itself where it may at once, DT_NOEND where it never may.  *drop
 * tells that it came up in quiet hours in which messages are dropped.  Where it may
 * not go out at once, *reason says why: quiet_hours, send_window or
 * no_send_window.
 */
extern TimestampTz send_time_allowed(const Rules *rules, const Rule *rule,
									 const UserRow *user, const char *channel,
									 TimestampTz at, bool *drop,
									 const char **reason);

/*
 * When quiet hours, which an instant may be in, are over; rule may be NULL.
 */
extern TimestampTz quiet_hours_over(const Rules *rules, const Rule *rule,
									const UserRow *user, const char *channel,
									TimestampTz at, bool *drop);

/* Whether messages wait for the best hour, which send_hours.h knows */
extern bool send_time_is_best(const Rule *rule);

/*
 * When a trigger of a rule that fired at some time is due for a user, which may be
 * later than for others.  best_hour: -1 where unknown, or not to be waited for.
 */
extern TimestampTz send_time_due(const Rule *rule, const UserRow *user,
								 TimestampTz fired_at, int best_hour);

/*
 * The first instant from "at" on that is within an hour, 0 to 23, of the user's
 * clock: at most 25 hours later, of which daylight saving may be one.
 */
extern TimestampTz send_hour_next(int hour, const UserRow *user, TimestampTz at);

#endif							/* NUDGE_SEND_TIME_H */
