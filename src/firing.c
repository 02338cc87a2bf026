/*-------------------------------------------------------------------------
 *
 * firing.c
 *	  How the scores of conditions make a rule fire.
 *
 * A condition scores 1.0 or 0.0, times its weight.  A behavioral rule fires when
 * every weighted score is at least 0.5 (so one without conditions fires), an
 * engagement rule when their mean is at least 0.7, any other rule when one of
 * them is at least 0.8.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "firing.h"

#define BEHAVIORAL_LEAST 0.5
#define ENGAGEMENT_MEAN 0.7
#define OTHER_GREATEST 0.8

/* Three weights of 0.7 have a mean of 0.7, whatever binary fractions say. */
#define TOLERANCE 1e-9

bool
firing_decide(TriggerType trigger_type, const double *scores, int n,
			  double *score)
{
	double		least = 0.0;
	double		greatest = 0.0;
	double		sum = 0.0;

	for (int i = 0; i < n; i++)
	{
		sum += scores[i];
		least = i == 0 ? scores[i] : Min(least, scores[i]);
		greatest = i == 0 ? scores[i] : Max(greatest, scores[i]);
	}

	switch (trigger_type)
	{
		case TRIGGER_BEHAVIORAL:
			*score = n == 0 ? 1.0 : least;
			return *score >= BEHAVIORAL_LEAST;
		case TRIGGER_ENGAGEMENT:
			*score = n == 0 ? 0.0 : sum / n;
			return *score >= ENGAGEMENT_MEAN - TOLERANCE;
		default:
			*score = greatest;
			return *score >= OTHER_GREATEST;
	}
}

/*
 * A condition of an engagement rule is necessary if the others' weights do not
 * reach the mean; where none is, one of the heaviest must hold.
 */
static Necessity
engagement_necessary(const Rule *rule, const Condition **conditions, int *n)
{
	double		total = 0.0;
	double		needed = (ENGAGEMENT_MEAN - TOLERANCE) * rule->nconditions;

	for (int i = 0; i < rule->nconditions; i++)
		total += rule->conditions[i].weight;
	if (rule->nconditions == 0 || total < needed)
		return NEVER_FIRES;

	for (int i = 0; i < rule->nconditions; i++)
	{
		if (total - rule->conditions[i].weight < needed)
			conditions[(*n)++] = &rule->conditions[i];
	}
	if (*n > 0)
		return NECESSARY_ALL;

	for (int i = 0; i < rule->nconditions && total >= needed; i++)
	{
		conditions[(*n)++] = &rule->conditions[i];
		total -= rule->conditions[i].weight;
	}
	return NECESSARY_ONE;
}

Necessity
firing_necessary(const Rule *rule, const Condition **conditions, int *n)
{
	*n = 0;
	if (rule->trigger_type == TRIGGER_ENGAGEMENT)
		return engagement_necessary(rule, conditions, n);

	for (int i = 0; i < rule->nconditions; i++)
	{
		const Condition *condition = &rule->conditions[i];

		if (rule->trigger_type == TRIGGER_BEHAVIORAL)
		{
			if (condition->weight < BEHAVIORAL_LEAST)
				return NEVER_FIRES;
			conditions[(*n)++] = condition;
		}
		else if (condition->weight >= OTHER_GREATEST)
			conditions[(*n)++] = condition;
	}
	if (rule->trigger_type == TRIGGER_BEHAVIORAL)
		return NECESSARY_ALL;
	return *n > 0 ? NECESSARY_ONE : NEVER_FIRES;
}
