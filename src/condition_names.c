/*-------------------------------------------------------------------------
 *
 * condition_names.c
 *	  Words of conditions: types, operators and parameters, and which of them
 *	  go together.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_parser.h"

#include "port/pg_bitutils.h"

static const char *const type_names[] = {
	[CONDITION_ACTION_TYPE] = "action_type",
	[CONDITION_PAGE_VISIT] = "page_visit",
	[CONDITION_PURCHASE_BEHAVIOR] = "purchase_behavior",
	[CONDITION_ENGAGEMENT_LEVEL] = "engagement_level",
	[CONDITION_TIME_WINDOW] = "time_window",
	[CONDITION_USER_ATTRIBUTE] = "user_attribute",
	[CONDITION_ACTION_ATTRIBUTE] = "action_attribute",
	[CONDITION_JSONPATH] = "jsonpath",
};

static const char *const operator_names[] = {
	[OPERATOR_EQUALS] = "equals",
	[OPERATOR_NOT_EQUALS] = "not_equals",
	[OPERATOR_CONTAINS] = "contains",
	[OPERATOR_NOT_CONTAINS] = "not_contains",
	[OPERATOR_STARTS_WITH] = "starts_with",
	[OPERATOR_ENDS_WITH] = "ends_with",
	[OPERATOR_GREATER_THAN] = "greater_than",
	[OPERATOR_AT_LEAST] = "at_least",
	[OPERATOR_LESS_THAN] = "less_than",
	[OPERATOR_AT_MOST] = "at_most",
	[OPERATOR_IN_RANGE] = "in_range",
	[OPERATOR_IN] = "in",
	[OPERATOR_NOT_IN] = "not_in",
	[OPERATOR_EXISTS] = "exists",
	[OPERATOR_NOT_EXISTS] = "not_exists",
	[OPERATOR_WITHIN] = "within",
	[OPERATOR_AFTER] = "after",
};

const char *const parameter_names[] = {
	[PARAMETER_TYPES] = "types",
	[PARAMETER_PAGES] = "pages",
	[PARAMETER_THRESHOLD] = "threshold",
	[PARAMETER_MIN] = "min",
	[PARAMETER_MAX] = "max",
	[PARAMETER_METRIC] = "metric",
	[PARAMETER_LEVEL] = "level",
	[PARAMETER_HIGH_DAYS] = "high_days",
	[PARAMETER_MEDIUM_DAYS] = "medium_days",
	[PARAMETER_WINDOW_MINUTES] = "window_minutes",
	[PARAMETER_PATH] = "path",
	[PARAMETER_VALUE] = "value",
	[PARAMETER_VALUES] = "values",
};

StaticAssertDecl(lengthof(type_names) == NUM_CONDITION_TYPES, "a type has no name");
StaticAssertDecl(lengthof(operator_names) == NUM_OPERATORS, "an operator has no name");
StaticAssertDecl(lengthof(parameter_names) == NUM_PARAMETERS, "a parameter has no name");

const char *
condition_type_name(ConditionType type)
{
	return type_names[type];
}

const char *
condition_operator_name(ConditionOperator op)
{
	return operator_names[op];
}

static int
look_up(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
	{
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

int
condition_type_lookup(const char *name)
{
	return look_up(type_names, NUM_CONDITION_TYPES, name);
}

int
condition_operator_lookup(const char *name)
{
	return look_up(operator_names, NUM_OPERATORS, name);
}

uint32
condition_operators(ConditionType type)
{
	switch (type)
	{
		case CONDITION_ACTION_TYPE:
		case CONDITION_PAGE_VISIT:
			return BIT(OPERATOR_EQUALS) | BIT(OPERATOR_CONTAINS);
		case CONDITION_PURCHASE_BEHAVIOR:
			return BIT(OPERATOR_GREATER_THAN) | BIT(OPERATOR_LESS_THAN) |
				BIT(OPERATOR_EQUALS) | BIT(OPERATOR_IN_RANGE);
		case CONDITION_ENGAGEMENT_LEVEL:
		case CONDITION_JSONPATH:
			return BIT(OPERATOR_EQUALS);
		case CONDITION_TIME_WINDOW:
			return BIT(OPERATOR_WITHIN) | BIT(OPERATOR_AFTER);
		case CONDITION_USER_ATTRIBUTE:
		case CONDITION_ACTION_ATTRIBUTE:
			return BIT(NUM_OPERATORS) - 1;
	}
	return 0;					/* keep compiler quiet */
}

