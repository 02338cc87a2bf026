/*-------------------------------------------------------------------------
 *
 * condition_scorer.h
 *	  What the files that score conditions share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CONDITION_SCORER_H
#define NUDGE_CONDITION_SCORER_H

#include "postgres.h"

#include "evaluate.h"

#define INCOMPLETE_HISTORY "a partition of nudge.actions lacks its index on (user_id, action_type, recorded_at, action_id)"
#define INCOMPLETE_EVENTS "a partition of nudge.events lacks its index on (user_id, recorded_at)"

static inline Score
score_of(bool holds)
{
	return holds ? SCORE_YES : SCORE_NO;
}

/* What cannot be computed; reason is kept by address. */
static inline Score
score_error(Evaluator *evaluator, const char *reason)
{
	evaluator->error = reason;
	return SCORE_ERROR;
}

static inline Score
score_negated(Score score)
{
	return score == SCORE_ERROR ? score : score_of(score == SCORE_NO);
}

/* Scalars of the same kind, numbers as numeric, strings by their bytes */
extern bool scalars_equal(const JsonbValue *a, const JsonbValue *b);

/*
 * Whether a path predicate is true of a document; lax and silent.  The document
 * must not be nested deeper than DOCUMENT_MAX_DEPTH.
 */
extern bool jsonpath_holds(JsonPath *jsonpath, Jsonb *document);

/* The location of the user that a condition looks at; false where it is unknown. */
typedef struct Location
{
	bool		located;		/* lat and lon are good */
	double		lat;
	double		lon;
	Bytes		country;		/* empty: not known */
	Bytes		region;
} Location;

extern bool location_known(Evaluator *evaluator, const Place *place,
						   Location *location, bool *bad);
extern Score score_location(Evaluator *evaluator, const Condition *condition);

extern Score score_local_time(Evaluator *evaluator, const Condition *condition);

/* The old and the new value of an attribute; false where it is not in changed. */
extern bool change_known(Evaluator *evaluator, const AttributeChange *change,
						 JsonbValue *old, JsonbValue *new);
extern Score score_attribute_change(Evaluator *evaluator,
									const Condition *condition);

extern Score score_action_count(Evaluator *evaluator, const Condition *condition);
extern Score score_message_engagement(Evaluator *evaluator,
									  const Condition *condition);

#endif							/* NUDGE_CONDITION_SCORER_H */
