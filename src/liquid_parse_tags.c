/*-------------------------------------------------------------------------
 *
 * liquid_parse_tags.c
 *	  Parser of each of Liquid's tags.
 *
 * A parser fills in the node's kind, whether it is blank, and its struct.
 * Blocks are read with liquid_parse_block, which stops at the tag that does
 * not begin anything; see there.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_parse.h"

/* Is the tag that ended the block "end" and the name of the tag? */
static bool
is_end_of(LiquidParser *p, LiquidSpan tag)
{
	LiquidSpan	end = p->end_name;
	int			len = tag.end - tag.s;

	return end.end - end.s == len + 3 && memcmp(end.s, "end", 3) == 0 &&
		memcmp(end.s + 3, tag.s, len) == 0;
}

/* Parses a body that must end with the tag's own end. */
static bool
parse_whole_body(LiquidParser *p, LiquidSpan tag, LiquidBlock *body)
{
	if (!liquid_parse_block(p, body))
		return false;
	if (p->end_name.s == NULL)
		return liquid_never_closed(p, tag);
	return is_end_of(p, tag) || liquid_unexpected_tag(p, tag);
}

static bool
is_only_space(LiquidSpan span)
{
	while (span.s < span.end && liquid_is_space(*span.s))
		span.s++;
	return span.s == span.end;
}

/* {% if %} and {% unless %} */
static bool
parse_if(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	LiquidIf   *tag = palloc0(sizeof(LiquidIf));
	LiquidSpan	name = p->tag_name;
	bool		is_else = false;
	int			max = 0;

	tag->negated = liquid_span_is(name, "unless");
	node->kind = LIQUID_IF_NODE;
	node->blank = true;
	node->u.tag = tag;
	do
	{
		LiquidBranch branch = {NULL};

		if (!is_else)
		{
			branch.condition = liquid_parse_condition(p, markup);
			if (branch.condition == NULL)
				return false;
		}
		if (!liquid_parse_block(p, &branch.body))
			return false;
		LIQUID_GROW(tag->branches, tag->nbranches, max);
		tag->branches[tag->nbranches++] = branch;
		node->blank = node->blank && branch.body.blank;
		if (p->end_name.s == NULL)
			return liquid_never_closed(p, name);
		markup = p->end_markup;
		is_else = liquid_span_is(p->end_name, "else");
	} while (is_else || liquid_span_is(p->end_name, "elsif"));

	if (!is_end_of(p, name))
		return liquid_unexpected_tag(p, name);
	for (int i = 0; node->blank && i < tag->nbranches; i++)
		liquid_drop_blank_texts(&tag->branches[i].body);
	return true;
}

/*
 * The values of a "when", with "or" or a comma between them; as in Liquid, what
 * follows them is not looked at.
 */
static bool
parse_when(LiquidParser *p, LiquidSpan markup, LiquidWhen *when)
{
	LiquidLexer lex;
	int			max = 0;

	liquid_lex_start(&lex, markup);
	do
	{
		LiquidExpr *value = liquid_parse_operand(p, &lex);

		if (value == NULL)
			return false;
		LIQUID_GROW(when->values, when->nvalues, max);
		when->values[when->nvalues++] = value;
	} while (liquid_lex_take_word(&lex, "or") || liquid_lex_take(&lex, ','));
	return true;
}

