/*-------------------------------------------------------------------------
 *
 * quiet_hours.c
 *	  Rows of nudge.quiet_hours: when users are not to be disturbed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "quiet_hours.h"

#include "row_trigger.h"
#include "rule_checks.h"
#include "send_window.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(nudge_check_quiet_hours);

void
quiet_hours_load(QuietHours *hours, const Datum *values, const bool *nulls)
{
	hours->channel = nulls[Anum_quiet_hours_channel - 1] ? NULL :
		TextDatumGetCString(values[Anum_quiet_hours_channel - 1]);
	hours->window.starts = DatumGetTimeADT(values[Anum_quiet_hours_starts - 1]);
	hours->window.ends = DatumGetTimeADT(values[Anum_quiet_hours_ends - 1]);
	if (!nulls[Anum_quiet_hours_days - 1])
	{
		TextList	days = text_list_from_array(values[Anum_quiet_hours_days - 1], "");

		hours->window.days = weekdays_mask(&days);
	}
	hours->drop = strcmp(TextDatumGetCString(values[Anum_quiet_hours_action - 1]),
						 "drop") == 0;
}

/*
 * A channel that has hours of its own has none but those.
 */
static bool
has_own_hours(const QuietHours *hours, int n, const char *channel)
{
	for (int i = 0; i < n; i++)
	{
		if (hours[i].channel != NULL && strcmp(hours[i].channel, channel) == 0)
			return true;
	}
	return false;
}

bool
quiet_hours_contain(const QuietHours *hours, int n, const char *channel,
					TimestampTz at, pg_tz *tz, TimestampTz *end, bool *drop)
{
	bool		own = has_own_hours(hours, n, channel);
	bool		found = false;

	*drop = false;
	for (int i = 0; i < n; i++)
	{
		TimestampTz this_end;

		if (own ? hours[i].channel == NULL || strcmp(hours[i].channel, channel) != 0 :
			hours[i].channel != NULL)
			continue;
		if (!day_window_contains(&hours[i].window, at, tz, &this_end))
			continue;
		if (!found || this_end > *end)
			*end = this_end;
		found = true;
		*drop |= hours[i].drop;
	}
	return found;
}

static void
check_days(FaultList *faults, const TriggerData *trigger, HeapTuple row)
{
	bool		isnull;
	Datum		array = row_column(trigger, row, "days", &isnull);
	TextList	days;

	if (isnull)
		return;
	days = text_list_from_array(array, "days");
	check_weekdays(faults, &days);
}

static void
check_times(FaultList *faults, const TriggerData *trigger, HeapTuple row)
{
	bool		starts_null;
	bool		ends_null;
	TimeADT		starts = DatumGetTimeADT(row_column(trigger, row, "starts", &starts_null));
	TimeADT		ends = DatumGetTimeADT(row_column(trigger, row, "ends", &ends_null));

	if (!starts_null && !ends_null && starts == ends)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, "ends",
				  "For the whole day, let them last from 00:00 to 24:00.",
				  "quiet hours begin when they end");
}

/*
 * Trigger on quiet_hours, before INSERT and UPDATE of a row; what is null where
 * it must not be is left to the NOT NULL constraints.
 */
Datum
nudge_check_quiet_hours(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_quiet_hours");
	HeapTuple	row = trigger_row(trigger);
	FaultList	faults = {NIL};
	char	   *channel = row_text(trigger, row, "channel");
	char	   *action = row_text(trigger, row, "action");

	if (channel != NULL)
		check_channel(&faults, "channel", channel);
	check_times(&faults, trigger, row);
	check_days(&faults, trigger, row);
	if (action != NULL && strcmp(action, "hold") != 0 && strcmp(action, "drop") != 0)
		fault_add(&faults, ERRCODE_INVALID_PARAMETER_VALUE, "action",
				  "Actions are hold, drop.", "unknown action \"%s\"", action);
	fault_report(&faults, "row of quiet_hours");
	return PointerGetDatum(row);
}
