/*-------------------------------------------------------------------------
 *
 * liquid_filters_string.c
 *	  Liquid's filters that change, join and cut strings.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_filters.h"

#include "mb/pg_wchar.h"

static LiquidValue
filter_upcase(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	StringInfoData buf;

	in = liquid_to_string(st, in);
	initStringInfo(&buf);
	liquid_append_upper(&buf, in.u.s, in.len);
	return liquid_built_string(st, &buf, in.flags);
}

static LiquidValue
filter_downcase(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	StringInfoData buf;

	in = liquid_to_string(st, in);
	initStringInfo(&buf);
	liquid_append_lower(&buf, in.u.s, in.len);
	return liquid_built_string(st, &buf, in.flags);
}

static LiquidValue
filter_capitalize(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	StringInfoData buf;

	in = liquid_to_string(st, in);
	initStringInfo(&buf);
	liquid_append_capitalized(&buf, in.u.s, in.len);
	return liquid_built_string(st, &buf, in.flags);
}

static LiquidValue
join_two(LiquidState *st, LiquidValue a, LiquidValue b)
{
	char	   *text;

	a = liquid_to_string(st, a);
	b = liquid_to_string(st, b);
	liquid_blend(st, &a, &b);
	if (!liquid_spend(st, (int64) a.len + b.len))
		return liquid_nil();
	text = palloc(a.len + b.len + 1);
	memcpy(text, a.u.s, a.len);
	memcpy(text + a.len, b.u.s, b.len);
	return liquid_string(text, a.len + b.len, a.flags | b.flags);
}

static LiquidValue
filter_append(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return join_two(st, in, liquid_arg(args, 0));
}

static LiquidValue
filter_prepend(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return join_two(st, liquid_arg(args, 0), in);
}

/* A string that takes another's place, found from "at" to "end" in "in" */
typedef struct Replacement
{
	LiquidValue in;
	LiquidValue with;
	bool		has_escapes;	/* backslashes mean something */
} Replacement;

/*
 * What a backslash and a character stand for in a replacement: the whole
 * match, a group (there are none), what is before or after it, a backslash.
 */
static bool
append_escape(StringInfo buf, const Replacement *r, char c, const char *at,
			  const char *end)
{
	if (c == '0' || c == '&')
		appendBinaryStringInfo(buf, at, end - at);
	else if (c == '`')
		appendBinaryStringInfo(buf, r->in.u.s, at - r->in.u.s);
	else if (c == '\'')
		appendBinaryStringInfo(buf, end, r->in.u.s + r->in.len - end);
	else if (c == '\\')
		appendStringInfoChar(buf, '\\');
	else
		return c >= '1' && c <= '9';
	return true;
}

static void
append_replacement(LiquidState *st, StringInfo buf, const Replacement *r,
				   const char *at, const char *end)
{
	const char *s = r->with.u.s;
	const char *stop = s + r->with.len;

	if (!r->has_escapes)
	{
		appendBinaryStringInfo(buf, s, stop - s);
		return;
	}
	for (; s < stop && buf->len <= st->out_limit; s++)
	{
		if (*s == '\\' && s + 1 < stop &&
			append_escape(buf, r, s[1], at, end))
			s++;
		else
			appendStringInfoChar(buf, *s);
	}
}

/*
 * Makes strings of the three.  Where the replacement is markup and the input
 * is made safe for it, so is what is looked for.
 */
static Replacement
prepare_replacement(LiquidState *st, LiquidValue in, LiquidValue *what,
					LiquidValue with)
{
	Replacement r = {liquid_to_string(st, in), liquid_to_string(st, with)};
	uint8		flags = r.in.flags;

	*what = liquid_to_string(st, *what);
	liquid_blend(st, &r.in, &r.with);
	if (r.in.flags != flags)
	{
		what->flags |= LIQUID_TAINTED;
		*what = liquid_make_safe(st, *what);
	}
	r.has_escapes = memchr(r.with.u.s, '\\', r.with.len) != NULL;
	return r;
}

/*
 * Replaces every occurrence of "what" (or the first).  The empty string
 * occurs before each character and at the end.
 */
