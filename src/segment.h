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
 * Whether the user of the action in hand is in a segment.  A condition of it that
 * cannot be computed gives SCORE_ERROR, with evaluator->error set.
 */
extern Score segment_score(Evaluator *evaluator, const char *name);

#endif							/* NUDGE_SEGMENT_H */
