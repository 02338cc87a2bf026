/*-------------------------------------------------------------------------
 *
 * change_actions.c
 *	  Records changes of data as actions of their users.
 *
 * They are inserted by SQL, as the owner of pg_nudge's tables, so that the
 * trigger on nudge.actions evaluates them and the constraints hold.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "change_actions.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "owner.h"
#include "plan.h"
#include "queries.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Actions that are kept back, at most */
#define BATCH_ROWS 10000
#define BATCH_BYTES (8 * 1024 * 1024)

struct ChangeActions
{
	Datum		action_type;
	MemoryContext context;		/* of a batch */
	int			n;
	int			max;
	Size		bytes;
	Datum	   *users;
	Datum	   *data;
};

/* Most statements change few rows. */
#define FIRST_ROWS 32

ChangeActions *
change_actions_open(const char *action_type)
{
	ChangeActions *actions = palloc(sizeof(ChangeActions));

	actions->max = FIRST_ROWS;
	actions->users = palloc(FIRST_ROWS * sizeof(Datum));
	actions->data = palloc(FIRST_ROWS * sizeof(Datum));
	actions->action_type = CStringGetTextDatum(action_type);
	actions->context = AllocSetContextCreate(CurrentMemoryContext,
											 "pg_nudge changes",
											 ALLOCSET_DEFAULT_SIZES);
	actions->n = 0;
	actions->bytes = 0;
	return actions;
}

static void
insert_batch(ChangeActions *actions)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTARRAYOID, TEXTOID, JSONBARRAYOID};
	MemoryContext old = MemoryContextSwitchTo(actions->context);
	Datum		arguments[3];
	OwnerScope	scope;

	arguments[0] = PointerGetDatum(construct_array(actions->users, actions->n,
												   TEXTOID, -1, false,
												   TYPALIGN_INT));
	arguments[1] = actions->action_type;
	arguments[2] = PointerGetDatum(construct_array(actions->data, actions->n,
												   JSONBOID, -1, false,
												   TYPALIGN_INT));
	SPI_connect();
	owner_begin(&scope);
	if (SPI_execute_plan(plan_get(&plan, query_change_actions, 3, types),
						 arguments, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "actions could not be inserted");
	owner_end(&scope);
	SPI_finish();
	MemoryContextSwitchTo(old);
	MemoryContextReset(actions->context);
	actions->n = 0;
	actions->bytes = 0;
}

void
change_actions_add(ChangeActions *actions, const text *user_id,
				   const Jsonb *data)
{
	MemoryContext old = MemoryContextSwitchTo(actions->context);

	if (actions->n == actions->max)
	{
		actions->max *= 2;
		actions->users = repalloc(actions->users, actions->max * sizeof(Datum));
		actions->data = repalloc(actions->data, actions->max * sizeof(Datum));
	}
	actions->users[actions->n] =
		PointerGetDatum(cstring_to_text_with_len(VARDATA_ANY(user_id),
												 VARSIZE_ANY_EXHDR(user_id)));
	actions->data[actions->n] = PointerGetDatum(palloc(VARSIZE(data)));
	memcpy(DatumGetPointer(actions->data[actions->n]), data, VARSIZE(data));
	MemoryContextSwitchTo(old);
	actions->n++;
	actions->bytes += VARSIZE(data);
	if (actions->n >= BATCH_ROWS || actions->bytes >= BATCH_BYTES)
		insert_batch(actions);
}

void
change_actions_close(ChangeActions *actions)
{
	if (actions->n > 0)
		insert_batch(actions);
	MemoryContextDelete(actions->context);
	pfree(actions->users);
	pfree(actions->data);
	pfree(actions);
}