static LiquidValue
replace(LiquidState *st, LiquidValue in, LiquidValue what, LiquidValue with,
		bool first_only)
{
	Replacement r;
	StringInfoData buf;
	const char *s;
	const char *end;
	const char *at;

	r = prepare_replacement(st, in, &what, with);
	in = r.in;
	s = in.u.s;
	end = s + in.len;
	if (st->failed || liquid_find(s, end, what.u.s, what.len) == NULL)
		return in;
	initStringInfo(&buf);
	while ((at = liquid_find(s, end, what.u.s, what.len)) != NULL)
	{
		appendBinaryStringInfo(&buf, s, at - s);
		append_replacement(st, &buf, &r, at, at + what.len);
		s = at + what.len;
		if (first_only)
			break;
		if (what.len == 0)
		{
			if (s >= end)
				break;
			appendBinaryStringInfo(&buf, s, pg_mblen(s));
			s += pg_mblen(s);
		}
		if (buf.len > st->out_limit && !liquid_spend(st, buf.len))
			return liquid_nil();
		CHECK_FOR_INTERRUPTS();
	}
	appendBinaryStringInfo(&buf, s, end - s);
	return liquid_built_string(st, &buf, in.flags | r.with.flags);
}

static LiquidValue
replace_last(LiquidState *st, LiquidValue in, LiquidValue what,
			 LiquidValue with)
{
	Replacement r;
	StringInfoData buf;
	const char *at;
	const char *end;

	r = prepare_replacement(st, in, &what, with);
	in = r.in;
	end = in.u.s + in.len;
	for (at = end - what.len; at >= in.u.s && liquid_spend(st, 0); at--)
	{
		if (memcmp(at, what.u.s, what.len) == 0)
			break;
	}
	if (what.len > in.len || at < in.u.s)
		return in;
	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, in.u.s, at - in.u.s);
	appendBinaryStringInfo(&buf, r.with.u.s, r.with.len);
	appendBinaryStringInfo(&buf, at + what.len, end - at - what.len);
	return liquid_built_string(st, &buf, in.flags | r.with.flags);
}

static LiquidValue
filter_replace(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return replace(st, in, liquid_arg(args, 0), liquid_arg(args, 1), false);
}

static LiquidValue
filter_replace_first(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return replace(st, in, liquid_arg(args, 0), liquid_arg(args, 1), true);
}

static LiquidValue
filter_replace_last(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return replace_last(st, in, liquid_arg(args, 0), liquid_arg(args, 1));
}

static LiquidValue
filter_remove(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return replace(st, in, liquid_arg(args, 0), liquid_nil(), false);
}

static LiquidValue
filter_remove_first(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return replace(st, in, liquid_arg(args, 0), liquid_nil(), true);
}

static LiquidValue
filter_remove_last(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return replace_last(st, in, liquid_arg(args, 0), liquid_nil());
}

/* The place n characters on, or NULL where the string ends before */
static const char *
skip_chars(const char *s, const char *end, int64 n)
{
	for (; n > 0; n--)
	{
		if (s >= end)
			return NULL;
		s += pg_mblen(s);
	}
	return s;
}

/* Clips offset and length to 0 .. n; false where nothing is left to return. */
static bool
clip(int64 n, int64 *offset, int64 *length)
{
	if (*offset < 0)
		*offset += n;
	if (*offset < 0 || *offset > n || *length < 0)
		return false;
	*length = Min(*length, n - *offset);
	return true;
}

static LiquidValue
slice_string(LiquidValue in, int64 offset, int64 length)
{
	const char *end = in.u.s + in.len;
	const char *from;

	if (!clip(pg_mbstrlen_with_len(in.u.s, in.len), &offset, &length))
		return liquid_string("", 0, 0);
	from = skip_chars(in.u.s, end, offset);
	return liquid_part(in, from, skip_chars(from, end, length));
}

static LiquidValue
slice_array(LiquidState *st, LiquidValue in, int64 offset, int64 length)
{
	LiquidArray *array;

	if (!clip(liquid_length(in), &offset, &length))
		length = 0;
	array = liquid_new_array(st, length);
	for (int i = 0; i < array->n; i++)
		array->items[i] = liquid_item(in, offset + i);
	return liquid_array(array);
}

/* Characters of a string, or elements of an array, by offset and length */
static LiquidValue
filter_slice(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue last = liquid_arg(args, 1);
	int64		offset;
	int64		length = 1;

	if (!liquid_to_integer(st, liquid_arg(args, 0), &offset) ||
		(liquid_truthy(last) && !liquid_to_integer(st, last, &length)))
		return liquid_nil();
	if (liquid_is_array(in))
		return slice_array(st, in, offset, length);
	return slice_string(liquid_to_string(st, in), offset, length);
}

/* The text that stands for what was cut off */
static LiquidValue
ellipsis(LiquidState *st, const LiquidArgs *args)
{
	return args->n > 1 ? liquid_to_string(st, args->v[1]) :
		liquid_string("...", 3, 0);
}

