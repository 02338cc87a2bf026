/*-------------------------------------------------------------------------
 *
 * history_types.c
 *	  Which of the action types that rules want a user has ever done.
 *
 * It is taken from the index on user and type alone: whether a row is visible, or
 * alive, does not matter to who wants to know what may be there.
 *
 * There are two ways.  A look into the index for each user costs as much as the
 * index is deep, so that a small statement does not feel how long the history is.
 * A statement of many users that has had as many looks as it would cost to go
 * through a partition's whole index does just that, once, for all users that are
 * still to come.  So it never costs much more than the cheaper of both, and as
 * nobody does most of what rules wait for, most rows then cost nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "history_probe.h"

#include "access/relscan.h"
#include "access/stratnum.h"
#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Keys of a look: user, type */
#define NUM_SEEK_KEYS 2

/* Columns of the index */
#define USER_COLUMN 1
#define TYPE_COLUMN 2

/* A block of the index is gone through in the time of about so many looks. */
#define LOOKS_PER_BLOCK 2

/* No statement with fewer looks asks how large an index is. */
#define MIN_LOOKS 64

/* So many users are remembered from going through indexes. */
#define MAX_USERS 100000

/* The same type as the entry before is recognized up to this length. */
#define MAX_RECOGNIZED 64

/* Places of types that a user has done */
typedef struct TypesNote
{
	bool		known;
	int			n;
	int			max;
	int		   *places;
} TypesNote;

/* A list of types that was asked for, and what is known of all users */
typedef struct WantedTypes
{
	const Bytes *types;			/* its address is the key of history->wanted */
	int			ntypes;
	int64		looks;			/* users that were looked up */
	int64		ask_at;			/* then think of going through indexes */
	int			nread;			/* partitions whose index was gone through */
	bool	   *read;			/* which they are */
	MemoryContext context;		/* of users */
	bytesmap_hash *users;		/* of TypesNote: who did any, in those */
} WantedTypes;

static int
compare_bytes(Bytes a, Bytes b)
{
	int			result = memcmp(a.data, b.data, Min(a.length, b.length));

	return result != 0 ? result : a.length - b.length;
}

/*
 * The place of the first wanted type, from a place on, that is not before a type
 */
static int
first_place(const WantedTypes *wanted, int from, Bytes type)
{
	int			end = wanted->ntypes;

	while (from < end)
	{
		int			middle = from + (end - from) / 2;

		if (compare_bytes(wanted->types[middle], type) < 0)
			from = middle + 1;
		else
			end = middle;
	}
	return from;
}

static inline bool
is_at(const WantedTypes *wanted, int place, Bytes type)
{
	return place < wanted->ntypes && bytes_equal(wanted->types[place], type);
}

static void
add_place(TypesNote *note, int place)
{
	if (note->n == note->max)
	{
		note->max = Max(4, note->max * 2);
		note->places = note->n == 0 ? palloc(note->max * sizeof(int)) :
			repalloc(note->places, note->max * sizeof(int));
	}
	note->places[note->n++] = place;
}

/*
 * A column of the index entry that a scan is at; a long one may have been
 * compressed, then *copy is for the caller to free.
 */
static Bytes
entry_text(IndexScanDesc scan, int column, Pointer *copy)
{
	bool		isnull;
	Datum		datum = index_getattr(scan->xs_itup, column, scan->xs_itupdesc,
									  &isnull);
	Pointer		text = (Pointer) PG_DETOAST_DATUM_PACKED(datum);

	*copy = text != DatumGetPointer(datum) ? text : NULL;
	return bytes_of_text(PointerGetDatum(text));
}

static IndexScanDesc
begin_index_scan(const Probe *probe, int nkeys)
{
	IndexScanDesc scan = index_beginscan(probe->table, probe->index,
										 SnapshotSelf, nkeys, 0);

	scan->xs_want_itup = true;
	return scan;
}

/*
 * The type of the first action of the user, by type, that is not before the one
 * given.
 */
