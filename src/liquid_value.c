/*-------------------------------------------------------------------------
 *
 * liquid_value.c
 *	  Values of the Liquid language: reading them out of jsonb, their parts,
 *	  equality, order and emptiness.
 *
 * Reading jsonb here goes straight to the entries of a container, so that a
 * variable costs a search and no memory.  Keys of a jsonb object are sorted
 * by length and then bytewise.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_tree.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

/* Objects of up to so many keys are searched from the start */
#define SMALL_OBJECT	16

/* The value of entry "index", whose data begin "offset" past the entries */
static LiquidValue
entry_value(const JsonbContainer *json, int index, const char *base,
			uint32 offset)
{
	JEntry		entry = json->children[index];
	LiquidValue v = {LIQUID_NIL};

	switch (entry & JENTRY_TYPEMASK)
	{
		case JENTRY_ISSTRING:
			return liquid_string(base + offset, getJsonbLength(json, index),
								 LIQUID_TAINTED);
		case JENTRY_ISNUMERIC:
			return liquid_from_numeric((Numeric) (base + INTALIGN(offset)));
		case JENTRY_ISBOOL_TRUE:
			return liquid_bool(true);
		case JENTRY_ISBOOL_FALSE:
			return liquid_bool(false);
		case JENTRY_ISCONTAINER:
			v.u.json = (JsonbContainer *) (base + INTALIGN(offset));
			v.kind = JsonContainerIsObject(v.u.json) ?
				LIQUID_JOBJECT : LIQUID_JARRAY;
			return v;
		default:
			return v;
	}
}

static inline const char *
data_of(const JsonbContainer *json)
{
	int			n = JsonContainerSize(json);

	if (JsonContainerIsObject(json))
		n *= 2;
	return (const char *) &json->children[n];
}

/* Element "index" of an array of the context; it must exist. */
LiquidValue
liquid_json_element(JsonbContainer *json, int index)
{
	return entry_value(json, index, data_of(json),
					   getJsonbOffset(json, index));
}

static inline int
compare_keys(const char *a, int alen, const char *b, int blen)
{
	if (alen != blen)
		return alen < blen ? -1 : 1;
	return memcmp(a, b, alen);
}

/* Index of a key in a small object, or -1 */
static int
find_key_in_order(const JsonbContainer *json, const char *base,
				  const char *key, int len)
{
	int			n = JsonContainerSize(json);
	uint32		start = 0;

	for (int i = 0; i < n; i++)
	{
		uint32		end = start;
		int			cmp;

		JBE_ADVANCE_OFFSET(end, json->children[i]);
		cmp = compare_keys(base + start, end - start, key, len);
		if (cmp == 0)
			return i;
		if (cmp > 0)
			return -1;
		start = end;
	}
	return -1;
}

