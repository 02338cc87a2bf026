#include "postgres.h"

#include "condition_scorer.h"

Score
score_message_engagement(Evaluator *evaluator, const Condition *condition)
{
	return SCORE_NO;
}
