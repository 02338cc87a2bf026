/*-------------------------------------------------------------------------
 *
 * channel_sql.c
 *	  What SQL asks about channels: nudge.channel_scores and
 *	  nudge.coordinate_channels.
 *
 * They answer with what the executor asks as well, have no effect, and read with
 * the rights of the tables' owner.  Addresses are not shown.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cap_check.h"
#include "channel.h"
#include "channel_engagement.h"
#include "compose.h"
#include "document.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json_input.h"
#include "owner.h"
#include "relations.h"
#include "templates.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "variant_store.h"

PG_FUNCTION_INFO_V1(nudge_channel_scores);
PG_FUNCTION_INFO_V1(nudge_coordinate_channels);

/* A user about whom something is asked */
typedef struct Asked
{
	const Rules *rules;
	History    *history;
	Datum		user_id;
	UserRow		user;
} Asked;

static void
ask_begin(Asked *asked, FunctionCallInfo fcinfo, int arg)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("user_id must not be null"),
				 errdetail("Scores are those of one user."),
				 errhint("Pass a user_id of nudge.users.")));
	asked->user_id = PG_GETARG_DATUM(arg);
	asked->rules = rules_acquire();
	asked->history = history_open();
	history_user(asked->history, asked->user_id, &asked->user);
}

static void
ask_end(Asked *asked)
{
	history_close(asked->history);
	rules_release(asked->rules);
}

static Urgency
urgency_argument(FunctionCallInfo fcinfo, int arg)
{
	const char *labels[NUM_URGENCIES];
	char	   *given;
	int			urgency;

	for (int i = 0; i < NUM_URGENCIES; i++)
		labels[i] = nudge_enum_label(NUDGE_URGENCY_TYPE, i);
	given = PG_ARGISNULL(arg) ? NULL : TextDatumGetCString(PG_GETARG_DATUM(arg));
	urgency = given == NULL ? -1 : nudge_enum_parse(NUDGE_URGENCY_TYPE, given);
	if (urgency < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 given == NULL ? errmsg("urgency must not be null") :
				 errmsg("unknown urgency \"%s\"", given),
				 errdetail("With the channel it gives the modifier of the score."),
				 errhint("Urgencies are %s.", enumerate(labels, NUM_URGENCIES))));
	return urgency;
}

/*
 * Finds out how the user engages with all candidates, eligible or not.
 */
static void
engage_all(const Asked *asked, ChannelPlan *plan)
{
	ChannelEngagement *engagement = palloc(Max(plan->n, 1) * sizeof(ChannelEngagement));
	OwnerScope	scope;

	for (int i = 0; i < plan->n; i++)
		engagement[i] = (ChannelEngagement)
		{
			asked->user_id, plan->candidates[i].name, STRANGERS_ENGAGEMENT
		};
	SPI_connect();
	owner_begin(&scope);
	channel_engagement_fetch(engagement, plan->n);
	owner_end(&scope);
	SPI_finish();
	for (int i = 0; i < plan->n; i++)
		plan->candidates[i].engagement = engagement[i].engagement;
}

/* The eligible ones first, then by score, then by name */
static int
compare_candidates(const void *a, const void *b)
{
	const ChannelCandidate *left = a;
	const ChannelCandidate *right = b;

	if ((left->refusal == NULL) != (right->refusal == NULL))
		return left->refusal == NULL ? -1 : 1;
	if (left->score != right->score)
		return left->score > right->score ? -1 : 1;
	return strcmp(left->name, right->name);
}

/*
 * No rule in particular: what every rule must heed
 */
static const Rule *
any_rule(void)
{
	static Rule rule = {.name = "", .trigger_type = TRIGGER_BEHAVIORAL};

	return &rule;
}

static void
plan_all_channels(ChannelPlan *plan, const Asked *asked, Urgency urgency)
{
	const Rules *rules = asked->rules;
	char	  **names = palloc(Max(rules->nchannels, 1) * sizeof(char *));

	for (int i = 0; i < rules->nchannels; i++)
		names[i] = rules->channels[i].name;
	if (asked->user.found)
		channel_plan_begin(plan, asked->history, rules, any_rule(), &asked->user,
						   names, rules->nchannels, NULL, NULL);
	else
		channel_plan_unknown(plan, rules, names, rules->nchannels);
	engage_all(asked, plan);
	channel_plan_end(plan, STRATEGY_ALL, urgency, true);
	if (plan->n > 1)
		qsort(plan->candidates, plan->n, sizeof(ChannelCandidate),
			  compare_candidates);
}

/*
 * channel_scores(user_id text, urgency text)
 */
Datum
nudge_channel_scores(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Urgency		urgency = urgency_argument(fcinfo, 1);
	Asked		asked;
	ChannelPlan plan;

	InitMaterializedSRF(fcinfo, 0);
	ask_begin(&asked, fcinfo, 0);
	plan_all_channels(&plan, &asked, urgency);
	for (int i = 0; i < plan.n; i++)
	{
		const ChannelCandidate *candidate = &plan.candidates[i];
		Datum		values[7] = {0};
		bool		nulls[7] = {false};

		values[0] = CStringGetTextDatum(candidate->name);
		values[1] = BoolGetDatum(candidate->refusal == NULL);
		nulls[2] = candidate->refusal == NULL;
		if (!nulls[2])
			values[2] = CStringGetTextDatum(candidate->refusal);
		values[3] = Float8GetDatum(candidate->channel->base);
		values[4] = Float8GetDatum(candidate->engagement);
		values[5] = Float8GetDatum(candidate->modifier);
		values[6] = Float8GetDatum(candidate->score);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	ask_end(&asked);
	return (Datum) 0;
}

static const Rule *
rule_argument(FunctionCallInfo fcinfo, const Rules *rules)
{
	const Rule *rule = PG_ARGISNULL(0) ? NULL :
	rules_find(rules, PG_GETARG_INT64(0));

	if (rule == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 PG_ARGISNULL(0) ? errmsg("rule must not be null") :
				 errmsg("unknown rule %lld", (long long) PG_GETARG_INT64(0)),
				 errdetail("Channels are coordinated for a message of one rule."),
				 errhint("SELECT rule_id, name FROM nudge.rules tells which there are.")));
	return rule;
}

