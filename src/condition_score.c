/*-------------------------------------------------------------------------
 *
 * condition_score.c
 *	  Scores conditions.
 *
 * Nothing here raises an error for what an action or a user's row may contain:
 * the application's INSERT must not fail because of a rule.  What cannot be
 * computed scores SCORE_ERROR, with the reason in evaluator->error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_scorer.h"

#include <math.h>

#include "document.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "segment.h"
#include "softtime.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/* Arrays, so that each has one address */
static const char PURCHASE[] = "purchase";
static const char LOGIN[] = "login";

/* No history is counted further than this. */
#define MAX_COUNT INT64CONST(1000000000)

static bool
bytes_contain(Bytes text, Bytes pattern)
{
	return memmem(text.data, text.length, pattern.data, pattern.length) != NULL;
}

/* Is the text one of the patterns, or does it contain one? */
static bool
matches_pattern(const Condition *condition, Bytes text)
{
	for (int i = 0; i < condition->npatterns; i++)
	{
		Bytes		pattern = condition->patterns[i];

		if (condition->op == OPERATOR_CONTAINS ? bytes_contain(text, pattern) :
			(text.length == pattern.length &&
			 memcmp(text.data, pattern.data, text.length) == 0))
			return true;
	}
	return false;
}

static bool
is_page_visit(const Action *action)
{
	return action->action_type.length == strlen("page_visit") &&
		memcmp(action->action_type.data, "page_visit",
			   strlen("page_visit")) == 0;
}

static Score
score_page_visit(Evaluator *evaluator, const Condition *condition)
{
	Bytes		url;

	return score_of(is_page_visit(&evaluator->action) &&
					action_page_url(&evaluator->action, &url) &&
					matches_pattern(condition, url));
}

static int
compare_numeric(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a),
											 NumericGetDatum(b)));
}

static int
compare_strings(const JsonbValue *a, const JsonbValue *b)
{
	int			result = memcmp(a->val.string.val, b->val.string.val,
								Min(a->val.string.len, b->val.string.len));

	return result != 0 ? result : a->val.string.len - b->val.string.len;
}

static bool
in_range(const Condition *condition, Numeric value)
{
	return (condition->min == NULL ||
			compare_numeric(value, condition->min) >= 0) &&
		(condition->max == NULL || compare_numeric(value, condition->max) <= 0);
}

static bool
order_holds(ConditionOperator op, int comparison)
{
	switch (op)
	{
		case OPERATOR_GREATER_THAN:
			return comparison > 0;
		case OPERATOR_AT_LEAST:
			return comparison >= 0;
		case OPERATOR_LESS_THAN:
			return comparison < 0;
		case OPERATOR_AT_MOST:
			return comparison <= 0;
		default:
			return comparison == 0;
	}
}

static bool
window_holds(const Condition *condition, TimestampTz now, TimestampTz then)
{
	/* Both are valid timestamps, so their difference fits. */
	bool		within = now - then <= condition->window;

	return condition->op == OPERATOR_WITHIN ? within : !within;
}

/*
 * Purchases, as far as the condition wants to know.
 */
static int64
count_purchases(Evaluator *evaluator, const Condition *condition)
{
	Numeric		most = condition->max != NULL ? condition->max :
	condition->nvalues > 0 ? condition->values[0].val.numeric : condition->min;
	double		bound =
	DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
									   NumericGetDatum(most)));
	int64		limit = bound >= MAX_COUNT ? MAX_COUNT : Max((int64) bound, 0) + 2;

	if (!evaluator->purchases_known ||
		(evaluator->purchases >= evaluator->purchases_limit &&
		 evaluator->purchases_limit < limit))
	{
		evaluator->purchases = history_count_actions(evaluator->history,
													 &evaluator->action,
													 PURCHASE, limit);
		evaluator->purchases_limit = limit;
		evaluator->purchases_known = true;
	}
	return evaluator->purchases;
}

static Score
score_purchase_behavior(Evaluator *evaluator, const Condition *condition)
{
	JsonbValue	value;
	Numeric		metric;

	if (user_attribute(evaluator_user(evaluator), &condition->path, &value))
	{
		if (value.type != jbvNumeric)
			return score_error(evaluator, "the metric is not a number");
		metric = value.val.numeric;
	}
	else if (condition->count_purchases &&
			 !history_is_complete(evaluator->history))
		return score_error(evaluator, INCOMPLETE_HISTORY);
	else if (condition->count_purchases)
		metric = int64_to_numeric(count_purchases(evaluator, condition));
	else
		return SCORE_NO;

	if (condition->op == OPERATOR_IN_RANGE)
		return score_of(in_range(condition, metric));
	return score_of(order_holds(condition->op,
								compare_numeric(metric,
												condition->values[0].val.numeric)));
}

