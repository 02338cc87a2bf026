/*-------------------------------------------------------------------------
 *
 * softtime.h
 *	  Times out of JSON, without errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_SOFTTIME_H
#define NUDGE_SOFTTIME_H

#include "postgres.h"

#include "pgtime.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/*
 * Reads a point in time from a string in any format that PostgreSQL takes, or
 * from a number of seconds since 1970.  A string that names no time zone is in
 * tz.  False where it is no finite time.
 */
extern bool soft_timestamptz(const JsonbValue *value, pg_tz *tz,
							 TimestampTz *result);

/*
 * PostgreSQL's own decoder of a date and time, in the session's DateStyle and time
 * zone, where it raises no error; offset is seconds west.  special_words lets in
 * "now", "today" and the like.  Infinities are never let in.
 */
extern bool soft_decode_datetime(const char *text, bool special_words,
								 struct pg_tm *tm, fsec_t *fsec, int *offset);

#endif							/* NUDGE_SOFTTIME_H */
