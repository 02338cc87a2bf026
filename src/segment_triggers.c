/*-------------------------------------------------------------------------
 *
 * segment_triggers.c
 *	  Keeps the segments that rules name in step with nudge.segments.
 *
 * rules.segments is an array, which no foreign key can be put on; this is the
 * half of one that stands on the other table.  A rule that is being written locks
 * its segments (rule_checks.c), so that whoever removes one waits for it, and
 * then looks with a snapshot that is as new as can be.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "owner.h"
#include "plan.h"
#include "queries.h"
#include "row_trigger.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(nudge_keep_segments);

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
		rename_in_rules(row_text(trigger, trigger->tg_trigtuple, "name"),
						row_text(trigger, trigger->tg_newtuple, "name"));
	return PointerGetDatum(NULL);
}
