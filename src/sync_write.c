/*-------------------------------------------------------------------------
 *
 * sync_write.c
 *	  Writes into nudge.users what an application's table says.
 *
 * The statements in src/queries/sync_*.sql run as the owner of pg_nudge's tables,
 * and lock rows in order of user_id.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "owner.h"
#include "plan.h"
#include "queries.h"
#include "sync.h"
#include "user.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Rows that are kept back, at most */
#define BATCH_ROWS 5000
#define BATCH_BYTES (8 * 1024 * 1024)

/* Longest text for a column */
#define MAX_COLUMN 8192

/* Arrays of a batch: user ids, columns, documents */
#define BATCH_ARRAYS (1 + SYNC_END)

static const char *const place_names[] = {
	[SYNC_EMAIL] = "email",
	[SYNC_PHONE] = "phone",
	[SYNC_PUSH_TOKEN] = "push_token",
	[SYNC_TIMEZONE] = "timezone",
	[SYNC_LOCALE] = "locale",
	[SYNC_PROFILE] = "profile",
	[SYNC_BEHAVIOR] = "behavior",
	[SYNC_PREFERENCES] = "preferences",
};

/* A growing list of texts */
typedef struct TextList
{
	int			n;
	int			max;
	Datum	   *values;
	bool	   *nulls;
} TextList;

struct SyncWriter
{
	const SyncMapped *mapped;
	MemoryContext context;
	MemoryContext batch_context;
	TextList	departed;
	TextList	became;			/* as long; NULL: nobody */
	int			n;
	int			max;
	Size		bytes;
	Datum	   *values[BATCH_ARRAYS];
	bool	   *nulls[BATCH_ARRAYS];
};

/* Most statements change few rows. */
#define FIRST_ROWS 32

int
sync_place(const char *attribute, const char **path)
{
	const char *dot = strchr(attribute, '.');
	Size		length = dot != NULL ? dot - attribute : strlen(attribute);

	*path = dot != NULL ? dot + 1 : NULL;
	for (int i = 0; i < SYNC_END; i++)
	{
		if (strlen(place_names[i]) == length &&
			strncmp(place_names[i], attribute, length) == 0 &&
			(dot != NULL) == (i >= SYNC_COLUMNS))
			return i;
	}
	elog(ERROR, "\"%s\" is not an attribute of nudge.users", attribute);
	return -1;					/* keep compiler quiet */
}

void
sync_mapped_path(SyncMapped *mapped, int place, const char *path)
{
	int			document = place - SYNC_COLUMNS;
	int			n = mapped->npaths[document]++;

	mapped->paths[document] = n == 0 ? palloc(sizeof(char *)) :
		repalloc(mapped->paths[document], (n + 1) * sizeof(char *));
	mapped->paths[document][n] = path;
}

static bool
matches(const text *value, const char *pattern)
{
	return DatumGetBool(DirectFunctionCall2Coll(textregexeq, DEFAULT_COLLATION_OID,
												PointerGetDatum(value),
												CStringGetTextDatum(pattern)));
}

/*
 * What the constraints of nudge.users (02_config_tables.sql) and its trigger check
 */
const char *
sync_fault(int place, const text *value)
{
	if (VARSIZE_ANY_EXHDR(value) > MAX_COLUMN)
		return "too long";
	switch (place)
	{
		case SYNC_EMAIL:
			return matches(value, "^[^[:cntrl:]@]+@[^[:cntrl:]@]+$") ?
				NULL : "no e-mail address";
		case SYNC_PHONE:
		case SYNC_PUSH_TOKEN:
			return matches(value, "^[^[:cntrl:]]+$") ?
				NULL : "control characters";
		case SYNC_TIMEZONE:
			return is_iana_timezone(text_to_cstring(value)) ?
				NULL : "no time zone";
		default:
			return NULL;
	}
}

void
sync_user_value(SyncUser *user, int document, const AttributeSteps *path,
				const JsonbValue *value)
{
	int			n = user->nvalues[document]++;

	if (n == user->maxvalues[document])
	{
		int			max = Max(8, 2 * n);

		user->paths[document] = n == 0 ?
			palloc(max * sizeof(AttributeSteps)) :
			repalloc(user->paths[document], max * sizeof(AttributeSteps));
		user->values[document] = n == 0 ?
			palloc(max * sizeof(JsonbValue)) :
			repalloc(user->values[document], max * sizeof(JsonbValue));
		user->maxvalues[document] = max;
	}
	user->paths[document][n] = *path;
	user->values[document][n] = *value;
}

