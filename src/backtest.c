/*-------------------------------------------------------------------------
 *
 * backtest.c
 *	  What a rule that is only a draft would have done to recorded actions.
 *
 * The draft is compiled from its document, and evaluated by the code that evaluates
 * rules as actions come in, for each action with the history up to it.  Re-entry,
 * holdouts and caps are decided in order of firing, from what the draft would have
 * sent before; global caps count what other rules did send besides.  Nothing is
 * written.
 *
 * What is known of users, and who is listed in segments, is as of now: their past is
 * not recorded.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "bytesmap.h"
#include "cap_check.h"
#include "catalog/pg_type.h"
#include "evaluate.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "holdout.h"
#include "miscadmin.h"
#include "queries.h"
#include "rule_config.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(nudge_backtest_triggers);

/* No rule has this id, which stands for the draft in counts and caps. */
#define DRAFT_RULE_ID (-1)

#define ROWS_A_FETCH 1000

typedef struct Backtest
{
	Evaluator	evaluator;
	Rule		rule;
	int64		replaces;		/* the rule of the same name; 0: none */
	ReturnSetInfo *result;

	MemoryContext row_context;	/* reset for each action */

	/* Of the user in hand */
	MemoryContext user_context;
	Bytes		user_id;
	pg_tz	   *timezone;
	Usage		usage;			/* messages of all rules, and of the draft */
	struct bytesmap_hash *entries;	/* key of an entry → TimestampTz */
} Backtest;

/*
 * The rule that a document describes, as the cache would have it.
 */
static void
rule_from_config(Rule *rule, const RuleConfig *config)
{
	memset(rule, 0, sizeof(Rule));
	rule->rule_id = DRAFT_RULE_ID;
	rule->name = config->name;
	rule->trigger_type = config->trigger_type;
	rule->priority = config->priority;
	rule->status = RULE_ACTIVE;
	rule->holdout_percent = config->holdout_percent;
	rule->nconditions = config->nconditions;
	rule->conditions = config->conditions;
	rule->nsegments = config->segments.n;
	rule->segments = config->segments.items;
	rule->nchannels = config->channels.n;
	rule->channels = config->channels.items;
	if (config->reentry != NULL &&
		!reentry_read(&rule->reentry, config->reentry, false))
		elog(ERROR, "reentry cannot be read");

	rule->caps = palloc(NUM_CAP_PERIODS * sizeof(FrequencyCap));
	for (int i = 0; i < NUM_CAP_PERIODS; i++)
	{
		if (config->caps[i] > 0)
			rule->caps[rule->ncaps++] = (FrequencyCap)
		{
			0, DRAFT_RULE_ID, NULL, i, config->caps[i]
		};
	}
}

static void
read_draft(Backtest *backtest, Jsonb *document)
{
	FaultList	faults = {NIL};
	RuleConfig	config;

	rule_config_read(&config, document, &faults);
	rule_config_check_references(&config, &faults);
	fault_report(&faults, config.name == NULL ? "rule" :
				 psprintf("rule \"%s\"", config.name));
	if (config.schedule != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a rule with a schedule cannot be tested on recorded actions"),
				 errdetail("Rule \"%s\" is fired by time.", config.name),
				 errhint("Leave schedule out, and give a condition on the action that it starts with.")));
	rule_from_config(&backtest->rule, &config);
}

static void
start_user(Backtest *backtest, const Action *action)
{
	Evaluator  *evaluator = &backtest->evaluator;
	Usage		sent;
	MemoryContext old;

	MemoryContextReset(backtest->user_context);
	old = MemoryContextSwitchTo(backtest->user_context);
	backtest->user_id.length = action->user_id.length;
	backtest->user_id.data = memcpy(palloc(action->user_id.length),
									action->user_id.data, action->user_id.length);
	backtest->timezone = evaluator_timezone(evaluator);
	evaluator->user_known = false;	/* it was read into another context */
	backtest->entries = bytesmap_create(backtest->user_context, 16, NULL);

	/* What the draft is to take the place of does not count. */
	history_usage(evaluator->history, action->user_id_datum, &sent);
	memset(&backtest->usage, 0, sizeof(Usage));
	for (int i = 0; i < sent.nentries; i++)
	{
		const UsageEntry *entry = &sent.entries[i];

		if (entry->rule_id != backtest->replaces)
			usage_add(&backtest->usage, entry->rule_id, entry->channel,
					  entry->day, entry->count);
	}
	MemoryContextSwitchTo(old);
}

/* Why the user may not enter the rule once more, by this key; NULL: may */
static const char *
entry_refusal(Backtest *backtest, Datum *key)
{
	Evaluator  *evaluator = &backtest->evaluator;
	const Reentry *reentry = &backtest->rule.reentry;
	Jsonb	   *data = NULL;
	BytesMapEntry *entry;

	if (reentry->kind == REENTRY_ALWAYS)
		return NULL;
	if (reentry->kind == REENTRY_KEY)
		data = action_data(&evaluator->action);
	if (!reentry_key(reentry, data, key))
		return "no_key";
	entry = bytesmap_lookup(backtest->entries, bytes_of_text(*key));
	if (entry != NULL &&
		reentry_forbids(reentry, *(TimestampTz *) entry->value, evaluator->now))
		return "reentry";
	return NULL;
}

/* The user enters the rule by a key, in the user's memory context. */
static void
remember_entry(Backtest *backtest, Datum key_datum)
{
	Bytes		key = bytes_of_text(key_datum);
	BytesMapEntry *entry = bytesmap_lookup(backtest->entries, key);
	bool		found;

	if (entry == NULL)
	{
		key.data = memcpy(palloc(key.length), key.data, key.length);
		entry = bytesmap_insert(backtest->entries, key, &found);
		entry->value = palloc(sizeof(TimestampTz));
	}
	*(TimestampTz *) entry->value = backtest->evaluator.now;
}

