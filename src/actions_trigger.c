/*-------------------------------------------------------------------------
 *
 * actions_trigger.c
 *	  The trigger on nudge.actions: evaluates rules as actions come in.
 *
 * It fires once a statement, with the statement's rows in a transition table.
 * Most rows are done with after a look at their type; the others are evaluated
 * one by one, each in a context that is reset.  What a row fires is appended
 * before the next row is looked at, so that the next row's caps count it.
 *
 * Locking: nothing but the table locks of reading and appending.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "append.h"
#include "commands/trigger.h"
#include "evaluate.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pg_nudge.h"
#include "relations.h"
#include "rule_index.h"
#include "schedule.h"
#include "timer_signal.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(nudge_evaluate_actions);

static void
check_protocol(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("nudge.evaluate_actions() was not called by a trigger"),
				 errdetail("It evaluates the rows that a statement inserted."),
				 errhint("Use nudge.evaluate() to see what an action would fire.")));
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ||
		trigger->tg_newtable == NULL ||
		RelationGetRelid(trigger->tg_relation) != nudge_relation(NUDGE_ACTIONS))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("nudge.evaluate_actions() was fired by a trigger of another kind"),
				 errdetail("It must fire AFTER INSERT ON nudge.actions FOR EACH STATEMENT, with a transition table."),
				 errhint("Drop the trigger; the extension has its own.")));
}

static const UserRow *
user_row(void *arg)
{
	return evaluator_user(arg);
}

static const int *
user_types_done(const Bytes *types, int ntypes, int *n, void *arg)
{
	Evaluator  *evaluator = arg;

	return history_types_done(evaluator->history, &evaluator->action, types,
							  ntypes, n);
}

/*
 * Evaluates the rules that the action in hand may fire.
 */
static void
evaluate_action(Evaluator *evaluator, Scheduler *scheduler)
{
	UserSource	user = {user_row, user_types_done, evaluator};
	const Rule **candidates;
	int			n = rule_index_candidates(evaluator->rules->index,
										  &evaluator->action, &user,
										  &candidates);

	for (int i = 0; i < n; i++)
	{
		double		score;

		CHECK_FOR_INTERRUPTS();
		/* A rule for whatever users do is not for what the engine records. */
		if (candidates[i]->nconditions == 0 &&
			source_is_engine(evaluator->action.source_datum))
			continue;
		if (evaluate_rule(evaluator, candidates[i], NULL, &score,
						  schedule_error, scheduler))
			schedule_rule(scheduler, evaluator, candidates[i], score);
	}
}

/*
 * Counts rows that were recorded as history and are not evaluated.
 */
static void
tally_history(int64 rows, TimestampTz now)
{
	Appender   *appender = appender_open(nudge_relation(NUDGE_TALLIES), 3);
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	values[0] = CStringGetTextDatum("history_rows");
	values[1] = Int64GetDatum(rows);
	values[2] = TimestampTzGetDatum(now);
	appender_insert(appender, values, nulls);
	appender_close(appender);
}

static void
evaluate_rows(Tuplestorestate *rows, TupleTableSlot *slot)
{
	Evaluator	evaluator = {rules_acquire()};
	Scheduler  *scheduler = scheduler_open();
	TimerSignals *signals = timer_signals_open(evaluator.rules);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext,
													  "pg_nudge action",
													  ALLOCSET_DEFAULT_SIZES);
	int64		history_rows = 0;

	evaluator.history = history_open();
	evaluator.now = GetCurrentTransactionStartTimestamp();
	evaluator.segment_error = schedule_segment_error;
	evaluator.segment_error_arg = scheduler;

	/* Other triggers of the statement may have read the rows before. */
	tuplestore_select_read_pointer(rows, 0);
	tuplestore_rescan(rows);

	/*
	 * Rows are fetched in this function's own context: a row that comes from
	 * disk is freed by the slot, which must not find that a reset did it.
	 */
	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(row_context);
		action_from_slot(&evaluator.action, slot);
		MemoryContextSwitchTo(old);
		if (evaluator.action.recorded_at != evaluator.now)
		{
			history_rows++;
			continue;
		}
		timer_signals_action(signals, &evaluator.action);
		if (rule_index_rejects(evaluator.rules->index,
							   evaluator.action.action_type))
			continue;

		old = MemoryContextSwitchTo(row_context);
		evaluator_reset(&evaluator);
		evaluate_action(&evaluator, scheduler);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
	ExecClearTuple(slot);

	scheduler_close(scheduler, &evaluator);
	timer_signals_close(signals);
	history_close(evaluator.history);
	if (history_rows > 0)
		tally_history(history_rows, evaluator.now);
	MemoryContextDelete(row_context);
	rules_release(evaluator.rules);
}

Datum
nudge_evaluate_actions(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleTableSlot *slot;

	check_protocol(fcinfo);
	if (!nudge_evaluate || IsBinaryUpgrade)
		return PointerGetDatum(NULL);

	slot = MakeSingleTupleTableSlot(RelationGetDescr(trigger->tg_relation),
									&TTSOpsMinimalTuple);
	evaluate_rows(trigger->tg_newtable, slot);
	ExecDropSingleTupleTableSlot(slot);
	return PointerGetDatum(NULL);
}
