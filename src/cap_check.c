/*-------------------------------------------------------------------------
 *
 * cap_check.c
 *	  Whether caps already forbid a trigger when its rule fires.
 *
 * The insert path reads counts and pending triggers without locks and drops what
 * they forbid.  It may let through more than a cap allows, since it does not see
 * what other sessions have not committed; the executor decides for good.
 *
 * A cap on a channel is looked at only for rules that have no other channel:
 * which channel a trigger takes is not known before it is due.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cap_check.h"

/* State of all caps of a rule while the pending triggers go by */
typedef struct Counting
{
	const Rules *rules;
	pg_tz	   *tz;
	DateADT		today;
	bool		all;			/* count on when a cap is used up */
	bool		used_up;
	int			n;
	CapState   *states;
} Counting;

/* Does a rule that a trigger is waiting for send by no other channel? */
static bool
only_channel(const Rule *rule, const char *channel)
{
	return rule != NULL && rule->nchannels == 1 && !rule->channel_varies &&
		strcmp(rule->channels[0], channel) == 0;
}

static bool
applies(const FrequencyCap *cap, const Rule *rule)
{
	if (cap->rule_id == 0 && rule->trigger_type == TRIGGER_TRANSACTIONAL)
		return false;
	return cap->channel == NULL || only_channel(rule, cap->channel);
}

/*
 * Counts a pending trigger against the caps in whose window it fired.  Once a cap
 * is used up there is no need for more, so that nobody reads more triggers than
 * caps allow.
 */
static bool
count_pending(int64 rule_id, TimestampTz fired_at, void *arg)
{
	Counting   *counting = arg;
	DateADT		day = 0;
	bool		day_known = false;

	for (int i = 0; i < counting->n; i++)
	{
		CapState   *state = &counting->states[i];
		const FrequencyCap *cap = state->cap;
		DateADT		first;
		DateADT		last;

		if (cap->rule_id != 0 ? cap->rule_id != rule_id :
			rules_exempt(rule_id, (void *) counting->rules))
			continue;
		if (cap->channel != NULL &&
			!only_channel(rules_find(counting->rules, rule_id), cap->channel))
			continue;
		if (!day_known)
			day = caps_local_day(fired_at, counting->tz);
		day_known = true;
		caps_window(cap->period, counting->today, &first, &last);
		if (day >= first && day <= last)
			state->waiting++;
		counting->used_up |= state->used + state->waiting >= cap->max_messages;
	}
	return counting->all || !counting->used_up;
}

static int
count_caps(Evaluator *evaluator, const Rule *rule, bool all, CapState **states)
{
	const Rules *rules = evaluator->rules;
	int			most = rule->ncaps + rules->nglobal_caps;
	Counting	counting = {rules};
	bool		of_all_rules = false;

	*states = NULL;
	if (most == 0)
		return 0;

	counting.states = palloc0(most * sizeof(CapState));
	for (int i = 0; i < most; i++)
	{
		const FrequencyCap *cap = i < rule->ncaps ? &rule->caps[i] :
		&rules->global_caps[i - rule->ncaps];

		if (applies(cap, rule))
			counting.states[counting.n++].cap = cap;
	}
	*states = counting.states;
	if (counting.n == 0)
		return 0;

	counting.tz = evaluator_timezone(evaluator);
	counting.today = caps_local_day(evaluator->now, counting.tz);
	counting.all = all;
	for (int i = 0; i < counting.n; i++)
	{
		CapState   *state = &counting.states[i];

		state->used =
			usage_count(evaluator_usage(evaluator), state->cap,
						counting.today, rules_exempt, (void *) rules);
		counting.used_up |= state->used >= state->cap->max_messages;
		of_all_rules |= state->cap->rule_id == 0;
	}
	if (all || !counting.used_up)
		history_pending(evaluator->history, evaluator->action.user_id_datum,
						of_all_rules ? 0 : rule->rule_id, count_pending,
						&counting);
	return counting.n;
}

int
cap_states(Evaluator *evaluator, const Rule *rule, CapState **states)
{
	return count_caps(evaluator, rule, true, states);
}

const FrequencyCap *
cap_forbids(Evaluator *evaluator, const Rule *rule)
{
	CapState   *states;
	int			n = count_caps(evaluator, rule, false, &states);

	for (int i = 0; i < n; i++)
	{
		if (states[i].used + states[i].waiting >= states[i].cap->max_messages)
			return states[i].cap;
	}
	return NULL;
}

static const FrequencyCap *
used_up_cap(const Rules *rules, const FrequencyCap *caps, int ncaps,
			const Usage *usage, const char *channel, DateADT day)
{
	for (int i = 0; i < ncaps; i++)
	{
		const FrequencyCap *cap = &caps[i];

		if (cap->channel != NULL && strcmp(cap->channel, channel) != 0)
			continue;
		if (usage_count(usage, cap, day, rules_exempt, (void *) rules) >=
			cap->max_messages)
			return cap;
	}
	return NULL;
}

const FrequencyCap *
caps_forbid_message(const Rules *rules, const Rule *rule, const Usage *usage,
					const char *channel, DateADT day)
{
	const FrequencyCap *cap = used_up_cap(rules, rule->caps, rule->ncaps, usage,
										  channel, day);

	if (cap == NULL && rule->trigger_type != TRIGGER_TRANSACTIONAL)
		cap = used_up_cap(rules, rules->global_caps, rules->nglobal_caps, usage,
						  channel, day);
	return cap;
}
