/*-------------------------------------------------------------------------
 *
 * liquid_parse_expr.c
 *	  Parser of Liquid's expressions, filters and conditions.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_parse.h"

#include "miscadmin.h"

#define MAX_PATH_STEPS	200

static LiquidSpan
token_span(const LiquidLexer *lex)
{
	return liquid_span(lex->token.s, lex->token.s + lex->token.len);
}

/* "Expected X but found Y"; returns false for the caller to return */
bool
liquid_fail_token(LiquidParser *p, const LiquidLexer *lex,
				  const char *expected)
{
	LiquidSpan	near = token_span(lex);
	int			shown = liquid_shown_length(near.s, lex->token.len);

	if (lex->token.kind == LIQUID_TOKEN_END)
	{
		near.end = Min(near.s + 2, p->end); /* the tag's own end */
		liquid_parse_fail(p, near, "expected %s but the tag ends", expected);
	}
	else if (lex->token.kind == LIQUID_TOKEN_BAD &&
			 (*near.s == '"' || *near.s == '\''))
		liquid_parse_fail(p, near, "unterminated string");
	else if (lex->token.kind == LIQUID_TOKEN_BAD)
		liquid_parse_fail(p, near, "unexpected character \"%.*s\"",
						  shown, near.s);
	else
		liquid_parse_fail(p, near, "expected %s but found \"%.*s\"", expected,
						  shown, near.s);
	return false;
}

static bool
fail_count(LiquidParser *p, const LiquidLexer *lex, const char *what)
{
	liquid_parse_fail(p, token_span(lex), "%s", what);
	return false;
}

bool
liquid_expect_end(LiquidParser *p, const LiquidLexer *lex)
{
	if (lex->token.kind == LIQUID_TOKEN_END)
		return true;
	return liquid_fail_token(p, lex, "the end of the tag");
}

bool
liquid_parse_name(LiquidParser *p, LiquidLexer *lex, LiquidKey *key)
{
	if (lex->token.kind != LIQUID_TOKEN_ID)
		return liquid_fail_token(p, lex, "a name");
	*key = liquid_key(lex->token.s, lex->token.len);
	liquid_lex_next(lex);
	return true;
}

/*
 * The name that assign and capture give: other than where names are read, it
 * may begin with a digit, and has no question mark.
 */
bool
liquid_parse_new_name(LiquidParser *p, LiquidLexer *lex, LiquidKey *key)
{
	liquid_lex_word(lex);
	return liquid_parse_name(p, lex, key);
}

static LiquidExpr *
literal(LiquidValue value)
{
	LiquidExpr *expr = palloc0(sizeof(LiquidExpr));

	expr->kind = LIQUID_LITERAL;
	expr->u.literal = value;
	return expr;
}

static bool
is_command_word(const LiquidKey *key)
{
	return liquid_word_is(key->s, key->len, "size") ||
		liquid_word_is(key->s, key->len, "first") ||
		liquid_word_is(key->s, key->len, "last");
}

/* One step of a path: .name or [expression] */
static bool
parse_step(LiquidParser *p, LiquidLexer *lex, LiquidPathStep *step)
{
	memset(step, 0, sizeof(LiquidPathStep));
	if (liquid_lex_take(lex, '.'))
	{
		if (!liquid_parse_name(p, lex, &step->key))
			return false;
		step->is_command = is_command_word(&step->key);
		return true;
	}
	liquid_lex_next(lex);
	step->index = liquid_parse_expr(p, lex);
	if (step->index == NULL)
		return false;
	if (!liquid_lex_take(lex, ']'))
		return liquid_fail_token(p, lex, "\"]\"");
	if (step->index->kind == LIQUID_LITERAL &&
		step->index->u.literal.kind == LIQUID_STRING)
	{
		step->key = liquid_key(step->index->u.literal.u.s,
							   step->index->u.literal.len);
		step->index = NULL;
	}
	return true;
}

/* The steps that follow a path's root */
static bool
parse_steps(LiquidParser *p, LiquidLexer *lex, LiquidExpr *expr)
{
	int			max = 0;

	while (liquid_lex_is(lex, '.') || liquid_lex_is(lex, '['))
	{
		if (expr->nsteps == MAX_PATH_STEPS)
			return fail_count(p, lex, "path has too many steps");
		LIQUID_GROW(expr->steps, expr->nsteps, max);
		if (!parse_step(p, lex, &expr->steps[expr->nsteps++]))
			return false;
	}
	return true;
}

