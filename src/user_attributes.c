/*-------------------------------------------------------------------------
 *
 * user_attributes.c
 *	  Attributes of users that come from an application's table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "user_attributes.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(nudge_copy_attributes);

/* Paths that have their first steps in common */
typedef struct PathGroup
{
	const AttributeSteps *paths;
	int			depth;			/* steps in common */
	int			n;
	int		   *members;		/* of paths */
} PathGroup;

AttributeSteps
attribute_steps(const char *path)
{
	AttributeSteps result = {0};
	char	   *rest = pstrdup(path);

	result.steps = palloc((strlen(path) + 1) * sizeof(char *));
	for (;;)
	{
		char	   *dot = strchr(rest, '.');

		result.steps[result.n++] = rest;
		if (dot == NULL)
			return result;
		*dot = '\0';
		rest = dot + 1;
	}
}

static PathGroup
all_paths(const AttributeSteps *paths, int n)
{
	PathGroup	group = {paths, 0, n, palloc(Max(n, 1) * sizeof(int))};

	for (int i = 0; i < n; i++)
		group.members[i] = i;
	return group;
}

static const char *
step_of(const PathGroup *group, int member)
{
	return group->paths[group->members[member]].steps[group->depth];
}

/*
 * The members that go on with the same step as the given one, if that is the first
 * of them; none if it is not.
 */
static PathGroup
group_with(const PathGroup *group, int member)
{
	PathGroup	result = {group->paths, group->depth + 1, 0,
	palloc(group->n * sizeof(int))};

	for (int i = 0; i < group->n; i++)
	{
		if (strcmp(step_of(group, i), step_of(group, member)) != 0)
			continue;
		if (i < member)
		{
			result.n = 0;
			return result;
		}
		result.members[result.n++] = group->members[i];
	}
	return result;
}

/* Whether the path of a group of one ends here */
static bool
path_ends(const PathGroup *group)
{
	return group->paths[group->members[0]].n == group->depth;
}

static void
push_step(JsonbParseState **state, const char *step)
{
	JsonbValue	key = {jbvString};

	key.val.string.val = (char *) step;
	key.val.string.len = strlen(step);
	pushJsonbValue(state, WJB_KEY, &key);
}

static bool
has_values(const PathGroup *group, const JsonbValue *values)
{
	for (int i = 0; i < group->n; i++)
	{
		if (values[group->members[i]].type != jbvNull)
			return true;
	}
	return false;
}

static JsonbValue *
push_values(JsonbParseState **state, const PathGroup *group, JsonbValue *values)
{
	check_stack_depth();
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < group->n; i++)
	{
		PathGroup	below = group_with(group, i);

		if (below.n == 0 || !has_values(&below, values))
			continue;
		push_step(state, step_of(group, i));
		if (path_ends(&below))
			pushJsonbValue(state, WJB_VALUE, &values[below.members[0]]);
		else
			push_values(state, &below, values);
	}
	return pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

Jsonb *
attributes_document(const AttributeSteps *paths, JsonbValue *values, int n)
{
	JsonbParseState *state = NULL;
	PathGroup	group = all_paths(paths, n);

	return JsonbValueToJsonb(push_values(&state, &group, values));
}

static bool
is_step(const PathGroup *group, const JsonbValue *key)
{
	for (int i = 0; i < group->n; i++)
	{
		const char *step = step_of(group, i);

		if (strlen(step) == key->val.string.len &&
			memcmp(step, key->val.string.val, key->val.string.len) == 0)
			return true;
	}
	return false;
}

/*
 * Pushes the members of an object that no path leads to.
 */
static void
push_others(JsonbParseState **state, JsonbContainer *object,
			const PathGroup *group)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (is_step(group, &key))
			continue;
		pushJsonbValue(state, WJB_KEY, &key);
		pushJsonbValue(state, WJB_VALUE, &value);
	}
}

static JsonbValue *
member_at(JsonbContainer *object, const char *step, JsonbValue *value)
{
	if (object == NULL)
		return NULL;
	return getKeyJsonValueFromContainer(object, step, strlen(step), value);
}

static JsonbContainer *
object_in(const JsonbValue *value)
{
	if (value == NULL || value->type != jbvBinary ||
		!JsonContainerIsObject(value->val.binary.data))
		return NULL;
	return value->val.binary.data;
}

/*
 * Pushes target with what source has at the paths; either may be missing.
 */
static JsonbValue *
push_copied(JsonbParseState **state, JsonbContainer *target,
			JsonbContainer *source, const PathGroup *group)
{
	check_stack_depth();
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	if (target != NULL)
		push_others(state, target, group);
	for (int i = 0; i < group->n; i++)
	{
		const char *step = step_of(group, i);
		PathGroup	below = group_with(group, i);
		JsonbValue	old_buffer;
		JsonbValue	new_buffer;
		JsonbValue *old_value;
		JsonbValue *new_value;

		if (below.n == 0)
			continue;
		old_value = member_at(target, step, &old_buffer);
		new_value = member_at(source, step, &new_buffer);
		if (path_ends(&below) || (old_value != NULL && object_in(old_value) == NULL))
		{
			/* A source without it takes it away, or leaves what is no object */
			if (new_value == NULL && !path_ends(&below))
				new_value = old_value;
			if (new_value == NULL)
				continue;
			push_step(state, step);
			pushJsonbValue(state, WJB_VALUE, new_value);
		}
		else if (old_value != NULL || new_value != NULL)
		{
			push_step(state, step);
			push_copied(state, object_in(old_value), object_in(new_value), &below);
		}
	}
	return pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/*
 * copy_attributes(target, source, paths): target with what source has at each of
 * the paths, and without what it has not.
 */
Datum
nudge_copy_attributes(PG_FUNCTION_ARGS)
{
	Jsonb	   *target = PG_GETARG_JSONB_P(0);
	Jsonb	   *source = PG_GETARG_JSONB_P(1);
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(2);
	JsonbParseState *state = NULL;
	AttributeSteps *paths;
	PathGroup	group;
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls,
					  &n);
	if (n == 0 || !JB_ROOT_IS_OBJECT(target) || !JB_ROOT_IS_OBJECT(source))
		PG_RETURN_JSONB_P(target);
	paths = palloc(n * sizeof(AttributeSteps));
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a path must not be null")));
		paths[i] = attribute_steps(TextDatumGetCString(elements[i]));
	}
	group = all_paths(paths, n);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(push_copied(&state, &target->root,
													&source->root, &group)));
}
