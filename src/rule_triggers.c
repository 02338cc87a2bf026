/*-------------------------------------------------------------------------
 *
 * rule_triggers.c
 *	  Triggers on rules, conditions and frequency caps: checks before a row is
 *	  written, and the invalidation of the compiled rules after.
 *
 * The checks take no locks but on the segments and channels that a row names,
 * which they keep from being removed, as a foreign key would.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "condition.h"
#include "document.h"
#include "never_fires.h"
#include "reentry.h"
#include "relations.h"
#include "row_trigger.h"
#include "rule_checks.h"
#include "send_window.h"
#include "timer_schedule.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(nudge_check_rule);
PG_FUNCTION_INFO_V1(nudge_check_condition);
PG_FUNCTION_INFO_V1(nudge_check_frequency_cap);
PG_FUNCTION_INFO_V1(nudge_invalidate_rules);

/*
 * An array of strings in a column; without elements where it is null, which is
 * for the NOT NULL constraint to refuse.
 */
static bool
text_list_column(const TriggerData *trigger, HeapTuple row, const char *column,
				 TextList *list)
{
	bool		isnull;
	Datum		value = row_column(trigger, row, column, &isnull);

	if (isnull)
		return false;
	*list = text_list_from_array(value, column);
	return true;
}

/*
 * Segments are looked at when they change.
 */
static void
check_segments_column(FaultList *faults, const TriggerData *trigger,
					  HeapTuple row)
{
	TextList	segments;

	if (row_column_changes(trigger, "segments") &&
		text_list_column(trigger, row, "segments", &segments))
		check_segments(faults, &segments);
}

static void
check_send_between_column(FaultList *faults, Datum array)
{
	Datum	   *elements;
	bool	   *nulls;
	TimeADT		times[2];
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TIMEOID, sizeof(TimeADT),
					  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements, &nulls, &n);
	if (n != 2 || nulls[0] || nulls[1])
	{
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, "send_between",
				  "Write it like {09:00,18:00}.",
				  "send_between must have two times");
		return;
	}
	times[0] = DatumGetTimeADT(elements[0]);
	times[1] = DatumGetTimeADT(elements[1]);
	check_send_between(faults, "send_between", times);
}

/*
 * Columns since 0.3.0, which are not there before an upgrade
 */
static void
check_delivery(FaultList *faults, const TriggerData *trigger, HeapTuple row)
{
	TextList	list;
	Datum		value;
	bool		isnull;
	char	   *topic;

	if (nudge_column(RelationGetDescr(trigger->tg_relation), "reentry") == 0)
		return;
	value = row_column(trigger, row, "reentry", &isnull);
	if (!isnull)
		check_reentry(faults, "reentry", DatumGetJsonbP(value));
	value = row_column(trigger, row, "schedule", &isnull);
	if (!isnull)
		check_timer_schedule(faults, "schedule", DatumGetJsonbP(value));
	topic = row_text(trigger, row, "topic");
	if (topic != NULL)
		check_topic(faults, "topic", topic);
	value = row_column(trigger, row, "send_between", &isnull);
	if (!isnull)
		check_send_between_column(faults, value);
	if (text_list_column(trigger, row, "send_on", &list))
		check_weekdays(faults, &list);
	value = row_column(trigger, row, "holdout_percent", &isnull);
	if (!isnull)
		check_percent(faults, "holdout_percent", DatumGetFloat8(value));
	value = row_column(trigger, row, "fallback_after", &isnull);
	if (!isnull)
		check_fallback_after(faults, "fallback_after",
							 DatumGetIntervalP(value));
}

