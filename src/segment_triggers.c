/*-------------------------------------------------------------------------
 *
 * segment_triggers.c
 *	  Triggers on segments: checks of their conditions before a row is written,
 *	  and of who still needs a segment after it was removed.
 *
 * rules.segments and conditions name segments where no foreign key can be put;
 * this is the half of one that stands on the other table.  Who names a segment
 * locks it (rule_checks.c), so that whoever removes one waits for it, and then
 * looks with a snapshot that is as new as can be.
 *
 * Two sessions could each close one half of a circle of segments; therefore
 * conditions that name segments are written one transaction after the other
 * (ShareUpdateExclusiveLock on nudge.segments, which nothing but maintenance
 * commands and this takes).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "condition.h"
#include "executor/spi.h"
#include "owner.h"
#include "plan.h"
#include "queries.h"
#include "relations.h"
#include "row_trigger.h"
#include "rule_checks.h"
#include "segment_graph.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(nudge_check_segment);
PG_FUNCTION_INFO_V1(nudge_check_segment_circles);
PG_FUNCTION_INFO_V1(nudge_keep_segments);

static bool
refers_to(const Condition *condition, const char *name)
{
	ListCell   *lc;

	foreach(lc, condition_segments(condition, NIL))
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/*
 * What one condition asks for is there, and known without an action.
 */
static void
check_condition(FaultList *faults, const char *path, const char *name,
				const Condition *condition)
{
	if (condition_needs_action(condition))
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path,
				  "Ask for what is known of the user, such as user_attribute or action_count; what an action must be like belongs to a rule.",
				  "condition of type \"%s\" needs an action in hand, which a segment does not have",
				  condition_type_name(condition->type));
	else if (refers_to(condition, name))
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path,
				  "Name other segments only.",
				  "segment \"%s\" refers to itself", name);
	else
	{
		check_condition_references(faults, path, condition, NULL);
		check_condition_stages(faults, path, condition);
	}
}

static void
check_conditions(FaultList *faults, const char *name, const Jsonb *document)
{
	int			n;
	Condition  *conditions = conditions_check_array(document, faults, "conditions",
													&n);

	if (conditions == NULL)
		return;
	for (int i = 0; i < n; i++)
		check_condition(faults, psprintf("conditions[%d]", i), name,
						&conditions[i]);
}

/*
 * Trigger on segments, before a row is written.
 */
Datum
nudge_check_segment(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_segment");
	HeapTuple	row = trigger_row(trigger);
	FaultList	faults = {NIL};
	bool		isnull;
	Datum		value = row_column(trigger, row, "conditions", &isnull);
	char	   *name = row_text(trigger, row, "name");

	/* NOT NULL is a constraint. */
	if (isnull || name == NULL || !(row_column_changes(trigger, "conditions") ||
					row_column_changes(trigger, "name")))
		return PointerGetDatum(row);

	check_conditions(&faults, name, DatumGetJsonbP(value));
	fault_report(&faults, "segment");
	return PointerGetDatum(row);
}

static void
report_graph_fault(const char *name, SegmentGraphFault fault)
{
	FaultList	faults = {NIL};

	if (fault == SEGMENTS_CIRCULAR)
		fault_add(&faults, ERRCODE_INVALID_PARAMETER_VALUE, "conditions",
				  "Leave out one of the conditions that lead from segment to segment.",
				  "segment \"%s\" refers to itself by way of other segments", name);
	else if (fault == SEGMENTS_TOO_DEEP)
		fault_add(&faults, ERRCODE_STATEMENT_TOO_COMPLEX, "conditions",
				  psprintf("No more than %d segments may stand one within the other.",
						   SEGMENT_MAX_LEVELS),
				  "segments are nested too deeply");
	fault_report(&faults, "segment");
}

/*
 * Trigger on segments, after INSERT or UPDATE of conditions of a row: the names in
 * conditions do not lead back.  This is asked when all rows of the statement are
 * there, of the compiled rules, which are loaded anew.
 */
Datum
nudge_check_segment_circles(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = after_row_trigger(fcinfo, "check_segment_circles");
	char	   *name = row_text(trigger, trigger_row(trigger), "name");
	int			n;
	FaultList	faults = {NIL};
	List	   *references = NIL;
	bool		isnull;
	Datum		value = row_column(trigger, trigger_row(trigger), "conditions",
								   &isnull);
	Condition  *conditions = conditions_check_array(DatumGetJsonbP(value), &faults,
													"conditions", &n);
	const Rules *rules;
	const Segment *segment;

	for (int i = 0; conditions != NULL && i < n; i++)
		references = condition_segments(&conditions[i], references);
	if (references == NIL)
		return PointerGetDatum(NULL);

	LockRelationOid(nudge_relation(NUDGE_SEGMENTS), ShareUpdateExclusiveLock);
	CacheInvalidateRelcacheByRelid(nudge_relation(NUDGE_RULES));
	CommandCounterIncrement();
	rules = rules_acquire();
	segment = rules_find_segment(rules, name);
	if (segment != NULL)
		report_graph_fault(name, segments_fault(rules, segment));
	rules_release(rules);
	return PointerGetDatum(NULL);
}

