/*-------------------------------------------------------------------------
 *
 * liquid_strftime.c
 *	  Writing times by a format, as Ruby's strftime does.
 *
 * A conversion is %, flags, a width, perhaps E or O, and a letter.  The flags
 * are - (no padding), 0 and _ (pad with zeros or spaces), ^ (upper case),
 * # (other case) and : (a colon in %z).  What is no conversion stays.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_filters.h"

#include "liquid_locale.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#define MAX_WIDTH	1024

/* A time taken apart */
typedef struct Parts
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;			/* seconds east of Greenwich */
	const char *zone;			/* its abbreviation */
	TimestampTz at;
} Parts;

/* How one conversion is to be written */
typedef struct Conversion
{
	char		padding;		/* 0, '0', '_' (space), '-' (none) */
	bool		upper;
	bool		swap;
	int			colons;
	int			width;			/* 0: as the conversion has it */
	char		letter;
} Conversion;

static void format_parts(LiquidState *st, StringInfo buf, const Parts *parts,
						 const char *format, int len);

static bool
take_apart(const LiquidTime *time, Parts *parts)
{
	int			tz;

	if (timestamp2tm(time->at, &tz, &parts->tm, &parts->fsec, &parts->zone,
					 time->zone) != 0)
		return false;
	parts->offset = -tz;
	parts->at = time->at;
	if (time->has_offset || parts->zone == NULL)
		parts->zone = "";
	parts->tm.tm_wday = j2day(date2j(parts->tm.tm_year, parts->tm.tm_mon,
									 parts->tm.tm_mday));
	parts->tm.tm_yday = date2j(parts->tm.tm_year, parts->tm.tm_mon,
							   parts->tm.tm_mday) -
		date2j(parts->tm.tm_year, 1, 1);
	return true;
}

static void
pad(StringInfo buf, char c, int n)
{
	for (; n > 0; n--)
		appendStringInfoChar(buf, c);
}

/* A number of at least "digits" digits, padded with "padding" by default */
static void
put_number(StringInfo buf, const Conversion *c, int64 number, int digits,
		   char padding)
{
	char		text[32];
	int			len = snprintf(text, sizeof(text), INT64_FORMAT,
							   number < 0 ? -number : number);
	bool		negative = number < 0;

	if (c->width > 0)
		digits = c->width;
	if (c->padding == '_')
		padding = ' ';
	else if (c->padding == '0')
		padding = '0';
	else if (c->padding == '-')
		digits = 0;
	if (padding == ' ')
		pad(buf, ' ', digits - len - negative);
	if (negative)
		appendStringInfoChar(buf, '-');
	if (padding == '0')
		pad(buf, '0', digits - len - negative);
	appendBinaryStringInfo(buf, text, len);
}

/* Text, which # turns to upper case, or to lower where it is upper already */
static void
put_text(StringInfo buf, const Conversion *c, const char *text, int len,
		 bool is_upper)
{
	if (c->padding != '-')
		pad(buf, c->padding == '0' ? '0' : ' ', c->width - len);
	if (c->swap && is_upper)
		liquid_append_lower(buf, text, len);
	else if (c->upper || c->swap)
		liquid_append_upper(buf, text, len);
	else
		appendBinaryStringInfo(buf, text, len);
}

static void
put_name(StringInfo buf, const Conversion *c, const char *names, int n)
{
	const char *name;
	int			len = liquid_nth_name(names, n, &name);

	put_text(buf, c, name, len, false);
}

/* A conversion that stands for several */
static void
put_format(LiquidState *st, StringInfo buf, const Conversion *c,
		   const Parts *parts, const char *format)
{
	StringInfoData text;
	Conversion	plain = *c;

	initStringInfo(&text);
	format_parts(st, &text, parts, format, strlen(format));
	plain.swap = false;
	put_text(buf, &plain, text.data, text.len, false);
	pfree(text.data);
}

/* Digits of the second's fraction; the width says how many */
static void
put_fraction(StringInfo buf, const Conversion *c, const Parts *parts,
			 int digits)
{
	char		text[16];

	if (c->width > 0)
		digits = c->width;
	snprintf(text, sizeof(text), "%06d", (int) parts->fsec);
	appendBinaryStringInfo(buf, text, Min(digits, 6));
	pad(buf, '0', digits - 6);
}

