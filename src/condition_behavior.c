/*-------------------------------------------------------------------------
 *
 * condition_behavior.c
 *	  Parses conditions on what users do, where and when they are, and what they
 *	  make of messages.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_parser.h"

#include <math.h>

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "rule_checks.h"
#include "send_window.h"
#include "utils/builtins.h"

/* No count in a condition is larger. */
#define MAX_COUNT INT64CONST(1000000000)

/* Half of the way around the earth, rounded up: all that is on it is nearer. */
#define MAX_RADIUS_KM 20100.0

#define is_given(parser, parameter) ((parser)->parameters[parameter].given)

/*
 * Strings of a parameter, which may be a single one; none after a fault
 */
static Bytes *
take_strings(Parser *parser, Parameter parameter, int *n)
{
	Condition  *condition = parser->condition;
	int			nfaults = list_length(parser->faults->faults);
	Bytes	   *strings;

	parse_patterns(parser, parameter);
	strings = condition->patterns;
	*n = list_length(parser->faults->faults) == nfaults ? condition->npatterns : 0;
	condition->patterns = NULL;
	condition->npatterns = 0;
	return strings;
}

/*
 * A whole number of times; otherwise where it is not given, or after a fault.
 */
static int64
parse_times(Parser *parser, Parameter parameter, int64 otherwise)
{
	const JsonbValue *value;
	double		times;

	if (!is_given(parser, parameter))
		return otherwise;
	value = require_number(parser, parameter);
	if (value == NULL)
		return otherwise;
	times = json_double(value);
	if (json_sign(value) < 0)
		parameter_fault(parser, parameter, "Give a whole number, 0 or more.",
						"parameter \"%s\" must not be negative",
						parameter_names[parameter]);
	else if (!(times <= MAX_COUNT))
		parameter_fault(parser, parameter,
						psprintf("Give no more than %lld.", (long long) MAX_COUNT),
						"parameter \"%s\" is out of range",
						parameter_names[parameter]);
	else if (times != floor(times))
		parameter_fault(parser, parameter, "Give a whole number, 0 or more.",
						"parameter \"%s\" must be a whole number",
						parameter_names[parameter]);
	else
		return (int64) times;
	return otherwise;
}

/*
 * How often: count is a number of times, min and max are bounds; at least once
 * where nothing is said.
 */
static void
parse_how_often(Parser *parser, ActionCount *count)
{
	int64		times = parse_times(parser, PARAMETER_COUNT, -1);

	count->least = parse_times(parser, PARAMETER_MIN, 0);
	count->most = parse_times(parser, PARAMETER_MAX, PG_INT64_MAX);
	if (is_given(parser, PARAMETER_COUNT) &&
		(is_given(parser, PARAMETER_MIN) || is_given(parser, PARAMETER_MAX)))
		parameter_fault(parser, PARAMETER_COUNT,
						"Give a count, or min, max or both.",
						"parameter \"count\" goes neither with \"min\" nor with \"max\"");
	else if (count->least > count->most)
		parameter_fault(parser, PARAMETER_MAX, "No number is in such a range.",
						"parameter \"max\" is less than \"min\"");
	else if (is_given(parser, PARAMETER_COUNT))
		count->least = count->most = times;
	else if (!is_given(parser, PARAMETER_MIN) && !is_given(parser, PARAMETER_MAX))
		count->least = 1;
}

/*
 * Operators that want a number
 */
static void
parse_how_often_compared(Parser *parser, ActionCount *count, Parameter other)
{
	Parameter	given = other != PARAMETER_COUNT && is_given(parser, other) ?
	other : PARAMETER_COUNT;
	int64		times;

	if (given == other && is_given(parser, PARAMETER_COUNT) &&
		other != PARAMETER_COUNT)
	{
		parameter_fault(parser, other, "Give one of them.",
						"parameters \"count\" and \"%s\" exclude each other",
						parameter_names[other]);
		return;
	}
	if (require_parameter(parser, given) == NULL)
		return;
	times = parse_times(parser, given, 0);
	count->least = 0;
	count->most = PG_INT64_MAX;
	switch (parser->condition->op)
	{
		case OPERATOR_GREATER_THAN:
			count->least = times + 1;
			break;
		case OPERATOR_AT_LEAST:
			count->least = times;
			break;
		case OPERATOR_LESS_THAN:
			count->most = times - 1;
			break;
		case OPERATOR_AT_MOST:
			count->most = times;
			break;
		default:
			count->least = count->most = times;
			break;
	}
}

