/*-------------------------------------------------------------------------
 *
 * execute.c
 *	  The executor: due triggers become messages.
 *
 * Due triggers are taken in batches.  Within a batch they go in order of firing,
 * so that caps let the earliest through.  Each ends with exactly one outcome; no
 * reason that lies in a trigger, its rule, its user or its template is an error
 * of the call, so one bad row neither holds back nor undoes its batch, and no
 * subtransaction a row is needed.
 *
 * Locking: due triggers by FOR UPDATE SKIP LOCKED (due.c), users' cap counts
 * without waiting (usage_store.c).  Nothing else is locked, and nothing is ever
 * waited for, so any number of executors may run.
 *
 * Memory: a batch has a context of its own; rendered messages are written as soon
 * as there are EXECUTE_MAX_RENDERED bytes of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "execute.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "compose.h"
#include "history.h"
#include "miscadmin.h"
#include "plan.h"
#include "queries.h"
#include "recommendations.h"
#include "relations.h"
#include "rule_personalization.h"
#include "segment.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Doubles with each retry */
#define FIRST_RETRY USECS_PER_MINUTE

/* What lives as long as the call */
typedef struct Execution
{
	TimestampTz as_of;
	MemoryContext context;		/* lives as long as the call */
	MemoryContext batch_context;
	MemoryContext row_context;	/* what rendering one message needs */
	DueQueue   *queue;
	History    *history;
	UsageStore *usage;			/* opened at first use */
	EntryStore *entries;
	Writer	   *writer;
	ExecuteTotals *totals;
} Execution;

void
trigger_skip(BatchTrigger *trigger, const char *reason)
{
	trigger->outcome = OUTCOME_SKIPPED;
	trigger->reason = reason;
}

void
trigger_defer(BatchTrigger *trigger, TimestampTz until, const char *reason)
{
	trigger->outcome = OUTCOME_DEFERRED;
	trigger->retry_at = until;
	trigger->reason = reason;
}

/*
 * The trigger is tried again after a while, or is dead.
 */
static void
fail(BatchTrigger *trigger, TimestampTz as_of, const char *error)
{
	int			attempts = trigger->due.attempts + 1;
	TimestampTz retry_at = as_of;

	trigger->outcome = OUTCOME_FAILED;
	trigger->reason = error;
	trigger->dead = attempts >= EXECUTE_MAX_ATTEMPTS;
	if (!trigger->dead)
	{
		retry_at += FIRST_RETRY << (Max(attempts, 1) - 1);
		if (trigger->due.priority == PRIORITY_BATCH)
			retry_at = due_batch_time(retry_at);
	}
	trigger->retry_at = IS_VALID_TIMESTAMP(retry_at) ? retry_at : as_of;
}

static int
compare_firing(const void *a, const void *b)
{
	const DueTrigger *left = &((const BatchTrigger *) a)->due;
	const DueTrigger *right = &((const BatchTrigger *) b)->due;

	if (left->fired_at != right->fired_at)
		return left->fired_at < right->fired_at ? -1 : 1;
	if (left->pending_id != right->pending_id)
		return left->pending_id < right->pending_id ? -1 : 1;
	return 0;
}

static int
compare_users(const void *a, const void *b)
{
	const Bytes *left = &(*(BatchTrigger *const *) a)->due.user_id;
	const Bytes *right = &(*(BatchTrigger *const *) b)->due.user_id;
	int			order = memcmp(left->data, right->data,
							   Min(left->length, right->length));

	return order != 0 ? order : left->length - right->length;
}

/*
 * Takes up to n due triggers, and puts them in order of firing.
 */
static void
take_triggers(Execution *execution, Batch *batch, int n)
{
	batch->triggers = palloc0(n * sizeof(BatchTrigger));
	while (batch->ntriggers < n &&
		   due_next(execution->queue, &batch->triggers[batch->ntriggers].due))
		batch->ntriggers++;
	qsort(batch->triggers, batch->ntriggers, sizeof(BatchTrigger), compare_firing);
}

/*
 * Lets all triggers of a user share one BatchUser.
 */
