/*-------------------------------------------------------------------------
 *
 * liquid_parse.c
 *	  Parser of Liquid templates: texts, outputs, tags and their blocks.
 *
 * The source is cut into tokens exactly where Liquid cuts it: an output ends
 * at the first "}}" and a tag at the first "%}", quotes or not.  A block ends
 * at a tag that does not begin anything ("else", "endif"), and whoever asked
 * for the block decides whether that tag belongs there.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_parse.h"

#include "liquid_settings.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* How much of the offending text an error shows, in bytes */
#define NEAR_LENGTH		60

/* How many bytes of a text an error shows, cutting no character in two */
int
liquid_shown_length(const char *s, int len)
{
	return pg_mbcliplen(s, len, NEAR_LENGTH);
}

/* Notes the first error; later ones follow from it. */
void
liquid_parse_fail(LiquidParser *p, LiquidSpan near, const char *fmt,...)
{
	StringInfoData buf;
	int			needed;

	if (p->failed)
		return;
	p->failed = true;
	p->sqlstate = ERRCODE_SYNTAX_ERROR;
	p->near = near;
	initStringInfo(&buf);
	do
	{
		va_list		args;

		va_start(args, fmt);
		needed = appendStringInfoVA(&buf, fmt, args);
		va_end(args);
		if (needed > 0)
			enlargeStringInfo(&buf, needed);
	} while (needed > 0);
	p->message = buf.data;
}

void
liquid_parse_fail_nesting(LiquidParser *p, LiquidSpan near)
{
	liquid_parse_fail(p, near,
					  "nesting is deeper than nudge.template_max_nesting");
	p->sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}

/* Where the error is: line and column from 1, columns in characters. */
void
liquid_error_position(const LiquidParser *p, int *line, int *column)
{
	const char *start = p->source;

	*line = 1;
	for (const char *s = p->source; s < p->near.s; s++)
	{
		if (*s == '\n')
		{
			(*line)++;
			start = s + 1;
		}
	}
	*column = pg_mbstrlen_with_len(start, p->near.s - start) + 1;
}

/* The line of a place in the source; places come in rising order. */
static int
line_of(LiquidParser *p, const char *s)
{
	while (p->line_pos < s)
	{
		if (*p->line_pos++ == '\n')
			p->line++;
	}
	return p->line;
}

/* First place at or after s that starts with the two characters, or NULL */
static const char *
find_pair(const char *s, const char *end, char a, char b)
{
	while (end - s >= 2)
	{
		s = memchr(s, a, end - s - 1);
		if (s == NULL || s[1] == b)
			return s;
		s++;
	}
	return NULL;
}

/*
 * The end of the output that starts at s, or NULL where it does not end well.
 * It ends at "}}", badly at a lone "}", and a "{%" within makes it run on to
 * the tag's end.
 */
static const char *
end_of_output(const char *s, const char *end, bool *closed)
{
	*closed = false;
	for (const char *c = s + 2; c < end; c++)
	{
		if (*c == '}')
		{
			*closed = c + 1 < end && c[1] == '}';
			return *closed ? c + 2 : c + 1;
		}
		if (*c == '{' && c + 1 < end && c[1] == '%')
		{
			c = find_pair(c + 2, end, '%', '}');
			return c == NULL ? end : c + 2;
		}
	}
	return end;
}

/* Where the text that starts at s ends */
static const char *
end_of_text(const char *s, const char *end)
{
	while (end - s >= 2)
	{
		s = memchr(s, '{', end - s - 1);
		if (s == NULL)
			return end;
		if (s[1] == '{' || s[1] == '%')
			return s;
		s++;
	}
	return end;
}

/* Splits "{%- name markup -%}" (from s to end) into name and markup. */
static bool
split_tag(LiquidParser *p, const char *s, const char *end, LiquidSpan *name,
		  LiquidSpan *markup)
{
	const char *c = s + 2;
	const char *stop = end - 2;

	if (c < stop && *c == '-')
		c++;
	if (stop > c && stop[-1] == '-')
		stop--;
	while (c < stop && liquid_is_space(*c))
		c++;
	name->s = c;
	if (c < stop && *c == '#')
		c++;
	else
	{
		while (c < stop && (isalnum((unsigned char) *c) || *c == '_') &&
			   !IS_HIGHBIT_SET(*c))
			c++;
	}
	name->end = c;
	while (c < stop && liquid_is_space(*c))
		c++;
	*markup = liquid_span(c, stop);
	return name->end > name->s;
}

