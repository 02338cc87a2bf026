/*-------------------------------------------------------------------------
 *
 * liquid_date.c
 *	  Dates and times of the Liquid language.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_value.h"

/* Appends a time as text. */
void
liquid_append_time(StringInfo buf, const LiquidTime *time)
{
}