static void
parse_times_by_operator(Parser *parser, ActionCount *count)
{
	switch (parser->condition->op)
	{
		case OPERATOR_AT_LEAST:
			parse_how_often_compared(parser, count, PARAMETER_MIN);
			break;
		case OPERATOR_AT_MOST:
			parse_how_often_compared(parser, count, PARAMETER_MAX);
			break;
		case OPERATOR_EQUALS:
		case OPERATOR_NOT_EQUALS:
		case OPERATOR_GREATER_THAN:
		case OPERATOR_LESS_THAN:
			parse_how_often_compared(parser, count, PARAMETER_COUNT);
			break;
		case OPERATOR_IN_RANGE:
			if (!is_given(parser, PARAMETER_COUNT) &&
				!is_given(parser, PARAMETER_MIN) && !is_given(parser, PARAMETER_MAX))
				parameter_fault(parser, PARAMETER_MIN, "Give min, max or both.",
								"parameters \"min\" and \"max\" are both missing");
			else
				parse_how_often(parser, count);
			break;
		default:
			parse_how_often(parser, count);
			break;
	}
	count->negated = parser->condition->op == OPERATOR_DID_NOT ||
		parser->condition->op == OPERATOR_NOT_EXISTS ||
		parser->condition->op == OPERATOR_NOT_EQUALS;
}

/*
 * What two conditions have in common that count the same actions
 */
static Bytes
count_key(const ActionCount *count, const JsonbValue *where)
{
	StringInfoData key;
	Bytes		bytes;

	initStringInfo(&key);
	appendStringInfo(&key, INT64_FORMAT " %d", count->window, count->ntypes);
	for (int i = 0; i < count->ntypes; i++)
	{
		appendStringInfo(&key, " %d:", count->types[i].length);
		appendBinaryStringInfo(&key, count->types[i].data, count->types[i].length);
	}
	if (where != NULL)
		appendBinaryStringInfo(&key, where->val.string.val,
							   where->val.string.len);
	bytes.data = key.data;
	bytes.length = key.len;
	return bytes;
}

/*
 * Types that are named twice would be counted twice.
 */
static void
drop_duplicates(ActionCount *count)
{
	int			n = 0;

	for (int i = 0; i < count->ntypes; i++)
	{
		bool		known = false;

		for (int j = 0; j < n && !known; j++)
			known = count->types[j].length == count->types[i].length &&
				memcmp(count->types[j].data, count->types[i].data,
					   count->types[i].length) == 0;
		if (!known)
			count->types[n++] = count->types[i];
	}
	count->ntypes = n;
}

/*
 * "*" stands for all types.
 */
static void
take_any_type(ActionCount *count)
{
	for (int i = 0; i < count->ntypes && !count->any_type; i++)
		count->any_type = count->types[i].length == 1 &&
			count->types[i].data[0] == '*';
	if (count->any_type)
		count->ntypes = 0;
}

void
parse_action_count(Parser *parser)
{
	/* What of a past action is not in its action_data */
	static const char *const beyond[] = {
		"action", "action_data", "action_type", "context"
	};
	ActionCount *count = palloc0(sizeof(ActionCount));

	parser->condition->count = count;
	count->types = take_strings(parser, PARAMETER_ACTION_TYPE, &count->ntypes);
	drop_duplicates(count);
	take_any_type(count);
	if (is_given(parser, PARAMETER_WITHIN))
	{
		parse_within(parser, PARAMETER_WITHIN);
		count->window = parser->condition->window;
	}
	if (is_given(parser, PARAMETER_WHERE))
		count->where = compile_parameter(parser, PARAMETER_WHERE,
										 "The path reads the past action's data, as in $.category == \"shoes\".");
	for (int i = 0; count->where != NULL && i < lengthof(beyond); i++)
		count->where_document |= jsonpath_reads_key(count->where, beyond[i]);
	if (parser->op_known)
		parse_times_by_operator(parser, count);
	count->key = count_key(count, count->where == NULL ? NULL :
						   &parser->parameters[PARAMETER_WHERE].value);
}

/*
 * One of two parameters that say the same
 */
static bool
one_of(Parser *parser, Parameter usual, Parameter other, Parameter *given)
{
	*given = is_given(parser, other) ? other : usual;
	if (!is_given(parser, usual) || !is_given(parser, other))
		return true;
	parameter_fault(parser, other, "Give one of them.",
					"parameters \"%s\" and \"%s\" exclude each other",
					parameter_names[usual], parameter_names[other]);
	return false;
}