/* Splits a line of a liquid tag likewise. */
static bool
split_line(const char *s, const char *end, LiquidSpan *name,
		   LiquidSpan *markup)
{
	while (s < end && liquid_is_space(*s))
		s++;
	name->s = s;
	if (s < end && *s == '#')
		s++;
	else
	{
		while (s < end && !IS_HIGHBIT_SET(*s) &&
			   (isalnum((unsigned char) *s) || *s == '_'))
			s++;
	}
	name->end = s;
	while (s < end && liquid_is_space(*s))
		s++;
	*markup = liquid_span(s, end);
	return name->end > name->s;
}

/* Reads one line of a liquid tag; false at its end. */
static bool
next_line(LiquidParser *p, LiquidSpan *line)
{
	const char *newline;

	if (p->pos >= p->end)
		return false;
	newline = memchr(p->pos, '\n', p->end - p->pos);
	*line = liquid_span(p->pos, newline != NULL ? newline : p->end);
	p->pos = newline != NULL ? newline + 1 : p->end;
	return true;
}

/* The nodes of a block while it is parsed */
typedef struct NodeList
{
	LiquidBlock *block;
	int			max;
} NodeList;

static LiquidNode *
new_node(NodeList *list, LiquidNodeKind kind, int line)
{
	LiquidBlock *block = list->block;
	LiquidNode *node;

	LIQUID_GROW(block->nodes, block->n, list->max);
	node = &block->nodes[block->n++];
	memset(node, 0, sizeof(LiquidNode));
	node->kind = kind;
	node->line = line;
	return node;
}

static inline bool
is_trimmed(char c)
{
	return liquid_is_space(c) || c == '\0';
}

/* "{{-" and "{%-" take the space from the end of the text before. */
static void
trim_text_before(NodeList *list)
{
	LiquidNode *node;

	if (list->block->n == 0)
		return;
	node = &list->block->nodes[list->block->n - 1];
	if (node->kind != LIQUID_TEXT_NODE)
		return;
	while (node->len > 0 && is_trimmed(node->u.text[node->len - 1]))
		node->len--;
}

static void
parse_text(LiquidParser *p, NodeList *list)
{
	const char *s = p->pos;
	const char *end = end_of_text(s, p->end);
	LiquidNode *node;

	p->pos = end;
	if (p->trim)
	{
		while (s < end && is_trimmed(*s))
			s++;
	}
	p->trim = false;
	node = new_node(list, LIQUID_TEXT_NODE, 0);
	node->u.text = s;
	node->len = end - s;
	node->blank = true;
	while (s < end && liquid_is_space(*s))
		s++;
	if (s < end)
	{
		node->blank = false;
		list->block->blank = false;
	}
}

static bool
parse_output(LiquidParser *p, NodeList *list)
{
	const char *s = p->pos;
	bool		closed;
	const char *end = end_of_output(s, p->end, &closed);
	LiquidSpan	markup;
	LiquidNode *node;

	if (!closed)
	{
		liquid_parse_fail(p, liquid_span(s, end),
						  "output is not closed with \"}}\"");
		return false;
	}
	if (s[2] == '-')
		trim_text_before(list);
	p->trim = end[-3] == '-';
	p->pos = end;
	markup = liquid_span(s + (s[2] == '-' ? 3 : 2), end - (p->trim ? 3 : 2));
	if (markup.end < markup.s)	/* {{-}} */
		markup.end = markup.s;
	node = new_node(list, LIQUID_OUTPUT_NODE, line_of(p, s));
	node->u.output = palloc(sizeof(LiquidOutput));
	list->block->blank = false;
	return liquid_parse_output(p, markup, node->u.output);
}

