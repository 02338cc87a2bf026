/*-------------------------------------------------------------------------
 *
 * execute_write.c
 *	  Records what became of due triggers.
 *
 * Messages, their places in the queue and events are appended below SQL; the
 * triggers, whose row locks we hold, are deleted in the same way.  The few that
 * failed or were deferred are updated by one statement a batch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "execute.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "action.h"
#include "append.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "document.h"
#include "json_input.h"
#include "plan.h"
#include "queries.h"
#include "relations.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "variants.h"

#define MESSAGES_A_BLOCK 1024
#define NOTIFY_CHANNEL "nudge_outbox"

/* Deeper is as deep as this: a smallint, far past where chains are cut */
#define MAX_CHAIN_DEPTH 1000

/* Columns, as 03_runtime_tables.sql creates them */
enum
{
	Anum_messages_message_id = 1,
	Anum_messages_user_id,
	Anum_messages_pending_id,
	Anum_messages_rule_id,
	Anum_messages_action_id,
	Anum_messages_channel,
	Anum_messages_recipient,
	Anum_messages_template_id,
	Anum_messages_subject,
	Anum_messages_body_text,
	Anum_messages_body_html,
	Anum_messages_sender_name,
	Anum_messages_sender_address,
	Anum_messages_reply_to,
	Anum_messages_headers,
	Anum_messages_priority,
	Anum_messages_fired_at,
	Anum_messages_created_at,

	/* Since 0.3.0: these and what follows are found by name, then in this order */
	Anum_messages_segments,
	Anum_messages_depth,

	/* Since 0.4.0 */
	Anum_messages_variant,
	Anum_messages_timezone,
	Anum_messages_due_at,
	Anum_messages_week_before,
	Natts_messages = Anum_messages_week_before
};

#define NFIRST_MESSAGES Anum_messages_created_at

static const char *const messages_later_columns[] = {"segments", "depth",
	"variant", "timezone", "due_at", "week_before"};

enum
{
	Anum_message_queue_message_id = 1,
	Anum_message_queue_user_id,
	Anum_message_queue_created_at,
	Anum_message_queue_priority,
	Anum_message_queue_channel,
	Anum_message_queue_status,
	Anum_message_queue_attempts,
	Anum_message_queue_available_at,
	Anum_message_queue_claimed_by,
	Anum_message_queue_claim_token,
	Anum_message_queue_lease_until,
	Anum_message_queue_last_error,
	Natts_message_queue = Anum_message_queue_last_error
};

enum
{
	Anum_message_blocks_priority = 1,
	Anum_message_blocks_block,
	Anum_message_blocks_next_at,
	Natts_message_blocks = Anum_message_blocks_next_at
};

struct Writer
{
	MemoryContext context;
	MemoryContext row_context;	/* what one row needs */
	Relation	pending;
	TimestampTz as_of;
	TimestampTz now;			/* start of the transaction */
	Datum		empty;			/* {} */

	/* Opened at first use */
	Appender   *messages;
	Appender   *queue;
	Appender   *blocks;
	Appender   *events;
	Appender   *follow_ups;		/* into nudge.pending */

	/* Ids of messages ascend, so the last block is the only one to remember */
	int64		last_block[NUM_PRIORITIES];
	bool		wrote_message;
};

Writer *
writer_open(Relation pending, TimestampTz as_of)
{
	Writer	   *writer = palloc0(sizeof(Writer));

	writer->context = CurrentMemoryContext;
	writer->row_context = AllocSetContextCreate(CurrentMemoryContext,
												"pg_nudge rows to write",
												ALLOCSET_DEFAULT_SIZES);
	writer->pending = pending;
	writer->as_of = as_of;
	writer->now = GetCurrentTransactionStartTimestamp();
	writer->empty = JsonbPGetDatum(jsonb_empty_object());
	for (int i = 0; i < NUM_PRIORITIES; i++)
		writer->last_block[i] = -1;
	return writer;
}

static void
close_appender(Appender *appender)
{
	if (appender != NULL)
		appender_close(appender);
}

/*
 * Closes the writer, and tells listeners of messages if there are any.
 */
void
writer_close(Writer *writer)
{
	close_appender(writer->messages);
	close_appender(writer->queue);
	close_appender(writer->blocks);
	close_appender(writer->events);
	close_appender(writer->follow_ups);
	if (writer->wrote_message)
		Async_Notify(NOTIFY_CHANNEL, NULL);
	MemoryContextDelete(writer->row_context);
	pfree(writer);
}

