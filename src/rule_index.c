/*-------------------------------------------------------------------------
 *
 * rule_index.c
 *	  Finds the few rules that an action may fire.
 *
 * Each rule is filed under conditions without which it cannot fire, the cheapest
 * to look up first.  The tree of files has two levels.  The first is the type of
 * the action: exact types in a hash table, substrings of types in an automaton,
 * and one node for the rules that any type may fire.  Below a type, rules are told
 * apart by page (exact ones hashed, substrings in an automaton), else by the
 * value of an attribute that must be equal to a constant (path_index.c), else by a type of action
 * that the user must have done before; those that have none of these conditions
 * are candidates whenever their type comes.
 *
 * Of a group, all members are necessary, or one of them: a rule that has one of
 * several alternatives is filed under each, where that tells it apart better.
 *
 * That is the idea of counting-free predicate indexing in Hanson et al.,
 * "Scalable Trigger Processing" (ICDE 1999), and Whang et al., "Indexing Boolean
 * Expressions" (VLDB 2009): an action costs as much as the rules it may fire.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "rule_index.h"

#include "automaton.h"
#include "bytesmap.h"
#include "firing.h"
#include "path_index.h"
#include "utils/memutils.h"

/* Different action types of which it is kept which rules they may fire */
#define MAX_KNOWN_TYPES 4096

#define PAGE_VISIT "page_visit"

typedef struct RuleList
{
	int			n;
	int			max;
	const Rule **rules;
} RuleList;

/* Substrings, and the rules that each may fire */
typedef struct SubstringIndex
{
	bytesmap_hash *known;		/* pattern to its place in lists, plus one */
	int			n;
	int			max;
	Bytes	   *patterns;
	RuleList   *lists;
	Automaton  *automaton;
} SubstringIndex;

/* Types of actions in the user's history, and the rules that count each */
typedef struct CountedIndex
{
	bytesmap_hash *known;		/* of RuleList, by type */
	int			n;
	Bytes	   *types;			/* sorted by their bytes, once all are known */
	const RuleList **lists;		/* of each of types */
} CountedIndex;

/* The rules of one action type */
typedef struct TypeNode
{
	RuleList	direct;
	bytesmap_hash *pages;		/* of RuleList */
	SubstringIndex *page_substrings;
	PathIndex  *attributes[ROOT_ACTION_ANY + 1];	/* of RuleList, by root */
	bool		user_asked;		/* whether any of them is of the user's row */
	CountedIndex counted;
} TypeNode;

/* What is known of a type that came in */
typedef struct KnownType
{
	TypeNode   *node;			/* NULL where no rule names the type */
	RuleList	by_substring;	/* rules that ask for a substring of it */
} KnownType;

struct RuleIndex
{
	MemoryContext context;
	bytesmap_hash *types;		/* of TypeNode */
	TypeNode	any;
	bool		any_used;
	SubstringIndex *type_substrings;

	bytesmap_hash *known_types; /* of KnownType */
	KnownType	unkept;			/* for types past MAX_KNOWN_TYPES */

	/* The candidates of the action in hand */
	uint64	   *stamps;			/* by rule: the last action it was found for */
	uint64		stamp;
	int			ncandidates;
	const Rule **candidates;
};

/* The conditions of a rule that tell it apart, NULL where it has none such */
typedef struct Keys
{
	const Condition *types;
	const Condition *type_substrings;
	const Condition *pages;
	const Condition *action_value;
	const Condition *user_value;
	const Condition *counted;
} Keys;

/* Conditions without all of which a rule cannot fire, groups taken apart */
typedef struct Necessary
{
	int			n;
	int			max;
	const Condition **conditions;
} Necessary;

/*
 * How well conditions tell a rule apart: what an action has to have for the rule to
 * be looked at
 */
typedef enum KeyRank
{
	SELECTS_NOTHING,
	SELECTS_VALUE,				/* some value, or history */
	SELECTS_TYPE,
	SELECTS_TYPE_AND_VALUE,
	SELECTS_PAGE
} KeyRank;

/* How many times a rule's groups are looked into, to find where to file it */
#define MAX_GROUP_LOOKS 1000

static void
list_add(RuleList *list, const Rule *rule)
{
	if (list->n > 0 && list->rules[list->n - 1] == rule)
		return;
	if (list->n == list->max)
	{
		list->max = Max(2, list->max * 2);
		list->rules = list->rules == NULL ?
			palloc(list->max * sizeof(Rule *)) :
			repalloc(list->rules, list->max * sizeof(Rule *));
	}
	list->rules[list->n++] = rule;
}

