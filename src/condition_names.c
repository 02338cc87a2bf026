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
	[CONDITION_ACTION_COUNT] = "action_count",
	[CONDITION_SEGMENT] = "segment",
	[CONDITION_ATTRIBUTE_CHANGE] = "attribute_change",
	[CONDITION_LOCATION] = "location",
	[CONDITION_LOCAL_TIME] = "local_time",
	[CONDITION_MESSAGE_ENGAGEMENT] = "message_engagement",
	[CONDITION_LIFECYCLE_STAGE] = "lifecycle_stage",
	[CONDITION_ALL] = "all",
	[CONDITION_ANY] = "any",
	[CONDITION_NOT] = "not",
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
	[OPERATOR_DID] = "did",
	[OPERATOR_DID_NOT] = "did_not",
	[OPERATOR_CHANGED] = "changed",
	[OPERATOR_CHANGED_TO] = "changed_to",
	[OPERATOR_CHANGED_FROM] = "changed_from",
	[OPERATOR_INCREASED] = "increased",
	[OPERATOR_DECREASED] = "decreased",
	[OPERATOR_OPENED] = "opened",
	[OPERATOR_CLICKED] = "clicked",
	[OPERATOR_IGNORED] = "ignored",
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
	[PARAMETER_ACTION_TYPE] = "action_type",
	[PARAMETER_WITHIN] = "within",
	[PARAMETER_COUNT] = "count",
	[PARAMETER_WHERE] = "where",
	[PARAMETER_SEGMENT] = "segment",
	[PARAMETER_ATTRIBUTE] = "attribute",
	[PARAMETER_FROM] = "from",
	[PARAMETER_TO] = "to",
	[PARAMETER_MIN_CHANGE] = "min_change",
	[PARAMETER_LAT] = "lat",
	[PARAMETER_LON] = "lon",
	[PARAMETER_RADIUS_KM] = "radius_km",
	[PARAMETER_COUNTRIES] = "countries",
	[PARAMETER_REGIONS] = "regions",
	[PARAMETER_DAYS] = "days",
	[PARAMETER_RULE] = "rule",
	[PARAMETER_RULE_ID] = "rule_id",
	[PARAMETER_STAGE] = "stage",
	[PARAMETER_STAGES] = "stages",
	[PARAMETER_CONDITIONS] = "conditions",
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

uint64
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
		case CONDITION_ALL:
		case CONDITION_ANY:
		case CONDITION_NOT:
			return BIT(OPERATOR_EQUALS);
		case CONDITION_TIME_WINDOW:
			return BIT(OPERATOR_WITHIN) | BIT(OPERATOR_AFTER);
		case CONDITION_USER_ATTRIBUTE:
		case CONDITION_ACTION_ATTRIBUTE:
			return BIT(NUM_COMPARISONS) - 1;
		case CONDITION_ACTION_COUNT:
			return BIT(OPERATOR_DID) | BIT(OPERATOR_DID_NOT) |
				BIT(OPERATOR_EXISTS) | BIT(OPERATOR_NOT_EXISTS) |
				BIT(OPERATOR_EQUALS) | BIT(OPERATOR_NOT_EQUALS) |
				BIT(OPERATOR_GREATER_THAN) | BIT(OPERATOR_AT_LEAST) |
				BIT(OPERATOR_LESS_THAN) | BIT(OPERATOR_AT_MOST) |
				BIT(OPERATOR_IN_RANGE);
		case CONDITION_SEGMENT:
			return BIT(OPERATOR_EQUALS) | BIT(OPERATOR_NOT_EQUALS);
		case CONDITION_ATTRIBUTE_CHANGE:
			return BIT(OPERATOR_CHANGED) | BIT(OPERATOR_CHANGED_TO) |
				BIT(OPERATOR_CHANGED_FROM) | BIT(OPERATOR_INCREASED) |
				BIT(OPERATOR_DECREASED);
		case CONDITION_LOCATION:
		case CONDITION_LOCAL_TIME:
			return BIT(OPERATOR_WITHIN) | BIT(OPERATOR_NOT_IN);
		case CONDITION_MESSAGE_ENGAGEMENT:
			return BIT(OPERATOR_OPENED) | BIT(OPERATOR_CLICKED) |
				BIT(OPERATOR_IGNORED);
		case CONDITION_LIFECYCLE_STAGE:
			return BIT(OPERATOR_EQUALS) | BIT(OPERATOR_NOT_EQUALS) |
				BIT(OPERATOR_IN) | BIT(OPERATOR_NOT_IN);
	}
	return 0;					/* keep compiler quiet */
}

