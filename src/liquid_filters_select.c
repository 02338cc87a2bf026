/*-------------------------------------------------------------------------
 *
 * liquid_filters_select.c
 *	  Liquid's filters that look at a property of an array's elements.
 *
 * An element may be of any type.  Some types have properties (an object its
 * members, a string its parts, an array its elements and an integer its bits
 * by number), some refuse a property of the wrong type, which is an error,
 * and some have none at all, which makes most filters give nil.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_filters.h"

#include "mb/pg_wchar.h"

typedef enum Property
{
	HAS_PROPERTIES,
	REFUSES_PROPERTY,
	HAS_NO_PROPERTIES
} Property;

/* Character "index" of a string, or nil */
static LiquidValue
character_at(LiquidValue v, int64 index)
{
	const char *s = v.u.s;
	const char *end = s + v.len;

	if (index < 0)
		index += pg_mbstrlen_with_len(v.u.s, v.len);
	if (index < 0)
		return liquid_nil();
	for (; s < end; s += pg_mblen(s))
	{
		if (index-- == 0)
			return liquid_part(v, s, s + pg_mblen(s));
	}
	return liquid_nil();
}

static Property
string_property(LiquidValue item, LiquidValue name, LiquidValue *v)
{
	const char *at;

	if (name.kind == LIQUID_INT)
		*v = character_at(item, name.u.i);
	else if (name.kind != LIQUID_STRING)
		return REFUSES_PROPERTY;
	else if ((at = liquid_find(item.u.s, item.u.s + item.len,
							   name.u.s, name.len)) != NULL)
		*v = liquid_part(item, at, at + name.len);
	return HAS_PROPERTIES;
}

/* item[name] */
static Property
property_of(LiquidValue item, LiquidValue name, LiquidValue *v)
{
	*v = liquid_nil();
	switch (item.kind)
	{
		case LIQUID_STRING:
			return string_property(item, name, v);
		case LIQUID_ARRAY:
		case LIQUID_JARRAY:
			if (name.kind != LIQUID_INT)
				return REFUSES_PROPERTY;
			*v = liquid_at(item, name);
			return HAS_PROPERTIES;
		case LIQUID_JOBJECT:
		case LIQUID_LOOP:
			*v = liquid_at(item, name);
			return HAS_PROPERTIES;
		case LIQUID_INT:
			if (name.kind != LIQUID_INT)
				return REFUSES_PROPERTY;
			*v = liquid_int(name.u.i < 0 ? 0 :
							item.u.i >> Min(name.u.i, 63) & 1);
			return HAS_PROPERTIES;
		case LIQUID_BIGINT:
			return REFUSES_PROPERTY;
		default:
			return HAS_NO_PROPERTIES;
	}
}

/* Is it of a type that has properties, if perhaps not every one? */
bool
liquid_has_properties(LiquidValue item)
{
	LiquidValue v;

	return property_of(item, liquid_nil(), &v) != HAS_NO_PROPERTIES;
}

static void
fail_property(LiquidState *st, LiquidValue name)
{
	name = liquid_to_string(st, name);
	liquid_fail_with_value(st, ERRCODE_INVALID_PARAMETER_VALUE,
						   "cannot select the property",
						   "cannot select the property '%.*s'",
						   name.len, name.u.s);
}

/*
 * The property of each element; NULL where one of them has none, or there are
 * too many.
 */
LiquidArray *
liquid_properties(LiquidState *st, LiquidArray *array, LiquidValue name)
{
	LiquidArray *result = liquid_new_array(st, array->n);

	if (st->failed)
		return NULL;
	for (int i = 0; i < result->n; i++)
	{
		Property	p = property_of(array->items[i], name,
									&result->items[i]);

		if (p == REFUSES_PROPERTY)
			fail_property(st, name);
		if (p != HAS_PROPERTIES)
			return NULL;
	}
	return result;
}

/* The property of each element, nil where it has none */
LiquidArray *
liquid_map(LiquidState *st, LiquidArray *array, LiquidValue name)
{
	LiquidArray *result = liquid_new_array(st, array->n);

	for (int i = 0; i < result->n; i++)
	{
		if (property_of(array->items[i], name, &result->items[i]) ==
			REFUSES_PROPERTY)
			fail_property(st, name);
	}
	return result;
}

static LiquidValue
filter_map(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return liquid_array(liquid_map(st, liquid_input_items(st, in),
								   liquid_arg(args, 0)));
}

typedef enum Match
{
	MATCHES,
	DIFFERS,
	CANNOT_MATCH				/* the filter's result is nil */
} Match;

/* Does the element's property equal the value asked for (or is it true)? */
static Match
match(LiquidState *st, LiquidValue item, const LiquidArgs *args)
{
	LiquidValue wanted = liquid_arg(args, 1);
	LiquidValue v;
	bool		matches;

	switch (property_of(item, args->v[0], &v))
	{
		case REFUSES_PROPERTY:
			fail_property(st, args->v[0]);
			return CANNOT_MATCH;
		case HAS_NO_PROPERTIES:
			return CANNOT_MATCH;
		default:
			matches = wanted.kind == LIQUID_NIL ? liquid_truthy(v) :
				liquid_equal(v, wanted);
			return matches ? MATCHES : DIFFERS;
	}
}

/* The elements that match, or those that differ */
static LiquidValue
select_items(LiquidState *st, LiquidValue in, const LiquidArgs *args,
			 Match wanted)
{
	LiquidArray *array = liquid_input_items(st, in);
	int			n = 0;

	for (int i = 0; i < array->n; i++)
	{
		Match		m = match(st, array->items[i], args);

		if (m == CANNOT_MATCH)
			return liquid_nil();
		if (m == wanted)
			array->items[n++] = array->items[i];
	}
	if (array->n > 0)
		array->n = n;
	return liquid_array(array);
}

static LiquidValue
filter_where(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return select_items(st, in, args, MATCHES);
}

static LiquidValue
filter_reject(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return select_items(st, in, args, DIFFERS);
}

/* Index of the first element that matches, -1 for none, -2 for a failure */
static int
find_first(LiquidState *st, LiquidArray *array, const LiquidArgs *args)
{
	for (int i = 0; i < array->n; i++)
	{
		Match		m = match(st, array->items[i], args);

		if (m == MATCHES)
			return i;
		if (m == CANNOT_MATCH)
			return -2;
	}
	return -1;
}

static LiquidValue
filter_find(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidArray *array = liquid_input_items(st, in);
	int			i = find_first(st, array, args);

	return i >= 0 ? array->items[i] : liquid_nil();
}

static LiquidValue
filter_find_index(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	int			i = find_first(st, liquid_input_items(st, in), args);

	return i >= 0 ? liquid_int(i) : liquid_nil();
}

static LiquidValue
filter_has(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	int			i = find_first(st, liquid_input_items(st, in), args);

	return i == -2 ? liquid_nil() : liquid_bool(i >= 0);
}

const LiquidFilter liquid_select_filters[] = {
	{"find", filter_find, 1, 2},
	{"find_index", filter_find_index, 1, 2},
	{"has", filter_has, 1, 2},
	{"map", filter_map, 1, 1},
	{"reject", filter_reject, 1, 2},
	{"where", filter_where, 1, 2},
	{NULL}
};
