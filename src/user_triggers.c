/*-------------------------------------------------------------------------
 *
 * user_triggers.c
 *	  Trigger on users: their time zone, and when they changed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "pgtime.h"
#include "row_trigger.h"
#include "user.h"

PG_FUNCTION_INFO_V1(nudge_check_user);

/*
 * A whole number without leading zeros, from 0 to most
 */
static bool
is_hour(const char *text, int most)
{
	int			hour;

	if (!isdigit((unsigned char) text[0]) ||
		(text[0] == '0' && text[1] != '\0') || strlen(text) > 2)
		return false;
	hour = atoi(text);
	return hour <= most;
}

/*
 * Names in the IANA database that have digits
 */
static bool
is_iana_name_with_digits(const char *name)
{
	static const char *const names[] = {
		"GMT0", "Etc/GMT0", "GMT+0", "GMT-0",
		"EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT"
	};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (pg_strcasecmp(name, names[i]) == 0)
			return true;
	}
	if (pg_strncasecmp(name, "Etc/GMT+", 8) == 0)
		return is_hour(name + 8, 12);
	if (pg_strncasecmp(name, "Etc/GMT-", 8) == 0)
		return is_hour(name + 8, 14);
	return false;
}

/*
 * PostgreSQL takes POSIX specifications such as FOO5 too, and with them every
 * misspelt name that ends in a number.  Those always have a digit, which few
 * names of the IANA database have.
 */
bool
is_iana_timezone(const char *name)
{
	pg_tz	   *tz;

	if (strpbrk(name, "0123456789") != NULL && !is_iana_name_with_digits(name))
		return false;
	tz = pg_tzset(name);
	return tz != NULL && pg_tz_acceptable(tz);
}

/*
 * Trigger on users, before INSERT and UPDATE of a row.
 */
Datum
nudge_check_user(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_user");
	HeapTuple	row = trigger_row(trigger);
	char	   *timezone = NULL;

	if (row_column_changes(trigger, "timezone"))
		timezone = row_text(trigger, row, "timezone");
	if (timezone != NULL && !is_iana_timezone(timezone))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", timezone),
				 errdetail("A user's time zone is a name of the IANA database that this server has."),
				 errhint("Give a name such as Europe/Berlin, see pg_timezone_names, or NULL for nudge.timezone.")));
	return PointerGetDatum(row_touched(trigger, row));
}