static bool parse_nodes(LiquidParser *p, NodeList *list);

/* {% liquid %}: its lines are tags of the block in which it stands. */
static bool
parse_liquid_tag(LiquidParser *p, LiquidSpan markup, NodeList *list)
{
	LiquidParser saved = *p;
	bool		ok;

	p->pos = markup.s;
	p->end = markup.end;
	p->by_line = true;
	ok = parse_nodes(p, list);
	p->pos = saved.pos;
	p->end = saved.end;
	p->by_line = saved.by_line;
	if (ok && p->end_name.s != NULL)
	{
		liquid_unexpected_tag(p, saved.tag_name);
		return false;
	}
	return ok;
}

/*
 * One tag with what belongs to it.  Sets *ended where the tag is none that
 * begins something: it ends the block, and stands in end_name.
 */
static bool
parse_tag(LiquidParser *p, NodeList *list, LiquidSpan name, LiquidSpan markup,
		  bool *ended)
{
	LiquidTagParser parse;
	LiquidNode	node = {LIQUID_NOTHING_NODE};

	*ended = false;
	p->tag_name = name;
	if (liquid_span_is(name, "liquid"))
	{
		bool		ok;

		if (p->depth >= p->max_depth || stack_is_too_deep())
		{
			liquid_parse_fail_nesting(p, name);
			return false;
		}
		p->depth++;
		ok = parse_liquid_tag(p, markup, list);
		p->depth--;
		return ok;
	}
	parse = liquid_find_tag(name);
	if (parse == NULL)
	{
		p->end_name = name;
		p->end_markup = markup;
		*ended = true;
		return true;
	}
	node.line = line_of(p, name.s);
	if (!parse(p, markup, &node))
		return false;
	*new_node(list, node.kind, node.line) = node;
	if (!node.blank)
		list->block->blank = false;
	return true;
}

static bool
parse_tag_token(LiquidParser *p, NodeList *list, bool *ended)
{
	const char *s = p->pos;
	const char *end = find_pair(s + 2, p->end, '%', '}');
	LiquidSpan	name;
	LiquidSpan	markup;

	if (end == NULL)
	{
		liquid_parse_fail(p, liquid_span(s, p->end),
						  "tag is not closed with \"%%}\"");
		return false;
	}
	end += 2;
	if (s[2] == '-')
		trim_text_before(list);
	p->trim = end[-3] == '-';
	p->pos = end;
	if (!split_tag(p, s, end, &name, &markup))
	{
		liquid_parse_fail(p, liquid_span(s, end), "tag has no name");
		return false;
	}
	return parse_tag(p, list, name, markup, ended);
}

/* Parses up to a tag that ends the block, or up to the end. */
static bool
parse_nodes(LiquidParser *p, NodeList *list)
{
	bool		ended = false;

	p->end_name = liquid_span(NULL, NULL);
	while (p->pos < p->end && !ended)
	{
		CHECK_FOR_INTERRUPTS();
		if (p->by_line)
		{
			LiquidSpan	line = {NULL, NULL};
			LiquidSpan	name;
			LiquidSpan	markup;
			LiquidSpan	rest;

			if (!next_line(p, &line))
				break;
			rest = line;
			while (rest.s < rest.end && liquid_is_space(*rest.s))
				rest.s++;
			if (rest.s == rest.end)
				continue;
			if (!split_line(line.s, line.end, &name, &markup))
			{
				liquid_parse_fail(p, rest, "tag has no name");
				return false;
			}
			if (!parse_tag(p, list, name, markup, &ended))
				return false;
		}
		else if (p->end - p->pos >= 2 && p->pos[0] == '{' && p->pos[1] == '%')
		{
			if (!parse_tag_token(p, list, &ended))
				return false;
		}
		else if (p->end - p->pos >= 2 && p->pos[0] == '{' && p->pos[1] == '{')
		{
			if (!parse_output(p, list))
				return false;
		}
		else
			parse_text(p, list);
		if (!ended)
			p->end_name = liquid_span(NULL, NULL);
	}
	return true;
}

