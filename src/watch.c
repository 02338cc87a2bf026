/*-------------------------------------------------------------------------
 *
 * watch.c
 *	  Triggers that make actions out of changes of data.
 *
 * nudge.watch() stands on application tables, where nudge.watch_table() puts it;
 * its arguments say what is watched: the column with the user, the action's type,
 * and the watched columns; without those, all.  They are names, since they are
 * dumped with the table.  nudge.watch_users() stands on nudge.users.
 *
 * The application's statement must not fail for a reason of ours: a column that
 * is not there any more is no longer watched, and a WARNING says so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "change.h"
#include "change_actions.h"
#include "changed_rows.h"
#include "miscadmin.h"
#include "pg_nudge.h"
#include "source_column.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#define USERS_ACTION_TYPE "profile_updated"

PG_FUNCTION_INFO_V1(nudge_watch);
PG_FUNCTION_INFO_V1(nudge_watch_users);

/* How a column's change is told */
typedef void (*ChangeTeller) (Change *change, SourceColumn *column,
							  const ChangedValue *value);

typedef struct Watched
{
	SourceColumn column;
	ChangeTeller tell;
} Watched;

typedef struct Watch
{
	const TriggerData *trigger;
	const char *action_type;
	SourceColumn user;
	int			ncolumns;
	Watched    *columns;
} Watch;

static void
warn_missing(const TriggerData *trigger, const char *column, bool is_user)
{
	const char *table = RelationGetRelationName(trigger->tg_relation);

	if (!first_in_session(trigger->tg_trigger->tgoid, column))
		return;
	ereport(WARNING,
			(errmsg("watched table \"%s\" has no column \"%s\" any more", table, column),
			 is_user ?
			 errdetail("It said which user a row belongs to, so changes of the table do not become actions.") :
			 errdetail("Changes of the other watched columns become actions as before."),
			 errhint("Call nudge.watch_table() again with the new name.")));
}

static void
tell_hidden(Change *change, SourceColumn *column, const ChangedValue *value)
{
	change_hidden(change, column, value);
}

static void
tell_document(Change *change, SourceColumn *column, const ChangedValue *value)
{
	change_document(change, column, value);
}

static void
watch_column(Watch *watch, TupleDesc desc, AttrNumber attnum, ChangeTeller tell)
{
	Watched    *watched = &watch->columns[watch->ncolumns++];

	source_column_init(&watched->column, desc, attnum);
	watched->tell = tell;
}

/*
 * Reads what the trigger's arguments say; false where there is nothing to watch.
 */
static bool
watch_of_arguments(Watch *watch, const TriggerData *trigger)
{
	Trigger    *definition = trigger->tg_trigger;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	if (definition->tgnargs < 2)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" gives nudge.watch() too few arguments",
						definition->tgname),
				 errdetail("It needs the column with the user and the type of the actions."),
				 errhint("Drop the trigger; nudge.watch_table() creates the right ones.")));
	watch->trigger = trigger;
	watch->action_type = definition->tgargs[1];
	watch->ncolumns = 0;
	watch->columns = palloc((desc->natts + definition->tgnargs) * sizeof(Watched));
	if (!source_column_find(&watch->user, desc, definition->tgargs[0]))
	{
		warn_missing(trigger, definition->tgargs[0], true);
		return false;
	}
	if (definition->tgnargs == 2)
	{
		for (int i = 0; i < desc->natts; i++)
		{
			if (!TupleDescAttr(desc, i)->attisdropped)
				watch_column(watch, desc, i + 1, change_column);
		}
		return true;
	}
	for (int i = 2; i < definition->tgnargs; i++)
	{
		SourceColumn column;

		if (source_column_find(&column, desc, definition->tgargs[i]))
			watch_column(watch, desc, column.attnum, change_column);
		else
			warn_missing(trigger, definition->tgargs[i], false);
	}
	return watch->ncolumns > 0;
}

/*
 * How a column of nudge.users is watched; NULL: it is not.  The engine itself
 * keeps the times and the stage.
 */