/* {% case %}; what stands before the first "when" prints nothing */
static bool
parse_case(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	LiquidCase *tag = palloc0(sizeof(LiquidCase));
	LiquidSpan	name = p->tag_name;
	LiquidBlock before;
	LiquidLexer lex;
	int			max = 0;

	node->kind = LIQUID_CASE_NODE;
	node->u.tag = tag;
	liquid_lex_start(&lex, markup);
	tag->subject = liquid_parse_expr(p, &lex);
	if (tag->subject == NULL || !liquid_expect_end(p, &lex) ||
		!liquid_parse_block(p, &before))
		return false;
	node->blank = before.blank;
	for (;;)
	{
		LiquidWhen	when = {0};

		if (p->end_name.s == NULL)
			return liquid_never_closed(p, name);
		if (is_end_of(p, name))
			break;
		if (liquid_span_is(p->end_name, "when"))
		{
			if (!parse_when(p, p->end_markup, &when))
				return false;
		}
		else if (!liquid_span_is(p->end_name, "else"))
			return liquid_unexpected_tag(p, name);
		else if (!is_only_space(p->end_markup))
		{
			liquid_parse_fail(p, p->end_markup,
							  "\"else\" of \"case\" takes no condition");
			return false;
		}
		if (!liquid_parse_block(p, &when.body))
			return false;
		LIQUID_GROW(tag->whens, tag->nwhens, max);
		tag->whens[tag->nwhens++] = when;
		node->blank = node->blank && when.body.blank;
	}
	for (int i = 0; node->blank && i < tag->nwhens; i++)
		liquid_drop_blank_texts(&tag->whens[i].body);
	return true;
}

/* "variable-collection", the collection as written but without spaces */
static LiquidKey
loop_name(const LiquidKey *variable, const char *s, const char *end)
{
	StringInfoData buf;
	char		quote = '\0';

	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, variable->s, variable->len);
	appendStringInfoChar(&buf, '-');
	for (; s < end; s++)
	{
		if (quote == '\0' && liquid_is_space(*s))
			continue;
		if (quote == *s)
			quote = '\0';
		else if (quote == '\0' && (*s == '"' || *s == '\''))
			quote = *s;
		appendStringInfoChar(&buf, *s);
	}
	return liquid_key(buf.data, buf.len);
}

/* "item in collection", of for and tablerow */
static bool
parse_loop_head(LiquidParser *p, LiquidLexer *lex, LiquidFor *tag)
{
	const char *start;

	if (!liquid_parse_name(p, lex, &tag->variable))
		return false;
	if (!liquid_lex_take_word(lex, "in"))
		return liquid_fail_token(p, lex, "\"in\"");
	start = lex->token.s;
	tag->collection = liquid_parse_expr(p, lex);
	if (tag->collection == NULL)
		return false;
	tag->name = loop_name(&tag->variable, start, lex->token.s);
	return true;
}

/* Where a loop's attribute goes, or NULL where there is none of that name */
static LiquidExpr **
loop_attribute(LiquidFor *tag, bool is_table, const LiquidToken *name,
			   LiquidExpr **ignored)
{
	if (liquid_word_is(name->s, name->len, "limit"))
		return &tag->limit;
	if (liquid_word_is(name->s, name->len, "offset"))
		return &tag->offset;
	if (is_table && liquid_word_is(name->s, name->len, "cols"))
		return &tag->cols;
	return is_table ? ignored : NULL;	/* tables may have any, as in Liquid */
}

/* "reversed", "limit: n", "offset: n" in any order, commas between or not */
static bool
parse_loop_attributes(LiquidParser *p, LiquidLexer *lex, LiquidFor *tag,
					  bool is_table)
{
	LiquidExpr *ignored;

	while (lex->token.kind != LIQUID_TOKEN_END)
	{
		LiquidExpr **attribute;

		if (!is_table && liquid_lex_take_word(lex, "reversed"))
		{
			tag->reversed = true;
			continue;
		}
		if (liquid_lex_take(lex, ','))
			continue;
		attribute = lex->token.kind == LIQUID_TOKEN_ID ?
			loop_attribute(tag, is_table, &lex->token, &ignored) : NULL;
		if (attribute == NULL)
			return liquid_fail_token(p, lex, is_table ?
									 "cols, limit or offset" :
									 "limit, offset or reversed");
		liquid_lex_next(lex);
		if (!liquid_lex_take(lex, ':'))
			return liquid_fail_token(p, lex, "\":\"");
		if (!is_table && attribute == &tag->offset &&
			liquid_lex_take_word(lex, "continue"))
		{
			tag->offset_continues = true;
			continue;
		}
		*attribute = liquid_parse_expr(p, lex);
		if (*attribute == NULL)
			return false;
		if (attribute == &tag->offset)
			tag->offset_continues = false;	/* the last one counts */
	}
	return true;
}

