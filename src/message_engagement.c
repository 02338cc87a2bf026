/*-------------------------------------------------------------------------
 *
 * message_engagement.c
 *	  Conditions on what the user made of a rule's messages.
 *
 * The user's events are read once for the action in hand, however many conditions
 * ask.  What a machine did (flag machine: a mail scanner, say) is nothing that the
 * user did.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_scorer.h"

#include "schedule.h"
#include "utils/memutils.h"

typedef struct Engagement
{
	int64		rule_id;
	ConditionOperator what;		/* OPERATOR_IGNORED: it was sent */
	TimestampTz occurred_at;
} Engagement;

typedef struct Gathering
{
	Evaluator  *evaluator;
	int			max;
} Gathering;

static bool
is_text(Datum value, const char *text)
{
	Bytes		bytes = bytes_of_text(value);

	return bytes.length == strlen(text) &&
		memcmp(bytes.data, text, bytes.length) == 0;
}

/* Which of the events that matter here it is; false for any other */
static bool
event_kind(Datum event_type, ConditionOperator *what)
{
	if (is_text(event_type, "sent"))
		*what = OPERATOR_IGNORED;
	else if (is_text(event_type, "opened"))
		*what = OPERATOR_OPENED;
	else if (is_text(event_type, "clicked"))
		*what = OPERATOR_CLICKED;
	else
		return false;
	return true;
}

/*
 * An EventVisitor
 */
static bool
gather(TupleTableSlot *slot, void *arg)
{
	Gathering  *gathering = arg;
	Evaluator  *evaluator = gathering->evaluator;
	ConditionOperator what;
	Engagement *found;

	slot_getsomeattrs(slot, Anum_events_recorded_at);
	if (evaluator->action.replayed &&
		DatumGetTimestampTz(slot->tts_values[Anum_events_recorded_at - 1]) > evaluator->now)
		return true;
	if (slot->tts_isnull[Anum_events_rule_id - 1] ||
		!event_kind(slot->tts_values[Anum_events_event_type - 1], &what))
		return true;
	if (!slot->tts_isnull[Anum_events_flag - 1] &&
		is_text(slot->tts_values[Anum_events_flag - 1], "machine"))
		return true;

	if (evaluator->nengagements == gathering->max)
	{
		gathering->max = Max(16, gathering->max * 2);
		evaluator->engagements = evaluator->nengagements == 0 ?
			palloc(gathering->max * sizeof(Engagement)) :
			repalloc_huge(evaluator->engagements,
						  gathering->max * sizeof(Engagement));
	}
	found = &evaluator->engagements[evaluator->nengagements++];
	found->rule_id = DatumGetInt64(slot->tts_values[Anum_events_rule_id - 1]);
	found->what = what;
	found->occurred_at =
		DatumGetTimestampTz(slot->tts_values[Anum_events_occurred_at - 1]);
	return true;
}

/*
 * Reads the user's events since, if they are not read yet: then twice as far back,
 * so that conditions with ever longer windows do not read them each time.
 */
static bool
ensure_engagements(Evaluator *evaluator, TimestampTz since)
{
	Gathering	gathering = {evaluator};
	TimestampTz from = since;

	if (evaluator->engagements_known && evaluator->engagements_since <= since)
		return true;
	if (evaluator->engagements_known &&
		pg_sub_s64_overflow(since, evaluator->now - since, &from))
		from = PG_INT64_MIN;
	evaluator->nengagements = 0;
	if (!history_visit_events(evaluator->history,
							  evaluator->action.user_id_datum, from, gather,
							  &gathering))
		return false;
	evaluator->engagements_since = from;
	evaluator->engagements_known = true;
	return true;
}

/*
 * The rule that a condition names; false where there is none any more.
 */
static bool
engaged_rule(Evaluator *evaluator, const Condition *condition, int64 *rule_id)
{
	const Rule *rule;

	*rule_id = condition->rule_id;
	if (*rule_id != 0)
		return true;
	rule = rules_find_named(evaluator->rules, condition->patterns[0].data);
	if (rule != NULL)
		*rule_id = rule->rule_id;
	return rule != NULL;
}

bool
engagement_known(Evaluator *evaluator, const Condition *condition,
				 MessageEngagement *engagement)
{
	TimestampTz since = window_begin(evaluator, condition->window);
	int64		rule_id;

	memset(engagement, 0, sizeof(MessageEngagement));
	if (!engaged_rule(evaluator, condition, &rule_id))
		return true;
	if (!ensure_engagements(evaluator, since))
		return false;
	for (int i = 0; i < evaluator->nengagements; i++)
	{
		const Engagement *event = &evaluator->engagements[i];

		if (event->rule_id != rule_id || event->occurred_at < since)
			continue;
		engagement->sent |= event->what == OPERATOR_IGNORED;
		engagement->opened |= event->what == OPERATOR_OPENED;
		engagement->clicked |= event->what == OPERATOR_CLICKED;
	}
	return true;
}

/*
 * Ignored is a rule of which something was sent, and nothing opened or clicked,
 * within the time.
 */
Score
score_message_engagement(Evaluator *evaluator, const Condition *condition)
{
	MessageEngagement engagement;

	if (!engagement_known(evaluator, condition, &engagement))
		return score_error(evaluator, INCOMPLETE_EVENTS);
	switch (condition->op)
	{
		case OPERATOR_OPENED:
			return score_of(engagement.opened);
		case OPERATOR_CLICKED:
			return score_of(engagement.clicked);
		default:
			return score_of(engagement.sent && !engagement.opened &&
							!engagement.clicked);
	}
}
