/*-------------------------------------------------------------------------
 *
 * create_rule.c
 *	  nudge.create_rule: a whole rule out of one JSON document.
 *
 * The rows are written by plain INSERTs as the user who calls, whose privileges
 * on the tables decide.  Names that are missing or taken are looked for
 * beforehand, so that they are reported along with all other faults; should
 * another session be faster, the constraints of the tables refuse the rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "never_fires.h"
#include "plan.h"
#include "queries.h"
#include "relations.h"
#include "rule_config.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(nudge_create_rule);

/* Columns of a rule that version 0.1.0 has, and that are always inserted */
#define NFIRST_COLUMNS 12

static Datum
text_or_null(const char *value, char *null)
{
	*null = value == NULL ? 'n' : ' ';
	return value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
}

static Datum
text_array(const TextList *list)
{
	Datum	   *elements = palloc(Max(list->n, 1) * sizeof(Datum));

	for (int i = 0; i < list->n; i++)
		elements[i] = CStringGetTextDatum(list->items[i]);
	return PointerGetDatum(construct_array(elements, list->n, TEXTOID, -1,
										   false, TYPALIGN_INT));
}

static Datum
document_or_null(const Jsonb *document, char *null)
{
	*null = document == NULL ? 'n' : ' ';
	return JsonbPGetDatum(document);
}

static Datum
times_or_null(bool given, const TimeADT *times, char *null)
{
	Datum		elements[2] = {TimeADTGetDatum(times[0]), TimeADTGetDatum(times[1])};

	*null = given ? ' ' : 'n';
	return PointerGetDatum(construct_array(elements, 2, TIMEOID, sizeof(TimeADT),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * Whether a query about a text finds anything
 */
static bool
finds(SPIPlanPtr *plan, const char *query, const char *value)
{
	static const Oid types[] = {TEXTOID};
	Datum		argument = CStringGetTextDatum(value);
	bool		found;

	SPI_connect();
	if (SPI_execute_plan(plan_get(plan, query, 1, types), &argument, NULL,
						 false, 1) != SPI_OK_SELECT)
		elog(ERROR, "configuration could not be read");
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

static void
check_name(const RuleConfig *config, FaultList *faults)
{
	static SPIPlanPtr plan = NULL;

	if (config->name != NULL &&
		finds(&plan, query_rule_name_taken, config->name))
		fault_add(faults, ERRCODE_UNIQUE_VIOLATION, "name",
				  "Choose another name, or change the rule in nudge.rules.",
				  "a rule named \"%s\" exists", config->name);
}

void
rule_config_check_references(const RuleConfig *config, FaultList *faults)
{
	static SPIPlanPtr template_plan = NULL;

	if (config->template_id != NULL &&
		!finds(&template_plan, query_template_known, config->template_id))
		fault_add(faults, ERRCODE_FOREIGN_KEY_VIOLATION, "template_id",
				  "Insert it into nudge.templates first.",
				  "template \"%s\" does not exist", config->template_id);
	check_segments(faults, &config->segments);
	for (int i = 0; i < config->nconditions; i++)
	{
		char	   *path = psprintf("conditions[%d]", i);

		if (!config->good[i])
			continue;
		check_condition_references(faults, path, &config->conditions[i],
								   config->name);
		check_condition_stages(faults, path, &config->conditions[i]);
	}
}

static void
run_insert(SPIPlanPtr plan, Datum *values, const char *nulls)
{
	int			result = SPI_execute_plan(plan, values, nulls, false, 0);

	if (result != SPI_OK_INSERT && result != SPI_OK_INSERT_RETURNING)
		elog(ERROR, "insert of a rule failed: %s", SPI_result_code_string(result));
}

static int64
insert_rule(RuleConfig *config)
{
	static SPIPlanPtr plan = NULL;
	static SPIPlanPtr delivery_plan = NULL;
	static const Oid types[] = {
		TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INTERVALOID,
		INTERVALOID, TEXTARRAYOID, JSONBOID, TEXTARRAYOID, TEXTARRAYOID,
		JSONBOID, JSONBOID, TEXTOID, TIMEARRAYOID, TEXTARRAYOID, FLOAT8OID,
		TEXTOID, TEXTOID, INTERVALOID
	};
	char		nulls[] = "                     ";
	bool		isnull;
	Datum		values[] = {
		CStringGetTextDatum(config->name),
		text_or_null(config->description, &nulls[1]),
		CStringGetTextDatum(nudge_enum_label(NUDGE_TRIGGER_TYPE, config->trigger_type)),
		CStringGetTextDatum(nudge_enum_label(NUDGE_PRIORITY_TYPE, config->priority)),
		CStringGetTextDatum(nudge_enum_label(NUDGE_RULE_STATUS_TYPE, config->status)),
		text_or_null(config->template_id, &nulls[5]),
		IntervalPGetDatum(&config->delay),
		IntervalPGetDatum(&config->expiry),
		text_array(&config->segments),
		JsonbPGetDatum(config->personalization),
		text_array(&config->channels),
		text_array(&config->cancel_on),
		document_or_null(config->reentry, &nulls[12]),
		document_or_null(config->schedule, &nulls[13]),
		text_or_null(config->topic, &nulls[14]),
		times_or_null(config->has_send_between, config->send_between, &nulls[15]),
		text_array(&config->send_on),
		Float8GetDatum(config->holdout_percent),
		text_or_null(config->urgency < 0 ? NULL :
					 nudge_enum_label(NUDGE_URGENCY_TYPE, config->urgency),
					 &nulls[18]),
		CStringGetTextDatum(nudge_enum_label(NUDGE_CHANNEL_STRATEGY_TYPE,
											 config->channel_strategy)),
		IntervalPGetDatum(&config->fallback_after)
	};

	StaticAssertStmt(lengthof(values) == lengthof(types) &&
					 sizeof(nulls) == lengthof(types) + 1, "columns differ");
	nulls[7] = config->has_expiry ? ' ' : 'n';
	nulls[16] = config->has_send_on ? ' ' : 'n';
	/* What an older version has columns for goes without the others. */
	if (config->has_delivery)
	{
		(void) nudge_relation(NUDGE_CHANNELS);	/* came with them */
		run_insert(plan_get(&delivery_plan, query_rule_insert_delivery,
							lengthof(types), types), values, nulls);
	}
	else
		run_insert(plan_get(&plan, query_rule_insert, NFIRST_COLUMNS, types),
				   values, nulls);
	if (SPI_processed != 1)		/* by somebody's own trigger */
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("rule \"%s\" was not inserted", config->name),
				 errdetail("A trigger or a rule on nudge.rules discarded the row."),
				 errhint("Remove the trigger.")));
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
}

/*
 * Columns since 0.4.0, of which an older version hears nothing.
 */
static void
set_optimization(int64 rule_id, const RuleConfig *config)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID, BOOLOID};
	char		nulls[] = "     ";
	Datum		values[] = {
		Int64GetDatum(rule_id),
		text_or_null(config->send_time, &nulls[1]),
		text_or_null(config->allocation, &nulls[2]),
		text_or_null(config->goal, &nulls[3]),
		BoolGetDatum(config->auto_optimize)
	};

	if (config->send_time == NULL && config->allocation == NULL &&
		config->goal == NULL && !config->auto_optimize)
		return;
	if (SPI_execute_plan(plan_get(&plan, query_rule_set_optimization,
								  lengthof(types), types),
						 values, nulls, false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "update of a rule failed");
}

static void
insert_conditions(int64 rule_id, const RuleConfig *config)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {
		INT8OID, INT4OID, TEXTOID, TEXTOID, JSONBOID, FLOAT8OID
	};

	for (int i = 0; i < config->nconditions; i++)
	{
		const Condition *condition = &config->conditions[i];
		Datum		values[] = {
			Int64GetDatum(rule_id),
			Int32GetDatum(i),
			CStringGetTextDatum(config->written[i].type),
			CStringGetTextDatum(condition_operator_name(condition->op)),
			JsonbPGetDatum(config->written[i].parameters),
			Float8GetDatum(condition->weight)
		};

		CHECK_FOR_INTERRUPTS();
		run_insert(plan_get(&plan, query_condition_insert, lengthof(types), types),
				   values, NULL);
	}
}