static bool
parse_for(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	LiquidFor  *tag = palloc0(sizeof(LiquidFor));
	LiquidSpan	name = p->tag_name;
	LiquidLexer lex;

	node->kind = LIQUID_FOR_NODE;
	node->u.tag = tag;
	liquid_lex_start(&lex, markup);
	if (!parse_loop_head(p, &lex, tag) ||
		!parse_loop_attributes(p, &lex, tag, false) ||
		!liquid_parse_block(p, &tag->body))
		return false;
	node->blank = tag->body.blank;
	if (p->end_name.s != NULL && liquid_span_is(p->end_name, "else"))
	{
		tag->has_else = true;
		if (!liquid_parse_block(p, &tag->otherwise))
			return false;
		node->blank = node->blank && tag->otherwise.blank;
	}
	if (p->end_name.s == NULL)
		return liquid_never_closed(p, name);
	if (!is_end_of(p, name))
		return liquid_unexpected_tag(p, name);
	if (node->blank)
	{
		liquid_drop_blank_texts(&tag->body);
		liquid_drop_blank_texts(&tag->otherwise);
	}
	return true;
}

static bool
parse_tablerow(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	LiquidFor  *tag = palloc0(sizeof(LiquidFor));
	LiquidSpan	name = p->tag_name;
	LiquidLexer lex;

	node->kind = LIQUID_TABLEROW_NODE;
	node->u.tag = tag;
	liquid_lex_start(&lex, markup);
	if (!parse_loop_head(p, &lex, tag) ||
		!parse_loop_attributes(p, &lex, tag, true) ||
		!parse_whole_body(p, name, &tag->body))
		return false;
	node->blank = tag->body.blank;
	return true;
}

static bool
parse_break(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	node->kind = LIQUID_BREAK_NODE;
	return true;
}

static bool
parse_continue(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	node->kind = LIQUID_CONTINUE_NODE;
	return true;
}

/*
 * The group of a cycle without a name: cycles over the same literals belong
 * together, and one with variables is alone.
 */
static LiquidKey
cycle_name(const LiquidCycle *tag)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, 'u');
	for (int i = 0; i < tag->nvalues; i++)
	{
		const LiquidExpr *value = tag->values[i];

		if (value->kind != LIQUID_LITERAL)
			appendBinaryStringInfo(&buf, (const char *) &value,
								   sizeof(value));
		else if (value->u.literal.kind == LIQUID_STRING)
			appendStringInfo(&buf, "s%d:%.*s", value->u.literal.len,
							 value->u.literal.len, value->u.literal.u.s);
		else
			appendStringInfo(&buf, "%d:" INT64_FORMAT, value->u.literal.kind,
							 value->u.literal.u.i);
	}
	return liquid_key(buf.data, buf.len);
}

static bool
parse_cycle(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	LiquidCycle *tag = palloc0(sizeof(LiquidCycle));
	LiquidLexer lex;
	LiquidExpr *value;
	int			max = 0;

	node->kind = LIQUID_CYCLE_NODE;
	node->u.tag = tag;
	liquid_lex_start(&lex, markup);
	value = liquid_parse_expr(p, &lex);
	if (value != NULL && liquid_lex_take(&lex, ':'))
	{
		tag->group = value;
		value = liquid_parse_expr(p, &lex);
	}
	while (value != NULL)
	{
		LIQUID_GROW(tag->values, tag->nvalues, max);
		tag->values[tag->nvalues++] = value;
		if (!liquid_lex_take(&lex, ',') || lex.token.kind == LIQUID_TOKEN_END)
			break;
		value = liquid_parse_expr(p, &lex);
	}
	if (value == NULL || !liquid_expect_end(p, &lex))
		return false;
	tag->name = cycle_name(tag);
	return true;
}

