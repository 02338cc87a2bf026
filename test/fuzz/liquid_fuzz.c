/*-------------------------------------------------------------------------
 *
 * liquid_fuzz.c
 *	  libFuzzer target for Liquid's parser and renderer.
 *
 * The input is a byte of options, a template, and after a NUL a text that the
 * context has under "x".  Partials are four fixed ones and the template
 * itself, under the name "me".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "liquid.h"
#include "liquid_cache.h"
#include "liquid_settings.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "standin.h"

int			liquid_max_output = 16;
int			liquid_max_steps = 2000;
int			liquid_max_nesting = 40;
int			liquid_timeout = 0;

extern pg_tz *session_timezone;
extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern int	LLVMFuzzerInitialize(int *argc, char ***argv);

/* Text of the partial "me" */
static const char *me;
static int	me_len;

static bool
load(void *arg, const char *name, const char **source, int *len)
{
	static const char *const partials[][2] = {
		{"a", "[{{ x }}{{ forloop.index }}]{% break %}"},
		{"b", "{% include 'a' %}{% assign y = x %}{% increment c %}"},
		{"c", "{% render 'c' %}"},
		{"d", "{% if"}
	};

	if (strcmp(name, "me") == 0)
	{
		*source = me;
		*len = me_len;
		return true;
	}
	for (int i = 0; i < lengthof(partials); i++)
	{
		if (strcmp(name, partials[i][0]) == 0)
		{
			*source = partials[i][1];
			*len = strlen(*source);
			return true;
		}
	}
	return false;
}

/* The context */

static void
put(JsonbParseState **state, JsonbIteratorToken token, JsonbValue v)
{
	pushJsonbValue(state, token, &v);
}

static JsonbValue
string_value(const char *s, int len)
{
	JsonbValue	v = {.type = jbvString};

	v.val.string.val = (char *) s;
	v.val.string.len = len;
	return v;
}

static JsonbValue
number_value(int64 n, int digits)
{
	JsonbValue	v = {.type = jbvNumeric};

	v.val.numeric = digits == 0 ? int64_to_numeric(n) :
		int64_div_fast_to_numeric(n, digits);
	return v;
}

static void
key(JsonbParseState **state, const char *name)
{
	put(state, WJB_KEY, string_value(name, strlen(name)));
}

/* [3, "b", null, 1.5, true, ["a", [2]], {"k": ...}, {"k": ...}] */
static void
put_array(JsonbParseState **state, const char *text, int len)
{
	JsonbValue	null = {.type = jbvNull};
	JsonbValue	yes = {.type = jbvBool};

	yes.val.boolean = true;
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	put(state, WJB_ELEM, number_value(3, 0));
	put(state, WJB_ELEM, string_value("b", 1));
	put(state, WJB_ELEM, null);
	put(state, WJB_ELEM, number_value(15, 1));
	put(state, WJB_ELEM, yes);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	put(state, WJB_ELEM, string_value(text, len));
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
	for (int i = 0; i < 2; i++)
	{
		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		key(state, "k");
		put(state, WJB_VALUE,
			i == 0 ? number_value(1, 0) : string_value(text, len));
		key(state, "n");
		put(state, WJB_VALUE, number_value(-1234567, 3));
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static Jsonb *
make_context(const char *text, int len)
{
	JsonbParseState *state = NULL;
	JsonbValue *result;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	key(&state, "x");
	put(&state, WJB_VALUE, string_value(text, len));
	key(&state, "i");
	put(&state, WJB_VALUE, number_value(42, 0));
	key(&state, "big");
	put(&state, WJB_VALUE, number_value(PG_INT64_MAX, 0));
	key(&state, "d");
	put(&state, WJB_VALUE, number_value(1999, 2));
	key(&state, "a");
	put_array(&state, text, len);
	key(&state, "o");
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	key(&state, "size");
	put(&state, WJB_VALUE, number_value(7, 0));
	key(&state, "date");
	put(&state, WJB_VALUE, string_value("2024-01-15T10:30:00Z", 20));
	pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	result = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(result);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	standin_start();
	session_timezone = pg_tzset("GMT");
	return 0;
}

static void
render(const LiquidTemplate *template, uint8 options_byte, const char *text,
	   int len)
{
	LiquidOptions options = {0};
	LiquidResult result;
	StringInfoData out;

	options.autoescape = (options_byte & 1) != 0;
	options.lax = (options_byte & 2) != 0;
	options.timezone = (options_byte & 4) != 0 ? "GMT" : NULL;
	options.locale = (options_byte & 8) != 0 ? "de" : NULL;
	options.loader = load;
	options.max_output = liquid_max_output * 1024;
	options.max_steps = liquid_max_steps;
	options.max_nesting = liquid_max_nesting;
	initStringInfo(&out);
	liquid_render(template, make_context(text, len), &options, &out, &result);
	if (!pg_verify_mbstr(PG_UTF8, out.data, out.len, true))
		abort();
	if (result.status == LIQUID_OK && out.len > options.max_output)
		abort();
	if (result.status == LIQUID_ERROR && result.sqlstate == 0)
		abort();
	if (result.status != LIQUID_OK &&
		(result.message == NULL || result.reason == NULL))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MemoryContext cxt;
	LiquidParser parser;
	const LiquidTemplate *template;
	const char *source = (const char *) data + 1;
	const char *nul;
	int			len;
	char		base;

	standin_note_stack(&base);
	if (size < 1)
		return 0;
	nul = memchr(source, '\0', size - 1);
	len = nul != NULL ? nul - source : size - 1;
	if (!pg_verify_mbstr(PG_UTF8, source, len, true))
		return -1;
	cxt = AllocSetContextCreate(TopMemoryContext, "run",
								ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(cxt);
	me = source;
	me_len = len;
	template = liquid_cached_softly(source, len, &parser);
	if (template != NULL)
	{
		const char *text = nul != NULL ? nul + 1 : "";
		int			text_len = nul != NULL ? size - 2 - len : 0;

		if (!pg_verify_mbstr(PG_UTF8, text, text_len, true))
			text_len = 0;
		render(template, data[0], text, text_len);
	}
	else
	{
		int			line;
		int			column;

		liquid_error_position(&parser, &line, &column);
	}
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(cxt);
	return 0;
}