static void
substrings_add(SubstringIndex **where, Bytes pattern, const Rule *rule)
{
	SubstringIndex *index = *where;
	int		   *place;

	if (index == NULL)
		index = *where = palloc0(sizeof(SubstringIndex));
	place = bytesmap_entry(&index->known, pattern, sizeof(int));
	if (*place == 0)
	{
		if (index->n == index->max)
		{
			int			max = Max(16, index->max * 2);

			if (index->max == 0)
			{
				index->patterns = palloc(max * sizeof(Bytes));
				index->lists = palloc(max * sizeof(RuleList));
			}
			else
			{
				index->patterns = repalloc(index->patterns, max * sizeof(Bytes));
				index->lists = repalloc(index->lists, max * sizeof(RuleList));
			}
			index->max = max;
		}
		index->patterns[index->n] = pattern;
		memset(&index->lists[index->n], 0, sizeof(RuleList));
		*place = ++index->n;
	}
	list_add(&index->lists[*place - 1], rule);
}

static void
substrings_finish(SubstringIndex *index)
{
	if (index != NULL)
		index->automaton = automaton_build(index->patterns, index->n);
}

static void
file_by_value(TypeNode *node, const Rule *rule, const Condition *condition)
{
	const AttributePath *path = &condition->path;

	if (node->attributes[path->root] == NULL)
		node->attributes[path->root] = path_index_make();
	node->user_asked |= condition->type == CONDITION_USER_ATTRIBUTE;
	for (int i = 0; i < condition->nvalues; i++)
	{
		RuleList   *list = path_index_entry(node->attributes[path->root],
											path->steps, path->nsteps,
											&condition->values[i],
											sizeof(RuleList));

		if (list != NULL)
			list_add(list, rule);
	}
}

static void
file_by_page(TypeNode *node, const Rule *rule, const Condition *condition)
{
	for (int i = 0; i < condition->npatterns; i++)
	{
		if (condition->op == OPERATOR_EQUALS)
			list_add(bytesmap_entry(&node->pages, condition->patterns[i],
							   sizeof(RuleList)), rule);
		else
			substrings_add(&node->page_substrings, condition->patterns[i],
						   rule);
	}
}

static void
file_by_count(TypeNode *node, const Rule *rule, const Condition *condition)
{
	for (int i = 0; i < condition->count->ntypes; i++)
		list_add(bytesmap_entry(&node->counted.known, condition->count->types[i],
						   sizeof(RuleList)), rule);
}

static void
file_in_node(TypeNode *node, const Rule *rule, const Keys *keys)
{
	if (keys->pages)
		file_by_page(node, rule, keys->pages);
	else if (keys->action_value)
		file_by_value(node, rule, keys->action_value);
	else if (keys->user_value)
		file_by_value(node, rule, keys->user_value);
	else if (keys->counted)
		file_by_count(node, rule, keys->counted);
	else
		list_add(&node->direct, rule);
}

static bool
asks_for_value(const Condition *condition)
{
	return (condition->op == OPERATOR_EQUALS || condition->op == OPERATOR_IN) &&
		condition->path.nsteps <= PATH_INDEX_MAX_STEPS;
}

/*
 * Can the condition hold only if there is such an action in the history?
 */
static bool
asks_for_past(const ActionCount *count)
{
	if (count->any_type)
		return false;
	return count->negated ? count->least == 0 && count->most < PG_INT64_MAX :
		count->least > 0;
}

/*
 * Keys of a rule that cannot fire unless all of these conditions hold.
 */
static void
find_keys(Keys *keys, const Necessary *necessary)
{
	memset(keys, 0, sizeof(Keys));
	for (int i = necessary->n - 1; i >= 0; i--)
	{
		const Condition *condition = necessary->conditions[i];

		switch (condition->type)
		{
			case CONDITION_ACTION_TYPE:
				if (condition->op == OPERATOR_EQUALS)
					keys->types = condition;
				else
					keys->type_substrings = condition;
				break;
			case CONDITION_PAGE_VISIT:
				keys->pages = condition;
				break;
			case CONDITION_ACTION_ATTRIBUTE:
				if (asks_for_value(condition))
					keys->action_value = condition;
				break;
			case CONDITION_USER_ATTRIBUTE:
				if (asks_for_value(condition))
					keys->user_value = condition;
				break;
			case CONDITION_ACTION_COUNT:
				if (asks_for_past(condition->count))
					keys->counted = condition;
				break;
			default:
				break;
		}
	}
}

/*
 * Adds a condition, or the members of a group all of which must hold.
 */
