/*-------------------------------------------------------------------------
 *
 * row_trigger.c
 *	  What the trigger functions of configuration tables share.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "row_trigger.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_attribute.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

TriggerData *
any_trigger(FunctionCallInfo fcinfo, const char *function)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("nudge.%s() was not called by a trigger", function),
				 errdetail("It belongs to a trigger on a table of pg_nudge."),
				 errhint("Change the table; the trigger does the rest.")));
	return (TriggerData *) fcinfo->context;
}

static TriggerData *
row_trigger(FunctionCallInfo fcinfo, const char *function, bool before)
{
	TriggerData *trigger = any_trigger(fcinfo, function);

	if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		(before ? !TRIGGER_FIRED_BEFORE(trigger->tg_event) :
		 !TRIGGER_FIRED_AFTER(trigger->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("nudge.%s() was fired by a trigger of another kind", function),
				 errdetail("It must fire %s a change, FOR EACH ROW.",
						   before ? "BEFORE" : "AFTER"),
				 errhint("Drop the trigger; the extension has its own.")));
	return trigger;
}

TriggerData *
before_row_trigger(FunctionCallInfo fcinfo, const char *function)
{
	return row_trigger(fcinfo, function, true);
}

TriggerData *
after_row_trigger(FunctionCallInfo fcinfo, const char *function)
{
	return row_trigger(fcinfo, function, false);
}

HeapTuple
trigger_row(const TriggerData *trigger)
{
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ?
		trigger->tg_newtuple : trigger->tg_trigtuple;
}

static int
column_number(const TriggerData *trigger, const char *column)
{
	int			number = SPI_fnumber(trigger->tg_relation->rd_att, column);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("relation \"%s\" has no column \"%s\"",
						RelationGetRelationName(trigger->tg_relation), column),
				 errdetail("A trigger function of pg_nudge was given to a table that is not its own."),
				 errhint("Drop the trigger; the extension has its own.")));
	return number;
}

Datum
row_column(const TriggerData *trigger, HeapTuple row, const char *column,
		   bool *isnull)
{
	return heap_getattr(row, column_number(trigger, column),
						trigger->tg_relation->rd_att, isnull);
}

char *
row_text(const TriggerData *trigger, HeapTuple row, const char *column)
{
	bool		isnull;
	Datum		value = row_column(trigger, row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

bool
row_column_changes(const TriggerData *trigger, const char *column)
{
	int			number = column_number(trigger, column);
	Form_pg_attribute attribute = TupleDescAttr(trigger->tg_relation->rd_att,
												number - 1);
	Datum		before;
	Datum		after;
	bool		before_null;
	bool		after_null;

	if (!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return true;
	before = row_column(trigger, trigger->tg_trigtuple, column, &before_null);
	after = row_column(trigger, trigger->tg_newtuple, column, &after_null);
	if (before_null || after_null)
		return before_null != after_null;
	return !datum_image_eq(before, after, attribute->attbyval, attribute->attlen);
}

HeapTuple
row_with_column(const TriggerData *trigger, HeapTuple row, const char *column,
				Datum value)
{
	int			number = column_number(trigger, column);
	bool		isnull = false;

	return heap_modify_tuple_by_cols(row, trigger->tg_relation->rd_att, 1,
									 &number, &value, &isnull);
}

HeapTuple
row_touched(const TriggerData *trigger, HeapTuple row)
{
	if (!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return row;
	return row_with_column(trigger, row, "updated_at",
						   TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
}
