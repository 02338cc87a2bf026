/*-------------------------------------------------------------------------
 *
 * attribute_change.c
 *	  Conditions on what a data-change action says has changed.
 *
 * Such an action has in action_data "changed": {"<attribute>": {"old": …, "new":
 * …}}.  For an attribute profile.address.city, that key is looked for, then
 * profile.address with city inside of the old and the new value, then profile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_scorer.h"

#include "fmgr.h"
#include "json_input.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/*
 * One of the two values of a change; null where it is missing.
 */
static void
value_in_change(JsonbContainer *change, const char *which,
				const PathStep *steps, int nsteps, JsonbValue *value)
{
	JsonbValue	whole;

	value->type = jbvNull;
	if (getKeyJsonValueFromContainer(change, which, strlen(which), &whole) == NULL)
		return;
	if (nsteps == 0)
		*value = whole;
	else if (whole.type != jbvBinary ||
			 !container_at_path(whole.val.binary.data, steps, nsteps, value))
		value->type = jbvNull;
}

bool
change_known(Evaluator *evaluator, const AttributeChange *change,
			 JsonbValue *old, JsonbValue *new)
{
	Jsonb	   *data = action_data(&evaluator->action);
	JsonbValue	changed;
	JsonbValue	found;

	if (!JB_ROOT_IS_OBJECT(data) ||
		getKeyJsonValueFromContainer(&data->root, "changed", strlen("changed"),
									 &changed) == NULL ||
		!json_is_object(&changed))
		return false;
	for (int i = 0; i < change->nprefixes; i++)
	{
		/* The prefix that is i steps short of the whole */
		const PathStep *rest = change->steps + change->nsteps - i;

		if (getKeyJsonValueFromContainer(changed.val.binary.data,
										 change->attribute, change->prefixes[i],
										 &found) == NULL ||
			!json_is_object(&found))
			continue;
		value_in_change(found.val.binary.data, "old", rest, i, old);
		value_in_change(found.val.binary.data, "new", rest, i, new);
		return true;
	}
	return false;
}

static bool
values_same(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type == jbvBinary && b->type == jbvBinary)
		return compareJsonbContainers(a->val.binary.data,
									  b->val.binary.data) == 0;
	return a->type == b->type && (a->type == jbvNull || scalars_equal(a, b));
}

/*
 * Is the difference at least so much?
 */
static bool
is_large_enough(const AttributeChange *change, const JsonbValue *old,
				const JsonbValue *new)
{
	Numeric		difference;
	bool		overflows = false;

	if (change->min_change == NULL)
		return true;
	if (old->type != jbvNumeric || new->type != jbvNumeric)
		return false;
	difference = numeric_sub_opt_error(new->val.numeric, old->val.numeric,
									   &overflows);
	return overflows ||
		DatumGetBool(DirectFunctionCall2(numeric_ge,
										 DirectFunctionCall1(numeric_abs,
															 NumericGetDatum(difference)),
										 NumericGetDatum(change->min_change)));
}

/*
 * 1 up, -1 down, 0 neither; what was not there, or is gone, went nowhere.
 */
static int
direction(const JsonbValue *old, const JsonbValue *new)
{
	if (old->type != jbvNumeric || new->type != jbvNumeric)
		return 0;
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp,
											 NumericGetDatum(new->val.numeric),
											 NumericGetDatum(old->val.numeric)));
}

static bool
is_other_kind(const JsonbValue *value)
{
	return value->type != jbvNumeric && value->type != jbvNull;
}

Score
score_attribute_change(Evaluator *evaluator, const Condition *condition)
{
	const AttributeChange *change = condition->change;
	bool		counts = condition->op == OPERATOR_INCREASED ||
	condition->op == OPERATOR_DECREASED || change->min_change != NULL;
	JsonbValue	old;
	JsonbValue	new;

	if (!change_known(evaluator, change, &old, &new) || values_same(&old, &new))
		return SCORE_NO;
	if (change->has_from && !values_same(&change->from, &old))
		return SCORE_NO;
	if (change->has_to && !values_same(&change->to, &new))
		return SCORE_NO;
	if (counts && (is_other_kind(&old) || is_other_kind(&new)))
		return score_error(evaluator, "the changed attribute is not a number");
	if (!is_large_enough(change, &old, &new))
		return SCORE_NO;
	if (condition->op == OPERATOR_INCREASED)
		return score_of(direction(&old, &new) > 0);
	if (condition->op == OPERATOR_DECREASED)
		return score_of(direction(&old, &new) < 0);
	return SCORE_YES;
}
