/*-------------------------------------------------------------------------
 *
 * path_index.c
 *	  Entries filed under a value at a path of a JSON document.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "path_index.h"

#include "action.h"
#include "bytesmap.h"
#include "utils/builtins.h"

/* What is filed below a step */
typedef struct PathChild PathChild;

struct PathIndex
{
	int			n;
	int			max;
	PathChild  *children;
	bytesmap_hash *places;		/* name of a step to its place in children, plus one */
	bytesmap_hash *values;		/* entries by the value at this path */
};

struct PathChild
{
	PathStep	step;
	PathIndex  *below;
};

typedef struct PathSearch
{
	void		(*found) (void *entry, void *arg);
	void	   *arg;
} PathSearch;

bool
value_key(const JsonbValue *value, Bytes *key)
{
	char	   *data;

	switch (value->type)
	{
		case jbvString:
			data = palloc(value->val.string.len + 1);
			data[0] = 's';
			memcpy(data + 1, value->val.string.val, value->val.string.len);
			key->data = data;
			key->length = value->val.string.len + 1;
			return true;
		case jbvNumeric:
			key->data = numeric_normalize(value->val.numeric);
			key->length = strlen(key->data);
			return true;
		case jbvBool:
			key->data = value->val.boolean ? "t" : "f";
			key->length = 1;
			return true;
		default:
			return false;
	}
}

PathIndex *
path_index_make(void)
{
	return palloc0(sizeof(PathIndex));
}

static PathIndex *
find_child(const PathIndex *index, Bytes name)
{
	BytesMapEntry *entry = index->places == NULL ? NULL :
		bytesmap_lookup(index->places, name);

	return entry == NULL ? NULL :
		index->children[(intptr_t) entry->value - 1].below;
}

static PathIndex *
add_child(PathIndex *index, const PathStep *step)
{
	Bytes		name = {step->name, step->length};
	PathIndex  *below = find_child(index, name);
	bool		found;

	if (below != NULL)
		return below;
	if (index->places == NULL)
		index->places = bytesmap_create(CurrentMemoryContext, 16, NULL);
	if (index->n == index->max)
	{
		index->max = Max(4, index->max * 2);
		index->children = index->children == NULL ?
			palloc(index->max * sizeof(PathChild)) :
			repalloc(index->children, index->max * sizeof(PathChild));
	}
	below = path_index_make();
	index->children[index->n].step = *step;
	index->children[index->n++].below = below;
	bytesmap_insert(index->places, name, &found)->value =
		(void *) (intptr_t) index->n;
	return below;
}

void *
path_index_entry(PathIndex *index, const PathStep *steps, int nsteps,
				 const JsonbValue *value, Size size)
{
	Bytes		key;

	if (!value_key(value, &key))
		return NULL;
	for (int i = 0; i < nsteps; i++)
		index = add_child(index, &steps[i]);
	return bytesmap_entry(&index->values, key, size);
}

static void search_container(const PathIndex *index, JsonbContainer *container,
							 const PathSearch *search);

static void
search_value(const PathIndex *index, const JsonbValue *value,
			 const PathSearch *search)
{
	Bytes		key;

	if (index->values != NULL && value_key(value, &key))
	{
		void	   *entry = bytesmap_find(index->values, key);

		if (entry != NULL)
			search->found(entry, search->arg);
	}
	if (index->n > 0 && value->type == jbvBinary)
		search_container(index, value->val.binary.data, search);
}

static void
search_members(const PathIndex *index, JsonbContainer *object,
			   const PathSearch *search)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	member;

	(void) JsonbIteratorNext(&iterator, &member, true);
	while ((token = JsonbIteratorNext(&iterator, &member, true)) == WJB_KEY)
	{
		Bytes		name = {member.val.string.val, member.val.string.len};
		const PathIndex *below = find_child(index, name);

		(void) JsonbIteratorNext(&iterator, &member, true);
		if (below != NULL)
			search_value(below, &member, search);
	}
}

static void
search_container(const PathIndex *index, JsonbContainer *container,
				 const PathSearch *search)
{
	if (JsonContainerIsObject(container) &&
		index->n > JsonContainerSize(container))
	{
		search_members(index, container, search);
		return;
	}
	for (int i = 0; i < index->n; i++)
	{
		JsonbValue	value;

		if (container_at_path(container, &index->children[i].step, 1, &value))
			search_value(index->children[i].below, &value, search);
	}
}

void
path_index_search(const PathIndex *index, JsonbContainer *document,
				  void (*found) (void *entry, void *arg), void *arg)
{
	PathSearch	search = {found, arg};

	search_container(index, document, &search);
}

void
path_index_search_by(const PathIndex *index, PathFetch fetch, const void *source,
					 void (*found) (void *entry, void *arg), void *arg)
{
	PathSearch	search = {found, arg};

	for (int i = 0; i < index->n; i++)
	{
		JsonbValue	value;

		if (fetch(&index->children[i].step, &value, source))
			search_value(index->children[i].below, &value, &search);
	}
}