/*
 * Parses a block.  On success end_name is the tag that ended it (its s is
 * NULL at the end of the source).
 */
bool
liquid_parse_block(LiquidParser *p, LiquidBlock *block)
{
	NodeList	list = {block, 0};
	bool		ok;

	if (p->depth >= p->max_depth || stack_is_too_deep())
	{
		liquid_parse_fail_nesting(p, p->tag_name);
		return false;
	}
	memset(block, 0, sizeof(LiquidBlock));
	block->blank = true;
	p->depth++;
	ok = parse_nodes(p, &list);
	p->depth--;
	return ok;
}

/*
 * A tag all of whose bodies print nothing but white space prints nothing at
 * all: this is called on each of them.
 */
void
liquid_drop_blank_texts(LiquidBlock *block)
{
	int			n = 0;

	for (int i = 0; i < block->n; i++)
	{
		if (block->nodes[i].kind != LIQUID_TEXT_NODE)
			block->nodes[n++] = block->nodes[i];
	}
	block->n = n;
}

bool
liquid_never_closed(LiquidParser *p, LiquidSpan tag)
{
	liquid_parse_fail(p, tag, "tag \"%.*s\" is never closed",
					  liquid_shown_length(tag.s, tag.end - tag.s), tag.s);
	return false;
}

/* end_name does not belong into the block that the tag begins. */
bool
liquid_unexpected_tag(LiquidParser *p, LiquidSpan block)
{
	LiquidSpan	name = p->end_name;
	int			len = name.end - name.s;
	int			shown = liquid_shown_length(name.s, len);

	if (liquid_span_is(name, "else") || liquid_span_is(name, "elsif") ||
		liquid_span_is(name, "when") ||
		(len >= 3 && memcmp(name.s, "end", 3) == 0))
	{
		if (block.s == NULL)
			liquid_parse_fail(p, name, "unexpected tag \"%.*s\"", shown,
							  name.s);
		else
			liquid_parse_fail(p, name,
							  "unexpected tag \"%.*s\" inside \"%.*s\"",
							  shown, name.s,
							  (int) (block.end - block.s), block.s);
	}
	else
		liquid_parse_fail(p, name, "unknown tag \"%.*s\"",
						  shown, name.s);
	return false;
}

/* Is the token from s to end, or what a tag inside it begins, "endNAME"? */
static bool
ends_raw(LiquidParser *p, const char *s, const char *end, const char *word,
		 const char **tag)
{
	LiquidSpan	name;
	LiquidSpan	markup;

	if (end - s < 4 || end[-1] != '}' || end[-2] != '%')
		return false;
	for (const char *c = end - 4; c >= s; c--)
	{
		if (c[0] == '{' && c[1] == '%' &&
			split_tag(p, c, end, &name, &markup) && liquid_span_is(name, word))
		{
			*tag = c;
			return true;
		}
	}
	return false;
}

/* The end of the token at pos, whichever kind it is */
static const char *
end_of_token(LiquidParser *p)
{
	const char *s = p->pos;
	bool		closed;

	if (p->end - s >= 2 && s[0] == '{' && s[1] == '%')
	{
		const char *end = p->no_tag_ends ? NULL :
		find_pair(s + 2, p->end, '%', '}');

		p->no_tag_ends = end == NULL;
		return end != NULL ? end + 2 : s + 2;
	}
	if (p->end - s >= 2 && s[0] == '{' && s[1] == '{')
		return end_of_output(s, p->end, &closed);
	return end_of_text(s, p->end);
}

/*
 * Reads over everything up to "endraw" (or the end of another tag whose body
 * is not parsed); *body is what lies before it.
 */
static bool
skip_to(LiquidParser *p, const char *word, LiquidSpan *body)
{
	const char *start = p->pos;

	while (!p->by_line && p->pos < p->end)
	{
		const char *s = p->pos;
		const char *tag;

		CHECK_FOR_INTERRUPTS();
		p->pos = end_of_token(p);
		if (ends_raw(p, s, p->pos, word, &tag))
		{
			p->trim = p->pos[-3] == '-';
			*body = liquid_span(start, tag);
			return true;
		}
	}
	return false;
}

