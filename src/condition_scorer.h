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

#include "common/int.h"
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

/* From when on something is within a window; 0: whenever */
static inline TimestampTz
window_begin(Evaluator *evaluator, int64 window)
{
	TimestampTz begin;

	if (window == 0 || pg_sub_s64_overflow(evaluator->now, window, &begin))
		return PG_INT64_MIN;
	return begin;
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
extern double location_distance_km(const Place *place, const Location *location);

/* How far apart two objects with lat and lon are; false where they are none. */
extern bool moved_km(const JsonbValue *from, const JsonbValue *to, double *km);
extern Score score_location(Evaluator *evaluator, const Condition *condition);

/* "mon 09:30:00", for people */
extern char *local_time_text(Evaluator *evaluator);
extern Score score_local_time(Evaluator *evaluator, const Condition *condition);

/* The old and the new value of an attribute; false where it is not in changed. */
extern bool change_known(Evaluator *evaluator, const AttributeChange *change,
						 JsonbValue *old, JsonbValue *new);
extern Score score_attribute_change(Evaluator *evaluator,
									const Condition *condition);

/* How often, or at least so often if that decides */
extern int64 action_count_seen(Evaluator *evaluator, const ActionCount *count);
extern Score score_action_count(Evaluator *evaluator, const Condition *condition);

/*
 * When, at the earliest, the passage of time alone changes whether a count is
 * within its bounds; PG_INT64_MAX: never.
 */
extern TimestampTz action_count_holds_until(Evaluator *evaluator,
											const ActionCount *count);

/* What is known of a rule's messages within the condition's time */
typedef struct MessageEngagement
{
	bool		sent;
	bool		opened;
	bool		clicked;
} MessageEngagement;

/* False where a partition of nudge.events cannot be looked into. */
extern bool engagement_known(Evaluator *evaluator, const Condition *condition,
							 MessageEngagement *engagement);
extern Score score_message_engagement(Evaluator *evaluator,
									  const Condition *condition);

#endif							/* NUDGE_CONDITION_SCORER_H */
