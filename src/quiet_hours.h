/*-------------------------------------------------------------------------
 *
 * quiet_hours.h
 *	  Rows of nudge.quiet_hours: when users are not to be disturbed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_QUIET_HOURS_H
#define NUDGE_QUIET_HOURS_H

#include "postgres.h"

#include "calendar.h"

typedef struct QuietHours
{
	char	   *channel;		/* NULL: of channels that have no hours of their own */
	DayWindow	window;
	bool		drop;			/* what comes up in them is not sent at all */
} QuietHours;

/* Columns, as 45_consent.sql creates them */
enum
{
	Anum_quiet_hours_quiet_hours_id = 1,
	Anum_quiet_hours_channel,
	Anum_quiet_hours_starts,
	Anum_quiet_hours_ends,
	Anum_quiet_hours_days,
	Anum_quiet_hours_action
};

/* Reads a row that passed the checks, into the current memory context. */
extern void quiet_hours_load(QuietHours *hours, const Datum *values,
							 const bool *nulls);

/*
 * Whether an instant is within the quiet hours of a channel; if so, when those
 * that end last do, and whether any of them has messages dropped.
 */
extern bool quiet_hours_contain(const QuietHours *hours, int n,
								const char *channel, TimestampTz at, pg_tz *tz,
								TimestampTz *end, bool *drop);

#endif							/* NUDGE_QUIET_HOURS_H */
