/*-------------------------------------------------------------------------
 *
 * liquid_unicode.c
 *	  Upper and lower case, the same in every locale.
 *
 * PostgreSQL's own functions follow a collation, and under "C" know ASCII
 * only; a template must render alike in every database.  In an encoding other
 * than UTF-8, letters beyond ASCII stay as they are.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_filters.h"

#include "mb/pg_wchar.h"

typedef struct CaseRun
{
	uint32		first;
	uint32		last;
	int32		delta;
	int32		step;
} CaseRun;

typedef struct CaseSequence
{
	uint32		from;
	uint16		to[3];			/* zeros where there are fewer */
} CaseSequence;

#include "liquid_unicode_table.h"

static uint32
map_case(const CaseRun *runs, int n, uint32 c)
{
	int			lo = 0;
	int			hi = n;

	/* The last run that begins at or before c */
	while (lo < hi)
	{
		int			mid = lo + (hi - lo) / 2;

		if (runs[mid].first <= c)
			lo = mid + 1;
		else
			hi = mid;
	}

	/* Runs with a step of 2 may lie within one another */
	for (int i = lo - 1; i >= 0 && i >= lo - 3; i--)
	{
		if (c <= runs[i].last && (c - runs[i].first) % runs[i].step == 0)
			return c + runs[i].delta;
	}
	return c;
}

static uint32
to_lower(uint32 c)
{
	if (c < 0x80)
		return pg_ascii_tolower((unsigned char) c);
	return map_case(lower_runs, lengthof(lower_runs), c);
}

static void
append_char(StringInfo buf, uint32 c)
{
	unsigned char utf8[4];

	unicode_to_utf8(c, utf8);
	appendBinaryStringInfo(buf, (char *) utf8, pg_utf_mblen(utf8));
}

/*
 * Upper case of one character, which may be several; those after the first
 * are lower case again where only the first letter of a word is asked for.
 */
static void
append_upper_char(StringInfo buf, uint32 c, bool title)
{
	int			lo = 0;
	int			hi = lengthof(upper_sequences);

	while (lo < hi)
	{
		int			mid = lo + (hi - lo) / 2;
		const CaseSequence *sequence = &upper_sequences[mid];

		if (sequence->from == c)
		{
			append_char(buf, sequence->to[0]);
			for (int i = 1; i < 3 && sequence->to[i] != 0; i++)
				append_char(buf, title ? to_lower(sequence->to[i]) :
							sequence->to[i]);
			return;
		}
		if (sequence->from < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	append_char(buf, map_case(upper_runs, lengthof(upper_runs), c));
}

static void
append_lower_char(StringInfo buf, uint32 c)
{
	/* The one lower case that is two characters */
	if (c == 0x0130)
		appendStringInfoString(buf, "i\xCC\x87");
	else
		append_char(buf, to_lower(c));
}

static inline bool
is_utf8(void)
{
	return GetDatabaseEncoding() == PG_UTF8;
}

void
liquid_append_upper(StringInfo buf, const char *s, int len)
{
	const char *end = s + len;

	while (s < end)
	{
		if (!IS_HIGHBIT_SET(*s) || !is_utf8())
			appendStringInfoChar(buf, pg_ascii_toupper((unsigned char) *s++));
		else
		{
			append_upper_char(buf, utf8_to_unicode((unsigned char *) s),
							  false);
			s += pg_mblen(s);
		}
	}
}

void
liquid_append_lower(StringInfo buf, const char *s, int len)
{
	const char *end = s + len;

	while (s < end)
	{
		if (!IS_HIGHBIT_SET(*s) || !is_utf8())
			appendStringInfoChar(buf, pg_ascii_tolower((unsigned char) *s++));
		else
		{
			append_lower_char(buf, utf8_to_unicode((unsigned char *) s));
			s += pg_mblen(s);
		}
	}
}

/* The first character in upper case, the others in lower case */
void
liquid_append_capitalized(StringInfo buf, const char *s, int len)
{
	int			first;

	if (len == 0)
		return;
	first = pg_mblen(s);
	if (!IS_HIGHBIT_SET(*s) || !is_utf8())
		liquid_append_upper(buf, s, first);
	else
		append_upper_char(buf, utf8_to_unicode((unsigned char *) s), true);
	liquid_append_lower(buf, s + first, len - first);
}