ConditionOperator
condition_default_operator(ConditionType type)
{
	switch (type)
	{
		case CONDITION_TIME_WINDOW:
		case CONDITION_LOCATION:
		case CONDITION_LOCAL_TIME:
			return OPERATOR_WITHIN;
		case CONDITION_ACTION_COUNT:
			return OPERATOR_DID;
		case CONDITION_ATTRIBUTE_CHANGE:
			return OPERATOR_CHANGED;
		case CONDITION_MESSAGE_ENGAGEMENT:
			return OPERATOR_OPENED;
		default:
			return OPERATOR_EQUALS;
	}
}

/* Operators of action_count, by what they compare the count with */
static uint64
count_parameters(ConditionOperator op)
{
	switch (op)
	{
		case OPERATOR_EXISTS:
		case OPERATOR_NOT_EXISTS:
			return 0;
		case OPERATOR_DID:
		case OPERATOR_DID_NOT:
		case OPERATOR_IN_RANGE:
			return BIT(PARAMETER_COUNT) | BIT(PARAMETER_MIN) | BIT(PARAMETER_MAX);
		case OPERATOR_AT_LEAST:
			return BIT(PARAMETER_COUNT) | BIT(PARAMETER_MIN);
		case OPERATOR_AT_MOST:
			return BIT(PARAMETER_COUNT) | BIT(PARAMETER_MAX);
		default:
			return BIT(PARAMETER_COUNT);
	}
}

static uint64
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

uint64
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
		case CONDITION_ACTION_COUNT:
			return BIT(PARAMETER_ACTION_TYPE) | BIT(PARAMETER_WITHIN) |
				BIT(PARAMETER_WHERE) | count_parameters(op);
		case CONDITION_SEGMENT:
			return BIT(PARAMETER_SEGMENT) | BIT(PARAMETER_VALUE);
		case CONDITION_ATTRIBUTE_CHANGE:
			return BIT(PARAMETER_ATTRIBUTE) | BIT(PARAMETER_FROM) |
				BIT(PARAMETER_TO) | BIT(PARAMETER_MIN_CHANGE);
		case CONDITION_LOCATION:
			return BIT(PARAMETER_LAT) | BIT(PARAMETER_LON) |
				BIT(PARAMETER_RADIUS_KM) | BIT(PARAMETER_COUNTRIES) |
				BIT(PARAMETER_REGIONS);
		case CONDITION_LOCAL_TIME:
			return BIT(PARAMETER_FROM) | BIT(PARAMETER_TO) | BIT(PARAMETER_DAYS);
		case CONDITION_MESSAGE_ENGAGEMENT:
			return BIT(PARAMETER_RULE) | BIT(PARAMETER_RULE_ID) |
				BIT(PARAMETER_WITHIN);
		case CONDITION_LIFECYCLE_STAGE:
			return BIT(PARAMETER_STAGE) | BIT(PARAMETER_STAGES);
		case CONDITION_ALL:
		case CONDITION_ANY:
		case CONDITION_NOT:
			return BIT(PARAMETER_CONDITIONS);
	}
	return 0;					/* keep compiler quiet */
}

/*
 * Whatever the operator
 */
uint64
condition_all_parameters(ConditionType type)
{
	uint64		operators = condition_operators(type);
	uint64		parameters = 0;

	for (int op = 0; op < NUM_OPERATORS; op++)
	{
		if (operators & BIT(op))
			parameters |= condition_parameters(type, op);
	}
	return parameters;
}

static char *
enumerate_set(const char *const *names, uint64 set)
{
	const char *members[64];
	int			n = 0;

	while (set != 0)
	{
		int			member = pg_rightmost_one_pos64(set);

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
enumerate_operators(uint64 operators)
{
	return enumerate_set(operator_names, operators);
}

char *
enumerate_parameters(uint64 parameters)
{
	return enumerate_set(parameter_names, parameters);
}