/* +0530, or with colons +05:30, +05:30:00, +05 */
static void
put_offset(StringInfo buf, const Conversion *c, const Parts *parts)
{
	int			offset = abs(parts->offset);
	int			hours = offset / SECS_PER_HOUR;
	int			minutes = offset / SECS_PER_MINUTE % MINS_PER_HOUR;
	int			seconds = offset % SECS_PER_MINUTE;
	char		sign = parts->offset < 0 ? '-' : '+';
	char		rest[16] = "";
	int			width;

	if (c->colons == 0)
		snprintf(rest, sizeof(rest), "%02d", minutes);
	else if (c->colons == 1)
		snprintf(rest, sizeof(rest), ":%02d", minutes);
	else if (c->colons == 2 || seconds != 0)
		snprintf(rest, sizeof(rest), ":%02d:%02d", minutes, seconds);
	else if (minutes != 0)
		snprintf(rest, sizeof(rest), ":%02d", minutes);
	width = Max(c->width - (int) strlen(rest), 3);
	if (c->padding == '_')
	{
		pad(buf, ' ', width - (hours > 9 ? 3 : 2));
		appendStringInfo(buf, "%c%d", sign, hours);
	}
	else
	{
		appendStringInfoChar(buf, sign);
		pad(buf, '0', width - 3);
		appendStringInfo(buf, "%02d", hours);
	}
	appendStringInfoString(buf, rest);
}

static inline int
hour_of_twelve(int hour)
{
	return hour % 12 == 0 ? 12 : hour % 12;
}

/* Weeks of the year, the first beginning at its first Sunday or Monday */
static int
week_of_year(const Parts *parts, bool from_monday)
{
	int			day = from_monday ? (parts->tm.tm_wday + 6) % 7 :
	parts->tm.tm_wday;

	return (parts->tm.tm_yday + 7 - day) / 7;
}

/* Years, months, weeks, days; false where the letter is none of those */
static bool
put_date_part(LiquidState *st, StringInfo buf, const Conversion *c,
			  const Parts *parts)
{
	const struct pg_tm *tm = &parts->tm;
	int			year = tm->tm_year;
	int			iso_year = date2isoyear(year, tm->tm_mon, tm->tm_mday);

	switch (c->letter)
	{
		case 'Y':
			put_number(buf, c, year, year < 0 ? 5 : 4, '0');
			break;
		case 'C':
			put_number(buf, c, (year - (year < 0 ? 99 : 0)) / 100, 2, '0');
			break;
		case 'y':
			put_number(buf, c, (year % 100 + 100) % 100, 2, '0');
			break;
		case 'G':
			put_number(buf, c, iso_year, iso_year < 0 ? 5 : 4, '0');
			break;
		case 'g':
			put_number(buf, c, (iso_year % 100 + 100) % 100, 2, '0');
			break;
		case 'm':
			put_number(buf, c, tm->tm_mon, 2, '0');
			break;
		case 'B':
			put_name(buf, c, liquid_locale(st)->months, tm->tm_mon - 1);
			break;
		case 'b':
		case 'h':
			put_name(buf, c, liquid_locale(st)->short_months, tm->tm_mon - 1);
			break;
		case 'd':
			put_number(buf, c, tm->tm_mday, 2, '0');
			break;
		case 'e':
			put_number(buf, c, tm->tm_mday, 2, ' ');
			break;
		case 'j':
			put_number(buf, c, tm->tm_yday + 1, 3, '0');
			break;
		case 'A':
			put_name(buf, c, liquid_locale(st)->days, tm->tm_wday);
			break;
		case 'a':
			put_name(buf, c, liquid_locale(st)->short_days, tm->tm_wday);
			break;
		case 'u':
			put_number(buf, c, tm->tm_wday == 0 ? 7 : tm->tm_wday, 1, '0');
			break;
		case 'w':
			put_number(buf, c, tm->tm_wday, 1, '0');
			break;
		case 'U':
			put_number(buf, c, week_of_year(parts, false), 2, '0');
			break;
		case 'W':
			put_number(buf, c, week_of_year(parts, true), 2, '0');
			break;
		case 'V':
			put_number(buf, c, date2isoweek(year, tm->tm_mon, tm->tm_mday),
					   2, '0');
			break;
		default:
			return false;
	}
	return true;
}

/* Hours, minutes, seconds, zones; false where the letter is none of those */
static bool
put_time_part(StringInfo buf, const Conversion *c, const Parts *parts)
{
	const struct pg_tm *tm = &parts->tm;
	bool		is_pm = tm->tm_hour >= 12;

	switch (c->letter)
	{
		case 'H':
			put_number(buf, c, tm->tm_hour, 2, '0');
			break;
		case 'k':
			put_number(buf, c, tm->tm_hour, 2, ' ');
			break;
		case 'I':
			put_number(buf, c, hour_of_twelve(tm->tm_hour), 2, '0');
			break;
		case 'l':
			put_number(buf, c, hour_of_twelve(tm->tm_hour), 2, ' ');
			break;
		case 'M':
			put_number(buf, c, tm->tm_min, 2, '0');
			break;
		case 'S':
			put_number(buf, c, tm->tm_sec, 2, '0');
			break;
		case 'L':
			put_fraction(buf, c, parts, 3);
			break;
		case 'N':
			put_fraction(buf, c, parts, 9);
			break;
		case 'p':
			put_text(buf, c, is_pm ? "PM" : "AM", 2, true);
			break;
		case 'P':
			put_text(buf, c, is_pm ? "pm" : "am", 2, false);
			break;
		case 'z':
			put_offset(buf, c, parts);
			break;
		case 'Z':
			put_text(buf, c, parts->zone, strlen(parts->zone), true);
			break;
		case 's':
			put_number(buf, c, timestamptz_to_time_t(parts->at), 1, '0');
			break;
		default:
			return false;
	}
	return true;
}

