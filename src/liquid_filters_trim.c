/*-------------------------------------------------------------------------
 *
 * liquid_filters_trim.c
 *	  Liquid's filters on white space, lines and HTML tags.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_filters.h"

static inline bool
is_trailing(char c)
{
	return liquid_is_space(c) || c == '\0';
}

static LiquidValue
trim(LiquidState *st, LiquidValue in, bool left, bool right)
{
	const char *s;
	const char *end;

	in = liquid_to_string(st, in);
	s = in.u.s;
	end = s + in.len;
	while (left && s < end && is_trailing(*s))
		s++;
	while (right && s < end && is_trailing(end[-1]))
		end--;
	return liquid_part(in, s, end);
}

static LiquidValue
filter_strip(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return trim(st, in, true, true);
}

static LiquidValue
filter_lstrip(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return trim(st, in, true, false);
}

static LiquidValue
filter_rstrip(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return trim(st, in, false, true);
}

/* Trims, and makes one space of every run of white space within. */
static LiquidValue
filter_squish(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	StringInfoData buf;

	if (in.kind == LIQUID_NIL)
		return in;
	in = trim(st, in, true, true);
	initStringInfo(&buf);
	for (int i = 0; i < in.len; i++)
	{
		if (!liquid_is_space(in.u.s[i]))
			appendStringInfoChar(&buf, in.u.s[i]);
		else if (!liquid_is_space(in.u.s[i - 1]))
			appendStringInfoChar(&buf, ' ');
	}
	return liquid_built_string(st, &buf, in.flags);
}

/* Puts "instead" in the place of each line's end. */
static LiquidValue
replace_newlines(LiquidState *st, LiquidValue in, const char *instead)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < in.len; i++)
	{
		bool		is_return = in.u.s[i] == '\r' && i + 1 < in.len &&
		in.u.s[i + 1] == '\n';

		if (is_return)
			continue;
		if (in.u.s[i] == '\n')
			appendStringInfoString(&buf, instead);
		else
			appendStringInfoChar(&buf, in.u.s[i]);
	}
	return liquid_built_string(st, &buf, in.flags);
}

static LiquidValue
filter_strip_newlines(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return replace_newlines(st, liquid_to_string(st, in), "");
}

/*
 * With autoescape, text of the context is escaped first, so that the tags
 * put in here survive.
 */
static LiquidValue
filter_newline_to_br(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	in = liquid_make_safe(st, liquid_to_string(st, in));
	return replace_newlines(st, in, "<br />\n");
}

/* Elements that are taken out with their content */
static const struct
{
	const char *begin;
	const char *end;
}			blocks[] = {
	{"<script", "</script>"}, {"<!--", "-->"}, {"<style", "</style>"}
};

/*
 * The end of such an element, or NULL.  "endless" remembers which of them
 * have no end in the rest of the text, lest it be searched again and again.
 */
static const char *
end_of_block(const char *s, const char *end, bool *endless)
{
	for (int i = 0; i < lengthof(blocks); i++)
	{
		int			len = strlen(blocks[i].begin);
		const char *close;

		if (endless[i] || end - s < len ||
			memcmp(s, blocks[i].begin, len) != 0)
			continue;
		close = liquid_find(s + len, end, blocks[i].end,
							strlen(blocks[i].end));
		if (close != NULL)
			return close + strlen(blocks[i].end);
		endless[i] = true;
	}
	return NULL;
}

/* Takes out scripts, styles and comments, or (later) single tags. */
static LiquidValue
strip_html_pass(LiquidState *st, LiquidValue in, bool whole_blocks)
{
	bool		endless[lengthof(blocks)] = {false};
	StringInfoData buf;
	const char *s = in.u.s;
	const char *end = s + in.len;
	const char *from = s;

	initStringInfo(&buf);
	while (s < end && (s = memchr(s, '<', end - s)) != NULL)
	{
		const char *after = whole_blocks ? end_of_block(s, end, endless) :
		memchr(s, '>', end - s);

		CHECK_FOR_INTERRUPTS();
		if (after == NULL && !whole_blocks)
			break;
		if (after == NULL)
		{
			s++;
			continue;
		}
		appendBinaryStringInfo(&buf, from, s - from);
		from = s = whole_blocks ? after : after + 1;
	}
	appendBinaryStringInfo(&buf, from, end - from);
	return liquid_built_string(st, &buf, in.flags);
}

static LiquidValue
filter_strip_html(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	in = liquid_to_string(st, in);
	return strip_html_pass(st, strip_html_pass(st, in, true), false);
}

const LiquidFilter liquid_trim_filters[] = {
	{"lstrip", filter_lstrip, 0, 0},
	{"newline_to_br", filter_newline_to_br, 0, 0},
	{"rstrip", filter_rstrip, 0, 0},
	{"squish", filter_squish, 0, 0},
	{"strip", filter_strip, 0, 0},
	{"strip_html", filter_strip_html, 0, 0},
	{"strip_newlines", filter_strip_newlines, 0, 0},
	{NULL}
};
