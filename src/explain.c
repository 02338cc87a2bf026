/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  nudge.explain: why each rule would, or would not, end in a message now.
 *
 * It asks what the insert path and the executor ask, of the very same code, and
 * has no effect.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "cap_check.h"
#include "channel.h"
#include "document.h"
#include "evaluate.h"
#include "evaluate_functions.h"
#include "explain_condition.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "relations.h"
#include "segment.h"
#include "timer_signal.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(nudge_explain);

#define Anum_templates_template_id 1
#define Anum_templates_channel 2

/* A row of nudge.templates, as far as it matters here */
typedef struct TemplateKey
{
	char	   *template_id;
	char	   *channel;
} TemplateKey;

/* One rule's explanation while it is put together */
typedef struct Explanation
{
	const char *outcome;
	const char *reason;
	JsonbParseState *detail;
} Explanation;

/* The first thing that stands in the way decides. */
static void
decide(Explanation *explanation, const char *outcome, const char *reason)
{
	if (explanation->outcome != NULL)
		return;
	explanation->outcome = outcome;
	explanation->reason = reason;
}

static void
remember_error(Evaluator *evaluator, const Rule *rule, int condition, void *arg)
{
	((const char **) arg)[condition] = evaluator->error;
}

static void
explain_conditions(Explanation *explanation, Evaluator *evaluator,
				   const Rule *rule)
{
	int			n = rule->nconditions;
	double	   *scores = palloc0(Max(n, 1) * sizeof(double));
	const char **errors = palloc0(Max(n, 1) * sizeof(char *));
	double		score;
	bool		matched = evaluate_rule(evaluator, rule, scores, &score,
										remember_error, errors);
	StringInfoData failed;

	initStringInfo(&failed);
	push_float8(&explanation->detail, "score", score);
	push_key(&explanation->detail, "conditions");
	pushJsonbValue(&explanation->detail, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n && !rule->broken; i++)
		explain_condition(&explanation->detail, evaluator, &rule->conditions[i],
						  i, scores[i], errors[i], &failed);
	pushJsonbValue(&explanation->detail, WJB_END_ARRAY, NULL);

	if (rule->broken)
		decide(explanation, "not_matched",
			   "a condition of the rule cannot be read");
	else if (!matched)
		decide(explanation, "not_matched",
			   failed.len > 0 ? psprintf("did not hold: %s", failed.data) :
			   psprintf("the score %g is too low", score));
}

static void
explain_status(Explanation *explanation, const Rule *rule)
{
	const char *status = nudge_enum_label(NUDGE_RULE_STATUS_TYPE, rule->status);

	push_cstring(&explanation->detail, "status", status);
	if (rule->status == RULE_PAUSED || rule->status == RULE_DISABLED)
		decide(explanation, "not_active", psprintf("the rule is %s", status));
}

/*
 * Conditions of a segment that the user is not in, and those that failed
 */
static void
explain_segment(Explanation *explanation, Evaluator *evaluator,
				const Segment *segment)
{
	StringInfoData failed;

	initStringInfo(&failed);
	push_key(&explanation->detail, segment->name);
	pushJsonbValue(&explanation->detail, WJB_BEGIN_ARRAY, NULL);
	evaluator->in_segment = true;
	for (int i = 0; i < segment->nconditions && !segment->broken &&
		 evaluator_user(evaluator)->found; i++)
	{
		const Condition *condition = &segment->conditions[i];
		Score		score = segment_condition_score(evaluator, condition);

		explain_condition(&explanation->detail, evaluator, condition, i,
						  score == SCORE_YES ? 1.0 : 0.0,
						  score == SCORE_ERROR ? evaluator->error : NULL, &failed);
	}
	evaluator->in_segment = false;
	pushJsonbValue(&explanation->detail, WJB_END_ARRAY, NULL);
	decide(explanation, "not_in_segment",
		   psprintf("the user is not in segment \"%s\"%s%s", segment->name,
					segment->broken ? ": a condition of it cannot be read" :
					failed.len > 0 ? ": did not hold: " :
					!evaluator_user(evaluator)->found && segment->nconditions > 0 ?
					": there is no such row in nudge.users" : "", failed.data));
}

