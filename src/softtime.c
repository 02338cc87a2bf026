/*-------------------------------------------------------------------------
 *
 * softtime.c
 *	  Times out of JSON, without errors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "softtime.h"

#include <ctype.h>
#include <math.h>

#include "datatype/timestamp.h"
#include "utils/datetime.h"
#include "utils/numeric.h"
#include "utils/builtins.h"

/*
 * Would PostgreSQL's parser take a field for a time zone that does not exist?
 * This is the one error that it raises itself.
 */
static bool
has_unknown_zone(char **fields, int *types, int n)
{
	for (int i = 1; i < n; i++)
	{
		if (types[i] == DTK_DATE && !isdigit((unsigned char) *fields[i]) &&
			pg_tzset(fields[i]) == NULL)
			return true;
	}
	return false;
}

/* Words that PostgreSQL's parser knows */
static bool
has_special_word(char **fields, int n)
{
	static const char *const words[] = {
		"now", "today", "tomorrow", "yesterday", "epoch", "infinity",
		"-infinity", "allballs"
	};

	for (int i = 0; i < n; i++)
	{
		for (int w = 0; w < lengthof(words); w++)
		{
			if (strcmp(fields[i], words[w]) == 0)
				return true;
		}
	}
	return false;
}

bool
soft_decode_datetime(const char *text, bool special_words, struct pg_tm *tm,
					 fsec_t *fsec, int *offset)
{
	char		work[MAXDATELEN + MAXDATEFIELDS];
	char	   *fields[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			n;
	int			kind;

	return ParseDateTime(text, work, sizeof(work), fields, types,
						 MAXDATEFIELDS, &n) == 0 &&
		(special_words || !has_special_word(fields, n)) &&
		!has_unknown_zone(fields, types, n) &&
		DecodeDateTime(fields, types, n, &kind, tm, fsec, offset) == 0 &&
		kind == DTK_DATE;
}

static bool
parse_string(const char *string, int length, pg_tz *tz, TimestampTz *result)
{
	char		text[MAXDATELEN + 1];
	pg_tz	   *session = session_timezone;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	volatile bool decoded = false;

	if (length > MAXDATELEN)
		return false;
	memcpy(text, string, length);
	text[length] = '\0';

	/* The decoder knows no other default zone than the session's. */
	PG_TRY();
	{
		session_timezone = tz;
		decoded = soft_decode_datetime(text, true, &tm, &fsec, &offset);
	}
	PG_FINALLY();
	{
		/* Only a broken file of time zones can make the parser raise. */
		session_timezone = session;
	}
	PG_END_TRY();

	return decoded && tm2timestamp(&tm, fsec, &offset, result) == 0;
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
