/*-------------------------------------------------------------------------
 *
 * condition_parser.h
 *	  What the files that parse conditions share.
 *
 * condition_names.c knows which words are allowed where, condition_parse.c goes
 * through the types, condition_attribute.c reads attribute paths and what
 * attributes are compared with, condition_behavior.c the types since 0.3.0,
 * condition_group.c conditions within conditions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CONDITION_PARSER_H
#define NUDGE_CONDITION_PARSER_H

#include "postgres.h"

#include "condition.h"
#include "json_input.h"

typedef enum Parameter
{
	PARAMETER_TYPES,
	PARAMETER_PAGES,
	PARAMETER_THRESHOLD,
	PARAMETER_MIN,
	PARAMETER_MAX,
	PARAMETER_METRIC,
	PARAMETER_LEVEL,
	PARAMETER_HIGH_DAYS,
	PARAMETER_MEDIUM_DAYS,
	PARAMETER_WINDOW_MINUTES,
	PARAMETER_PATH,
	PARAMETER_VALUE,
	PARAMETER_VALUES,
	PARAMETER_ACTION_TYPE,
	PARAMETER_WITHIN,
	PARAMETER_COUNT,
	PARAMETER_WHERE,
	PARAMETER_SEGMENT,
	PARAMETER_ATTRIBUTE,
	PARAMETER_FROM,
	PARAMETER_TO,
	PARAMETER_MIN_CHANGE,
	PARAMETER_LAT,
	PARAMETER_LON,
	PARAMETER_RADIUS_KM,
	PARAMETER_COUNTRIES,
	PARAMETER_REGIONS,
	PARAMETER_DAYS,
	PARAMETER_RULE,
	PARAMETER_RULE_ID,
	PARAMETER_STAGE,
	PARAMETER_STAGES,
	PARAMETER_CONDITIONS
} Parameter;

#define NUM_PARAMETERS (PARAMETER_CONDITIONS + 1)
#define NUM_CONDITION_TYPES (CONDITION_NOT + 1)
#define NUM_OPERATORS (OPERATOR_IGNORED + 1)

/* The operators of attributes are the first ones. */
#define NUM_COMPARISONS (OPERATOR_AFTER + 1)

#define BIT(n) ((uint64) 1 << (n))

/* Parameter and operator names, by their enums */
extern const char *const parameter_names[];

/* -1 where there is no such name */
extern int	condition_type_lookup(const char *name);
extern int	condition_operator_lookup(const char *name);

/* Sets of operators and of parameters, a bit each */
extern uint64 condition_operators(ConditionType type);
extern ConditionOperator condition_default_operator(ConditionType type);
extern uint64 condition_parameters(ConditionType type, ConditionOperator op);
extern uint64 condition_all_parameters(ConditionType type);

extern char *enumerate_types(void);
extern char *enumerate_operators(uint64 operators);
extern char *enumerate_parameters(uint64 parameters);

/* A condition while it is parsed */
typedef struct Parser
{
	Condition  *condition;
	FaultList  *faults;
	const char *path;			/* of the condition */
	bool		op_known;		/* whether condition->op is good */
	bool		catch_errors;	/* whether PostgreSQL's errors become faults */
	JsonField	parameters[NUM_PARAMETERS];
} Parser;

/* Paths of faults, palloc'd */
extern char *fault_path(const Parser *parser, const char *field);
extern char *parameter_path(const Parser *parser, Parameter parameter);

#define parameter_fault(parser, parameter, hint, ...) \
	fault_add((parser)->faults, ERRCODE_INVALID_PARAMETER_VALUE, \
			  parameter_path(parser, parameter), hint, __VA_ARGS__)

/*
 * The parameter's value if it is there; a missing one is a fault, and so is one
 * of another kind than the JSON kind wanted.
 */
extern const JsonbValue *require_parameter(Parser *parser, Parameter parameter);
extern const JsonbValue *require_string(Parser *parser, Parameter parameter);
extern const JsonbValue *require_number(Parser *parser, Parameter parameter);

/* The array of a parameter, or its single value; NULL after a fault. */
extern JsonbValue *parameter_elements(Parser *parser, Parameter parameter,
									  const char *wanted, int *n);

extern void parse_attribute_path(Parser *parser);
extern void parse_metric(Parser *parser);
extern void parse_comparison(Parser *parser);
extern void parse_range(Parser *parser);
extern void parse_jsonpath(Parser *parser);
extern void parse_window_minutes(Parser *parser, Parameter parameter);
extern void parse_patterns(Parser *parser, Parameter parameter);

/* A number of minutes, or an interval: to condition->window */
extern void parse_within(Parser *parser, Parameter parameter);

/* Splits a path at its dots; false where a part is empty. */
extern bool split_path(const JsonbValue *path, AttributePath *result);

/* A jsonpath that compiles and has no variables; NULL after a fault */
extern JsonPath *compile_parameter(Parser *parser, Parameter parameter,
								   const char *hint);

/* Whether a jsonpath, as printed, has an accessor of a key outside of strings */
extern bool jsonpath_reads_key(JsonPath *jsonpath, const char *key);

/* Whether all that a path reads is below $.user */
extern bool jsonpath_reads_user_only(JsonPath *jsonpath);

extern void parse_action_count(Parser *parser);
extern void parse_segment(Parser *parser);
extern void parse_attribute_change(Parser *parser);
extern void parse_location(Parser *parser);
extern void parse_local_time(Parser *parser);
extern void parse_message_engagement(Parser *parser);
extern void parse_lifecycle_stage(Parser *parser);
extern void parse_group(Parser *parser);

/* What a condition costs, and whether it needs an action in hand */
extern void condition_classify(Condition *condition);

#endif							/* NUDGE_CONDITION_PARSER_H */