/*
 * The user's last login as an action, as far back as the condition looks.
 */
static bool
last_login_action(Evaluator *evaluator, const Condition *condition,
				  TimestampTz *last)
{
	double		since = evaluator->now -
	(condition->medium_days + 1.0) * USECS_PER_DAY;
	double		enough = evaluator->now - condition->high_days * USECS_PER_DAY;
	TimestampTz oldest = since < MIN_TIMESTAMP ? MIN_TIMESTAMP : (TimestampTz) since;
	TimestampTz latest = enough < MIN_TIMESTAMP ? MIN_TIMESTAMP : (TimestampTz) enough;

	if (!evaluator->login_known || evaluator->login_since != oldest ||
		evaluator->login_enough != latest)
	{
		evaluator->login_found =
			history_last_action(evaluator->history, &evaluator->action, LOGIN,
								oldest, latest, &evaluator->login_at);
		evaluator->login_since = oldest;
		evaluator->login_enough = latest;
		evaluator->login_known = true;
	}
	*last = evaluator->login_at;
	return evaluator->login_found;
}

/*
 * Whole days since the last login give the level: the later of
 * behavior.last_login and the last action "login".
 */
static Score
score_engagement_level(Evaluator *evaluator, const Condition *condition)
{
	static const PathStep last_login = {"last_login", 10, false, 0};
	static const AttributePath path = {ROOT_BEHAVIOR, 1, (PathStep *) &last_login};
	JsonbValue	value;
	TimestampTz stated = 0;
	TimestampTz acted;
	bool		known = false;
	EngagementLevel level = ENGAGEMENT_LOW;

	if (user_attribute(evaluator_user(evaluator), &path, &value))
	{
		if (!soft_timestamptz(&value, evaluator_timezone(evaluator), &stated))
			return score_error(evaluator, "behavior.last_login is not a time");
		known = true;
	}
	if (!history_is_complete(evaluator->history))
		return score_error(evaluator, INCOMPLETE_HISTORY);
	if (last_login_action(evaluator, condition, &acted))
	{
		stated = known ? Max(stated, acted) : acted;
		known = true;
	}
	evaluator->last_login_known = known;
	evaluator->last_login = stated;
	if (known)
	{
		double		days = floor((double) (evaluator->now - stated) / USECS_PER_DAY);

		if (days <= condition->high_days)
			level = ENGAGEMENT_HIGH;
		else if (days <= condition->medium_days)
			level = ENGAGEMENT_MEDIUM;
	}
	return score_of(level == condition->level);
}

bool
scalars_equal(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case jbvString:
			return a->val.string.len == b->val.string.len &&
				memcmp(a->val.string.val, b->val.string.val,
					   a->val.string.len) == 0;
		case jbvNumeric:
			return compare_numeric(a->val.numeric, b->val.numeric) == 0;
		case jbvBool:
			return a->val.boolean == b->val.boolean;
		default:
			return false;
	}
}

static bool
equals_any(const Condition *condition, const JsonbValue *value)
{
	for (int i = 0; i < condition->nvalues; i++)
	{
		if (scalars_equal(value, &condition->values[i]))
			return true;
	}
	return false;
}

static bool
array_has_any(const Condition *condition, JsonbContainer *array)
{
	JsonbIterator *iterator = JsonbIteratorInit(array);
	JsonbValue	element;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM && equals_any(condition, &element))
			return true;
	}
	return false;
}

/* A string has a substring, an array an element, an object a key. */
static bool
contains_any(const Condition *condition, const JsonbValue *value)
{
	if (value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data))
		return array_has_any(condition, value->val.binary.data);

	for (int i = 0; i < condition->nvalues; i++)
	{
		const JsonbValue *wanted = &condition->values[i];
		JsonbValue	found;

		if (wanted->type != jbvString)
			continue;
		if (value->type == jbvString &&
			memmem(value->val.string.val, value->val.string.len,
				   wanted->val.string.val, wanted->val.string.len) != NULL)
			return true;
		if (value->type == jbvBinary &&
			getKeyJsonValueFromContainer(value->val.binary.data,
										 wanted->val.string.val,
										 wanted->val.string.len,
										 &found) != NULL)
			return true;
	}
	return false;
}

