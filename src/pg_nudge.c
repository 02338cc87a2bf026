/*-------------------------------------------------------------------------
 *
 * pg_nudge.c
 *	  Module entry: magic block and settings.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_nudge.h"

#include "fmgr.h"
#include "liquid.h"
#include "pgtime.h"
#include "rules_cache.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

char	   *nudge_timezone = NULL;
int			nudge_batch_interval = 60;
int			nudge_retention_days = 90;
int			nudge_max_pending_triggers = 10000;
bool		nudge_evaluate = true;
bool		nudge_watch_users_setting = true;
double		nudge_control_group_percent = 0.0;

void		_PG_init(void);

/*
 * A time zone is good when PostgreSQL itself can load it.
 */
static bool
check_timezone(char **newval, void **extra, GucSource source)
{
	if (*newval == NULL || pg_tzset(*newval) == NULL)
	{
		GUC_check_errdetail("time zone \"%s\" not recognized",
							*newval ? *newval : "");
		return false;
	}
	return true;
}

void
_PG_init(void)
{
	DefineCustomStringVariable("nudge.timezone",
							   "Time zone of users who have none of their own.",
							   NULL, &nudge_timezone, "UTC",
							   PGC_USERSET, 0,
							   check_timezone, NULL, NULL);
	DefineCustomIntVariable("nudge.batch_interval",
							"Triggers of priority batch go out at multiples of this interval.",
							NULL, &nudge_batch_interval, 60, 1, 7 * 86400,
							PGC_USERSET, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomIntVariable("nudge.retention_days",
							"Days that actions, events and finished messages are kept.",
							NULL, &nudge_retention_days, 90, 1, 36500,
							PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("nudge.max_pending_triggers",
							"Pending triggers past which the health view and a warning a run say so.",
							NULL, &nudge_max_pending_triggers, 10000, 1, PG_INT32_MAX,
							PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomBoolVariable("nudge.evaluate",
							 "Evaluates rules as actions come in; off records actions only.",
							 NULL, &nudge_evaluate, true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("nudge.watch_users",
							 "Makes an action profile_updated of each change of a user.",
							 NULL, &nudge_watch_users_setting, true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomRealVariable("nudge.control_group_percent",
							 "Share of users who get nothing but transactional messages.",
							 "A hash of the user's id decides, so that it is always the same users.",
							 &nudge_control_group_percent, 0.0, 0.0, 100.0,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	liquid_define_settings();
	MarkGUCPrefixReserved("nudge");

	rules_cache_init();
}