static void
group_by_user(Batch *batch)
{
	int			n = batch->ntriggers;
	BatchTrigger   **sorted = palloc(n * sizeof(BatchTrigger *));

	for (int i = 0; i < n; i++)
		sorted[i] = &batch->triggers[i];
	qsort(sorted, n, sizeof(BatchTrigger *), compare_users);

	batch->users = palloc0(n * sizeof(BatchUser));
	for (int i = 0; i < n; i++)
	{
		if (i == 0 || compare_users(&sorted[i - 1], &sorted[i]) != 0)
			batch->users[batch->nusers++].user_id =
				sorted[i]->due.values[Anum_pending_user_id - 1];
		sorted[i]->user = &batch->users[batch->nusers - 1];
	}
	pfree(sorted);
}

/*
 * Decides what the trigger and its rule alone decide.
 */
static void
check_rule(Batch *batch, BatchTrigger *trigger)
{
	DueTrigger *due = &trigger->due;
	const Rule *rule = rules_find(batch->rules, due->rule_id);
	TimestampTz batch_time;

	trigger->rule = rule;
	if (rule == NULL)
		trigger_skip(trigger, "rule_deleted");
	else if (rule->status == RULE_PAUSED)
		trigger_skip(trigger, "rule_paused");
	else if (rule->status == RULE_DISABLED)
		trigger_skip(trigger, "rule_disabled");
	else if (rule->status == RULE_TESTING)
		trigger_skip(trigger, "rule_testing");
	else if (!due->nulls[Anum_pending_expires_at - 1] &&
			 DatumGetTimestampTz(due->values[Anum_pending_expires_at - 1]) <= batch->as_of)
		trigger_skip(trigger, "expired");
	else if (due->priority == PRIORITY_BATCH &&
			 (batch_time = due_batch_time(due->due_at)) > batch->as_of)
		trigger_defer(trigger, batch_time, "batch_interval");
}

/* Parameters of the query for cancelling actions */
enum
{
	CANCEL_ORDINAL,
	CANCEL_USER_ID,
	CANCEL_ACTION_TYPE,
	CANCEL_FIRED_AT,
	CANCEL_ACTION_ID,
	CANCEL_DUE_AT,
	NUM_CANCEL_COLUMNS
};

static const Oid cancel_types[NUM_CANCEL_COLUMNS] = {INT4ARRAYOID, TEXTARRAYOID,
TEXTARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID};

static const Oid cancel_elements[NUM_CANCEL_COLUMNS] = {INT4OID, TEXTOID,
TEXTOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID};

/*
 * Adds one row for each action type that cancels the trigger.
 */
static void
add_cancel_rows(const BatchTrigger *trigger, int ordinal, ArrayBuildState **columns)
{
	const DueTrigger *due = &trigger->due;
	Datum		row[NUM_CANCEL_COLUMNS];

	row[CANCEL_ORDINAL] = Int32GetDatum(ordinal);
	row[CANCEL_USER_ID] = due->values[Anum_pending_user_id - 1];
	row[CANCEL_FIRED_AT] = TimestampTzGetDatum(due->fired_at);
	row[CANCEL_ACTION_ID] = due->nulls[Anum_pending_action_id - 1] ?
		Int64GetDatum(PG_INT64_MAX) : due->values[Anum_pending_action_id - 1];
	row[CANCEL_DUE_AT] = TimestampTzGetDatum(due->due_at);
	for (int i = 0; i < trigger->rule->ncancel_on; i++)
	{
		row[CANCEL_ACTION_TYPE] = CStringGetTextDatum(trigger->rule->cancel_on[i]);
		for (int j = 0; j < NUM_CANCEL_COLUMNS; j++)
			columns[j] = accumArrayResult(columns[j], row[j], false,
										  cancel_elements[j],
										  CurrentMemoryContext);
	}
}

/*
 * Skips triggers that an action of their user has cancelled.
 */
