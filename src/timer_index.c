/*-------------------------------------------------------------------------
 *
 * timer_index.c
 *	  Which actions and which changes of users concern schedules.
 *
 * A part of a generation of rules, so that an action whose type no schedule names
 * is done with after a look into a hash table, however many rules there are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "timer_index.h"

#include "bytesmap.h"

static TimerListeners *
listeners_of_type(TimerIndex *index, char *type)
{
	Bytes		key = {type, strlen(type)};
	BytesMapEntry *entry;
	bool		found;

	if (index->types == NULL)
		index->types = bytesmap_create(CurrentMemoryContext, 16, NULL);
	entry = bytesmap_insert(index->types, key, &found);
	if (!found)
		entry->value = palloc0(sizeof(TimerListeners));
	return entry->value;
}

static void
add_listener(TimerListeners *listeners, const Rule *rule)
{
	if (rule->schedule->kind != TIMER_DECLINE)
	{
		listeners->always = true;
		return;
	}
	listeners->declines = listeners->declines == NULL ? palloc(sizeof(int64)) :
		repalloc(listeners->declines, (listeners->ndeclines + 1) * sizeof(int64));
	listeners->declines[listeners->ndeclines++] = rule->rule_id;
}

static void
index_actions(TimerIndex *index, const Rule *rule)
{
	const TimerSchedule *schedule = rule->schedule;

	index->listening = true;
	if (schedule->any_type)
		add_listener(&index->any, rule);
	for (int i = 0; i < schedule->ntypes; i++)
		add_listener(listeners_of_type(index, schedule->types[i]), rule);
}

TimerIndex *
timer_index_build(const Rules *rules)
{
	TimerIndex *index = palloc0(sizeof(TimerIndex));

	index->attributes = palloc(Max(rules->nrules, 1) * sizeof(AttributePath *));
	for (int i = 0; i < rules->nrules; i++)
	{
		const Rule *rule = &rules->rules[i];

		if (rule->schedule == NULL || rule->schedule->kind == TIMER_BROKEN ||
			(rule->status != RULE_ACTIVE && rule->status != RULE_TESTING))
			continue;
		if (timer_is_of_attribute(rule->schedule))
			index->attributes[index->nattributes++] = &rule->schedule->attribute;
		else if (timer_is_of_actions(rule->schedule))
			index_actions(index, rule);
		else
			index->has_clocks = true;
		index->has_zones |= rule->schedule->kind != TIMER_ABANDONMENT &&
			rule->schedule->kind != TIMER_DECLINE;
	}
	return index;
}

const TimerListeners *
timer_index_find(const TimerIndex *index, Bytes action_type)
{
	BytesMapEntry *entry;

	if (index->types == NULL)
		return NULL;
	entry = bytesmap_lookup(index->types, action_type);
	return entry != NULL ? entry->value : NULL;
}
