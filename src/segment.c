/*-------------------------------------------------------------------------
 *
 * segment.c
 *	  Whether a user is in a segment.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "segment.h"

Score
segment_score(Evaluator *evaluator, const char *name)
{
	return history_in_segment(evaluator->history,
							  evaluator->action.user_id_datum, name) ?
		SCORE_YES : SCORE_NO;
}
