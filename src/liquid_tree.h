/*-------------------------------------------------------------------------
 *
 * liquid_tree.h
 *	  The parsed form of a Liquid template.
 *
 * A template is a block: an array of nodes, each a text, an output or a tag;
 * tags hold further blocks.  Everything that a rendering can find out in
 * advance is found out by the parser: literals are values, paths are split
 * and hashed, filters are resolved to their functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LIQUID_TREE_H
#define LIQUID_TREE_H

#include "liquid_value.h"

/* Expressions */

typedef struct LiquidExpr LiquidExpr;

typedef enum LiquidExprKind
{
	LIQUID_LITERAL,
	LIQUID_PATH,
	LIQUID_RANGE_OF
} LiquidExprKind;

/* One step of a path: .name, or [expression] */
typedef struct LiquidPathStep
{
	LiquidKey	key;			/* of .name or ["name"] */
	bool		is_command;		/* .size, .first, .last */
	LiquidExpr *index;			/* of [expression], else NULL */
} LiquidPathStep;

struct LiquidExpr
{
	uint8		kind;			/* LiquidExprKind */
	uint8		nsteps;
	union
	{
		LiquidValue literal;
		struct
		{
			LiquidKey	root;
			LiquidExpr *root_expr;	/* of ["name"].step, else NULL */
		}			path;
		struct
		{
			LiquidExpr *lo;
			LiquidExpr *hi;
		}			range;
	}			u;
	LiquidPathStep *steps;
};

/* Filters */

typedef struct LiquidArgs
{
	int			n;
	const LiquidValue *v;
	int			nnamed;
	const LiquidKey *names;
	const LiquidValue *named;
} LiquidArgs;

typedef LiquidValue (*LiquidFilterFunction) (LiquidState *st,
											 LiquidValue input,
											 const LiquidArgs *args);

typedef struct LiquidFilter
{
	const char *name;
	LiquidFilterFunction function;
	int8		min_args;		/* besides the input */
	int8		max_args;
} LiquidFilter;

typedef struct LiquidFilterCall
{
	const LiquidFilter *filter; /* NULL: unknown */
	LiquidKey	name;
	int			nargs;
	LiquidExpr **args;
	int			nnamed;
	LiquidKey  *names;
	LiquidExpr **named;
} LiquidFilterCall;

/* An expression with its filters */
typedef struct LiquidOutput
{
	LiquidExpr *expr;			/* NULL: empty */
	int			nfilters;
	LiquidFilterCall *filters;
} LiquidOutput;

/* Conditions; "and" and "or" hang together from left to right */

typedef enum LiquidOperator
{
	LIQUID_TEST,				/* a value alone */
	LIQUID_EQ,
	LIQUID_NE,
	LIQUID_LT,
	LIQUID_GT,
	LIQUID_LE,
	LIQUID_GE,
	LIQUID_CONTAINS
} LiquidOperator;

typedef enum LiquidRelation
{
	LIQUID_ALONE,
	LIQUID_AND,
	LIQUID_OR
} LiquidRelation;

typedef struct LiquidCondition LiquidCondition;

struct LiquidCondition
{
	LiquidExpr *left;
	LiquidExpr *right;
	LiquidOperator op;
	LiquidRelation relation;	/* to the next */
	LiquidCondition *next;
};

/* Nodes */

typedef enum LiquidNodeKind
{
	LIQUID_TEXT_NODE,
	LIQUID_RAW_NODE,			/* a text that no tag trims */
	LIQUID_OUTPUT_NODE,
	LIQUID_IF_NODE,
	LIQUID_CASE_NODE,
	LIQUID_FOR_NODE,
	LIQUID_TABLEROW_NODE,
	LIQUID_BREAK_NODE,
	LIQUID_CONTINUE_NODE,
	LIQUID_CYCLE_NODE,
	LIQUID_ASSIGN_NODE,
	LIQUID_CAPTURE_NODE,
	LIQUID_COUNTER_NODE,
	LIQUID_IFCHANGED_NODE,
	LIQUID_RENDER_NODE,
	LIQUID_INCLUDE_NODE,
	LIQUID_ABORT_NODE,
	LIQUID_NOTHING_NODE			/* comments */
} LiquidNodeKind;

typedef struct LiquidNode
{
	uint8		kind;			/* LiquidNodeKind */
	bool		blank;			/* prints at most white space */
	int32		line;
	int32		len;			/* of a text */
	union
	{
		const char *text;
		LiquidOutput *output;
		void	   *tag;		/* one of the structs below */
	}			u;
} LiquidNode;