/* The words that stand for a value, where nothing follows them */
static LiquidExpr *
literal_word(const LiquidKey *key)
{
	if (liquid_word_is(key->s, key->len, "nil") ||
		liquid_word_is(key->s, key->len, "null"))
		return literal(liquid_nil());
	if (liquid_word_is(key->s, key->len, "true"))
		return literal(liquid_bool(true));
	if (liquid_word_is(key->s, key->len, "false"))
		return literal(liquid_bool(false));
	if (liquid_word_is(key->s, key->len, "empty") ||
		liquid_word_is(key->s, key->len, "blank"))
		return literal(liquid_string("", 0, 0));
	return NULL;
}

static LiquidExpr *
parse_path(LiquidParser *p, LiquidLexer *lex)
{
	LiquidExpr *expr;
	LiquidKey	key = {0};

	expr = palloc0(sizeof(LiquidExpr));
	expr->kind = LIQUID_PATH;
	if (liquid_lex_take(lex, '['))
	{
		expr->u.path.root_expr = liquid_parse_expr(p, lex);
		if (expr->u.path.root_expr == NULL)
			return NULL;
		if (!liquid_lex_take(lex, ']'))
		{
			liquid_fail_token(p, lex, "\"]\"");
			return NULL;
		}
	}
	else
	{
		if (!liquid_parse_name(p, lex, &key))
			return NULL;
		expr->u.path.root = key;
		if (!liquid_lex_is(lex, '.') && !liquid_lex_is(lex, '['))
		{
			LiquidExpr *word = literal_word(&key);

			if (word != NULL)
				return word;
		}
	}
	return parse_steps(p, lex, expr) ? expr : NULL;
}

static LiquidExpr *
parse_range(LiquidParser *p, LiquidLexer *lex)
{
	LiquidExpr *expr = palloc0(sizeof(LiquidExpr));

	expr->kind = LIQUID_RANGE_OF;
	liquid_lex_next(lex);
	expr->u.range.lo = liquid_parse_expr(p, lex);
	if (expr->u.range.lo == NULL)
		return NULL;
	if (lex->token.kind != LIQUID_TOKEN_DOTDOT)
	{
		liquid_fail_token(p, lex, "\"..\"");
		return NULL;
	}
	liquid_lex_next(lex);
	expr->u.range.hi = liquid_parse_expr(p, lex);
	if (expr->u.range.hi == NULL)
		return NULL;
	if (!liquid_lex_take(lex, ')'))
	{
		liquid_fail_token(p, lex, "\")\"");
		return NULL;
	}
	return expr;
}

static LiquidExpr *
parse_nested(LiquidParser *p, LiquidLexer *lex)
{
	LiquidExpr *expr;

	switch (lex->token.kind)
	{
		case LIQUID_TOKEN_STRING:
			expr = literal(liquid_string(lex->token.s + 1,
										 lex->token.len - 2, 0));
			liquid_lex_next(lex);
			return expr;
		case LIQUID_TOKEN_NUMBER:
			expr = literal(liquid_parse_number(lex->token.s, lex->token.len));
			liquid_lex_next(lex);
			return expr;
		case LIQUID_TOKEN_ID:
			return parse_path(p, lex);
		default:
			if (liquid_lex_is(lex, '['))
				return parse_path(p, lex);
			if (liquid_lex_is(lex, '('))
				return parse_range(p, lex);
			liquid_fail_token(p, lex, "a value");
			return NULL;
	}
}

/* A string, number, word, path or range; NULL after a failure */
LiquidExpr *
liquid_parse_expr(LiquidParser *p, LiquidLexer *lex)
{
	LiquidExpr *expr;

	if (p->depth >= p->max_depth || stack_is_too_deep())
	{
		liquid_parse_fail_nesting(p, token_span(lex));
		return NULL;
	}
	p->depth++;
	expr = parse_nested(p, lex);
	p->depth--;
	return expr;
}

/*
 * An expression in a condition or a "when", where the words "empty" and
 * "blank" are questions rather than the empty string.
 */
LiquidExpr *
liquid_parse_operand(LiquidParser *p, LiquidLexer *lex)
{
	bool		empty = liquid_lex_is_word(lex, "empty");

	if (empty || liquid_lex_is_word(lex, "blank"))
	{
		LiquidExpr *expr = liquid_parse_expr(p, lex);

		if (expr != NULL && expr->kind == LIQUID_LITERAL)
			expr->u.literal.kind = empty ? LIQUID_EMPTY : LIQUID_BLANK;
		return expr;
	}
	return liquid_parse_expr(p, lex);
}

