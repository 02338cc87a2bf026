/*-------------------------------------------------------------------------
 *
 * caps.h
 *	  Frequency caps: windows in the user's calendar, and counts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CAPS_H
#define NUDGE_CAPS_H

#include "postgres.h"

#include "pgtime.h"
#include "utils/date.h"
#include "utils/timestamp.h"

/* In the order of the SQL enum */
typedef enum CapPeriod
{
	CAP_DAILY,
	CAP_WEEKLY,
	CAP_MONTHLY
} CapPeriod;

typedef struct FrequencyCap
{
	int64		cap_id;
	int64		rule_id;		/* 0: every rule that is not transactional */
	char	   *channel;		/* NULL: every channel */
	CapPeriod	period;
	int32		max_messages;
} FrequencyCap;

/* A user's row of nudge.cap_usage */
typedef struct UsageEntry
{
	int64		rule_id;
	char	   *channel;
	DateADT		day;			/* local day on which the trigger fired */
	int32		count;
} UsageEntry;

typedef struct Usage
{
	int			nentries;
	int			maxentries;
	UsageEntry *entries;
} Usage;

/* Local day of an instant; tz NULL or unknown means nudge.timezone. */
extern pg_tz *caps_timezone(const char *tz);
extern DateADT caps_local_day(TimestampTz instant, pg_tz *tz);

/* First and last day of the window that a day belongs to. */
extern void caps_window(CapPeriod period, DateADT day, DateADT *first, DateADT *last);

/* Reads and makes the four arrays of nudge.cap_usage. */
extern void usage_from_arrays(Usage *usage, Datum rule_ids, Datum channels,
							  Datum days, Datum counts);
extern void usage_to_arrays(const Usage *usage, Datum *rule_ids, Datum *channels,
							Datum *days, Datum *counts);

/* Adds delta messages; entries that come to 0 go, and so do those before oldest. */
extern void usage_add(Usage *usage, int64 rule_id, const char *channel,
					  DateADT day, int32 delta);
extern void usage_forget(Usage *usage, DateADT oldest);

/*
 * Messages that count against cap in the window of day.  exempt tells whether a
 * rule's messages are left out of global caps (transactional rules').
 */
typedef bool (*UsageExempt) (int64 rule_id, void *arg);
extern int64 usage_count(const Usage *usage, const FrequencyCap *cap, DateADT day,
						 UsageExempt exempt, void *arg);

/* Messages of all rules in the seven days up to day */
extern int32 usage_count_week(const Usage *usage, DateADT day);

#endif							/* NUDGE_CAPS_H */
