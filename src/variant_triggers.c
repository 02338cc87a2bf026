/*-------------------------------------------------------------------------
 *
 * variant_triggers.c
 *	  Trigger on nudge.variants: checks before a row is written.
 *
 * What a template must be, a foreign key says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "faults.h"
#include "liquid.h"
#include "row_trigger.h"
#include "rule_checks.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(nudge_check_variant);

static void
add_context(void *arg)
{
	errcontext("subject of variant \"%s\"", (const char *) arg);
}

static void
check_subject(const char *subject, char *variant)
{
	ErrorContextCallback callback = {error_context_stack, add_context, variant};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "variant check",
												  ALLOCSET_DEFAULT_SIZES);

	error_context_stack = &callback;
	liquid_parse(subject, strlen(subject), context);
	error_context_stack = callback.previous;
	MemoryContextDelete(context);
}

Datum
nudge_check_variant(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_variant");
	HeapTuple	row = trigger_row(trigger);
	char	   *name = row_text(trigger, row, "name");
	char	   *subject = row_text(trigger, row, "subject");
	char	   *channel = row_text(trigger, row, "channel");
	FaultList	faults = {NIL};
	bool		isnull;
	Datum		delay = row_column(trigger, row, "delay", &isnull);

	if (!isnull)
		check_delay(&faults, "delay", DatumGetIntervalP(delay));
	if (channel != NULL && row_column_changes(trigger, "channel"))
		check_channel(&faults, "channel", channel);
	fault_report(&faults, "variant");
	if (subject != NULL && row_column_changes(trigger, "subject"))
		check_subject(subject, name != NULL ? name : "");
	return PointerGetDatum(row);
}