Datum
nudge_check_rule(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_rule");
	HeapTuple	row = trigger_row(trigger);
	FaultList	faults = {NIL};
	TextList	list;
	Datum		value;
	bool		isnull;

	value = row_column(trigger, row, "delay", &isnull);
	if (!isnull)
		check_delay(&faults, "delay", DatumGetIntervalP(value));
	value = row_column(trigger, row, "expiry", &isnull);
	if (!isnull)
		check_expiry(&faults, "expiry", DatumGetIntervalP(value));
	if (row_column_changes(trigger, "channels") &&
		text_list_column(trigger, row, "channels", &list))
		check_channels(&faults, &list);
	if (text_list_column(trigger, row, "cancel_on", &list))
		check_cancel_on(&faults, &list);
	value = row_column(trigger, row, "personalization", &isnull);
	/* What older versions let pass does not keep a rule from being paused. */
	if (!isnull && row_column_changes(trigger, "personalization"))
		check_personalization(&faults, "personalization", DatumGetJsonbP(value));
	check_segments_column(&faults, trigger, row);
	check_delivery(&faults, trigger, row);

	fault_report(&faults, "rule");
	return PointerGetDatum(row_touched(trigger, row));
}

/*
 * A null operator stands for the default of the condition's type, which is not
 * the same for all types and therefore no default of the column.
 */
static HeapTuple
with_operator(const TriggerData *trigger, HeapTuple row,
			  const Condition *condition)
{
	return row_with_column(trigger, row, "operator",
						   CStringGetTextDatum(condition_operator_name(condition->op)));
}

Datum
nudge_check_condition(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_condition");
	HeapTuple	row = trigger_row(trigger);
	FaultList	faults = {NIL};
	Condition	condition;
	char	   *type = row_text(trigger, row, "condition_type");
	char	   *operator = row_text(trigger, row, "operator");
	Datum		parameters;
	Datum		weight;
	bool		parameters_null;
	bool		weight_null;

	parameters = row_column(trigger, row, "parameters", &parameters_null);
	weight = row_column(trigger, row, "weight", &weight_null);
	if (type == NULL || parameters_null || weight_null)
		return PointerGetDatum(row);	/* NOT NULL constraints refuse it */

	if (jsonb_depth(DatumGetJsonbP(parameters), MAX_NESTING) > MAX_NESTING)
		fault_add(&faults, ERRCODE_STATEMENT_TOO_COMPLEX, "parameters",
				  psprintf("No more than %d levels are allowed.", MAX_NESTING),
				  "parameters are nested too deeply");
	else if (condition_check(&condition, type, operator,
							 DatumGetJsonbP(parameters), DatumGetFloat8(weight),
							 &faults, ""))
	{
		check_condition_references(&faults, "", &condition, NULL);
		check_condition_stages(&faults, "", &condition);
		if (operator == NULL)
			row = with_operator(trigger, row, &condition);
	}
	fault_report(&faults, "condition");
	return PointerGetDatum(row);
}

Datum
nudge_check_frequency_cap(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_frequency_cap");
	HeapTuple	row = trigger_row(trigger);
	FaultList	faults = {NIL};
	char	   *channel = row_text(trigger, row, "channel");
	bool		isnull;
	Datum		max_messages = row_column(trigger, row, "max_messages", &isnull);

	if (channel != NULL && row_column_changes(trigger, "channel"))
		check_channel(&faults, "channel", channel);
	if (!isnull)
		check_max_messages(&faults, "max_messages", DatumGetInt32(max_messages));
	fault_report(&faults, "frequency cap");
	return PointerGetDatum(row);
}

/*
 * A change of a rule or of its conditions has the rule judged anew.
 */
static void
note_change(const TriggerData *trigger, HeapTuple row)
{
	bool		isnull;
	Datum		rule_id = row_column(trigger, row, "rule_id", &isnull);

	if (!isnull)
		rule_changed(DatumGetInt64(rule_id));
}

/*
 * Tells all backends, at commit, and this one, at the end of the statement, that
 * the compiled rules are stale.  Row-level triggers do so even where rows arrive
 * by logical replication.
 */
Datum
nudge_invalidate_rules(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = any_trigger(fcinfo, "invalidate_rules");
	Oid			relid = RelationGetRelid(trigger->tg_relation);

	if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event) &&
		(relid == nudge_relation(NUDGE_RULES) ||
		 relid == nudge_relation(NUDGE_CONDITIONS)))
	{
		note_change(trigger, trigger->tg_trigtuple);
		note_change(trigger, trigger_row(trigger));
	}
	CacheInvalidateRelcacheByRelid(nudge_relation(NUDGE_RULES));
	return PointerGetDatum(NULL);
}
