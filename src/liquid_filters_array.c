/*-------------------------------------------------------------------------
 *
 * liquid_filters_array.c
 *	  Liquid's filters on whole arrays.
 *
 * Their input may be anything: nested arrays are flattened, an object or
 * another value is an array of one, and nil is an empty array.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_filters.h"

/* How many elements an array has, those of arrays in it included */
static int64
count_flat(LiquidState *st, LiquidValue v)
{
	int64		n = liquid_length(v);
	int64		count = 0;

	if (stack_is_too_deep())
	{
		liquid_fail_limit(st, "nudge.template_max_nesting",
						  "an array is nested too deep");
		return 0;
	}
	for (int64 i = 0; i < n; i++)
	{
		LiquidValue item = liquid_item(v, i);

		CHECK_FOR_INTERRUPTS();
		count += liquid_is_array(item) ? count_flat(st, item) : 1;
	}
	return count;
}

static int
fill_flat(LiquidArray *array, int n, LiquidValue v)
{
	int64		length = liquid_length(v);

	for (int64 i = 0; i < length; i++)
	{
		LiquidValue item = liquid_item(v, i);

		if (liquid_is_array(item))
			n = fill_flat(array, n, item);
		else
			array->items[n++] = item;
	}
	return n;
}

/* The input of an array filter as an array of its own, unless it is empty */
LiquidArray *
liquid_input_items(LiquidState *st, LiquidValue v)
{
	LiquidArray *array;

	if (liquid_is_array(v))
	{
		array = liquid_new_array(st, count_flat(st, v));
		if (array->n > 0)
			fill_flat(array, 0, v);
		return array;
	}
	if (v.kind == LIQUID_RANGE)
	{
		array = liquid_new_array(st, liquid_length(v));
		for (int i = 0; i < array->n; i++)
			array->items[i] = liquid_item(v, i);
		return array;
	}
	array = liquid_new_array(st, v.kind == LIQUID_NIL ? 0 : 1);
	if (array->n == 1)
		array->items[0] = v;
	return array;
}

static LiquidValue
filter_size(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	int64		size;

	return liquid_int(liquid_size(in, &size) ? size : 0);
}

static LiquidValue
filter_first(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return liquid_end_item(in, false);
}

static LiquidValue
filter_last(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return liquid_end_item(in, true);
}

static LiquidValue
filter_join(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidArray *array = liquid_input_items(st, in);
	LiquidValue glue = args->n > 0 ? liquid_to_string(st, args->v[0]) :
	liquid_string(" ", 1, 0);
	uint8		flags = array->n > 1 ? glue.flags : 0;
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < array->n && !st->failed; i++)
	{
		LiquidValue item = liquid_to_string(st, array->items[i]);

		liquid_blend(st, &item, &glue);
		if (i > 0)
			appendBinaryStringInfo(&buf, glue.u.s, glue.len);
		appendBinaryStringInfo(&buf, item.u.s, item.len);
		flags |= item.flags;
		if (buf.len > st->out_limit)
			break;
	}
	return liquid_built_string(st, &buf, flags);
}

static LiquidValue
filter_reverse(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidArray *array = liquid_input_items(st, in);

	for (int i = 0, j = array->n - 1; i < j; i++, j--)
	{
		LiquidValue v = array->items[i];

		array->items[i] = array->items[j];
		array->items[j] = v;
	}
	return liquid_array(array);
}

static LiquidValue
filter_concat(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue more = liquid_arg(args, 0);
	LiquidArray *array;
	LiquidArray *joined;

	if (!liquid_is_array(more))
	{
		liquid_fail(st, ERRCODE_INVALID_PARAMETER_VALUE,
					"concat filter requires an array argument");
		return liquid_nil();
	}
	array = liquid_input_items(st, in);
	joined = liquid_new_array(st, array->n + liquid_length(more));
	for (int i = 0; i < joined->n; i++)
		joined->items[i] = i < array->n ? array->items[i] :
			liquid_item(more, i - array->n);
	return liquid_array(joined);
}

/* Whether b belongs before a; false where they cannot be compared */
typedef bool (*Before) (LiquidState *st, LiquidValue b, LiquidValue a);

/* Merge sort: stable, and safe with an order that is none */
static void
merge_sort(LiquidState *st, LiquidArray *keys, int *order, int *spare,
		   int from, int to, Before before)
{
	int			mid = from + (to - from) / 2;
	int			left = from;
	int			right = mid;

	if (to - from < 2 || st->failed)
		return;
	CHECK_FOR_INTERRUPTS();
	merge_sort(st, keys, order, spare, from, mid, before);
	merge_sort(st, keys, order, spare, mid, to, before);
	memcpy(spare + from, order + from, (to - from) * sizeof(int));
	for (int i = from; i < to; i++)
	{
		if (left >= mid ||
			(right < to && before(st, keys->items[spare[right]],
								  keys->items[spare[left]])))
			order[i] = spare[right++];
		else
			order[i] = spare[left++];
	}
}

/* The array in the order of its keys */
static LiquidValue
sort_by(LiquidState *st, LiquidArray *array, LiquidArray *keys, Before before)
{
	LiquidArray *sorted = liquid_new_array(st, array->n);
	int		   *order;

	if (sorted->n == 0)
		return liquid_array(sorted);
	order = palloc(2 * array->n * sizeof(int));
	for (int i = 0; i < array->n; i++)
		order[i] = i;
	merge_sort(st, keys, order, order + array->n, 0, array->n, before);
	for (int i = 0; i < array->n; i++)
		sorted->items[i] = array->items[order[i]];
	return liquid_array(sorted);
}

