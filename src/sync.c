/*-------------------------------------------------------------------------
 *
 * sync.c
 *	  Keeps nudge.users in step with an application's own table of users.
 *
 * nudge.sync() stands on the application's table, where nudge.sync_users() puts
 * it; its argument is the mapping, with names of columns, since that is dumped with
 * the table.  nudge.backfill_users() takes over the rows that are there already.
 *
 * The application's statement must not fail for a reason of ours: values that
 * nudge.users would refuse are left out, with an event sync_error; a column that
 * is not there any more is no longer followed, and a WARNING says so.
 *
 * Locking: the rows of nudge.users whose attributes change, in order of user_id.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "sync.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "changed_rows.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pg_nudge.h"
#include "source_column.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(nudge_sync);
PG_FUNCTION_INFO_V1(nudge_backfill_users);

/* Rows that the backfill fetches at a time */
#define FETCH_ROWS 1000

/* An attribute of nudge.users, and the column that it comes from */
typedef struct SyncAttribute
{
	const char *name;			/* email, profile.first_name */
	int			place;			/* of a column or a document, see sync.h */
	SourceColumn column;
	AttributeSteps path;		/* in a document */

	/* Values that nudge.users cannot take */
	const char *fault;			/* what is wrong with the first */
	text	   *faulty_user;
	int64		faulty_rows;
} SyncAttribute;

struct Sync
{
	Oid			trigger;		/* 0: backfill */
	const char *table;
	bool		has_user;
	SourceColumn user;
	int			nattributes;
	SyncAttribute *attributes;
	SyncMapped	mapped;
	SyncWriter *writer;
	MemoryContext context;
	MemoryContext row_context;
};

/*
 * A column that the mapping names is gone; for backfill that has been checked.
 */
static void
warn_missing(const Sync *sync, const char *column, const char *attribute)
{
	if (OidIsValid(sync->trigger) && !first_in_session(sync->trigger, column))
		return;
	ereport(WARNING,
			(errmsg("table %s has no column \"%s\" any more, from which nudge.users takes %s",
					sync->table, column, attribute),
			 strcmp(attribute, "user_id") == 0 ?
			 errdetail("It said which user a row belongs to, so nudge.users no longer follows the table.") :
			 errdetail("The other attributes follow as before."),
			 errhint("Call nudge.sync_users() again with the new mapping.")));
}

static void
add_attribute(Sync *sync, const char *name, const SourceColumn *column)
{
	SyncAttribute *attribute = &sync->attributes[sync->nattributes++];
	const char *path;

	memset(attribute, 0, sizeof(SyncAttribute));
	attribute->name = name;
	attribute->column = *column;
	attribute->place = sync_place(name, &path);
	if (path != NULL)
	{
		attribute->path = attribute_steps(path);
		sync_mapped_path(&sync->mapped, attribute->place, path);
	}
	else
		sync->mapped.columns[attribute->place] = true;
}

/*
 * Reads the mapping {attribute: column}, which nudge.sync_users has checked.
 */
static void
read_mapping(Sync *sync, Jsonb *mapping, TupleDesc desc)
{
	JsonbIterator *iterator = JsonbIteratorInit(&mapping->root);
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;

	sync->attributes = palloc(Max(JB_ROOT_COUNT(mapping), 1) * sizeof(SyncAttribute));
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		char	   *name;
		char	   *column_name;
		SourceColumn column;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type != jbvString)
			continue;
		name = pnstrdup(key.val.string.val, key.val.string.len);
		column_name = pnstrdup(value.val.string.val, value.val.string.len);
		if (!source_column_find(&column, desc, column_name))
			warn_missing(sync, column_name, name);
		else if (strcmp(name, "user_id") == 0)
		{
			sync->user = column;
			sync->has_user = true;
		}
		else
			add_attribute(sync, name, &column);
	}
}

static Sync *
sync_open(const char *table, Oid trigger, Jsonb *mapping, TupleDesc desc)
{
	Sync	   *sync = palloc0(sizeof(Sync));

	sync->context = CurrentMemoryContext;
	sync->row_context = AllocSetContextCreate(CurrentMemoryContext,
											  "pg_nudge row",
											  ALLOCSET_DEFAULT_SIZES);
	sync->table = table;
	sync->trigger = trigger;
	if (!JB_ROOT_IS_OBJECT(mapping))
		elog(ERROR, "the mapping of table %s is no object", table);
	read_mapping(sync, mapping, desc);
	sync->writer = sync_writer_open(&sync->mapped);
	return sync;
}

