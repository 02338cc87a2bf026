/*-------------------------------------------------------------------------
 *
 * flat_jsonb.c
 *	  Puts a jsonb object together out of finished parts.
 *
 * What a template sees consists for the most part of documents that are jsonb
 * already.  pushJsonbValue takes such a document apart and builds it again, key
 * by key, and recurses as deep as it is nested.  But a container inside jsonb
 * has the same bytes wherever it stands, so here documents are copied as they
 * are, into the layout that utils/jsonb.h describes: a header, an entry for each
 * key and each value, the keys, the values.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "flat_jsonb.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* The order of jsonb's keys: by length, then by bytes */
static bool
key_before(const char *key, int length, const FlatMember *member)
{
	if (length != member->key_length)
		return length < member->key_length;
	return memcmp(key, member->key, length) < 0;
}

static void
add_member(FlatObject *object, const char *key, uint32 type, const char *data,
		   int64 length)
{
	int			key_length = strlen(key);
	int			at = object->n;
	FlatMember *member;

	if (object->n == FLAT_MAX_MEMBERS)
		elog(ERROR, "too many members in a flat jsonb object");
	while (at > 0 && key_before(key, key_length, &object->members[at - 1]))
	{
		object->members[at] = object->members[at - 1];
		at--;
	}
	object->n++;
	member = &object->members[at];
	member->key = key;
	member->key_length = key_length;
	member->type = type;
	member->data = data;
	member->length = length;
}

void
flat_null(FlatObject *object, const char *key)
{
	add_member(object, key, JENTRY_ISNULL, NULL, 0);
}

void
flat_string(FlatObject *object, const char *key, const char *data, int length)
{
	add_member(object, key, JENTRY_ISSTRING, data, length);
}

void
flat_text(FlatObject *object, const char *key, Datum text, bool isnull)
{
	struct varlena *value;

	if (isnull)
	{
		flat_null(object, key);
		return;
	}
	value = PG_DETOAST_DATUM_PACKED(text);
	flat_string(object, key, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

void
flat_int64(FlatObject *object, const char *key, int64 value)
{
	Numeric		numeric = int64_to_numeric(value);

	add_member(object, key, JENTRY_ISNUMERIC, (const char *) numeric,
			   VARSIZE_ANY(numeric));
}

void
flat_timestamptz(FlatObject *object, const char *key, TimestampTz value)
{
	static const int utc = 0;
	char	   *text = JsonEncodeDateTime(palloc(MAXDATELEN + 1),
										  TimestampTzGetDatum(value),
										  TIMESTAMPTZOID, &utc);

	flat_string(object, key, text, strlen(text));
}

void
flat_jsonb(FlatObject *object, const char *key, const Jsonb *value)
{
	static const uint32 empty = JB_FOBJECT;

	if (value == NULL || JB_ROOT_IS_SCALAR(value))
		add_member(object, key, JENTRY_ISCONTAINER, (const char *) &empty,
				   sizeof(empty));
	else
		add_member(object, key, JENTRY_ISCONTAINER, (const char *) &value->root,
				   VARSIZE(value) - VARHDRSZ);
}

void
flat_value(FlatObject *object, const char *key, const JsonbValue *value)
{
	if (value->type == jbvNumeric)
		add_member(object, key, JENTRY_ISNUMERIC,
				   (const char *) value->val.numeric,
				   VARSIZE_ANY(value->val.numeric));
	else if (value->type == jbvBinary)
		add_member(object, key, JENTRY_ISCONTAINER,
				   (const char *) value->val.binary.data,
				   value->val.binary.len);
	else
		flat_null(object, key);
}

/* Numbers and containers start at multiples of four bytes. */
static bool
is_aligned(const FlatMember *member)
{
	return member->type == JENTRY_ISNUMERIC || member->type == JENTRY_ISCONTAINER;
}

/*
 * Bytes after the entries; -1 where an entry could not say them.
 */
static int64
data_size(const FlatObject *object)
{
	int64		size = 0;

	for (int i = 0; i < object->n; i++)
		size += object->members[i].key_length;
	for (int i = 0; i < object->n; i++)
	{
		if (is_aligned(&object->members[i]))
			size = INTALIGN(size);
		size += object->members[i].length;
	}
	return size <= JENTRY_OFFLENMASK ? size : -1;
}

/*
 * Entry for what ends at "end" and began, padding included, at "start".
 */
static JEntry
make_entry(int index, uint32 type, uint32 start, uint32 end)
{
	if (index % JB_OFFSET_STRIDE == 0)
		return type | JENTRY_HAS_OFF | end;
	return type | (end - start);
}

Jsonb *
flat_build(const FlatObject *object)
{
	int64		size = data_size(object);
	Size		head = offsetof(Jsonb, root.children) +
	2 * object->n * sizeof(JEntry);
	Jsonb	   *result;
	char	   *data;
	uint32		end = 0;

	if (size < 0)
		return NULL;
	result = palloc(head + size);
	SET_VARSIZE(result, head + size);
	result->root.header = object->n | JB_FOBJECT;
	data = (char *) result + head;

	for (int i = 0; i < object->n; i++)
	{
		const FlatMember *member = &object->members[i];
		uint32		start = end;

		memcpy(data + start, member->key, member->key_length);
		end += member->key_length;
		result->root.children[i] = make_entry(i, JENTRY_ISSTRING, start, end);
	}
	for (int i = 0; i < object->n; i++)
	{
		const FlatMember *member = &object->members[i];
		uint32		start = end;

		if (is_aligned(member))
		{
			end = INTALIGN(end);
			memset(data + start, 0, end - start);
		}
		if (member->length > 0)
			memcpy(data + end, member->data, member->length);
		end += member->length;
		result->root.children[object->n + i] =
			make_entry(object->n + i, member->type, start, end);
	}
	return result;
}

Jsonb *
flat_document(const JsonbValue *value)
{
	Size		size = VARHDRSZ + value->val.binary.len;
	Jsonb	   *result = palloc(size);

	SET_VARSIZE(result, size);
	memcpy(&result->root, value->val.binary.data, value->val.binary.len);
	return result;
}

Jsonb *
flat_array(const Jsonb *const *elements, int n)
{
	Size		head = offsetof(Jsonb, root.children) + n * sizeof(JEntry);
	int64		size = 0;
	uint32		end = 0;
	Jsonb	   *result;

	for (int i = 0; i < n; i++)
		size += INTALIGN(VARSIZE(elements[i]) - VARHDRSZ);
	if (size > JENTRY_OFFLENMASK)
		return NULL;
	result = palloc0(head + size);
	result->root.header = n | JB_FARRAY;
	for (int i = 0; i < n; i++)
	{
		Size		length = VARSIZE(elements[i]) - VARHDRSZ;
		uint32		start = end;

		end = INTALIGN(end);
		memcpy((char *) result + head + end, &elements[i]->root, length);
		end += length;
		result->root.children[i] =
			make_entry(i, JENTRY_ISCONTAINER, start, end);
	}
	SET_VARSIZE(result, head + end);
	return result;
}