static void
insert_caps(int64 rule_id, const RuleConfig *config)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {INT8OID, TEXTOID, INT4OID};

	for (int i = 0; i < NUM_CAP_PERIODS; i++)
	{
		Datum		values[] = {
			Int64GetDatum(rule_id),
			CStringGetTextDatum(nudge_enum_label(NUDGE_CAP_PERIOD_TYPE, i)),
			Int32GetDatum(config->caps[i])
		};

		if (config->caps[i] > 0)
			run_insert(plan_get(&plan, query_frequency_cap_insert,
								lengthof(types), types), values, NULL);
	}
}

/*
 * nudge.create_rule(config jsonb): the id of the rule that the document
 * describes.  All faults of the document are reported at once.
 */
Datum
nudge_create_rule(PG_FUNCTION_ARGS)
{
	FaultList	faults = {NIL};
	RuleConfig	config;
	const char *reason;
	int64		rule_id;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("config must not be null"),
				 errdetail("A rule is described by a JSON object."),
				 errhint("Pass an object that has at least name and type.")));
	rule_config_read(&config, PG_GETARG_JSONB_P(0), &faults);
	check_name(&config, &faults);
	rule_config_check_references(&config, &faults);
	fault_report(&faults, config.name == NULL ? "rule" :
				 psprintf("rule \"%s\"", config.name));

	SPI_connect();
	rule_id = insert_rule(&config);
	set_optimization(rule_id, &config);
	insert_conditions(rule_id, &config);
	insert_caps(rule_id, &config);
	SPI_finish();

	reason = rule_never_fires(config.trigger_type, config.conditions,
							  config.nconditions);
	/* What time makes fire needs no conditions. */
	if (reason != NULL && (config.schedule == NULL || config.nconditions > 0))
		warn_never_fires(config.name, reason);
	rule_judged(rule_id);
	PG_RETURN_INT64(rule_id);
}