/* Index of a key in a large object, or -1 */
static int
find_key_by_halves(const JsonbContainer *json, const char *base,
				   const char *key, int len)
{
	int			lo = 0;
	int			hi = JsonContainerSize(json);

	while (lo < hi)
	{
		int			mid = lo + (hi - lo) / 2;
		int			cmp = compare_keys(base + getJsonbOffset(json, mid),
									   getJsonbLength(json, mid), key, len);

		if (cmp == 0)
			return mid;
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

/* Gets a member of an object; false where it has none of that key. */
bool
liquid_json_member(JsonbContainer *json, const char *key, int len,
				   LiquidValue *v)
{
	int			n = JsonContainerSize(json);
	const char *base = data_of(json);
	int			i = n <= SMALL_OBJECT ?
	find_key_in_order(json, base, key, len) :
	find_key_by_halves(json, base, key, len);

	if (i < 0)
		return false;
	*v = entry_value(json, n + i, base, getJsonbOffset(json, n + i));
	return true;
}

/*
 * Makes an array whose elements the caller fills in.  They count as steps;
 * past the limit the state fails and the array is empty.
 */
LiquidArray *
liquid_new_array(LiquidState *st, int64 n)
{
	static LiquidArray none = {0};
	LiquidArray *array;

	if (n <= 0 || !liquid_step(st, n))
		return &none;
	array = palloc(offsetof(LiquidArray, items) + n * sizeof(LiquidValue));
	array->n = n;
	return array;
}

/* [key, value] of member "index" of an object */
static LiquidValue
member_pair(JsonbContainer *json, int index)
{
	int			n = JsonContainerSize(json);
	const char *base = data_of(json);
	LiquidArray *pair = palloc(offsetof(LiquidArray, items) +
							   2 * sizeof(LiquidValue));

	pair->n = 2;
	pair->items[0] = entry_value(json, index, base,
								 getJsonbOffset(json, index));
	pair->items[1] = entry_value(json, n + index, base,
								 getJsonbOffset(json, n + index));
	return liquid_array(pair);
}

/*
 * How many items a loop over the value has.  An object has its pairs, a
 * string that is not empty is one item, and what is no collection has none.
 */
int64
liquid_length(LiquidValue v)
{
	switch (v.kind)
	{
		case LIQUID_ARRAY:
			return v.u.array->n;
		case LIQUID_JARRAY:
		case LIQUID_JOBJECT:
			return JsonContainerSize(v.u.json);
		case LIQUID_RANGE:
			return v.u.range->hi < v.u.range->lo ? 0 :
				v.u.range->hi - v.u.range->lo + 1;
		case LIQUID_STRING:
			return v.len > 0 ? 1 : 0;
		default:
			return 0;
	}
}

/* Item "index" of the value; it must exist. */
LiquidValue
liquid_item(LiquidValue v, int64 index)
{
	switch (v.kind)
	{
		case LIQUID_ARRAY:
			return v.u.array->items[index];
		case LIQUID_JARRAY:
			return liquid_json_element(v.u.json, index);
		case LIQUID_JOBJECT:
			return member_pair(v.u.json, index);
		case LIQUID_RANGE:
			return liquid_int(v.u.range->lo + index);
		default:
			return v;
	}
}

/* Length in characters */
static int64
text_length(LiquidValue v)
{
	return pg_mbstrlen_with_len(v.u.s, v.len);
}

/* What "size" says, as a word after a dot and as a filter */
bool
liquid_size(LiquidValue v, int64 *size)
{
	switch (v.kind)
	{
		case LIQUID_STRING:
			*size = text_length(v);
			return true;
		case LIQUID_INT:
		case LIQUID_BIGINT:
			*size = sizeof(int64);	/* as in the reference implementation */
			return true;
		case LIQUID_ARRAY:
		case LIQUID_JARRAY:
		case LIQUID_JOBJECT:
		case LIQUID_RANGE:
			*size = liquid_length(v);
			return true;
		default:
			return false;
	}
}

/* The first or last item; of a string, the first or last character */
LiquidValue
liquid_end_item(LiquidValue v, bool last)
{
	int64		n = liquid_length(v);

	if (v.kind == LIQUID_STRING)
	{
		const char *s = v.u.s;
		const char *end = v.u.s + v.len;

		if (v.len == 0)
			return v;
		while (last && s + pg_mblen(s) < end)
			s += pg_mblen(s);
		return liquid_string(s, pg_mblen(s), v.flags);
	}
	if (v.kind == LIQUID_RANGE)
		return liquid_int(last ? v.u.range->hi : v.u.range->lo);
	if (n == 0 || (last && v.kind == LIQUID_JOBJECT))
		return liquid_nil();
	return liquid_item(v, last ? n - 1 : 0);
}

/* The words "size", "first" and "last" after a dot */
LiquidValue
liquid_command(LiquidValue v, const LiquidKey *key)
{
	int64		size;

	if (key->s[0] == 's')
		return liquid_size(v, &size) ? liquid_int(size) : liquid_nil();
	return liquid_end_item(v, key->s[0] == 'l');
}

/* A member by name; false where the value has none of that name */
bool
liquid_member(LiquidValue v, const LiquidKey *key, LiquidValue *member)
{
	if (v.kind == LIQUID_JOBJECT)
		return liquid_json_member(v.u.json, key->s, key->len, member);
	if (v.kind == LIQUID_LOOP)
		return liquid_loop_field(v.u.loop, key, member);
	return false;
}

/* value[index], where the index is any value */
LiquidValue
liquid_at(LiquidValue v, LiquidValue index)
{
	LiquidValue member;

	if (index.kind == LIQUID_STRING)
	{
		LiquidKey	key = {index.u.s, index.len, 0};

		if (v.kind == LIQUID_LOOP)
			key = liquid_key(index.u.s, index.len);
		return liquid_member(v, &key, &member) ? member : liquid_nil();
	}
	if (index.kind == LIQUID_INT && liquid_is_array(v))
	{
		int64		n = liquid_length(v);
		int64		i = index.u.i < 0 ? index.u.i + n : index.u.i;

		if (i >= 0 && i < n)
			return liquid_item(v, i);
	}
	return liquid_nil();
}

static bool
objects_equal(JsonbContainer *a, JsonbContainer *b)
{
	int			n = JsonContainerSize(a);
	const char *base = data_of(a);

	if (JsonContainerSize(b) != n)
		return false;
	for (int i = 0; i < n; i++)
	{
		LiquidValue mine = entry_value(a, n + i, base,
									   getJsonbOffset(a, n + i));
		LiquidValue other;

		if (!liquid_json_member(b, base + getJsonbOffset(a, i),
								getJsonbLength(a, i), &other) ||
			!liquid_equal(mine, other))
			return false;
	}
	return true;
}

/* Liquid's ==; numbers by value, everything else only within its own type */
bool
liquid_equal(LiquidValue a, LiquidValue b)
{
	if (liquid_is_number(a) && liquid_is_number(b))
		return liquid_compare_numbers(a, b) == 0;
	if (liquid_is_array(a) && liquid_is_array(b))
	{
		int64		n = liquid_length(a);

		if (liquid_length(b) != n || stack_is_too_deep())
			return false;
		for (int64 i = 0; i < n; i++)
		{
			if (!liquid_equal(liquid_item(a, i), liquid_item(b, i)))
				return false;
		}
		return true;
	}
	if (a.kind != b.kind)
		return false;
	switch (a.kind)
	{
		case LIQUID_STRING:
			return a.len == b.len && memcmp(a.u.s, b.u.s, a.len) == 0;
		case LIQUID_JOBJECT:
			return !stack_is_too_deep() && objects_equal(a.u.json, b.u.json);
		case LIQUID_RANGE:
			return a.u.range->lo == b.u.range->lo &&
				a.u.range->hi == b.u.range->hi;
		case LIQUID_LOOP:
			return a.u.loop == b.u.loop;
		case LIQUID_TIME:
			return a.u.time->at == b.u.time->at;
		default:
			return true;
	}
}

static int
compare_strings(LiquidValue a, LiquidValue b)
{
	int			cmp = memcmp(a.u.s, b.u.s, Min(a.len, b.len));

	if (cmp != 0)
		return cmp < 0 ? -1 : 1;
	return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

static int	compare_arrays(LiquidValue a, LiquidValue b);

/*
 * Ruby's <=>: below, equal, above, or LIQUID_UNORDERED where the types have
 * no common order (or a NaN is among them).
 */
int
liquid_compare(LiquidValue a, LiquidValue b)
{
	if (liquid_is_number(a) && liquid_is_number(b))
		return liquid_compare_numbers(a, b);
	if (liquid_is_array(a) && liquid_is_array(b))
		return stack_is_too_deep() ? LIQUID_UNORDERED : compare_arrays(a, b);
	if (a.kind != b.kind)
		return LIQUID_UNORDERED;
	if (a.kind == LIQUID_STRING)
		return compare_strings(a, b);
	if (a.kind == LIQUID_TIME)
		return a.u.time->at < b.u.time->at ? -1 :
			a.u.time->at > b.u.time->at;
	return liquid_equal(a, b) ? 0 : LIQUID_UNORDERED;
}

static int
compare_arrays(LiquidValue a, LiquidValue b)
{
	int64		alen = liquid_length(a);
	int64		blen = liquid_length(b);

	for (int64 i = 0; i < Min(alen, blen); i++)
	{
		int			cmp = liquid_compare(liquid_item(a, i),
										 liquid_item(b, i));

		if (cmp != 0)
			return cmp;
	}
	return alen == blen ? 0 : alen < blen ? -1 : 1;
}

/* Finds a string in another bytewise; every string is valid text. */
const char *
liquid_find(const char *s, const char *end, const char *what, int len)
{
	return len == 0 ? s : memmem(s, end - s, what, len);
}

/* The operator "contains" */
bool
liquid_contains(LiquidState *st, LiquidValue a, LiquidValue b)
{
	LiquidValue member;

	if (!liquid_truthy(b))
		return false;
	switch (a.kind)
	{
		case LIQUID_STRING:
			b = liquid_to_string(st, b);
			return liquid_find(a.u.s, a.u.s + a.len, b.u.s, b.len) != NULL;
		case LIQUID_ARRAY:
		case LIQUID_JARRAY:
			for (int64 i = 0, n = liquid_length(a); i < n; i++)
			{
				if (liquid_equal(liquid_item(a, i), b))
					return true;
			}
			return false;
		case LIQUID_JOBJECT:
			return b.kind == LIQUID_STRING &&
				liquid_json_member(a.u.json, b.u.s, b.len, &member);
		case LIQUID_RANGE:
			return liquid_is_number(b) &&
				liquid_compare_numbers(b, liquid_int(a.u.range->lo)) >= 0 &&
				liquid_compare_numbers(b, liquid_int(a.u.range->hi)) <= 0;
		default:
			return false;
	}
}

/* Is it a string, array or object without anything in it? */
bool
liquid_is_empty(LiquidValue v)
{
	switch (v.kind)
	{
		case LIQUID_STRING:
		case LIQUID_ARRAY:
		case LIQUID_JARRAY:
		case LIQUID_JOBJECT:
			return liquid_length(v) == 0;
		default:
			return false;
	}
}

/* Is it empty, nil, false, or a string of white space? */
bool
liquid_is_blank(LiquidValue v)
{
	if (v.kind == LIQUID_STRING)
	{
		for (int i = 0; i < v.len; i++)
		{
			if (!liquid_is_space(v.u.s[i]))
				return false;
		}
		return true;
	}
	return !liquid_truthy(v) || liquid_is_empty(v);
}

/* The name of a value's type, as the reference implementation has it */
const char *
liquid_type_name(LiquidValue v)
{
	switch (v.kind)
	{
		case LIQUID_NIL:
			return "NilClass";
		case LIQUID_TRUE:
			return "TrueClass";
		case LIQUID_FALSE:
			return "FalseClass";
		case LIQUID_INT:
		case LIQUID_BIGINT:
			return "Integer";
		case LIQUID_FLOAT:
			return "Float";
		case LIQUID_ARRAY:
		case LIQUID_JARRAY:
			return "Array";
		case LIQUID_JOBJECT:
			return "Hash";
		case LIQUID_RANGE:
			return "Range";
		case LIQUID_TIME:
			return "Time";
		default:
			return "String";
	}
}