SyncWriter *
sync_writer_open(const SyncMapped *mapped)
{
	SyncWriter *writer = palloc0(sizeof(SyncWriter));

	writer->max = FIRST_ROWS;
	for (int i = 0; i < BATCH_ARRAYS; i++)
	{
		writer->values[i] = palloc(FIRST_ROWS * sizeof(Datum));
		writer->nulls[i] = palloc(FIRST_ROWS * sizeof(bool));
	}
	writer->mapped = mapped;
	writer->context = CurrentMemoryContext;
	writer->batch_context = AllocSetContextCreate(CurrentMemoryContext,
												  "pg_nudge users",
												  ALLOCSET_DEFAULT_SIZES);
	return writer;
}

static Datum
array_of(Datum *values, bool *nulls, int n, Oid type)
{
	int			lower = 1;

	if (n == 0)
		return PointerGetDatum(construct_empty_array(type));
	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lower, type,
											  -1, false, TYPALIGN_INT));
}

static Datum
mapped_columns(const SyncMapped *mapped)
{
	Datum		values[SYNC_COLUMNS];

	for (int i = 0; i < SYNC_COLUMNS; i++)
		values[i] = BoolGetDatum(mapped->columns[i]);
	return PointerGetDatum(construct_array(values, SYNC_COLUMNS, BOOLOID, 1, true,
										   TYPALIGN_CHAR));
}

static Datum
mapped_paths(const SyncMapped *mapped, int document)
{
	int			n = mapped->npaths[document];
	Datum	   *values = palloc(Max(n, 1) * sizeof(Datum));

	for (int i = 0; i < n; i++)
		values[i] = CStringGetTextDatum(mapped->paths[document][i]);
	return array_of(values, NULL, n, TEXTOID);
}

static void
run_as_owner(SPIPlanPtr *plan, const char *query, int nargs, const Oid *types,
			 Datum *arguments)
{
	OwnerScope	scope;

	SPI_connect();
	owner_begin(&scope);
	if (SPI_execute_plan(plan_get(plan, query, nargs, types), arguments, NULL,
						 false, 0) < 0)
		elog(ERROR, "users could not be written");
	owner_end(&scope);
	SPI_finish();
}

static void
write_batch(SyncWriter *writer)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {
		TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, BOOLARRAYOID, JSONBARRAYOID, JSONBARRAYOID, JSONBARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID
	};
	MemoryContext old = MemoryContextSwitchTo(writer->batch_context);
	Datum		arguments[lengthof(types)];
	int			n = 0;

	for (int i = 0; i < BATCH_ARRAYS; i++)
	{
		if (i == 1 + SYNC_COLUMNS)
			arguments[n++] = mapped_columns(writer->mapped);
		arguments[n++] = array_of(writer->values[i], writer->nulls[i], writer->n,
								  i <= SYNC_COLUMNS ? TEXTOID : JSONBOID);
	}
	for (int i = 0; i < SYNC_DOCUMENTS; i++)
		arguments[n++] = mapped_paths(writer->mapped, i);
	run_as_owner(&plan, query_sync_write, lengthof(types), types, arguments);
	MemoryContextSwitchTo(old);
	MemoryContextReset(writer->batch_context);
	writer->n = 0;
	writer->bytes = 0;
}

static Datum
copy_text(const text *value)
{
	return PointerGetDatum(cstring_to_text_with_len(VARDATA_ANY(value),
													VARSIZE_ANY_EXHDR(value)));
}

static void
make_room(SyncWriter *writer)
{
	if (writer->n < writer->max)
		return;
	writer->max *= 2;
	for (int i = 0; i < BATCH_ARRAYS; i++)
	{
		writer->values[i] = repalloc(writer->values[i],
									 writer->max * sizeof(Datum));
		writer->nulls[i] = repalloc(writer->nulls[i],
									writer->max * sizeof(bool));
	}
}

