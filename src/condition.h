/*-------------------------------------------------------------------------
 *
 * condition.h
 *	  Conditions of rules: their parsed form, parsing and scoring.
 *
 * condition_parse.c checks what people wrote and brings it into the form
 * below, condition_group.c does so for conditions within conditions;
 * condition_score.c tests it against an action.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CONDITION_H
#define NUDGE_CONDITION_H

#include "postgres.h"

#include "faults.h"
#include "utils/date.h"
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
	CONDITION_JSONPATH,

	/* Since 0.3.0 */
	CONDITION_ACTION_COUNT,
	CONDITION_SEGMENT,
	CONDITION_ATTRIBUTE_CHANGE,
	CONDITION_LOCATION,
	CONDITION_LOCAL_TIME,
	CONDITION_MESSAGE_ENGAGEMENT,
	CONDITION_LIFECYCLE_STAGE,
	CONDITION_ALL,				/* groups of conditions */
	CONDITION_ANY,
	CONDITION_NOT
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
	OPERATOR_AFTER,

	/* action_count */
	OPERATOR_DID,
	OPERATOR_DID_NOT,
	/* attribute_change */
	OPERATOR_CHANGED,
	OPERATOR_CHANGED_TO,
	OPERATOR_CHANGED_FROM,
	OPERATOR_INCREASED,
	OPERATOR_DECREASED,
	/* message_engagement */
	OPERATOR_OPENED,
	OPERATOR_CLICKED,
	OPERATOR_IGNORED
} ConditionOperator;

/* What a condition costs: conditions are tested in this order. */
typedef enum ConditionCost
{
	COST_ACTION,				/* only the action in hand */
	COST_USER,					/* the user's row */
	COST_HISTORY,				/* the user's actions and messages */
	COST_DOCUMENT,				/* documents, segments */
	NUM_COSTS
} ConditionCost;

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
 * How often the user did actions of some types: from least to most times, or not
 * so often.  An action counts if it was neither recorded nor occurred before
 * now - window.  With any_type, actions of all types count that are the user's own:
 * not those that the engine records (ACTION_SOURCE_ENGINE).
 */
typedef struct ActionCount
{
	bool		any_type;		/* "*": types is empty */
	int			ntypes;
	Bytes	   *types;
	int64		window;			/* microseconds; 0: the whole history */
	int64		least;
	int64		most;			/* PG_INT64_MAX: open */
	bool		negated;
	JsonPath   *where;			/* NULL: any action */
	bool		where_document; /* looks beyond action_data */
	Bytes		key;			/* the same for the same types, window and where */
} ActionCount;

/* What attribute_change asks of action_data.changed */
typedef struct AttributeChange
{
	char	   *attribute;
	int			nprefixes;		/* longest first: where the key may end */
	int		   *prefixes;		/* their lengths */
	PathStep   *steps;			/* of the whole attribute */
	int			nsteps;
	bool		has_from;
	JsonbValue	from;			/* a scalar; null: there was none */
	bool		has_to;
	JsonbValue	to;
	Numeric		min_change;		/* NULL: any */
} AttributeChange;

/* A circle on the earth, or countries and regions */
typedef struct Place
{
	bool		circle;
	double		lat;			/* degrees */
	double		lon;
	double		radius_km;
	int			ncountries;
	Bytes	   *countries;		/* ISO codes */
	int			nregions;
	Bytes	   *regions;
} Place;

/* Times of day, from inclusive, to exclusive; and the days on which they begin */
typedef struct LocalWindow
{
	TimeADT		from;
	TimeADT		to;
	uint8		days;			/* a bit each, Monday's the lowest */
} LocalWindow;

/*
 * A condition as parsed.  Everything that it points to lives in the memory
 * context that was current when it was parsed.
 */
typedef struct Condition
{
	ConditionType type;
	ConditionOperator op;
	double		weight;
	ConditionCost cost;
	bool		needs_action;	/* says nothing without an action in hand */

	/*
	 * action_type: types; page_visit: pages; segment, message_engagement and
	 * lifecycle_stage: names
	 */
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

	/*
	 * time_window, within, after: microseconds; message_engagement: 0 is whenever
	 */
	int64		window;

	/* engagement_level */
	EngagementLevel level;
	double		high_days;
	double		medium_days;

	/* jsonpath */
	JsonPath   *jsonpath;

	/* Since 0.3.0 */
	ActionCount *count;
	AttributeChange *change;
	Place	   *place;
	LocalWindow *local;
	int64		rule_id;		/* message_engagement; 0: the rule is named */

	/* all, any, not */
	int			nmembers;
	struct Condition *members;
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
 * The same for an array of conditions without weights, as segments have it:
 * [{"type", "operator", "parameters"}, {"any": [...]}, …].  NULL after a fault, whose
 * path begins with "<path>[i].".  The former raises an error for a jsonpath that
 * does not compile; the latter makes it a fault, by a subtransaction.
 */
extern Condition *conditions_parse_array(const Jsonb *array, FaultList *faults,
										 const char *path, int *n);
extern Condition *conditions_check_array(const Jsonb *array, FaultList *faults,
										 const char *path, int *n);

/*
 * Whether a condition, or one within it, says something only of an action in
 * hand: it has no meaning for a user alone, as segments ask.
 */
extern bool condition_needs_action(const Condition *condition);

/*
 * Names that a condition, and those within it, refer to, appended to lists of C
 * strings: segments, lifecycle stages, and rules (those named by id are in their
 * decimal form, after '#').
 */
extern List *condition_segments(const Condition *condition, List *names);
extern List *condition_stages(const Condition *condition, List *names);
extern List *condition_rules(const Condition *condition, List *names);

/* A condition as people write it in JSON */
typedef struct WrittenCondition
{
	char	   *type;			/* NULL only after a fault */
	char	   *operator;		/* or NULL */
	Jsonb	   *parameters;
	double		weight;
} WrittenCondition;

/*
 * Reads {"type", "operator", "parameters", "weight"}, or a group: {"all": [...],
 * "weight"}.  Without weighted, a weight is refused.  Returns whether there is
 * something to parse.
 */
extern bool condition_read(WrittenCondition *written, const JsonbValue *value,
						   bool weighted, FaultList *faults, const char *path);

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