static ChangeTeller
teller_of_users(const char *column)
{
	static const char *const not_watched[] = {"created_at", "updated_at",
	"lifecycle_stage"};
	static const char *const addresses[] = {"email", "phone", "push_token"};
	static const char *const documents[] = {"profile", "behavior", "preferences"};

	for (int i = 0; i < lengthof(not_watched); i++)
	{
		if (strcmp(column, not_watched[i]) == 0)
			return NULL;
	}
	for (int i = 0; i < lengthof(addresses); i++)
	{
		if (strcmp(column, addresses[i]) == 0)
			return tell_hidden;
	}
	for (int i = 0; i < lengthof(documents); i++)
	{
		if (strcmp(column, documents[i]) == 0)
			return tell_document;
	}
	return change_column;
}

static void
watch_of_users(Watch *watch, const TriggerData *trigger)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	watch->trigger = trigger;
	watch->action_type = USERS_ACTION_TYPE;
	watch->ncolumns = 0;
	watch->columns = palloc(desc->natts * sizeof(Watched));
	if (!source_column_find(&watch->user, desc, "user_id"))
		elog(ERROR, "relation \"%s\" has no column \"user_id\"",
			 RelationGetRelationName(trigger->tg_relation));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		ChangeTeller tell;

		if (attribute->attisdropped)
			continue;
		tell = teller_of_users(NameStr(attribute->attname));
		if (tell != NULL)
			watch_column(watch, desc, i + 1, tell);
	}
}

static AttrNumber
last_column(const Watch *watch)
{
	AttrNumber	last = watch->user.attnum;

	for (int i = 0; i < watch->ncolumns; i++)
		last = Max(last, watch->columns[i].column.attnum);
	return last;
}

/*
 * The action of the row in hand: who, and what changed; false where there is none.
 */
static bool
action_of_row(Watch *watch, const ChangedRows *rows, const char *operation,
			  const char *table, text **user_id, Jsonb **data)
{
	TupleTableSlot *row = rows->new_row != NULL ? rows->new_row : rows->old_row;
	Change		change;
	bool		isnull;
	Datum		user = changed_row_value(row, watch->user.attnum, &isnull);

	if (isnull)
		return false;
	change_begin(&change);
	for (int i = 0; i < watch->ncolumns; i++)
	{
		Watched    *watched = &watch->columns[i];
		AttrNumber	attnum = watched->column.attnum;
		ChangedValue value;

		value.old_value = changed_row_value(rows->old_row, attnum, &value.old_null);
		value.new_value = changed_row_value(rows->new_row, attnum, &value.new_null);
		watched->tell(&change, &watched->column, &value);
	}
	*data = change_finish(&change, operation, table);
	if (*data == NULL)
		return false;
	*user_id = source_user_id(&watch->user, user, isnull);
	return *user_id != NULL;
}

static const char *
operation_name(const TriggerData *trigger)
{
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		return "INSERT";
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? "UPDATE" : "DELETE";
}

static void
watch_rows(Watch *watch)
{
	Relation	relation = watch->trigger->tg_relation;
	const char *operation = operation_name(watch->trigger);
	const char *table;
	ChangedRows rows;
	ChangeActions *actions;
	MemoryContext row_context;

	if (!changed_rows_open(&rows, watch->trigger, last_column(watch)))
		return;
	table = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
									   RelationGetRelationName(relation));
	actions = change_actions_open(watch->action_type);
	row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_nudge row",
										ALLOCSET_DEFAULT_SIZES);
	while (changed_rows_next(&rows))
	{
		MemoryContext old = MemoryContextSwitchTo(row_context);
		text	   *user_id;
		Jsonb	   *data;

		if (action_of_row(watch, &rows, operation, table, &user_id, &data))
			change_actions_add(actions, user_id, data);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
	MemoryContextDelete(row_context);
	change_actions_close(actions);
	changed_rows_close(&rows);
}

/*
 * Trigger on application tables, after a statement
 */
Datum
nudge_watch(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = changed_rows_trigger(fcinfo, "watch");
	Watch		watch;

	if (!IsBinaryUpgrade && watch_of_arguments(&watch, trigger))
		watch_rows(&watch);
	return PointerGetDatum(NULL);
}

/*
 * Trigger on nudge.users, after a statement
 */
Datum
nudge_watch_users(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = changed_rows_trigger(fcinfo, "watch_users");
	Watch		watch;

	if (nudge_watch_users_setting && !IsBinaryUpgrade)
	{
		watch_of_users(&watch, trigger);
		watch_rows(&watch);
	}
	return PointerGetDatum(NULL);
}
