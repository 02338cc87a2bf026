/*-------------------------------------------------------------------------
 *
 * never_fires.c
 *	  Rules that can never fire, and the warning about them.
 *
 * A rule and its conditions are written by several statements, so that a rule is
 * judged when the transaction ends, by a deferred constraint trigger.  It fires
 * for each changed row, but looks at each rule once: what was judged is kept in
 * a table of the transaction's, and taken out again when the rule changes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "never_fires.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "owner.h"
#include "plan.h"
#include "queries.h"
#include "relations.h"
#include "row_trigger.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Thresholds of the three ways of firing, as in evaluate.c */
#define EVERY_SCORE 0.5
#define MEAN_SCORE 0.7
#define ANY_SCORE 0.8

/* What rounding may take from a mean */
#define TOLERANCE 1e-9

PG_FUNCTION_INFO_V1(nudge_warn_never_fires);

/* Rule ids judged in this transaction; lives in its memory context */
static HTAB *judged = NULL;
static MemoryContextCallback judged_callback;

static void
forget_judged(void *arg)
{
	judged = NULL;
}

void
rule_judged(int64 rule_id)
{
	if (judged == NULL)
	{
		HASHCTL		control;

		control.keysize = sizeof(int64);
		control.entrysize = sizeof(int64);
		control.hcxt = TopTransactionContext;
		judged = hash_create("rules judged", 64, &control,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		judged_callback.func = forget_judged;
		MemoryContextRegisterResetCallback(TopTransactionContext,
										   &judged_callback);
	}
	hash_search(judged, &rule_id, HASH_ENTER, NULL);
}

void
rule_changed(int64 rule_id)
{
	if (judged != NULL)
		hash_search(judged, &rule_id, HASH_REMOVE, NULL);
}

static bool
is_judged(int64 rule_id)
{
	return judged != NULL &&
		hash_search(judged, &rule_id, HASH_FIND, NULL) != NULL;
}

/*
 * Could an action of this type satisfy the condition, as far as types go?
 */
static bool
type_may_satisfy(const Condition *condition, Bytes type)
{
	static const char page_visit[] = "page_visit";

	if (condition->type == CONDITION_ALL || condition->type == CONDITION_ANY)
	{
		bool		all = condition->type == CONDITION_ALL;

		for (int i = 0; i < condition->nmembers; i++)
		{
			if (type_may_satisfy(&condition->members[i], type) != all)
				return !all;
		}
		return all;
	}
	if (condition->type == CONDITION_PAGE_VISIT)
		return type.length == strlen(page_visit) &&
			memcmp(type.data, page_visit, type.length) == 0;
	if (condition->type != CONDITION_ACTION_TYPE)
		return true;
	for (int i = 0; i < condition->npatterns; i++)
	{
		Bytes		pattern = condition->patterns[i];

		if (condition->op == OPERATOR_CONTAINS ?
			memmem(type.data, type.length, pattern.data, pattern.length) != NULL :
			type.length == pattern.length &&
			memcmp(type.data, pattern.data, type.length) == 0)
			return true;
	}
	return false;
}

/*
 * Where all conditions must hold, one type of action has to satisfy them all.
 * Returns whether there may be one, going by a condition that lists the types
 * which it takes.
 */
static bool
types_agree(const Condition *conditions, int n, int *lister)
{
	static Bytes page_visit = {"page_visit", 10};
	const Bytes *types = NULL;
	int			ntypes = 0;

	for (int i = 0; i < n && types == NULL; i++)
	{
		*lister = i;
		if (conditions[i].type == CONDITION_PAGE_VISIT)
		{
			types = &page_visit;
			ntypes = 1;
		}
		else if (conditions[i].type == CONDITION_ACTION_TYPE &&
				 conditions[i].op == OPERATOR_EQUALS)
		{
			types = conditions[i].patterns;
			ntypes = conditions[i].npatterns;
		}
	}
	if (types == NULL)
		return true;

	for (int t = 0; t < ntypes; t++)
	{
		bool		satisfies = true;

		for (int i = 0; i < n && satisfies; i++)
			satisfies = type_may_satisfy(&conditions[i], types[t]);
		if (satisfies)
			return true;
	}
	return false;
}

static const char *
behavioral_never_fires(const Condition *conditions, int n)
{
	int			lister;

	for (int i = 0; i < n; i++)
	{
		if (conditions[i].weight < EVERY_SCORE)
			return psprintf("The weight %g of conditions[%d] keeps its score below %g.",
							conditions[i].weight, i, EVERY_SCORE);
	}
	if (!types_agree(conditions, n, &lister))
		return psprintf("No action has a type that satisfies conditions[%d] and the others at once.",
						lister);
	return NULL;
}

static const char *
engagement_never_fires(const Condition *conditions, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += conditions[i].weight;
	if (n == 0)
		return "An engagement rule without conditions does not fire.";
	if (sum / n < MEAN_SCORE - TOLERANCE)
		return psprintf("The weights keep the mean of the scores at %g or below, but it has to reach %g.",
						sum / n, MEAN_SCORE);
	return NULL;
}

const char *
rule_never_fires(TriggerType trigger_type, const Condition *conditions, int n)
{
	if (trigger_type == TRIGGER_BEHAVIORAL)
		return behavioral_never_fires(conditions, n);
	if (trigger_type == TRIGGER_ENGAGEMENT)
		return engagement_never_fires(conditions, n);

	for (int i = 0; i < n; i++)
	{
		if (conditions[i].weight >= ANY_SCORE)
			return NULL;
	}
	if (n == 0)
		return "A rule of its type does not fire without conditions.";
	return psprintf("No condition has a weight of %g or more, and one has to score that much.",
					ANY_SCORE);
}

void
warn_never_fires(const char *name, const char *reason)
{
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("rule \"%s\" can never fire", name),
			 errdetail_internal("%s", reason),
			 errhint("Change its conditions, their weights or its type.")));
}