/*
 * Appends a row to a table whose appender is opened at first use.
 */
static void
append(Writer *writer, Appender **appender, NudgeRelation table, int natts,
	   const Datum *values, const bool *nulls)
{
	if (*appender == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(writer->context);

		*appender = appender_open(nudge_relation(table), natts);
		appender_set_buffered(*appender);
		if (table == NUDGE_MESSAGES)
			appender_later_columns(*appender, messages_later_columns,
								   lengthof(messages_later_columns));
		MemoryContextSwitchTo(old);
	}
	appender_insert(*appender, values, nulls);
}

/* What an event says, besides what it is about */
typedef struct EventText
{
	const char *type;
	const char *reason;			/* or NULL */
	int64		pending_id;
	int64		message_id;		/* 0: none */
	Datum		metadata;
} EventText;

static void
append_event_text(Writer *writer, const BatchTrigger *trigger,
				  const EventText *text)
{
	const DueTrigger *due = &trigger->due;
	Datum		values[Natts_events] = {0};
	bool		nulls[Natts_events] = {false};

	values[Anum_events_event_id - 1] = Int64GetDatum(nudge_nextval(NUDGE_EVENTS_SEQ));
	values[Anum_events_user_id - 1] = due->values[Anum_pending_user_id - 1];
	values[Anum_events_event_type - 1] = CStringGetTextDatum(text->type);
	values[Anum_events_rule_id - 1] = Int64GetDatum(due->rule_id);
	values[Anum_events_pending_id - 1] = Int64GetDatum(text->pending_id);
	values[Anum_events_message_id - 1] = Int64GetDatum(text->message_id);
	nulls[Anum_events_message_id - 1] = text->message_id == 0;
	if (text->reason != NULL)
		values[Anum_events_reason - 1] = CStringGetTextDatum(text->reason);
	else
		nulls[Anum_events_reason - 1] = true;
	nulls[Anum_events_flag - 1] = true;
	values[Anum_events_occurred_at - 1] = TimestampTzGetDatum(writer->as_of);
	values[Anum_events_recorded_at - 1] = TimestampTzGetDatum(writer->now);
	nulls[Anum_events_event_key - 1] = true;
	values[Anum_events_metadata - 1] = text->metadata;
	values[Anum_events_action_id - 1] = due->values[Anum_pending_action_id - 1];
	nulls[Anum_events_action_id - 1] = due->nulls[Anum_pending_action_id - 1];
	append(writer, &writer->events, NUDGE_EVENTS, Natts_events, values, nulls);
}

/*
 * How many messages came one after the other before the action that fired the
 * rule, by context.pg_nudge.depth, which nudge.record_event writes.
 */
static int
chain_depth(const DueTrigger *due)
{
	static const PathStep steps[] = {
		{"pg_nudge", strlen("pg_nudge")}, {"depth", strlen("depth")}
	};
	JsonbValue	value;

	if (due->nulls[Anum_pending_context - 1] ||
		!jsonb_at_path(DatumGetJsonbP(due->values[Anum_pending_context - 1]),
					   steps, lengthof(steps), &value) ||
		value.type != jbvNumeric)
		return 0;
	/* Somebody else may have written anything there. */
	return (int) Max(0, Min(json_double(&value), MAX_CHAIN_DEPTH));
}

/*
 * An event about the trigger as a whole
 */
static void
append_event(Writer *writer, const BatchTrigger *trigger, const char *type)
{
	EventText	text = {type, trigger->reason, trigger->due.pending_id, 0,
	writer->empty};

	append_event_text(writer, trigger, &text);
}

/*
 * One of the trigger's messages fell to a cap, others did not.
 */
static void
append_capped(Writer *writer, const BatchTrigger *trigger,
			  const BatchMessage *message)
{
	const FrequencyCap *cap = message->cap;
	const char *period = nudge_enum_label(NUDGE_CAP_PERIOD_TYPE, cap->period);
	JsonbParseState *state = NULL;
	EventText	text = {"capped", period, trigger->due.pending_id};

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_text(&state, "channel", CStringGetTextDatum(message->template->channel),
			  false);
	push_int64(&state, "cap_id", cap->cap_id);
	push_int64(&state, "max_messages", cap->max_messages);
	push_text(&state, "period", CStringGetTextDatum(period), false);
	text.metadata = JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state,
																	WJB_END_OBJECT,
																	NULL)));
	append_event_text(writer, trigger, &text);
}

