/*-------------------------------------------------------------------------
 *
 * explain_condition.c
 *	  What a condition saw, for nudge.explain.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "explain_condition.h"

#include <math.h>

#include "condition_scorer.h"
#include "document.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "segment.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* Values are shown to people up to so many bytes */
#define MAX_OBSERVED 200

void
push_cstring(JsonbParseState **state, const char *key, const char *value)
{
	if (value != NULL)
		push_text(state, key, CStringGetTextDatum(value), false);
	else
		push_text(state, key, (Datum) 0, true);
}

void
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

void
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
is_address_name(const char *column)
{
	return strcmp(column, "email") == 0 || strcmp(column, "phone") == 0 ||
		strcmp(column, "push_token") == 0;
}

static bool
is_address(const AttributePath *path)
{
	return path->root == ROOT_USER_COLUMN && is_address_name(path->steps[0].name);
}

static bool
observe_time(JsonbValue *value, TimestampTz time)
{
	return observe_text(value,
						CStringGetTextDatum(timestamptz_to_str(time)));
}

/* An object that has been built, as a value */
static bool
observe_object(JsonbValue *value, JsonbParseState **state)
{
	Jsonb	   *jsonb = JsonbValueToJsonb(pushJsonbValue(state, WJB_END_OBJECT, NULL));

	value->type = jbvBinary;
	value->val.binary.data = &jsonb->root;
	value->val.binary.len = VARSIZE_ANY_EXHDR(jsonb);
	return true;
}

static void
push_observed(JsonbParseState **state, const char *key, JsonbValue *value)
{
	push_key(state, key);
	if (value->type == jbvNull || !observe_attribute(true, value))
		value->type = jbvNull;
	pushJsonbValue(state, WJB_VALUE, value);
}

static bool
observe_change(Evaluator *evaluator, const AttributeChange *change,
			   JsonbValue *value)
{
	JsonbParseState *state = NULL;
	JsonbValue	old;
	JsonbValue	new;

	if (!change_known(evaluator, change, &old, &new))
		return false;
	if (is_address_name(change->attribute))
		return observe_text(value, CStringGetTextDatum("(hidden)"));
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_observed(&state, "old", &old);
	push_observed(&state, "new", &new);
	return observe_object(value, &state);
}

static void
push_code(JsonbParseState **state, const char *key, Bytes code)
{
	JsonbValue	value;

	value.type = code.length == 0 ? jbvNull : jbvString;
	value.val.string.val = code.data;
	value.val.string.len = code.length;
	push_observed(state, key, &value);
}

static bool
observe_location(Evaluator *evaluator, const Place *place, JsonbValue *value)
{
	JsonbParseState *state = NULL;
	Location	location;
	bool		bad;

	if (!location_known(evaluator, place, &location, &bad))
		return false;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (place->circle)
	{
		push_float8(&state, "lat", location.lat);
		push_float8(&state, "lon", location.lon);
		push_float8(&state, "distance_km",
					rint(location_distance_km(place, &location) * 1000.0) / 1000.0);
	}
	else
	{
		push_code(&state, "country", location.country);
		push_code(&state, "region", location.region);
	}
	return observe_object(value, &state);
}

static bool
observe_engagement(Evaluator *evaluator, const Condition *condition,
				   JsonbValue *value)
{
	JsonbParseState *state = NULL;
	MessageEngagement engagement;

	if (!engagement_known(evaluator, condition, &engagement))
		return false;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_bool(&state, "sent", engagement.sent);
	push_bool(&state, "opened", engagement.opened);
	push_bool(&state, "clicked", engagement.clicked);
	return observe_object(value, &state);
}

static bool
observe_count(Evaluator *evaluator, const ActionCount *count, JsonbValue *value)
{
	if (!history_is_complete(evaluator->history))
		return false;
	value->type = jbvNumeric;
	value->val.numeric = int64_to_numeric(action_count_seen(evaluator, count));
	return true;
}

static bool
observe_member(Evaluator *evaluator, const char *segment, JsonbValue *value)
{
	Score		score = segment_score(evaluator, segment);

	value->type = jbvBool;
	value->val.boolean = score == SCORE_YES;
	return score != SCORE_ERROR;
}