/* One argument of a filter, positional or "name: value" */
static bool
parse_argument(LiquidParser *p, LiquidLexer *lex, LiquidFilterCall *call,
			   int *max_args, int *max_named)
{
	LiquidToken after;

	if (lex->token.kind == LIQUID_TOKEN_ID &&
		(after = liquid_lex_peek(lex)).kind == LIQUID_TOKEN_CHAR &&
		*after.s == ':')
	{
		int			n = call->nnamed;
		int			max_names = *max_named;

		LIQUID_GROW(call->names, n, max_names);
		LIQUID_GROW(call->named, n, *max_named);
		call->names[n] = liquid_key(lex->token.s, lex->token.len);
		liquid_lex_next(lex);
		liquid_lex_next(lex);
		call->named[n] = liquid_parse_expr(p, lex);
		call->nnamed++;
		return call->named[n] != NULL;
	}
	LIQUID_GROW(call->args, call->nargs, *max_args);
	call->args[call->nargs] = liquid_parse_expr(p, lex);
	return call->args[call->nargs++] != NULL;
}

/* "name", or "name: argument, argument"; a comma at the end is forgiven */
static bool
parse_filter(LiquidParser *p, LiquidLexer *lex, LiquidFilterCall *call)
{
	int			max_args = 0;
	int			max_named = 0;

	memset(call, 0, sizeof(LiquidFilterCall));
	if (!liquid_parse_name(p, lex, &call->name))
		return false;
	call->filter = liquid_find_filter(call->name.s, call->name.len);
	if (!liquid_lex_take(lex, ':'))
		return true;
	while (lex->token.kind != LIQUID_TOKEN_END && !liquid_lex_is(lex, '|'))
	{
		if (call->nargs + call->nnamed >= LIQUID_MAX_ARGS)
			return fail_count(p, lex, "filter has too many arguments");
		if (!parse_argument(p, lex, call, &max_args, &max_named))
			return false;
		if (!liquid_lex_take(lex, ','))
			break;
	}
	return true;
}

/* What stands in {{ }}, after echo, and to the right of assign's "=" */
bool
liquid_parse_output(LiquidParser *p, LiquidSpan markup, LiquidOutput *output)
{
	LiquidLexer lex;
	int			max_filters = 0;

	memset(output, 0, sizeof(LiquidOutput));
	liquid_lex_start(&lex, markup);
	if (lex.token.kind == LIQUID_TOKEN_END)
		return true;
	output->expr = liquid_parse_expr(p, &lex);
	if (output->expr == NULL)
		return false;
	while (liquid_lex_take(&lex, '|'))
	{
		LIQUID_GROW(output->filters, output->nfilters, max_filters);
		if (!parse_filter(p, &lex, &output->filters[output->nfilters++]))
			return false;
	}
	return liquid_expect_end(p, &lex);
}

static LiquidOperator
comparison_operator(const LiquidToken *token)
{
	switch (token->s[0])
	{
		case '=':
			return LIQUID_EQ;
		case '!':
			return LIQUID_NE;
		case '<':
			if (token->len == 1)
				return LIQUID_LT;
			return token->s[1] == '=' ? LIQUID_LE : LIQUID_NE;
		case '>':
			return token->len == 1 ? LIQUID_GT : LIQUID_GE;
		default:
			return LIQUID_CONTAINS;
	}
}

static LiquidCondition *
parse_comparison(LiquidParser *p, LiquidLexer *lex)
{
	LiquidCondition *condition = palloc0(sizeof(LiquidCondition));

	condition->left = liquid_parse_operand(p, lex);
	if (condition->left == NULL)
		return NULL;
	if (lex->token.kind != LIQUID_TOKEN_COMPARISON)
		return condition;
	condition->op = comparison_operator(&lex->token);
	liquid_lex_next(lex);
	condition->right = liquid_parse_operand(p, lex);
	return condition->right == NULL ? NULL : condition;
}

/* What stands after if, elsif, unless */
LiquidCondition *
liquid_parse_condition(LiquidParser *p, LiquidSpan markup)
{
	LiquidLexer lex;
	LiquidCondition *first;
	LiquidCondition *last;

	liquid_lex_start(&lex, markup);
	first = last = parse_comparison(p, &lex);
	while (last != NULL)
	{
		if (liquid_lex_take_word(&lex, "and"))
			last->relation = LIQUID_AND;
		else if (liquid_lex_take_word(&lex, "or"))
			last->relation = LIQUID_OR;
		else
			return liquid_expect_end(p, &lex) ? first : NULL;
		last->next = parse_comparison(p, &lex);
		last = last->next;
	}
	return NULL;
}
