/*-------------------------------------------------------------------------
 *
 * change.c
 *	  What changed in a row, as the data of an action.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "change.h"

#include "document.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/* A row's changes beyond this are left out: actions are kept for long. */
#define MAX_CHANGE (1024 * 1024)

/* Keys of documents are told of down to this level. */
#define MAX_LEVEL 6

void
change_begin(Change *change)
{
	memset(change, 0, sizeof(Change));
}

static void
push_value(Change *change, const char *key, JsonbValue *value)
{
	push_key(&change->state, key);
	pushJsonbValue(&change->state, WJB_VALUE, value);
}

static Size
size_of_value(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return value->val.string.len;
		case jbvBinary:
			return value->val.binary.len;
		case jbvNumeric:
			return VARSIZE_ANY(value->val.numeric);
		default:
			return 0;
	}
}

/*
 * Points a value that must not be shown to words instead: different ones before
 * and after, so that conditions see that it changed.
 */
static void
hide_value(JsonbValue *value, bool is_null, const char *words)
{
	value->type = is_null ? jbvNull : jbvString;
	if (is_null)
		return;
	value->val.string.val = (char *) words;
	value->val.string.len = strlen(words);
}

/*
 * Adds a pair; is_shown is false where a value cannot be shown.
 */
static void
add_pair(Change *change, const char *key, int key_length, JsonbValue *old_value,
		 JsonbValue *new_value, bool is_shown)
{
	JsonbValue	name = {jbvString};
	Size		size = key_length;

	is_shown = is_shown && size_of_value(old_value) <= SOURCE_MAX_VALUE &&
		size_of_value(new_value) <= SOURCE_MAX_VALUE;
	if (!is_shown)
	{
		hide_value(old_value, old_value->type == jbvNull, "(old value)");
		hide_value(new_value, new_value->type == jbvNull, "(new value)");
	}
	size += size_of_value(old_value) + size_of_value(new_value);
	if (change->bytes + size > MAX_CHANGE)
	{
		change->is_partial = true;
		if (change->n > 0)
			return;
	}
	if (change->n == 0)
	{
		pushJsonbValue(&change->state, WJB_BEGIN_OBJECT, NULL);
		push_key(&change->state, "changed");
		pushJsonbValue(&change->state, WJB_BEGIN_OBJECT, NULL);
	}
	change->n++;
	if (change->is_partial)
		return;
	change->bytes += size;

	name.val.string.val = (char *) key;
	name.val.string.len = key_length;
	pushJsonbValue(&change->state, WJB_KEY, &name);
	pushJsonbValue(&change->state, WJB_BEGIN_OBJECT, NULL);
	push_value(change, "old", old_value);
	push_value(change, "new", new_value);
	if (!is_shown)
	{
		JsonbValue	yes = {jbvBool};

		yes.val.boolean = true;
		push_value(change, "omitted", &yes);
	}
	pushJsonbValue(&change->state, WJB_END_OBJECT, NULL);
}

/*
 * 1.0 and 1.00 are the same number, and differ byte by byte.
 */
static bool
json_values_equal(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case jbvNull:
			return true;
		case jbvBool:
			return a->val.boolean == b->val.boolean;
		case jbvNumeric:
			return DatumGetBool(DirectFunctionCall2(numeric_eq,
													NumericGetDatum(a->val.numeric),
													NumericGetDatum(b->val.numeric)));
		case jbvString:
			return a->val.string.len == b->val.string.len &&
				memcmp(a->val.string.val, b->val.string.val,
					   a->val.string.len) == 0;
		case jbvBinary:
			return compareJsonbContainers(a->val.binary.data,
										  b->val.binary.data) == 0;
		default:
			elog(ERROR, "a JSON value of type %d cannot be compared", a->type);
			return false;		/* keep compiler quiet */
	}
}

void
change_column(Change *change, SourceColumn *column, const ChangedValue *value)
{
	JsonbValue	old_value;
	JsonbValue	new_value;
	bool		is_shown;

	if (source_values_same(column, value->old_value, value->old_null,
						   value->new_value, value->new_null))
		return;
	is_shown = source_value_json(column, value->old_value, value->old_null,
								 &old_value);
	is_shown &= source_value_json(column, value->new_value, value->new_null,
								  &new_value);
	if (is_shown && value->old_null == value->new_null &&
		json_values_equal(&old_value, &new_value))
		return;
	if (!is_shown)
	{
		hide_value(&old_value, value->old_null, "(old value)");
		hide_value(&new_value, value->new_null, "(new value)");
	}
	add_pair(change, column->name, strlen(column->name), &old_value, &new_value,
			 is_shown);
}

void
change_hidden(Change *change, const SourceColumn *column,
			  const ChangedValue *value)
{
	JsonbValue	old_value;
	JsonbValue	new_value;

	if (source_values_same(column, value->old_value, value->old_null,
						   value->new_value, value->new_null))
		return;
	hide_value(&old_value, value->old_null, "(old address)");
	hide_value(&new_value, value->new_null, "(new address)");
	add_pair(change, column->name, strlen(column->name), &old_value, &new_value,
			 true);
}

