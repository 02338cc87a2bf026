/*-------------------------------------------------------------------------
 *
 * recommendations.h
 *	  Items to recommend, for many messages at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_RECOMMENDATIONS_H
#define NUDGE_RECOMMENDATIONS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/jsonb.h"

typedef struct RecommendationRequest
{
	Datum		user_id;
	Jsonb	   *action_data;	/* of the action in hand; may be NULL */
	int			amount;

	Jsonb	   *items;			/* result: an array, or NULL: none */
} RecommendationRequest;

/*
 * Answers all requests by one query.  SPI must be connected; results live in the
 * current memory context.
 */
extern void recommendations_fetch(RecommendationRequest *requests, int n,
								  TimestampTz as_of);

#endif							/* NUDGE_RECOMMENDATIONS_H */
