#include "postgres.h"

#include "condition_scorer.h"

Score
score_action_count(Evaluator *evaluator, const Condition *condition)
{
	return SCORE_NO;
}