static void
necessary_add(Necessary *necessary, const Condition *condition)
{
	if (condition->type == CONDITION_ALL)
	{
		for (int i = 0; i < condition->nmembers; i++)
			necessary_add(necessary, &condition->members[i]);
		return;
	}
	if (necessary->n == necessary->max)
	{
		necessary->max = Max(8, necessary->max * 2);
		necessary->conditions = necessary->conditions == NULL ?
			palloc(necessary->max * sizeof(Condition *)) :
			repalloc(necessary->conditions, necessary->max * sizeof(Condition *));
	}
	necessary->conditions[necessary->n++] = condition;
}

/*
 * The same conditions with one of the alternatives in place of a group of them.
 */
static Necessary
with_alternative(const Necessary *necessary, int group, int alternative)
{
	Necessary	result = {0};

	for (int i = 0; i < necessary->n; i++)
		necessary_add(&result, i != group ? necessary->conditions[i] :
					  &necessary->conditions[i]->members[alternative]);
	return result;
}

static KeyRank
keys_select(const Keys *keys)
{
	bool		value = keys->action_value || keys->user_value || keys->counted;

	if (keys->pages)
		return SELECTS_PAGE;
	if (keys->types)
		return value ? SELECTS_TYPE_AND_VALUE : SELECTS_TYPE;
	if (keys->type_substrings)
		return SELECTS_TYPE;
	return value ? SELECTS_VALUE : SELECTS_NOTHING;
}

/*
 * How well conditions tell a rule apart.  *group is that group whose alternatives,
 * each by itself, tell it apart better than all else; -1 where there is none such.
 */
static KeyRank
select_group(const Necessary *necessary, int *group, int *looks)
{
	Keys		keys;
	KeyRank best;

	find_keys(&keys, necessary);
	best = keys_select(&keys);
	*group = -1;
	for (int i = 0; i < necessary->n && best < SELECTS_PAGE; i++)
	{
		const Condition *condition = necessary->conditions[i];
		KeyRank least = SELECTS_PAGE;

		if (condition->type != CONDITION_ANY)
			continue;
		for (int j = 0; j < condition->nmembers && least > best; j++)
		{
			Necessary	alternative;
			int			inner;

			if (--*looks < 0)
				return best;
			alternative = with_alternative(necessary, i, j);
			least = Min(least, select_group(&alternative, &inner, looks));
			pfree(alternative.conditions);
		}
		if (least > best)
		{
			best = least;
			*group = i;
		}
	}
	return best;
}

/*
 * Files a rule under the keys of conditions without which it cannot fire.
 */
static void
file_by_keys(RuleIndex *index, const Rule *rule, const Keys *keys)
{
	Bytes		page_visit = {PAGE_VISIT, sizeof(PAGE_VISIT) - 1};

	if (keys->pages)
		file_in_node(bytesmap_entry(&index->types, page_visit, sizeof(TypeNode)),
					 rule, keys);
	else if (keys->types)
	{
		for (int i = 0; i < keys->types->npatterns; i++)
			file_in_node(bytesmap_entry(&index->types, keys->types->patterns[i],
								   sizeof(TypeNode)), rule, keys);
	}
	else if (keys->type_substrings)
	{
		for (int i = 0; i < keys->type_substrings->npatterns; i++)
			substrings_add(&index->type_substrings,
						   keys->type_substrings->patterns[i], rule);
	}
	else
	{
		file_in_node(&index->any, rule, keys);
		index->any_used = true;
	}
}

/*
 * Files a rule that cannot fire unless all of these conditions hold.  Each level of
 * groups is decided anew; where there are too many to look at, the rest is not.
 */
static void
file_rule(RuleIndex *index, const Rule *rule, const Necessary *necessary,
		  int *looks)
{
	int			group = -1;
	Keys		keys;

	select_group(necessary, &group, looks);
	if (group < 0)
	{
		find_keys(&keys, necessary);
		file_by_keys(index, rule, &keys);
		return;
	}
	for (int i = 0; i < necessary->conditions[group]->nmembers; i++)
	{
		Necessary	alternative = with_alternative(necessary, group, i);

		file_rule(index, rule, &alternative, looks);
		pfree(alternative.conditions);
	}
}

static void
file_under(RuleIndex *index, const Rule *rule, const Condition **conditions,
		   int n)
{
	Necessary	necessary = {0};
	int			looks = MAX_GROUP_LOOKS;

	for (int i = 0; i < n; i++)
		necessary_add(&necessary, conditions[i]);
	file_rule(index, rule, &necessary, &looks);
	if (necessary.conditions != NULL)
		pfree(necessary.conditions);
}

/*
 * Files a rule under the conditions of which firing_necessary tells: all of a
 * set of necessary ones, or each of a set one of which must hold.
 */
