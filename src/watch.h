/*-------------------------------------------------------------------------
 *
 * watch.h
 *	  Actions that come from changes of data.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_WATCH_H
#define NUDGE_WATCH_H

#include "postgres.h"

#include "action.h"

/* source of the actions that pg_nudge itself records */
#define OWN_SOURCE "pg_nudge"

/*
 * Whether the action tells that a row of nudge.users changed, which is nothing that
 * its user did.
 */
extern bool is_profile_update(const Action *action);

#endif							/* NUDGE_WATCH_H */
