/*-------------------------------------------------------------------------
 *
 * liquid_sql.c
 *	  SQL functions of the Liquid templates, and partials out of
 *	  nudge.templates.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "queries.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(nudge_render_template);
PG_FUNCTION_INFO_V1(nudge_check_template);

/* Does nudge.templates exist? */
static bool
has_templates_table(void)
{
	Oid			schema = get_namespace_oid("nudge", true);

	return OidIsValid(schema) &&
		OidIsValid(get_relname_relid("templates", schema));
}

static SPIPlanPtr
partial_plan(void)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {TEXTOID};

	if (plan == NULL)
	{
		SPIPlanPtr	fresh = SPI_prepare(query_partial, 1, types);

		if (fresh == NULL || SPI_keepplan(fresh) != 0)
			elog(ERROR, "could not prepare the query for partials");
		plan = fresh;
	}
	return plan;
}

/*
 * Finds a partial in nudge.templates with the rights of the current user.
 * See LiquidPartialLoader.
 */
bool
liquid_load_partial(void *arg, const char *name, const char **source,
					int *len)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		value;
	bool		is_null = true;

	if (!has_templates_table())
		return false;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	value = CStringGetTextDatum(name);
	if (SPI_execute_plan(partial_plan(), &value, NULL, true, 1) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not look for a partial");
	if (SPI_processed > 0)
		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
							  1, &is_null);
	if (!is_null)
	{
		text	   *body = DatumGetTextPP(value);

		*len = VARSIZE_ANY_EXHDR(body);
		*source = MemoryContextAlloc(caller, *len + 1);
		memcpy((char *) *source, VARDATA_ANY(body), *len);
	}
	SPI_finish();
	return !is_null;
}

/* Raises what a rendering reports. */
static void
raise_result(const LiquidResult *result)
{
	if (result->status == LIQUID_ABORT)
		ereport(ERROR,
				(errcode(ERRCODE_RAISE_EXCEPTION),
				 errmsg("template aborted: %s", result->message)));
	ereport(ERROR,
			(errcode(result->sqlstate),
			 errmsg("template error: %s", result->message),
			 result->line > 0 ?
			 errdetail("The error is on line %d of the template.",
					   result->line) : 0,
			 result->sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED ?
			 errhint("Raise the setting, or make the template simpler.") : 0));
}

/*
 * nudge.render_template(template text, context jsonb, autoescape boolean)
 *
 * Without a template the result is null; without a context it is empty.
 */
Datum
nudge_render_template(PG_FUNCTION_ARGS)
{
	text	   *source;
	const LiquidTemplate *template;
	Jsonb	   *context;
	LiquidOptions options;
	LiquidResult result;
	StringInfoData out;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	source = PG_GETARG_TEXT_PP(0);
	context = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);
	template = liquid_cached(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source));

	liquid_default_options(&options);
	options.autoescape = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	options.loader = liquid_load_partial;
	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	if (liquid_render(template, context, &options, &out, &result) != LIQUID_OK)
		raise_result(&result);
	SET_VARSIZE(out.data, out.len);
	PG_RETURN_TEXT_P(out.data);
}

/* nudge.check_template(template text): raises where its syntax is wrong. */
Datum
nudge_check_template(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(0))
	{
		text	   *source = PG_GETARG_TEXT_PP(0);
		MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext,
												  "liquid check",
												  ALLOCSET_DEFAULT_SIZES);

		liquid_parse(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), cxt);
		MemoryContextDelete(cxt);
	}
	PG_RETURN_VOID();
}