/* Whole formats and single characters; false for any other letter */
static bool
put_combination(LiquidState *st, StringInfo buf, const Conversion *c,
				const Parts *parts)
{
	static const struct
	{
		char		letter;
		const char *format;
	}			combinations[] = {
		{'c', "%a %b %e %H:%M:%S %Y"},
		{'x', "%m/%d/%y"}, {'D', "%m/%d/%y"}, {'F', "%Y-%m-%d"},
		{'X', "%H:%M:%S"}, {'T', "%H:%M:%S"}, {'R', "%H:%M"},
		{'r', "%I:%M:%S %p"}, {'v', "%e-%^b-%Y"},
		{'n', "\n"}, {'t', "\t"}, {'%', "%%"}
	};

	if (c->letter == '%')
	{
		put_text(buf, c, "%", 1, false);
		return true;
	}
	for (int i = 0; i < lengthof(combinations); i++)
	{
		if (combinations[i].letter == c->letter)
		{
			put_format(st, buf, c, parts, combinations[i].format);
			return true;
		}
	}
	return false;
}

/* E and O stand before some letters, and change nothing. */
static bool
is_modifier(char c, char letter)
{
	if (letter == '\0')
		return false;
	return (c == 'E' && strchr("cCxXyY", letter) != NULL) ||
		(c == 'O' && strchr("deHkIlmMSuUVwWy", letter) != NULL);
}

/* Reads flags, width and letter after a %; NULL where the format ends. */
static const char *
read_conversion(const char *s, const char *end, Conversion *c)
{
	memset(c, 0, sizeof(Conversion));
	for (; s < end && *s != '\0' && strchr("-0_^#:", *s) != NULL; s++)
	{
		if (*s == '^')
			c->upper = true;
		else if (*s == '#')
			c->swap = true;
		else if (*s == ':')
			c->colons++;
		else
			c->padding = *s;
	}
	for (; s < end && *s >= '0' && *s <= '9'; s++)
		c->width = Min(c->width * 10 + (*s - '0'), MAX_WIDTH + 1);
	for (; s < end && *s == ':'; s++)
		c->colons++;
	if (s + 1 < end && is_modifier(s[0], s[1]))
		s++;
	if (s >= end)
		return NULL;
	c->letter = *s;
	return s + 1;
}

static void
format_parts(LiquidState *st, StringInfo buf, const Parts *parts,
			 const char *format, int len)
{
	const char *end = format + len;

	for (const char *s = format; s < end && !st->failed;)
	{
		Conversion	c;
		const char *next;

		if (*s != '%')
		{
			appendStringInfoChar(buf, *s++);
			continue;
		}
		next = read_conversion(s + 1, end, &c);
		if (next == NULL || c.width > MAX_WIDTH)
		{
			liquid_fail_with_value(st, ERRCODE_INVALID_PARAMETER_VALUE,
								   "invalid format",
								   "invalid format: %.*s", len, format);
			return;
		}
		if ((c.colons > 0 && (c.letter != 'z' || c.colons > 3)) ||
			!(put_date_part(st, buf, &c, parts) ||
			  put_time_part(buf, &c, parts) ||
			  put_combination(st, buf, &c, parts)))
			appendBinaryStringInfo(buf, s, next - s);
		if (buf->len > st->out_limit)
			return;
		s = next;
	}
}

/* Writes a time by a format; false where the time is out of range. */
bool
liquid_strftime(LiquidState *st, StringInfo buf, const LiquidTime *time,
				const char *format, int len)
{
	Parts		parts;

	if (!take_apart(time, &parts))
		return false;
	format_parts(st, buf, &parts, format, len);
	return true;
}

/* Appends a time as it prints without a format. */
void
liquid_append_time(LiquidState *st, StringInfo buf, const LiquidTime *time)
{
	Parts		parts;
	const char *format = "%Y-%m-%d %H:%M:%S %z";

	if (!take_apart(time, &parts))
		return;
	if (strcmp(parts.zone, "UTC") == 0)
		format = "%Y-%m-%d %H:%M:%S UTC";
	format_parts(st, buf, &parts, format, strlen(format));
}
