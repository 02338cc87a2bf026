/*-------------------------------------------------------------------------
 *
 * liquid_partial.c
 *	  Rendering of partials: {% render %} and {% include %}.
 *
 * A rendered partial sees the context and its parameters, and no variable of
 * the template that renders it; an included one shares everything.  A partial
 * is loaded once in a rendering, and parsed once in a backend.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_cache.h"

typedef struct LiquidLoaded
{
	LiquidKey	name;
	const LiquidTemplate *template;
} LiquidLoaded;

/* Gets the parsed text of a partial; NULL after a failure */
static const LiquidTemplate *
parse_partial(LiquidState *st, const char *name, const char *source, int len)
{
	LiquidParser parser;
	const LiquidTemplate *template = liquid_cached_softly(source, len,
														  &parser);
	int			line;
	int			column;

	if (template == NULL)
	{
		liquid_error_position(&parser, &line, &column);
		liquid_fail(st, parser.sqlstate,
					"partial \"%s\" line %d, column %d: %s",
					name, line, column, parser.message);
	}
	return template;
}

static void
fail_missing(LiquidState *st, const char *name, bool is_literal)
{
	if (is_literal)
		liquid_fail(st, ERRCODE_UNDEFINED_OBJECT, "No such template '%s'",
					name);
	else
		liquid_fail_with_value(st, ERRCODE_UNDEFINED_OBJECT,
							   "No such template",
							   "No such template '%s'", name);
}

/* Whose name is of the template itself, or of the context's values */
static const LiquidTemplate *
load_partial(LiquidState *st, LiquidValue name, bool is_literal)
{
	LiquidKey	key = liquid_key(name.u.s, name.len);
	const LiquidTemplate *template;
	const char *source;
	char	   *text;
	int			len;

	for (int i = 0; i < st->npartials; i++)
	{
		if (liquid_key_equal(&st->partials[i].name, &key))
			return st->partials[i].template;
	}
	text = pnstrdup(name.u.s, name.len);
	if (st->options->loader == NULL ||
		!st->options->loader(st->options->loader_arg, text, &source, &len))
	{
		fail_missing(st, text, is_literal);
		return NULL;
	}
	template = parse_partial(st, text, source, len);
	if (template == NULL)
		return NULL;
	LIQUID_GROW(st->partials, st->npartials, st->max_partials);
	st->partials[st->npartials].name = key;
	st->partials[st->npartials++].template = template;
	return template;
}

/* The variable that "with" and "for" set: the name's part after a slash */
static LiquidKey
variable_name(const LiquidPartial *tag, LiquidValue name)
{
	const char *s = name.u.s + name.len;

	if (tag->alias.len > 0)
		return tag->alias;
	while (s > name.u.s && s[-1] != '/')
		s--;
	return liquid_key(s, name.u.s + name.len - s);
}

/* Renders a partial with variables of its own. */
static void
render_isolated(LiquidState *st, const LiquidTemplate *template,
				const LiquidVars *vars)
{
	LiquidState outer = *st;
	LiquidVars	none = {0};

	st->locals = st->counters = st->registers = st->offsets = none;
	st->globals = *vars;
	st->loop = NULL;
	st->isolated = true;
	liquid_render_block(st, &template->root);
	st->locals = outer.locals;
	st->globals = outer.globals;
	st->counters = outer.counters;
	st->registers = outer.registers;
	st->offsets = outer.offsets;
	st->loop = outer.loop;
	st->isolated = outer.isolated;
	st->interrupt = LIQUID_GO_ON;
}

static bool
is_iterable(LiquidValue v)
{
	return liquid_is_array(v) || v.kind == LIQUID_JOBJECT ||
		v.kind == LIQUID_RANGE;
}

/* Renders a partial once, with its parameters and perhaps an item. */
static void
render_once(LiquidState *st, const LiquidPartial *tag,
			const LiquidTemplate *template, LiquidKey variable,
			LiquidValue item, LiquidValue forloop)
{
	LiquidVars	vars = {0};

	if (forloop.kind == LIQUID_LOOP)
		liquid_set_var(&vars, liquid_key("forloop", 7), forloop);
	for (int i = 0; i < tag->nparams; i++)
		liquid_set_var(&vars, tag->names[i], liquid_eval(st, tag->params[i]));
	if (item.kind != LIQUID_NIL)
		liquid_set_var(&vars, variable, item);
	if (!st->failed)
		render_isolated(st, template, &vars);
}

/* {% render %} */
void
liquid_render_partial(LiquidState *st, const LiquidPartial *tag)
{
	LiquidValue name = tag->template_name->u.literal;
	const LiquidTemplate *template = load_partial(st, name, true);
	LiquidKey	variable;
	LiquidValue v = liquid_nil();
	LiquidValue forloop;
	int64		n;

	if (template == NULL)
		return;
	variable = variable_name(tag, name);
	if (tag->variable != NULL)
		v = liquid_eval(st, tag->variable);
	if (!tag->is_for || !is_iterable(v))
	{
		render_once(st, tag, template, variable, v, liquid_nil());
		return;
	}
	n = liquid_length(v);
	forloop = liquid_new_loop(liquid_key(name.u.s, name.len), n);
	for (int64 i = 0; i < n && liquid_step(st, 1); i++)
	{
		render_once(st, tag, template, variable, liquid_item(v, i), forloop);
		forloop.u.loop->index++;
	}
}

/*
 * Renders an included partial once, or once for each item of an array.  A
 * break in it ends the loop around the include, not this one.
 */
static void
include_with(LiquidState *st, const LiquidTemplate *template,
			 LiquidKey variable, LiquidValue v)
{
	int			slot = st->locals.n;
	int64		n = liquid_is_array(v) ? liquid_length(v) : 1;

	liquid_push_var(&st->locals, variable, v);
	for (int64 i = 0; i < n && !st->failed; i++)
	{
		if (liquid_is_array(v))
		{
			liquid_step(st, 1);
			st->locals.vars[slot].value = liquid_item(v, i);
		}
		if (!st->failed)
			liquid_render_block(st, &template->root);
	}
}

/* {% include %} */
void
liquid_include_partial(LiquidState *st, const LiquidPartial *tag)
{
	LiquidValue name = liquid_eval(st, tag->template_name);
	const LiquidTemplate *template;
	int			base = st->locals.n;
	LiquidValue v;
	LiquidKey	key;

	if (st->isolated)
		liquid_fail(st, ERRCODE_FEATURE_NOT_SUPPORTED,
					"include usage is not allowed in this context");
	else if (name.kind != LIQUID_STRING)
		liquid_fail(st, ERRCODE_INVALID_PARAMETER_VALUE,
					"Argument error in tag 'include' - "
					"Illegal template name");
	if (st->failed)
		return;
	template = load_partial(st, name,
							tag->template_name->kind == LIQUID_LITERAL);
	if (template == NULL)
		return;
	key = liquid_key(name.u.s, name.len);
	v = tag->variable != NULL ? liquid_eval(st, tag->variable) :
		liquid_lookup(st, &key);
	for (int i = 0; i < tag->nparams; i++)
		liquid_push_var(&st->locals, tag->names[i],
						liquid_eval(st, tag->params[i]));
	if (!st->failed)
		include_with(st, template, variable_name(tag, name), v);
	st->locals.n = base;
}
