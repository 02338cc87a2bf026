/*-------------------------------------------------------------------------
 *
 * bytesmap.h
 *	  Hash table from byte strings to pointers.
 *
 * Keys are not copied: they must live as long as the map.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_BYTESMAP_H
#define NUDGE_BYTESMAP_H

#include "postgres.h"

#include "common/hashfn.h"
#include "condition.h"

typedef struct BytesMapEntry
{
	Bytes		key;
	void	   *value;
	uint32		hash;
	char		status;
} BytesMapEntry;

static inline uint32
bytes_hash(Bytes key)
{
	return hash_bytes((const unsigned char *) key.data, key.length);
}

static inline bool
bytes_equal(Bytes a, Bytes b)
{
	return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

#define SH_PREFIX bytesmap
#define SH_ELEMENT_TYPE BytesMapEntry
#define SH_KEY_TYPE Bytes
#define SH_KEY key
#define SH_HASH_KEY(tb, key) bytes_hash(key)
#define SH_EQUAL(tb, a, b) bytes_equal(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) (a)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* The value of a key, NULL where there is none; the map may be NULL. */
static inline void *
bytesmap_find(bytesmap_hash *map, Bytes key)
{
	BytesMapEntry *entry = map == NULL ? NULL : bytesmap_lookup(map, key);

	return entry == NULL ? NULL : entry->value;
}

/* The value of a key, made (zeroed, of that size) if it is new, as is the map. */
static inline void *
bytesmap_entry(bytesmap_hash **map, Bytes key, Size size)
{
	BytesMapEntry *entry;
	bool		found;

	if (*map == NULL)
		*map = bytesmap_create(CurrentMemoryContext, 16, NULL);
	entry = bytesmap_insert(*map, key, &found);
	if (!found)
		entry->value = palloc0(size);
	return entry->value;
}

#endif							/* NUDGE_BYTESMAP_H */
