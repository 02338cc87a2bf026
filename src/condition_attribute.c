/*-------------------------------------------------------------------------
 *
 * condition_attribute.c
 *	  Parses which attribute a condition looks at, and what it compares with.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_parser.h"

#include <limits.h>

#include "common/int.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

static const char *const user_columns[] = {
	"user_id", "email", "phone", "push_token", "timezone", "locale",
	"created_at", "updated_at", "lifecycle_stage"
};

typedef struct RootName
{
	const char *name;
	AttributeRoot root;
} RootName;

static const RootName user_roots[] = {
	{"profile", ROOT_PROFILE},
	{"behavior", ROOT_BEHAVIOR},
	{"preferences", ROOT_PREFERENCES},
	{NULL}
};

static const RootName action_roots[] = {
	{"action_data", ROOT_ACTION_DATA},
	{"data", ROOT_ACTION_DATA},
	{"context", ROOT_CONTEXT},
	{NULL}
};

/*
 * Digits, with a minus or not, may be an index into an array.
 */
static void
parse_index(PathStep *step)
{
	int64		index = 0;
	int			first = step->length > 1 && step->name[0] == '-' ? 1 : 0;

	for (int i = first; i < step->length; i++)
	{
		if (step->name[i] < '0' || step->name[i] > '9' || index > INT_MAX)
			return;
		index = index * 10 + (step->name[i] - '0');
	}
	if (index > INT_MAX)
		return;
	step->is_index = true;
	step->index = (int32) (first ? -index : index);
}

bool
split_path(const JsonbValue *path, AttributePath *result)
{
	char	   *text = json_string(path);
	char	   *next = text;
	int			n = 1;

	for (const char *p = text; *p != '\0'; p++)
		n += *p == '.';
	result->nsteps = n;
	result->steps = palloc0(n * sizeof(PathStep));
	for (int i = 0; i < n; i++)
	{
		PathStep   *step = &result->steps[i];

		step->name = next;
		step->length = strcspn(next, ".");
		if (step->length == 0)
			return false;
		next += step->length;
		*next++ = '\0';
		parse_index(step);
	}
	return true;
}

/*
 * Where the first step names a root, the path goes on behind it.
 */
static bool
take_root(AttributePath *path, const RootName *roots)
{
	for (; roots->name != NULL; roots++)
	{
		if (strcmp(path->steps[0].name, roots->name) == 0)
		{
			path->root = roots->root;
			path->steps++;
			path->nsteps--;
			return true;
		}
	}
	return false;
}

static bool
is_user_column(const AttributePath *path)
{
	if (path->nsteps != 1)
		return false;
	for (int i = 0; i < lengthof(user_columns); i++)
	{
		if (strcmp(path->steps[0].name, user_columns[i]) == 0)
			return true;
	}
	return false;
}

static char *
user_path_hint(void)
{
	return psprintf("Start with profile, behavior or preferences and a dot, or name one of %s.",
					enumerate(user_columns, lengthof(user_columns)));
}

void
parse_attribute_path(Parser *parser)
{
	AttributePath *path = &parser->condition->path;
	bool		of_user = parser->condition->type == CONDITION_USER_ATTRIBUTE;
	const JsonbValue *text = require_string(parser, PARAMETER_PATH);

	if (text == NULL)
		return;
	if (!split_path(text, path))
	{
		parameter_fault(parser, PARAMETER_PATH,
						of_user ? "Write a path like profile.tier." :
						"Write a path like data.items.0.price.",
						"path %s has an empty part", json_excerpt(text));
		return;
	}

	if (take_root(path, of_user ? user_roots : action_roots))
	{
		if (path->nsteps == 0)
			parameter_fault(parser, PARAMETER_PATH,
							psprintf("Add a key to the path, as in %s.KEY.",
									 json_string(text)),
							"path %s names no attribute", json_excerpt(text));
	}
	else if (!of_user)
		path->root = ROOT_ACTION_ANY;
	else if (is_user_column(path))
		path->root = ROOT_USER_COLUMN;
	else
		parameter_fault(parser, PARAMETER_PATH, user_path_hint(),
						"path %s is no attribute of users", json_excerpt(text));
}

/*
 * purchase_behavior looks at behavior.<metric>.
 */
void
parse_metric(Parser *parser)
{
	static char total_purchases[] = "total_purchases";
	Condition  *condition = parser->condition;
	JsonbValue	text;

	if (parser->parameters[PARAMETER_METRIC].given)
	{
		const JsonbValue *given = require_string(parser, PARAMETER_METRIC);

		if (given == NULL)
			return;
		text = *given;
	}
	else
	{
		text.type = jbvString;
		text.val.string.val = total_purchases;
		text.val.string.len = strlen(total_purchases);
	}

	condition->path.root = ROOT_BEHAVIOR;
	if (!split_path(&text, &condition->path))
		parameter_fault(parser, PARAMETER_METRIC,
						"Name a key of the user's behavior, such as total_purchases.",
						"metric %s has an empty part", json_excerpt(&text));
	else
		condition->count_purchases = condition->path.nsteps == 1 &&
			strcmp(condition->path.steps[0].name, total_purchases) == 0;
}