static bool
seek_type(History *history, Probe *probe, Datum user_id, Bytes from, Bytes *type)
{
	Datum		from_datum = PointerGetDatum(cstring_to_text_with_len(from.data,
																	 from.length));
	ScanKeyData keys[NUM_SEEK_KEYS];
	MemoryContext old;
	Pointer		copy;
	bool		found;

	key_text(&keys[0], USER_COLUMN, user_id);
	ScanKeyEntryInitialize(&keys[1], 0, TYPE_COLUMN,
						   BTGreaterEqualStrategyNumber, InvalidOid,
						   C_COLLATION_OID, F_TEXT_GE, from_datum);

	old = MemoryContextSwitchTo(history->context);
	if (probe->seek == NULL)
		probe->seek = begin_index_scan(probe, NUM_SEEK_KEYS);
	index_rescan(probe->seek, keys, NUM_SEEK_KEYS, NULL, 0);
	found = index_getnext_tid(probe->seek, ForwardScanDirection) != NULL;
	MemoryContextSwitchTo(old);
	if (found)
		*type = entry_text(probe->seek, TYPE_COLUMN, &copy);
	pfree(DatumGetPointer(from_datum));
	return found;
}

/*
 * Goes through the user's types and the wanted ones like a zip: each look into the
 * index leaps over what only one side has, so that it takes no more looks than the
 * shorter side is long.
 */
static void
leap_types(History *history, Probe *probe, const Action *action,
		   const WantedTypes *wanted, TypesNote *note)
{
	Bytes		type;
	int			place = 0;

	while (place < wanted->ntypes &&
		   seek_type(history, probe, action->user_id_datum,
					 wanted->types[place], &type))
	{
		CHECK_FOR_INTERRUPTS();
		place = first_place(wanted, place, type);
		if (is_at(wanted, place, type))
			add_place(note, place++);
	}
}

/*
 * Notes that a user has done a wanted type.  False where there are too many users.
 */
static bool
note_user(WantedTypes *wanted, Bytes user_id, int place)
{
	MemoryContext old = MemoryContextSwitchTo(wanted->context);
	BytesMapEntry *entry = bytesmap_lookup(wanted->users, user_id);
	TypesNote  *note;
	bool		found;

	if (entry == NULL && wanted->users->members < MAX_USERS)
	{
		user_id.data = memcpy(palloc(user_id.length), user_id.data,
							  user_id.length);
		entry = bytesmap_insert(wanted->users, user_id, &found);
		entry->value = palloc0(sizeof(TypesNote));
	}
	if (entry != NULL)
	{
		note = entry->value;
		/* Entries of a user and a type follow each other. */
		if (note->n == 0 || note->places[note->n - 1] != place)
			add_place(note, place);
	}
	MemoryContextSwitchTo(old);
	return entry != NULL;
}

/*
 * Goes through the whole index of a partition.  False where there are too many users
 * who have done what is wanted.
 */
static bool
read_index(History *history, const Probe *probe, WantedTypes *wanted)
{
	MemoryContext old = MemoryContextSwitchTo(history->context);
	IndexScanDesc scan = begin_index_scan(probe, 0);
	char		space[MAX_RECOGNIZED];
	Bytes		last = {space, -1};
	int			place = 0;
	bool		fits = true;

	index_rescan(scan, NULL, 0, NULL, 0);
	while (fits && index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		Pointer		type_copy;
		Pointer		user_copy = NULL;
		Bytes		type = entry_text(scan, TYPE_COLUMN, &type_copy);

		CHECK_FOR_INTERRUPTS();
		if (last.length < 0 || !bytes_equal(type, last))
		{
			place = first_place(wanted, 0, type);
			if (!is_at(wanted, place, type))
				place = wanted->ntypes;
			last.length = type.length <= MAX_RECOGNIZED ? type.length : -1;
			if (last.length > 0)
				memcpy(space, type.data, type.length);
		}
		if (place < wanted->ntypes)
			fits = note_user(wanted, entry_text(scan, USER_COLUMN, &user_copy),
							 place);
		if (type_copy != NULL)
			pfree(type_copy);
		if (user_copy != NULL)
			pfree(user_copy);
	}
	index_endscan(scan);
	MemoryContextSwitchTo(old);
	return fits;
}

