/*-------------------------------------------------------------------------
 *
 * send_window.h
 *	  Times of day, weekdays and intervals as people write them in rules.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_SEND_WINDOW_H
#define NUDGE_SEND_WINDOW_H

#include "postgres.h"

#include "faults.h"
#include "rule_checks.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* Reads "09:00" or "09:00:00"; 24:00 is the end of the day.  False after a fault. */
extern bool read_time_of_day(FaultList *faults, const char *path,
							 const JsonbValue *value, TimeADT *time);

/* Reads an interval as PostgreSQL writes it.  False after a fault. */
extern bool read_interval_text(FaultList *faults, const char *path,
							   const JsonbValue *value, Interval *interval);

extern void check_send_between(FaultList *faults, const char *path,
							   const TimeADT *times);

/* mon to sun */
extern void check_weekdays(FaultList *faults, const TextList *days);

/* A bit each, Monday's the lowest; unknown days count for nothing. */
extern uint8 weekdays_mask(const TextList *days);

#endif							/* NUDGE_SEND_WINDOW_H */