/*
 * Minutes as microseconds
 */
static void
set_window(Parser *parser, Parameter parameter, const JsonbValue *minutes)
{
	static const int64 usecs_per_minute = USECS_PER_MINUTE;
	Numeric		most = int64_to_numeric(PG_INT64_MAX / usecs_per_minute);
	Datum		usecs;

	if (DatumGetBool(DirectFunctionCall2(numeric_gt,
										 NumericGetDatum(minutes->val.numeric),
										 NumericGetDatum(most))))
	{
		fault_add(parser->faults, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
				  parameter_path(parser, parameter), NULL,
				  "parameter \"%s\" is out of range", parameter_names[parameter]);
		return;
	}
	if (json_sign(minutes) > 0)
	{
		usecs = DirectFunctionCall2(numeric_mul,
									NumericGetDatum(minutes->val.numeric),
									NumericGetDatum(int64_to_numeric(usecs_per_minute)));
		parser->condition->window =
			DatumGetInt64(DirectFunctionCall1(numeric_int8, usecs));
	}
	if (parser->condition->window <= 0)
		parameter_fault(parser, parameter, "Give a number of minutes.",
						"parameter \"%s\" must be greater than 0",
						parameter_names[parameter]);
}

void
parse_window_minutes(Parser *parser, Parameter parameter)
{
	const JsonbValue *minutes = require_number(parser, parameter);

	if (minutes != NULL)
		set_window(parser, parameter, minutes);
}

/*
 * An interval as PostgreSQL reads it, but without errors: 0, or an error code
 * of datetime.h.  A month has 30 days.
 */
