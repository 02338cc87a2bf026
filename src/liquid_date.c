/*-------------------------------------------------------------------------
 *
 * liquid_date.c
 *	  Reading dates and times for the Liquid language.
 *
 * A date is "now", "today", seconds since 1970, or text.  ISO 8601 is read
 * here, everything else by PostgreSQL's date parser, which reports errors
 * without raising them.  Text without an offset is in the rendering's time
 * zone.  Text with one shows as it says, unless a time zone was asked for:
 * by the caller, or by a nudge.timezone other than UTC.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_value.h"

#include "common/int.h"
#include "pg_nudge.h"
#include "softtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

/* Longer text is no date. */
#define MAX_DATE_LENGTH 80

/* UTC, or where its file is missing, the zone that needs none */
static pg_tz *
utc(void)
{
	pg_tz	   *zone = pg_tzset("UTC");

	return zone != NULL ? zone : pg_tzset("GMT");
}

/* The rendering's time zone */
pg_tz *
liquid_zone(LiquidState *st)
{
	const char *name = st->options->timezone;

	if (st->zone != NULL)
		return st->zone;
	st->zone_is_set = name != NULL;
	if (name == NULL)
	{
		name = nudge_timezone;
		st->zone_is_set = pg_strcasecmp(name, "UTC") != 0;
	}
	st->zone = pg_tzset(name);
	if (st->zone == NULL)
		st->zone = utc();
	return st->zone;
}

/* The time of broken-down local time; false where there is none. */
static bool
time_from_local(struct pg_tm *tm, fsec_t fsec, int offset, TimestampTz *at)
{
	return tm2timestamp(tm, fsec, &offset, at) == 0 &&
		IS_VALID_TIMESTAMP(*at);
}

/* Sets a time of what was read; offset is seconds west, or NULL for none. */
static bool
finish(LiquidState *st, struct pg_tm *tm, fsec_t fsec, const int *offset,
	   LiquidTime *time)
{
	pg_tz	   *zone = liquid_zone(st);

	if (!IS_VALID_JULIAN(tm->tm_year, tm->tm_mon, tm->tm_mday))
		return false;
	time->zone = zone;
	if (offset == NULL)
		return time_from_local(tm, fsec, DetermineTimeZoneOffset(tm, zone),
							   &time->at);
	if (!st->zone_is_set)
	{
		time->zone = *offset == 0 ? utc() :
			pg_tzset_offset(*offset);
		time->has_offset = *offset != 0;
	}
	return time->zone != NULL &&
		time_from_local(tm, fsec, *offset, &time->at);
}

/* Reads exactly n digits. */
static bool
read_digits(const char **s, int n, int *value)
{
	*value = 0;
	for (; n > 0; n--, (*s)++)
	{
		if (**s < '0' || **s > '9')
			return false;
		*value = *value * 10 + (**s - '0');
	}
	return true;
}

/* Reads ".123456" to microseconds. */
static fsec_t
read_fraction(const char **s)
{
	fsec_t		fsec = 0;
	int			unit = 100000;

	for ((*s)++; **s >= '0' && **s <= '9'; (*s)++)
	{
		fsec += (**s - '0') * unit;
		unit /= 10;
	}
	return fsec;
}

/* Reads "Z" or "+05:30" to seconds west of Greenwich. */
static bool
read_offset(const char **s, int *offset)
{
	int			sign = **s == '-' ? 1 : -1;
	int			hours;
	int			minutes = 0;

	if (**s == 'z')
	{
		(*s)++;
		*offset = 0;
		return true;
	}
	if (**s != '+' && **s != '-')
		return false;
	(*s)++;
	if (!read_digits(s, 2, &hours))
		return false;
	if (**s == ':')
		(*s)++;
	if (**s != '\0' && !read_digits(s, 2, &minutes))
		return false;
	*offset = sign * (hours * SECS_PER_HOUR + minutes * SECS_PER_MINUTE);
	return hours <= MAX_TZDISP_HOUR && minutes < MINS_PER_HOUR;
}