static void
parse_name(Parser *parser, Parameter parameter)
{
	if (require_string(parser, parameter) != NULL)
		parse_patterns(parser, parameter);
}

void
parse_segment(Parser *parser)
{
	Parameter	given;

	if (one_of(parser, PARAMETER_SEGMENT, PARAMETER_VALUE, &given))
		parse_name(parser, given);
}

void
parse_lifecycle_stage(Parser *parser)
{
	Parameter	given;

	if (one_of(parser, PARAMETER_STAGE, PARAMETER_STAGES, &given))
		parse_patterns(parser, given);
}

/*
 * A scalar before or after a change; null stands for none.
 */
static bool
parse_end(Parser *parser, Parameter parameter, bool required, JsonbValue *end)
{
	const JsonbValue *value;

	if (!required && !is_given(parser, parameter))
		return false;
	value = require_parameter(parser, parameter);
	if (value == NULL)
		return false;
	if (value->type == jbvBinary)
	{
		parameter_fault(parser, parameter, NULL,
						"parameter \"%s\" must be a string, a number, a boolean or null, not %s",
						parameter_names[parameter], json_kind(value));
		return false;
	}
	*end = json_copy_scalar(value);
	return true;
}

/*
 * The key in action_data.changed may be all of the attribute, or end before one
 * of its dots; what comes after is a path inside of the old and the new value.
 */
static void
parse_attribute(Parser *parser, AttributeChange *change)
{
	const JsonbValue *attribute = require_string(parser, PARAMETER_ATTRIBUTE);
	AttributePath path = {0};
	int			length = 0;

	if (attribute == NULL)
		return;
	if (!split_path(attribute, &path))
	{
		parameter_fault(parser, PARAMETER_ATTRIBUTE,
						"Name a column, or write a path like profile.tier.",
						"attribute %s has an empty part", json_excerpt(attribute));
		return;
	}
	change->attribute = json_string(attribute);
	change->steps = path.steps;
	change->nsteps = path.nsteps;
	change->nprefixes = path.nsteps;
	change->prefixes = palloc(path.nsteps * sizeof(int));
	for (int i = 0; i < path.nsteps; i++)
	{
		length += path.steps[i].length + (i > 0 ? 1 : 0);
		change->prefixes[path.nsteps - 1 - i] = length;
	}
}

void
parse_attribute_change(Parser *parser)
{
	AttributeChange *change = palloc0(sizeof(AttributeChange));
	ConditionOperator op = parser->condition->op;
	const JsonbValue *least;

	parser->condition->change = change;
	parse_attribute(parser, change);
	if (!parser->op_known)
		return;
	change->has_from = parse_end(parser, PARAMETER_FROM,
								 op == OPERATOR_CHANGED_FROM, &change->from);
	change->has_to = parse_end(parser, PARAMETER_TO, op == OPERATOR_CHANGED_TO,
							   &change->to);
	if (!is_given(parser, PARAMETER_MIN_CHANGE) ||
		(least = require_number(parser, PARAMETER_MIN_CHANGE)) == NULL)
		return;
	if (json_sign(least) <= 0)
		parameter_fault(parser, PARAMETER_MIN_CHANGE,
						"Operators increased and decreased say in which direction.",
						"parameter \"min_change\" must be greater than 0");
	change->min_change = json_copy_numeric(least);
}

/*
 * A number of degrees or kilometres, from least to most
 */
static double
parse_measure(Parser *parser, Parameter parameter, double least, double most,
			  const char *hint)
{
	const JsonbValue *value = require_number(parser, parameter);
	double		measure;

	if (value == NULL)
		return 0.0;
	measure = json_double(value);
	if (!(measure >= least && measure <= most))
		parameter_fault(parser, parameter, hint,
						"parameter \"%s\" is out of range",
						parameter_names[parameter]);
	return measure;
}

static void
parse_circle(Parser *parser, Place *place)
{
	const JsonbValue *radius = NULL;

	place->circle = true;
	place->lat = parse_measure(parser, PARAMETER_LAT, -90.0, 90.0,
							   "Latitudes go from -90 to 90 degrees.");
	place->lon = parse_measure(parser, PARAMETER_LON, -180.0, 180.0,
							   "Longitudes go from -180 to 180 degrees.");
	place->radius_km = parse_measure(parser, PARAMETER_RADIUS_KM,
									 -INFINITY, MAX_RADIUS_KM,
									 "No two places are farther apart than 20100 km.");
	radius = &parser->parameters[PARAMETER_RADIUS_KM].value;
	if (is_given(parser, PARAMETER_RADIUS_KM) && radius->type == jbvNumeric &&
		json_sign(radius) <= 0)
		parameter_fault(parser, PARAMETER_RADIUS_KM, "Give kilometres.",
						"parameter \"radius_km\" must be greater than 0");
}

