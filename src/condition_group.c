/*-------------------------------------------------------------------------
 *
 * condition_group.c
 *	  Conditions as JSON documents, and conditions within conditions.
 *
 * A group is written {"all": [...]}, {"any": [...]} or {"not": …}; as a row of
 * nudge.conditions its type is all, any or not, and its members are its parameter
 * "conditions".  It is one condition with one weight: its members have none.
 *
 * Recursion goes no deeper than documents may be nested (MAX_NESTING), which is
 * looked at before anything is parsed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_parser.h"

#include "action.h"
#include "document.h"
#include "miscadmin.h"
#include "rule_checks.h"
#include "utils/builtins.h"

enum
{
	KEY_TYPE,
	KEY_PARAMETERS,
	KEY_OPERATOR,
	KEY_WEIGHT,
	KEY_ALL,
	KEY_ANY,
	KEY_NOT,
	NUM_KEYS
};

static const char *const key_names[] = {
	[KEY_TYPE] = "type",
	[KEY_PARAMETERS] = "parameters",
	[KEY_OPERATOR] = "operator",
	[KEY_WEIGHT] = "weight",
	[KEY_ALL] = "all",
	[KEY_ANY] = "any",
	[KEY_NOT] = "not",
};

#define refuse(faults, path, hint, ...) \
	fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, hint, __VA_ARGS__)

static const char *
keys_hint(void)
{
	return psprintf("Keys of a condition are %s; a group has all, any or not, and weight.",
					enumerate(key_names, KEY_ALL));
}

static bool
is_stated(const JsonField *field)
{
	return field->given && field->value.type != jbvNull;
}

/*
 * A string that may be missing
 */
static char *
read_word(FaultList *faults, const char *path, const JsonField *field)
{
	if (!is_stated(field))
		return NULL;
	if (field->value.type == jbvString)
		return json_string(&field->value);
	refuse(faults, path, NULL, "%s must be a string, not %s", path,
		   json_kind(&field->value));
	return NULL;
}

/*
 * Weights are 1 where nothing is said.
 */
static double
read_weight(FaultList *faults, const char *path, const JsonField *field,
			bool weighted)
{
	if (!is_stated(field))
		return 1.0;
	if (!weighted)
		refuse(faults, path, "A group and a segment are scored as a whole.",
			   "a condition within a group or a segment has no weight");
	else if (field->value.type == jbvNumeric)
		return json_double(&field->value);
	else
		refuse(faults, path, NULL, "%s must be a number, not %s", path,
			   json_kind(&field->value));
	return 1.0;
}

/*
 * {"conditions": …}, the parameters of a group
 */
static Jsonb *
group_parameters(JsonbValue *members)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_key(&state, parameter_names[PARAMETER_CONDITIONS]);
	pushJsonbValue(&state, WJB_VALUE, members);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static bool
read_group(WrittenCondition *written, JsonField *fields, int group,
		   FaultList *faults, const char *path)
{
	for (int key = 0; key < NUM_KEYS; key++)
	{
		if (key == group || key == KEY_WEIGHT || !fields[key].given)
			continue;
		refuse(faults, psprintf("%s.%s", path, key_names[key]), keys_hint(),
			   "key \"%s\" does not go with \"%s\"", key_names[key],
			   key_names[group]);
		return false;
	}
	written->type = pstrdup(key_names[group]);
	written->parameters = group_parameters(&fields[group].value);
	return true;
}

