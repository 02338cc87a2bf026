/*-------------------------------------------------------------------------
 *
 * channel_names.c
 *	  Names of channels, as configuration is checked against them.
 *
 * Read from the table, not from the compiled rules: writing many rules would
 * compile all of them again for each.  Before an upgrade, which brings the table,
 * there are three.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "channel_names.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "json_input.h"
#include "owner.h"
#include "plan.h"
#include "queries.h"
#include "relations.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define MAX_NAME_BYTES 63

/* So many channels are listed in a hint. */
#define MAX_LISTED 50

static const char *const first_names[] = {"email", "push", "sms"};

bool
channel_name_is_good(const char *name)
{
	size_t		length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return name[length] == '\0' && length >= 1 && length <= MAX_NAME_BYTES &&
		name[0] >= 'a' && name[0] <= 'z';
}

static void
mark(bool *found, const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		found[i] |= names[i] != NULL && strcmp(names[i], name) == 0;
}

static Datum
name_array(const char *const *names, int n)
{
	Datum	   *elements = palloc(Max(n, 1) * sizeof(Datum));
	int			nelements = 0;

	for (int i = 0; i < n; i++)
	{
		if (names[i] != NULL)
			elements[nelements++] = CStringGetTextDatum(names[i]);
	}
	return PointerGetDatum(construct_array(elements, nelements, TEXTOID, -1,
										   false, TYPALIGN_INT));
}

bool *
channel_names_lock(const char *const *names, int n)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTARRAYOID};
	bool	   *found = palloc0(Max(n, 1) * sizeof(bool));
	OwnerScope	scope;
	Datum		array;

	if (!nudge_relation_exists(NUDGE_CHANNELS))
	{
		for (int i = 0; i < lengthof(first_names); i++)
			mark(found, names, n, first_names[i]);
		return found;
	}

	array = name_array(names, n);
	SPI_connect();
	owner_begin(&scope);
	if (SPI_execute_plan(plan_get(&plan, query_channels_lock, 1, types),
						 &array, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "channels could not be read");
	owner_end(&scope);
	for (uint64 i = 0; i < SPI_processed; i++)
		mark(found, names, n, SPI_getvalue(SPI_tuptable->vals[i],
										   SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return found;
}

char *
channel_names_hint(void)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext context = CurrentMemoryContext;
	const char *names[MAX_LISTED];
	OwnerScope	scope;
	MemoryContext old;
	char	   *hint;
	int			n;

	if (!nudge_relation_exists(NUDGE_CHANNELS))
		return psprintf("Channels are %s.",
						enumerate(first_names, lengthof(first_names)));

	SPI_connect();
	owner_begin(&scope);
	if (SPI_execute_plan(plan_get(&plan, query_channel_names, 0, NULL), NULL, NULL,
						 true, MAX_LISTED) != SPI_OK_SELECT)
		elog(ERROR, "channels could not be read");
	owner_end(&scope);
	n = SPI_processed;
	for (int i = 0; i < n; i++)
		names[i] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	old = MemoryContextSwitchTo(context);
	hint = n > 0 ? psprintf("Channels are %s.", enumerate(names, n)) :
		pstrdup("Insert channels into nudge.channels first.");
	MemoryContextSwitchTo(old);
	SPI_finish();
	return hint;
}
