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
#include "funcapi.h"
#include "mb/pg_wchar.h"
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

/* Values are shown to people up to so many bytes */
#define MAX_OBSERVED 200

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
push_cstring(JsonbParseState **state, const char *key, const char *value)
{
	if (value != NULL)
		push_text(state, key, CStringGetTextDatum(value), false);
	else
		push_text(state, key, (Datum) 0, true);
}

static void
push_float8(JsonbParseState **state, const char *key, double number)
{
	JsonbValue	value;

	push_key(state, key);
	value.type = jbvNumeric;
	value.val.numeric =
		DatumGetNumeric(DirectFunctionCall1(float8_numeric,
											Float8GetDatum(number)));
	pushJsonbValue(state, WJB_VALUE, &value);
}

static void
push_bool(JsonbParseState **state, const char *key, bool boolean)
{
	JsonbValue	value;

	push_key(state, key);
	value.type = jbvBool;
	value.val.boolean = boolean;
	pushJsonbValue(state, WJB_VALUE, &value);
}

static bool
observe_text(JsonbValue *value, Datum text)
{
	Bytes		bytes = bytes_of_text(text);

	value->type = jbvString;
	value->val.string.val = bytes.data;
	value->val.string.len = bytes.length;
	return true;
}

/* Shows the beginning of a long string, and of a large document its kind. */
static bool
observe_attribute(bool found, JsonbValue *value)
{
	if (!found)
		return false;
	if (value->type == jbvString && value->val.string.len > MAX_OBSERVED)
		value->val.string.len = pg_mbcliplen(value->val.string.val,
											 value->val.string.len,
											 MAX_OBSERVED);
	else if (value->type == jbvNumeric && VARSIZE(value->val.numeric) > MAX_OBSERVED)
		return observe_text(value, CStringGetTextDatum("(a number of many digits)"));
	else if (value->type == jbvBinary && value->val.binary.len > MAX_OBSERVED)
		return observe_text(value, CStringGetTextDatum(JsonContainerIsArray(value->val.binary.data) ?
													   "(an array)" : "(an object)"));
	return true;
}

/* Who may ask for explanations need not be one who may see addresses. */
static bool
is_address(const AttributePath *path)
{
	return path->root == ROOT_USER_COLUMN &&
		(strcmp(path->steps[0].name, "email") == 0 ||
		 strcmp(path->steps[0].name, "phone") == 0 ||
		 strcmp(path->steps[0].name, "push_token") == 0);
}

static bool
observe_time(JsonbValue *value, TimestampTz time)
{
	return observe_text(value,
						CStringGetTextDatum(timestamptz_to_str(time)));
}

/*
 * What a condition that has been scored saw: the value that it held against its
 * parameters.  False where there was none.
 */
static bool
observe(Evaluator *evaluator, const Condition *condition, JsonbValue *value)
{
	const UserRow *user = evaluator_user(evaluator);
	Bytes		url;

	switch (condition->type)
	{
		case CONDITION_ACTION_TYPE:
			value->type = jbvString;
			value->val.string.val = evaluator->action.action_type.data;
			value->val.string.len = evaluator->action.action_type.length;
			return true;
		case CONDITION_PAGE_VISIT:
			if (!action_page_url(&evaluator->action, &url))
				return false;
			value->type = jbvString;
			value->val.string.val = url.data;
			value->val.string.len = url.length;
			return observe_attribute(true, value);
		case CONDITION_PURCHASE_BEHAVIOR:
			if (user_attribute(user, &condition->path, value))
				return observe_attribute(true, value);
			if (!condition->count_purchases || !evaluator->purchases_known)
				return false;
			value->type = jbvNumeric;
			value->val.numeric = int64_to_numeric(evaluator->purchases);
			return true;
		case CONDITION_ENGAGEMENT_LEVEL:
			return evaluator->last_login_known &&
				observe_time(value, evaluator->last_login);
		case CONDITION_TIME_WINDOW:
			return observe_time(value, evaluator->action.occurred_at);
		case CONDITION_USER_ATTRIBUTE:
			if (is_address(&condition->path))
				return observe_text(value, CStringGetTextDatum("(hidden)"));
			return observe_attribute(user_attribute(user, &condition->path,
													value), value);
		case CONDITION_ACTION_ATTRIBUTE:
			return observe_attribute(action_attribute(&evaluator->action,
													  &condition->path, value),
									 value);
		case CONDITION_JSONPATH:
			return false;
	}
	return false;				/* keep compiler quiet */
}

