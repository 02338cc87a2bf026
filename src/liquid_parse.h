/*-------------------------------------------------------------------------
 *
 * liquid_parse.h
 *	  What the files of the Liquid parser share.
 *
 * The first error stops the parser softly: it is noted in the LiquidParser,
 * every function returns, and liquid_parse raises it or, for a partial, the
 * rendering reports it.  All memory comes from the current memory context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LIQUID_PARSE_H
#define LIQUID_PARSE_H

#include "liquid_tree.h"

/* Arguments of one filter */
#define LIQUID_MAX_ARGS			32

/* Text between two pointers */
typedef struct LiquidSpan
{
	const char *s;
	const char *end;
} LiquidSpan;

typedef enum LiquidTokenKind
{
	LIQUID_TOKEN_END,
	LIQUID_TOKEN_ID,
	LIQUID_TOKEN_STRING,		/* with its quotes */
	LIQUID_TOKEN_NUMBER,
	LIQUID_TOKEN_COMPARISON,
	LIQUID_TOKEN_DOTDOT,
	LIQUID_TOKEN_CHAR,			/* | . : , [ ] ( ) ? - */
	LIQUID_TOKEN_BAD
} LiquidTokenKind;

typedef struct LiquidToken
{
	LiquidTokenKind kind;
	const char *s;
	int			len;
} LiquidToken;

/* The inside of one {{ }} or {% %}, token by token */
typedef struct LiquidLexer
{
	const char *next;
	const char *end;
	LiquidToken token;			/* the current one */
} LiquidLexer;

typedef struct LiquidParser
{
	/* The source, or the lines of a liquid tag */
	const char *source;
	const char *pos;
	const char *end;
	bool		by_line;		/* inside {% liquid %} */
	bool		no_tag_ends;	/* there is no "%}" from here on */
	bool		trim;			/* the text that follows loses leading space */
	int			depth;			/* of blocks and expressions */
	int			max_depth;

	/* The tag that ended the innermost block; s is NULL at the end */
	LiquidSpan	end_name;
	LiquidSpan	end_markup;

	/* The line of line_pos, from 1 */
	int			line;
	const char *line_pos;

	LiquidSpan	tag_name;		/* of the tag in hand */

	/* The first error */
	bool		failed;
	int			sqlstate;
	char	   *message;
	LiquidSpan	near;			/* the offending text */
} LiquidParser;

typedef bool (*LiquidTagParser) (LiquidParser *p, LiquidSpan markup,
								 LiquidNode *node);

/* liquid_lex.c */
extern void liquid_lex_start(LiquidLexer *lex, LiquidSpan markup);
extern void liquid_lex_next(LiquidLexer *lex);
extern void liquid_lex_word(LiquidLexer *lex);
extern LiquidToken liquid_lex_peek(const LiquidLexer *lex);
extern bool liquid_lex_is(const LiquidLexer *lex, char c);
extern bool liquid_lex_take(LiquidLexer *lex, char c);
extern bool liquid_lex_is_word(const LiquidLexer *lex, const char *word);
extern bool liquid_lex_take_word(LiquidLexer *lex, const char *word);

/* liquid_parse.c */
extern int	liquid_shown_length(const char *s, int len);
extern void liquid_parse_fail(LiquidParser *p, LiquidSpan near,
							  const char *fmt,...) pg_attribute_printf(3, 4);
extern void liquid_parse_fail_nesting(LiquidParser *p, LiquidSpan near);
extern LiquidTemplate *liquid_parse_softly(LiquidParser *p,
										   const char *source, int len);
extern void liquid_raise(const LiquidParser *p) pg_attribute_noreturn();
extern void liquid_error_position(const LiquidParser *p, int *line,
								  int *column);
extern bool liquid_parse_block(LiquidParser *p, LiquidBlock *block);
extern void liquid_drop_blank_texts(LiquidBlock *block);
extern bool liquid_parse_raw_body(LiquidParser *p, LiquidSpan *body);
extern bool liquid_skip_comment(LiquidParser *p);
extern bool liquid_never_closed(LiquidParser *p, LiquidSpan tag);
extern bool liquid_unexpected_tag(LiquidParser *p, LiquidSpan block);

/* liquid_parse_expr.c */
extern bool liquid_fail_token(LiquidParser *p, const LiquidLexer *lex,
							  const char *expected);
extern bool liquid_expect_end(LiquidParser *p, const LiquidLexer *lex);
extern bool liquid_parse_name(LiquidParser *p, LiquidLexer *lex,
							  LiquidKey *key);
extern bool liquid_parse_new_name(LiquidParser *p, LiquidLexer *lex,
								  LiquidKey *key);
extern LiquidExpr *liquid_parse_expr(LiquidParser *p, LiquidLexer *lex);
extern LiquidExpr *liquid_parse_operand(LiquidParser *p, LiquidLexer *lex);
extern bool liquid_parse_output(LiquidParser *p, LiquidSpan markup,
								LiquidOutput *output);
extern LiquidCondition *liquid_parse_condition(LiquidParser *p,
											   LiquidSpan markup);

/* liquid_parse_tags.c */
extern LiquidTagParser liquid_find_tag(LiquidSpan name);

static inline LiquidSpan
liquid_span(const char *s, const char *end)
{
	LiquidSpan	span = {s, end};

	return span;
}

static inline bool
liquid_span_is(LiquidSpan span, const char *word)
{
	return liquid_word_is(span.s, span.end - span.s, word);
}

/* A growing array of T: makes room for one more than n */
#define LIQUID_GROW(array, n, max) \
	do { \
		if ((n) == (max)) \
		{ \
			(max) = (max) == 0 ? 4 : (max) * 2; \
			(array) = (array) == NULL ? \
				palloc0(sizeof(*(array)) * (max)) : \
				repalloc((array), sizeof(*(array)) * (max)); \
		} \
	} while (0)

#endif							/* LIQUID_PARSE_H */
