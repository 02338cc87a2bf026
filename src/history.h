/*-------------------------------------------------------------------------
 *
 * history.h
 *	  What the database knows of a user, read on the insert path.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_HISTORY_H
#define NUDGE_HISTORY_H

#include "postgres.h"

#include "action.h"
#include "caps.h"
#include "rules.h"
#include "user.h"

/* Open tables and scans of one statement */
typedef struct History History;

extern History *history_open(void);
extern void history_close(History *history);

/*
 * The user's row, copied into the current context.
 */
extern void history_user(History *history, Datum user_id, UserRow *user);

/*
 * Whether all partitions of nudge.actions can be looked into: one that somebody
 * made without the index of its kind cannot.
 */
extern bool history_is_complete(History *history);

/*
 * How many actions of a type the user's history has, up to and including the
 * action in hand; stops counting at limit.  type is compared by its address.
 */
extern int64 history_count_actions(History *history, const Action *action,
								   const char *type, int64 limit);

/*
 * When the user last did an action of a type (occurred_at), looking no further
 * back than recorded_at >= since.  Stops at the first that is not before enough.
 * False where there is none.
 */
extern bool history_last_action(History *history, const Action *action,
								const char *type, TimestampTz since,
								TimestampTz enough, TimestampTz *last);

extern bool history_in_segment(History *history, Datum user_id,
							   const char *segment);

/* The user's row of nudge.cap_usage; no entries where there is none. */
extern void history_usage(History *history, Datum user_id, Usage *usage);

/*
 * The user's waiting triggers of a rule (0: of all), one at a time: rule and time
 * of firing, until the visitor returns false.
 */
typedef bool (*PendingVisitor) (int64 rule_id, TimestampTz fired_at, void *arg);
extern void history_pending(History *history, Datum user_id, int64 rule_id,
							PendingVisitor visit, void *arg);

/* Whether the user has not unsubscribed from a topic */
extern bool history_subscribed(History *history, Datum user_id,
							   const char *topic);

extern bool history_has_suppressions(History *history);

/*
 * The suppressions of a user, and of an address (0: none) in its normal form, one
 * at a time until the visitor returns false; channel is NULL for every channel.
 */
typedef bool (*SuppressionVisitor) (const char *channel, const char *reason,
									void *arg);
extern void history_suppressions(History *history, Datum user_id, Datum address,
								 SuppressionVisitor visit, void *arg);

#endif							/* NUDGE_HISTORY_H */