static bool
has_affix(const Condition *condition, const JsonbValue *value)
{
	if (value->type != jbvString)
		return false;
	for (int i = 0; i < condition->nvalues; i++)
	{
		const JsonbValue *affix = &condition->values[i];
		int			before = value->val.string.len - affix->val.string.len;

		if (before >= 0 &&
			memcmp(value->val.string.val +
				   (condition->op == OPERATOR_ENDS_WITH ? before : 0),
				   affix->val.string.val, affix->val.string.len) == 0)
			return true;
	}
	return false;
}

static Score
score_order(Evaluator *evaluator, const Condition *condition,
			const JsonbValue *value)
{
	const JsonbValue *bound = &condition->values[0];

	if (value->type != bound->type)
		return score_error(evaluator, bound->type == jbvNumeric ?
						   "the attribute is not a number" :
						   "the attribute is not a string");
	return score_of(order_holds(condition->op, value->type == jbvNumeric ?
								compare_numeric(value->val.numeric,
												bound->val.numeric) :
								compare_strings(value, bound)));
}

/*
 * Compares an attribute that exists with what the condition asks for.
 */
static Score
score_value(Evaluator *evaluator, const Condition *condition,
			const JsonbValue *value)
{
	TimestampTz then;

	switch (condition->op)
	{
		case OPERATOR_EQUALS:
		case OPERATOR_IN:
			return score_of(equals_any(condition, value));
		case OPERATOR_NOT_EQUALS:
		case OPERATOR_NOT_IN:
			return score_of(!equals_any(condition, value));
		case OPERATOR_CONTAINS:
			return score_of(contains_any(condition, value));
		case OPERATOR_NOT_CONTAINS:
			return score_of(!contains_any(condition, value));
		case OPERATOR_STARTS_WITH:
		case OPERATOR_ENDS_WITH:
			return score_of(has_affix(condition, value));
		case OPERATOR_GREATER_THAN:
		case OPERATOR_AT_LEAST:
		case OPERATOR_LESS_THAN:
		case OPERATOR_AT_MOST:
			return score_order(evaluator, condition, value);
		case OPERATOR_IN_RANGE:
			if (value->type != jbvNumeric)
				return score_error(evaluator, "the attribute is not a number");
			return score_of(in_range(condition, value->val.numeric));
		case OPERATOR_EXISTS:
			return SCORE_YES;
		case OPERATOR_NOT_EXISTS:
			return SCORE_NO;
		case OPERATOR_WITHIN:
		case OPERATOR_AFTER:
			if (!soft_timestamptz(value, evaluator_timezone(evaluator), &then))
				return score_error(evaluator, "the attribute is not a time");
			return score_of(window_holds(condition, evaluator->now, then));
		default:
			break;
	}
	return SCORE_NO;			/* keep compiler quiet */
}

static Score
score_attribute(Evaluator *evaluator, const Condition *condition)
{
	JsonbValue	value;
	bool		exists = condition->type == CONDITION_USER_ATTRIBUTE ?
	user_attribute(evaluator_user(evaluator), &condition->path, &value) :
	action_attribute(&evaluator->action, &condition->path, &value);

	if (exists)
		return score_value(evaluator, condition, &value);
	return score_of(condition->op == OPERATOR_NOT_EQUALS ||
					condition->op == OPERATOR_NOT_CONTAINS ||
					condition->op == OPERATOR_NOT_IN ||
					condition->op == OPERATOR_NOT_EXISTS);
}

/*
 * The variant with time zones is used, because the other raises an error, silent or
 * not, where times with and without zone are compared.
 */
bool
jsonpath_holds(JsonPath *jsonpath, Jsonb *document)
{
	LOCAL_FCINFO(fcinfo, 4);
	FmgrInfo	flinfo = {0};
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, &flinfo, 4, InvalidOid, NULL, NULL);
	flinfo.fn_mcxt = CurrentMemoryContext;
	fcinfo->args[0].value = JsonbPGetDatum(document);
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = PointerGetDatum(jsonpath);
	fcinfo->args[1].isnull = false;
	fcinfo->args[2].value = JsonbPGetDatum(jsonb_empty_object());
	fcinfo->args[2].isnull = false;
	fcinfo->args[3].value = BoolGetDatum(true);
	fcinfo->args[3].isnull = false;
	result = jsonb_path_match_tz(fcinfo);
	return !fcinfo->isnull && DatumGetBool(result);
}

/*
 * The path predicate over {"user": …, "action": …}; of segments, without the action
 */