/*
 * The plan of the executor, if a trigger of the rule were due now
 */
static void
plan_rule(ChannelPlan *plan, const Asked *asked, const Rule *rule)
{
	Templates	templates;
	char	   *id = rule->template_id;
	MemoryContext context = CurrentMemoryContext;
	MemoryContext old;
	OwnerScope	scope;

	if (!asked->user.found)
	{
		channel_plan_unknown(plan, asked->rules, rule->channels, rule->nchannels);
		channel_plan_end(plan, rule->channel_strategy, rule->urgency, true);
		return;
	}
	SPI_connect();
	owner_begin(&scope);
	templates_load(&templates, &id, id != NULL ? 1 : 0);
	old = MemoryContextSwitchTo(context);
	channel_plan_begin(plan, asked->history, asked->rules, rule, &asked->user,
					   rule->channels, rule->nchannels, compose_find_template,
					   &templates);
	MemoryContextSwitchTo(old);
	channel_plans_engage(&plan, &asked->user_id, 1);
	old = MemoryContextSwitchTo(context);
	channel_plan_end(plan, rule->channel_strategy, rule->urgency, true);
	MemoryContextSwitchTo(old);
	owner_end(&scope);
	SPI_finish();
}

static void
push_cap(JsonbParseState **state, const FrequencyCap *cap)
{
	if (cap == NULL)
	{
		push_text(state, "capped_by", (Datum) 0, true);
		return;
	}
	push_key(state, "capped_by");
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_int64(state, "cap_id", cap->cap_id);
	push_bool(state, "global", cap->rule_id == 0);
	push_text(state, "channel", cap->channel == NULL ? (Datum) 0 :
			  CStringGetTextDatum(cap->channel), cap->channel == NULL);
	push_text(state, "period",
			  CStringGetTextDatum(nudge_enum_label(NUDGE_CAP_PERIOD_TYPE, cap->period)),
			  false);
	push_int64(state, "max_messages", cap->max_messages);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/*
 * The channels in order.  Caps are asked in the same order, each message that goes
 * out counting for those after it.
 */
static void
push_chosen(JsonbParseState **state, const Asked *asked, const Rule *rule,
			const ChannelPlan *plan, int n)
{
	Usage		usage;
	DateADT		today = caps_local_day(GetCurrentTimestamp(),
									   caps_timezone(user_timezone(&asked->user)));

	history_usage(asked->history, asked->user_id, &usage);
	push_key(state, "channels");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
	{
		const ChannelCandidate *candidate = &plan->candidates[i];
		const FrequencyCap *cap = caps_forbid_message(asked->rules, rule, &usage,
													  candidate->name, today);

		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		push_text(state, "channel", CStringGetTextDatum(candidate->name), false);
		push_float8(state, "base", candidate->channel->base);
		push_float8(state, "engagement", candidate->engagement);
		push_float8(state, "modifier", candidate->modifier);
		push_float8(state, "score", candidate->score);
		push_cap(state, cap);
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
		if (cap == NULL)
			usage_add(&usage, rule->rule_id, candidate->name, today, 1);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_dropped(JsonbParseState **state, const ChannelPlan *plan, int from)
{
	push_key(state, "dropped");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = from; i < plan->n; i++)
	{
		const ChannelCandidate *candidate = &plan->candidates[i];
		const char *reason = candidate->refusal != NULL ? candidate->refusal :
		"lower_score";

		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		push_text(state, "channel", CStringGetTextDatum(candidate->name), false);
		push_text(state, "reason", CStringGetTextDatum(reason), false);
		if (candidate->refusal == NULL)
			push_float8(state, "score", candidate->score);
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/*
 * coordinate_channels(rule bigint, user_id text)
 */
Datum
nudge_coordinate_channels(PG_FUNCTION_ARGS)
{
	JsonbParseState *state = NULL;
	Asked		asked;
	ChannelPlan plan;
	const Rule *rule;
	const char *strategy;
	int			n;

	ask_begin(&asked, fcinfo, 1);
	rule = variant_rule_for(rule_argument(fcinfo, asked.rules), asked.user_id);
	plan_rule(&plan, &asked, rule);

	/* Those that are tried one after the other are part of the plan. */
	n = rule->channel_strategy == STRATEGY_FALLBACK ? plan.neligible : plan.nchosen;
	strategy = nudge_enum_label(NUDGE_CHANNEL_STRATEGY_TYPE, rule->channel_strategy);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_int64(&state, "rule_id", rule->rule_id);
	push_text(&state, "user_id", asked.user_id, false);
	push_text(&state, "strategy", CStringGetTextDatum(strategy), false);
	push_text(&state, "urgency",
			  CStringGetTextDatum(nudge_enum_label(NUDGE_URGENCY_TYPE, rule->urgency)),
			  false);
	push_chosen(&state, &asked, rule, &plan, n);
	push_dropped(&state, &plan, n);
	if (rule->channel_strategy == STRATEGY_FALLBACK)
		push_text(&state, "fallback_after",
				  CStringGetTextDatum(DatumGetCString(DirectFunctionCall1(interval_out,
																		  IntervalPGetDatum(&rule->fallback_after)))),
				  false);
	ask_end(&asked);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}
