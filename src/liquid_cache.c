/*-------------------------------------------------------------------------
 *
 * liquid_cache.c
 *	  The backend's cache of parsed Liquid templates.
 *
 * Templates are kept by their text, so that one which is changed is simply
 * another one, and nothing has to be invalidated.  Each lives in a memory
 * context of its own.  The least recently used go when there are too many or
 * they take too much memory.
 *
 * Whoever gets a template holds a pin on it, which the reset or deletion of
 * the memory context then current takes off, also after an error.  What is
 * pinned stays.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_cache.h"

#include "common/hashfn.h"
#include "lib/ilist.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#define MAX_TEMPLATES	256
#define MAX_MEMORY		(16 * 1024 * 1024)

/* So many of the templates last used are tried before their text is hashed. */
#define TRIED_FIRST		4

typedef struct CacheKey
{
	uint64		hash;
	int64		len;
} CacheKey;

typedef struct CacheEntry
{
	CacheKey	key;
	char	   *source;
	LiquidTemplate *template;
	MemoryContext cxt;			/* holds the two above */
	Size		memory;
	dlist_node	lru;			/* most recently used first */
	dlist_head	pins;
} CacheEntry;

typedef struct Pin
{
	MemoryContext cxt;			/* whose reset takes the pin off */
	dlist_node	node;
	MemoryContextCallback callback;
} Pin;

static HTAB *cache = NULL;
static MemoryContext cache_cxt = NULL;
static dlist_head lru = DLIST_STATIC_INIT(lru);
static Size cache_memory = 0;

static void
make_cache(void)
{
	HASHCTL		ctl = {0};

	if (cache_cxt == NULL)
		cache_cxt = AllocSetContextCreate(TopMemoryContext,
										  "liquid templates",
										  ALLOCSET_DEFAULT_SIZES);
	ctl.keysize = sizeof(CacheKey);
	ctl.entrysize = sizeof(CacheEntry);
	ctl.hcxt = cache_cxt;
	cache = hash_create("liquid templates", MAX_TEMPLATES, &ctl,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
unpin(void *arg)
{
	Pin		   *pin = arg;

	dlist_delete(&pin->node);
}

/* Pins the entry until the current memory context is reset. */
static void
pin_entry(CacheEntry *entry)
{
	dlist_iter	iter;
	Pin		   *pin;

	dlist_foreach(iter, &entry->pins)
	{
		pin = dlist_container(Pin, node, iter.cur);
		if (pin->cxt == CurrentMemoryContext)
			return;
	}
	pin = palloc(sizeof(Pin));
	pin->cxt = CurrentMemoryContext;
	pin->callback.func = unpin;
	pin->callback.arg = pin;
	dlist_push_head(&entry->pins, &pin->node);
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &pin->callback);
}

static const LiquidTemplate *
use_entry(CacheEntry *entry)
{
	dlist_move_head(&lru, &entry->lru);
	pin_entry(entry);
	return entry->template;
}

static void
evict(CacheEntry *entry)
{
	MemoryContext cxt = entry->cxt;

	cache_memory -= entry->memory;
	dlist_delete(&entry->lru);
	hash_search(cache, &entry->key, HASH_REMOVE, NULL);
	MemoryContextDelete(cxt);
}

/* Makes room for a template of this size, as far as pins allow. */
static void
make_room(Size memory)
{
	dlist_node *node = dlist_is_empty(&lru) ? NULL : dlist_tail_node(&lru);

	while (node != NULL &&
		   (hash_get_num_entries(cache) >= MAX_TEMPLATES ||
			cache_memory + memory > MAX_MEMORY))
	{
		CacheEntry *entry = dlist_container(CacheEntry, lru, node);

		node = dlist_has_prev(&lru, node) ? dlist_prev_node(&lru, node) :
			NULL;
		if (dlist_is_empty(&entry->pins))
			evict(entry);
	}
}

static inline bool
has_source(const CacheEntry *entry, const char *source, int len)
{
	return entry->key.len == len && memcmp(entry->source, source, len) == 0;
}

static CacheEntry *
find_recent(const char *source, int len)
{
	dlist_iter	iter;
	int			tries = TRIED_FIRST;

	dlist_foreach(iter, &lru)
	{
		CacheEntry *entry = dlist_container(CacheEntry, lru, iter.cur);

		if (has_source(entry, source, len))
			return entry;
		if (--tries == 0)
			break;
	}
	return NULL;
}

/* Puts a parsed template into the cache. */
static CacheEntry *
add_entry(const CacheKey *key, const char *source, LiquidTemplate *template,
		  MemoryContext cxt)
{
	CacheEntry *entry;
	Size		memory;
	char	   *copy = MemoryContextAlloc(cxt, key->len + 1);

	memcpy(copy, source, key->len);
	memory = MemoryContextMemAllocated(cxt, true);
	make_room(memory);
	entry = hash_search(cache, key, HASH_ENTER, NULL);
	entry->source = copy;
	entry->template = template;
	entry->cxt = cxt;
	entry->memory = memory;
	dlist_init(&entry->pins);
	dlist_push_head(&lru, &entry->lru);
	MemoryContextSetParent(cxt, cache_cxt);
	cache_memory += memory;
	return entry;
}

const LiquidTemplate *
liquid_cached_softly(const char *source, int len, LiquidParser *parser)
{
	CacheEntry *entry;
	CacheKey	key;
	MemoryContext cxt;
	MemoryContext old;
	LiquidTemplate *template;

	if (cache == NULL)
		make_cache();
	entry = find_recent(source, len);
	if (entry != NULL)
		return use_entry(entry);
	key.hash = hash_bytes_extended((const unsigned char *) source, len, 0);
	key.len = len;
	entry = hash_search(cache, &key, HASH_FIND, NULL);
	if (entry != NULL && has_source(entry, source, len))
		return use_entry(entry);

	cxt = AllocSetContextCreate(CurrentMemoryContext, "liquid template",
								ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(cxt);
	template = liquid_parse_softly(parser, source, len);
	MemoryContextSwitchTo(old);

	/* Two texts with one hash: the second is good, but not kept. */
	if (template == NULL || entry != NULL)
		return template;
	return use_entry(add_entry(&key, source, template, cxt));
}

/*
 * The parsed template of a text, from the cache.  It stays good until the
 * current memory context is reset or deleted.
 *
 * Raises what liquid_parse raises; the cache is then as before.
 */
const LiquidTemplate *
liquid_cached(const char *source, int len)
{
	LiquidParser parser;
	const LiquidTemplate *template = liquid_cached_softly(source, len,
														  &parser);

	if (template == NULL)
		liquid_raise(&parser);
	return template;
}

/*
 * The same, but where the text does not parse, returns NULL and sets *error:
 * for callers that go on after a bad template.
 */
const LiquidTemplate *
liquid_cached_or_error(const char *source, int len, char **error)
{
	LiquidParser parser;
	const LiquidTemplate *template = liquid_cached_softly(source, len,
														  &parser);
	int			line;
	int			column;

	*error = NULL;
	if (template == NULL)
	{
		liquid_error_position(&parser, &line, &column);
		*error = psprintf("template line %d, column %d: %s", line, column,
						  parser.message);
	}
	return template;
}
