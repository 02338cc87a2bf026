/*-------------------------------------------------------------------------
 *
 * channel.c
 *	  Which of a rule's channels a message takes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "channel.h"

#include "consent.h"
#include "document.h"
#include "utils/builtins.h"

/* In the order in which a candidate is tested */
typedef enum ChannelTest
{
	TEST_CHANNEL,
	TEST_TEMPLATE,
	TEST_ADDRESS,
	TEST_CONSENT,
	TESTS_PASSED
} ChannelTest;

/* Who is asking, and for what */
typedef struct ChannelQuestion
{
	History    *history;
	const Rules *rules;
	const Rule *rule;
	const UserRow *user;
	ChannelTemplate find_template;
	void	   *arg;
} ChannelQuestion;

/*
 * Tests a candidate: sets its refusal or its address, and says how far it came.
 */
static ChannelTest
test_candidate(const ChannelQuestion *question, ChannelCandidate *candidate)
{
	const Channel *channel = candidate->channel;

	candidate->refusal = "channel_disabled";
	if (channel == NULL || !channel->enabled)
		return TEST_CHANNEL;
	candidate->refusal = "no_template";
	if (question->find_template != NULL &&
		(candidate->template = question->find_template(question->rule,
													   candidate->name,
													   question->arg)) == NULL)
		return TEST_TEMPLATE;
	candidate->refusal = "no_address";
	if (!channel_address(channel, question->user, &candidate->address))
		return TEST_ADDRESS;
	candidate->refusal = consent_refusal(question->history, question->rule,
										 question->user, candidate->name,
										 candidate->address);
	return candidate->refusal != NULL ? TEST_CONSENT : TESTS_PASSED;
}

/*
 * Moves the eligible candidates to the front, keeping their order.
 */
static void
eligible_first(ChannelPlan *plan)
{
	ChannelCandidate *sorted;
	int			neligible = 0;
	int			nrefused = 0;

	if (plan->neligible == 0 || plan->neligible == plan->n)
		return;
	sorted = palloc(plan->n * sizeof(ChannelCandidate));
	for (int i = 0; i < plan->n; i++)
	{
		int			at = plan->candidates[i].refusal == NULL ? neligible++ :
		plan->neligible + nrefused++;

		sorted[at] = plan->candidates[i];
	}
	pfree(plan->candidates);
	plan->candidates = sorted;
}

static void
list_candidates(ChannelPlan *plan, const Rules *rules, char *const *names, int n)
{
	memset(plan, 0, sizeof(ChannelPlan));
	plan->n = n;
	plan->candidates = palloc0(Max(n, 1) * sizeof(ChannelCandidate));
	plan->ranked = !rules->unscored;
	plan->reason = "no_channel";
	for (int i = 0; i < n; i++)
	{
		plan->candidates[i].name = names[i];
		plan->candidates[i].channel = channels_find(rules, names[i]);
		plan->candidates[i].engagement = STRANGERS_ENGAGEMENT;
	}
}

void
channel_plan_begin(ChannelPlan *plan, History *history, const Rules *rules,
				   const Rule *rule, const UserRow *user, char *const *names,
				   int n, ChannelTemplate find_template, void *arg)
{
	ChannelQuestion question = {history, rules, rule, user, find_template, arg};
	ChannelTest furthest = TEST_CHANNEL;

	list_candidates(plan, rules, names, n);
	for (int i = 0; i < n; i++)
	{
		ChannelCandidate *candidate = &plan->candidates[i];
		ChannelTest came = test_candidate(&question, candidate);

		if (came == TESTS_PASSED)
			plan->neligible++;
		else if (i == 0 || came > furthest)
		{
			furthest = came;
			plan->reason = candidate->refusal;
		}
	}
	eligible_first(plan);
}

void
channel_plan_unknown(ChannelPlan *plan, const Rules *rules, char *const *names,
					 int n)
{
	list_candidates(plan, rules, names, n);
	for (int i = 0; i < n; i++)
		plan->candidates[i].refusal = "no_user";
	plan->reason = "no_user";
}

bool
channel_plan_is_open(const ChannelPlan *plan)
{
	return plan->ranked && plan->neligible > 1;
}

/*
 * Sorts by score; of equals the first stays first.  There are few.
 */
static void
rank_candidates(ChannelCandidate *candidates, int n)
{
	for (int i = 1; i < n; i++)
	{
		ChannelCandidate moved = candidates[i];
		int			at = i;

		while (at > 0 && candidates[at - 1].score < moved.score)
		{
			candidates[at] = candidates[at - 1];
			at--;
		}
		candidates[at] = moved;
	}
}

void
channel_plan_end(ChannelPlan *plan, ChannelStrategy strategy, Urgency urgency,
				 bool rank)
{
	for (int i = 0; i < plan->n; i++)
	{
		ChannelCandidate *candidate = &plan->candidates[i];

		if (candidate->channel == NULL)
			continue;
		candidate->modifier = candidate->channel->modifiers[urgency];
		candidate->score = candidate->channel->base * candidate->engagement *
			candidate->modifier;
	}
	plan->ranked = plan->ranked && rank;
	if (plan->ranked)
		rank_candidates(plan->candidates, plan->neligible);

	switch (strategy)
	{
		case STRATEGY_BEST:
		case STRATEGY_FALLBACK:
			plan->nchosen = Min(plan->neligible, 1);
			break;
		case STRATEGY_TOP2:
			plan->nchosen = Min(plan->neligible, 2);
			break;
		case STRATEGY_ALL:
			plan->nchosen = plan->neligible;
			break;
	}
}

void
channel_plan_push(JsonbParseState **state, const ChannelPlan *plan)
{
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < plan->n; i++)
	{
		const ChannelCandidate *candidate = &plan->candidates[i];

		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		push_text(state, "channel", CStringGetTextDatum(candidate->name), false);
		push_bool(state, "eligible", candidate->refusal == NULL);
		push_bool(state, "chosen", i < plan->nchosen);
		if (candidate->refusal != NULL)
			push_text(state, "reason", CStringGetTextDatum(candidate->refusal),
					  false);
		else
			push_float8(state, "score", candidate->score);
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}
