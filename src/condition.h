/*-------------------------------------------------------------------------
 *
 * condition.h
 *	  Conditions of rules: their parsed form, parsing and scoring.
 *
 * condition_parse.c checks what people wrote and brings it into the form
 * below; condition_score.c tests it against an action.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CONDITION_H
#define NUDGE_CONDITION_H

#include "postgres.h"

#include "faults.h"
#include "utils/jsonb.h"
#include "utils/jsonpath.h"
#include "utils/numeric.h"

typedef enum ConditionType
{
	CONDITION_ACTION_TYPE,
	CONDITION_PAGE_VISIT,
	CONDITION_PURCHASE_BEHAVIOR,
	CONDITION_ENGAGEMENT_LEVEL,
	CONDITION_TIME_WINDOW,
	CONDITION_USER_ATTRIBUTE,
	CONDITION_ACTION_ATTRIBUTE,
	CONDITION_JSONPATH
} ConditionType;

typedef enum ConditionOperator
{
	OPERATOR_EQUALS,
	OPERATOR_NOT_EQUALS,
	OPERATOR_CONTAINS,
	OPERATOR_NOT_CONTAINS,
	OPERATOR_STARTS_WITH,
	OPERATOR_ENDS_WITH,
	OPERATOR_GREATER_THAN,
	OPERATOR_AT_LEAST,
	OPERATOR_LESS_THAN,
	OPERATOR_AT_MOST,
	OPERATOR_IN_RANGE,
	OPERATOR_IN,
	OPERATOR_NOT_IN,
	OPERATOR_EXISTS,
	OPERATOR_NOT_EXISTS,
	OPERATOR_WITHIN,
	OPERATOR_AFTER
} ConditionOperator;

typedef enum EngagementLevel
{
	ENGAGEMENT_LOW,
	ENGAGEMENT_MEDIUM,
	ENGAGEMENT_HIGH
} EngagementLevel;

/* Where an attribute path starts */
typedef enum AttributeRoot
{
	/* user_attribute */
	ROOT_PROFILE,
	ROOT_BEHAVIOR,
	ROOT_PREFERENCES,
	ROOT_USER_COLUMN,			/* steps[0] names the column of nudge.users */
	/* action_attribute */
	ROOT_ACTION_DATA,
	ROOT_CONTEXT,
	ROOT_ACTION_ANY				/* in action_data, else in context */
} AttributeRoot;

typedef struct PathStep
{
	char	   *name;			/* object key */
	int			length;
	bool		is_index;		/* also usable as an array index */
	int32		index;
} PathStep;

typedef struct AttributePath
{
	AttributeRoot root;
	int			nsteps;
	PathStep   *steps;
} AttributePath;

/* Bytes with a length; not necessarily terminated */
typedef struct Bytes
{
	char	   *data;
	int			length;
} Bytes;

/*
 * A condition as parsed.  Everything that it points to lives in the memory
 * context that was current when it was parsed.
 */
typedef struct Condition
{
	ConditionType type;
	ConditionOperator op;
	double		weight;

	/* action_type: types; page_visit: pages */
	int			npatterns;
	Bytes	   *patterns;

	/* user_attribute, action_attribute; purchase_behavior: behavior.<metric> */
	AttributePath path;
	bool		count_purchases;	/* purchase_behavior, where behavior has none */

	/* scalars to compare with: value, or values */
	int			nvalues;
	JsonbValue *values;

	/* in_range: NULL is open; purchase_behavior: threshold is values[0] */
	Numeric		min;
	Numeric		max;

	/* time_window, within, after: microseconds */
	int64		window;

	/* engagement_level */
	EngagementLevel level;
	double		high_days;
	double		medium_days;

	/* jsonpath */
	JsonPath   *jsonpath;
} Condition;

extern const char *condition_type_name(ConditionType type);
extern const char *condition_operator_name(ConditionOperator op);

/*
 * Parses a condition.  Every fault found is added to faults, its path being
 * "<path>.type", "<path>.operator", "<path>.parameters.<name>" or
 * "<path>.weight" ("<path>." is left out where path is empty).  Returns
 * whether there was none; only then *condition is good.  operator may be NULL:
 * the default of the type.
 */
extern bool condition_parse(Condition *condition, const char *type,
							const char *operator, const Jsonb *parameters,
							double weight, FaultList *faults, const char *path);

/*
 * The same for conditions that people are writing just now, or that came past
 * the checks.  Compiling a jsonpath may raise an error, which condition_parse
 * lets go; here it becomes a fault, for which a subtransaction is needed.
 */
extern bool condition_check(Condition *condition, const char *type,
							const char *operator, const Jsonb *parameters,
							double weight, FaultList *faults, const char *path);

/*
 * Errors that say what is wrong with a condition, unlike an interrupt or a lack
 * of memory
 */
extern bool condition_input_error(int sqlstate);

/*
 * Checks a jsonpath that is not one of a condition; takes a subtransaction.  hint
 * says what a path reads.
 */
extern void check_jsonpath(FaultList *faults, const char *path, const char *text,
						   const char *hint);

#endif							/* NUDGE_CONDITION_H */