/*
 * Takes note of a value that nudge.users would refuse.  The value itself is
 * nobody's business.
 */
static void
note_fault(Sync *sync, SyncAttribute *attribute, const char *fault,
		   const text *user_id)
{
	if (attribute->faulty_rows++ == 0)
	{
		MemoryContext old = MemoryContextSwitchTo(sync->context);

		attribute->fault = fault;
		attribute->faulty_user = cstring_to_text_with_len(VARDATA_ANY(user_id),
														  VARSIZE_ANY_EXHDR(user_id));
		MemoryContextSwitchTo(old);
	}
}

static void
read_text(Sync *sync, SyncAttribute *attribute, SyncUser *user, Datum value,
		  bool isnull)
{
	text	   *string = source_value_text(&attribute->column, value, isnull);
	const char *fault = NULL;

	if (string == NULL && !isnull)
		fault = "too long, or without a text form";
	else if (string != NULL && VARSIZE_ANY_EXHDR(string) == 0)
		string = NULL;
	else if (string != NULL)
		fault = sync_fault(attribute->place, string);
	if (fault != NULL)
	{
		note_fault(sync, attribute, fault, user->user_id);
		string = NULL;
	}
	user->columns[attribute->place] = string;
}

static void
read_document_value(Sync *sync, SyncAttribute *attribute, SyncUser *user,
					Datum value, bool isnull)
{
	int			document = attribute->place - SYNC_COLUMNS;
	JsonbValue	json;

	if (!source_value_json(&attribute->column, value, isnull, &json))
	{
		json.type = jbvNull;
		note_fault(sync, attribute, "too large, or without a JSON form",
				   user->user_id);
	}
	sync_user_value(user, document, &attribute->path, &json);
}

/*
 * Has the writer take over a row; nothing where it belongs to no user.
 */
static bool
sync_row(Sync *sync, const Datum *values, const bool *nulls)
{
	MemoryContext old = MemoryContextSwitchTo(sync->row_context);
	SyncUser	user = {0};
	AttrNumber	attnum = sync->user.attnum;
	bool		is_user;

	user.user_id = source_user_id(&sync->user, values[attnum - 1],
								  nulls[attnum - 1]);
	is_user = user.user_id != NULL;
	for (int i = 0; is_user && i < sync->nattributes; i++)
	{
		SyncAttribute *attribute = &sync->attributes[i];

		attnum = attribute->column.attnum;
		if (attribute->place < SYNC_COLUMNS)
			read_text(sync, attribute, &user, values[attnum - 1],
					  nulls[attnum - 1]);
		else
			read_document_value(sync, attribute, &user, values[attnum - 1],
								nulls[attnum - 1]);
	}
	if (is_user)
		sync_writer_add(sync->writer, &user);
	MemoryContextSwitchTo(old);
	MemoryContextReset(sync->row_context);
	return is_user;
}

static void
sync_close(Sync *sync)
{
	sync_writer_close(sync->writer);
	for (int i = 0; i < sync->nattributes; i++)
	{
		SyncAttribute *attribute = &sync->attributes[i];

		if (attribute->faulty_rows > 0)
			sync_event(attribute->faulty_user, attribute->fault, sync->table,
					   attribute->name, attribute->column.name,
					   attribute->faulty_rows);
	}
	MemoryContextDelete(sync->row_context);
}

/*
 * Whether the row's user or one of the mapped columns has another value.
 */
static bool
row_differs(const Sync *sync, const ChangedRows *rows, const SourceColumn *column)
{
	bool		old_null;
	bool		new_null;
	Datum		old_value = changed_row_value(rows->old_row, column->attnum, &old_null);
	Datum		new_value = changed_row_value(rows->new_row, column->attnum, &new_null);

	return !source_values_same(column, old_value, old_null, new_value, new_null);
}

static bool
is_to_be_written(const Sync *sync, const ChangedRows *rows)
{
	if (rows->old_row == NULL || row_differs(sync, rows, &sync->user))
		return true;
	for (int i = 0; i < sync->nattributes; i++)
	{
		if (row_differs(sync, rows, &sync->attributes[i].column))
			return true;
	}
	return false;
}

static text *
user_of_row(Sync *sync, TupleTableSlot *row)
{
	bool		isnull;
	Datum		value = changed_row_value(row, sync->user.attnum, &isnull);

	return source_user_id(&sync->user, value, isnull);
}

/*
 * Users whose id changed, and users whose row was deleted
 */
