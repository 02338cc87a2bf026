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

/*
 * Actions of a type in the user's history, up to and including the action in hand
 * if that is recorded, one at a time until the visitor returns false.  Those
 * recorded before since are left out; type 0 means any type; with after_id, only those recorded in the same
 * transaction as the action in hand, after that id, are shown (else PG_INT64_MIN).
 */
typedef bool (*PastActionVisitor) (TupleTableSlot *slot, void *arg);
extern void history_visit_actions(History *history, const Action *action,
								  Datum type, TimestampTz since, int64 after_id,
								  PastActionVisitor visit, void *arg);

/*
 * Which of some action types, sorted by their bytes, the user has ever done (those
 * that the running statement still has to come to are among them): their places,
 * some perhaps twice, and how many.  types is known by its address as long as the statement runs.
 */
extern const int *history_types_done(History *history, const Action *action,
									 const Bytes *types, int ntypes, int *n);

/*
 * Room for a note about the action's user, zeroed when it is new; lives as long as
 * the statement.  NULL where the action is only thought of, or memory is full.
 */
extern void *history_note(History *history, const Action *action, Bytes key,
						  Size size);

/*
 * The user's events that were recorded since, until the visitor returns false.
 * Returns false where a partition of nudge.events cannot be looked into.
 */
typedef bool (*EventVisitor) (TupleTableSlot *slot, void *arg);
extern bool history_visit_events(History *history, Datum user_id,
								 TimestampTz since, EventVisitor visit, void *arg);

extern bool history_in_segment(History *history, Datum user_id,
							   const char *segment);

/* The segments that list the user, one at a time, in the order of their names */
typedef void (*SegmentVisitor) (const char *segment, void *arg);
extern void history_segments(History *history, Datum user_id,
							 SegmentVisitor visit, void *arg);

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
/*
 * The same of the triggers of a rule that wait with a key (nudge.pending.reentry_key).
 */
extern void history_pending_entries(History *history, Datum user_id,
									int64 rule_id, Datum key,
									PendingVisitor visit, void *arg);

/* When the user entered a rule with a key; false where that has not been. */
extern bool history_entry(History *history, Datum user_id, int64 rule_id,
						  Datum key, TimestampTz *entered_at);

#endif							/* NUDGE_HISTORY_H */
