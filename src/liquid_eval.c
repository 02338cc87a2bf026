/*-------------------------------------------------------------------------
 *
 * liquid_eval.c
 *	  Evaluation of Liquid's expressions, filters and conditions.
 *
 * Every function returns quickly, with any value, once the state has failed.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_parse.h"

/* Gets a variable by name; false where there is none. */
static bool
find_variable(LiquidState *st, const LiquidKey *key, LiquidValue *value)
{
	LiquidValue *var;

	if ((var = liquid_find_var(&st->locals, key)) == NULL &&
		(var = liquid_find_var(&st->globals, key)) == NULL &&
		(var = liquid_find_var(&st->counters, key)) == NULL)
		return liquid_json_member(st->root, key->s, key->len, value);
	*value = *var;
	return true;
}

/* A variable by name, from the innermost scope to the context, or nil */
LiquidValue
liquid_lookup(LiquidState *st, const LiquidKey *key)
{
	LiquidValue value;

	return find_variable(st, key, &value) ? value : liquid_nil();
}

static LiquidValue
lookup_by_value(LiquidState *st, LiquidValue name)
{
	LiquidKey	key;

	if (name.kind != LIQUID_STRING)
		return liquid_nil();
	key = liquid_key(name.u.s, name.len);
	return liquid_lookup(st, &key);
}

/*
 * What a path begins with, and the steps that this takes: "name", "[name]",
 * "self.name" and "self[name]" are the variable of that name.
 */
static LiquidValue
eval_root(LiquidState *st, const LiquidExpr *expr, int *nsteps)
{
	const LiquidPathStep *step = expr->steps;
	LiquidValue value;

	*nsteps = 0;
	if (expr->u.path.root_expr != NULL)
		return lookup_by_value(st, liquid_eval(st, expr->u.path.root_expr));
	if (find_variable(st, &expr->u.path.root, &value))
		return value;
	if (expr->nsteps == 0 || !liquid_word_is(expr->u.path.root.s,
											 expr->u.path.root.len, "self"))
		return liquid_nil();
	*nsteps = 1;
	return step->index == NULL ? liquid_lookup(st, &step->key) :
		lookup_by_value(st, liquid_eval(st, step->index));
}

static LiquidValue
eval_path(LiquidState *st, const LiquidExpr *expr)
{
	int			i;
	LiquidValue v = eval_root(st, expr, &i);

	for (; i < expr->nsteps && v.kind != LIQUID_NIL; i++)
	{
		const LiquidPathStep *step = &expr->steps[i];
		LiquidValue member;

		if (step->index != NULL)
			v = liquid_at(v, liquid_eval(st, step->index));
		else if (liquid_member(v, &step->key, &member))
			v = member;
		else if (step->is_command)
			v = liquid_command(v, &step->key);
		else
			return liquid_nil();
	}
	return v;
}

/* One end of a range: strings and nil are read loosely, decimals refused. */
static int64
eval_range_end(LiquidState *st, const LiquidExpr *expr, bool constant)
{
	LiquidValue v = liquid_eval(st, expr);
	int64		i = 0;

	if (constant || v.kind == LIQUID_NIL || v.kind == LIQUID_STRING)
		liquid_truncate_to_int(st, v, &i);
	else
		liquid_to_integer(st, v, &i);
	return i;
}

static LiquidValue
eval_range(LiquidState *st, const LiquidExpr *expr)
{
	bool		constant = expr->u.range.lo->kind == LIQUID_LITERAL &&
	expr->u.range.hi->kind == LIQUID_LITERAL;
	int64		lo = eval_range_end(st, expr->u.range.lo, constant);
	int64		hi = eval_range_end(st, expr->u.range.hi, constant);
	LiquidRange *range = palloc(sizeof(LiquidRange));
	LiquidValue v = {LIQUID_RANGE};

	/* Far enough for anything, near enough for counting never to overflow */
	range->lo = Max(Min(lo, PG_INT64_MAX / 4), PG_INT64_MIN / 4);
	range->hi = Max(Min(hi, PG_INT64_MAX / 4), PG_INT64_MIN / 4);
	v.u.range = range;
	return v;
}

LiquidValue
liquid_eval(LiquidState *st, const LiquidExpr *expr)
{
	switch (expr->kind)
	{
		case LIQUID_LITERAL:
			return expr->u.literal;
		case LIQUID_PATH:
			return eval_path(st, expr);
		default:
			return eval_range(st, expr);
	}
}

/* Does the filter take so many arguments?  Named ones count as one. */
static bool
check_arity(LiquidState *st, const LiquidFilterCall *call)
{
	const LiquidFilter *filter = call->filter;
	int			given = call->nargs + (call->nnamed > 0);

	if (given >= filter->min_args && given <= filter->max_args)
		return true;
	if (filter->min_args == filter->max_args)
		liquid_fail(st, ERRCODE_INVALID_PARAMETER_VALUE,
					"wrong number of arguments (given %d, expected %d)",
					given + 1, filter->min_args + 1);
	else
		liquid_fail(st, ERRCODE_INVALID_PARAMETER_VALUE,
					"wrong number of arguments (given %d, expected %d..%d)",
					given + 1, filter->min_args + 1, filter->max_args + 1);
	return false;
}