void
sync_writer_add(SyncWriter *writer, const SyncUser *user)
{
	MemoryContext old = MemoryContextSwitchTo(writer->batch_context);
	int			row;

	make_room(writer);
	row = writer->n++;
	writer->values[0][row] = copy_text(user->user_id);
	writer->nulls[0][row] = false;
	for (int i = 0; i < SYNC_COLUMNS; i++)
	{
		writer->nulls[1 + i][row] = user->columns[i] == NULL;
		if (user->columns[i] != NULL)
			writer->values[1 + i][row] = copy_text(user->columns[i]);
	}
	for (int i = 0; i < SYNC_DOCUMENTS; i++)
	{
		Jsonb	   *document = attributes_document(user->paths[i],
												   user->values[i],
												   user->nvalues[i]);

		writer->values[1 + SYNC_COLUMNS + i][row] = JsonbPGetDatum(document);
		writer->nulls[1 + SYNC_COLUMNS + i][row] = false;
		writer->bytes += VARSIZE(document);
	}
	MemoryContextSwitchTo(old);
	if (writer->n >= BATCH_ROWS || writer->bytes >= BATCH_BYTES)
		write_batch(writer);
}

static void
add_text(SyncWriter *writer, TextList *list, const text *value)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);

	if (list->n == list->max)
	{
		list->max = Max(64, 2 * list->max);
		list->values = list->n == 0 ? palloc(list->max * sizeof(Datum)) :
			repalloc_huge(list->values, list->max * sizeof(Datum));
		list->nulls = list->n == 0 ? palloc(list->max * sizeof(bool)) :
			repalloc_huge(list->nulls, list->max * sizeof(bool));
	}
	list->nulls[list->n] = value == NULL;
	list->values[list->n] = value != NULL ? copy_text(value) : (Datum) 0;
	list->n++;
	MemoryContextSwitchTo(old);
}

static void
remove_departed(SyncWriter *writer)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTARRAYOID, TEXTARRAYOID};
	Datum		arguments[2];
	int			nstay = 0;

	if (writer->departed.n == 0)
		return;
	for (int i = 0; i < writer->became.n; i++)
	{
		if (!writer->became.nulls[i])
			writer->became.values[nstay++] = writer->became.values[i];
	}
	arguments[0] = array_of(writer->departed.values, NULL, writer->departed.n,
							TEXTOID);
	arguments[1] = array_of(writer->became.values, NULL, nstay, TEXTOID);
	run_as_owner(&plan, query_sync_remove, 2, types, arguments);
	writer->departed.n = 0;
	writer->became.n = 0;
}

void
sync_writer_depart(SyncWriter *writer, const text *old_user,
				   const text *new_user)
{
	/* Rows that become others' have to be known all at once. */
	if (new_user == NULL && writer->departed.n >= BATCH_ROWS &&
		writer->became.nulls[0])
		remove_departed(writer);
	add_text(writer, &writer->departed, old_user);
	add_text(writer, &writer->became, new_user);
}

void
sync_writer_rename(SyncWriter *writer)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTARRAYOID, TEXTARRAYOID};
	Datum	   *old_ids = palloc(Max(writer->departed.n, 1) * sizeof(Datum));
	Datum	   *new_ids = palloc(Max(writer->departed.n, 1) * sizeof(Datum));
	Datum		arguments[2];
	int			n = 0;

	for (int i = 0; i < writer->departed.n; i++)
	{
		if (writer->became.nulls[i])
			continue;
		old_ids[n] = writer->departed.values[i];
		new_ids[n++] = writer->became.values[i];
	}
	if (n == 0)
		return;
	arguments[0] = array_of(old_ids, NULL, n, TEXTOID);
	arguments[1] = array_of(new_ids, NULL, n, TEXTOID);
	run_as_owner(&plan, query_sync_rename, 2, types, arguments);
}

void
sync_writer_close(SyncWriter *writer)
{
	if (writer->n > 0)
		write_batch(writer);
	remove_departed(writer);
	MemoryContextDelete(writer->batch_context);
	pfree(writer);
}

void
sync_event(const text *user_id, const char *reason, const char *table,
		   const char *attribute, const char *column, int64 rows)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID};
	Datum		arguments[lengthof(types)];

	arguments[0] = PointerGetDatum(user_id);
	arguments[1] = CStringGetTextDatum(psprintf("%s: %s", attribute, reason));
	arguments[2] = CStringGetTextDatum(table);
	arguments[3] = CStringGetTextDatum(attribute);
	arguments[4] = CStringGetTextDatum(column);
	arguments[5] = Int64GetDatum(rows);
	run_as_owner(&plan, query_sync_event, lengthof(types), types, arguments);
}