/*
 * Name of a rule that has the segment, or any segment if name is NULL; itself
 * NULL where there is none.
 */
static char *
rule_with_segment(const char *name)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTOID};
	Datum		argument = name != NULL ? CStringGetTextDatum(name) : (Datum) 0;
	const char *nulls = name != NULL ? " " : "n";
	char	   *rule = NULL;
	OwnerScope	scope;

	SPI_connect();
	owner_begin(&scope);
	if (SPI_execute_snapshot(plan_get(&plan, query_segment_rule, 1, types),
							 &argument, nulls, GetLatestSnapshot(),
							 InvalidSnapshot, false, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "rules could not be read");
	owner_end(&scope);
	if (SPI_processed > 0)
	{
		char	   *found = SPI_getvalue(SPI_tuptable->vals[0],
										 SPI_tuptable->tupdesc, 1);

		rule = SPI_palloc(strlen(found) + 1);
		strcpy(rule, found);
	}
	SPI_finish();
	return rule;
}

static void
rename_in_rules(const char *from, const char *to)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTOID, TEXTOID};
	Datum		arguments[] = {CStringGetTextDatum(from), CStringGetTextDatum(to)};
	OwnerScope	scope;

	SPI_connect();
	owner_begin(&scope);
	if (SPI_execute_plan(plan_get(&plan, query_segment_rename, 2, types),
						 arguments, NULL, false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "rules could not be updated");
	owner_end(&scope);
	SPI_finish();
}

/*
 * What has a condition for the segment, or for any if name is NULL: its name,
 * NULL where there is none, and its kind.
 */
static char *
user_of_segment(const char *name, char **kind)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTOID};
	Datum		argument = name != NULL ? CStringGetTextDatum(name) : (Datum) 0;
	const char *nulls = name != NULL ? " " : "n";
	MemoryContext context = CurrentMemoryContext;
	char	   *user = NULL;
	OwnerScope	scope;

	SPI_connect();
	owner_begin(&scope);
	if (SPI_execute_snapshot(plan_get(&plan, query_segment_user, 1, types),
							 &argument, nulls, GetLatestSnapshot(),
							 InvalidSnapshot, false, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "conditions could not be read");
	owner_end(&scope);
	if (SPI_processed > 0)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		*kind = MemoryContextStrdup(context, SPI_getvalue(row, desc, 1));
		user = MemoryContextStrdup(context, SPI_getvalue(row, desc, 2));
	}
	SPI_finish();
	return user;
}

static void
refuse_while_used(const char *name)
{
	char	   *kind;
	char	   *user = user_of_segment(name, &kind);

	if (user != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 name != NULL ?
				 errmsg("segment \"%s\" is still in use", name) :
				 errmsg("segments are still in use"),
				 errdetail("A condition of %s \"%s\" asks for the segment.", kind,
						   user),
				 errhint("Change the condition first.")));
}

static void
refuse_removal(const char *name)
{
	char	   *rule = rule_with_segment(name);

	if (rule != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 name != NULL ?
				 errmsg("segment \"%s\" is still in use", name) :
				 errmsg("segments are still in use"),
				 errdetail("Rule \"%s\" is for the users of the segment.", rule),
				 errhint("Take the segment out of nudge.rules.segments first.")));
	refuse_while_used(name);
}

/*
 * rules.segments follows a new name.  Conditions do not: they are documents that
 * people wrote.
 */
static void
rename_segment(const char *from, const char *to)
{
	char	   *kind;
	char	   *user = user_of_segment(from, &kind);

	if (user != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("segment \"%s\" cannot get another name", from),
				 errdetail("A condition of %s \"%s\" asks for the segment by its name.",
						   kind, user),
				 errhint("Make a segment of the other name, let conditions ask for that one, and then remove this one.")));
	rename_in_rules(from, to);
}

/*
 * Trigger on segments, after UPDATE OF name and DELETE of a row, and after
 * TRUNCATE.
 */
Datum
nudge_keep_segments(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = any_trigger(fcinfo, "keep_segments");

	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
	{
		refuse_removal(NULL);
		return PointerGetDatum(NULL);
	}

	trigger = after_row_trigger(fcinfo, "keep_segments");
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		refuse_removal(row_text(trigger, trigger->tg_trigtuple, "name"));
	else if (row_column_changes(trigger, "name"))
		rename_segment(row_text(trigger, trigger->tg_trigtuple, "name"),
					   row_text(trigger, trigger->tg_newtuple, "name"));
	return PointerGetDatum(NULL);
}