static Score
score_jsonpath(Evaluator *evaluator, const Condition *condition)
{
	Jsonb	   *document;

	if (evaluator->in_segment && !evaluator->user_document_known)
	{
		evaluator->user_document = document_of(NULL, evaluator_user(evaluator));
		evaluator->user_document_known = true;
	}
	else if (!evaluator->in_segment && !evaluator->document_known)
	{
		evaluator->document = document_of(&evaluator->action,
										  evaluator_user(evaluator));
		evaluator->document_known = true;
	}
	document = evaluator->in_segment ? evaluator->user_document :
		evaluator->document;
	if (document == NULL)
		return score_error(evaluator, "the documents are nested too deeply, or too large");
	return score_of(jsonpath_holds(condition->jsonpath, document));
}

static Score
score_segment(Evaluator *evaluator, const Condition *condition)
{
	Score		member = segment_score(evaluator, condition->patterns[0].data);

	return condition->op == OPERATOR_NOT_EQUALS ? score_negated(member) : member;
}

/*
 * A user without a stage is in none.
 */
static Score
score_lifecycle_stage(Evaluator *evaluator, const Condition *condition)
{
	const UserRow *user = evaluator_user(evaluator);
	bool		negated = condition->op == OPERATOR_NOT_EQUALS ||
	condition->op == OPERATOR_NOT_IN;
	bool		among = user->found &&
	!user->nulls[Anum_users_lifecycle_stage - 1] &&
	matches_pattern(condition,
					bytes_of_text(PointerGetDatum(PG_DETOAST_DATUM_PACKED(user->values[Anum_users_lifecycle_stage - 1]))));

	return score_of(among != negated);
}

/*
 * A group is decided by its members, the cheapest first.  A member that cannot be
 * computed leaves it undecided, unless another one decides.
 */
static Score
score_group(Evaluator *evaluator, const Condition *group)
{
	Score		decisive = group->type == CONDITION_ANY ? SCORE_YES : SCORE_NO;
	const char *error = NULL;

	check_stack_depth();
	if (group->type == CONDITION_NOT)
		return score_negated(condition_score(evaluator, &group->members[0]));
	for (ConditionCost cost = 0; cost <= group->cost; cost++)
	{
		for (int i = 0; i < group->nmembers; i++)
		{
			Score		score;

			if (group->members[i].cost != cost)
				continue;
			CHECK_FOR_INTERRUPTS();
			score = condition_score(evaluator, &group->members[i]);
			if (score == decisive)
				return score;
			if (score == SCORE_ERROR && error == NULL)
				error = evaluator->error;
		}
	}
	if (error != NULL)
		return score_error(evaluator, error);
	return decisive == SCORE_YES ? SCORE_NO : SCORE_YES;
}

Score
condition_score(Evaluator *evaluator, const Condition *condition)
{
	switch (condition->type)
	{
		case CONDITION_ACTION_TYPE:
			return score_of(matches_pattern(condition,
											evaluator->action.action_type));
		case CONDITION_PAGE_VISIT:
			return score_page_visit(evaluator, condition);
		case CONDITION_PURCHASE_BEHAVIOR:
			return score_purchase_behavior(evaluator, condition);
		case CONDITION_ENGAGEMENT_LEVEL:
			return score_engagement_level(evaluator, condition);
		case CONDITION_TIME_WINDOW:
			return score_of(window_holds(condition, evaluator->now,
										 evaluator->action.occurred_at));
		case CONDITION_USER_ATTRIBUTE:
		case CONDITION_ACTION_ATTRIBUTE:
			return score_attribute(evaluator, condition);
		case CONDITION_JSONPATH:
			return score_jsonpath(evaluator, condition);
		case CONDITION_ACTION_COUNT:
			return score_action_count(evaluator, condition);
		case CONDITION_SEGMENT:
			return score_segment(evaluator, condition);
		case CONDITION_ATTRIBUTE_CHANGE:
			return score_attribute_change(evaluator, condition);
		case CONDITION_LOCATION:
			return score_location(evaluator, condition);
		case CONDITION_LOCAL_TIME:
			return score_local_time(evaluator, condition);
		case CONDITION_MESSAGE_ENGAGEMENT:
			return score_message_engagement(evaluator, condition);
		case CONDITION_LIFECYCLE_STAGE:
			return score_lifecycle_stage(evaluator, condition);
		case CONDITION_ALL:
		case CONDITION_ANY:
		case CONDITION_NOT:
			return score_group(evaluator, condition);
	}
	return SCORE_NO;			/* keep compiler quiet */
}