static void
append_content(Writer *writer, const BatchTrigger *trigger,
			   const BatchMessage *message, Datum channel)
{
	const DueTrigger *due = &trigger->due;
	Datum		values[Natts_messages] = {0};
	bool		nulls[Natts_messages] = {false};
	const UserRow *user = &trigger->user->row;
	int			depth = chain_depth(due);

	values[Anum_messages_message_id - 1] = Int64GetDatum(message->message_id);
	values[Anum_messages_user_id - 1] = due->values[Anum_pending_user_id - 1];
	values[Anum_messages_pending_id - 1] = Int64GetDatum(due->pending_id);
	values[Anum_messages_rule_id - 1] = Int64GetDatum(due->rule_id);
	values[Anum_messages_action_id - 1] = due->values[Anum_pending_action_id - 1];
	nulls[Anum_messages_action_id - 1] = due->nulls[Anum_pending_action_id - 1];
	values[Anum_messages_channel - 1] = channel;
	values[Anum_messages_recipient - 1] = message->recipient;
	values[Anum_messages_template_id - 1] =
		CStringGetTextDatum(message->template->template_id);
	for (int i = 0; i < NUM_MESSAGE_FIELDS; i++)
	{
		values[Anum_messages_subject - 1 + i] = message->rendered.fields[i];
		nulls[Anum_messages_subject - 1 + i] =
			message->rendered.fields[i] == (Datum) 0;
	}
	values[Anum_messages_headers - 1] = writer->empty;
	values[Anum_messages_priority - 1] = due->values[Anum_pending_priority - 1];
	values[Anum_messages_fired_at - 1] = TimestampTzGetDatum(due->fired_at);
	values[Anum_messages_created_at - 1] = TimestampTzGetDatum(writer->now);
	values[Anum_messages_segments - 1] = trigger->user->segments;
	nulls[Anum_messages_segments - 1] = trigger->user->segments == (Datum) 0;
	values[Anum_messages_depth - 1] = Int16GetDatum(depth);
	nulls[Anum_messages_depth - 1] = depth == 0;
	nulls[Anum_messages_variant - 1] = trigger->rule->variant == NULL;
	if (trigger->rule->variant != NULL)
		values[Anum_messages_variant - 1] =
			CStringGetTextDatum(trigger->rule->variant->name);
	values[Anum_messages_timezone - 1] = user->values[Anum_users_timezone - 1];
	nulls[Anum_messages_timezone - 1] = user->nulls[Anum_users_timezone - 1];
	values[Anum_messages_due_at - 1] = TimestampTzGetDatum(due->due_at);
	values[Anum_messages_week_before - 1] = Int32GetDatum(message->week_before);
	append(writer, &writer->messages, NUDGE_MESSAGES, NFIRST_MESSAGES, values, nulls);
}

static void
append_to_queue(Writer *writer, const BatchTrigger *trigger,
				const BatchMessage *message, Datum channel,
				TimestampTz available_at)
{
	const DueTrigger *due = &trigger->due;
	Datum		values[Natts_message_queue] = {0};
	bool		nulls[Natts_message_queue] = {false};

	values[Anum_message_queue_message_id - 1] = Int64GetDatum(message->message_id);
	values[Anum_message_queue_user_id - 1] = due->values[Anum_pending_user_id - 1];
	values[Anum_message_queue_created_at - 1] = TimestampTzGetDatum(writer->now);
	values[Anum_message_queue_priority - 1] = due->values[Anum_pending_priority - 1];
	values[Anum_message_queue_channel - 1] = channel;
	values[Anum_message_queue_status - 1] =
		ObjectIdGetDatum(nudge_enum_value(NUDGE_MESSAGE_STATUS_TYPE, 0));
	values[Anum_message_queue_attempts - 1] = Int32GetDatum(0);
	values[Anum_message_queue_available_at - 1] = TimestampTzGetDatum(available_at);
	nulls[Anum_message_queue_claimed_by - 1] = true;
	nulls[Anum_message_queue_claim_token - 1] = true;
	nulls[Anum_message_queue_lease_until - 1] = true;
	nulls[Anum_message_queue_last_error - 1] = true;
	append(writer, &writer->queue, NUDGE_MESSAGE_QUEUE, Natts_message_queue, values, nulls);
}

