/*-------------------------------------------------------------------------
 *
 * liquid_filters_math.c
 *	  Liquid's filters on numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_filters.h"

static LiquidValue
apply(LiquidState *st, char op, LiquidValue in, const LiquidArgs *args)
{
	return liquid_arithmetic(st, op, liquid_to_number(in),
							 liquid_to_number(liquid_arg(args, 0)));
}

static LiquidValue
filter_abs(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return liquid_absolute(st, liquid_to_number(in));
}

static LiquidValue
filter_plus(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return apply(st, '+', in, args);
}

static LiquidValue
filter_minus(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return apply(st, '-', in, args);
}

static LiquidValue
filter_times(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return apply(st, '*', in, args);
}

static LiquidValue
filter_divided_by(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return apply(st, '/', in, args);
}

static LiquidValue
filter_modulo(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return apply(st, '%', in, args);
}

static LiquidValue
filter_round(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	int64		digits = 0;

	if (args->n > 0)
		liquid_truncate_to_int(st, liquid_to_number(args->v[0]), &digits);
	return liquid_round(st, liquid_to_number(in), digits);
}

static LiquidValue
filter_ceil(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return liquid_floor(st, liquid_to_number(in), true);
}

static LiquidValue
filter_floor(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	return liquid_floor(st, liquid_to_number(in), false);
}

static LiquidValue
filter_at_least(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue least = liquid_to_number(liquid_arg(args, 0));

	in = liquid_to_number(in);
	return liquid_compare_numbers(least, in) == 1 ? least : in;
}

static LiquidValue
filter_at_most(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue most = liquid_to_number(liquid_arg(args, 0));

	in = liquid_to_number(in);
	return liquid_compare_numbers(most, in) == -1 ? most : in;
}

const LiquidFilter liquid_math_filters[] = {
	{"abs", filter_abs, 0, 0},
	{"at_least", filter_at_least, 1, 1},
	{"at_most", filter_at_most, 1, 1},
	{"ceil", filter_ceil, 0, 0},
	{"divided_by", filter_divided_by, 1, 1},
	{"floor", filter_floor, 0, 0},
	{"minus", filter_minus, 1, 1},
	{"modulo", filter_modulo, 1, 1},
	{"plus", filter_plus, 1, 1},
	{"round", filter_round, 0, 1},
	{"times", filter_times, 1, 1},
	{NULL}
};
