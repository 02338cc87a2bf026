/*-------------------------------------------------------------------------
 *
 * liquid_filters_encoding.c
 *	  Liquid's filters that encode and decode: HTML, URLs, base64, JSON.
 *
 * What decoding yields is checked to be text in the database's encoding.
 * With autoescape, text of the context that was escaped is to be escaped
 * again once it is decoded.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_filters.h"

#include <math.h>

#include "common/base64.h"
#include "mb/pg_wchar.h"
#include "utils/json.h"

/* Flags of a string after something made it safe for HTML */
static inline uint8
escaped(uint8 flags)
{
	return flags != 0 ? LIQUID_ESCAPED : 0;
}

/* Flags of a string after something decoded it */
static inline uint8
decoded(uint8 flags)
{
	return flags != 0 ? LIQUID_TAINTED : 0;
}

static LiquidValue
filter_escape(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	StringInfoData buf;

	if (in.kind == LIQUID_NIL)
		return in;
	in = liquid_to_string(st, in);
	initStringInfo(&buf);
	liquid_append_escaped(&buf, in.u.s, in.len);
	return liquid_built_string(st, &buf, escaped(in.flags));
}

/* Is there an entity at s: "&", letters or "#" and digits, ";"? */
static bool
is_entity(const char *s, const char *end)
{
	const char *c = s + 1;

	if (c < end && *c == '#')
	{
		const char *digits = ++c;

		while (c < end && *c >= '0' && *c <= '9')
			c++;
		return c > digits && c < end && *c == ';';
	}
	while (c < end && ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z')))
		c++;
	return c > s + 1 && c < end && *c == ';';
}

static LiquidValue
filter_escape_once(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	StringInfoData buf;
	const char *end;

	in = liquid_to_string(st, in);
	end = in.u.s + in.len;
	initStringInfo(&buf);
	for (const char *s = in.u.s; s < end; s++)
	{
		if (*s == '&' && is_entity(s, end))
			appendStringInfoChar(&buf, '&');
		else
			liquid_append_escaped(&buf, s, 1);
	}
	return liquid_built_string(st, &buf, escaped(in.flags));
}

/* With autoescape: prints as it is. */
static LiquidValue
filter_raw(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	if (in.kind == LIQUID_NIL)
		return in;
	in = liquid_to_string(st, in);
	in.flags = 0;
	return in;
}

static bool
is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
		c == '~';
}

