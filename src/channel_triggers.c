/*-------------------------------------------------------------------------
 *
 * channel_triggers.c
 *	  Triggers on nudge.channels and nudge.channel_urgency: checks before a row is
 *	  written, and keeping channels that are in use.
 *
 * Who names a channel locks it (channel_names.c), so that whoever removes it waits,
 * and then looks with a snapshot that is as new as can be.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "channel_names.h"
#include "executor/spi.h"
#include "faults.h"
#include "owner.h"
#include "plan.h"
#include "queries.h"
#include "relations.h"
#include "row_trigger.h"
#include "user_path.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(nudge_check_channel);
PG_FUNCTION_INFO_V1(nudge_check_channel_urgency);
PG_FUNCTION_INFO_V1(nudge_keep_channels);

static void
check_name(FaultList *faults, const char *name)
{
	if (!channel_name_is_good(name))
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, "name",
				  "A channel is named with up to 63 lower-case letters, digits and underscores, a letter first.",
				  "name \"%.100s\" is no name of a channel", name);
	else if (strcmp(name, "partial") == 0)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, "name",
				  "Give the channel another name.",
				  "name \"partial\" stands for pieces of templates");
}

/*
 * A factor of a score
 */
static void
check_factor(FaultList *faults, const TriggerData *trigger, HeapTuple row,
			 const char *column)
{
	bool		isnull;
	Datum		value = row_column(trigger, row, column, &isnull);
	double		factor = isnull ? 1.0 : DatumGetFloat8(value);

	if (isnan(factor) || isinf(factor) || factor < 0.0)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, column,
				  "Scores are multiplied by it: give a number such as 0.7.",
				  "%s must be a number from 0, not %g", column, factor);
}

static void
check_address_path(FaultList *faults, const char *path)
{
	AttributePath read;
	UserPathFault fault;

	if (!user_path_read(path, &read, &fault))
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, "address_path",
				  fault.hint, "%s", fault.message);
}

/*
 * Trigger on channels, before INSERT and UPDATE of a row.
 */
Datum
nudge_check_channel(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_channel");
	HeapTuple	row = trigger_row(trigger);
	FaultList	faults = {NIL};
	char	   *name = row_text(trigger, row, "name");
	char	   *path = row_text(trigger, row, "address_path");

	if (name == NULL)
		return PointerGetDatum(row);	/* the primary key refuses it */
	check_name(&faults, name);
	check_factor(&faults, trigger, row, "base_score");
	if (path != NULL)
		check_address_path(&faults, path);
	fault_report(&faults, "channel");
	if (path == NULL)
		row = row_with_column(trigger, row, "address_path",
							  CStringGetTextDatum(psprintf("profile.%s", name)));
	return PointerGetDatum(row_touched(trigger, row));
}

/*
 * Trigger on channel_urgency, before INSERT and UPDATE of a row.
 */
Datum
nudge_check_channel_urgency(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_channel_urgency");
	HeapTuple	row = trigger_row(trigger);
	FaultList	faults = {NIL};

	check_factor(&faults, trigger, row, "modifier");
	fault_report(&faults, "channel urgency");
	return PointerGetDatum(row);
}

/*
 * Refuses to do without a channel (NULL: any) that a query finds something to name.
 */
static void
refuse_used(SPIPlanPtr *plan, const char *query, const char *name)
{
	static const Oid types[] = {TEXTOID};
	Datum		argument = name != NULL ? CStringGetTextDatum(name) : (Datum) 0;

	if (SPI_execute_snapshot(plan_get(plan, query, 1, types),
							 &argument, name != NULL ? " " : "n",
							 GetLatestSnapshot(), InvalidSnapshot, false, true,
							 1) != SPI_OK_SELECT)
		elog(ERROR, "uses of channels could not be read");
	if (SPI_processed > 0)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("channel \"%s\" is still in use",
						SPI_getvalue(tuple, desc, 1)),
				 errdetail("It is named by %s.", SPI_getvalue(tuple, desc, 2)),
				 errhint("To make no messages for it, set nudge.channels.enabled to false.")));
	}
}

static void
refuse_removal(const char *name)
{
	static SPIPlanPtr plan = NULL;
	static SPIPlanPtr variants_plan = NULL;
	OwnerScope	scope;

	SPI_connect();
	owner_begin(&scope);
	refuse_used(&plan, query_channel_use, name);
	if (nudge_relation_exists(NUDGE_VARIANTS))
		refuse_used(&variants_plan, query_channel_use_variants, name);
	owner_end(&scope);
	SPI_finish();
}

/*
 * Trigger on channels, after UPDATE OF name and DELETE of a row, and after
 * TRUNCATE.
 */
Datum
nudge_keep_channels(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = any_trigger(fcinfo, "keep_channels");

	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
	{
		refuse_removal(NULL);
		return PointerGetDatum(NULL);
	}
	trigger = after_row_trigger(fcinfo, "keep_channels");
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		row_column_changes(trigger, "name"))
		refuse_removal(row_text(trigger, trigger->tg_trigtuple, "name"));
	return PointerGetDatum(NULL);
}
