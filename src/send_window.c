/*-------------------------------------------------------------------------
 *
 * send_window.c
 *	  Times of day, weekdays and intervals as people write them in rules.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "send_window.h"

#include "common/string.h"
#include "json_input.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

#define NUM_WEEKDAYS 7

static const char *const weekdays[NUM_WEEKDAYS] = {
	"mon", "tue", "wed", "thu", "fri", "sat", "sun"
};

/*
 * Up to two digits from *text on, which is moved past them
 */
static bool
read_digits(const char **text, int most, int *number)
{
	int			n = 0;

	*number = 0;
	while (n < 2 && **text >= '0' && **text <= '9')
	{
		*number = *number * 10 + (*(*text)++ - '0');
		n++;
	}
	return n > 0 && *number <= most;
}

static bool
parse_time_of_day(const char *text, TimeADT *time)
{
	int			parts[3] = {0, 0, 0};

	if (!read_digits(&text, 24, &parts[0]))
		return false;
	for (int i = 1; i < 3 && (*text == ':' || i == 1); i++)
	{
		if (*text++ != ':' || !read_digits(&text, 59, &parts[i]))
			return false;
	}
	*time = parts[0] * USECS_PER_HOUR + parts[1] * USECS_PER_MINUTE +
		parts[2] * USECS_PER_SEC;
	return *text == '\0' && *time <= USECS_PER_DAY;
}

bool
read_time_of_day(FaultList *faults, const char *path, const JsonbValue *value,
				 TimeADT *time)
{
	const char *hint = "Times are written like \"09:00\", up to \"24:00\".";

	if (value->type != jbvString)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, hint,
				  "%s must have a time as a string, not %s", path,
				  json_kind(value));
	else if (!parse_time_of_day(json_string(value), time))
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, hint,
				  "%s is not a time of day", json_excerpt(value));
	else
		return true;
	return false;
}

/*
 * PostgreSQL's own way of reading intervals, in the variant that returns a code.
 */
static bool
parse_interval(char *text, Interval *interval)
{
	struct pg_itm_in itm = {0};
	char		buffer[256];
	char	   *fields[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			nfields;
	int			type;

	if (ParseDateTime(text, buffer, sizeof(buffer), fields, types,
					  MAXDATEFIELDS, &nfields) != 0 ||
		DecodeInterval(fields, types, nfields, INTERVAL_FULL_RANGE, &type,
					   &itm) != 0 || type != DTK_DELTA)
		return false;
	return itmin2interval(&itm, interval) == 0;
}

bool
read_interval_text(FaultList *faults, const char *path, const JsonbValue *value,
				   Interval *interval)
{
	const char *hint = "Intervals are written like \"4 hours\" or \"7 days\".";

	if (value->type != jbvString)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, hint,
				  "%s must be an interval as a string, not %s", path,
				  json_kind(value));
	else if (!parse_interval(json_string(value), interval))
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, hint,
				  "%s is not an interval", json_excerpt(value));
	else
		return true;
	return false;
}

void
check_send_between(FaultList *faults, const char *path, const TimeADT *times)
{
	if (times[0] == times[1])
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path,
				  "Leave it out where messages may go out at any time.",
				  "%s begins when it ends", path);
}

static int
weekday_lookup(const char *name)
{
	for (int i = 0; i < NUM_WEEKDAYS; i++)
	{
		if (name != NULL && pg_strcasecmp(weekdays[i], name) == 0)
			return i;
	}
	return -1;
}

void
check_weekdays(FaultList *faults, const TextList *days)
{
	const char *hint = psprintf("Weekdays are %s.",
								enumerate(weekdays, NUM_WEEKDAYS));

	if (days->n == 0)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, days->path, hint,
				  "%s is an empty list", days->path);
	for (int i = 0; i < days->n; i++)
	{
		if (days->items[i] == NULL)
			fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE,
					  text_list_path(days, i), hint, "a weekday must not be null");
		else if (weekday_lookup(days->items[i]) < 0)
			fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE,
					  text_list_path(days, i), hint, "unknown weekday \"%s\"",
					  days->items[i]);
	}
}

uint8
weekdays_mask(const TextList *days)
{
	uint8		mask = 0;

	for (int i = 0; i < days->n; i++)
	{
		int			day = weekday_lookup(days->items[i]);

		if (day >= 0)
			mask |= 1 << day;
	}
	return mask;
}