ConditionOperator
condition_default_operator(ConditionType type)
{
	return type == CONDITION_TIME_WINDOW ? OPERATOR_WITHIN : OPERATOR_EQUALS;
}

static uint32
comparison_parameters(ConditionOperator op)
{
	switch (op)
	{
		case OPERATOR_CONTAINS:
		case OPERATOR_NOT_CONTAINS:
		case OPERATOR_STARTS_WITH:
		case OPERATOR_ENDS_WITH:
			return BIT(PARAMETER_VALUE) | BIT(PARAMETER_VALUES);
		case OPERATOR_IN:
		case OPERATOR_NOT_IN:
			return BIT(PARAMETER_VALUES);
		case OPERATOR_IN_RANGE:
			return BIT(PARAMETER_MIN) | BIT(PARAMETER_MAX);
		case OPERATOR_EXISTS:
		case OPERATOR_NOT_EXISTS:
			return 0;
		case OPERATOR_WITHIN:
		case OPERATOR_AFTER:
			return BIT(PARAMETER_VALUE) | BIT(PARAMETER_WINDOW_MINUTES);
		default:
			return BIT(PARAMETER_VALUE);
	}
}

uint32
condition_parameters(ConditionType type, ConditionOperator op)
{
	switch (type)
	{
		case CONDITION_ACTION_TYPE:
			return BIT(PARAMETER_TYPES);
		case CONDITION_PAGE_VISIT:
			return BIT(PARAMETER_PAGES);
		case CONDITION_PURCHASE_BEHAVIOR:
			return BIT(PARAMETER_METRIC) |
				(op == OPERATOR_IN_RANGE ? BIT(PARAMETER_MIN) | BIT(PARAMETER_MAX) :
				 BIT(PARAMETER_THRESHOLD));
		case CONDITION_ENGAGEMENT_LEVEL:
			return BIT(PARAMETER_LEVEL) | BIT(PARAMETER_HIGH_DAYS) |
				BIT(PARAMETER_MEDIUM_DAYS);
		case CONDITION_TIME_WINDOW:
			return BIT(PARAMETER_WINDOW_MINUTES);
		case CONDITION_USER_ATTRIBUTE:
		case CONDITION_ACTION_ATTRIBUTE:
			return BIT(PARAMETER_PATH) | comparison_parameters(op);
		case CONDITION_JSONPATH:
			return BIT(PARAMETER_PATH);
	}
	return 0;					/* keep compiler quiet */
}

/*
 * Whatever the operator
 */
uint32
condition_all_parameters(ConditionType type)
{
	uint32		operators = condition_operators(type);
	uint32		parameters = 0;

	for (int op = 0; op < NUM_OPERATORS; op++)
	{
		if (operators & BIT(op))
			parameters |= condition_parameters(type, op);
	}
	return parameters;
}

static char *
enumerate_set(const char *const *names, uint32 set)
{
	const char *members[32];
	int			n = 0;

	while (set != 0)
	{
		int			member = pg_rightmost_one_pos32(set);

		members[n++] = names[member];
		set &= set - 1;
	}
	return enumerate(members, n);
}

char *
enumerate_types(void)
{
	return enumerate(type_names, NUM_CONDITION_TYPES);
}

char *
enumerate_operators(uint32 operators)
{
	return enumerate_set(operator_names, operators);
}

char *
enumerate_parameters(uint32 parameters)
{
	return enumerate_set(parameter_names, parameters);
}