static void
explain_missing_segments(Explanation *explanation, Evaluator *evaluator,
						 const Rule *rule)
{
	push_key(&explanation->detail, "segment_conditions");
	pushJsonbValue(&explanation->detail, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < rule->nsegments; i++)
	{
		const char *name = rule->segments[i];
		const Segment *segment = rules_find_segment(evaluator->rules, name);

		if (segment != NULL && segment_score(evaluator, name) != SCORE_YES)
			explain_segment(explanation, evaluator, segment);
	}
	pushJsonbValue(&explanation->detail, WJB_END_OBJECT, NULL);
}

/*
 * No action fires a rule with a schedule.
 */
static void
explain_schedule(Explanation *explanation, Evaluator *evaluator, const Rule *rule)
{
	TimestampTz due;

	if (rule->schedule == NULL)
		return;
	if (timer_next_due(evaluator, rule, &due))
	{
		push_cstring(&explanation->detail, "next_due", timestamptz_to_str(due));
		decide(explanation, "scheduled_rule",
			   psprintf("actions do not fire it; its schedule is due next at %s",
						timestamptz_to_str(due)));
	}
	else
	{
		push_cstring(&explanation->detail, "next_due", NULL);
		decide(explanation, "scheduled_rule",
			   "actions do not fire it, and its schedule has nothing due for the user");
	}
}

static void
explain_segments(Explanation *explanation, Evaluator *evaluator,
				 const Rule *rule)
{
	const char *missing = NULL;

	push_key(&explanation->detail, "segments");
	pushJsonbValue(&explanation->detail, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < rule->nsegments; i++)
	{
		bool		member = segment_score(evaluator, rule->segments[i]) == SCORE_YES;

		push_bool(&explanation->detail, rule->segments[i], member);
		if (!member && missing == NULL)
			missing = rule->segments[i];
	}
	pushJsonbValue(&explanation->detail, WJB_END_OBJECT, NULL);
	if (missing != NULL)
	{
		explain_missing_segments(explanation, evaluator, rule);
		/* A segment that is gone */
		decide(explanation, "not_in_segment",
			   psprintf("the user is not in segment \"%s\"", missing));
	}

	if (rule->status == RULE_TESTING)
		decide(explanation, "would_trigger", "the rule is only being tested");
}

