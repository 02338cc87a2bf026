/*-------------------------------------------------------------------------
 *
 * reference_triggers.c
 *	  References among configuration tables: foreign keys that let a dump in.
 *
 * Configuration tables belong to the extension, which creates their constraints
 * before any row is restored.  "pg_restore -j" loads tables in any order, and a
 * foreign key would refuse the rows of a table that comes before the one it
 * refers to.  These triggers do as foreign keys do, locks and snapshots
 * included, but let rows out of a dump pass: they were consistent when dumped.
 *
 * Inserting a reference locks the row referred to against removal (FOR KEY
 * SHARE).  Whoever removes it therefore waits, and then looks for references
 * with a snapshot as new as can be, even under REPEATABLE READ.
 *
 * Arguments of the triggers:
 *	check_reference(column, parent table, parent column, noun)
 *	keep_reference(parent column, child table, child column, action, noun)
 * with the noun that messages use, and action cascade or restrict, which says
 * what becomes of references to a row that is removed; new keys always cascade.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "owner.h"
#include "queries.h"
#include "row_trigger.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(nudge_check_reference);
PG_FUNCTION_INFO_V1(nudge_keep_reference);

typedef enum ReferenceQuery
{
	LOCK_PARENT,
	FIND_CHILD,
	DELETE_CHILDREN,
	UPDATE_CHILDREN,
	FIND_ORPHAN,
	DELETE_ORPHANS
} ReferenceQuery;

/* Texts have the names of a reference in braces. */
static const struct
{
	int			nargs;
	const char *const *text;
}			queries[] = {
	[LOCK_PARENT] = {1, &query_reference_lock_parent},
	[FIND_CHILD] = {1, &query_reference_find_child},
	[DELETE_CHILDREN] = {1, &query_reference_delete_children},
	[UPDATE_CHILDREN] = {2, &query_reference_update_children},
	[FIND_ORPHAN] = {0, &query_reference_find_orphan},
	[DELETE_ORPHANS] = {0, &query_reference_delete_orphans},
};

/* A reference as its trigger tells it; names are quoted */
typedef struct Reference
{
	Oid			trigger;
	const char *parent;
	const char *parent_column;
	const char *child;
	const char *child_column;
	const char *noun;
	bool		cascade;
	Oid			type;
} Reference;

typedef struct PlanKey
{
	Oid			trigger;
	int			query;
} PlanKey;

typedef struct PlanEntry
{
	PlanKey		key;
	SPIPlanPtr	plan;
} PlanEntry;

/* Plans of this backend, kept */
static HTAB *plans = NULL;

/*
 * Puts the names of a reference into the text of a query.
 */
static char *
query_text(const Reference *reference, ReferenceQuery query)
{
	const struct
	{
		const char *token;
		const char *name;
	}			names[] = {
		{"{parent}", reference->parent},
		{"{parent_column}", reference->parent_column},
		{"{child}", reference->child},
		{"{child_column}", reference->child_column},
	};
	StringInfoData text;

	initStringInfo(&text);
	for (const char *p = *queries[query].text; *p != '\0';)
	{
		int			i;

		for (i = 0; i < lengthof(names); i++)
		{
			if (strncmp(p, names[i].token, strlen(names[i].token)) == 0)
				break;
		}
		if (i < lengthof(names))
		{
			appendStringInfoString(&text, names[i].name);
			p += strlen(names[i].token);
		}
		else
			appendStringInfoChar(&text, *p++);
	}
	return text.data;
}

static SPIPlanPtr
reference_plan(const Reference *reference, ReferenceQuery query)
{
	PlanKey		key = {reference->trigger, query};
	PlanEntry  *entry;
	SPIPlanPtr	plan;
	Oid			types[] = {reference->type, reference->type};

	if (plans == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(PlanKey),
		.entrysize = sizeof(PlanEntry)};

		plans = hash_create("plans of references", 16, &control,
							HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(plans, &key, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->plan;

	plan = SPI_prepare(query_text(reference, query), queries[query].nargs, types);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "query of a reference could not be prepared: %s",
			 SPI_result_code_string(SPI_result));
	entry = hash_search(plans, &key, HASH_ENTER, NULL);
	entry->plan = plan;
	return plan;
}

/*
 * Runs a query as the owner of the tables; returns the number of rows.  With
 * latest, it sees what was committed up to now, whatever the isolation level; a
 * row that it would change but that the transaction cannot see raises 40001.
 */
static uint64
run(const Reference *reference, ReferenceQuery query, Datum *values, bool latest)
{
	Snapshot	snapshot = InvalidSnapshot;
	Snapshot	crosscheck = InvalidSnapshot;
	OwnerScope	scope;
	uint64		processed;

	SPI_connect();
	owner_begin(&scope);
	if (latest && IsolationUsesXactSnapshot())
	{
		CommandCounterIncrement();
		snapshot = GetLatestSnapshot();
		crosscheck = GetTransactionSnapshot();
	}
	if (SPI_execute_snapshot(reference_plan(reference, query), values, NULL,
							 snapshot, crosscheck, false, true, 0) < 0)
		elog(ERROR, "query of a reference failed");
	owner_end(&scope);
	processed = SPI_processed;
	SPI_finish();
	return processed;
}

static void
check_arguments(const TriggerData *trigger, int n)
{
	if (trigger->tg_trigger->tgnargs != n)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" must have %d arguments",
						trigger->tg_trigger->tgname, n),
				 errdetail("They name the columns of a reference."),
				 errhint("Drop the trigger; the extension has its own.")));
}

