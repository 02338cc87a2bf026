/*-------------------------------------------------------------------------
 *
 * liquid_text.c
 *	  Values of the Liquid language as text: printed, converted, inspected.
 *
 * Printing an array prints its elements one after the other; converting one
 * to a string, as a filter does, shows it as the reference implementation
 * does: ["a", 1, nil].
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_value.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* Writes mantissa / 10 ^ scale; returns the length. */
static int
format_decimal(int64 mantissa, int scale, bool negative, char *buf)
{
	char		digits[MAXINT8LEN + 1];
	int			n = pg_lltoa(mantissa < 0 ? -mantissa : mantissa, digits);
	char	   *out = buf;

	if (negative)
		*out++ = '-';
	for (int i = n; i <= scale; i++)
	{
		*out++ = '0';
		if (i == n)
			*out++ = '.';
	}
	for (int i = 0; i < n; i++)
	{
		if (i > 0 && i == n - scale)
			*out++ = '.';
		*out++ = digits[i];
	}
	if (scale == 0)
	{
		*out++ = '.';
		*out++ = '0';
	}
	return out - buf;
}

/*
 * Writes a decimal as Ruby does: 19.99, 1.0, 1.0e+16, 1.0e-05.  Returns the
 * length; buf must hold LIQUID_FLOAT_LENGTH bytes.
 */
int
liquid_format_float(double f, char *buf)
{
	char		shortest[DOUBLE_SHORTEST_DECIMAL_LEN];
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];
	int			ndigits = 0;
	int			point = 0;		/* digits before the decimal point */
	bool		seen_point = false;
	const char *s = shortest;
	char	   *out = buf;
	int64		mantissa;
	int			scale;

	if ((f == 0.0 || fabs(f) >= 0.0001) &&
		liquid_short_decimal(f, &mantissa, &scale))
		return format_decimal(mantissa, scale, signbit(f), buf);
	if (isnan(f))
		return strlcpy(buf, "NaN", LIQUID_FLOAT_LENGTH);
	if (isinf(f))
		return strlcpy(buf, f < 0 ? "-Infinity" : "Infinity",
					   LIQUID_FLOAT_LENGTH);
	double_to_shortest_decimal_buf(f, shortest);
	if (*s == '-')
		*out++ = *s++;

	/* Take it apart into digits and the place of the point */
	for (; *s != '\0' && *s != 'e'; s++)
	{
		if (*s == '.')
			seen_point = true;
		else if (*s == '0' && ndigits == 0)
			point -= seen_point;
		else
		{
			digits[ndigits++] = *s;
			point += !seen_point;
		}
	}
	if (*s == 'e')
		point += atoi(s + 1);
	while (ndigits > 1 && digits[ndigits - 1] == '0')
		ndigits--;

	if (ndigits == 0)
		out += sprintf(out, "0.0");
	else if (point > 16 || point <= -4)
	{
		*out++ = digits[0];
		*out++ = '.';
		if (ndigits == 1)
			*out++ = '0';
		memcpy(out, digits + 1, ndigits - 1);
		out += ndigits - 1;
		out += sprintf(out, "e%c%02d", point > 0 ? '+' : '-',
					   abs(point - 1));
	}
	else if (point <= 0)
	{
		out += sprintf(out, "0.%.*s", -point, "0000");
		memcpy(out, digits, ndigits);
		out += ndigits;
	}
	else
	{
		for (int i = 0; i < Max(point, ndigits); i++)
		{
			if (i == point)
				*out++ = '.';
			*out++ = i < ndigits ? digits[i] : '0';
		}
		if (ndigits <= point)
			out += sprintf(out, ".0");
	}
	*out = '\0';
	return out - buf;
}

/* Appends text with & < > " ' made safe for HTML. */
void
liquid_append_escaped(StringInfo buf, const char *s, int len)
{
	const char *end = s + len;
	const char *from = s;

	for (; s < end; s++)
	{
		const char *entity;

		switch (*s)
		{
			case '&':
				entity = "&amp;";
				break;
			case '<':
				entity = "&lt;";
				break;
			case '>':
				entity = "&gt;";
				break;
			case '"':
				entity = "&quot;";
				break;
			case '\'':
				entity = "&#39;";
				break;
			default:
				continue;
		}
		appendBinaryStringInfo(buf, from, s - from);
		appendStringInfoString(buf, entity);
		from = s + 1;
	}
	appendBinaryStringInfo(buf, from, end - from);
}