/*
 * The cap that forbids a message on a day.  What was sent on later days of the window
 * had not been sent then.
 */
static const FrequencyCap *
forbidding_cap(Backtest *backtest, DateADT day)
{
	Usage		until = {0};

	for (int i = 0; i < backtest->usage.nentries; i++)
	{
		const UsageEntry *entry = &backtest->usage.entries[i];

		if (entry->day <= day)
			usage_add(&until, entry->rule_id, entry->channel, entry->day,
					  entry->count);
	}
	return caps_forbid_message(backtest->evaluator.rules, &backtest->rule, &until,
							   backtest->rule.channels[0], day);
}

/*
 * What becomes of a trigger of the draft, in the order in which the insert path asks.
 */
static const char *
outcome_of(Backtest *backtest, DateADT day, const char **reason)
{
	const FrequencyCap *cap;
	Datum		key = (Datum) 0;
	MemoryContext old;

	*reason = entry_refusal(backtest, &key);
	if (*reason != NULL)
		return "reentry";
	*reason = holdout_reason(&backtest->rule, backtest->evaluator.action.user_id);
	if (*reason != NULL)
		return "held_out";
	cap = forbidding_cap(backtest, day);
	if (cap != NULL)
	{
		*reason = cap->rule_id == 0 ? "global" : "rule";
		return "capped";
	}

	old = MemoryContextSwitchTo(backtest->user_context);
	usage_add(&backtest->usage, DRAFT_RULE_ID, backtest->rule.channels[0], day, 1);
	if (key != (Datum) 0)
		remember_entry(backtest, key);
	MemoryContextSwitchTo(old);
	return "fired";
}

static void
put_trigger(Backtest *backtest, double score)
{
	const Action *action = &backtest->evaluator.action;
	DateADT		day = caps_local_day(action->recorded_at, backtest->timezone);
	const char *reason;
	const char *outcome = outcome_of(backtest, day, &reason);
	Datum		values[7];
	bool		nulls[7] = {false};

	values[0] = Int64GetDatum(action->action_id);
	values[1] = action->user_id_datum;
	values[2] = TimestampTzGetDatum(action->recorded_at);
	values[3] = DateADTGetDatum(day);
	values[4] = CStringGetTextDatum(outcome);
	nulls[5] = reason == NULL;
	values[5] = nulls[5] ? (Datum) 0 : CStringGetTextDatum(reason);
	values[6] = Float8GetDatum(score);
	tuplestore_putvalues(backtest->result->setResult, backtest->result->setDesc,
						 values, nulls);
}

static void
replay(Backtest *backtest, TupleTableSlot *slot)
{
	Evaluator  *evaluator = &backtest->evaluator;
	Action	   *action = &evaluator->action;
	const char *missing;
	double		score;

	action_from_slot(action, slot);
	action->replayed = true;
	evaluator->now = action->recorded_at;
	evaluator_reset(evaluator);
	if (!bytes_equal(backtest->user_id, action->user_id))
		start_user(backtest, action);

	if (backtest->rule.nconditions == 0 && source_is_engine(action->source_datum))
		return;
	if (evaluate_rule(evaluator, &backtest->rule, NULL, &score, NULL, NULL) &&
		evaluate_segments(evaluator, &backtest->rule, &missing))
		put_trigger(backtest, score);
}

static void
replay_all(Backtest *backtest, Datum from, Datum to)
{
	Oid			types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[] = {from, to};
	Portal		portal = SPI_cursor_open_with_args(NULL, query_backtest_actions, 2,
												   types, values, NULL, true, 0);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(portal->tupDesc,
													&TTSOpsHeapTuple);

	for (;;)
	{
		SPI_cursor_fetch(portal, true, ROWS_A_FETCH);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(backtest->row_context);

			CHECK_FOR_INTERRUPTS();
			ExecStoreHeapTuple(SPI_tuptable->vals[i], slot, false);
			replay(backtest, slot);
			ExecClearTuple(slot);
			MemoryContextSwitchTo(old);
			MemoryContextReset(backtest->row_context);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	ExecDropSingleTupleTableSlot(slot);
	SPI_cursor_close(portal);
}

/*
 * backtest_triggers(config jsonb, from, to): the triggers that the draft would have
 * given for actions recorded in a time.  nudge.backtest has checked the times.
 */
Datum
nudge_backtest_triggers(PG_FUNCTION_ARGS)
{
	Backtest	backtest = {0};
	const Rule *replaced;

	InitMaterializedSRF(fcinfo, 0);
	backtest.result = (ReturnSetInfo *) fcinfo->resultinfo;
	read_draft(&backtest, PG_GETARG_JSONB_P(0));
	backtest.user_context = AllocSetContextCreate(CurrentMemoryContext,
												  "pg_nudge backtest user",
												  ALLOCSET_DEFAULT_SIZES);
	backtest.row_context = AllocSetContextCreate(CurrentMemoryContext,
												 "pg_nudge backtest row",
												 ALLOCSET_DEFAULT_SIZES);
	backtest.evaluator.rules = rules_acquire();
	replaced = rules_find_named(backtest.evaluator.rules, backtest.rule.name);
	backtest.replaces = replaced == NULL ? 0 : replaced->rule_id;
	backtest.evaluator.history = history_open();

	SPI_connect();
	replay_all(&backtest, PG_GETARG_DATUM(1), PG_GETARG_DATUM(2));
	SPI_finish();

	history_close(backtest.evaluator.history);
	rules_release(backtest.evaluator.rules);
	MemoryContextDelete(backtest.row_context);
	MemoryContextDelete(backtest.user_context);
	return (Datum) 0;
}
