/*-------------------------------------------------------------------------
 *
 * send_hours.h
 *	  The best hours to send messages of rules whose send_time is best.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_SEND_HOURS_H
#define NUDGE_SEND_HOURS_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* What is asked: the user and the rule; the answer: 0 to 23, -1 where unknown */
typedef struct SendHour
{
	Datum		user_id;
	int64		rule_id;
	int			hour;
} SendHour;

/* SPI must be connected. */
extern void send_hours_fetch(SendHour *asked, int n, TimestampTz as_of);

#endif							/* NUDGE_SEND_HOURS_H */
