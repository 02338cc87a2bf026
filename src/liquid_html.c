/*-------------------------------------------------------------------------
 *
 * liquid_html.c
 *	  Looks for links in rendered HTML that run code where they are followed.
 *
 * Every "href" or "src" with a "=" after it counts, in a tag or not: better
 * one message too few than a link that a sloppy reader of HTML would follow.
 * A value is read as browsers read it: entities are decoded, and white space
 * and control characters within the scheme do not matter.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_value.h"

/* The longest scheme, with its colon, and some room */
#define MAX_SCHEME	16

static const char *const schemes[] = {"javascript:", "vbscript:", "data:"};

/* Named entities that may stand in a scheme */
static const struct
{
	const char *name;
	char		c;
}			entities[] = {
	{"colon;", ':'}, {"Tab;", '\t'}, {"NewLine;", '\n'}
};

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* Decodes "#106;" or "#x6a;" (the semicolon may lack); NULL if it is none. */
static const char *
decode_number(const char *s, const char *end, uint32 *c)
{
	int			base = 10;
	const char *digits;

	s++;
	if (s < end && (*s == 'x' || *s == 'X'))
	{
		base = 16;
		s++;
	}
	digits = s;
	for (*c = 0; s < end && digit_value(*s) < base; s++)
		*c = Min(*c * base + digit_value(*s), 0x110000);
	if (s == digits)
		return NULL;
	return s < end && *s == ';' ? s + 1 : s;
}

/* Reads one character of an attribute's value, decoding an entity. */
static const char *
next_character(const char *s, const char *end, uint32 *c)
{
	const char *after;

	*c = (unsigned char) *s;
	if (*s++ != '&' || s >= end)
		return s;
	if (*s == '#' && (after = decode_number(s, end, c)) != NULL)
		return after;
	for (int i = 0; i < lengthof(entities); i++)
	{
		int			len = strlen(entities[i].name);

		if (end - s >= len && memcmp(s, entities[i].name, len) == 0)
		{
			*c = entities[i].c;
			return s + len;
		}
	}
	return s;
}

/* Does the value that starts at s begin with one of the schemes? */
static bool
is_unsafe_value(const char *s, const char *end)
{
	char		scheme[MAX_SCHEME];
	int			n = 0;

	while (s < end && n < MAX_SCHEME - 1)
	{
		uint32		c;

		s = next_character(s, end, &c);
		if (c <= ' ')
			continue;
		if (c >= 0x7F)
			break;
		scheme[n++] = pg_ascii_tolower((unsigned char) c);
		if (c == ':')
			break;
	}
	scheme[n] = '\0';
	for (int i = 0; i < lengthof(schemes); i++)
	{
		if (strcmp(scheme, schemes[i]) == 0)
			return true;
	}
	return false;
}

/* The start of an attribute's value after its name, or NULL */
static const char *
value_start(const char *s, const char *end)
{
	while (s < end && liquid_is_space(*s))
		s++;
	if (s >= end || *s++ != '=')
		return NULL;
	while (s < end && liquid_is_space(*s))
		s++;
	if (s < end && (*s == '"' || *s == '\''))
		s++;
	return s;
}

/*
 * Is there an href or src whose value begins with javascript:, vbscript: or
 * data:?
 */
bool
liquid_has_unsafe_link(const char *html, int len)
{
	const char *end = html + len;

	for (const char *s = html; s < end; s++)
	{
		int			name = 0;
		const char *value;

		if ((*s == 'h' || *s == 'H') && end - s > 4 &&
			pg_strncasecmp(s, "href", 4) == 0)
			name = 4;
		else if ((*s == 's' || *s == 'S') && end - s > 3 &&
				 pg_strncasecmp(s, "src", 3) == 0)
			name = 3;
		if (name == 0)
			continue;
		value = value_start(s + name, end);
		if (value != NULL && is_unsafe_value(value, end))
			return true;
	}
	return false;
}
