/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  SQL access to pg_nudge's settings.
 *
 * current_setting() does not know a setting of ours, nor check what a
 * configuration file says about it, before this library has been loaded; a
 * call of a function of the library loads it.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_nudge.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"

PG_FUNCTION_INFO_V1(nudge_setting);

/*
 * Value of the setting nudge.<name>, as SHOW shows it but without units.
 */
Datum
nudge_setting(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *value = GetConfigOption(psprintf("nudge.%s", name), true, false);

	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no setting \"nudge.%s\"", name)));
	PG_RETURN_TEXT_P(cstring_to_text(value));
}