static void
explain_caps(Explanation *explanation, Evaluator *evaluator, const Rule *rule)
{
	CapState   *states;
	int			n = cap_states(evaluator, rule, &states);

	push_key(&explanation->detail, "caps");
	pushJsonbValue(&explanation->detail, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
	{
		const FrequencyCap *cap = states[i].cap;
		const char *period = nudge_enum_label(NUDGE_CAP_PERIOD_TYPE,
											  cap->period);
		int64		count = states[i].used + states[i].waiting;

		pushJsonbValue(&explanation->detail, WJB_BEGIN_OBJECT, NULL);
		push_int64(&explanation->detail, "cap_id", cap->cap_id);
		push_bool(&explanation->detail, "global", cap->rule_id == 0);
		push_cstring(&explanation->detail, "channel", cap->channel);
		push_cstring(&explanation->detail, "period", period);
		push_int64(&explanation->detail, "max_messages", cap->max_messages);
		push_int64(&explanation->detail, "used", states[i].used);
		push_int64(&explanation->detail, "pending", states[i].waiting);
		pushJsonbValue(&explanation->detail, WJB_END_OBJECT, NULL);

		if (count >= cap->max_messages)
			decide(explanation, "capped",
				   psprintf("the %s cap of %d is used up (%lld sent, %lld pending)",
							period, cap->max_messages,
							(long long) states[i].used,
							(long long) states[i].waiting));
	}
	pushJsonbValue(&explanation->detail, WJB_END_ARRAY, NULL);
}

static List *
load_template_keys(void)
{
	Relation	table = table_open(nudge_relation(NUDGE_TEMPLATES),
								   AccessShareLock);
	TableScanDesc scan = table_beginscan(table, SnapshotSelf, 0, NULL);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	List	   *keys = NIL;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		TemplateKey *key = palloc(sizeof(TemplateKey));
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		key->template_id =
			TextDatumGetCString(slot_getattr(slot, Anum_templates_template_id,
											 &isnull));
		key->channel =
			TextDatumGetCString(slot_getattr(slot, Anum_templates_channel,
											 &isnull));
		keys = lappend(keys, key);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	table_close(table, AccessShareLock);
	return keys;
}

static bool
has_template(const Rule *rule, const char *channel, void *arg)
{
	ListCell   *lc;

	foreach(lc, (List *) arg)
	{
		const TemplateKey *key = lfirst(lc);

		if (rule->template_id != NULL &&
			strcmp(key->template_id, rule->template_id) == 0 &&
			strcmp(key->channel, channel) == 0)
			return true;
	}
	return false;
}

static void
explain_channel(Explanation *explanation, Evaluator *evaluator,
				const Rule *rule, List *template_keys)
{
	static const char *const reasons[] = {
		[CHANNEL_NO_TEMPLATE] = "the rule's template has no row for any of its channels",
		[CHANNEL_NO_ADDRESS] = "the user has no address for any of the rule's channels",
		[CHANNEL_OPTED_OUT] = "the user opted out of the rule's channels"
	};
	const UserRow *user = evaluator_user(evaluator);
	const char *channel = NULL;
	Datum		address;
	ChannelOutcome outcome;

	if (!user->found)
	{
		decide(explanation, "no_user", "there is no such row in nudge.users");
		push_cstring(&explanation->detail, "channel", NULL);
		return;
	}
	outcome = channel_choose(evaluator->history, rule, user, has_template, template_keys, &channel,
							 &address);
	push_cstring(&explanation->detail, "channel",
				 outcome == CHANNEL_FOUND ? channel : NULL);
	if (outcome == CHANNEL_FOUND)
		decide(explanation, "would_send",
			   psprintf("a message by %s", channel));
	else
		decide(explanation, channel_outcome_reason(outcome), reasons[outcome]);
}

/*
 * explain(user_id, action_type, action_data, occurred_at, context)
 */
Datum
nudge_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Evaluator	evaluator = {0};
	List	   *template_keys;
	MemoryContext rule_context;

	action_from_arguments(&evaluator.action, fcinfo);
	InitMaterializedSRF(fcinfo, 0);

	evaluator.rules = rules_acquire();
	evaluator.history = history_open();
	evaluator.now = evaluator.action.recorded_at;
	template_keys = load_template_keys();
	rule_context = AllocSetContextCreate(CurrentMemoryContext,
										 "pg_nudge explanation",
										 ALLOCSET_DEFAULT_SIZES);

	for (int i = 0; i < evaluator.rules->nrules; i++)
	{
		const Rule *rule = &evaluator.rules->rules[i];
		Explanation explanation = {0};
		Datum		values[5];
		bool		nulls[5] = {false, false, false, false, false};
		MemoryContext old = MemoryContextSwitchTo(rule_context);

		CHECK_FOR_INTERRUPTS();
		evaluator_reset(&evaluator);
		pushJsonbValue(&explanation.detail, WJB_BEGIN_OBJECT, NULL);
		explain_status(&explanation, rule);
		explain_schedule(&explanation, &evaluator, rule);
		explain_conditions(&explanation, &evaluator, rule);
		explain_segments(&explanation, &evaluator, rule);
		explain_caps(&explanation, &evaluator, rule);
		explain_channel(&explanation, &evaluator, rule, template_keys);

		values[0] = Int64GetDatum(rule->rule_id);
		values[1] = CStringGetTextDatum(rule->name);
		values[2] = CStringGetTextDatum(explanation.outcome);
		values[3] = CStringGetTextDatum(explanation.reason);
		values[4] = JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&explanation.detail,
																	WJB_END_OBJECT,
																	NULL)));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(rule_context);
	}

	MemoryContextDelete(rule_context);
	history_close(evaluator.history);
	rules_release(evaluator.rules);
	return (Datum) 0;
}