bool
liquid_parse_raw_body(LiquidParser *p, LiquidSpan *body)
{
	LiquidSpan	name = p->tag_name;
	char		word[16];

	snprintf(word, sizeof(word), "end%.*s", (int) (name.end - name.s), name.s);
	return skip_to(p, word, body) || liquid_never_closed(p, name);
}

/* Name of the next tag or line, or an empty span where it is none */
static LiquidSpan
next_tag_name(LiquidParser *p)
{
	LiquidSpan	name = {p->pos, p->pos};
	LiquidSpan	markup;
	LiquidSpan	line = {NULL, NULL};

	if (p->by_line)
	{
		if (next_line(p, &line) &&
			!split_line(line.s, line.end, &name, &markup))
			name.end = name.s;
	}
	else
	{
		const char *s = p->pos;

		p->pos = end_of_token(p);
		if (p->pos - s < 4 || s[0] != '{' || s[1] != '%' ||
			!split_tag(p, s, p->pos, &name, &markup))
			name.end = name.s;
		else
			p->trim = p->pos[-3] == '-';
	}
	return name;
}

/* Reads over a comment: comments nest, and raw hides what it holds. */
bool
liquid_skip_comment(LiquidParser *p)
{
	LiquidSpan	tag = p->tag_name;
	int			depth = 1;

	while (p->pos < p->end)
	{
		LiquidSpan	name = next_tag_name(p);
		LiquidSpan	body;

		CHECK_FOR_INTERRUPTS();
		if (liquid_span_is(name, "comment"))
			depth++;
		else if (liquid_span_is(name, "endcomment") && --depth == 0)
			return true;
		else if (liquid_span_is(name, "raw") && !skip_to(p, "endraw", &body))
			return liquid_never_closed(p, name);
	}
	return liquid_never_closed(p, tag);
}

/* Parses; after a failure returns NULL, and the parser says what it was. */
LiquidTemplate *
liquid_parse_softly(LiquidParser *p, const char *source, int len)
{
	LiquidTemplate *template = palloc0(sizeof(LiquidTemplate));
	char	   *copy = pnstrdup(source, len);

	memset(p, 0, sizeof(LiquidParser));
	p->source = p->pos = p->line_pos = copy;
	p->end = copy + len;
	p->line = 1;
	p->max_depth = liquid_max_nesting;
	if (!liquid_parse_block(p, &template->root))
		return NULL;
	if (p->end_name.s != NULL)
	{
		liquid_unexpected_tag(p, liquid_span(NULL, NULL));
		return NULL;
	}
	return template;
}

/* How much of the offending text to show: up to a line's end, and not much */
static int
near_length(LiquidSpan near)
{
	int			len = near.end - near.s;
	const char *newline = len > 0 ? memchr(near.s, '\n', len) : NULL;

	if (newline != NULL)
		len = newline - near.s;
	while (len > 0 && liquid_is_space(near.s[len - 1]))
		len--;
	return liquid_shown_length(near.s, len);
}

/*
 * Raises what stopped a parser: 42601 with line, column and the offending
 * text, or 54000 where the template nests too deep.
 */
void
liquid_raise(const LiquidParser *p)
{
	int			shown = near_length(p->near);
	int			line;
	int			column;

	liquid_error_position(p, &line, &column);
	ereport(ERROR,
			(errcode(p->sqlstate),
			 errmsg("template line %d, column %d: %s",
					line, column, p->message),
			 shown > 0 ?
			 errdetail("The error is at \"%.*s\".", shown, p->near.s) :
			 errdetail("The error is at the end of the text.")));
}

/*
 * Parses a template into a memory context.  Raises what liquid_raise does;
 * the context then holds nothing of use.
 */
LiquidTemplate *
liquid_parse(const char *source, int len, MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	LiquidParser parser;
	LiquidTemplate *template = liquid_parse_softly(&parser, source, len);

	MemoryContextSwitchTo(old);
	if (template == NULL)
		liquid_raise(&parser);
	return template;
}