/* A string in quotes, with what cannot be read made visible */
static void
append_quoted(StringInfo buf, const char *s, int len)
{
	const char *end = s + len;

	appendStringInfoChar(buf, '"');
	for (; s < end; s++)
	{
		static const char special[] = "\a\b\t\n\v\f\r\033";
		static const char letters[] = "abtnvfre";
		const char *c = *s != '\0' ? strchr(special, *s) : NULL;

		if (c != NULL)
			appendStringInfo(buf, "\\%c", letters[c - special]);
		else if (*s == '"' || *s == '\\')
			appendStringInfo(buf, "\\%c", *s);
		else if (*s == '#' && s + 1 < end && strchr("{$@", s[1]) != NULL &&
				 s[1] != '\0')
			appendStringInfoString(buf, "\\#");
		else if ((unsigned char) *s < ' ' || *s == 0x7F)
			appendStringInfo(buf, "\\u%04X", (unsigned char) *s);
		else
			appendStringInfoChar(buf, *s);
	}
	appendStringInfoChar(buf, '"');
}

static void
fail_output(LiquidState *st)
{
	liquid_fail_limit(st, "nudge.template_max_output",
					  "the template's output is too long");
}

/* May more be appended to text that may be endless? */
static bool
has_room(LiquidState *st, StringInfo buf)
{
	if (stack_is_too_deep())
		liquid_fail_limit(st, "nudge.template_max_nesting",
						  "a value is nested too deep");
	else if (buf->len > st->out_limit)
		fail_output(st);
	return !st->failed;
}

static void
append_array(LiquidState *st, StringInfo buf, LiquidValue v)
{
	int64		n = liquid_length(v);

	appendStringInfoChar(buf, '[');
	for (int64 i = 0; i < n && has_room(st, buf); i++)
	{
		if (i > 0)
			appendStringInfoString(buf, ", ");
		liquid_append_inspected(st, buf, liquid_item(v, i));
	}
	appendStringInfoChar(buf, ']');
}

static void
append_object(LiquidState *st, StringInfo buf, LiquidValue v)
{
	int64		n = liquid_length(v);

	appendStringInfoChar(buf, '{');
	for (int64 i = 0; i < n && has_room(st, buf); i++)
	{
		LiquidArray *pair = liquid_item(v, i).u.array;

		if (i > 0)
			appendStringInfoString(buf, ", ");
		liquid_append_inspected(st, buf, pair->items[0]);
		appendStringInfoString(buf, "=>");
		liquid_append_inspected(st, buf, pair->items[1]);
	}
	appendStringInfoChar(buf, '}');
}

/* Appends a value as it shows inside an array or object. */
void
liquid_append_inspected(LiquidState *st, StringInfo buf, LiquidValue v)
{
	if (!has_room(st, buf))
		return;
	if (v.kind == LIQUID_STRING && v.len > st->out_limit)
		fail_output(st);
	else if (v.kind == LIQUID_STRING)
		append_quoted(buf, v.u.s, v.len);
	else if (v.kind == LIQUID_NIL)
		appendStringInfoString(buf, "nil");
	else
		liquid_append(st, buf, v);
}

static void
append_numeric(StringInfo buf, Numeric num)
{
	Datum		text = DirectFunctionCall1(numeric_out, NumericGetDatum(num));

	appendStringInfoString(buf, DatumGetCString(text));
}

/* Appends a value converted to text; nil is empty. */
void
liquid_append(LiquidState *st, StringInfo buf, LiquidValue v)
{
	char		digits[LIQUID_FLOAT_LENGTH];

	switch (v.kind)
	{
		case LIQUID_FALSE:
			appendStringInfoString(buf, "false");
			break;
		case LIQUID_TRUE:
			appendStringInfoString(buf, "true");
			break;
		case LIQUID_INT:
			appendBinaryStringInfo(buf, digits, pg_lltoa(v.u.i, digits));
			break;
		case LIQUID_BIGINT:
			append_numeric(buf, v.u.num);
			break;
		case LIQUID_FLOAT:
			appendBinaryStringInfo(buf, digits,
								   liquid_format_float(v.u.f, digits));
			break;
		case LIQUID_STRING:
			appendBinaryStringInfo(buf, v.u.s, v.len);
			break;
		case LIQUID_ARRAY:
		case LIQUID_JARRAY:
			append_array(st, buf, v);
			break;
		case LIQUID_JOBJECT:
			append_object(st, buf, v);
			break;
		case LIQUID_RANGE:
			appendStringInfo(buf, INT64_FORMAT ".." INT64_FORMAT,
							 v.u.range->lo, v.u.range->hi);
			break;
		case LIQUID_LOOP:
			appendStringInfoString(buf, v.u.loop->is_table ?
								   "Liquid::TablerowloopDrop" :
								   "Liquid::ForloopDrop");
			break;
		case LIQUID_TIME:
			liquid_append_time(st, buf, v.u.time);
			break;
		default:
			break;
	}
}