static JsonbContainer *
object_of(const JsonbValue *value)
{
	if (value->type != jbvBinary ||
		!JsonContainerIsObject(value->val.binary.data))
		return NULL;
	return value->val.binary.data;
}

static void compare_objects(Change *change, StringInfo path, int level,
							JsonbContainer *old_object,
							JsonbContainer *new_object);

static void
compare_member(Change *change, StringInfo path, int level,
			   const JsonbValue *key, JsonbValue *old_value,
			   JsonbValue *new_value)
{
	int			length = path->len;
	JsonbContainer *old_object = object_of(old_value);
	JsonbContainer *new_object = object_of(new_value);
	JsonbValue	shown_old = *old_value;
	JsonbValue	shown_new = *new_value;

	if (json_values_equal(old_value, new_value))
		return;
	if (key->val.string.len > MAX_CHANGE)
	{
		change->is_partial = true;
		return;
	}
	appendStringInfoChar(path, '.');
	appendBinaryStringInfo(path, key->val.string.val, key->val.string.len);
	add_pair(change, pnstrdup(path->data, path->len), path->len,
			 &shown_old, &shown_new, true);
	if ((old_object != NULL || new_object != NULL) && level < MAX_LEVEL)
		compare_objects(change, path, level + 1, old_object, new_object);
	path->len = length;
	path->data[length] = '\0';
}

static JsonbValue
member_of(JsonbContainer *object, const JsonbValue *key)
{
	JsonbValue	value = {jbvNull};

	if (object != NULL)
		getKeyJsonValueFromContainer(object, key->val.string.val,
									 key->val.string.len, &value);
	return value;
}

/*
 * Compares members of two objects, either of which may be missing.  Those that
 * only the old one has come last.
 */
static void
compare_objects(Change *change, StringInfo path, int level,
				JsonbContainer *old_object, JsonbContainer *new_object)
{
	for (int pass = 0; pass < 2; pass++)
	{
		JsonbContainer *object = pass == 0 ? new_object : old_object;
		JsonbContainer *other = pass == 0 ? old_object : new_object;
		JsonbIterator *iterator;
		JsonbIteratorToken token;
		JsonbValue	key;

		if (object == NULL)
			continue;
		iterator = JsonbIteratorInit(object);
		while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
		{
			JsonbValue	value;
			JsonbValue	counterpart;

			if (token != WJB_KEY)
				continue;
			CHECK_FOR_INTERRUPTS();
			(void) JsonbIteratorNext(&iterator, &value, true);
			if (pass == 0)
			{
				counterpart = member_of(other, &key);
				compare_member(change, path, level, &key, &counterpart, &value);
			}
			else if (other == NULL ||
					 getKeyJsonValueFromContainer(other, key.val.string.val,
												  key.val.string.len,
												  &counterpart) == NULL)
			{
				counterpart.type = jbvNull;
				compare_member(change, path, level, &key, &value, &counterpart);
			}
		}
	}
}

/*
 * A document, or NULL where there is nothing to be looked into
 */
static JsonbContainer *
root_object(Datum value, bool isnull, bool *is_deep)
{
	Jsonb	   *document;

	if (isnull)
		return NULL;
	document = DatumGetJsonbP(value);
	if (jsonb_depth(document, DOCUMENT_MAX_DEPTH) > DOCUMENT_MAX_DEPTH)
		*is_deep = true;
	return JB_ROOT_IS_OBJECT(document) ? &document->root : NULL;
}

void
change_document(Change *change, const SourceColumn *column,
				const ChangedValue *value)
{
	StringInfoData path;
	JsonbContainer *old_object;
	JsonbContainer *new_object;
	bool		is_deep = false;

	if (source_values_same(column, value->old_value, value->old_null,
						   value->new_value, value->new_null))
		return;
	old_object = root_object(value->old_value, value->old_null, &is_deep);
	new_object = root_object(value->new_value, value->new_null, &is_deep);
	if (is_deep)
	{
		JsonbValue	old_value;
		JsonbValue	new_value;

		hide_value(&old_value, value->old_null, "(old value)");
		hide_value(&new_value, value->new_null, "(new value)");
		add_pair(change, column->name, strlen(column->name), &old_value,
				 &new_value, false);
		return;
	}
	initStringInfo(&path);
	appendStringInfoString(&path, column->name);
	compare_objects(change, &path, 1, old_object, new_object);
}

Jsonb *
change_finish(Change *change, const char *operation, const char *table)
{
	if (change->n == 0)
		return NULL;
	pushJsonbValue(&change->state, WJB_END_OBJECT, NULL);
	push_text(&change->state, "operation", CStringGetTextDatum(operation), false);
	push_text(&change->state, "table", CStringGetTextDatum(table), false);
	if (change->is_partial)
	{
		JsonbValue	yes = {jbvBool};

		yes.val.boolean = true;
		push_value(change, "partial", &yes);
	}
	return JsonbValueToJsonb(pushJsonbValue(&change->state, WJB_END_OBJECT,
											NULL));
}