static LiquidValue
filter_truncate(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue dots = ellipsis(st, args);
	int64		length = 50;
	int64		kept;
	const char *end;

	if (in.kind == LIQUID_NIL)
		return in;
	in = liquid_to_string(st, in);
	if (args->n > 0 && !liquid_to_integer(st, args->v[0], &length))
		return liquid_nil();
	if (pg_mbstrlen_with_len(in.u.s, in.len) <= length)
		return in;
	kept = Max(length, 0) - pg_mbstrlen_with_len(dots.u.s, dots.len);
	end = skip_chars(in.u.s, in.u.s + in.len, Max(kept, 0));
	return join_two(st, liquid_part(in, in.u.s, end), dots);
}

static LiquidValue
filter_truncatewords(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue dots = ellipsis(st, args);
	StringInfoData buf;
	const char *s;
	const char *end;
	int64		words = 15;

	if (in.kind == LIQUID_NIL)
		return in;
	in = liquid_to_string(st, in);
	if (args->n > 0 && !liquid_to_integer(st, args->v[0], &words))
		return liquid_nil();
	s = in.u.s;
	end = s + in.len;
	initStringInfo(&buf);
	for (int64 n = 0; n < Max(words, 1); n++)
	{
		const char *word;

		while (s < end && liquid_is_space(*s))
			s++;
		word = s;
		while (s < end && !liquid_is_space(*s))
			s++;
		if (s == end)
			return in;
		if (n > 0)
			appendStringInfoChar(&buf, ' ');
		appendBinaryStringInfo(&buf, word, s - word);
	}
	appendBinaryStringInfo(&buf, dots.u.s, dots.len);
	return liquid_built_string(st, &buf, in.flags | dots.flags);
}

/* The parts of a string while it is split */
typedef struct Parts
{
	LiquidArray *array;			/* NULL: only counting */
	int64		n;
	int64		n_filled;		/* up to the last that is not empty */
} Parts;

static void
add_part(Parts *parts, LiquidValue in, const char *s, const char *end)
{
	if (parts->array != NULL && parts->n < parts->array->n)
		parts->array->items[parts->n] = liquid_part(in, s, end);
	parts->n++;
	if (end > s)
		parts->n_filled = parts->n;
}

/* Words, with any white space between them */
static void
split_words(Parts *parts, LiquidValue in)
{
	const char *s = in.u.s;
	const char *end = s + in.len;

	while (s < end)
	{
		const char *word;

		while (s < end && liquid_is_space(*s))
			s++;
		word = s;
		while (s < end && !liquid_is_space(*s))
			s++;
		if (s > word)
			add_part(parts, in, word, s);
	}
}

static void
split_at(Parts *parts, LiquidValue in, LiquidValue by)
{
	const char *s = in.u.s;
	const char *end = s + in.len;
	const char *at;

	if (by.len == 0)
	{
		for (; s < end; s += pg_mblen(s))
			add_part(parts, in, s, s + pg_mblen(s));
		return;
	}
	while ((at = liquid_find(s, end, by.u.s, by.len)) != NULL)
	{
		add_part(parts, in, s, at);
		s = at + by.len;
	}
	add_part(parts, in, s, end);
}

/*
 * Splits a string: at a space, into words; at nothing, into characters.
 * Empty parts at the end are left out.
 */
static LiquidValue
filter_split(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue by = liquid_to_string(st, liquid_arg(args, 0));
	bool		words = by.len == 1 && by.u.s[0] == ' ';
	Parts		parts = {NULL};

	in = liquid_to_string(st, in);
	for (int pass = 0; pass < 2; pass++)
	{
		if (words)
			split_words(&parts, in);
		else
			split_at(&parts, in, by);
		if (pass == 0)
			parts.array = liquid_new_array(st, parts.n_filled);
		parts.n = 0;
	}
	return liquid_array(parts.array);
}

const LiquidFilter liquid_string_filters[] = {
	{"append", filter_append, 1, 1},
	{"capitalize", filter_capitalize, 0, 0},
	{"downcase", filter_downcase, 0, 0},
	{"prepend", filter_prepend, 1, 1},
	{"remove", filter_remove, 1, 1},
	{"remove_first", filter_remove_first, 1, 1},
	{"remove_last", filter_remove_last, 1, 1},
	{"replace", filter_replace, 1, 2},
	{"replace_first", filter_replace_first, 1, 2},
	{"replace_last", filter_replace_last, 2, 2},
	{"slice", filter_slice, 1, 2},
	{"split", filter_split, 1, 1},
	{"truncate", filter_truncate, 0, 2},
	{"truncatewords", filter_truncatewords, 0, 2},
	{"upcase", filter_upcase, 0, 0},
	{NULL}
};
