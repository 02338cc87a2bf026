/*-------------------------------------------------------------------------
 *
 * execute.h
 *	  The executor: due triggers become messages.
 *
 * execute.c takes due triggers in batches and decides what becomes of each;
 * execute_variants.c chooses variants; execute_channels.c chooses channels, and tries the next where a message was not
 * engaged with; execute_caps.c lets the users' frequency caps have their say;
 * execute_write.c records it; execute_sql.c is what SQL calls.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_EXECUTE_H
#define NUDGE_EXECUTE_H

#include "postgres.h"

#include "channel.h"
#include "due.h"
#include "entry_store.h"
#include "personalize.h"
#include "rules.h"
#include "templates.h"
#include "usage_store.h"
#include "user.h"

/* Failures after which a trigger stays for a person to see: one and five retries */
#define EXECUTE_MAX_ATTEMPTS 6

/* Bytes of rendered messages that a batch holds before it writes them */
#define EXECUTE_MAX_RENDERED (8 * 1024 * 1024)

/* Bytes of cap counts that a call keeps in hand before it writes them */
#define EXECUTE_MAX_USAGE (64 * 1024 * 1024)

/* Triggers of a batch */
#define EXECUTE_BATCH 1000

typedef enum TriggerOutcome
{
	OUTCOME_OPEN,
	OUTCOME_MESSAGE,
	OUTCOME_SKIPPED,
	OUTCOME_DEFERRED,
	OUTCOME_FAILED,
	OUTCOME_LEFT				/* its user's caps are being decided elsewhere */
} TriggerOutcome;

/* A user of a batch */
typedef struct BatchUser
{
	Datum		user_id;
	bool		known;			/* row has been looked up */
	UserRow		row;
	UsageRow   *usage;			/* looked up when a message is to be counted */
	Datum		segments;		/* text[], once there is a message; else 0 */
} BatchUser;

/* A message of a trigger: one for each channel that was chosen */
typedef struct BatchMessage
{
	const MessageTemplate *template;
	Datum		recipient;
	int64		message_id;
	RenderedMessage rendered;
	const FrequencyCap *cap;	/* that forbids it, if one does */
	int32		week_before;	/* messages of the user's in the week before it */
} BatchMessage;

/* A trigger of a batch */
typedef struct BatchTrigger
{
	DueTrigger	due;
	const Rule *rule;
	BatchUser  *user;

	TriggerOutcome outcome;
	const char *reason;			/* of a skip, a deferral or a failure */
	TimestampTz retry_at;		/* deferred, failed */
	bool		dead;			/* failed for the last time */

	bool		planned;
	ChannelPlan plan;
	const Jsonb *recommendations;	/* NULL: none */
	int			nmessages;		/* the preferred one first */
	BatchMessage *messages;
	BatchMessage only_message;	/* where the plan is for one */
} BatchTrigger;

/* What is in hand at a time, in order of firing; dies with its context */
typedef struct Batch
{
	MemoryContext context;
	TimestampTz as_of;
	const Rules *rules;

	int			ntriggers;
	BatchTrigger    *triggers;
	int			nusers;
	BatchUser  *users;
	Templates	templates;
	UsageStore *usage;
	EntryStore *entries;

	/* The last rule that was rendered for, as templates see it */
	const Rule *last_rule;
	Jsonb	   *last_rule_object;
} Batch;

typedef struct ExecuteTotals
{
	int64		executed;
	int64		failed;
	int64		skipped;
	int64		deferred;
} ExecuteTotals;

/* execute.c: SPI must be connected. */
extern void execute_due(int max_rows, TimestampTz as_of, ExecuteTotals *totals);

/*
 * execute_channels.c: skips triggers whose user has engaged with the message that
 * they would follow up; plans by which channels those go that have a choice.
 */
extern void check_engaged(Batch *batch);
extern void plan_choices(History *history, Batch *batch);

/*
 * Plans a trigger that has not been planned, in the current memory context.  False
 * where no channel will do: it is skipped.
 */
extern bool plan_trigger(History *history, Batch *batch, BatchTrigger *trigger);

/* Channels that are left to try if this one is not engaged with; 0: none */
extern Datum channels_left(const BatchTrigger *trigger);

/* Settles that the trigger gives no message. */
extern void trigger_skip(BatchTrigger *trigger, const char *reason);

/* Moves the trigger to a later time. */
extern void trigger_defer(BatchTrigger *trigger, TimestampTz until,
						  const char *reason);

/*
 * execute_variants.c: chooses the variants of rules that have some; moves triggers
 * on to when they are due for their user.
 */
extern void choose_variants(Batch *batch);
extern void check_due_times(Batch *batch);

/*
 * execute_caps.c: marks messages of triggers from..to-1 that caps forbid, and
 * counts the others; a trigger with none left, or whose user may not enter its rule
 * again, is skipped.
 */
extern void execute_caps(Batch *batch, int from, int to);

/* execute_write.c */
typedef struct Writer Writer;

extern Writer *writer_open(Relation pending, TimestampTz as_of);
extern void writer_close(Writer *writer);
extern void writer_write(Writer *writer, BatchTrigger *triggers, int n,
						 ExecuteTotals *totals);

#endif							/* NUDGE_EXECUTE_H */
