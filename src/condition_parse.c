/*-------------------------------------------------------------------------
 *
 * condition_parse.c
 *	  Checks conditions that people wrote, and brings them into the form that
 *	  condition_score.c tests.
 *
 * Parsing looks up no catalogs and runs no queries: a load of the rules cache
 * parses every condition there is.  The result lives in the current memory
 * context and points to nothing of the row that it was made from.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_parser.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"

/* No sensible rule weighs a condition more. */
#define MAX_WEIGHT 1e6

char *
fault_path(const Parser *parser, const char *field)
{
	return psprintf("%s%s%s", parser->path, parser->path[0] == '\0' ? "" : ".",
					field);
}

char *
parameter_path(const Parser *parser, Parameter parameter)
{
	return fault_path(parser,
					  psprintf("parameters.%s", parameter_names[parameter]));
}

static bool
is_single(uint64 set)
{
	return (set & (set - 1)) == 0;
}

static uint64
allowed_parameters(const Parser *parser)
{
	const Condition *condition = parser->condition;

	return parser->op_known ?
		condition_parameters(condition->type, condition->op) :
		condition_all_parameters(condition->type);
}

/*
 * What the parameters depend on, for messages
 */
static const char *
allowed_by(const Parser *parser)
{
	const Condition *condition = parser->condition;
	const char *type = condition_type_name(condition->type);

	if (parser->op_known && condition_parameters(condition->type, condition->op) !=
		condition_all_parameters(condition->type))
		return psprintf("operator %s of %s",
						condition_operator_name(condition->op), type);
	return type;
}

static const char *
parameters_hint(const Parser *parser)
{
	uint64		allowed = allowed_parameters(parser);

	return psprintf("%s of %s %s %s.",
					is_single(allowed) ? "The parameter" : "Parameters",
					allowed_by(parser),
					is_single(allowed) ? "is" : "are",
					enumerate_parameters(allowed));
}

const JsonbValue *
require_parameter(Parser *parser, Parameter parameter)
{
	if (parser->parameters[parameter].given)
		return &parser->parameters[parameter].value;
	parameter_fault(parser, parameter, parameters_hint(parser),
					"parameter \"%s\" is missing", parameter_names[parameter]);
	return NULL;
}

static const JsonbValue *
require_kind(Parser *parser, Parameter parameter, enum jbvType type,
			 const char *kind)
{
	const JsonbValue *value = require_parameter(parser, parameter);

	if (value == NULL || value->type == type)
		return value;
	parameter_fault(parser, parameter, NULL,
					"parameter \"%s\" must be a %s, not %s",
					parameter_names[parameter], kind, json_kind(value));
	return NULL;
}

const JsonbValue *
require_string(Parser *parser, Parameter parameter)
{
	return require_kind(parser, parameter, jbvString, "string");
}

const JsonbValue *
require_number(Parser *parser, Parameter parameter)
{
	return require_kind(parser, parameter, jbvNumeric, "number");
}

JsonbValue *
parameter_elements(Parser *parser, Parameter parameter, const char *wanted,
				   int *n)
{
	const JsonbValue *value = require_parameter(parser, parameter);
	JsonbValue *elements;

	if (value == NULL)
		return NULL;
	if (!json_is_array(value))
	{
		elements = palloc(sizeof(JsonbValue));
		elements[0] = *value;
		*n = 1;
		return elements;
	}
	elements = json_elements(value, n);
	if (*n > 0)
		return elements;
	parameter_fault(parser, parameter, psprintf("Give at least one %s.", wanted),
					"parameter \"%s\" is an empty array",
					parameter_names[parameter]);
	return NULL;
}

/*
 * Strings to find in the action: types or pages
 */
void
parse_patterns(Parser *parser, Parameter parameter)
{
	Condition  *condition = parser->condition;
	int			n;
	JsonbValue *elements = parameter_elements(parser, parameter, "string", &n);

	if (elements == NULL)
		return;
	condition->npatterns = n;
	condition->patterns = palloc(n * sizeof(Bytes));
	for (int i = 0; i < n; i++)
	{
		if (elements[i].type != jbvString || elements[i].val.string.len == 0)
		{
			parameter_fault(parser, parameter,
							"Give a string or an array of strings, none of them empty.",
							elements[i].type == jbvString ?
							"parameter \"%s\" has an empty string" :
							"parameter \"%s\" must be a string or an array of strings, but has %s",
							parameter_names[parameter], json_kind(&elements[i]));
			return;
		}
		condition->patterns[i].data = json_string(&elements[i]);
		condition->patterns[i].length = elements[i].val.string.len;
	}
	pfree(elements);
}