/*
 * Brings a row of query_rule_conditions into its parsed form; false where it is
 * not one of ours.  jsonpaths are left alone: compiling them may raise an error.
 */
static bool
read_condition(Condition *condition, const Datum *values, const bool *nulls)
{
	FaultList	faults = {NIL};
	char	   *type = TextDatumGetCString(values[2]);

	/* A group may have a jsonpath within it. */
	if (strcmp(type, condition_type_name(CONDITION_JSONPATH)) == 0)
	{
		memset(condition, 0, sizeof(Condition));
		condition->type = CONDITION_JSONPATH;
		condition->weight = DatumGetFloat8(values[5]);
		return true;
	}
	return condition_check(condition, type, TextDatumGetCString(values[3]),
						   DatumGetJsonbP(values[4]), DatumGetFloat8(values[5]),
						   &faults, "");
}

static void
judge_rows(const SPITupleTable *rows)
{
	Condition  *conditions = palloc(rows->numvals * sizeof(Condition));
	int			n = 0;
	Datum		values[7];
	bool		nulls[7];
	const char *reason;

	for (uint64 row = 0; row < rows->numvals; row++)
	{
		heap_deform_tuple(rows->vals[row], rows->tupdesc, values, nulls);
		if (!nulls[2] && !read_condition(&conditions[n++], values, nulls))
			return;
	}
	/* What time makes fire needs no conditions. */
	if (n == 0 && DatumGetBool(values[6]))
		return;
	reason = rule_never_fires(nudge_enum_ordinal(NUDGE_TRIGGER_TYPE,
												 DatumGetObjectId(values[1])),
							  conditions, n);
	if (reason != NULL)
		warn_never_fires(TextDatumGetCString(values[0]), reason);
}

static void
judge(int64 rule_id)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {INT8OID};
	Datum		argument = Int64GetDatum(rule_id);
	OwnerScope	scope;

	SPI_connect();
	owner_begin(&scope);
	if (SPI_execute_plan(plan_get(&plan, query_rule_conditions, 1, types),
						 &argument, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "conditions could not be read");
	owner_end(&scope);
	if (SPI_processed > 0)		/* else the rule is gone */
		judge_rows(SPI_tuptable);
	SPI_finish();
}

/*
 * Constraint trigger on rules and conditions, deferred.
 */
Datum
nudge_warn_never_fires(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = after_row_trigger(fcinfo, "warn_never_fires");
	bool		isnull;
	Datum		rule_id = row_column(trigger, trigger_row(trigger), "rule_id",
									 &isnull);

	if (!isnull && !is_judged(DatumGetInt64(rule_id)))
	{
		rule_judged(DatumGetInt64(rule_id));
		judge(DatumGetInt64(rule_id));
	}
	return PointerGetDatum(NULL);
}
