/*-------------------------------------------------------------------------
 *
 * evaluate.h
 *	  Evaluates rules against an action.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_EVALUATE_H
#define NUDGE_EVALUATE_H

#include "postgres.h"

#include "action.h"
#include "history.h"
#include "rules.h"

typedef enum Score
{
	SCORE_NO,
	SCORE_YES,
	SCORE_ERROR					/* cannot be computed; counts as no */
} Score;

/*
 * An action in hand, and what has been found out for it.  Facts are fetched at
 * first use and live in the caller's current context, which is reset for each
 * action.
 */
typedef struct Evaluator
{
	const Rules *rules;
	History    *history;
	TimestampTz now;			/* start of the transaction */
	Action		action;

	bool		user_known;
	UserRow		user;

	bool		purchases_known;
	int64		purchases;		/* at least so many, if equal to the limit */
	int64		purchases_limit;

	bool		login_known;
	TimestampTz login_since;	/* what was asked */
	TimestampTz login_enough;
	bool		login_found;	/* what was found */
	TimestampTz login_at;

	bool		last_login_known;	/* of either source, for explain */
	TimestampTz last_login;

	bool		document_known;
	Jsonb	   *document;		/* NULL: nested too deeply */
	bool		usage_known;
	Usage		usage;

	bool		count_known;	/* of the last action_count */
	Bytes		count_key;
	int64		count;			/* at least so many, if equal to the limit */
	int64		count_limit;
	const char *count_error;	/* or NULL */

	bool		engagements_known;
	TimestampTz engagements_since;	/* what was asked */
	int			nengagements;
	struct Engagement *engagements;

	/* Where a schedule fires the rule: which occurrence, and when it was due */
	Datum		occurrence;		/* text; 0: an action fires it */
	TimestampTz occurs_at;

	/* After SCORE_ERROR: why */
	const char *error;

	/* Segments, whose conditions do not look at the action (segment.c) */
	bool		in_segment;		/* one of them is being scored */
	uint8	   *segment_scores; /* by Segment.ordinal, a SegmentMemo each */
	bool		user_document_known;
	Jsonb	   *user_document;	/* NULL: nested too deeply */

	/* Told of each condition of a segment that could not be computed; or NULL */
	void		(*segment_error) (struct Evaluator *evaluator,
								  const Segment *segment, int condition, void *arg);
	void	   *segment_error_arg;
} Evaluator;

/* Told of each condition that could not be computed. */
typedef void (*EvaluationError) (Evaluator *evaluator, const Rule *rule,
								 int condition, void *arg);

/* Starts on the action in evaluator->action. */
extern void evaluator_reset(Evaluator *evaluator);

extern const UserRow *evaluator_user(Evaluator *evaluator);
extern const Usage *evaluator_usage(Evaluator *evaluator);

/* The user's time zone, else nudge.timezone */
extern pg_tz *evaluator_timezone(Evaluator *evaluator);

/* Scores one condition, without its weight. */
extern Score condition_score(Evaluator *evaluator, const Condition *condition);

/*
 * Whether a rule's conditions make it fire.  *score is as in firing_decide.  With
 * scores given (room for all conditions), every condition is scored, in weighted
 * form; without, only as many as it takes to know.
 */
extern bool evaluate_rule(Evaluator *evaluator, const Rule *rule,
						  double *scores, double *score,
						  EvaluationError error, void *arg);

/* Whether the user is in all segments of a rule; *missing names one if not. */
extern bool evaluate_segments(Evaluator *evaluator, const Rule *rule,
							  const char **missing);

#endif							/* NUDGE_EVALUATE_H */