void
parse_location(Parser *parser)
{
	Place	   *place = palloc0(sizeof(Place));
	const char *hint = "Give lat, lon and radius_km, or countries, or regions.";
	bool		circle = is_given(parser, PARAMETER_LAT) ||
	is_given(parser, PARAMETER_LON) || is_given(parser, PARAMETER_RADIUS_KM);
	bool		areas = is_given(parser, PARAMETER_COUNTRIES) ||
	is_given(parser, PARAMETER_REGIONS);

	parser->condition->place = place;
	if (circle && areas)
		parameter_fault(parser, PARAMETER_LAT, hint,
						"a circle does not go with countries or regions");
	else if (circle)
		parse_circle(parser, place);
	else if (!areas)
		parameter_fault(parser, PARAMETER_LAT, hint, "no place is given");
	if (is_given(parser, PARAMETER_COUNTRIES))
		place->countries = take_strings(parser, PARAMETER_COUNTRIES,
										&place->ncountries);
	if (is_given(parser, PARAMETER_REGIONS))
		place->regions = take_strings(parser, PARAMETER_REGIONS,
									  &place->nregions);
}

static TimeADT
parse_time(Parser *parser, Parameter parameter, TimeADT otherwise)
{
	TimeADT		time = otherwise;

	if (is_given(parser, parameter))
		read_time_of_day(parser->faults, parameter_path(parser, parameter),
						 &parser->parameters[parameter].value, &time);
	return time;
}

void
parse_local_time(Parser *parser)
{
	LocalWindow *window = palloc0(sizeof(LocalWindow));
	int			nfaults = list_length(parser->faults->faults);
	TextList	days = {0};
	Bytes	   *names;

	parser->condition->local = window;
	window->from = parse_time(parser, PARAMETER_FROM, 0);
	window->to = parse_time(parser, PARAMETER_TO, USECS_PER_DAY);
	window->days = 0x7f;
	if (!is_given(parser, PARAMETER_FROM) && !is_given(parser, PARAMETER_TO) &&
		!is_given(parser, PARAMETER_DAYS))
		parameter_fault(parser, PARAMETER_FROM, "Give from, to, days, or all.",
						"neither times nor days are given");
	else if (window->from == window->to &&
			 list_length(parser->faults->faults) == nfaults)
		parameter_fault(parser, PARAMETER_TO,
						"Leave both out where the whole day is meant.",
						"the window begins when it ends");
	if (!is_given(parser, PARAMETER_DAYS))
		return;
	names = take_strings(parser, PARAMETER_DAYS, &days.n);
	if (days.n == 0)
		return;
	days.path = parameter_path(parser, PARAMETER_DAYS);
	days.items = palloc(days.n * sizeof(char *));
	for (int i = 0; i < days.n; i++)
		days.items[i] = names[i].data;
	check_weekdays(parser->faults, &days);
	window->days = weekdays_mask(&days);
}

static void
parse_rule_id(Parser *parser)
{
	const JsonbValue *value = require_number(parser, PARAMETER_RULE_ID);
	double		id;

	if (value == NULL)
		return;
	id = json_double(value);
	if (id >= 1 && id < 9.2e18 && id == floor(id))
		parser->condition->rule_id =
			DatumGetInt64(DirectFunctionCall1(numeric_int8,
											  NumericGetDatum(value->val.numeric)));
	else
		parameter_fault(parser, PARAMETER_RULE_ID,
						"Give a rule_id of nudge.rules, or the name as rule.",
						"parameter \"rule_id\" is not the id of a rule");
}

void
parse_message_engagement(Parser *parser)
{
	Parameter	given;

	if (one_of(parser, PARAMETER_RULE, PARAMETER_RULE_ID, &given))
	{
		if (given == PARAMETER_RULE_ID)
			parse_rule_id(parser);
		else
			parse_name(parser, PARAMETER_RULE);
	}
	if (is_given(parser, PARAMETER_WITHIN))
		parse_within(parser, PARAMETER_WITHIN);
}