static void
check_cancelled(Batch *batch)
{
	static SPIPlanPtr plan = NULL;
	ArrayBuildState *columns[NUM_CANCEL_COLUMNS] = {0};
	Datum		arguments[NUM_CANCEL_COLUMNS];

	for (int i = 0; i < batch->ntriggers; i++)
	{
		BatchTrigger    *trigger = &batch->triggers[i];

		if (trigger->outcome == OUTCOME_OPEN && trigger->rule->ncancel_on > 0)
			add_cancel_rows(trigger, i, columns);
	}
	if (columns[0] == NULL)
		return;
	for (int j = 0; j < NUM_CANCEL_COLUMNS; j++)
		arguments[j] = makeArrayResult(columns[j], CurrentMemoryContext);

	if (SPI_execute_plan(plan_get(&plan, query_executor_cancelled,
								  NUM_CANCEL_COLUMNS, cancel_types),
						 arguments, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look for cancelling actions");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		ordinal = SPI_getbinval(SPI_tuptable->vals[i],
											SPI_tuptable->tupdesc, 1, &isnull);

		trigger_skip(&batch->triggers[DatumGetInt32(ordinal)], "cancelled");
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
check_users(Execution *execution, Batch *batch)
{
	for (int i = 0; i < batch->ntriggers; i++)
	{
		BatchTrigger    *trigger = &batch->triggers[i];
		BatchUser  *user = trigger->user;

		if (trigger->outcome != OUTCOME_OPEN)
			continue;
		if (!user->known)
			history_user(execution->history, user->user_id, &user->row);
		user->known = true;
		if (!user->row.found)
			trigger_skip(trigger, "no_user");
	}
}

static void
load_templates(Batch *batch)
{
	char	  **ids = palloc(batch->ntriggers * sizeof(char *));
	int			n = 0;

	for (int i = 0; i < batch->ntriggers; i++)
	{
		const BatchTrigger *trigger = &batch->triggers[i];

		if (trigger->outcome == OUTCOME_OPEN && trigger->rule->template_id != NULL)
			ids[n++] = trigger->rule->template_id;
	}
	templates_load(&batch->templates, ids, n);
	pfree(ids);
}

static Jsonb *
pending_document(const DueTrigger *due, AttrNumber attnum)
{
	if (due->nulls[attnum - 1])
		return NULL;
	return DatumGetJsonbP(due->values[attnum - 1]);
}

/*
 * What templates see of a rule.  Many triggers of a batch are of one rule, so the
 * last one is kept.
 */
static Jsonb *
rule_object(Batch *batch, const Rule *rule)
{
	if (batch->last_rule != rule)
	{
		MemoryContext old = MemoryContextSwitchTo(batch->context);

		batch->last_rule_object = message_rule_object(rule);
		batch->last_rule = rule;
		MemoryContextSwitchTo(old);
	}
	return batch->last_rule_object;
}

/*
 * Asks at once for the recommendations of all triggers whose rules want some.
 */
static void
load_recommendations(Batch *batch)
{
	int			size = batch->ntriggers;
	RecommendationRequest *requests = palloc0(size * sizeof(*requests));
	BatchTrigger **asking = palloc(size * sizeof(BatchTrigger *));
	int			n = 0;

	for (int i = 0; i < size; i++)
	{
		BatchTrigger *trigger = &batch->triggers[i];
		Personalization wanted;

		if (trigger->outcome != OUTCOME_OPEN)
			continue;
		personalization_read(trigger->rule->personalization, &wanted);
		if (wanted.recommendations == 0)
			continue;
		requests[n].user_id = trigger->user->user_id;
		requests[n].action_data = pending_document(&trigger->due,
												   Anum_pending_action_data);
		requests[n].amount = wanted.recommendations;
		asking[n++] = trigger;
	}
	recommendations_fetch(requests, n, batch->as_of);
	for (int i = 0; i < n; i++)
		asking[i]->recommendations = requests[i].items;
	pfree(requests);
	pfree(asking);
}

/*
 * The segments that a message's user is in, once for all messages of the batch
 */
static void
find_segments(Execution *execution, Batch *batch, BatchUser *user)
{
	Evaluator	evaluator = {batch->rules, execution->history};
	Datum		segments;
	MemoryContext old;

	if (user->segments != (Datum) 0)
		return;
	segment_begin(&evaluator, user->user_id, batch->as_of);
	evaluator.user = user->row;
	evaluator.user_known = true;
	/* Each segment may look into the documents. */
	for (AttrNumber attnum = Anum_users_profile;
		 attnum <= Anum_users_preferences && batch->rules->nsegments > 0; attnum++)
		evaluator.user.values[attnum - 1] =
			JsonbPGetDatum(DatumGetJsonbP(user->row.values[attnum - 1]));
	segments = segments_of_user(&evaluator);
	old = MemoryContextSwitchTo(batch->context);
	user->segments = datumCopy(segments, false, -1);
	MemoryContextSwitchTo(old);
}

/*
 * The action that fired the trigger
 */
static void
trigger_action(const DueTrigger *due, MessageAction *action)
{
	memset(action, 0, sizeof(*action));
	action->has_id = !due->nulls[Anum_pending_action_id - 1];
	if (action->has_id)
		action->action_id = DatumGetInt64(due->values[Anum_pending_action_id - 1]);
	if (!due->nulls[Anum_pending_action_type - 1])
		action->action_type = due->values[Anum_pending_action_type - 1];
	action->data = pending_document(due, Anum_pending_action_data);
	action->context = pending_document(due, Anum_pending_context);
	action->has_occurred_at = !due->nulls[Anum_pending_occurred_at - 1];
	if (action->has_occurred_at)
		action->occurred_at =
			DatumGetTimestampTz(due->values[Anum_pending_occurred_at - 1]);
}

/*
 * An address out of a document is in scratch memory.
 */
static Datum
copy_recipient(Batch *batch, Datum recipient)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	Datum		copy = PointerGetDatum(PG_DETOAST_DATUM_COPY(recipient));

	MemoryContextSwitchTo(old);
	return copy;
}

/*
 * Composes the trigger's messages, one for each channel that was chosen.  A
 * template that gives up drops its channel only; one that fails makes the whole
 * trigger fail, so that a retry sends all of it once.  Returns how many bytes
 * there are of them.
 */
static Size
make_trigger_messages(Execution *execution, Batch *batch, BatchTrigger *trigger)
{
	ChannelPlan *plan = &trigger->plan;
	MessageAction action;
	MessageSubject subject = {0};
	Size		size = 0;
	char	   *aborted = NULL;

	if (!plan_trigger(execution->history, batch, trigger))
		return 0;
	trigger_action(&trigger->due, &action);
	subject.history = execution->history;
	subject.user = &trigger->user->row;
	subject.action = &action;
	subject.rules = batch->rules;
	subject.rule = trigger->rule;
	subject.recommendations = trigger->recommendations;
	subject.rule_object = rule_object(batch, trigger->rule);
	subject.now = batch->as_of;

	trigger->messages = plan->nchosen <= 1 ? &trigger->only_message :
		MemoryContextAllocZero(batch->context,
							   plan->nchosen * sizeof(BatchMessage));
	for (int i = 0; i < plan->nchosen; i++)
	{
		BatchMessage *message = &trigger->messages[trigger->nmessages];

		compose(&subject, &plan->candidates[i], batch->context,
				&message->rendered);
		message->template = plan->candidates[i].template;
		message->recipient = copy_recipient(batch, subject.recipient);
		message->message_id = subject.message_id;
		if (message->rendered.status == MESSAGE_FAILED)
		{
			fail(trigger, batch->as_of, message->rendered.reason);
			return size;
		}
		if (message->rendered.status == MESSAGE_DEFERRED)
		{
			/* All go together, so that what was held is not sent twice. */
			trigger_defer(trigger, message->rendered.until, message->rendered.reason);
			return size;
		}
		if (message->rendered.status == MESSAGE_RENDERED)
		{
			trigger->nmessages++;
			size += message->rendered.size;
		}
		else
			aborted = message->rendered.reason;
	}
	if (trigger->nmessages > 0)
	{
		trigger->outcome = OUTCOME_MESSAGE;
		find_segments(execution, batch, trigger->user);
	}
	else
		trigger_skip(trigger, aborted);
	return size;
}

/*
 * Makes messages from trigger "from" on, until there are enough bytes of them.
 * Returns where it stopped.
 */
static int
make_messages(Execution *execution, Batch *batch, int from)
{
	MemoryContext old = MemoryContextSwitchTo(execution->row_context);
	Size		rendered = 0;
	int			at = from;

	while (at < batch->ntriggers && rendered < EXECUTE_MAX_RENDERED)
	{
		BatchTrigger    *trigger = &batch->triggers[at++];

		CHECK_FOR_INTERRUPTS();
		if (trigger->outcome != OUTCOME_OPEN)
			continue;
		rendered += make_trigger_messages(execution, batch, trigger);
		MemoryContextReset(execution->row_context);
	}
	MemoryContextSwitchTo(old);
	return at;
}

static void
execute_batch(Execution *execution, Batch *batch)
{
	group_by_user(batch);
	for (int i = 0; i < batch->ntriggers; i++)
		check_rule(batch, &batch->triggers[i]);
	check_cancelled(batch);
	check_engaged(batch);
	check_users(execution, batch);
	choose_variants(batch);
	check_due_times(batch);
	load_templates(batch);
	plan_choices(execution->history, batch);
	load_recommendations(batch);

	for (int from = 0, to; from < batch->ntriggers; from = to)
	{
		to = make_messages(execution, batch, from);
		execute_caps(batch, from, to);
		writer_write(execution->writer, &batch->triggers[from], to - from,
					 execution->totals);
		/* What was written can be written again. */
		CommandCounterIncrement();
	}
}

/*
 * Opens the store of cap counts where it is not open, under the active snapshot.
 */
static UsageStore *
open_usage(Execution *execution)
{
	if (execution->usage == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(execution->context);

		execution->usage = usage_store_open();
		MemoryContextSwitchTo(old);
	}
	return execution->usage;
}

static void
close_usage(Execution *execution)
{
	if (execution->usage != NULL)
		usage_store_close(execution->usage);
	execution->usage = NULL;
}

/*
 * Executes up to n triggers; returns how many there were.
 */
static int
next_batch(Execution *execution, int n)
{
	MemoryContext old = MemoryContextSwitchTo(execution->batch_context);
	Batch		batch = {0};

	batch.context = execution->batch_context;
	batch.as_of = execution->as_of;
	take_triggers(execution, &batch, n);
	if (batch.ntriggers > 0)
	{
		/* After what earlier batches did, and others committed */
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
		batch.rules = rules_acquire();
		batch.usage = open_usage(execution);
		batch.entries = execution->entries;
		execute_batch(execution, &batch);
		rules_release(batch.rules);
		if (usage_store_size(execution->usage) > EXECUTE_MAX_USAGE)
			close_usage(execution);
		PopActiveSnapshot();
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(execution->batch_context);
	return batch.ntriggers;
}

void
execute_due(int max_rows, TimestampTz as_of, ExecuteTotals *totals)
{
	Execution	execution = {0};
	Relation	pending;
	int			left = max_rows;

	execution.as_of = as_of;
	execution.context = CurrentMemoryContext;
	execution.totals = totals;
	execution.batch_context = AllocSetContextCreate(CurrentMemoryContext,
													"pg_nudge batch of triggers",
													ALLOCSET_DEFAULT_SIZES);
	execution.row_context = AllocSetContextCreate(CurrentMemoryContext,
												  "pg_nudge rendering",
												  ALLOCSET_DEFAULT_SIZES);

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	pending = table_open(nudge_relation(NUDGE_PENDING), RowExclusiveLock);
	execution.queue = due_open(pending, as_of);
	execution.history = history_open();
	execution.entries = entry_store_open();
	execution.writer = writer_open(pending, as_of);

	while (left > 0)
	{
		int			n = Min(left, EXECUTE_BATCH);
		int			taken = next_batch(&execution, n);

		left -= taken;
		if (taken < n)
			break;
	}

	close_usage(&execution);
	entry_store_close(execution.entries);
	writer_close(execution.writer);
	history_close(execution.history);
	due_close(execution.queue);
	table_close(pending, NoLock);
	PopActiveSnapshot();
	MemoryContextDelete(execution.row_context);
	MemoryContextDelete(execution.batch_context);
}