static void
parse_purchase_behavior(Parser *parser)
{
	Condition  *condition = parser->condition;
	const JsonbValue *threshold;

	parse_metric(parser);
	if (!parser->op_known)
		return;
	if (condition->op == OPERATOR_IN_RANGE)
	{
		parse_range(parser);
		return;
	}
	threshold = require_number(parser, PARAMETER_THRESHOLD);
	if (threshold != NULL)
	{
		condition->nvalues = 1;
		condition->values = palloc(sizeof(JsonbValue));
		condition->values[0] = json_copy_scalar(threshold);
	}
}

/*
 * A number of days, which is optional
 */
static double
parse_days(Parser *parser, Parameter parameter, double otherwise)
{
	const JsonbValue *value;
	double		days;

	if (!parser->parameters[parameter].given)
		return otherwise;
	value = require_number(parser, parameter);
	if (value == NULL)
		return otherwise;
	days = json_double(value);
	if (json_sign(value) < 0)
		parameter_fault(parser, parameter, "Give a number of days, 0 or more.",
						"parameter \"%s\" must not be negative",
						parameter_names[parameter]);
	else if (isinf(days))
		fault_add(parser->faults, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
				  parameter_path(parser, parameter), NULL,
				  "parameter \"%s\" is out of range", parameter_names[parameter]);
	else
		return days;
	return otherwise;
}

static void
parse_engagement_level(Parser *parser)
{
	static const char *const levels[] = {
		[ENGAGEMENT_LOW] = "low",
		[ENGAGEMENT_MEDIUM] = "medium",
		[ENGAGEMENT_HIGH] = "high",
	};
	Condition  *condition = parser->condition;
	const JsonbValue *level = require_string(parser, PARAMETER_LEVEL);
	bool		found = false;

	for (int i = 0; level != NULL && i < lengthof(levels); i++)
	{
		if (strlen(levels[i]) == level->val.string.len &&
			memcmp(levels[i], level->val.string.val, level->val.string.len) == 0)
		{
			condition->level = i;
			found = true;
		}
	}
	if (level != NULL && !found)
		parameter_fault(parser, PARAMETER_LEVEL,
						psprintf("Levels are %s.", enumerate(levels, lengthof(levels))),
						"unknown engagement level %s", json_excerpt(level));

	condition->high_days = parse_days(parser, PARAMETER_HIGH_DAYS, 1.0);
	condition->medium_days = parse_days(parser, PARAMETER_MEDIUM_DAYS, 7.0);
	if (condition->high_days > condition->medium_days)
		parameter_fault(parser, PARAMETER_MEDIUM_DAYS,
						"Without a value, high_days is 1 and medium_days is 7.",
						"parameter \"medium_days\" is less than \"high_days\"");
}

static void
parse_by_type(Parser *parser)
{
	switch (parser->condition->type)
	{
		case CONDITION_ACTION_TYPE:
			parse_patterns(parser, PARAMETER_TYPES);
			break;
		case CONDITION_PAGE_VISIT:
			parse_patterns(parser, PARAMETER_PAGES);
			break;
		case CONDITION_PURCHASE_BEHAVIOR:
			parse_purchase_behavior(parser);
			break;
		case CONDITION_ENGAGEMENT_LEVEL:
			parse_engagement_level(parser);
			break;
		case CONDITION_TIME_WINDOW:
			parse_window_minutes(parser, PARAMETER_WINDOW_MINUTES);
			break;
		case CONDITION_USER_ATTRIBUTE:
		case CONDITION_ACTION_ATTRIBUTE:
			parse_attribute_path(parser);
			if (parser->op_known)
				parse_comparison(parser);
			break;
		case CONDITION_JSONPATH:
			parse_jsonpath(parser);
			break;
		case CONDITION_ACTION_COUNT:
			parse_action_count(parser);
			break;
		case CONDITION_SEGMENT:
			parse_segment(parser);
			break;
		case CONDITION_ATTRIBUTE_CHANGE:
			parse_attribute_change(parser);
			break;
		case CONDITION_LOCATION:
			parse_location(parser);
			break;
		case CONDITION_LOCAL_TIME:
			parse_local_time(parser);
			break;
		case CONDITION_MESSAGE_ENGAGEMENT:
			parse_message_engagement(parser);
			break;
		case CONDITION_LIFECYCLE_STAGE:
			parse_lifecycle_stage(parser);
			break;
		case CONDITION_ALL:
		case CONDITION_ANY:
		case CONDITION_NOT:
			parse_group(parser);
			break;
	}
}

