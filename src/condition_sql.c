/*-------------------------------------------------------------------------
 *
 * condition_sql.c
 *	  Conditions on users as SQL.
 *
 * This says once more, for sets of users, what condition_score.c says for one
 * user.  Where SQL cannot say it, as there is no way to read a time out of a
 * string without an error, it asks functions in C: nudge.json_time for a time, and
 * nudge.user_fits for a whole condition.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_sql.h"

#include <math.h>

#include "action.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

/* A condition on its way to SQL */
typedef struct Translation
{
	StringInfo	sql;
	const Condition *condition;
	const Rules *rules;
	TimestampTz now;
	SqlSense	sense;
	const char *attribute;		/* the attribute as jsonb; null or 'null' if missing */
} Translation;

static const char *
text_literal(const char *data, int length)
{
	return quote_literal_cstr(pnstrdup(data, length));
}

static const char *
string_literal(const JsonbValue *string)
{
	return text_literal(string->val.string.val, string->val.string.len);
}

static const char *
json_literal(const JsonbValue *value)
{
	Jsonb	   *jsonb = JsonbValueToJsonb((JsonbValue *) value);
	char	   *text = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));

	return psprintf("%s::jsonb", quote_literal_cstr(text));
}

static const char *
numeric_literal(Numeric number)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out,
														   NumericGetDatum(number)));

	return psprintf("%s::numeric", quote_literal_cstr(text));
}

/* A number as jsonb compares it */
static const char *
json_number(Numeric number)
{
	JsonbValue	value;

	value.type = jbvNumeric;
	value.val.numeric = number;
	return json_literal(&value);
}

static const char *
time_literal(TimestampTz time)
{
	static const int utc = 0;
	char		buffer[MAXDATELEN + 1];

	JsonEncodeDateTime(buffer, TimestampTzGetDatum(time), TIMESTAMPTZOID, &utc);
	return psprintf("'%s'::timestamptz", buffer);
}

/*
 * A time ago; what lies before the range of times is minus infinity.
 */
static const char *
time_ago(TimestampTz now, int64 usecs)
{
	TimestampTz time;

	if (pg_sub_s64_overflow(now, usecs, &time) || time < MIN_TIMESTAMP)
		return "'-infinity'::timestamptz";
	return time_literal(time);
}

static const char *
days_ago(TimestampTz now, double days)
{
	double		usecs = days * USECS_PER_DAY;

	return time_ago(now, usecs < (double) PG_INT64_MAX ? (int64) usecs :
					PG_INT64_MAX);
}

static void
append_strings(StringInfo sql, const Bytes *strings, int n)
{
	for (int i = 0; i < n; i++)
		appendStringInfo(sql, "%s%s", i > 0 ? ", " : "",
						 text_literal(strings[i].data, strings[i].length));
}

/*
 * Appends something for each of the values compared with, joined by OR; false
 * where there is none.
 */
typedef bool (*AppendValue) (Translation *translation, const JsonbValue *value);

static void
append_any(Translation *translation, AppendValue append)
{
	StringInfo	sql = translation->sql;
	int			start;
	bool		first = true;

	appendStringInfoChar(sql, '(');
	for (int i = 0; i < translation->condition->nvalues; i++)
	{
		start = sql->len;
		if (!first)
			appendStringInfoString(sql, " OR ");
		if (append(translation, &translation->condition->values[i]))
			first = false;
		else
		{
			sql->len = start;
			sql->data[start] = '\0';
		}
	}
	appendStringInfoString(sql, first ? "false)" : ")");
}

static const char *
document_column(const AttributePath *path)
{
	switch (path->root)
	{
		case ROOT_PROFILE:
			return "u.profile";
		case ROOT_BEHAVIOR:
			return "u.behavior";
		default:
			return "u.preferences";
	}
}

/*
 * "->" takes a key of an object, "#>" also an index into an array.
 */