static void
note_departures(Sync *sync, ChangedRows *rows)
{
	while (changed_rows_next(rows))
	{
		MemoryContext old;
		text	   *old_user;

		if (rows->new_row != NULL && !row_differs(sync, rows, &sync->user))
			continue;
		old = MemoryContextSwitchTo(sync->row_context);
		old_user = user_of_row(sync, rows->old_row);
		if (old_user != NULL)
			sync_writer_depart(sync->writer, old_user,
							   user_of_row(sync, rows->new_row));
		MemoryContextSwitchTo(old);
		MemoryContextReset(sync->row_context);
	}
	changed_rows_rewind(rows);
}

static AttrNumber
last_column(const Sync *sync)
{
	AttrNumber	last = sync->user.attnum;

	for (int i = 0; i < sync->nattributes; i++)
		last = Max(last, sync->attributes[i].column.attnum);
	return last;
}

static void
sync_changed_rows(Sync *sync, const TriggerData *trigger)
{
	ChangedRows rows;

	if (!changed_rows_open(&rows, trigger, last_column(sync)))
		return;
	if (rows.old_row != NULL)
	{
		note_departures(sync, &rows);
		sync_writer_rename(sync->writer);
	}
	while (rows.new_row != NULL && changed_rows_next(&rows))
	{
		if (is_to_be_written(sync, &rows))
			(void) sync_row(sync, rows.new_row->tts_values,
							rows.new_row->tts_isnull);
	}
	changed_rows_close(&rows);
}

/*
 * Trigger on an application's table of users, after a statement
 */
Datum
nudge_sync(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = changed_rows_trigger(fcinfo, "sync");
	Relation	relation = trigger->tg_relation;
	Sync	   *sync;

	if (trigger->tg_trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" does not give nudge.sync() its mapping",
						trigger->tg_trigger->tgname),
				 errdetail("It needs one argument, a JSON object."),
				 errhint("Drop the trigger; nudge.sync_users() creates the right ones.")));
	if (IsBinaryUpgrade)
		return PointerGetDatum(NULL);
	sync = sync_open(quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
												RelationGetRelationName(relation)),
					 trigger->tg_trigger->tgoid,
					 DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														CStringGetDatum(trigger->tg_trigger->tgargs[0]))),
					 RelationGetDescr(relation));
	if (sync->has_user)
		sync_changed_rows(sync, trigger);
	sync_close(sync);
	return PointerGetDatum(NULL);
}

/*
 * Takes over all that a query returns; how many rows belong to a user.
 */
static int64
sync_query(const char *table, Jsonb *mapping)
{
	Portal		portal;
	Sync	   *sync;
	Datum	   *values;
	bool	   *nulls;
	int64		rows = 0;

	portal = SPI_cursor_open_with_args(NULL, psprintf("SELECT * FROM %s", table),
									   0, NULL, NULL, NULL, false, 0);
	sync = sync_open(table, InvalidOid, mapping, portal->tupDesc);
	values = palloc(portal->tupDesc->natts * sizeof(Datum));
	nulls = palloc(portal->tupDesc->natts * sizeof(bool));
	for (;;)
	{
		SPITupleTable *fetched;
		uint64		n;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		fetched = SPI_tuptable;
		n = SPI_processed;
		for (uint64 i = 0; i < n; i++)
		{
			CHECK_FOR_INTERRUPTS();
			heap_deform_tuple(fetched->vals[i], fetched->tupdesc, values, nulls);
			if (sync->has_user && sync_row(sync, values, nulls))
				rows++;
		}
		SPI_freetuptable(fetched);
		if (n == 0)
			break;
	}
	sync_close(sync);
	SPI_cursor_close(portal);
	return rows;
}

/*
 * backfill_users(table, mapping): takes over the rows of a table, with the caller's
 * rights to it.  It is no change of a user that somebody should hear of, so it
 * makes no actions.
 */
Datum
nudge_backfill_users(PG_FUNCTION_ARGS)
{
	Oid			table = PG_GETARG_OID(0);
	Jsonb	   *mapping = PG_GETARG_JSONB_P(1);
	char	   *name = get_rel_name(table);
	int			level = NewGUCNestLevel();
	int64		rows;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no table with the id %u", table)));
	(void) set_config_option("nudge.watch_users", "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
									  name);
	SPI_connect();
	rows = sync_query(name, mapping);
	SPI_finish();
	AtEOXact_GUC(true, level);
	PG_RETURN_INT64(rows);
}
