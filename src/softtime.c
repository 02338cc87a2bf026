/*-------------------------------------------------------------------------
 *
 * softtime.c
 *	  Times out of JSON, without errors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "softtime.h"

#include <math.h>

#include "datatype/timestamp.h"
#include "utils/datetime.h"
#include "utils/numeric.h"
#include "utils/builtins.h"

static bool
parse_string(const char *string, int length, pg_tz *tz, TimestampTz *result)
{
	char		text[MAXDATELEN + 1];
	char		work[MAXDATELEN + MAXDATEFIELDS];
	char	   *fields[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			nfields;
	int			kind;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	pg_tz	   *session = session_timezone;
	int			error;

	if (length > MAXDATELEN)
		return false;
	memcpy(text, string, length);
	text[length] = '\0';

	if (ParseDateTime(text, work, sizeof(work), fields, types, MAXDATEFIELDS,
					  &nfields) != 0)
		return false;

	/* The decoder knows no other default zone than the session's. */
	session_timezone = tz;
	error = DecodeDateTime(fields, types, nfields, &kind, &tm, &fsec, &offset);
	session_timezone = session;

	if (error != 0 || kind != DTK_DATE)
		return false;
	return tm2timestamp(&tm, fsec, &offset, result) == 0;
}

bool
soft_timestamptz(const JsonbValue *value, pg_tz *tz, TimestampTz *result)
{
	double		seconds;

	switch (value->type)
	{
		case jbvString:
			return parse_string(value->val.string.val, value->val.string.len,
								tz, result);
		case jbvNumeric:
			seconds = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
														 NumericGetDatum(value->val.numeric)));
			seconds -= (double) SECS_PER_DAY *
				(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE);
			if (!(seconds * USECS_PER_SEC >= (double) MIN_TIMESTAMP &&
				  seconds * USECS_PER_SEC < (double) END_TIMESTAMP))
				return false;
			*result = (TimestampTz) rint(seconds * USECS_PER_SEC);
			return IS_VALID_TIMESTAMP(*result);
		default:
			return false;
	}
}
