/*-------------------------------------------------------------------------
 *
 * change_actions.h
 *	  Records changes of data as actions of their users.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CHANGE_ACTIONS_H
#define NUDGE_CHANGE_ACTIONS_H

#include "postgres.h"

#include "utils/jsonb.h"

typedef struct ChangeActions ChangeActions;

/* All actions of one call have one type, which is not copied. */
extern ChangeActions *change_actions_open(const char *action_type);

/* Takes a copy; records many at a time. */
extern void change_actions_add(ChangeActions *actions, const text *user_id,
							   const Jsonb *data);

extern void change_actions_close(ChangeActions *actions);

#endif							/* NUDGE_CHANGE_ACTIONS_H */