static bool
parse_assign(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	LiquidAssign *tag = palloc0(sizeof(LiquidAssign));
	LiquidLexer lex;

	node->kind = LIQUID_ASSIGN_NODE;
	node->blank = true;
	node->u.tag = tag;
	liquid_lex_start(&lex, markup);
	if (!liquid_parse_new_name(p, &lex, &tag->variable))
		return false;
	if (lex.token.kind == LIQUID_TOKEN_END || *lex.token.s != '=')
		return liquid_fail_token(p, &lex, "\"=\"");
	markup.s = lex.token.s + 1;
	return liquid_parse_output(p, markup, &tag->value);
}

/* {% capture name %}; the name may stand in quotes */
static bool
parse_capture(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	LiquidCapture *tag = palloc0(sizeof(LiquidCapture));
	LiquidSpan	name = p->tag_name;
	LiquidLexer lex;

	node->kind = LIQUID_CAPTURE_NODE;
	node->blank = true;
	node->u.tag = tag;
	liquid_lex_start(&lex, markup);
	if (lex.token.kind == LIQUID_TOKEN_STRING && lex.token.len > 2)
	{
		tag->variable = liquid_key(lex.token.s + 1, lex.token.len - 2);
		liquid_lex_next(&lex);
	}
	else if (!liquid_parse_new_name(p, &lex, &tag->variable))
		return false;
	return liquid_expect_end(p, &lex) &&
		parse_whole_body(p, name, &tag->body);
}

/* {% increment name %} and {% decrement name %} */
static bool
parse_counter(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	LiquidCounter *tag = palloc0(sizeof(LiquidCounter));
	LiquidLexer lex;

	node->kind = LIQUID_COUNTER_NODE;
	node->u.tag = tag;
	tag->down = liquid_span_is(p->tag_name, "decrement");
	liquid_lex_start(&lex, markup);
	return liquid_parse_name(p, &lex, &tag->variable) &&
		liquid_expect_end(p, &lex);
}

static bool
parse_ifchanged(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	LiquidCapture *tag = palloc0(sizeof(LiquidCapture));

	node->kind = LIQUID_IFCHANGED_NODE;
	node->u.tag = tag;
	if (!parse_whole_body(p, p->tag_name, &tag->body))
		return false;
	node->blank = tag->body.blank;
	return true;
}

static bool
parse_comment(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	node->kind = LIQUID_NOTHING_NODE;
	node->blank = true;
	return liquid_skip_comment(p);
}

/* {% # remark %}: each further line begins with # again */
static bool
parse_inline_comment(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	const char *s = markup.s;

	node->kind = LIQUID_NOTHING_NODE;
	node->blank = true;
	while (s < markup.end && (s = memchr(s, '\n', markup.end - s)) != NULL)
	{
		while (s < markup.end && liquid_is_space(*s))
			s++;
		if (s < markup.end && *s != '#')
		{
			liquid_parse_fail(p, liquid_span(s, markup.end),
							  "each line of a comment must begin with \"#\"");
			return false;
		}
	}
	return true;
}

static bool
takes_nothing(LiquidParser *p, LiquidSpan markup)
{
	LiquidSpan	name = p->tag_name;

	if (is_only_space(markup))
		return true;
	liquid_parse_fail(p, markup, "tag \"%.*s\" takes no arguments",
					  (int) (name.end - name.s), name.s);
	return false;
}

static bool
parse_raw(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	LiquidSpan	body;

	if (!takes_nothing(p, markup) || !liquid_parse_raw_body(p, &body))
		return false;
	node->kind = LIQUID_RAW_NODE;
	node->u.text = body.s;
	node->len = body.end - body.s;
	node->blank = node->len == 0;
	return true;
}

/* {% doc %}: a comment that neither nests nor takes arguments */
static bool
parse_doc(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	LiquidSpan	body;

	if (!takes_nothing(p, markup) || !liquid_parse_raw_body(p, &body))
		return false;
	node->kind = LIQUID_NOTHING_NODE;
	node->blank = body.s == body.end;
	return true;
}

