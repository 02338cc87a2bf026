/*-------------------------------------------------------------------------
 *
 * liquid_state.c
 *	  State of one rendering of a Liquid template: its pending error, its
 *	  limits and its variables.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_value.h"

#include "utils/timestamp.h"

/* Fills buf as fmt says; "args" as of va_start */
#define FORMAT_MESSAGE(buf, fmt) \
	for (int needed = -1; needed != 0;) \
	{ \
		va_list		args; \
\
		va_start(args, fmt); \
		needed = appendStringInfoVA(buf, fmt, args); \
		va_end(args); \
		if (needed > 0) \
			enlargeStringInfo(buf, needed); \
	}

static void
note_error(LiquidState *st, int sqlstate, char *message, const char *reason)
{
	st->failed = true;
	st->status = LIQUID_ERROR;
	st->sqlstate = sqlstate;
	st->message = message;
	st->reason = reason;
}

/*
 * Notes an error, if none is pending.  The message must hold no value of the
 * context: it is shown to people who may not see those.
 */
void
liquid_fail(LiquidState *st, int sqlstate, const char *fmt,...)
{
	StringInfoData buf;

	if (st->failed)
		return;
	initStringInfo(&buf);
	FORMAT_MESSAGE(&buf, fmt);
	note_error(st, sqlstate, buf.data, buf.data);
}

/* The same of a message with a value, and "reason", which says it without. */
void
liquid_fail_with_value(LiquidState *st, int sqlstate, const char *reason,
					   const char *fmt,...)
{
	StringInfoData buf;

	if (st->failed)
		return;
	initStringInfo(&buf);
	FORMAT_MESSAGE(&buf, fmt);
	note_error(st, sqlstate, buf.data, reason);
}

/* Notes that a limit is passed; the rendering ends in lax mode too. */
void
liquid_fail_limit(LiquidState *st, const char *setting, const char *what)
{
	if (st->failed && st->fatal)
		return;
	st->failed = false;
	liquid_fail(st, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "%s (see %s)", what,
				setting);
	st->fatal = true;
}

void
liquid_look_at_clock(LiquidState *st)
{
	st->ticks = 0;
	CHECK_FOR_INTERRUPTS();
	if (st->deadline != 0 && GetCurrentTimestamp() > st->deadline)
		liquid_fail_limit(st, "nudge.template_timeout",
						  "the template takes too long");
}

/* Counts the bytes of a string that was built; false once failed. */
bool
liquid_spend(LiquidState *st, int64 bytes)
{
	st->bytes_left -= bytes;
	if (st->bytes_left < 0 || bytes > st->out_limit)
		liquid_fail_limit(st, "nudge.template_max_output",
						  "the template builds too much text");
	if (bytes > 65536 || ++st->ticks >= LIQUID_TICKS)
		liquid_look_at_clock(st);
	return !st->failed;
}

/* Enters a block or partial; after true, liquid_leave is due. */
bool
liquid_enter(LiquidState *st)
{
	int			max = st->options->max_nesting;

	if ((max > 0 && st->depth >= max) || stack_is_too_deep())
	{
		liquid_fail_limit(st, "nudge.template_max_nesting",
						  "the template nests too deep");
		return false;
	}
	st->depth++;
	return true;
}

/* The innermost variable of that name, or NULL */
LiquidValue *
liquid_find_var(const LiquidVars *vars, const LiquidKey *key)
{
	for (int i = vars->n - 1; i >= 0; i--)
	{
		if (liquid_key_equal(&vars->vars[i].key, key))
			return &vars->vars[i].value;
	}
	return NULL;
}

/* Adds a variable that hides those of the same name before it. */
void
liquid_push_var(LiquidVars *vars, LiquidKey key, LiquidValue value)
{
	if (vars->n == vars->max)
	{
		vars->max = Max(8, vars->max * 2);
		vars->vars = vars->vars == NULL ?
			palloc(vars->max * sizeof(LiquidVar)) :
			repalloc(vars->vars, vars->max * sizeof(LiquidVar));
	}
	vars->vars[vars->n].key = key;
	vars->vars[vars->n++].value = value;
}

/* Sets a variable, a new one where there is none of that name. */
void
liquid_set_var(LiquidVars *vars, LiquidKey key, LiquidValue value)
{
	LiquidValue *var = liquid_find_var(vars, &key);

	if (var != NULL)
		*var = value;
	else
		liquid_push_var(vars, key, value);
}
