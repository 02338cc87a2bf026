/*-------------------------------------------------------------------------
 *
 * template_triggers.c
 *	  Triggers on templates: their syntax, and nudge.template_ids.
 *
 * An id is in nudge.template_ids as long as a template has a row in any channel.
 * Whoever writes a row locks its id as a foreign key would (FOR KEY SHARE), and
 * whoever removes one takes the id alone (FOR UPDATE), so that of two sessions,
 * one adding a channel while the other removes the last, each sees what the other
 * did.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "channel_names.h"
#include "executor/spi.h"
#include "liquid.h"
#include "miscadmin.h"
#include "owner.h"
#include "plan.h"
#include "queries.h"
#include "row_trigger.h"
#include "rule_checks.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(nudge_check_template_row);
PG_FUNCTION_INFO_V1(nudge_remove_template_id);

/* What stands for a channel in pieces that other templates include */
#define PARTIAL_CHANNEL "partial"

/* Columns that are Liquid */
static const char *const template_columns[] = {
	"subject", "body_text", "body_html", "sender_name", "sender_address",
	"reply_to"
};

/* What is being checked, for the context of an error */
typedef struct CheckedColumn
{
	const char *template_id;
	const char *channel;
	const char *column;
} CheckedColumn;

static void
add_context(void *arg)
{
	const CheckedColumn *checked = arg;

	errcontext("%s of template \"%s\" for channel \"%s\"", checked->column,
			   checked->template_id, checked->channel);
}

/*
 * Parses what changed.
 */
static void
check_syntax(const TriggerData *trigger, HeapTuple row, const char *template_id)
{
	CheckedColumn checked = {template_id, row_text(trigger, row, "channel")};
	ErrorContextCallback callback = {error_context_stack, add_context, &checked};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "template check",
												  ALLOCSET_DEFAULT_SIZES);

	if (checked.channel == NULL)
		checked.channel = "";
	error_context_stack = &callback;
	for (int i = 0; i < lengthof(template_columns); i++)
	{
		char	   *source;

		checked.column = template_columns[i];
		if (!row_column_changes(trigger, checked.column))
			continue;
		source = row_text(trigger, row, checked.column);
		if (source != NULL)
			liquid_parse(source, strlen(source), context);
	}
	error_context_stack = callback.previous;
	MemoryContextDelete(context);
}

/*
 * A template is for a channel there is, or a piece of others.
 */
static void
check_template_channel(const TriggerData *trigger, HeapTuple row)
{
	char	   *channel = row_text(trigger, row, "channel");
	FaultList	faults = {NIL};

	if (channel == NULL || strcmp(channel, PARTIAL_CHANNEL) == 0 ||
		!channel_name_is_good(channel) || /* a CHECK constraint refuses it */
		!row_column_changes(trigger, "channel"))
		return;
	check_channel(&faults, "channel", channel);
	fault_report(&faults, "template");
}

/*
 * Runs a query about a template id and returns how many rows it had to do with.
 * SPI is connected.
 */
static uint64
run(SPIPlanPtr *plan, const char *query, const char *template_id)
{
	static const Oid types[] = {TEXTOID};
	Datum		argument = CStringGetTextDatum(template_id);

	if (SPI_execute_plan(plan_get(plan, query, 1, types), &argument, NULL,
						 false, 0) < 0)
		elog(ERROR, "query about template ids failed");
	return SPI_processed;
}

/*
 * Adds the id unless it is there.  Another session may remove it in between, in
 * which case one more turn is needed.
 */
static void
add_id(const char *template_id)
{
	static SPIPlanPtr lock = NULL;
	static SPIPlanPtr add = NULL;
	OwnerScope	scope;

	SPI_connect();
	owner_begin(&scope);
	while (run(&lock, query_template_id_lock, template_id) == 0 &&
		   run(&add, query_template_id_add, template_id) == 0)
		CHECK_FOR_INTERRUPTS();
	owner_end(&scope);
	SPI_finish();
}

/*
 * Trigger on templates, before INSERT and UPDATE of a row.
 */
Datum
nudge_check_template_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_template_row");
	HeapTuple	row = trigger_row(trigger);
	char	   *template_id = row_text(trigger, row, "template_id");

	if (template_id == NULL)
		return PointerGetDatum(row);	/* a NOT NULL constraint refuses it */
	check_syntax(trigger, row, template_id);
	check_template_channel(trigger, row);
	if (row_column_changes(trigger, "template_id"))
		add_id(template_id);
	return PointerGetDatum(row_touched(trigger, row));
}

/*
 * Whether the template still has a row in any channel; where it has none, no
 * rule may use it.
 */
static bool
still_exists(const char *template_id)
{
	static SPIPlanPtr use = NULL;
	bool		isnull;
	char	   *rule;

	run(&use, query_template_id_use, template_id);
	if (DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
								   1, &isnull)))
		return true;
	rule = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	if (rule != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("template \"%s\" is still in use", template_id),
				 errdetail("Rule \"%s\" sends it, and this is its last channel.", rule),
				 errhint("Give the rule another template first, or delete the rule. "
						 "To rename a template, update nudge.template_ids.")));
	return false;
}

static void
remove_id(const char *template_id)
{
	static SPIPlanPtr take = NULL;
	static SPIPlanPtr remove = NULL;
	OwnerScope	scope;

	SPI_connect();
	owner_begin(&scope);
	if (run(&take, query_template_id_take, template_id) > 0 &&
		!still_exists(template_id))
		run(&remove, query_template_id_remove, template_id);
	owner_end(&scope);
	SPI_finish();
}

static void
remove_unused_ids(void)
{
	static SPIPlanPtr plan = NULL;
	OwnerScope	scope;

	SPI_connect();
	owner_begin(&scope);
	if (SPI_execute_plan(plan_get(&plan, query_template_ids_unused, 0, NULL),
						 NULL, NULL, false, 0) < 0)
		elog(ERROR, "query about template ids failed");
	owner_end(&scope);
	SPI_finish();
}

/*
 * Trigger on templates, after DELETE and UPDATE OF template_id of a row, and after
 * TRUNCATE.
 */
Datum
nudge_remove_template_id(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = any_trigger(fcinfo, "remove_template_id");

	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
	{
		remove_unused_ids();
		return PointerGetDatum(NULL);
	}
	trigger = after_row_trigger(fcinfo, "remove_template_id");
	if (row_column_changes(trigger, "template_id") ||
		TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		remove_id(row_text(trigger, trigger->tg_trigtuple, "template_id"));
	return PointerGetDatum(NULL);
}
