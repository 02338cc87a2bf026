/*-------------------------------------------------------------------------
 *
 * json_input.c
 *	  Reads the JSON documents that people write, without errors.
 *
 * Everything here is pure: no catalogs, no locks.  Results that are said to be
 * copies live in the current memory context; the others point into the document.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "json_input.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#define EXCERPT_BYTES 64

List *
json_read_object(JsonbContainer *object, const char *const *names, int nnames,
				 JsonField *fields)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;
	List	   *unknown = NIL;

	memset(fields, 0, nnames * sizeof(JsonField));
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		int			i;

		if (token != WJB_KEY)
			continue;
		JsonbIteratorNext(&iterator, &value, true);
		for (i = 0; i < nnames; i++)
		{
			if (strlen(names[i]) == key.val.string.len &&
				memcmp(names[i], key.val.string.val, key.val.string.len) == 0)
				break;
		}
		if (i < nnames)
		{
			fields[i].given = true;
			fields[i].value = value;
		}
		else
			unknown = lappend(unknown, json_string(&key));
	}
	return unknown;
}

const char *
json_kind(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "a string";
		case jbvNumeric:
			return "a number";
		case jbvBool:
			return "a boolean";
		default:
			return json_is_array(value) ? "an array" : "an object";
	}
}

bool
json_is_object(const JsonbValue *value)
{
	return value->type == jbvBinary &&
		JsonContainerIsObject(value->val.binary.data);
}

bool
json_is_array(const JsonbValue *value)
{
	return value->type == jbvBinary &&
		JsonContainerIsArray(value->val.binary.data) &&
		!JsonContainerIsScalar(value->val.binary.data);
}

JsonbValue *
json_elements(const JsonbValue *array, int *n)
{
	JsonbContainer *container = array->val.binary.data;
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	element;
	JsonbValue *elements =
	palloc(Max(JsonContainerSize(container), 1) * sizeof(JsonbValue));

	*n = 0;
	while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM)
			elements[(*n)++] = element;
	}
	return elements;
}

char *
json_string(const JsonbValue *string)
{
	return pnstrdup(string->val.string.val, string->val.string.len);
}

const char *
json_excerpt(const JsonbValue *string)
{
	int			length = string->val.string.len;
	int			shown = pg_mbcliplen(string->val.string.val, length, EXCERPT_BYTES);

	return psprintf("\"%.*s%s\"", shown, string->val.string.val,
					shown < length ? "..." : "");
}

double
json_double(const JsonbValue *number)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
											  NumericGetDatum(number->val.numeric)));
}

int
json_sign(const JsonbValue *number)
{
	int			comparison =
	DatumGetInt32(DirectFunctionCall2(numeric_cmp,
									  NumericGetDatum(number->val.numeric),
									  NumericGetDatum(int64_to_numeric(0))));

	return (comparison > 0) - (comparison < 0);
}

Numeric
json_copy_numeric(const JsonbValue *number)
{
	return DatumGetNumericCopy(NumericGetDatum(number->val.numeric));
}

JsonbValue
json_copy_scalar(const JsonbValue *value)
{
	JsonbValue	copy = *value;

	if (value->type == jbvString)
		copy.val.string.val = json_string(value);
	else if (value->type == jbvNumeric)
		copy.val.numeric = json_copy_numeric(value);
	return copy;
}

char *
enumerate(const char *const *names, int n)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < n; i++)
		appendStringInfo(&text, "%s%s",
						 i == 0 ? "" : i < n - 1 ? ", " : " and ", names[i]);
	return text.data;
}