static void
append_block(Writer *writer, const BatchTrigger *trigger,
			 const BatchMessage *message)
{
	int64		block = message->message_id / MESSAGES_A_BLOCK;
	Priority	priority = trigger->due.priority;
	Datum		values[Natts_message_blocks];
	bool		nulls[Natts_message_blocks] = {false};

	if (writer->last_block[priority] == block)
		return;
	writer->last_block[priority] = block;
	values[Anum_message_blocks_priority - 1] =
		trigger->due.values[Anum_pending_priority - 1];
	values[Anum_message_blocks_block - 1] = Int64GetDatum(block);
	values[Anum_message_blocks_next_at - 1] = TimestampTzGetDatum(DT_NOBEGIN);
	append(writer, &writer->blocks, NUDGE_MESSAGE_BLOCKS, Natts_message_blocks, values, nulls);
}

static void
append_message(Writer *writer, const BatchTrigger *trigger,
			   const BatchMessage *message, TimestampTz available_at)
{
	Datum		channel = CStringGetTextDatum(message->template->channel);
	EventText	text = {"executed", NULL, trigger->due.pending_id,
	message->message_id, writer->empty};

	append_content(writer, trigger, message, channel);
	append_to_queue(writer, trigger, message, channel, available_at);
	append_block(writer, trigger, message);
	append_event_text(writer, trigger, &text);
	writer->wrote_message = true;
}

/*
 * A trigger of the same firing for the channels that are left, due when the user
 * has had time to engage with the message.
 */
static void
append_follow_up(Writer *writer, const BatchTrigger *trigger,
				 const BatchMessage *message, Datum channels)
{
	const Rule *rule = trigger->rule;
	int64		pending_id = nudge_nextval(NUDGE_PENDING_SEQ);
	TimestampTz due_at = schedule_add_interval(writer->as_of, &rule->fallback_after);
	EventText	text = {"scheduled", "fallback", pending_id, message->message_id,
	writer->empty};
	Datum		values[Natts_pending];
	bool		nulls[Natts_pending];

	if (writer->follow_ups == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(writer->context);

		writer->follow_ups = appender_open(nudge_relation(NUDGE_PENDING),
										   NFIRST_PENDING);
		appender_later_columns(writer->follow_ups, pending_later_columns,
							   NLATER_PENDING);
		MemoryContextSwitchTo(old);
	}
	memcpy(values, trigger->due.values, sizeof(values));
	memcpy(nulls, trigger->due.nulls, sizeof(nulls));
	if (trigger->due.priority == PRIORITY_BATCH)
		due_at = due_batch_time(due_at);
	values[Anum_pending_pending_id - 1] = Int64GetDatum(pending_id);
	values[Anum_pending_status - 1] =
		ObjectIdGetDatum(nudge_enum_value(NUDGE_PENDING_STATUS_TYPE,
										  PENDING_WAITING));
	values[Anum_pending_attempts - 1] = Int32GetDatum(0);
	values[Anum_pending_due_at - 1] = TimestampTzGetDatum(due_at);
	nulls[Anum_pending_expires_at - 1] = !rule->has_expiry;
	if (rule->has_expiry)
		values[Anum_pending_expires_at - 1] =
			TimestampTzGetDatum(schedule_add_interval(due_at, &rule->expiry));
	nulls[Anum_pending_last_error - 1] = true;
	values[Anum_pending_channels - 1] = channels;
	nulls[Anum_pending_channels - 1] = false;
	values[Anum_pending_fallback_of - 1] = Int64GetDatum(message->message_id);
	nulls[Anum_pending_fallback_of - 1] = false;
	appender_insert(writer->follow_ups, values, nulls);
	append_event_text(writer, trigger, &text);
}

/*
 * The trigger's messages, and what may have to follow
 */
static void
append_messages(Writer *writer, const BatchTrigger *trigger,
				TimestampTz available_at)
{
	const BatchMessage *sent = NULL;
	Datum		left = channels_left(trigger);

	for (int i = 0; i < trigger->nmessages; i++)
	{
		const BatchMessage *message = &trigger->messages[i];

		if (message->cap != NULL)
			append_capped(writer, trigger, message);
		else
		{
			append_message(writer, trigger, message, available_at);
			sent = message;
		}
	}
	if (left != (Datum) 0 && sent != NULL)
		append_follow_up(writer, trigger, sent, left);
}

static void
delete_trigger(Writer *writer, BatchTrigger *trigger)
{
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_delete(writer->pending, &trigger->due.tid,
								GetCurrentCommandId(true), GetActiveSnapshot(),
								InvalidSnapshot, true, &failure, false);
	if (result != TM_Ok)
		elog(ERROR, "could not delete a locked row of nudge.pending: %d", result);
}