static void
forget_users(WantedTypes *wanted, int npartitions)
{
	MemoryContextDelete(wanted->context);
	wanted->context = NULL;
	memset(wanted->read, 0, npartitions * sizeof(bool));
	wanted->nread = 0;
}

/*
 * Goes through the indexes for which enough users have been looked up, and if not,
 * thinks of it again after twice as many.
 */
static void
read_small_indexes(History *history, WantedTypes *wanted)
{
	wanted->ask_at *= 2;
	for (int i = 0; i < history->nactions; i++)
	{
		Probe	   *probe = &history->actions[i];

		if (wanted->read[i] ||
			(int64) RelationGetNumberOfBlocks(probe->index) * LOOKS_PER_BLOCK >
			wanted->looks)
			continue;
		if (wanted->context == NULL)
		{
			wanted->context = AllocSetContextCreate(history->context,
													"pg_nudge types of users",
													ALLOCSET_DEFAULT_SIZES);
			wanted->users = bytesmap_create(wanted->context, 64, NULL);
		}
		if (!read_index(history, probe, wanted))
		{
			forget_users(wanted, history->nactions);
			wanted->ask_at = PG_INT64_MAX;
			return;
		}
		wanted->read[i] = true;
		wanted->nread++;
	}
}

static WantedTypes *
wanted_types(History *history, const Bytes *types, int ntypes)
{
	Bytes		key = {(char *) &types, sizeof(types)};
	MemoryContext old = MemoryContextSwitchTo(history->context);
	WantedTypes *wanted;
	BytesMapEntry *entry;
	bool		found;

	history_open_actions(history);
	if (history->wanted == NULL)
		history->wanted = bytesmap_create(history->context, 4, NULL);
	entry = bytesmap_lookup(history->wanted, key);
	if (entry == NULL)
	{
		wanted = palloc0(sizeof(WantedTypes));
		wanted->types = types;
		wanted->ntypes = ntypes;
		wanted->ask_at = MIN_LOOKS;
		wanted->read = palloc0(Max(history->nactions, 1) * sizeof(bool));
		key.data = (char *) &wanted->types;
		entry = bytesmap_insert(history->wanted, key, &found);
		entry->value = wanted;
	}
	MemoryContextSwitchTo(old);
	return entry->value;
}

/*
 * What is known of a user from indexes that were gone through; NULL: nothing done.
 */
static const TypesNote *
known_user(const WantedTypes *wanted, const Action *action)
{
	BytesMapEntry *entry;

	if (wanted->nread == 0 || wanted->users->members == 0)
		return NULL;
	entry = bytesmap_lookup(wanted->users, action->user_id);
	return entry != NULL ? entry->value : NULL;
}

/* The note is filled in memory of the current context. */
static void
find_types_done(History *history, const Action *action, WantedTypes *wanted,
				TypesNote *note)
{
	const TypesNote *known;

	if (++wanted->looks == wanted->ask_at)
		read_small_indexes(history, wanted);
	for (int i = 0; i < history->nactions; i++)
	{
		if (!wanted->read[i])
			leap_types(history, &history->actions[i], action, wanted, note);
	}
	known = known_user(wanted, action);
	for (int i = 0; known != NULL && i < known->n; i++)
		add_place(note, known->places[i]);
	note->known = true;
}

const int *
history_types_done(History *history, const Action *action, const Bytes *types,
				   int ntypes, int *n)
{
	WantedTypes *wanted = wanted_types(history, types, ntypes);
	Bytes		key = {(char *) &types, sizeof(types)};
	TypesNote	unkept = {false};
	const TypesNote *known;
	TypesNote  *note;

	if (wanted->nread == history->nactions)
	{
		known = known_user(wanted, action);
		*n = known != NULL ? known->n : 0;
		return known != NULL ? known->places : NULL;
	}
	note = history_note(history, action, key, sizeof(TypesNote));
	if (note == NULL)
		find_types_done(history, action, wanted, note = &unkept);
	else if (!note->known)
	{
		MemoryContext old = MemoryContextSwitchTo(history->context);

		find_types_done(history, action, wanted, note);
		MemoryContextSwitchTo(old);
	}
	*n = note->n;
	return note->places;
}
