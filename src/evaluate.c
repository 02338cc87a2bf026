/*-------------------------------------------------------------------------
 *
 * evaluate.c
 *	  Evaluates rules against an action.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "evaluate.h"

#include "firing.h"
#include "miscadmin.h"
#include "segment.h"

/* Rules with more conditions than this take their scratch space from palloc. */
#define MAX_STACK_CONDITIONS 32

void
evaluator_reset(Evaluator *evaluator)
{
	evaluator->action.data = NULL;
	evaluator->action.context = NULL;
	evaluator->user_known = false;
	evaluator->purchases_known = false;
	evaluator->login_known = false;
	evaluator->last_login_known = false;
	evaluator->document_known = false;
	evaluator->user_document_known = false;
	evaluator->segment_scores = NULL;
	evaluator->usage_known = false;
	evaluator->count_known = false;
	evaluator->engagements_known = false;
	evaluator->error = NULL;
}

const UserRow *
evaluator_user(Evaluator *evaluator)
{
	if (!evaluator->user_known)
	{
		history_user(evaluator->history, evaluator->action.user_id_datum,
					 &evaluator->user);
		evaluator->user_known = true;
	}
	return &evaluator->user;
}

const Usage *
evaluator_usage(Evaluator *evaluator)
{
	if (!evaluator->usage_known)
	{
		history_usage(evaluator->history, evaluator->action.user_id_datum,
					  &evaluator->usage);
		evaluator->usage_known = true;
	}
	return &evaluator->usage;
}

pg_tz *
evaluator_timezone(Evaluator *evaluator)
{
	return caps_timezone(user_timezone(evaluator_user(evaluator)));
}

/*
 * Scores a condition; one that cannot be computed is told of, and counts as no.
 */
static double
weighted_score(Evaluator *evaluator, const Rule *rule, int i,
			   EvaluationError error, void *arg)
{
	switch (condition_score(evaluator, &rule->conditions[i]))
	{
		case SCORE_YES:
			return rule->conditions[i].weight;
		case SCORE_ERROR:
			if (error != NULL)
				error(evaluator, rule, i, arg);
			break;
		case SCORE_NO:
			break;
	}
	return 0.0;
}

bool
evaluate_rule(Evaluator *evaluator, const Rule *rule, double *scores,
			  double *score, EvaluationError error, void *arg)
{
	double		space[MAX_STACK_CONDITIONS];
	double	   *best = scores;
	int			n = rule->nconditions;

	*score = 0.0;
	if (rule->broken)
		return false;
	if (best == NULL)
		best = n <= lengthof(space) ? space : palloc(n * sizeof(double));

	/* A condition that is not scored yet may still hold. */
	for (int i = 0; i < n; i++)
		best[i] = rule->conditions[i].weight;

	for (ConditionCost cost = 0; cost < NUM_COSTS; cost++)
	{
		for (int i = 0; i < n; i++)
		{
			if (rule->conditions[i].cost != cost)
				continue;
			CHECK_FOR_INTERRUPTS();
			best[i] = weighted_score(evaluator, rule, i, error, arg);
			if (scores == NULL && best[i] == 0.0 &&
				!firing_decide(rule->trigger_type, best, n, score))
				return false;
		}
	}
	return firing_decide(rule->trigger_type, best, n, score);
}

bool
evaluate_segments(Evaluator *evaluator, const Rule *rule, const char **missing)
{
	for (int i = 0; i < rule->nsegments; i++)
	{
		if (segment_score(evaluator, rule->segments[i]) != SCORE_YES)
		{
			*missing = rule->segments[i];
			return false;
		}
	}
	return true;
}