static Oid
column_type(const TriggerData *trigger, const char *column)
{
	TupleDesc	columns = trigger->tg_relation->rd_att;

	return SPI_gettypeid(columns, SPI_fnumber(columns, column));
}

static char *
value_text(const Reference *reference, Datum value)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(reference->type, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

/*
 * Constraint trigger on the table that refers, after INSERT and UPDATE of a row.
 */
Datum
nudge_check_reference(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = after_row_trigger(fcinfo, "check_reference");
	char	  **arguments = trigger->tg_trigger->tgargs;
	Reference	reference = {trigger->tg_trigger->tgoid};
	Datum		value;
	bool		isnull;

	check_arguments(trigger, 4);
	value = row_column(trigger, trigger_row(trigger), arguments[0], &isnull);
	if (restoring() || isnull || !row_column_changes(trigger, arguments[0]))
		return PointerGetDatum(NULL);

	reference.parent = quote_identifier(arguments[1]);
	reference.parent_column = quote_identifier(arguments[2]);
	reference.noun = arguments[3];
	reference.type = column_type(trigger, arguments[0]);
	if (run(&reference, LOCK_PARENT, &value, false) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("%s \"%s\" does not exist", reference.noun,
						value_text(&reference, value)),
				 errdetail("Column %s of nudge.%s refers to it.", arguments[0],
						   RelationGetRelationName(trigger->tg_relation)),
				 errhint("Insert it into nudge.%ss first.", reference.noun),
				 errtable(trigger->tg_relation)));
	return PointerGetDatum(NULL);
}

static void
refuse_removal(const Reference *reference, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("%s still in use", what),
			 errdetail("Rows of nudge.%s refer to it.", reference->child),
			 errhint("Change or delete those rows first.")));
}

static void
removed(const Reference *reference, Datum *value)
{
	if (reference->cascade)
		run(reference, DELETE_CHILDREN, value, true);
	else if (run(reference, FIND_CHILD, value, true) > 0)
		refuse_removal(reference, psprintf("%s \"%s\" is", reference->noun,
										   value_text(reference, *value)));
}

static void
truncated(const Reference *reference)
{
	if (reference->cascade)
		run(reference, DELETE_ORPHANS, NULL, true);
	else if (run(reference, FIND_ORPHAN, NULL, true) > 0)
		refuse_removal(reference, psprintf("%ss are", reference->noun));
}

/*
 * Trigger on the table that is referred to, after UPDATE and DELETE of a row, and
 * after TRUNCATE.
 */
Datum
nudge_keep_reference(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = any_trigger(fcinfo, "keep_reference");
	char	  **arguments = trigger->tg_trigger->tgargs;
	Reference	reference = {trigger->tg_trigger->tgoid};
	Datum		values[2];
	bool		isnull;

	check_arguments(trigger, 5);
	reference.parent =
		quote_identifier(RelationGetRelationName(trigger->tg_relation));
	reference.parent_column = quote_identifier(arguments[0]);
	reference.child = quote_identifier(arguments[1]);
	reference.child_column = quote_identifier(arguments[2]);
	reference.cascade = strcmp(arguments[3], "cascade") == 0;
	reference.noun = arguments[4];
	reference.type = column_type(trigger, arguments[0]);
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
	{
		truncated(&reference);
		return PointerGetDatum(NULL);
	}

	trigger = after_row_trigger(fcinfo, "keep_reference");
	values[0] = row_column(trigger, trigger->tg_trigtuple, arguments[0], &isnull);
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		removed(&reference, values);
	else if (row_column_changes(trigger, arguments[0]))
	{
		values[1] = row_column(trigger, trigger->tg_newtuple, arguments[0],
							   &isnull);
		run(&reference, UPDATE_CHILDREN, values, true);
	}
	return PointerGetDatum(NULL);
}
