/*-------------------------------------------------------------------------
 *
 * liquid_filters.c
 *	  Finds Liquid's filters by name.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_filters.h"

static const LiquidFilter *const groups[] = {
	liquid_string_filters,
	liquid_trim_filters,
	liquid_math_filters,
	liquid_array_filters,
	liquid_select_filters,
	liquid_encoding_filters,
	liquid_mail_filters
};

/* A filter, or NULL where there is none of that name; for the parser. */
const LiquidFilter *
liquid_find_filter(const char *name, int len)
{
	for (int g = 0; g < lengthof(groups); g++)
	{
		for (const LiquidFilter *f = groups[g]; f->name != NULL; f++)
		{
			if (liquid_word_is(name, len, f->name))
				return f;
		}
	}
	return NULL;
}