bool
condition_read(WrittenCondition *written, const JsonbValue *value,
			   bool weighted, FaultList *faults, const char *path)
{
	JsonField	fields[NUM_KEYS];
	List	   *unknown;
	ListCell   *cell;
	int			nfaults = list_length(faults->faults);

	memset(written, 0, sizeof(WrittenCondition));
	if (!json_is_object(value))
	{
		refuse(faults, path, keys_hint(), "%s must be an object, not %s", path,
			   json_kind(value));
		return false;
	}
	unknown = json_read_object(value->val.binary.data, key_names, NUM_KEYS,
							   fields);
	foreach(cell, unknown)
		refuse(faults, psprintf("%s.%s", path, (char *) lfirst(cell)),
			   keys_hint(), "unknown key \"%s\"", (char *) lfirst(cell));
	written->weight = read_weight(faults, psprintf("%s.weight", path),
								  &fields[KEY_WEIGHT], weighted);
	for (int key = KEY_ALL; key <= KEY_NOT; key++)
	{
		if (fields[key].given)
			return read_group(written, fields, key, faults, path);
	}

	written->type = read_word(faults, psprintf("%s.type", path),
							  &fields[KEY_TYPE]);
	written->operator = read_word(faults, psprintf("%s.operator", path),
								  &fields[KEY_OPERATOR]);
	written->parameters = fields[KEY_PARAMETERS].given ?
		JsonbValueToJsonb(&fields[KEY_PARAMETERS].value) : jsonb_empty_object();
	if (written->type == NULL && list_length(faults->faults) == nfaults)
		refuse(faults, psprintf("%s.type", path), "Every condition has a type.",
			   "type is missing");
	return written->type != NULL;
}

/*
 * Parses the elements of an array; NULL after a fault.
 */
static Condition *
parse_elements(const JsonbValue *elements, int n, bool catch_errors,
			   FaultList *faults, const char *path)
{
	Condition  *conditions = palloc0(Max(n, 1) * sizeof(Condition));
	int			nfaults = list_length(faults->faults);

	check_stack_depth();
	for (int i = 0; i < n; i++)
	{
		char	   *at = psprintf("%s[%d]", path, i);
		WrittenCondition written;

		CHECK_FOR_INTERRUPTS();
		if (condition_read(&written, &elements[i], false, faults, at))
			(catch_errors ? condition_check : condition_parse)
				(&conditions[i], written.type, written.operator,
				 written.parameters, 1.0, faults, at);
		pfree(at);
	}
	return list_length(faults->faults) == nfaults ? conditions : NULL;
}

static Condition *
parse_array(const Jsonb *array, bool catch_errors, FaultList *faults,
			const char *path, int *n)
{
	JsonbValue	value;
	JsonbValue *elements;

	*n = 0;
	value.type = jbvBinary;
	value.val.binary.data = (JsonbContainer *) &array->root;
	value.val.binary.len = VARSIZE_ANY_EXHDR(array);
	if (!json_is_array(&value))
	{
		refuse(faults, path, "Write it like [{\"type\": \"user_attribute\", \"parameters\": {...}}].",
			   "%s must be an array of objects", path);
		return NULL;
	}
	if (jsonb_depth((Jsonb *) array, MAX_NESTING) > MAX_NESTING)
	{
		fault_add(faults, ERRCODE_STATEMENT_TOO_COMPLEX, path,
				  psprintf("No more than %d levels are allowed.", MAX_NESTING),
				  "%s is nested too deeply", path);
		return NULL;
	}
	elements = json_elements(&value, n);
	return parse_elements(elements, *n, catch_errors, faults, path);
}

Condition *
conditions_parse_array(const Jsonb *array, FaultList *faults, const char *path,
					   int *n)
{
	return parse_array(array, false, faults, path, n);
}

Condition *
conditions_check_array(const Jsonb *array, FaultList *faults, const char *path,
					   int *n)
{
	return parse_array(array, true, faults, path, n);
}

