/*-------------------------------------------------------------------------
 *
 * execute_channels.c
 *	  By which channels a trigger's messages go.
 *
 * With strategy fallback the best channel goes first, and a trigger for the others
 * is appended to nudge.pending with the message's id as fallback_of.  It is one of
 * the same firing: it counts in the same cap windows, and what cancels the first
 * cancels it.  When it is due it asks whether the message was engaged with; the
 * answer is of that moment, since nothing can be locked for an event to come.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "execute.h"

#include "catalog/pg_type.h"
#include "channel_engagement.h"
#include "compose.h"
#include "utils/array.h"
#include "utils/builtins.h"

static bool
is_follow_up(const BatchTrigger *trigger)
{
	return !trigger->due.nulls[Anum_pending_fallback_of - 1];
}

void
check_engaged(Batch *batch)
{
	int64	   *message_ids = NULL;
	int		   *triggers = NULL;
	bool	   *engaged;
	int			n = 0;

	for (int i = 0; i < batch->ntriggers; i++)
	{
		BatchTrigger *trigger = &batch->triggers[i];

		if (trigger->outcome != OUTCOME_OPEN || !is_follow_up(trigger))
			continue;
		if (message_ids == NULL)
		{
			message_ids = palloc(batch->ntriggers * sizeof(int64));
			triggers = palloc(batch->ntriggers * sizeof(int));
		}
		triggers[n] = i;
		message_ids[n++] =
			DatumGetInt64(trigger->due.values[Anum_pending_fallback_of - 1]);
	}
	if (n == 0)
		return;

	engaged = palloc(n * sizeof(bool));
	messages_engaged(message_ids, n, engaged);
	for (int i = 0; i < n; i++)
	{
		BatchTrigger *trigger = &batch->triggers[triggers[i]];

		if (engaged[i])
			trigger_skip(trigger, "engaged");
		else if (trigger->rule->channel_strategy != STRATEGY_FALLBACK)
			trigger_skip(trigger, "rule_changed");
	}
}

static bool
rule_has_channel(const Rule *rule, const char *channel)
{
	for (int i = 0; i < rule->nchannels; i++)
	{
		if (strcmp(rule->channels[i], channel) == 0)
			return true;
	}
	return false;
}

/*
 * The channels that the trigger may go by: the rule's, or those of them that are
 * left to try.
 */
static char **
trigger_channels(const BatchTrigger *trigger, int *n)
{
	const Rule *rule = trigger->rule;
	Datum	   *elements;
	bool	   *nulls;
	int			nelements;
	char	  **names;

	*n = rule->nchannels;
	if (trigger->due.nulls[Anum_pending_channels - 1])
		return rule->channels;

	deconstruct_array(DatumGetArrayTypeP(trigger->due.values[Anum_pending_channels - 1]),
					  TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls,
					  &nelements);
	names = palloc(Max(nelements, 1) * sizeof(char *));
	*n = 0;
	for (int i = 0; i < nelements; i++)
	{
		char	   *name = nulls[i] ? NULL : TextDatumGetCString(elements[i]);

		if (name != NULL && rule_has_channel(rule, name))
			names[(*n)++] = name;
	}
	return names;
}

static void
begin_plan(History *history, Batch *batch, BatchTrigger *trigger)
{
	int			n;
	char	  **names = trigger_channels(trigger, &n);

	channel_plan_begin(&trigger->plan, history, batch->rules, trigger->rule,
					   &trigger->user->row, names, n, compose_find_template,
					   &batch->templates);
	trigger->planned = true;
}

/*
 * What follows up keeps the order that was found when the first went.
 */
static void
end_plan(BatchTrigger *trigger)
{
	channel_plan_end(&trigger->plan, trigger->rule->channel_strategy,
					 trigger->rule->urgency, !is_follow_up(trigger));
}

bool
plan_trigger(History *history, Batch *batch, BatchTrigger *trigger)
{
	if (!trigger->planned)
	{
		begin_plan(history, batch, trigger);
		end_plan(trigger);
	}
	if (trigger->plan.nchosen == 0)
		trigger_skip(trigger, trigger->plan.reason);
	return trigger->plan.nchosen > 0;
}

static bool
has_choice(const BatchTrigger *trigger)
{
	return trigger->outcome == OUTCOME_OPEN &&
		(trigger->rule->nchannels > 1 || is_follow_up(trigger));
}

/*
 * Plans the triggers that have a choice of channels, finding out at once how their
 * users engage.  These plans last as long as the batch, since they say what may
 * follow.  The others, most often all, are planned one by one when their turn
 * comes, and leave nothing behind in the batch's memory.
 */
void
plan_choices(History *history, Batch *batch)
{
	ChannelPlan **plans = NULL;
	Datum	   *user_ids = NULL;
	int			n = 0;

	for (int i = 0; i < batch->ntriggers; i++)
	{
		BatchTrigger *trigger = &batch->triggers[i];

		if (!has_choice(trigger))
			continue;
		if (plans == NULL)
		{
			plans = palloc(batch->ntriggers * sizeof(ChannelPlan *));
			user_ids = palloc(batch->ntriggers * sizeof(Datum));
		}
		begin_plan(history, batch, trigger);
		if (is_follow_up(trigger))
			continue;
		plans[n] = &trigger->plan;
		user_ids[n++] = trigger->user->user_id;
	}
	if (n > 0)
		channel_plans_engage(plans, user_ids, n);
	for (int i = 0; i < batch->ntriggers; i++)
	{
		if (batch->triggers[i].planned)
			end_plan(&batch->triggers[i]);
	}
}

Datum
channels_left(const BatchTrigger *trigger)
{
	const ChannelPlan *plan = &trigger->plan;
	int			n = plan->neligible - plan->nchosen;
	Datum	   *names;

	if (trigger->rule->channel_strategy != STRATEGY_FALLBACK || n <= 0)
		return (Datum) 0;
	names = palloc(n * sizeof(Datum));
	for (int i = 0; i < n; i++)
		names[i] = CStringGetTextDatum(plan->candidates[plan->nchosen + i].name);
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false,
										   TYPALIGN_INT));
}