/* The value as JSON, for people */
static const char *
observed_text(JsonbValue *value)
{
	Jsonb	   *jsonb = JsonbValueToJsonb(value);

	return JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
}

/*
 * Adds a condition to the detail, and to the list of those that failed.
 */
static void
explain_condition(Explanation *explanation, Evaluator *evaluator,
				  const Condition *condition, int i, double score,
				  const char *error, StringInfo failed)
{
	JsonbParseState **state = &explanation->detail;
	JsonbValue	null = {.type = jbvNull};
	JsonbValue	value;
	bool		seen = observe(evaluator, condition, &value);

	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_cstring(state, "type", condition_type_name(condition->type));
	push_cstring(state, "operator", condition_operator_name(condition->op));
	push_float8(state, "weight", condition->weight);
	push_float8(state, "score", score);
	if (condition->type != CONDITION_JSONPATH)
	{
		push_key(state, "value");
		pushJsonbValue(state, WJB_VALUE, seen ? &value : &null);
	}
	if (error != NULL)
		push_cstring(state, "error", error);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);

	if (score != 0.0)
		return;
	appendStringInfo(failed, "%sconditions[%d] (%s %s)",
					 failed->len > 0 ? ", " : "", i,
					 condition_type_name(condition->type),
					 condition_operator_name(condition->op));
	if (error != NULL)
		appendStringInfo(failed, ": %s", error);
	else if (seen)
		appendStringInfo(failed, " saw %s", observed_text(&value));
	else if (condition->type != CONDITION_JSONPATH)
		appendStringInfoString(failed, " saw nothing");
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
		explain_condition(explanation, evaluator, &rule->conditions[i], i,
						  scores[i], errors[i], &failed);
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
 * No action fires a rule with a schedule.
 */
static void
explain_schedule(Explanation *explanation, Evaluator *evaluator, const Rule *rule)
{
	TimestampTz due;

	if (rule->schedule == NULL)
		return;
	push_key(&explanation->detail, "next_due");
	if (timer_next_due(evaluator, rule, &due))
	{
		JsonbValue	value;

		observe_time(&value, due);
		pushJsonbValue(&explanation->detail, WJB_VALUE, &value);
		decide(explanation, "scheduled_rule",
			   psprintf("actions do not fire it; its schedule is due next at %s",
						timestamptz_to_str(due)));
	}
	else
	{
		JsonbValue	null = {.type = jbvNull};

		pushJsonbValue(&explanation->detail, WJB_VALUE, &null);
		decide(explanation, "scheduled_rule",
			   "actions do not fire it, and its schedule has nothing due for the user");
	}
}

static void
explain_segments(Explanation *explanation, Evaluator *evaluator,
				 const Rule *rule)
{
	push_key(&explanation->detail, "segments");
	pushJsonbValue(&explanation->detail, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < rule->nsegments; i++)
	{
		bool		member = segment_score(evaluator, rule->segments[i]) == SCORE_YES;

		push_bool(&explanation->detail, rule->segments[i], member);
		if (!member)
			decide(explanation, "not_in_segment",
				   psprintf("the user is not in segment \"%s\"",
							rule->segments[i]));
	}
	pushJsonbValue(&explanation->detail, WJB_END_OBJECT, NULL);

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