static void
index_rule(RuleIndex *index, const Rule *rule)
{
	const Condition **conditions;
	int			n;

	/* What time makes fire is not evaluated on actions. */
	if (rule->broken || rule->schedule != NULL ||
		(rule->status != RULE_ACTIVE && rule->status != RULE_TESTING))
		return;

	conditions = palloc(Max(rule->nconditions, 1) * sizeof(Condition *));
	switch (firing_necessary(rule, conditions, &n))
	{
		case NECESSARY_ALL:
			file_under(index, rule, conditions, n);
			break;
		case NECESSARY_ONE:
			for (int i = 0; i < n; i++)
				file_under(index, rule, &conditions[i], 1);
			break;
		case NEVER_FIRES:
			break;
	}
	pfree(conditions);
}

static int
compare_entries(const void *a, const void *b)
{
	Bytes		left = (*(BytesMapEntry *const *) a)->key;
	Bytes		right = (*(BytesMapEntry *const *) b)->key;
	int			result = memcmp(left.data, right.data,
								Min(left.length, right.length));

	return result != 0 ? result : left.length - right.length;
}

static void
counted_finish(CountedIndex *counted)
{
	bytesmap_iterator iterator;
	BytesMapEntry *entry;
	BytesMapEntry **entries;

	if (counted->known == NULL)
		return;
	entries = palloc(counted->known->members * sizeof(BytesMapEntry *));
	bytesmap_start_iterate(counted->known, &iterator);
	while ((entry = bytesmap_iterate(counted->known, &iterator)) != NULL)
		entries[counted->n++] = entry;
	qsort(entries, counted->n, sizeof(BytesMapEntry *), compare_entries);
	counted->types = palloc(counted->n * sizeof(Bytes));
	counted->lists = palloc(counted->n * sizeof(RuleList *));
	for (int i = 0; i < counted->n; i++)
	{
		counted->types[i] = entries[i]->key;
		counted->lists[i] = entries[i]->value;
	}
	pfree(entries);
}

static void
finish_node(TypeNode *node)
{
	substrings_finish(node->page_substrings);
	counted_finish(&node->counted);
}

RuleIndex *
rule_index_build(const Rules *rules)
{
	RuleIndex  *index = palloc0(sizeof(RuleIndex));

	index->context = CurrentMemoryContext;
	for (int i = 0; i < rules->nrules; i++)
		index_rule(index, &rules->rules[i]);

	if (index->types != NULL)
	{
		bytesmap_iterator iterator;
		BytesMapEntry *entry;

		bytesmap_start_iterate(index->types, &iterator);
		while ((entry = bytesmap_iterate(index->types, &iterator)) != NULL)
			finish_node(entry->value);
	}
	finish_node(&index->any);
	substrings_finish(index->type_substrings);

	index->known_types = bytesmap_create(index->context, 64, NULL);
	index->stamps = palloc0(Max(rules->nrules, 1) * sizeof(uint64));
	index->candidates = palloc(Max(rules->nrules, 1) * sizeof(Rule *));
	return index;
}

/* What automaton matches are collected into */
typedef struct Collect
{
	RuleIndex  *index;
	const SubstringIndex *substrings;
	RuleList   *list;			/* NULL: the candidates */
} Collect;

static inline void
add_candidates(RuleIndex *index, const RuleList *list)
{
	for (int i = 0; i < list->n; i++)
	{
		const Rule *rule = list->rules[i];

		if (index->stamps[rule->ordinal] != index->stamp)
		{
			index->stamps[rule->ordinal] = index->stamp;
			index->candidates[index->ncandidates++] = rule;
		}
	}
}

static void
collect_match(int pattern, void *arg)
{
	Collect    *collect = arg;
	const RuleList *found = &collect->substrings->lists[pattern];

	if (collect->list == NULL)
		add_candidates(collect->index, found);
	else
	{
		for (int i = 0; i < found->n; i++)
			list_add(collect->list, found->rules[i]);
	}
}

static void
search_substrings(RuleIndex *index, const SubstringIndex *substrings,
				  Bytes text, RuleList *list)
{
	Collect		collect = {index, substrings, list};

	automaton_search(substrings->automaton, text.data, text.length,
					 collect_match, &collect);
}

static void
resolve_type(RuleIndex *index, Bytes action_type, KnownType *known)
{
	known->node = bytesmap_find(index->types, action_type);
	known->by_substring.n = 0;
	if (index->type_substrings != NULL)
		search_substrings(index, index->type_substrings, action_type,
						  &known->by_substring);
}

