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
#include "channel_engagement.h"
#include "document.h"
#include "entry_check.h"
#include "evaluate.h"
#include "evaluate_functions.h"
#include "executor/spi.h"
#include "explain_condition.h"
#include "funcapi.h"
#include "holdout.h"
#include "json_input.h"
#include "miscadmin.h"
#include "owner.h"
#include "relations.h"
#include "schedule.h"
#include "segment.h"
#include "send_hours.h"
#include "send_time.h"
#include "timer_signal.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "variant_store.h"

PG_FUNCTION_INFO_V1(nudge_explain);

#define Anum_templates_template_id 1
#define Anum_templates_channel 2

/* A row of nudge.templates, as far as it matters here */
typedef struct TemplateKey
{
	char	   *template_id;
	char	   *channel;
} TemplateKey;

/* What all rules' explanations share, found out at first use */
typedef struct ChannelFacts
{
	List	   *template_keys;
	ChannelEngagement *engagement;	/* of each channel there is, or NULL */
} ChannelFacts;

/* One rule's explanation while it is put together */
typedef struct Explanation
{
	const char *outcome;
	const char *reason;
	JsonbParseState *detail;
	bool		has_due;		/* next_due is set */
	TimestampTz next_due;		/* of the rule's schedule for the user */
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

	/* A schedule needs no conditions. */
	if (rule->schedule != NULL && n == 0 && !rule->broken)
	{
		matched = true;
		score = 1.0;
	}

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
			   rule->reentry.kind == REENTRY_KEY && rule->reentry.key == NULL ?
			   "reentry of the rule cannot be read" :
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

static void
explain_next_due(Explanation *explanation, Evaluator *evaluator, const Rule *rule)
{
	if (rule->schedule == NULL)
		return;
	explanation->has_due = timer_next_due(evaluator, rule, &explanation->next_due);
	push_cstring(&explanation->detail, "next_due", explanation->has_due ?
				 timestamptz_to_str(explanation->next_due) : NULL);
}

/*
 * No action fires a rule with a schedule.  What else stands in the way of an
 * occurrence has been decided before.
 */
static void
explain_schedule(Explanation *explanation, const Rule *rule)
{
	if (rule->schedule == NULL)
		return;
	decide(explanation, "scheduled_rule", explanation->has_due ?
		   psprintf("actions do not fire it; its schedule is due next at %s",
					timestamptz_to_str(explanation->next_due)) :
		   rule->schedule->kind == TIMER_RECURRING ?
		   "actions do not fire it; its schedule counts from the day the rule was made" :
		   "actions do not fire it, and its schedule has nothing due for the user");
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

/*
 * Adds "reentry" where the rule minds entries.
 */
static void
explain_entry(Explanation *explanation, Evaluator *evaluator, const Rule *rule)
{
	EntryState	entry;
	bool		may_enter = entry_check(evaluator, rule, &entry);

	if (rule->reentry.kind == REENTRY_ALWAYS)
		return;
	push_key(&explanation->detail, "reentry");
	pushJsonbValue(&explanation->detail, WJB_BEGIN_OBJECT, NULL);
	push_cstring(&explanation->detail, "kind",
				 reentry_kind_name(rule->reentry.kind));
	push_entry(&explanation->detail, rule, &entry);
	pushJsonbValue(&explanation->detail, WJB_END_OBJECT, NULL);

	if (may_enter)
		return;
	if (entry.key == (Datum) 0)
		decide(explanation, entry.reason,
			   "the rule lets users in once for each key, and the action has none");
	else if (entry.waiting)
		decide(explanation, entry.reason,
			   psprintf("a trigger of the rule waits since %s",
						timestamptz_to_str(entry.waiting_since)));
	else
		decide(explanation, entry.reason,
			   psprintf("the user entered the rule at %s",
						timestamptz_to_str(entry.entered_at)));
}

static void
explain_holdout(Explanation *explanation, Evaluator *evaluator,
				const Rule *rule)
{
	const char *reason = holdout_reason(rule, evaluator->action.user_id);

	if (reason == NULL)
		return;
	push_cstring(&explanation->detail, "held_out", reason);
	decide(explanation, "held_out",
		   strcmp(reason, "holdout") == 0 ?
		   psprintf("the user is among the %g percent whom the rule holds out",
					rule->holdout_percent) :
		   "the user is in the control group");
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

/*
 * The rule as the user would get it
 */
static const Rule *
explain_variant(Explanation *explanation, Evaluator *evaluator, const Rule *rule)
{
	const Rule *result = variant_rule_for(rule, evaluator->action.user_id_datum);

	if (rule->nvariants > 0)
		push_cstring(&explanation->detail, "variant",
					 result->variant != NULL ? result->variant->name : NULL);
	return result;
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

static const void *
find_template(const Rule *rule, const char *channel, void *arg)
{
	ListCell   *lc;

	foreach(lc, (List *) arg)
	{
		const TemplateKey *key = lfirst(lc);

		if (rule->template_id != NULL &&
			strcmp(key->template_id, rule->template_id) == 0 &&
			strcmp(key->channel, channel) == 0)
			return key;
	}
	return NULL;
}

/*
 * How the user engages with all channels, in their order
 */
static ChannelEngagement *
load_engagement(Evaluator *evaluator, MemoryContext context)
{
	const Rules *rules = evaluator->rules;
	ChannelEngagement *engagement =
	MemoryContextAlloc(context, rules->nchannels * sizeof(ChannelEngagement));
	OwnerScope	scope;

	for (int i = 0; i < rules->nchannels; i++)
		engagement[i] = (ChannelEngagement)
		{
			evaluator->action.user_id_datum, rules->channels[i].name,
				STRANGERS_ENGAGEMENT
		};
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	owner_begin(&scope);
	channel_engagement_fetch(engagement, rules->nchannels);
	owner_end(&scope);
	SPI_finish();
	return engagement;
}

static void
plan_channels(ChannelPlan *plan, Evaluator *evaluator, const Rule *rule,
			  ChannelFacts *facts)
{
	const Rules *rules = evaluator->rules;

	channel_plan_begin(plan, evaluator->history, rules, rule,
					   evaluator_user(evaluator), rule->channels,
					   rule->nchannels, find_template, facts->template_keys);
	if (channel_plan_is_open(plan))
	{
		if (facts->engagement == NULL)
			facts->engagement =
				load_engagement(evaluator, GetMemoryChunkContext(facts));
		for (int i = 0; i < plan->neligible; i++)
			plan->candidates[i].engagement =
				facts->engagement[plan->candidates[i].channel - rules->channels].engagement;
	}
	channel_plan_end(plan, rule->channel_strategy, rule->urgency, true);
}

/* What it means for a rule that none of its channels will do */
static const char *
no_channel_reason(const char *outcome)
{
	static const char *const reasons[][2] = {
		{"no_template", "the rule's template has no row for any of its channels"},
		{"no_address", "the user has no address for any of the rule's channels"},
		{"opted_out", "the user opted out of the rule's channels, or did not opt in"},
		{"unsubscribed", "the user unsubscribed from the rule's topic"},
		{"suppressed", "the user, or the user's address, is in nudge.suppressions"},
		{"channel_disabled", "the rule's channels are disabled"},
	};

	for (int i = 0; i < lengthof(reasons); i++)
	{
		if (strcmp(reasons[i][0], outcome) == 0)
			return reasons[i][1];
	}
	return psprintf("no channel of the rule may be used: %s", outcome);
}

/*
 * Names of the chosen channels that caps allow, in the order of preference; *cap
 * is the first cap that forbids one.  Which channel a trigger takes is not known
 * when it fires, so caps on channels are not among those of explain_caps where
 * there is a choice.
 */
static int
allowed_channels(Evaluator *evaluator, const Rule *rule, const ChannelPlan *plan,
				 const char **names, const FrequencyCap **cap)
{
	DateADT		today = caps_local_day(evaluator->now,
									   evaluator_timezone(evaluator));
	Usage		usage;
	int			n = 0;

	*cap = NULL;
	history_usage(evaluator->history, evaluator->action.user_id_datum, &usage);
	for (int i = 0; i < plan->nchosen; i++)
	{
		const char *name = plan->candidates[i].name;
		const FrequencyCap *forbids =
		caps_forbid_message(evaluator->rules, rule, &usage, name, today);

		if (forbids == NULL)
		{
			names[n++] = name;
			usage_add(&usage, rule->rule_id, name, today, 1);
		}
		else if (*cap == NULL)
			*cap = forbids;
	}
	return n;
}

/*
 * The hour that the message would wait for; -1: none, or it is not known.
 */
static int
explain_best_hour(Explanation *explanation, Evaluator *evaluator, const Rule *rule)
{
	SendHour	asked = {evaluator->action.user_id_datum, rule->rule_id};
	OwnerScope	scope;

	if (!send_time_is_best(rule))
		return -1;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	owner_begin(&scope);
	send_hours_fetch(&asked, 1, evaluator->now);
	owner_end(&scope);
	SPI_finish();
	if (asked.hour >= 0)
		push_int64(&explanation->detail, "best_hour", asked.hour);
	return asked.hour;
}

/*
 * Whether a message that comes due after the rule's delay would go out then.  A
 * schedule fires at its own time, and may have none.
 */
static void
explain_send_time(Explanation *explanation, Evaluator *evaluator,
				  const Rule *rule, const char *channel)
{
	TimestampTz fires_at = explanation->has_due ? explanation->next_due :
		evaluator->now;
	TimestampTz due_at;
	const char *reason;
	bool		drop;
	TimestampTz until;

	if (rule->schedule != NULL && !explanation->has_due)
		return;
	due_at = send_time_due(rule, evaluator_user(evaluator), fires_at,
						   explain_best_hour(explanation, evaluator, rule));
	until = send_time_allowed(evaluator->rules, rule, evaluator_user(evaluator),
							  channel, due_at, &drop, &reason);
	if (reason == NULL)
		return;
	if (drop)
		decide(explanation, reason, "it would come due in quiet hours, and be dropped");
	else if (TIMESTAMP_IS_NOEND(until))
		decide(explanation, reason, "quiet hours and send window leave no time for it");
	else
	{
		push_text(&explanation->detail, "until",
				  CStringGetTextDatum(timestamptz_to_str(until)), false);
		decide(explanation, reason,
			   psprintf("it would come due outside of the hours for sending, and wait until %s",
						timestamptz_to_str(until)));
	}
}

/*
 * What would come of the channels that are chosen
 */
static void
explain_chosen(Explanation *explanation, Evaluator *evaluator, const Rule *rule,
			   const ChannelPlan *plan)
{
	const char **names = palloc(plan->nchosen * sizeof(char *));
	const FrequencyCap *cap;
	int			n = allowed_channels(evaluator, rule, plan, names, &cap);

	if (n == 0)
	{
		decide(explanation, "capped",
			   psprintf("the %s cap of %d%s%s is used up",
						nudge_enum_label(NUDGE_CAP_PERIOD_TYPE, cap->period),
						cap->max_messages,
						cap->channel != NULL ? " for " : "",
						cap->channel != NULL ? cap->channel : ""));
		return;
	}
	explain_send_time(explanation, evaluator, rule, names[0]);
	explain_schedule(explanation, rule);
	decide(explanation, "would_send",
		   psprintf("a message by %s", enumerate(names, n)));
}

static void
explain_channel(Explanation *explanation, Evaluator *evaluator,
				const Rule *rule, ChannelFacts *facts)
{
	const UserRow *user = evaluator_user(evaluator);
	JsonbParseState **state = &explanation->detail;
	ChannelPlan plan;

	if (!user->found)
	{
		decide(explanation, "no_user", "there is no such row in nudge.users");
		push_cstring(state, "channel", NULL);
		return;
	}
	plan_channels(&plan, evaluator, rule, facts);
	push_cstring(state, "channel",
				 plan.nchosen > 0 ? plan.candidates[0].name : NULL);
	if (rule->nchannels > 1)
	{
		push_key(state, "channels");
		channel_plan_push(state, &plan);
	}
	if (plan.nchosen > 0)
		explain_chosen(explanation, evaluator, rule, &plan);
	else
		decide(explanation, plan.reason, no_channel_reason(plan.reason));
}

/*
 * explain(user_id, action_type, action_data, occurred_at, context)
 */
Datum
nudge_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Evaluator	evaluator = {0};
	ChannelFacts *facts = palloc0(sizeof(ChannelFacts));
	MemoryContext rule_context;

	action_from_arguments(&evaluator.action, fcinfo);
	InitMaterializedSRF(fcinfo, 0);

	evaluator.rules = rules_acquire();
	evaluator.history = history_open();
	evaluator.now = evaluator.action.recorded_at;
	facts->template_keys = load_template_keys();
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
		explain_next_due(&explanation, &evaluator, rule);
		explain_conditions(&explanation, &evaluator, rule);
		explain_segments(&explanation, &evaluator, rule);
		explain_entry(&explanation, &evaluator, rule);
		explain_holdout(&explanation, &evaluator, rule);
		explain_caps(&explanation, &evaluator, rule);
		explain_channel(&explanation, &evaluator,
						explain_variant(&explanation, &evaluator, rule), facts);

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
