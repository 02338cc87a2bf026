/*-------------------------------------------------------------------------
 *
 * liquid_tags.c
 *	  Rendering of Liquid's tags, other than loops and partials.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_tree.h"

/* {% if %} and {% unless %} */
void
liquid_render_if(LiquidState *st, const LiquidIf *tag)
{
	for (int i = 0; i < tag->nbranches; i++)
	{
		const LiquidBranch *branch = &tag->branches[i];
		bool		holds = branch->condition == NULL ||
		liquid_eval_condition(st, branch->condition);

		if (st->failed)
			return;
		if (i == 0 && tag->negated)
			holds = !holds;
		if (holds)
		{
			liquid_render_block(st, &branch->body);
			return;
		}
	}
}

/*
 * {% case %}: every "when" renders once for each of its values that match;
 * "else" renders where nothing before it did.
 */
void
liquid_render_case(LiquidState *st, const LiquidCase *tag)
{
	bool		matched = false;

	for (int i = 0; i < tag->nwhens; i++)
	{
		const LiquidWhen *when = &tag->whens[i];

		if (when->nvalues == 0 && !matched)
			liquid_render_block(st, &when->body);
		for (int v = 0; v < when->nvalues; v++)
		{
			if (liquid_matches(liquid_eval(st, tag->subject),
							   liquid_eval(st, when->values[v])))
			{
				matched = true;
				liquid_render_block(st, &when->body);
			}
			if (st->failed || st->interrupt != LIQUID_GO_ON)
				return;
		}
		if (st->failed || st->interrupt != LIQUID_GO_ON)
			return;
	}
}

/* The register in which a named cycle keeps its place */
static LiquidKey
cycle_key(LiquidState *st, const LiquidCycle *tag)
{
	StringInfoData buf;

	if (tag->group == NULL)
		return tag->name;
	initStringInfo(&buf);
	appendStringInfoChar(&buf, 'n');
	liquid_append_inspected(st, &buf, liquid_eval(st, tag->group));
	return liquid_key(buf.data, buf.len);
}

/* {% cycle %}; tags of one group may differ in how many values they have. */
void
liquid_render_cycle(LiquidState *st, const LiquidCycle *tag)
{
	LiquidKey	key = cycle_key(st, tag);
	LiquidValue *place = liquid_find_var(&st->registers, &key);
	int64		i = place == NULL ? 0 : place->u.i;

	if (i < tag->nvalues)
		liquid_emit_value(st, liquid_eval(st, tag->values[i]));
	if (++i >= tag->nvalues)
		i = 0;
	liquid_set_var(&st->registers, key, liquid_int(i));
}

void
liquid_render_assign(LiquidState *st, const LiquidAssign *tag)
{
	LiquidValue v = liquid_eval_output(st, &tag->value);

	if (!st->failed)
		liquid_set_var(&st->globals, tag->variable, v);
}

/*
 * Renders a block into a string.  With autoescape it is safe by then.
 */
static LiquidValue
capture(LiquidState *st, const LiquidBlock *body)
{
	StringInfo	out = st->out;
	StringInfoData buf;

	initStringInfo(&buf);
	st->out = &buf;
	liquid_render_block(st, body);
	st->out = out;
	liquid_spend(st, buf.len);
	return liquid_string(buf.data, buf.len, LIQUID_ESCAPED);
}

void
liquid_render_capture(LiquidState *st, const LiquidCapture *tag)
{
	LiquidValue v = capture(st, &tag->body);

	if (!st->failed)
		liquid_set_var(&st->globals, tag->variable, v);
}

/* {% ifchanged %}: prints its body where it differs from the last one. */
void
liquid_render_ifchanged(LiquidState *st, const LiquidCapture *tag)
{
	LiquidKey	key = liquid_key("i", 1);
	LiquidValue v = capture(st, &tag->body);
	LiquidValue *last = liquid_find_var(&st->registers, &key);

	if (st->failed || (last != NULL && liquid_equal(*last, v)))
		return;
	liquid_set_var(&st->registers, key, v);
	liquid_emit(st, v.u.s, v.len);
}

/*
 * {% increment %} and {% decrement %}.  Counters are apart from the variables
 * that assign makes, and hide those of the context.
 */
void
liquid_render_counter(LiquidState *st, const LiquidCounter *tag)
{
	LiquidValue *var = liquid_find_var(&st->counters, &tag->variable);
	int64		i = var == NULL ? 0 : var->u.i;
	int64		next = tag->down ? i - 1 : i + 1;

	liquid_set_var(&st->counters, tag->variable, liquid_int(next));
	liquid_emit_value(st, liquid_int(tag->down ? next : i));
}

/* {% abort "reason" %}: ends the rendering in lax mode too. */
void
liquid_render_abort(LiquidState *st, const LiquidOutput *tag)
{
	LiquidValue reason = liquid_eval_output(st, tag);

	if (st->failed)
		return;
	reason = liquid_to_string(st, reason);
	if (st->failed)
		return;
	if (tag->expr != NULL && tag->expr->kind == LIQUID_LITERAL &&
		tag->nfilters == 0)
		liquid_fail(st, 0, "%.*s", reason.len, reason.u.s);
	else
		liquid_fail_with_value(st, 0, "aborted", "%.*s", reason.len,
							   reason.u.s);
	st->status = LIQUID_ABORT;
	st->fatal = true;
}