/* Columns of the statement that moves triggers */
enum
{
	MOVED_USER_ID,
	MOVED_PENDING_ID,
	MOVED_STATUS,
	MOVED_ATTEMPTS,
	MOVED_DUE_AT,
	MOVED_LAST_ERROR,
	NUM_MOVED_COLUMNS
};

static void
moved_row(const BatchTrigger *trigger, Datum *row, bool *no_error)
{
	const DueTrigger *due = &trigger->due;
	bool		failed = trigger->outcome == OUTCOME_FAILED;
	Oid			status = DatumGetObjectId(due->values[Anum_pending_status - 1]);
	int			ordinal = nudge_enum_ordinal(NUDGE_PENDING_STATUS_TYPE, status);

	if (failed)
		ordinal = trigger->dead ? PENDING_DEAD : PENDING_FAILED;
	row[MOVED_USER_ID] = due->values[Anum_pending_user_id - 1];
	row[MOVED_PENDING_ID] = Int64GetDatum(due->pending_id);
	row[MOVED_STATUS] =
		CStringGetTextDatum(nudge_enum_label(NUDGE_PENDING_STATUS_TYPE, ordinal));
	row[MOVED_ATTEMPTS] = Int32GetDatum(due->attempts + (failed ? 1 : 0));
	row[MOVED_DUE_AT] = TimestampTzGetDatum(trigger->retry_at);
	row[MOVED_LAST_ERROR] = failed ? CStringGetTextDatum(trigger->reason) :
		due->values[Anum_pending_last_error - 1];
	*no_error = !failed && due->nulls[Anum_pending_last_error - 1];
}

/*
 * Moves triggers that failed or were deferred to their new due times.
 */
static void
reschedule(const BatchTrigger *triggers, int n, int nmoved)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[NUM_MOVED_COLUMNS] = {TEXTARRAYOID, INT8ARRAYOID,
		TEXTARRAYOID, INT4ARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID};
	ArrayBuildState *arrays[NUM_MOVED_COLUMNS] = {0};
	Datum		arguments[NUM_MOVED_COLUMNS];

	for (int i = 0; i < n; i++)
	{
		Datum		row[NUM_MOVED_COLUMNS];
		bool		no_error;

		if (triggers[i].outcome != OUTCOME_FAILED &&
			triggers[i].outcome != OUTCOME_DEFERRED)
			continue;
		moved_row(&triggers[i], row, &no_error);
		for (int j = 0; j < NUM_MOVED_COLUMNS; j++)
			arrays[j] = accumArrayResult(arrays[j], row[j],
										 j == MOVED_LAST_ERROR && no_error,
										 get_element_type(types[j]),
										 CurrentMemoryContext);
	}
	for (int j = 0; j < NUM_MOVED_COLUMNS; j++)
		arguments[j] = makeArrayResult(arrays[j], CurrentMemoryContext);

	if (SPI_execute_plan(plan_get(&plan, query_executor_reschedule,
								  NUM_MOVED_COLUMNS, types),
						 arguments, NULL, false, 0) != SPI_OK_UPDATE ||
		SPI_processed != nmoved)
		elog(ERROR, "could not reschedule %d triggers", nmoved);
}

void
writer_write(Writer *writer, BatchTrigger *triggers, int n, ExecuteTotals *totals)
{
	MemoryContext old = MemoryContextSwitchTo(writer->row_context);
	TimestampTz available_at = GetCurrentTimestamp();
	int			nmoved = 0;

	for (int i = 0; i < n; i++)
	{
		BatchTrigger    *trigger = &triggers[i];

		switch (trigger->outcome)
		{
			case OUTCOME_MESSAGE:
				append_messages(writer, trigger, available_at);
				delete_trigger(writer, trigger);
				totals->executed++;
				break;
			case OUTCOME_SKIPPED:
				append_event(writer, trigger, "skipped");
				delete_trigger(writer, trigger);
				totals->skipped++;
				break;
			case OUTCOME_DEFERRED:
				append_event(writer, trigger, "deferred");
				totals->deferred++;
				nmoved++;
				break;
			case OUTCOME_FAILED:
				append_event(writer, trigger, trigger->dead ? "dead" : "failed");
				totals->failed++;
				nmoved++;
				break;
			case OUTCOME_OPEN:
			case OUTCOME_LEFT:
				break;
		}
		MemoryContextReset(writer->row_context);
	}
	if (nmoved > 0)
		reschedule(triggers, n, nmoved);
	MemoryContextReset(writer->row_context);
	MemoryContextSwitchTo(old);
}
