/*-------------------------------------------------------------------------
 *
 * changed_rows.c
 *	  The rows that a statement changed, as its trigger sees them.
 *
 * PostgreSQL fills the tables of old and new rows of an UPDATE row by row, so the
 * n-th old row became the n-th new one.  There is one exception: a row that moves
 * to another partition, and that a trigger there refuses, has no new one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "changed_rows.h"

#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

TriggerData *
changed_rows_trigger(FunctionCallInfo fcinfo, const char *function)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("nudge.%s() was not called by a trigger", function),
				 errdetail("It looks at the rows that a statement changed."),
				 errhint("Use nudge.watch_table() or nudge.sync_users(), which create the triggers.")));
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
		TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event) ||
		(!TRIGGER_FIRED_BY_DELETE(trigger->tg_event) &&
		 trigger->tg_newtable == NULL) ||
		(!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) &&
		 trigger->tg_oldtable == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("nudge.%s() was fired by a trigger of another kind", function),
				 errdetail("It must fire AFTER INSERT, UPDATE or DELETE, FOR EACH STATEMENT, with transition tables."),
				 errhint("Drop the trigger; nudge.watch_table() and nudge.sync_users() create the right ones.")));
	return trigger;
}

static TupleTableSlot *
open_rows(Tuplestorestate *rows, const TriggerData *trigger)
{
	if (rows == NULL)
		return NULL;
	return MakeSingleTupleTableSlot(RelationGetDescr(trigger->tg_relation),
									&TTSOpsMinimalTuple);
}

bool
changed_rows_open(ChangedRows *rows, const TriggerData *trigger, AttrNumber last)
{
	rows->old_rows = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ?
		NULL : trigger->tg_oldtable;
	rows->new_rows = TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ?
		NULL : trigger->tg_newtable;
	if (rows->old_rows != NULL && rows->new_rows != NULL &&
		tuplestore_tuple_count(rows->old_rows) !=
		tuplestore_tuple_count(rows->new_rows))
	{
		ereport(WARNING,
				(errmsg("changes of table \"%s\" are not followed in this statement",
						RelationGetRelationName(trigger->tg_relation)),
				 errdetail("It did away with rows that it moved to another partition, so that it is not known which row became which."),
				 errhint("Look for a BEFORE INSERT trigger on a partition that returns NULL.")));
		return false;
	}
	rows->old_row = open_rows(rows->old_rows, trigger);
	rows->new_row = open_rows(rows->new_rows, trigger);
	rows->last = last;
	changed_rows_rewind(rows);
	return true;
}

static void
rewind_rows(Tuplestorestate *rows)
{
	if (rows == NULL)
		return;
	/* Other triggers of the statement may have read the rows before. */
	tuplestore_select_read_pointer(rows, 0);
	tuplestore_rescan(rows);
}

void
changed_rows_rewind(ChangedRows *rows)
{
	rewind_rows(rows->old_rows);
	rewind_rows(rows->new_rows);
}

static bool
next_row(Tuplestorestate *rows, TupleTableSlot *slot, AttrNumber last)
{
	if (rows == NULL)
		return true;
	if (!tuplestore_gettupleslot(rows, true, false, slot))
		return false;
	slot_getsomeattrs(slot, last);
	return true;
}

bool
changed_rows_next(ChangedRows *rows)
{
	CHECK_FOR_INTERRUPTS();
	return next_row(rows->old_rows, rows->old_row, rows->last) &&
		next_row(rows->new_rows, rows->new_row, rows->last);
}

void
changed_rows_close(ChangedRows *rows)
{
	/* A row that comes from disk is freed by its slot. */
	if (rows->old_row != NULL)
		ExecDropSingleTupleTableSlot(rows->old_row);
	if (rows->new_row != NULL)
		ExecDropSingleTupleTableSlot(rows->new_row);
}
