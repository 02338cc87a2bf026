/*-------------------------------------------------------------------------
 *
 * condition_parser.h
 *	  What the files that parse conditions share.
 *
 * condition_names.c knows which words are allowed where, condition_parse.c goes
 * through the eight types, condition_attribute.c reads attribute paths and what
 * attributes are compared with.
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
	PARAMETER_VALUES
} Parameter;

#define NUM_PARAMETERS (PARAMETER_VALUES + 1)
#define NUM_CONDITION_TYPES (CONDITION_JSONPATH + 1)
#define NUM_OPERATORS (OPERATOR_AFTER + 1)

#define BIT(n) ((uint32) 1 << (n))

/* Parameter and operator names, by their enums */
extern const char *const parameter_names[];

/* -1 where there is no such name */
extern int	condition_type_lookup(const char *name);
extern int	condition_operator_lookup(const char *name);

/* Sets of operators and of parameters, a bit each */
extern uint32 condition_operators(ConditionType type);
extern ConditionOperator condition_default_operator(ConditionType type);
extern uint32 condition_parameters(ConditionType type, ConditionOperator op);
extern uint32 condition_all_parameters(ConditionType type);

extern char *enumerate_types(void);
extern char *enumerate_operators(uint32 operators);
extern char *enumerate_parameters(uint32 parameters);

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

/* Raises PostgreSQL's error for a path that does not compile. */
extern JsonPath *jsonpath_compile(const char *text);

/* In a subtransaction: an error becomes a fault at path, and the result is NULL. */
extern JsonPath *jsonpath_check(FaultList *faults, const char *path,
								const char *text);

/*
 * Does a path refer to variables ($name)?  There are none, and evaluating them
 * would raise an error even silently.
 */
extern bool jsonpath_has_variables(JsonPath *jsonpath);

#endif							/* NUDGE_CONDITION_PARSER_H */