static const char *
attribute_sql(const AttributePath *path)
{
	StringInfoData sql;

	if (path->root == ROOT_USER_COLUMN)
		return psprintf("to_jsonb(u.%s)", quote_identifier(path->steps[0].name));
	initStringInfo(&sql);
	appendStringInfo(&sql, "(%s", document_column(path));
	for (int i = 0; i < path->nsteps; i++)
		appendStringInfo(&sql, path->steps[i].is_index ? " #> ARRAY[%s]" : " -> %s",
						 text_literal(path->steps[i].name, path->steps[i].length));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

static bool
has_index(const AttributePath *path)
{
	for (int i = 0; i < path->nsteps; i++)
	{
		if (path->steps[i].is_index)
			return true;
	}
	return false;
}

/*
 * {"a": {"b": value}}: where no step can be an index, a document contains this if
 * and only if its value at the path is the same.  A GIN index finds it.
 */
static bool
append_contained(Translation *translation, const JsonbValue *value)
{
	const AttributePath *path = &translation->condition->path;
	JsonbParseState *state = NULL;
	JsonbValue *document = NULL;

	for (int i = 0; i < path->nsteps; i++)
	{
		JsonbValue	key;

		key.type = jbvString;
		key.val.string.val = path->steps[i].name;
		key.val.string.len = path->steps[i].length;
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		pushJsonbValue(&state, WJB_KEY, &key);
	}
	pushJsonbValue(&state, WJB_VALUE, (JsonbValue *) value);
	for (int i = 0; i < path->nsteps; i++)
		document = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	appendStringInfo(translation->sql, "%s @> %s", document_column(path),
					 json_literal(document));
	return true;
}

static bool
append_column_equal(Translation *translation, const JsonbValue *value)
{
	if (value->type != jbvString)
		return false;
	appendStringInfo(translation->sql, "u.%s = %s",
					 quote_identifier(translation->condition->path.steps[0].name),
					 string_literal(value));
	return true;
}

static bool
append_equal(Translation *translation, const JsonbValue *value)
{
	appendStringInfo(translation->sql, "%s = %s", translation->attribute,
					 json_literal(value));
	return true;
}

static bool
is_time_column(const AttributePath *path)
{
	return path->root == ROOT_USER_COLUMN &&
		(strcmp(path->steps[0].name, "created_at") == 0 ||
		 strcmp(path->steps[0].name, "updated_at") == 0);
}

static void
equality_to_sql(Translation *translation)
{
	const AttributePath *path = &translation->condition->path;
	bool		negated = translation->condition->op == OPERATOR_NOT_EQUALS ||
	translation->condition->op == OPERATOR_NOT_IN;
	bool		column = path->root == ROOT_USER_COLUMN && !is_time_column(path);
	bool		document = path->root != ROOT_USER_COLUMN && !has_index(path);
	bool		total = document ||
	(translation->sense == SQL_TRUE_ONLY && !negated);

	appendStringInfoString(translation->sql, negated ? "NOT " : "");
	appendStringInfoString(translation->sql, total ? "" : "coalesce");
	appendStringInfoString(translation->sql, total ? "" : "(");
	append_any(translation, column ? append_column_equal :
			   document ? append_contained : append_equal);
	appendStringInfoString(translation->sql, total ? "" : ", false)");
}

static bool
append_element(Translation *translation, const JsonbValue *value)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	pushJsonbValue(&state, WJB_ELEM, (JsonbValue *) value);
	appendStringInfo(translation->sql, "%s @> %s", translation->attribute,
					 json_literal(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
	return true;
}

static bool
append_substring(Translation *translation, const JsonbValue *value)
{
	if (value->type != jbvString)
		return false;
	appendStringInfo(translation->sql, "strpos(%s #>> '{}', %s) > 0",
					 translation->attribute, string_literal(value));
	return true;
}

static bool
append_key(Translation *translation, const JsonbValue *value)
{
	if (value->type != jbvString)
		return false;
	appendStringInfo(translation->sql, "%s ? %s", translation->attribute,
					 string_literal(value));
	return true;
}

/* A string has a substring, an array an element, an object a key. */
static void
containment_to_sql(Translation *translation)
{
	StringInfo	sql = translation->sql;

	appendStringInfo(sql, "%scoalesce(CASE jsonb_typeof(%s) WHEN 'array' THEN ",
					 translation->condition->op == OPERATOR_NOT_CONTAINS ? "NOT " : "",
					 translation->attribute);
	append_any(translation, append_element);
	appendStringInfoString(sql, " WHEN 'string' THEN ");
	append_any(translation, append_substring);
	appendStringInfoString(sql, " WHEN 'object' THEN ");
	append_any(translation, append_key);
	appendStringInfoString(sql, " END, false)");
}

static bool
append_affix(Translation *translation, const JsonbValue *value)
{
	int			characters = pg_mbstrlen_with_len(value->val.string.val,
												  value->val.string.len);

	if (translation->condition->op == OPERATOR_STARTS_WITH)
		appendStringInfo(translation->sql, "starts_with(%s #>> '{}', %s)",
						 translation->attribute, string_literal(value));
	else
		appendStringInfo(translation->sql, "right(%s #>> '{}', %d) = %s",
						 translation->attribute, characters,
						 string_literal(value));
	return true;
}

static void
affix_to_sql(Translation *translation)
{
	appendStringInfo(translation->sql,
					 "coalesce(CASE jsonb_typeof(%s) WHEN 'string' THEN ",
					 translation->attribute);
	append_any(translation, append_affix);
	appendStringInfoString(translation->sql, " END, false)");
}

static const char *
order_symbol(ConditionOperator op)
{
	switch (op)
	{
		case OPERATOR_GREATER_THAN:
			return ">";
		case OPERATOR_AT_LEAST:
			return ">=";
		case OPERATOR_LESS_THAN:
			return "<";
		case OPERATOR_AT_MOST:
			return "<=";
		default:
			return "=";
	}
}

/*
 * What is missing is false, what is of another kind than can be compared null;
 * what follows is asked of the rest.
 */
static void
append_of_kind(Translation *translation, const char *kind)
{
	appendStringInfo(translation->sql,
					 "CASE coalesce(jsonb_typeof(%s), 'null') WHEN 'null' THEN false WHEN '%s' THEN ",
					 translation->attribute, kind);
}

static void
order_to_sql(Translation *translation)
{
	const Condition *condition = translation->condition;
	const JsonbValue *bound = &condition->values[0];
	const char *symbol = order_symbol(condition->op);
	StringInfo	sql = translation->sql;

	if (bound->type != jbvNumeric)
	{
		append_of_kind(translation, "string");
		appendStringInfo(sql, "(%s #>> '{}') COLLATE \"C\" %s %s END",
						 translation->attribute, symbol, string_literal(bound));
		return;
	}
	if (translation->sense == SQL_TRUE_ONLY)
	{
		appendStringInfo(sql, "%s %s %s AND jsonb_typeof(%s) = 'number'",
						 translation->attribute, symbol, json_literal(bound),
						 translation->attribute);
		return;
	}
	append_of_kind(translation, "number");
	appendStringInfo(sql, "%s %s %s END", translation->attribute, symbol,
					 json_literal(bound));
}

static void
append_range(StringInfo sql, const Condition *condition, const char *value,
			 const char *(*literal) (Numeric))
{
	if (condition->min != NULL)
		appendStringInfo(sql, "%s >= %s", value, literal(condition->min));
	if (condition->min != NULL && condition->max != NULL)
		appendStringInfoString(sql, " AND ");
	if (condition->max != NULL)
		appendStringInfo(sql, "%s <= %s", value, literal(condition->max));
}

static void
range_to_sql(Translation *translation)
{
	if (translation->sense == SQL_TRUE_ONLY)
	{
		append_range(translation->sql, translation->condition,
					 translation->attribute, json_number);
		appendStringInfo(translation->sql, " AND jsonb_typeof(%s) = 'number'",
						 translation->attribute);
		return;
	}
	append_of_kind(translation, "number");
	append_range(translation->sql, translation->condition, translation->attribute,
				 json_number);
	appendStringInfoString(translation->sql, " END");
}

static void
window_to_sql(Translation *translation)
{
	const Condition *condition = translation->condition;
	const char *bound = time_ago(translation->now, condition->window);
	bool		within = condition->op == OPERATOR_WITHIN;
	StringInfo	sql = translation->sql;

	if (translation->sense == SQL_TRUE_ONLY && is_time_column(&condition->path))
		appendStringInfo(sql, "u.%s %s %s AND ", condition->path.steps[0].name,
						 within ? ">=" : "<", bound);
	appendStringInfo(sql,
					 "CASE WHEN coalesce(jsonb_typeof(%s), 'null') = 'null' THEN false ELSE nudge.json_time(%s, u.timezone) %s %s END",
					 translation->attribute, translation->attribute,
					 within ? ">=" : "<", bound);
}

static void
attribute_to_sql(Translation *translation)
{
	switch (translation->condition->op)
	{
		case OPERATOR_EQUALS:
		case OPERATOR_NOT_EQUALS:
		case OPERATOR_IN:
		case OPERATOR_NOT_IN:
			equality_to_sql(translation);
			break;
		case OPERATOR_CONTAINS:
		case OPERATOR_NOT_CONTAINS:
			containment_to_sql(translation);
			break;
		case OPERATOR_STARTS_WITH:
		case OPERATOR_ENDS_WITH:
			affix_to_sql(translation);
			break;
		case OPERATOR_GREATER_THAN:
		case OPERATOR_AT_LEAST:
		case OPERATOR_LESS_THAN:
		case OPERATOR_AT_MOST:
			order_to_sql(translation);
			break;
		case OPERATOR_IN_RANGE:
			range_to_sql(translation);
			break;
		case OPERATOR_EXISTS:
			appendStringInfo(translation->sql, "coalesce(%s <> 'null', false)",
							 translation->attribute);
			break;
		case OPERATOR_NOT_EXISTS:
			appendStringInfo(translation->sql, "coalesce(%s = 'null', true)",
							 translation->attribute);
			break;
		default:
			window_to_sql(translation);
			break;
	}
}

/*
 * Users of whom the number of some actions is such, or is not: asked in the form
 * that is false for those who have none, so that it can be answered from the
 * actions alone.  actions is what to ask of nudge.actions a, number of count(*).
 */
static void
count_to_sql(StringInfo sql, const char *actions, const char *number, bool negated,
			 bool none_holds)
{
	appendStringInfo(sql,
					 "%sEXISTS (SELECT FROM (SELECT a.user_id FROM nudge.actions a WHERE %s GROUP BY a.user_id HAVING %s(%s)) n WHERE n.user_id = u.user_id)",
					 none_holds ? "NOT " : "", actions,
					 negated != none_holds ? "NOT " : "", number);
}

static bool
numeric_holds(const char *symbol, Numeric bound)
{
	Numeric		zero = int64_to_numeric(0);
	int			order = DatumGetInt32(DirectFunctionCall2(numeric_cmp,
														  NumericGetDatum(zero),
														  NumericGetDatum(bound)));

	return (order == 0 && strchr(symbol, '=') != NULL) ||
		(order > 0 && symbol[0] == '>') || (order < 0 && symbol[0] == '<');
}

static const char *
purchases_sql(const Condition *condition, const char *value,
			  const char *(*literal) (Numeric), bool *none_holds)
{
	StringInfoData sql;

	initStringInfo(&sql);
	if (condition->op == OPERATOR_IN_RANGE)
	{
		append_range(&sql, condition, value, literal);
		*none_holds = (condition->min == NULL || numeric_holds(">=", condition->min)) &&
			(condition->max == NULL || numeric_holds("<=", condition->max));
	}
	else
	{
		Numeric		bound = condition->values[0].val.numeric;

		appendStringInfo(&sql, "%s %s %s", value, order_symbol(condition->op),
						 literal(bound));
		*none_holds = numeric_holds(order_symbol(condition->op), bound);
	}
	return sql.data;
}

/*
 * The user's own figure if there is one, else the number of purchases.
 */
static void
purchase_behavior_to_sql(Translation *translation)
{
	const Condition *condition = translation->condition;
	StringInfo	sql = translation->sql;
	const char *count;
	bool		none_holds;

	appendStringInfo(sql,
					 "CASE coalesce(jsonb_typeof(%s), 'null') WHEN 'number' THEN %s WHEN 'null' THEN ",
					 translation->attribute,
					 purchases_sql(condition, translation->attribute, json_number,
								   &none_holds));
	count = purchases_sql(condition, "count(*)::numeric", numeric_literal,
						  &none_holds);
	if (condition->count_purchases)
		count_to_sql(sql, "a.action_type = 'purchase'", count, false, none_holds);
	else
		appendStringInfoString(sql, "false");
	appendStringInfoString(sql, " END");
}

/*
 * (last login > bound), as far back as score_engagement_level looks
 */
static void
append_login_after(StringInfo sql, const char *stated, const char *oldest,
				   const char *bound)
{
	appendStringInfo(sql,
					 "(coalesce(%s > %s, false) OR EXISTS (SELECT FROM nudge.actions a WHERE a.user_id = u.user_id AND a.action_type = 'login' AND a.recorded_at >= %s AND a.occurred_at > %s))",
					 stated, bound, oldest, bound);
}

static void
engagement_level_to_sql(Translation *translation)
{
	const Condition *condition = translation->condition;
	const char *value = "(u.behavior -> 'last_login')";
	const char *stated = psprintf("nudge.json_time(%s, u.timezone)", value);
	const char *oldest = days_ago(translation->now, condition->medium_days + 1.0);
	const char *high = days_ago(translation->now, floor(condition->high_days) + 1.0);
	const char *medium = days_ago(translation->now,
								  floor(condition->medium_days) + 1.0);
	StringInfo	sql = translation->sql;

	appendStringInfo(sql,
					 "CASE WHEN coalesce(jsonb_typeof(%s), 'null') = 'null' OR %s IS NOT NULL THEN ",
					 value, stated);
	if (condition->level == ENGAGEMENT_LOW)
		appendStringInfoString(sql, "NOT ");
	append_login_after(sql, stated, oldest,
					   condition->level == ENGAGEMENT_HIGH ? high : medium);
	if (condition->level == ENGAGEMENT_MEDIUM)
	{
		appendStringInfoString(sql, " AND NOT ");
		append_login_after(sql, stated, oldest, high);
	}
	appendStringInfoString(sql, " END");
}

#define QUOTED_SOURCE_ENGINE "'" ACTION_SOURCE_ENGINE "'"

static const char *
counted_actions(Translation *translation)
{
	const ActionCount *count = translation->condition->count;
	StringInfoData sql;

	initStringInfo(&sql);
	if (count->any_type)
		appendStringInfoString(&sql,
							   "a.source IS DISTINCT FROM " QUOTED_SOURCE_ENGINE);
	else
	{
		appendStringInfoString(&sql, "a.action_type IN (");
		append_strings(&sql, count->types, count->ntypes);
		appendStringInfoChar(&sql, ')');
	}
	if (count->window > 0)
	{
		const char *since = time_ago(translation->now, count->window);

		appendStringInfo(&sql, " AND a.recorded_at >= %s AND a.occurred_at >= %s",
						 since, since);
	}
	if (count->where != NULL)
	{
		char	   *path = DatumGetCString(DirectFunctionCall1(jsonpath_out,
															   PointerGetDatum(count->where)));

		appendStringInfo(&sql,
						 " AND nudge.json_fits(coalesce(a.action_data, '{}'), %s)",
						 quote_literal_cstr(path));
	}
	return sql.data;
}

static void
action_count_to_sql(Translation *translation)
{
	const ActionCount *count = translation->condition->count;
	const char *actions = counted_actions(translation);
	StringInfo	sql = translation->sql;
	StringInfoData number;
	bool		none_holds;

	if (count->least == 1 && count->most == PG_INT64_MAX)
	{
		appendStringInfo(sql,
						 "%sEXISTS (SELECT FROM nudge.actions a WHERE a.user_id = u.user_id AND %s)",
						 count->negated ? "NOT " : "", actions);
		return;
	}
	initStringInfo(&number);
	appendStringInfo(&number, "count(*) >= " INT64_FORMAT, count->least);
	if (count->most < PG_INT64_MAX)
		appendStringInfo(&number, " AND count(*) <= " INT64_FORMAT, count->most);
	none_holds = (count->least <= 0 && count->most >= 0) != count->negated;
	count_to_sql(sql, actions, number.data, count->negated, none_holds);
}

/*
 * Users with one of some events of a rule's messages, which no machine caused
 */
static void
append_events(Translation *translation, int64 rule_id, const char *types)
{
	const char *since = time_ago(translation->now, translation->condition->window);

	appendStringInfo(translation->sql,
					 "EXISTS (SELECT FROM nudge.events e WHERE e.user_id = u.user_id AND e.rule_id = " INT64_FORMAT " AND e.event_type IN (%s) AND e.flag IS DISTINCT FROM 'machine'",
					 rule_id, types);
	if (translation->condition->window > 0)
		appendStringInfo(translation->sql,
						 " AND e.recorded_at >= %s AND e.occurred_at >= %s", since,
						 since);
	appendStringInfoChar(translation->sql, ')');
}

static void
message_engagement_to_sql(Translation *translation)
{
	const Condition *condition = translation->condition;
	int64		rule_id = condition->rule_id;
	const Rule *rule;

	if (rule_id == 0)
	{
		rule = rules_find_named(translation->rules, condition->patterns[0].data);
		if (rule == NULL)
		{
			appendStringInfoString(translation->sql, "false");
			return;
		}
		rule_id = rule->rule_id;
	}
	switch (condition->op)
	{
		case OPERATOR_OPENED:
			append_events(translation, rule_id, "'opened'");
			break;
		case OPERATOR_CLICKED:
			append_events(translation, rule_id, "'clicked'");
			break;
		default:
			append_events(translation, rule_id, "'sent'");
			appendStringInfoString(translation->sql, " AND NOT ");
			append_events(translation, rule_id, "'opened', 'clicked'");
			break;
	}
}

static void
lifecycle_stage_to_sql(Translation *translation)
{
	const Condition *condition = translation->condition;
	bool		negated = condition->op == OPERATOR_NOT_EQUALS ||
	condition->op == OPERATOR_NOT_IN;

	appendStringInfo(translation->sql, "%scoalesce(u.lifecycle_stage IN (",
					 negated ? "NOT " : "");
	append_strings(translation->sql, condition->patterns, condition->npatterns);
	appendStringInfoString(translation->sql, "), false)");
}

/*
 * Asks condition_score.c.
 */
static void
residual_to_sql(Translation *translation, const WrittenCondition *written)
{
	char	   *parameters = JsonbToCString(NULL, &written->parameters->root,
											VARSIZE(written->parameters));

	appendStringInfo(translation->sql, "nudge.user_fits(u, %s, %s, %s::jsonb)",
					 quote_literal_cstr(written->type),
					 quote_literal_cstr(condition_operator_name(translation->condition->op)),
					 quote_literal_cstr(parameters));
}

/*
 * Is there a translation that agrees for every user?
 */
static bool
is_translated(const Condition *condition)
{
	bool		window = condition->op == OPERATOR_WITHIN ||
	condition->op == OPERATOR_AFTER;

	switch (condition->type)
	{
		case CONDITION_USER_ATTRIBUTE:
			return !window || condition->path.root != ROOT_USER_COLUMN ||
				is_time_column(&condition->path);
		case CONDITION_PURCHASE_BEHAVIOR:
		case CONDITION_ENGAGEMENT_LEVEL:
		case CONDITION_MESSAGE_ENGAGEMENT:
		case CONDITION_LIFECYCLE_STAGE:
			return true;
		case CONDITION_ACTION_COUNT:
			return !condition->count->where_document;
		default:
			return false;
	}
}

void
condition_to_sql(StringInfo sql, const Condition *condition,
				 const WrittenCondition *written, const Rules *rules,
				 TimestampTz now, SqlSense sense)
{
	Translation translation = {sql, condition, rules, now, sense, NULL};

	check_stack_depth();
	appendStringInfoChar(sql, '(');
	if (!is_translated(condition))
		residual_to_sql(&translation, written);
	else
		switch (condition->type)
		{
			case CONDITION_USER_ATTRIBUTE:
				translation.attribute = attribute_sql(&condition->path);
				attribute_to_sql(&translation);
				break;
			case CONDITION_PURCHASE_BEHAVIOR:
				translation.attribute = attribute_sql(&condition->path);
				purchase_behavior_to_sql(&translation);
				break;
			case CONDITION_ENGAGEMENT_LEVEL:
				engagement_level_to_sql(&translation);
				break;
			case CONDITION_ACTION_COUNT:
				action_count_to_sql(&translation);
				break;
			case CONDITION_MESSAGE_ENGAGEMENT:
				message_engagement_to_sql(&translation);
				break;
			default:
				lifecycle_stage_to_sql(&translation);
				break;
		}
	appendStringInfoChar(sql, ')');
}
