/*-------------------------------------------------------------------------
 *
 * liquid_filters.h
 *	  What the files of Liquid's filters share.
 *
 * Each file ends in a table of its filters, named for a group of them, with a
 * NULL name at its end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LIQUID_FILTERS_H
#define LIQUID_FILTERS_H

#include "liquid_tree.h"

extern const LiquidFilter liquid_array_filters[];
extern const LiquidFilter liquid_encoding_filters[];
extern const LiquidFilter liquid_mail_filters[];
extern const LiquidFilter liquid_math_filters[];
extern const LiquidFilter liquid_select_filters[];
extern const LiquidFilter liquid_string_filters[];
extern const LiquidFilter liquid_trim_filters[];

/* liquid_unicode.c */
extern void liquid_append_upper(StringInfo buf, const char *s, int len);
extern void liquid_append_lower(StringInfo buf, const char *s, int len);
extern void liquid_append_capitalized(StringInfo buf, const char *s, int len);

/* liquid_filters_array.c */
extern LiquidArray *liquid_input_items(LiquidState *st, LiquidValue v);

/* liquid_filters_select.c */
extern bool liquid_has_properties(LiquidValue item);
extern LiquidArray *liquid_properties(LiquidState *st, LiquidArray *array,
									  LiquidValue name);
extern LiquidArray *liquid_map(LiquidState *st, LiquidArray *array,
							   LiquidValue name);

/* Positional argument i, or nil */
static inline LiquidValue
liquid_arg(const LiquidArgs *args, int i)
{
	return i < args->n ? args->v[i] : liquid_nil();
}

/* Named argument, or nil */
static inline LiquidValue
liquid_named_arg(const LiquidArgs *args, const char *name)
{
	for (int i = 0; i < args->nnamed; i++)
	{
		if (liquid_word_is(args->names[i].s, args->names[i].len, name))
			return args->named[i];
	}
	return liquid_nil();
}

/* A part of a string */
static inline LiquidValue
liquid_part(LiquidValue v, const char *s, const char *end)
{
	return liquid_string(s, end - s, v.flags);
}

#endif							/* LIQUID_FILTERS_H */
