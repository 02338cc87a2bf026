/*-------------------------------------------------------------------------
 *
 * segment.c
 *	  Whether a user is in a segment.
 *
 * What is found out is remembered with the action in hand, so that any number of
 * rules for the same segment cost one look.  Segments that stand within each other
 * are scored by recursion, which the load of the rules has bounded
 * (segment_graph.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "segment.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* What Evaluator.segment_scores remembers */
typedef enum SegmentMemo
{
	SEGMENT_UNKNOWN,			/* 0, as a fresh array has it */
	SEGMENT_NOT_LISTED,			/* conditions have not been looked at */
	SEGMENT_OUT,
	SEGMENT_IN
} SegmentMemo;

Score
segment_condition_score(Evaluator *evaluator, const Condition *condition)
{
	bool		in_segment = evaluator->in_segment;
	Score		score;

	evaluator->in_segment = true;
	score = condition_score(evaluator, condition);
	evaluator->in_segment = in_segment;
	return score;
}

static bool
condition_holds(Evaluator *evaluator, const Segment *segment, int i)
{
	Score		score;

	CHECK_FOR_INTERRUPTS();
	score = segment_condition_score(evaluator, &segment->conditions[i]);
	if (score == SCORE_ERROR && evaluator->segment_error != NULL)
		evaluator->segment_error(evaluator, segment, i,
								 evaluator->segment_error_arg);
	return score == SCORE_YES;
}

/*
 * In the order in which they were written, as far as it takes to know
 */
static bool
conditions_hold(Evaluator *evaluator, const Segment *segment)
{
	bool		holds = !segment->match_any;

	if (segment->nconditions == 0 || segment->broken ||
		!evaluator_user(evaluator)->found)
		return false;
	for (int i = 0; i < segment->nconditions && holds != segment->match_any; i++)
		holds = condition_holds(evaluator, segment, i);
	return holds;
}

static uint8 *
segment_memo(Evaluator *evaluator, const Segment *segment)
{
	if (evaluator->segment_scores == NULL)
		evaluator->segment_scores = palloc0(evaluator->rules->nsegments);
	return &evaluator->segment_scores[segment->ordinal];
}

static bool
is_in(Evaluator *evaluator, const Segment *segment)
{
	uint8	   *memo = segment_memo(evaluator, segment);
	bool		in;

	if (*memo == SEGMENT_UNKNOWN || *memo == SEGMENT_NOT_LISTED)
	{
		in = (*memo == SEGMENT_UNKNOWN &&
			  history_in_segment(evaluator->history,
								 evaluator->action.user_id_datum,
								 segment->name)) ||
			conditions_hold(evaluator, segment);
		*memo = in ? SEGMENT_IN : SEGMENT_OUT;
	}
	return *memo == SEGMENT_IN;
}

Score
segment_score(Evaluator *evaluator, const char *name)
{
	const Segment *segment = rules_find_segment(evaluator->rules, name);

	return segment != NULL && is_in(evaluator, segment) ? SCORE_YES : SCORE_NO;
}

void
segment_begin(Evaluator *evaluator, Datum user_id, TimestampTz now)
{
	evaluator->now = now;
	memset(&evaluator->action, 0, sizeof(Action));
	evaluator->action.user_id_datum = user_id;
	evaluator->action.user_id = bytes_of_text(user_id);
	evaluator->action.action_type.data = "";
	evaluator->action.occurred_at = now;
	evaluator->action.recorded_at = now;
	evaluator_reset(evaluator);
}

static void
remember_listed(const char *name, void *arg)
{
	Evaluator  *evaluator = arg;
	const Segment *segment = rules_find_segment(evaluator->rules, name);

	if (segment != NULL)
		*segment_memo(evaluator, segment) = SEGMENT_IN;
}

Datum
segments_of_user(Evaluator *evaluator)
{
	const Rules *rules = evaluator->rules;
	Datum	   *names;
	int			n = 0;

	if (rules->nsegments == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));

	names = palloc(rules->nsegments * sizeof(Datum));
	evaluator->segment_scores = palloc(rules->nsegments);
	memset(evaluator->segment_scores, SEGMENT_NOT_LISTED, rules->nsegments);
	history_segments(evaluator->history, evaluator->action.user_id_datum,
					 remember_listed, evaluator);
	for (int i = 0; i < rules->nsegments; i++)
	{
		const Segment *segment = &rules->segments[i];

		if (is_in(evaluator, segment))
			names[n++] = CStringGetTextDatum(segment->name);
	}
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false,
										   TYPALIGN_INT));
}