static LiquidValue
filter_url_encode(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	StringInfoData buf;

	if (in.kind == LIQUID_NIL)
		return in;
	in = liquid_to_string(st, in);
	initStringInfo(&buf);
	for (int i = 0; i < in.len; i++)
	{
		unsigned char c = in.u.s[i];

		if (c == ' ')
			appendStringInfoChar(&buf, '+');
		else if (is_unreserved(c))
			appendStringInfoChar(&buf, c);
		else
			appendStringInfo(&buf, "%%%02X", c);
	}
	return liquid_built_string(st, &buf, escaped(in.flags));
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool
is_text(const char *s, int len)
{
	return pg_verify_mbstr(GetDatabaseEncoding(), s, len, true);
}

static LiquidValue
filter_url_decode(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	StringInfoData buf;

	if (in.kind == LIQUID_NIL)
		return in;
	in = liquid_to_string(st, in);
	initStringInfo(&buf);
	for (int i = 0; i < in.len; i++)
	{
		char		c = in.u.s[i];

		if (c == '+')
			c = ' ';
		else if (c == '%' && i + 2 < in.len &&
				 hex_value(in.u.s[i + 1]) >= 0 &&
				 hex_value(in.u.s[i + 2]) >= 0)
		{
			c = hex_value(in.u.s[i + 1]) * 16 + hex_value(in.u.s[i + 2]);
			i += 2;
		}
		appendStringInfoChar(&buf, c);
	}
	if (!is_text(buf.data, buf.len))
	{
		liquid_fail(st, ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
					"invalid byte sequence in %s",
					GetDatabaseEncoding() == PG_UTF8 ? "UTF-8" :
					GetDatabaseEncodingName());
		return liquid_nil();
	}
	return liquid_built_string(st, &buf, decoded(in.flags));
}

/* Swaps the two characters in which URL-safe base64 differs. */
static void
swap_alphabet(char *s, int len, bool to_url)
{
	for (int i = 0; i < len; i++)
	{
		if (to_url)
			s[i] = s[i] == '+' ? '-' : s[i] == '/' ? '_' : s[i];
		else
			s[i] = s[i] == '-' ? '+' : s[i] == '_' ? '/' : s[i];
	}
}

static LiquidValue
encode_base64(LiquidState *st, LiquidValue in, bool for_url)
{
	int			max;
	int			len;
	char	   *text;

	in = liquid_to_string(st, in);
	max = pg_b64_enc_len(in.len);
	if (!liquid_spend(st, max))
		return liquid_nil();
	text = palloc(max + 1);
	len = pg_b64_encode(in.u.s, in.len, text, max);
	if (for_url)
		swap_alphabet(text, len, true);
	return liquid_string(text, Max(len, 0), escaped(in.flags));
}

static LiquidValue
filter_base64_encode(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return encode_base64(st, in, false);
}

static LiquidValue
filter_base64_url_safe_encode(LiquidState *st, LiquidValue in,
							  const LiquidArgs *args)
{
	return encode_base64(st, in, true);
}

/* A copy of base64 in the usual alphabet, with its padding */
static char *
normal_base64(LiquidValue in, bool for_url, int *len)
{
	char	   *text = palloc(in.len + 4);

	memcpy(text, in.u.s, in.len);
	*len = in.len;
	if (for_url)
	{
		swap_alphabet(text, in.len, false);
		while (*len % 4 != 0 && in.u.s[in.len - 1] != '=')
			text[(*len)++] = '=';
	}
	return text;
}

/* Is the text just what the decoded bytes encode to? */
static bool
encodes_to(const char *bytes, int nbytes, const char *text, int len)
{
	int			max = pg_b64_enc_len(nbytes);
	char	   *again = palloc(max + 1);

	return pg_b64_encode(bytes, nbytes, again, max) == len &&
		memcmp(again, text, len) == 0;
}

static LiquidValue
decode_base64(LiquidState *st, LiquidValue in, bool for_url)
{
	char	   *text;
	char	   *bytes;
	int			nbytes;
	int			max;
	int			len;

	in = liquid_to_string(st, in);
	if (!liquid_spend(st, in.len))
		return liquid_nil();
	text = normal_base64(in, for_url, &len);
	max = pg_b64_dec_len(len);
	bytes = palloc(max + 1);
	nbytes = pg_b64_decode(text, len, bytes, max);

	/* PostgreSQL's decoder forgives what Liquid's does not */
	if (nbytes < 0 || !encodes_to(bytes, nbytes, text, len) ||
		!is_text(bytes, nbytes))
	{
		liquid_fail(st, ERRCODE_INVALID_PARAMETER_VALUE,
					"invalid base64 provided to %s", for_url ?
					"base64_url_safe_decode" : "base64_decode");
		return liquid_nil();
	}
	return liquid_string(bytes, nbytes, decoded(in.flags));
}

static LiquidValue
filter_base64_decode(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return decode_base64(st, in, false);
}

static LiquidValue
filter_base64_url_safe_decode(LiquidState *st, LiquidValue in,
							  const LiquidArgs *args)
{
	return decode_base64(st, in, true);
}

/* A JSON string; within HTML, "</" is broken up lest it end a script. */
static void
append_json_string(LiquidState *st, StringInfo buf, LiquidValue v)
{
	char	   *text;
	StringInfoData quoted;
	const char *s;
	const char *at;

	if (v.len > st->out_limit)
	{
		liquid_fail_limit(st, "nudge.template_max_output",
						  "the template builds too much text");
		return;
	}
	text = pnstrdup(v.u.s, v.len);
	initStringInfo(&quoted);
	escape_json(&quoted, text);
	s = quoted.data;
	while (st->options->autoescape && (at = strstr(s, "</")) != NULL)
	{
		appendBinaryStringInfo(buf, s, at + 1 - s);
		appendStringInfoChar(buf, '\\');
		s = at + 1;
	}
	appendStringInfoString(buf, s);
	pfree(quoted.data);
	pfree(text);
}

static void append_json(LiquidState *st, StringInfo buf, LiquidValue v);

static void
append_json_object(LiquidState *st, StringInfo buf, LiquidValue v)
{
	int64		n = liquid_length(v);

	appendStringInfoChar(buf, '{');
	for (int64 i = 0; i < n && !st->failed; i++)
	{
		LiquidArray *pair = liquid_item(v, i).u.array;

		if (i > 0)
			appendStringInfoChar(buf, ',');
		append_json_string(st, buf, pair->items[0]);
		appendStringInfoChar(buf, ':');
		append_json(st, buf, pair->items[1]);
	}
	appendStringInfoChar(buf, '}');
}

static void
append_json_array(LiquidState *st, StringInfo buf, LiquidValue v)
{
	int64		n = liquid_length(v);

	appendStringInfoChar(buf, '[');
	for (int64 i = 0; i < n && liquid_step(st, 1); i++)
	{
		if (i > 0)
			appendStringInfoChar(buf, ',');
		append_json(st, buf, liquid_item(v, i));
	}
	appendStringInfoChar(buf, ']');
}

static void
append_json(LiquidState *st, StringInfo buf, LiquidValue v)
{
	if (stack_is_too_deep())
		liquid_fail_limit(st, "nudge.template_max_nesting",
						  "a value is nested too deep");
	else if (buf->len > st->out_limit)
		liquid_fail_limit(st, "nudge.template_max_output",
						  "the template builds too much text");
	if (st->failed)
		return;
	if (v.kind == LIQUID_STRING)
		append_json_string(st, buf, v);
	else if (v.kind == LIQUID_JOBJECT)
		append_json_object(st, buf, v);
	else if (liquid_is_array(v) || v.kind == LIQUID_RANGE)
		append_json_array(st, buf, v);
	else if (v.kind <= LIQUID_FLOAT &&
			 !(v.kind == LIQUID_FLOAT && !isfinite(v.u.f)) &&
			 v.kind != LIQUID_NIL)
		liquid_append(st, buf, v);
	else if (v.kind == LIQUID_TIME)
		append_json_string(st, buf, liquid_to_string(st, v));
	else
		appendStringInfoString(buf, "null");
}

static LiquidValue
filter_json(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_json(st, &buf, in);
	return liquid_built_string(st, &buf, liquid_taint(in));
}

const LiquidFilter liquid_encoding_filters[] = {
	{"base64_decode", filter_base64_decode, 0, 0},
	{"base64_encode", filter_base64_encode, 0, 0},
	{"base64_url_safe_decode", filter_base64_url_safe_decode, 0, 0},
	{"base64_url_safe_encode", filter_base64_url_safe_encode, 0, 0},
	{"escape", filter_escape, 0, 0},
	{"escape_once", filter_escape_once, 0, 0},
	{"h", filter_escape, 0, 0},
	{"json", filter_json, 0, 0},
	{"raw", filter_raw, 0, 0},
	{"url_decode", filter_url_decode, 0, 0},
	{"url_encode", filter_url_encode, 0, 0},
	{NULL}
};