static bool
parse_type(Parser *parser, const char *type)
{
	int			found = condition_type_lookup(type);

	if (found >= 0)
		parser->condition->type = found;
	else
		fault_add(parser->faults, ERRCODE_INVALID_PARAMETER_VALUE,
				  fault_path(parser, "type"),
				  psprintf("Condition types are %s.", enumerate_types()),
				  "unknown condition type \"%s\"", type);
	return found >= 0;
}

static void
parse_operator(Parser *parser, const char *operator)
{
	ConditionType type = parser->condition->type;
	int			op = operator == NULL ? condition_default_operator(type) :
	condition_operator_lookup(operator);

	if (op >= 0 && (condition_operators(type) & BIT(op)) != 0)
	{
		parser->condition->op = op;
		parser->op_known = true;
		return;
	}
	fault_add(parser->faults, ERRCODE_INVALID_PARAMETER_VALUE,
			  fault_path(parser, "operator"),
			  psprintf("%s of %s %s %s.",
					   is_single(condition_operators(type)) ? "The operator" : "Operators",
					   condition_type_name(type),
					   is_single(condition_operators(type)) ? "is" : "are",
					   enumerate_operators(condition_operators(type))),
			  op < 0 ? "unknown operator \"%s\"" :
			  "operator \"%s\" does not go with condition type \"%s\"",
			  operator, condition_type_name(type));
}

static void
check_weight(Parser *parser, double weight)
{
	parser->condition->weight = weight;
	if (!isnan(weight) && weight >= 0 && weight <= MAX_WEIGHT)
		return;
	fault_add(parser->faults, ERRCODE_INVALID_PARAMETER_VALUE,
			  fault_path(parser, "weight"),
			  "Give a number from 0 to 1000000; 1 is usual.",
			  "weight %s", isnan(weight) ? "is not a number" :
			  weight < 0 ? "must not be negative" : "is too large");
}

/*
 * A parameter that is known, but not for this type or operator
 */
static void
misplaced_parameter(Parser *parser, const char *name, Parameter parameter)
{
	Condition  *condition = parser->condition;
	const char *hint = parameters_hint(parser);

	if (parser->op_known && parameter == PARAMETER_VALUES &&
		(condition->op == OPERATOR_EQUALS || condition->op == OPERATOR_NOT_EQUALS))
		hint = psprintf("Compare with several values by operator %s.",
						condition->op == OPERATOR_EQUALS ? "in" : "not_in");
	fault_add(parser->faults, ERRCODE_INVALID_PARAMETER_VALUE,
			  fault_path(parser, psprintf("parameters.%s", name)), hint,
			  (int) parameter < 0 ? "unknown parameter \"%s\"" :
			  "parameter \"%s\" does not go with %s", name, allowed_by(parser));
}

static bool
read_parameters(Parser *parser, const Jsonb *parameters)
{
	uint64		allowed = allowed_parameters(parser);
	List	   *unknown;
	ListCell   *cell;

	if (parameters == NULL)
		return true;
	if (!JB_ROOT_IS_OBJECT(parameters))
	{
		fault_add(parser->faults, ERRCODE_INVALID_PARAMETER_VALUE,
				  fault_path(parser, "parameters"),
				  parameters_hint(parser), "parameters must be an object");
		return false;
	}

	unknown = json_read_object((JsonbContainer *) &parameters->root,
							   parameter_names, NUM_PARAMETERS,
							   parser->parameters);
	foreach(cell, unknown)
		misplaced_parameter(parser, lfirst(cell), -1);
	for (int i = 0; i < NUM_PARAMETERS; i++)
	{
		if (parser->parameters[i].given && (allowed & BIT(i)) == 0)
			misplaced_parameter(parser, parameter_names[i], i);
	}
	return true;
}

static bool
parse(Condition *condition, const char *type, const char *operator,
	  const Jsonb *parameters, double weight, FaultList *faults,
	  const char *path, bool catch_errors)
{
	Parser		parser = {condition, faults, path, false, catch_errors};
	int			nfaults = list_length(faults->faults);

	memset(condition, 0, sizeof(Condition));
	if (parse_type(&parser, type))
	{
		parse_operator(&parser, operator);
		if (read_parameters(&parser, parameters))
			parse_by_type(&parser);
	}
	check_weight(&parser, weight);
	if (list_length(faults->faults) != nfaults)
		return false;
	condition_classify(condition);
	return true;
}

bool
condition_parse(Condition *condition, const char *type, const char *operator,
				const Jsonb *parameters, double weight, FaultList *faults,
				const char *path)
{
	return parse(condition, type, operator, parameters, weight, faults, path,
				 false);
}

bool
condition_check(Condition *condition, const char *type, const char *operator,
				const Jsonb *parameters, double weight, FaultList *faults,
				const char *path)
{
	return parse(condition, type, operator, parameters, weight, faults, path,
				 true);
}