/* 2024-01-15, 2024-01-15T10:30, 2024-01-15 10:30:00.5 +05:30, and the like */
static bool
read_iso(LiquidState *st, const char *s, LiquidTime *time)
{
	struct pg_tm tm = {0};
	fsec_t		fsec = 0;
	int			offset = 0;
	bool		has_offset = false;

	if (!read_digits(&s, 4, &tm.tm_year) || *s++ != '-' ||
		!read_digits(&s, 2, &tm.tm_mon) || *s++ != '-' ||
		!read_digits(&s, 2, &tm.tm_mday) ||
		tm.tm_mon < 1 || tm.tm_mon > MONTHS_PER_YEAR || tm.tm_mday < 1 ||
		tm.tm_mday > day_tab[isleap(tm.tm_year)][tm.tm_mon - 1])
		return false;
	if (*s == 't' || *s == ' ')
	{
		s++;
		if (!read_digits(&s, 2, &tm.tm_hour) || *s++ != ':' ||
			!read_digits(&s, 2, &tm.tm_min))
			return false;
		if (*s == ':' && (s++, !read_digits(&s, 2, &tm.tm_sec)))
			return false;
		if (*s == '.')
			fsec = read_fraction(&s);
		if (*s == ' ')
			s++;
		has_offset = *s != '\0';
		if (has_offset && !read_offset(&s, &offset))
			return false;
	}
	return *s == '\0' && tm.tm_hour < HOURS_PER_DAY &&
		tm.tm_min < MINS_PER_HOUR && tm.tm_sec < SECS_PER_MINUTE &&
		finish(st, &tm, fsec, has_offset ? &offset : NULL, time);
}

/*
 * Decodes a text, and finds out whether it has an offset or zone of
 * its own: it has one if the session's time zone makes no difference.
 */
static bool
decode_with_offset(const char *s, struct pg_tm *tm, fsec_t *fsec, int *tz,
				   bool *has_offset)
{
	int			elsewhere;

	session_timezone = pg_tzset_offset(0);
	if (!soft_decode_datetime(s, false, tm, fsec, tz))
		return false;
	session_timezone = pg_tzset_offset(SECS_PER_HOUR);
	*has_offset = soft_decode_datetime(s, false, tm, fsec, &elsewhere) && elsewhere == *tz;
	return true;
}

/*
 * Text by PostgreSQL's parser, days before months where that makes sense,
 * whatever the session's DateStyle and time zone are.
 */
static bool
read_text(LiquidState *st, const char *s, LiquidTime *time)
{
	static const int orders[] = {
		DATEORDER_DMY, DATEORDER_MDY, DATEORDER_YMD
	};
	int			saved_order = DateOrder;
	pg_tz	   *saved_zone = session_timezone;
	struct pg_tm tm;
	fsec_t		fsec = 0;
	int			tz = 0;
	volatile bool has_offset = false;
	volatile bool found = false;

	PG_TRY();
	{
		for (int i = 0; i < lengthof(orders) && !found; i++)
		{
			bool		own = false;

			DateOrder = orders[i];
			found = decode_with_offset(s, &tm, &fsec, &tz, &own);
			has_offset = own;
		}
	}
	PG_FINALLY();
	{
		/* Only a broken file of time zones can make the parser raise. */
		DateOrder = saved_order;
		session_timezone = saved_zone;
	}
	PG_END_TRY();
	return found && finish(st, &tm, fsec, has_offset ? &tz : NULL, time);
}

/* Could it be a date at all?  PostgreSQL's parser skips odd characters. */
static bool
has_odd_characters(const char *s)
{
	for (; *s != '\0'; s++)
	{
		if (!isalnum((unsigned char) *s) && strchr(" :/-.,+'_", *s) == NULL)
			return true;
	}
	return false;
}