/* Are all strings short enough for any filter to make six times as much? */
static bool
check_lengths(LiquidState *st, LiquidValue input, const LiquidValue *values,
			  int n)
{
	bool		fits = input.kind != LIQUID_STRING ||
	input.len <= LIQUID_MAX_STRING;

	for (int i = 0; i < n; i++)
	{
		if (values[i].kind == LIQUID_STRING &&
			values[i].len > LIQUID_MAX_STRING)
			fits = false;
	}
	if (!fits)
		liquid_fail_limit(st, "nudge.template_max_output",
						  "a string is too long for a filter");
	return fits;
}

/* An unknown filter is an error, or in lax mode changes nothing. */
static LiquidValue
apply_filter(LiquidState *st, const LiquidFilterCall *call, LiquidValue v)
{
	LiquidValue values[LIQUID_MAX_ARGS];
	LiquidArgs	args;

	for (int i = 0; i < call->nargs; i++)
		values[i] = liquid_eval(st, call->args[i]);
	for (int i = 0; i < call->nnamed; i++)
		values[call->nargs + i] = liquid_eval(st, call->named[i]);
	if (st->failed)
		return liquid_nil();
	if (call->filter == NULL)
	{
		if (!st->options->lax)
			liquid_fail(st, ERRCODE_UNDEFINED_FUNCTION,
						"undefined filter %.*s", call->name.len, call->name.s);
		return v;
	}
	if (!check_arity(st, call) ||
		!check_lengths(st, v, values, call->nargs + call->nnamed))
		return liquid_nil();
	args.n = call->nargs;
	args.v = values;
	args.nnamed = call->nnamed;
	args.names = call->names;
	args.named = values + call->nargs;
	return call->filter->function(st, v, &args);
}

/* An expression with its filters */
LiquidValue
liquid_eval_output(LiquidState *st, const LiquidOutput *output)
{
	LiquidValue v;

	if (output->expr == NULL)
		return liquid_nil();
	v = liquid_eval(st, output->expr);
	for (int i = 0; i < output->nfilters && !st->failed; i++)
		v = apply_filter(st, &output->filters[i], v);
	return v;
}

/* Liquid's ==, where "empty" and "blank" ask instead of being compared */
bool
liquid_matches(LiquidValue left, LiquidValue right)
{
	if (left.kind == LIQUID_EMPTY)
		return liquid_is_empty(right);
	if (left.kind == LIQUID_BLANK)
		return liquid_is_blank(right);
	if (right.kind == LIQUID_EMPTY)
		return liquid_is_empty(left);
	if (right.kind == LIQUID_BLANK)
		return liquid_is_blank(left);
	return liquid_equal(left, right);
}

static inline bool
has_order(LiquidValue v)
{
	return liquid_is_number(v) || v.kind == LIQUID_STRING ||
		v.kind == LIQUID_TIME;
}

/* The message's second half: a simple value is shown, else its type */
static void
fail_comparison(LiquidState *st, LiquidValue left, LiquidValue right)
{
	LiquidValue shown = liquid_is_number(right) ?
	liquid_to_string(st, right) : liquid_nil();

	if (shown.kind == LIQUID_STRING)
		liquid_fail_with_value(st, ERRCODE_DATATYPE_MISMATCH,
							   psprintf("comparison of %s with %s failed",
										liquid_type_name(left),
										liquid_type_name(right)),
							   "comparison of %s with %.*s failed",
							   liquid_type_name(left), shown.len, shown.u.s);
	else
		liquid_fail(st, ERRCODE_DATATYPE_MISMATCH,
					"comparison of %s with %s failed",
					liquid_type_name(left), liquid_type_name(right));
}

/* < > <= >=: what has no order is not less and not greater than anything. */
static bool
compare(LiquidState *st, LiquidOperator op, LiquidValue left,
		LiquidValue right)
{
	int			cmp;

	if (!has_order(left) || !has_order(right))
		return false;
	cmp = liquid_compare(left, right);
	if (cmp == LIQUID_UNORDERED)
	{
		if (!liquid_is_number(left) || !liquid_is_number(right))
			fail_comparison(st, left, right);
		return false;
	}
	switch (op)
	{
		case LIQUID_LT:
			return cmp < 0;
		case LIQUID_GT:
			return cmp > 0;
		case LIQUID_LE:
			return cmp <= 0;
		default:
			return cmp >= 0;
	}
}

static bool
eval_comparison(LiquidState *st, const LiquidCondition *condition)
{
	LiquidValue left = liquid_eval(st, condition->left);
	LiquidValue right;

	if (condition->op == LIQUID_TEST)
		return liquid_truthy(left);
	right = liquid_eval(st, condition->right);
	switch (condition->op)
	{
		case LIQUID_EQ:
			return liquid_matches(left, right);
		case LIQUID_NE:
			return !liquid_matches(left, right);
		case LIQUID_CONTAINS:
			return liquid_contains(st, left, right);
		default:
			return compare(st, condition->op, left, right);
	}
}

/*
 * A chain of comparisons.  "and" and "or" bind equally and to the right:
 * a and b or c is a and (b or c).
 */
bool
liquid_eval_condition(LiquidState *st, const LiquidCondition *condition)
{
	bool		result;

	for (;;)
	{
		result = eval_comparison(st, condition);
		if (st->failed ||
			condition->relation == LIQUID_ALONE ||
			(condition->relation == LIQUID_OR && result) ||
			(condition->relation == LIQUID_AND && !result))
			return result;
		condition = condition->next;
	}
}
