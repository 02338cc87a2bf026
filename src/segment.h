/*-------------------------------------------------------------------------
 *
 * segment.h
 *	  Whether a user is in a segment.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_SEGMENT_H
#define NUDGE_SEGMENT_H

#include "postgres.h"

#include "evaluate.h"

/*
 * Whether the user of the action in hand is in a segment: listed, or with a row
 * in nudge.users that its conditions hold for.  Never SCORE_ERROR: a condition
 * that cannot be computed does not hold, and evaluator->segment_error is told.
 */
extern Score segment_score(Evaluator *evaluator, const char *name);

/*
 * Scores one condition of a segment for the user, without regard to the action;
 * after SCORE_ERROR, evaluator->error says why.
 */
extern Score segment_condition_score(Evaluator *evaluator,
									 const Condition *condition);

/*
 * Starts an evaluator on a user without an action.  The caller sets rules and
 * history, and closes them.
 */
extern void segment_begin(Evaluator *evaluator, Datum user_id, TimestampTz now);

/* Names of all segments that the evaluator's user is in, as text[] */
extern Datum segments_of_user(Evaluator *evaluator);

#endif							/* NUDGE_SEGMENT_H */
