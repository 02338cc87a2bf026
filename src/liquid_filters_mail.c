/*-------------------------------------------------------------------------
 *
 * liquid_filters_mail.c
 *	  Liquid's filters for dates and defaults, and those that mail adds:
 *	  money, number_with_delimiter, pluralize, in_time_zone.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_filters.h"

/* The default takes the place of nil, false and what is empty. */
static LiquidValue
filter_default(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue otherwise = args->n > 0 ? args->v[0] :
	liquid_string("", 0, 0);
	bool		allow_false = liquid_truthy(liquid_named_arg(args,
															 "allow_false"));
	bool		missing = allow_false ? in.kind == LIQUID_NIL :
	!liquid_truthy(in);

	return missing || liquid_is_empty(in) ? otherwise : in;
}

/* "item" for one, "items" (or the second word) for any other number */
static LiquidValue
filter_pluralize(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue one = liquid_to_string(st, liquid_arg(args, 0));
	LiquidValue n = liquid_to_number(in);
	StringInfoData buf;

	if (liquid_compare_numbers(n, liquid_int(1)) == 0)
		return one;
	if (args->n > 1)
		return args->v[1];
	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, one.u.s, one.len);
	appendStringInfoChar(&buf, 's');
	return liquid_built_string(st, &buf, one.flags);
}

const LiquidFilter liquid_mail_filters[] = {
	{"default", filter_default, 0, 2},
	{"pluralize", filter_pluralize, 1, 2},
	{NULL}
};
