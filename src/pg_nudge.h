/*-------------------------------------------------------------------------
 *
 * pg_nudge.h
 *	  What every module of pg_nudge shares: the settings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PG_NUDGE_H
#define PG_NUDGE_H

#include "postgres.h"

/* Settings (GUCs), defined in pg_nudge.c */
extern char *nudge_timezone;
extern int	nudge_batch_interval;	/* seconds */
extern int	nudge_retention_days;
extern int	nudge_max_pending_triggers;
extern bool nudge_evaluate;
extern bool nudge_watch_users_setting;
extern double nudge_control_group_percent;

#endif							/* PG_NUDGE_H */