/* Does any text inside the value come from the context? */
uint8
liquid_taint(LiquidValue v)
{
	uint8		flags = v.flags;

	if (v.kind == LIQUID_JARRAY || v.kind == LIQUID_JOBJECT)
		return LIQUID_TAINTED;
	if (v.kind == LIQUID_ARRAY && !stack_is_too_deep())
	{
		for (int i = 0; i < v.u.array->n; i++)
			flags |= liquid_taint(v.u.array->items[i]);
	}
	return flags;
}

/* Copies text into a string value. */
LiquidValue
liquid_copy_string(LiquidState *st, const char *s, int len, uint8 flags)
{
	char	   *copy;

	if (!liquid_spend(st, len))
		return liquid_string("", 0, 0);
	copy = palloc(Max(len, 1));
	memcpy(copy, s, len);
	return liquid_string(copy, len, flags);
}

/* Makes a string value of a buffer that was filled for it. */
LiquidValue
liquid_built_string(LiquidState *st, StringInfo buf, uint8 flags)
{
	if (!liquid_spend(st, buf->len))
		return liquid_string("", 0, 0);
	return liquid_string(buf->data, buf->len, flags);
}

/* With autoescape: text of the context made safe, anything else as it is */
LiquidValue
liquid_make_safe(LiquidState *st, LiquidValue v)
{
	StringInfoData buf;

	if (!st->options->autoescape || (v.flags & LIQUID_TAINTED) == 0)
		return v;
	initStringInfo(&buf);
	liquid_append_escaped(&buf, v.u.s, v.len);
	return liquid_built_string(st, &buf, LIQUID_ESCAPED);
}

/* Is it markup: of the template, or made safe? */
static bool
is_markup(LiquidValue v)
{
	return (v.flags & LIQUID_TAINTED) == 0 &&
		((v.flags & LIQUID_ESCAPED) != 0 ||
		 memchr(v.u.s, '<', v.len) != NULL);
}

/*
 * Before two strings become one: where one is markup, and the other is text
 * of the context, that text is made safe now, so that the markup survives.
 */
void
liquid_blend(LiquidState *st, LiquidValue *a, LiquidValue *b)
{
	if (is_markup(*a))
		*b = liquid_make_safe(st, *b);
	else if (is_markup(*b))
		*a = liquid_make_safe(st, *a);
}

/* Text of a number that fits into LIQUID_FLOAT_LENGTH bytes, else -1 */
static int
format_number(LiquidValue v, char *text)
{
	if (v.kind == LIQUID_INT)
		return pg_lltoa(v.u.i, text);
	if (v.kind == LIQUID_FLOAT)
		return liquid_format_float(v.u.f, text);
	return -1;
}

/* Converts a value to a string value, as most filters do with their input. */
LiquidValue
liquid_to_string(LiquidState *st, LiquidValue v)
{
	StringInfoData buf;
	char		text[LIQUID_FLOAT_LENGTH];
	int			len;

	if (v.kind == LIQUID_STRING)
		return v;
	if (v.kind == LIQUID_NIL)
		return liquid_string("", 0, 0);
	if ((len = format_number(v, text)) >= 0)
		return liquid_copy_string(st, text, len, 0);
	initStringInfo(&buf);
	liquid_append(st, &buf, v);
	return liquid_built_string(st, &buf, liquid_taint(v));
}

/* Prints text as it is. */
void
liquid_emit(LiquidState *st, const char *s, int len)
{
	if (st->out->len + (int64) len > st->out_limit)
		fail_output(st);
	else
		appendBinaryStringInfo(st->out, s, len);
}

static void
emit_escaped(LiquidState *st, const char *s, int len)
{
	if (st->out->len + (int64) len <= st->out_limit)
		liquid_append_escaped(st->out, s, len);
	else
		fail_output(st);
	if (st->out->len > st->out_limit)
		fail_output(st);
}

/* Prints a value; with autoescape, text of the context is made safe. */
void
liquid_emit_value(LiquidState *st, LiquidValue v)
{
	char		text[LIQUID_FLOAT_LENGTH];
	int			len;

	if (v.kind == LIQUID_NIL)
		return;
	if ((len = format_number(v, text)) >= 0)
	{
		liquid_emit(st, text, len);
		return;
	}
	if (liquid_is_array(v))
	{
		int64		n = liquid_length(v);

		for (int64 i = 0; i < n && has_room(st, st->out); i++)
			liquid_emit_value(st, liquid_item(v, i));
		return;
	}
	v = liquid_to_string(st, v);
	if (st->options->autoescape && (v.flags & LIQUID_TAINTED) != 0)
		emit_escaped(st, v.u.s, v.len);
	else
		liquid_emit(st, v.u.s, v.len);
}
