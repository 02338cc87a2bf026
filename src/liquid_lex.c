/*-------------------------------------------------------------------------
 *
 * liquid_lex.c
 *	  Tokens of the inside of a Liquid tag or output.
 *
 * A token is a stretch of the source; nothing is copied.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_parse.h"

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* A letter, then letters, digits and dashes, then perhaps a question mark */
static const char *
end_of_id(const char *s, const char *end)
{
	s++;
	while (s < end && (is_letter(*s) || is_digit(*s) || *s == '-'))
		s++;
	if (s < end && *s == '?')
		s++;
	return s;
}

/* Digits with perhaps a minus before and a fraction after */
static const char *
end_of_number(const char *s, const char *end)
{
	s++;
	while (s < end && is_digit(*s))
		s++;
	if (end - s >= 2 && *s == '.' && is_digit(s[1]))
	{
		s += 2;
		while (s < end && is_digit(*s))
			s++;
	}
	return s;
}

/* Length of the comparison operator at s, or 0 */
static int
comparison_length(const char *s, const char *end)
{
	char		c = end - s >= 2 ? s[1] : '\0';

	switch (*s)
	{
		case '=':
		case '!':
			return c == '=' ? 2 : 0;
		case '<':
			return c == '=' || c == '>' ? 2 : 1;
		case '>':
			return c == '=' ? 2 : 1;
		default:
			return 0;
	}
}

static LiquidTokenKind
scan(LiquidLexer *lex, bool after_dot)
{
	const char *s = lex->next;
	const char *end = lex->end;
	int			n;

	if (is_letter(*s))
	{
		lex->next = end_of_id(s, end);
		/* "contains" is an operator, except as the name of a member */
		if (!after_dot && liquid_word_is(s, lex->next - s, "contains"))
			return LIQUID_TOKEN_COMPARISON;
		return LIQUID_TOKEN_ID;
	}
	if (is_digit(*s) || (*s == '-' && end - s >= 2 && is_digit(s[1])))
	{
		lex->next = end_of_number(s, end);
		return LIQUID_TOKEN_NUMBER;
	}
	if (*s == '"' || *s == '\'')
	{
		const char *quote = memchr(s + 1, *s, end - s - 1);

		if (quote == NULL)
		{
			lex->next = end;
			return LIQUID_TOKEN_BAD;
		}
		lex->next = quote + 1;
		return LIQUID_TOKEN_STRING;
	}
	if ((n = comparison_length(s, end)) > 0)
	{
		lex->next = s + n;
		return LIQUID_TOKEN_COMPARISON;
	}
	lex->next = s + 1;
	if (*s == '.' && lex->next < end && *lex->next == '.')
	{
		lex->next++;
		return LIQUID_TOKEN_DOTDOT;
	}
	if (*s != '\0' && strchr("|.:,[]()?-", *s) != NULL)
		return LIQUID_TOKEN_CHAR;

	/* Take the whole of a character of several bytes */
	while (lex->next < end && ((unsigned char) *lex->next & 0xC0) == 0x80)
		lex->next++;
	return LIQUID_TOKEN_BAD;
}

/* Moves to the next token. */
void
liquid_lex_next(LiquidLexer *lex)
{
	bool		after_dot = lex->token.kind == LIQUID_TOKEN_CHAR &&
	*lex->token.s == '.';

	while (lex->next < lex->end && liquid_is_space(*lex->next))
		lex->next++;
	lex->token.s = lex->next;
	if (lex->next >= lex->end)
		lex->token.kind = LIQUID_TOKEN_END;
	else
		lex->token.kind = scan(lex, after_dot);
	lex->token.len = lex->next - lex->token.s;
}

/*
 * Takes the current token for a name if it begins with a letter or a digit: the
 * letters, digits and dashes from there on.
 */
void
liquid_lex_word(LiquidLexer *lex)
{
	const char *s = lex->token.s;

	if (lex->token.kind == LIQUID_TOKEN_END ||
		!(is_letter(*s) || is_digit(*s)))
		return;
	lex->token.kind = LIQUID_TOKEN_ID;
	while (s < lex->end && (is_letter(*s) || is_digit(*s) || *s == '-'))
		s++;
	lex->next = s;
	lex->token.len = s - lex->token.s;
}

/* Starts a lexer and moves to the first token. */
void
liquid_lex_start(LiquidLexer *lex, LiquidSpan markup)
{
	lex->next = markup.s;
	lex->end = markup.end;
	lex->token.kind = LIQUID_TOKEN_END;
	liquid_lex_next(lex);
}

/* The token after the current one. */
LiquidToken
liquid_lex_peek(const LiquidLexer *lex)
{
	LiquidLexer ahead = *lex;

	liquid_lex_next(&ahead);
	return ahead.token;
}

bool
liquid_lex_is(const LiquidLexer *lex, char c)
{
	return lex->token.kind == LIQUID_TOKEN_CHAR && *lex->token.s == c;
}

bool
liquid_lex_take(LiquidLexer *lex, char c)
{
	if (!liquid_lex_is(lex, c))
		return false;
	liquid_lex_next(lex);
	return true;
}

bool
liquid_lex_is_word(const LiquidLexer *lex, const char *word)
{
	return lex->token.kind == LIQUID_TOKEN_ID &&
		liquid_word_is(lex->token.s, lex->token.len, word);
}

bool
liquid_lex_take_word(LiquidLexer *lex, const char *word)
{
	if (!liquid_lex_is_word(lex, word))
		return false;
	liquid_lex_next(lex);
	return true;
}