static bool
observe_stage(const UserRow *user, JsonbValue *value)
{
	if (!user->found || user->nulls[Anum_users_lifecycle_stage - 1])
		return false;
	return observe_text(value,
						PointerGetDatum(PG_DETOAST_DATUM_PACKED(user->values[Anum_users_lifecycle_stage - 1])));
}

static bool
is_group(const Condition *condition)
{
	return condition->type == CONDITION_ALL ||
		condition->type == CONDITION_ANY || condition->type == CONDITION_NOT;
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
		case CONDITION_ACTION_COUNT:
			return observe_count(evaluator, condition->count, value);
		case CONDITION_SEGMENT:
			return observe_member(evaluator, condition->patterns[0].data, value);
		case CONDITION_ATTRIBUTE_CHANGE:
			return observe_change(evaluator, condition->change, value);
		case CONDITION_LOCATION:
			return observe_location(evaluator, condition->place, value);
		case CONDITION_LOCAL_TIME:
			return observe_text(value,
								CStringGetTextDatum(local_time_text(evaluator)));
		case CONDITION_MESSAGE_ENGAGEMENT:
			return observe_engagement(evaluator, condition, value);
		case CONDITION_LIFECYCLE_STAGE:
			return observe_stage(user, value);
		case CONDITION_JSONPATH:
		case CONDITION_ALL:
		case CONDITION_ANY:
		case CONDITION_NOT:
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

static void push_condition(JsonbParseState **state, Evaluator *evaluator,
						   const Condition *condition, bool weighted,
						   double score, const char *error, bool seen,
						   JsonbValue *value);

/*
 * The members of a group, each scored by itself
 */
static void
push_members(JsonbParseState **state, Evaluator *evaluator,
			 const Condition *group)
{
	check_stack_depth();
	push_key(state, "conditions");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < group->nmembers; i++)
	{
		const Condition *member = &group->members[i];
		Score		score = condition_score(evaluator, member);
		const char *error = score == SCORE_ERROR ? evaluator->error : NULL;
		JsonbValue	value;
		bool		seen = observe(evaluator, member, &value);

		CHECK_FOR_INTERRUPTS();
		push_condition(state, evaluator, member, false,
					   score == SCORE_YES ? 1.0 : 0.0, error, seen, &value);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_condition(JsonbParseState **state, Evaluator *evaluator,
			   const Condition *condition, bool weighted, double score,
			   const char *error, bool seen, JsonbValue *value)
{
	JsonbValue	null = {.type = jbvNull};

	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_cstring(state, "type", condition_type_name(condition->type));
	push_cstring(state, "operator", condition_operator_name(condition->op));
	if (weighted)
		push_float8(state, "weight", condition->weight);
	push_float8(state, "score", score);
	if (is_group(condition))
		push_members(state, evaluator, condition);
	else if (condition->type != CONDITION_JSONPATH)
	{
		push_key(state, "value");
		pushJsonbValue(state, WJB_VALUE, seen ? value : &null);
	}
	if (error != NULL)
		push_cstring(state, "error", error);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

void
explain_condition(JsonbParseState **state, Evaluator *evaluator,
				  const Condition *condition, int i, double score,
				  const char *error, StringInfo failed)
{
	JsonbValue	value;
	bool		seen = observe(evaluator, condition, &value);

	push_condition(state, evaluator, condition, true, score, error, seen, &value);
	if (score != 0.0)
		return;
	appendStringInfo(failed, "%sconditions[%d] (%s",
					 failed->len > 0 ? ", " : "", i,
					 condition_type_name(condition->type));
	if (is_group(condition))
		appendStringInfoChar(failed, ')');
	else
		appendStringInfo(failed, " %s)", condition_operator_name(condition->op));
	if (error != NULL)
		appendStringInfo(failed, ": %s", error);
	else if (seen)
		appendStringInfo(failed, " saw %s", observed_text(&value));
	else if (condition->type != CONDITION_JSONPATH && !is_group(condition))
		appendStringInfoString(failed, " saw nothing");
}