/* nil comes last, and what has no order fails. */
static bool
is_before(LiquidState *st, LiquidValue b, LiquidValue a)
{
	int			cmp = liquid_compare(b, a);

	if (cmp != LIQUID_UNORDERED)
		return cmp < 0;
	if (a.kind != LIQUID_NIL && b.kind != LIQUID_NIL)
		liquid_fail(st, ERRCODE_DATATYPE_MISMATCH,
					"cannot sort values of incompatible types");
	return a.kind == LIQUID_NIL;
}

/* By text, ASCII letters alike in either case */
static bool
is_naturally_before(LiquidState *st, LiquidValue b, LiquidValue a)
{
	int			n;

	if (b.kind == LIQUID_NIL || a.kind == LIQUID_NIL)
		return b.kind != LIQUID_NIL;
	b = liquid_to_string(st, b);
	a = liquid_to_string(st, a);
	n = Min(a.len, b.len);
	for (int i = 0; i < n; i++)
	{
		unsigned char x = pg_ascii_tolower((unsigned char) b.u.s[i]);
		unsigned char y = pg_ascii_tolower((unsigned char) a.u.s[i]);

		if (x != y)
			return x < y;
	}
	return b.len < a.len;
}

/*
 * Sorts by the elements or by a property of theirs.  A single element is not
 * asked for its property, as there is nothing to compare it with.
 */
static LiquidValue
sort(LiquidState *st, LiquidValue in, const LiquidArgs *args, Before before)
{
	LiquidArray *array = liquid_input_items(st, in);
	LiquidArray *keys = array;

	if (array->n > 0 && liquid_arg(args, 0).kind != LIQUID_NIL)
	{
		for (int i = 0; i < array->n; i++)
		{
			if (!liquid_has_properties(array->items[i]))
				return liquid_nil();
		}
		if (array->n > 1)
			keys = liquid_properties(st, array, args->v[0]);
	}
	return keys == NULL || st->failed ? liquid_nil() :
		sort_by(st, array, keys, before);
}

static LiquidValue
filter_sort(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return sort(st, in, args, is_before);
}

static LiquidValue
filter_sort_natural(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return sort(st, in, args, is_naturally_before);
}

/* Bytewise; for finding what is the same */
static bool
is_bytewise_before(LiquidState *st, LiquidValue b, LiquidValue a)
{
	return liquid_compare(b, a) < 0;
}

/*
 * Marks the elements that have an equal one before them.  Equal are those
 * that look the same, their types included.
 */
static bool *
find_repeated(LiquidState *st, LiquidArray *keys)
{
	LiquidArray *texts = liquid_new_array(st, keys->n);
	bool	   *repeated = palloc0(keys->n + 1);
	int		   *order = palloc((2 * keys->n + 1) * sizeof(int));

	for (int i = 0; i < texts->n && !st->failed; i++)
	{
		StringInfoData buf;

		initStringInfo(&buf);
		liquid_append_inspected(st, &buf, keys->items[i]);
		texts->items[i] = liquid_copy_string(st, buf.data, buf.len, 0);
		pfree(buf.data);
		order[i] = i;
	}
	if (st->failed)
		return repeated;
	merge_sort(st, texts, order, order + keys->n, 0, texts->n,
			   is_bytewise_before);
	for (int i = 1; i < texts->n; i++)
		repeated[order[i]] = liquid_equal(texts->items[order[i]],
										  texts->items[order[i - 1]]);
	return repeated;
}

static LiquidValue
filter_uniq(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidArray *array = liquid_input_items(st, in);
	LiquidArray *keys = array;
	bool	   *repeated;
	int			n = 0;

	if (array->n > 1 && liquid_arg(args, 0).kind != LIQUID_NIL)
		keys = liquid_properties(st, array, args->v[0]);
	if (keys == NULL)
		return liquid_nil();
	repeated = find_repeated(st, keys);
	for (int i = 0; i < array->n; i++)
	{
		if (!repeated[i])
			array->items[n++] = array->items[i];
	}
	if (array->n > 0)
		array->n = n;
	return liquid_array(array);
}

static LiquidValue
filter_compact(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidArray *array = liquid_input_items(st, in);
	LiquidArray *keys = array;
	int			n = 0;

	if (array->n > 0 && liquid_arg(args, 0).kind != LIQUID_NIL)
		keys = liquid_properties(st, array, args->v[0]);
	if (keys == NULL)
		return liquid_nil();
	for (int i = 0; i < array->n; i++)
	{
		if (keys->items[i].kind != LIQUID_NIL)
			array->items[n++] = array->items[i];
	}
	if (array->n > 0)
		array->n = n;
	return liquid_array(array);
}

/* Adds up numbers; strings count as the numbers they begin with. */
static LiquidValue
filter_sum(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidArray *array = liquid_input_items(st, in);
	LiquidValue sum = liquid_int(0);

	if (array->n > 0 && liquid_arg(args, 0).kind != LIQUID_NIL)
		array = liquid_input_items(st,
								   liquid_array(liquid_map(st, array,
														   args->v[0])));
	for (int i = 0; i < array->n && !st->failed; i++)
		sum = liquid_arithmetic(st, '+', sum,
								liquid_to_number(array->items[i]));
	return sum;
}

const LiquidFilter liquid_array_filters[] = {
	{"compact", filter_compact, 0, 1},
	{"concat", filter_concat, 1, 1},
	{"first", filter_first, 0, 0},
	{"join", filter_join, 0, 1},
	{"last", filter_last, 0, 0},
	{"reverse", filter_reverse, 0, 0},
	{"size", filter_size, 0, 0},
	{"sort", filter_sort, 0, 1},
	{"sort_natural", filter_sort_natural, 0, 1},
	{"sum", filter_sum, 0, 1},
	{"uniq", filter_uniq, 0, 1},
	{NULL}
};
