/*-------------------------------------------------------------------------
 *
 * liquid_settings.h
 *	  The settings nudge.template_*, defined in liquid_settings.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LIQUID_SETTINGS_H
#define LIQUID_SETTINGS_H

#include "postgres.h"

extern int	liquid_max_output;	/* kilobytes */
extern int	liquid_max_steps;
extern int	liquid_max_nesting;
extern int	liquid_timeout;		/* milliseconds */

#endif							/* LIQUID_SETTINGS_H */
