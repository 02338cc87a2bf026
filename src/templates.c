/*-------------------------------------------------------------------------
 *
 * templates.c
 *	  Templates of messages, read out of nudge.templates.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "templates.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "plan.h"
#include "queries.h"
#include "utils/array.h"
#include "utils/builtins.h"

static int
compare_templates(const void *a, const void *b)
{
	const MessageTemplate *left = a;
	const MessageTemplate *right = b;
	int			order = strcmp(left->template_id, right->template_id);

	return order != 0 ? order : strcmp(left->channel, right->channel);
}

const MessageTemplate *
templates_find(const Templates *templates, const char *id, const char *channel)
{
	MessageTemplate key;

	if (id == NULL || templates->n == 0)
		return NULL;
	key.template_id = (char *) id;
	key.channel = (char *) channel;
	return bsearch(&key, templates->templates, templates->n,
				   sizeof(MessageTemplate), compare_templates);
}

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/*
 * Array of the different ids
 */
static Datum
id_array(char **ids, int n)
{
	ArrayBuildState *array = initArrayResult(TEXTOID, CurrentMemoryContext, false);

	qsort(ids, n, sizeof(char *), compare_strings);
	for (int i = 0; i < n; i++)
	{
		if (i == 0 || strcmp(ids[i], ids[i - 1]) != 0)
			array = accumArrayResult(array, CStringGetTextDatum(ids[i]), false,
									 TEXTOID, CurrentMemoryContext);
	}
	return makeArrayResult(array, CurrentMemoryContext);
}

static void
read_template(HeapTuple tuple, TupleDesc desc, MessageTemplate *template)
{
	Datum		texts[NUM_MESSAGE_FIELDS];

	template->template_id = SPI_getvalue(tuple, desc, 1);
	template->channel = SPI_getvalue(tuple, desc, 2);
	for (int i = 0; i < NUM_MESSAGE_FIELDS; i++)
	{
		bool		isnull;

		texts[i] = SPI_getbinval(tuple, desc, 3 + i, &isnull);
		if (isnull)
			texts[i] = (Datum) 0;
	}
	message_template_parse(template, texts);
}

void
templates_load(Templates *templates, char **ids, int nids)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTARRAYOID};
	SPITupleTable *table;
	Datum		array;
	int			n;

	templates->n = 0;
	if (nids == 0)
		return;
	array = id_array(ids, nids);
	if (SPI_execute_plan(plan_get(&plan, query_executor_templates, 1, types),
						 &array, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read templates");
	table = SPI_tuptable;
	n = SPI_processed;
	templates->templates = palloc0(Max(n, 1) * sizeof(MessageTemplate));
	for (int i = 0; i < n; i++)
		read_template(table->vals[i], table->tupdesc, &templates->templates[i]);
	templates->n = n;
	qsort(templates->templates, n, sizeof(MessageTemplate), compare_templates);
	SPI_freetuptable(table);
}