void
parse_group(Parser *parser)
{
	Condition  *condition = parser->condition;
	const JsonbValue *members = require_parameter(parser, PARAMETER_CONDITIONS);
	const char *path = parameter_path(parser, PARAMETER_CONDITIONS);
	bool		negates = condition->type == CONDITION_NOT;
	JsonbValue *elements;
	int			n;

	if (members == NULL)
		return;
	if (!json_is_array(members) && !(negates && json_is_object(members)))
	{
		refuse(parser->faults, path, NULL, "%s takes %s, not %s",
			   condition_type_name(condition->type),
			   negates ? "a condition" : "an array of conditions",
			   json_kind(members));
		return;
	}
	elements = parameter_elements(parser, PARAMETER_CONDITIONS, "condition", &n);
	if (elements == NULL)
		return;
	if (negates && n != 1)
	{
		refuse(parser->faults, path, "Put several into a group: {\"not\": {\"any\": [...]}}.",
			   "not takes one condition");
		return;
	}
	condition->members = parse_elements(elements, n, parser->catch_errors,
										parser->faults, path);
	condition->nmembers = condition->members == NULL ? 0 : n;
}

static ConditionCost
cost_of(const Condition *condition)
{
	ConditionCost most = COST_ACTION;

	switch (condition->type)
	{
		case CONDITION_ACTION_TYPE:
		case CONDITION_PAGE_VISIT:
		case CONDITION_TIME_WINDOW:
		case CONDITION_ACTION_ATTRIBUTE:
		case CONDITION_ATTRIBUTE_CHANGE:
			return COST_ACTION;
		case CONDITION_USER_ATTRIBUTE:
		case CONDITION_LOCATION:
		case CONDITION_LOCAL_TIME:
		case CONDITION_LIFECYCLE_STAGE:
			return COST_USER;
		case CONDITION_PURCHASE_BEHAVIOR:
		case CONDITION_ENGAGEMENT_LEVEL:
		case CONDITION_MESSAGE_ENGAGEMENT:
			return COST_HISTORY;
		case CONDITION_ACTION_COUNT:
			return condition->count->where == NULL ? COST_HISTORY : COST_DOCUMENT;
		case CONDITION_JSONPATH:
		case CONDITION_SEGMENT:
			return COST_DOCUMENT;
		case CONDITION_ALL:
		case CONDITION_ANY:
		case CONDITION_NOT:
			for (int i = 0; i < condition->nmembers; i++)
				most = Max(most, condition->members[i].cost);
			return most;
	}
	return COST_DOCUMENT;		/* keep compiler quiet */
}

static bool
asks_action(const Condition *condition)
{
	switch (condition->type)
	{
		case CONDITION_ACTION_TYPE:
		case CONDITION_PAGE_VISIT:
		case CONDITION_TIME_WINDOW:
		case CONDITION_ACTION_ATTRIBUTE:
		case CONDITION_ATTRIBUTE_CHANGE:
			return true;
		case CONDITION_JSONPATH:
			return !jsonpath_reads_user_only(condition->jsonpath);
		default:
			for (int i = 0; i < condition->nmembers; i++)
			{
				if (condition->members[i].needs_action)
					return true;
			}
			return false;
	}
}

void
condition_classify(Condition *condition)
{
	condition->cost = cost_of(condition);
	condition->needs_action = asks_action(condition);
}

bool
condition_needs_action(const Condition *condition)
{
	return condition->needs_action;
}

List *
condition_segments(const Condition *condition, List *names)
{
	if (condition->type == CONDITION_SEGMENT)
		names = lappend(names, condition->patterns[0].data);
	for (int i = 0; i < condition->nmembers; i++)
		names = condition_segments(&condition->members[i], names);
	return names;
}

List *
condition_stages(const Condition *condition, List *names)
{
	if (condition->type == CONDITION_LIFECYCLE_STAGE)
	{
		for (int i = 0; i < condition->npatterns; i++)
			names = lappend(names, condition->patterns[i].data);
	}
	for (int i = 0; i < condition->nmembers; i++)
		names = condition_stages(&condition->members[i], names);
	return names;
}

List *
condition_rules(const Condition *condition, List *names)
{
	if (condition->type == CONDITION_MESSAGE_ENGAGEMENT)
		names = lappend(names, condition->rule_id == 0 ?
						condition->patterns[0].data :
						psprintf("#" INT64_FORMAT, condition->rule_id));
	for (int i = 0; i < condition->nmembers; i++)
		names = condition_rules(&condition->members[i], names);
	return names;
}
