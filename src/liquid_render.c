/*-------------------------------------------------------------------------
 *
 * liquid_render.c
 *	  Rendering of Liquid templates.
 *
 * Everything that a rendering allocates lies in one context, deleted at its
 * end; only the output and an error's message belong to the caller.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_tree.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Filters may build so many times more text than may be printed. */
#define BUILD_FACTOR	64

/*
 * An error is pending after a node.  In lax mode it becomes text in the
 * node's place (none, where the node prints nothing anyway) and rendering
 * goes on; else returns false.
 */
static bool
recover(LiquidState *st, const LiquidNode *node)
{
	if (st->line == 0)
		st->line = node->line;
	if (st->fatal || !st->options->lax)
		return false;
	st->failed = false;
	st->line = 0;
	if (!node->blank)
	{
		liquid_emit(st, "Liquid error: ", strlen("Liquid error: "));
		if (!st->failed)
			liquid_emit(st, st->message, strlen(st->message));
	}
	return !st->failed;
}

static void
render_node(LiquidState *st, const LiquidNode *node)
{
	switch ((LiquidNodeKind) node->kind)
	{
		case LIQUID_TEXT_NODE:
		case LIQUID_RAW_NODE:
			liquid_emit(st, node->u.text, node->len);
			break;
		case LIQUID_OUTPUT_NODE:
			{
				LiquidValue v = liquid_eval_output(st, node->u.output);

				if (!st->failed)
					liquid_emit_value(st, v);
				break;
			}
		case LIQUID_IF_NODE:
			liquid_render_if(st, node->u.tag);
			break;
		case LIQUID_CASE_NODE:
			liquid_render_case(st, node->u.tag);
			break;
		case LIQUID_FOR_NODE:
			liquid_render_for(st, node->u.tag);
			break;
		case LIQUID_TABLEROW_NODE:
			liquid_render_tablerow(st, node->u.tag);
			break;
		case LIQUID_BREAK_NODE:
			st->interrupt = LIQUID_BREAK;
			break;
		case LIQUID_CONTINUE_NODE:
			st->interrupt = LIQUID_CONTINUE;
			break;
		case LIQUID_CYCLE_NODE:
			liquid_render_cycle(st, node->u.tag);
			break;
		case LIQUID_ASSIGN_NODE:
			liquid_render_assign(st, node->u.tag);
			break;
		case LIQUID_CAPTURE_NODE:
			liquid_render_capture(st, node->u.tag);
			break;
		case LIQUID_COUNTER_NODE:
			liquid_render_counter(st, node->u.tag);
			break;
		case LIQUID_IFCHANGED_NODE:
			liquid_render_ifchanged(st, node->u.tag);
			break;
		case LIQUID_RENDER_NODE:
			liquid_render_partial(st, node->u.tag);
			break;
		case LIQUID_INCLUDE_NODE:
			liquid_include_partial(st, node->u.tag);
			break;
		case LIQUID_ABORT_NODE:
			liquid_render_abort(st, node->u.output);
			break;
		case LIQUID_NOTHING_NODE:
			break;
	}
}

/* Renders a block, up to a break or continue in it. */
void
liquid_render_block(LiquidState *st, const LiquidBlock *block)
{
	const LiquidNode *node = block->nodes;
	const LiquidNode *end = node + block->n;

	if (!liquid_enter(st))
		return;
	for (; node < end; node++)
	{
		render_node(st, node);
		if (st->failed && !recover(st, node))
			break;
		if (st->interrupt != LIQUID_GO_ON && node->kind != LIQUID_TEXT_NODE)
			break;
		if (++st->ticks >= LIQUID_TICKS)
			liquid_look_at_clock(st);
		if (st->failed)
			break;
	}
	liquid_leave(st);
}

static void
start_limits(LiquidState *st, const LiquidOptions *options)
{
	int64		most = MaxAllocSize / 4;

	if (options->max_output > 0)
		most = Min(most, options->max_output);
	st->out_limit = st->out->len + most;
	st->bytes_left = most * BUILD_FACTOR;
	st->steps_left = options->max_steps > 0 ? options->max_steps :
		PG_INT64_MAX;
	if (options->timeout > 0)
		st->deadline = GetCurrentTimestamp() +
			options->timeout * INT64CONST(1000);
}

/* The context's object, or an empty one; an array or scalar fails. */
static JsonbContainer *
root_object(LiquidState *st, const Jsonb *context)
{
	static JsonbContainer nothing = {JB_FOBJECT};

	if (context == NULL)
		return &nothing;
	if (JB_ROOT_IS_OBJECT(context))
		return (JsonbContainer *) &context->root;
	liquid_fail(st, ERRCODE_INVALID_PARAMETER_VALUE,
				"a template's context must be a JSON object");
	st->fatal = true;
	return &nothing;
}

/*
 * Renders a template over a jsonb object (NULL: an empty one) and appends the
 * result to "out".  See liquid.h for what ends up in the result.
 */
LiquidStatus
liquid_render(const LiquidTemplate *template, const Jsonb *context,
			  const LiquidOptions *options, StringInfo out,
			  LiquidResult *result)
{
	MemoryContext caller = CurrentMemoryContext;
	LiquidState st = {0};

	st.options = options;
	st.out = out;
	st.status = LIQUID_OK;
	st.locale = -1;
	st.cxt = AllocSetContextCreate(caller, "liquid rendering",
								   ALLOCSET_DEFAULT_SIZES);
	start_limits(&st, options);
	MemoryContextSwitchTo(st.cxt);
	st.root = root_object(&st, context);
	if (!st.failed)
		liquid_render_block(&st, &template->root);
	MemoryContextSwitchTo(caller);

	memset(result, 0, sizeof(LiquidResult));
	if (st.failed)
	{
		result->status = st.status;
		result->sqlstate = st.sqlstate;
		result->message = pstrdup(st.message);
		result->reason = pstrdup(st.reason);
		result->line = st.line;
	}
	MemoryContextDelete(st.cxt);
	return result->status;
}

/* Is a dotted path ("user.profile.name") in the context, and not null? */
bool
liquid_path_exists(const Jsonb *context, const char *path)
{
	LiquidValue v = {LIQUID_JOBJECT};

	if (context == NULL || !JB_ROOT_IS_OBJECT(context))
		return false;
	v.u.json = (JsonbContainer *) &context->root;
	for (;;)
	{
		const char *dot = strchr(path, '.');
		int			len = dot != NULL ? dot - path : strlen(path);
		LiquidValue index = liquid_string(path, len, 0);

		if (v.kind == LIQUID_JARRAY && len > 0 && len < 9 &&
			strspn(path, "0123456789") == len)
			index = liquid_int(atoi(path));
		v = liquid_at(v, index);
		if (v.kind == LIQUID_NIL)
			return false;
		if (dot == NULL)
			return true;
		path = dot + 1;
	}
}