static const KnownType *
known_type(RuleIndex *index, Bytes action_type)
{
	KnownType  *known = bytesmap_find(index->known_types, action_type);
	MemoryContext old;

	if (known != NULL)
		return known;

	old = MemoryContextSwitchTo(index->context);
	if (index->known_types->members >= MAX_KNOWN_TYPES)
	{
		known = &index->unkept;
		resolve_type(index, action_type, known);
	}
	else
	{
		KnownType	resolved = {0};
		Bytes		key;
		bool		found;

		resolve_type(index, action_type, &resolved);
		key.length = action_type.length;
		key.data = memcpy(palloc(key.length), action_type.data, key.length);
		known = palloc(sizeof(KnownType));
		*known = resolved;
		bytesmap_insert(index->known_types, key, &found)->value = known;
	}
	MemoryContextSwitchTo(old);
	return known;
}

bool
rule_index_rejects(RuleIndex *index, Bytes action_type)
{
	const KnownType *known;

	if (index->any_used)
		return false;
	known = known_type(index, action_type);
	return known->node == NULL && known->by_substring.n == 0;
}

static void
collect_list(void *list, void *index)
{
	add_candidates(index, list);
}

static void
search_document(RuleIndex *index, const PathIndex *attributes, Jsonb *document)
{
	if (attributes != NULL)
		path_index_search(attributes, &document->root, collect_list, index);
}

/*
 * An attribute of ROOT_ACTION_ANY counts only in the first document that has it;
 * here it may be in either, as candidates are evaluated in any case.
 */
static void
search_action(RuleIndex *index, const TypeNode *node, Action *action)
{
	const PathIndex *either = node->attributes[ROOT_ACTION_ANY];

	if (either != NULL || node->attributes[ROOT_ACTION_DATA] != NULL)
	{
		search_document(index, node->attributes[ROOT_ACTION_DATA],
						action_data(action));
		search_document(index, either, action_data(action));
	}
	if (either != NULL || node->attributes[ROOT_CONTEXT] != NULL)
	{
		search_document(index, node->attributes[ROOT_CONTEXT],
						action_context(action));
		search_document(index, either, action_context(action));
	}
}

static bool
fetch_column(const PathStep *step, JsonbValue *value, const void *user)
{
	AttributePath path = {ROOT_USER_COLUMN, 1, unconstify(PathStep *, step)};

	return user_attribute(user, &path, value);
}

static void
search_user(RuleIndex *index, const TypeNode *node, const UserRow *user)
{
	if (!user->found)
		return;
	for (AttributeRoot root = ROOT_PROFILE; root < ROOT_USER_COLUMN; root++)
	{
		if (node->attributes[root] != NULL)
			search_document(index, node->attributes[root],
							user_document(user, root));
	}
	if (node->attributes[ROOT_USER_COLUMN] != NULL)
		path_index_search_by(node->attributes[ROOT_USER_COLUMN], fetch_column,
							 user, collect_list, index);
}

static void
search_node(RuleIndex *index, const TypeNode *node, Action *action,
			const UserSource *user)
{
	Bytes		url;

	add_candidates(index, &node->direct);

	if ((node->pages != NULL || node->page_substrings != NULL) &&
		action_page_url(action, &url))
	{
		const RuleList *list = bytesmap_find(node->pages, url);

		if (list != NULL)
			add_candidates(index, list);
		if (node->page_substrings != NULL)
			search_substrings(index, node->page_substrings, url, NULL);
	}

	search_action(index, node, action);
	if (node->user_asked)
		search_user(index, node, user->row(user->arg));

	if (node->counted.n > 0)
	{
		int			n;
		const int  *done = user->types_done(node->counted.types,
											node->counted.n, &n, user->arg);

		for (int i = 0; i < n; i++)
			add_candidates(index, node->counted.lists[done[i]]);
	}
}

static int
compare_candidates(const void *a, const void *b)
{
	return (*(const Rule *const *) a)->ordinal -
		(*(const Rule *const *) b)->ordinal;
}

int
rule_index_candidates(RuleIndex *index, Action *action,
					  const UserSource *user, const Rule ***candidates)
{
	const KnownType *known = known_type(index, action->action_type);

	index->stamp++;
	index->ncandidates = 0;

	if (known->node != NULL)
		search_node(index, known->node, action, user);
	add_candidates(index, &known->by_substring);
	if (index->any_used)
		search_node(index, &index->any, action, user);

	if (index->ncandidates > 1)
		qsort(index->candidates, index->ncandidates, sizeof(Rule *),
			  compare_candidates);
	*candidates = index->candidates;
	return index->ncandidates;
}
