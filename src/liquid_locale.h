/*-------------------------------------------------------------------------
 *
 * liquid_locale.h
 *	  Names of months and days, and separators of numbers, by language.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LIQUID_LOCALE_H
#define LIQUID_LOCALE_H

#include "liquid_value.h"

typedef struct LiquidLocale
{
	const char *language;
	const char *months;			/* January, ... with commas between */
	const char *short_months;
	const char *days;			/* Sunday, ... */
	const char *short_days;
	const char *group;			/* between thousands */
	const char *decimal;		/* before the fraction */
} LiquidLocale;

extern const LiquidLocale *liquid_locale(LiquidState *st);
extern int	liquid_nth_name(const char *names, int n, const char **name);

#endif							/* LIQUID_LOCALE_H */