typedef struct LiquidBlock
{
	int			n;
	LiquidNode *nodes;
	bool		blank;
} LiquidBlock;

typedef struct LiquidBranch
{
	LiquidCondition *condition; /* NULL: else */
	LiquidBlock body;
} LiquidBranch;

typedef struct LiquidIf
{
	bool		negated;		/* unless: of the first condition */
	int			nbranches;
	LiquidBranch *branches;
} LiquidIf;

typedef struct LiquidWhen
{
	int			nvalues;		/* 0: else */
	LiquidExpr **values;
	LiquidBlock body;
} LiquidWhen;

typedef struct LiquidCase
{
	LiquidExpr *subject;
	int			nwhens;
	LiquidWhen *whens;
} LiquidCase;

typedef struct LiquidFor
{
	LiquidKey	variable;
	LiquidKey	name;			/* "variable-collection" */
	LiquidExpr *collection;
	LiquidExpr *limit;
	LiquidExpr *offset;
	LiquidExpr *cols;			/* tablerow */
	bool		offset_continues;
	bool		reversed;
	LiquidBlock body;
	bool		has_else;
	LiquidBlock otherwise;
} LiquidFor;

typedef struct LiquidCycle
{
	LiquidExpr *group;			/* of a named cycle, else NULL */
	LiquidKey	name;			/* of an unnamed one */
	int			nvalues;
	LiquidExpr **values;
} LiquidCycle;

typedef struct LiquidAssign
{
	LiquidKey	variable;
	LiquidOutput value;
} LiquidAssign;

typedef struct LiquidCapture	/* and ifchanged, without a variable */
{
	LiquidKey	variable;
	LiquidBlock body;
} LiquidCapture;

typedef struct LiquidCounter
{
	LiquidKey	variable;
	bool		down;
} LiquidCounter;

typedef struct LiquidPartial
{
	LiquidExpr *template_name;
	LiquidExpr *variable;		/* of with or for */
	bool		is_include;
	bool		is_for;
	LiquidKey	alias;			/* len 0: the template's name */
	int			nparams;
	LiquidKey  *names;
	LiquidExpr **params;
} LiquidPartial;

struct LiquidTemplate
{
	LiquidBlock root;
};

/* liquid_filters.c */
extern const LiquidFilter *liquid_find_filter(const char *name, int len);

/* liquid_eval.c */
extern LiquidValue liquid_eval(LiquidState *st, const LiquidExpr *expr);
extern LiquidValue liquid_eval_output(LiquidState *st,
									  const LiquidOutput *output);
extern bool liquid_eval_condition(LiquidState *st,
								  const LiquidCondition *condition);
extern bool liquid_matches(LiquidValue left, LiquidValue right);
extern LiquidValue liquid_lookup(LiquidState *st, const LiquidKey *key);

/* liquid_render.c */
extern void liquid_render_block(LiquidState *st, const LiquidBlock *block);

/* liquid_tags.c */
extern void liquid_render_if(LiquidState *st, const LiquidIf *tag);
extern void liquid_render_case(LiquidState *st, const LiquidCase *tag);
extern void liquid_render_cycle(LiquidState *st, const LiquidCycle *tag);
extern void liquid_render_assign(LiquidState *st, const LiquidAssign *tag);
extern void liquid_render_capture(LiquidState *st, const LiquidCapture *tag);
extern void liquid_render_counter(LiquidState *st, const LiquidCounter *tag);
extern void liquid_render_ifchanged(LiquidState *st,
									const LiquidCapture *tag);
extern void liquid_render_abort(LiquidState *st, const LiquidOutput *tag);

/* liquid_loop.c */
extern void liquid_render_for(LiquidState *st, const LiquidFor *tag);
extern void liquid_render_tablerow(LiquidState *st, const LiquidFor *tag);
extern LiquidValue liquid_loop_value(LiquidLoop *loop);
extern LiquidValue liquid_new_loop(LiquidKey name, int64 length);
extern bool liquid_loop_field(const LiquidLoop *loop, const LiquidKey *key,
							  LiquidValue *v);

/* liquid_partial.c */
extern void liquid_render_partial(LiquidState *st, const LiquidPartial *tag);
extern void liquid_include_partial(LiquidState *st, const LiquidPartial *tag);

#endif							/* LIQUID_TREE_H */