static int
read_interval(const char *text, int64 *usecs)
{
	char		buffer[MAXDATELEN + 1];
	char	   *fields[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			nfields;
	int			kind;
	struct pg_itm_in parts = {0};
	Interval	interval;
	int64		days;
	int			error;

	error = ParseDateTime(text, buffer, sizeof(buffer), fields, types,
						  MAXDATEFIELDS, &nfields);
	if (error == 0)
		error = DecodeInterval(fields, types, nfields, INTERVAL_FULL_RANGE,
							   &kind, &parts);
	if (error == DTERR_BAD_FORMAT)
		error = DecodeISO8601Interval(pstrdup(text), &kind, &parts);
	if (error != 0)
		return error;
	if (kind != DTK_DELTA)
		return DTERR_BAD_FORMAT;
	if (itmin2interval(&parts, &interval) != 0)
		return DTERR_FIELD_OVERFLOW;

	days = (int64) interval.month * DAYS_PER_MONTH + interval.day;
	if (pg_mul_s64_overflow(days, USECS_PER_DAY, usecs) ||
		pg_add_s64_overflow(*usecs, interval.time, usecs))
		return DTERR_FIELD_OVERFLOW;
	return 0;
}

static void
set_interval(Parser *parser, Parameter parameter, const JsonbValue *value)
{
	int			error = read_interval(json_string(value),
									  &parser->condition->window);
	const char *hint = "Give a number of minutes, or an interval such as \"7 days\".";

	if (error == DTERR_FIELD_OVERFLOW || error == DTERR_INTERVAL_OVERFLOW)
		fault_add(parser->faults, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
				  parameter_path(parser, parameter), NULL,
				  "interval %s is out of range", json_excerpt(value));
	else if (error != 0)
		parameter_fault(parser, parameter, hint, "%s is no interval",
						json_excerpt(value));
	else if (parser->condition->window <= 0)
		parameter_fault(parser, parameter, hint,
						"interval %s must be greater than 0", json_excerpt(value));
}

void
parse_within(Parser *parser, Parameter parameter)
{
	const JsonbValue *value = require_parameter(parser, parameter);

	if (value == NULL)
		return;
	if (value->type == jbvString)
		set_interval(parser, parameter, value);
	else if (value->type != jbvNumeric && parameter == PARAMETER_WITHIN)
		parameter_fault(parser, parameter,
						"Give a number of minutes, or an interval such as \"7 days\".",
						"parameter \"%s\" must be an interval, not %s",
						parameter_names[parameter], json_kind(value));
	else
		parse_window_minutes(parser, parameter);
}

/*
 * One of two parameters, which say the same in different ways
 */
static bool
require_one(Parser *parser, Parameter usual, Parameter other, Parameter *given)
{
	*given = parser->parameters[other].given ? other : usual;
	if (parser->parameters[usual].given && parser->parameters[other].given)
	{
		parameter_fault(parser, other, "Give one of them.",
						"parameters \"%s\" and \"%s\" exclude each other",
						parameter_names[usual], parameter_names[other]);
		return false;
	}
	return require_parameter(parser, *given) != NULL;
}

static void
parse_window(Parser *parser)
{
	Parameter	given;

	if (!require_one(parser, PARAMETER_VALUE, PARAMETER_WINDOW_MINUTES, &given))
		return;
	if (given == PARAMETER_VALUE)
		parse_within(parser, given);
	else
		parse_window_minutes(parser, given);
}

void
parse_range(Parser *parser)
{
	Condition  *condition = parser->condition;
	const JsonbValue *bound;

	if (!parser->parameters[PARAMETER_MIN].given &&
		!parser->parameters[PARAMETER_MAX].given)
	{
		parameter_fault(parser, PARAMETER_MIN, "Give min, max or both.",
						"parameters \"min\" and \"max\" are both missing");
		return;
	}
	if (parser->parameters[PARAMETER_MIN].given &&
		(bound = require_number(parser, PARAMETER_MIN)) != NULL)
		condition->min = json_copy_numeric(bound);
	if (parser->parameters[PARAMETER_MAX].given &&
		(bound = require_number(parser, PARAMETER_MAX)) != NULL)
		condition->max = json_copy_numeric(bound);
	if (condition->min != NULL && condition->max != NULL &&
		DatumGetBool(DirectFunctionCall2(numeric_gt,
										 NumericGetDatum(condition->min),
										 NumericGetDatum(condition->max))))
		parameter_fault(parser, PARAMETER_MAX, "No number is in such a range.",
						"parameter \"max\" is less than \"min\"");
}

/*
 * What a value must be, by operator; NULL where it is good
 */
static const char *
value_fault(ConditionOperator op, const JsonbValue *value)
{
	switch (op)
	{
		case OPERATOR_STARTS_WITH:
		case OPERATOR_ENDS_WITH:
			return value->type == jbvString && value->val.string.len > 0 ? NULL :
				"a string that is not empty";
		case OPERATOR_GREATER_THAN:
		case OPERATOR_AT_LEAST:
		case OPERATOR_LESS_THAN:
		case OPERATOR_AT_MOST:
			return value->type == jbvString || value->type == jbvNumeric ? NULL :
				"a string or a number";
		default:
			return value->type == jbvString || value->type == jbvNumeric ||
				value->type == jbvBool ? NULL : "a string, a number or a boolean";
	}
}

static void
copy_values(Parser *parser, Parameter parameter, const JsonbValue *values, int n)
{
	Condition  *condition = parser->condition;

	condition->nvalues = n;
	condition->values = palloc(n * sizeof(JsonbValue));
	for (int i = 0; i < n; i++)
	{
		const char *wanted = value_fault(condition->op, &values[i]);

		if (wanted != NULL)
		{
			parameter_fault(parser, parameter, NULL,
							values[i].type == jbvString ?
							"%s \"%s\" must be %s" : "%s \"%s\" must be %s, not %s",
							parameter == PARAMETER_VALUES ?
							"each value of parameter" : "parameter",
							parameter_names[parameter], wanted,
							json_kind(&values[i]));
			return;
		}
		condition->values[i] = json_copy_scalar(&values[i]);
	}
}

static void
parse_value(Parser *parser)
{
	const JsonbValue *value = require_parameter(parser, PARAMETER_VALUE);

	if (value != NULL)
		copy_values(parser, PARAMETER_VALUE, value, 1);
}

static void
parse_values(Parser *parser)
{
	const JsonbValue *value = require_parameter(parser, PARAMETER_VALUES);
	JsonbValue *elements;
	int			n;

	if (value == NULL)
		return;
	if (!json_is_array(value))
	{
		parameter_fault(parser, PARAMETER_VALUES, NULL,
						"parameter \"values\" must be an array, not %s",
						json_kind(value));
		return;
	}
	elements = parameter_elements(parser, PARAMETER_VALUES, "value", &n);
	if (elements != NULL)
		copy_values(parser, PARAMETER_VALUES, elements, n);
}

static void
parse_value_or_values(Parser *parser)
{
	Parameter	given;

	if (!require_one(parser, PARAMETER_VALUE, PARAMETER_VALUES, &given))
		return;
	if (given == PARAMETER_VALUE)
		parse_value(parser);
	else
		parse_values(parser);
}

void
parse_comparison(Parser *parser)
{
	switch (parser->condition->op)
	{
		case OPERATOR_EQUALS:
		case OPERATOR_NOT_EQUALS:
		case OPERATOR_GREATER_THAN:
		case OPERATOR_AT_LEAST:
		case OPERATOR_LESS_THAN:
		case OPERATOR_AT_MOST:
			parse_value(parser);
			break;
		case OPERATOR_CONTAINS:
		case OPERATOR_NOT_CONTAINS:
		case OPERATOR_STARTS_WITH:
		case OPERATOR_ENDS_WITH:
			parse_value_or_values(parser);
			break;
		case OPERATOR_IN_RANGE:
			parse_range(parser);
			break;
		case OPERATOR_IN:
		case OPERATOR_NOT_IN:
			parse_values(parser);
			break;
		case OPERATOR_EXISTS:
		case OPERATOR_NOT_EXISTS:
			break;
		case OPERATOR_WITHIN:
		case OPERATOR_AFTER:
			parse_window(parser);
			break;
		default:
			break;
	}
}