/* "3pm" to "3:00pm", which PostgreSQL's parser insists on */
static void
complete_hour(const char *s, char *result)
{
	const char *noon = strstr(s, "pm") != NULL ? strstr(s, "pm") :
	strstr(s, "am");
	const char *digits = noon;

	if (noon != NULL)
	{
		while (digits > s && digits[-1] == ' ')
			digits--;
		noon = digits;
		while (digits > s && digits[-1] >= '0' && digits[-1] <= '9')
			digits--;
	}
	if (noon == digits || (digits > s && digits[-1] != ' '))
		strcpy(result, s);
	else
		sprintf(result, "%.*s:00%s", (int) (noon - s), s, noon);
}

static bool
has_month_name(const char *s)
{
	static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	for (; *s != '\0'; s++)
	{
		for (const char *m = months; *m != '\0'; m += 3)
		{
			if (strncmp(s, m, 3) == 0)
				return true;
		}
	}
	return false;
}

/* Text without a year, a day or a date is completed by today's. */
static bool
read_incomplete(LiquidState *st, const char *s, LiquidTime *time)
{
	char		text[MAX_DATE_LENGTH + 40];
	struct pg_tm tm;
	fsec_t		fsec;
	int			tz;

	if (timestamp2tm(st->options->now, &tz, &tm, &fsec, NULL,
					 liquid_zone(st)) != 0)
		return false;
	if (has_month_name(s))
	{
		snprintf(text, sizeof(text), "%s %04d", s, tm.tm_year);
		if (read_text(st, text, time))
			return true;
		snprintf(text, sizeof(text), "1 %s", s);
		return read_text(st, text, time);
	}
	if (strspn(s, "0123456789/") == strlen(s) && strchr(s, '/') != NULL)
	{
		snprintf(text, sizeof(text), "%s/%04d", s, tm.tm_year);
		return read_text(st, text, time);
	}
	if (strchr(s, ':') == NULL)
		return false;
	snprintf(text, sizeof(text), "%04d-%02d-%02d %s", tm.tm_year, tm.tm_mon,
			 tm.tm_mday, s);
	return read_text(st, text, time);
}

/* Seconds since 1970 */
static bool
time_from_seconds(LiquidState *st, int64 seconds, LiquidTime *time)
{
	int64		at;

	if (pg_sub_s64_overflow(seconds, (POSTGRES_EPOCH_JDATE -
									  UNIX_EPOCH_JDATE) * SECS_PER_DAY, &at) ||
		pg_mul_s64_overflow(at, USECS_PER_SEC, &at) ||
		!IS_VALID_TIMESTAMP(at))
		return false;
	time->at = at;
	time->zone = liquid_zone(st);
	return true;
}

static bool
time_from_text(LiquidState *st, LiquidValue v, LiquidTime *time)
{
	char		text[MAX_DATE_LENGTH + 1];
	char		with_hour[MAX_DATE_LENGTH + 4];
	const char *s = v.u.s;
	int			len = v.len;

	while (len > 0 && liquid_is_space(*s))
		s++, len--;
	while (len > 0 && liquid_is_space(s[len - 1]))
		len--;
	if (len == 0 || len > MAX_DATE_LENGTH || memchr(s, '\0', len) != NULL)
		return false;
	for (int i = 0; i < len; i++)
		text[i] = pg_ascii_tolower((unsigned char) s[i]);
	text[len] = '\0';

	if (strcmp(text, "now") == 0 || strcmp(text, "today") == 0)
	{
		time->at = st->options->now;
		time->zone = liquid_zone(st);
		return true;
	}
	if (strspn(text, "0123456789") == len)
		return time_from_seconds(st, liquid_leading_integer(v), time);
	if (read_iso(st, text, time))
		return true;
	if (has_odd_characters(text))
		return false;
	complete_hour(text, with_hour);
	return read_text(st, with_hour, time) ||
		read_incomplete(st, with_hour, time);
}

/* Reads a value as a time; false where it is none. */
bool
liquid_to_time(LiquidState *st, LiquidValue v, LiquidTime *time)
{
	memset(time, 0, sizeof(LiquidTime));
	if (v.kind == LIQUID_TIME)
		*time = *v.u.time;
	else if (v.kind == LIQUID_INT)
		return time_from_seconds(st, v.u.i, time);
	else
		return v.kind == LIQUID_STRING && time_from_text(st, v, time);
	return true;
}