static bool
parse_echo(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	node->kind = LIQUID_OUTPUT_NODE;
	node->u.output = palloc(sizeof(LiquidOutput));
	return liquid_parse_output(p, markup, node->u.output);
}

/* {% abort "reason" %} */
static bool
parse_abort(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	node->kind = LIQUID_ABORT_NODE;
	node->blank = true;
	node->u.output = palloc(sizeof(LiquidOutput));
	return liquid_parse_output(p, markup, node->u.output);
}

/* "name: value" pairs, commas between or not */
static bool
parse_parameters(LiquidParser *p, LiquidLexer *lex, LiquidPartial *tag)
{
	int			max_names = 0;
	int			max_params = 0;

	liquid_lex_take(lex, ',');
	while (lex->token.kind == LIQUID_TOKEN_ID)
	{
		LIQUID_GROW(tag->names, tag->nparams, max_names);
		LIQUID_GROW(tag->params, tag->nparams, max_params);
		if (!liquid_parse_name(p, lex, &tag->names[tag->nparams]))
			return false;
		if (!liquid_lex_take(lex, ':'))
			return liquid_fail_token(p, lex, "\":\"");
		tag->params[tag->nparams] = liquid_parse_expr(p, lex);
		if (tag->params[tag->nparams++] == NULL)
			return false;
		liquid_lex_take(lex, ',');
	}
	return liquid_expect_end(p, lex);
}

/*
 * {% render "name" with value as alias, parameter: value %}, and include,
 * whose name may be any expression.
 */
static bool
parse_partial(LiquidParser *p, LiquidSpan markup, LiquidNode *node)
{
	LiquidPartial *tag = palloc0(sizeof(LiquidPartial));
	bool		is_render = liquid_span_is(p->tag_name, "render");
	LiquidLexer lex;

	tag->is_include = !is_render;
	node->kind = is_render ? LIQUID_RENDER_NODE : LIQUID_INCLUDE_NODE;
	node->u.tag = tag;
	liquid_lex_start(&lex, markup);
	if (is_render && lex.token.kind != LIQUID_TOKEN_STRING)
		return liquid_fail_token(p, &lex, "a partial's name in quotes");
	tag->template_name = liquid_parse_expr(p, &lex);
	if (tag->template_name == NULL)
		return false;
	tag->is_for = liquid_lex_take_word(&lex, "for");
	if (tag->is_for || liquid_lex_take_word(&lex, "with"))
	{
		tag->variable = liquid_parse_expr(p, &lex);
		if (tag->variable == NULL)
			return false;
	}
	if (liquid_lex_take_word(&lex, "as") &&
		!liquid_parse_name(p, &lex, &tag->alias))
		return false;
	return parse_parameters(p, &lex, tag);
}

/* The tags that begin something, in order */
static const struct
{
	const char *name;
	LiquidTagParser parse;
}			tags[] = {
	{"#", parse_inline_comment},
	{"abort", parse_abort},
	{"assign", parse_assign},
	{"break", parse_break},
	{"capture", parse_capture},
	{"case", parse_case},
	{"comment", parse_comment},
	{"continue", parse_continue},
	{"cycle", parse_cycle},
	{"decrement", parse_counter},
	{"doc", parse_doc},
	{"echo", parse_echo},
	{"for", parse_for},
	{"if", parse_if},
	{"ifchanged", parse_ifchanged},
	{"include", parse_partial},
	{"increment", parse_counter},
	{"raw", parse_raw},
	{"render", parse_partial},
	{"tablerow", parse_tablerow},
	{"unless", parse_if},
};

/* The parser of a tag, or NULL where none begins with that name */
LiquidTagParser
liquid_find_tag(LiquidSpan name)
{
	for (int i = 0; i < lengthof(tags); i++)
	{
		if (liquid_span_is(name, tags[i].name))
			return tags[i].parse;
	}
	return NULL;
}
