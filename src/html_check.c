/*-------------------------------------------------------------------------
 *
 * html_check.c
 *	  Finds links in rendered HTML that run code.
 *
 * Escaping keeps what comes from the context inside of an attribute's quotes, but
 * not from being a URL of a scheme that runs code.  So attributes are read as
 * the HTML standard's tokenizer reads them, and values as the URL standard's
 * parser: entities decoded, control characters and spaces in front left out, tabs
 * and line breaks left out everywhere, case ignored.  Comments, scripts and the
 * like are not told apart, since mail programs read conditional comments as HTML;
 * what looks like a tag in there is held to the same.
 *
 * Pure; one pass.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "html_check.h"

#include <ctype.h>

#include "miscadmin.h"

/* Longest scheme, with its colon */
#define MAX_SCHEME 11

static const char *const attributes[] = {"href", "src", "xlink:href"};
static const char *const schemes[] = {"javascript:", "vbscript:", "data:"};

typedef struct Scanner
{
	const char *at;
	const char *end;
} Scanner;

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static void
skip_spaces(Scanner *scanner)
{
	while (scanner->at < scanner->end && is_space(*scanner->at))
		scanner->at++;
}

static bool
same_ignoring_case(const char *text, int length, const char *word)
{
	return length == strlen(word) && pg_strncasecmp(text, word, length) == 0;
}

/*
 * Decodes a numeric character reference after its "&#".  What is beyond
 * characters of a scheme comes back as some other character.
 */
static int
decode_number(Scanner *scanner)
{
	bool		is_hex = scanner->at < scanner->end &&
	(*scanner->at == 'x' || *scanner->at == 'X');
	int			number = 0;

	if (is_hex)
		scanner->at++;
	while (scanner->at < scanner->end)
	{
		unsigned char c = *scanner->at;

		if (c >= '0' && c <= '9')
			c -= '0';
		else if (is_hex && isxdigit(c))
			c = pg_tolower(c) - 'a' + 10;
		else
			break;
		number = Min(number * (is_hex ? 16 : 10) + c, 0xFFFFFF);
		scanner->at++;
	}
	if (scanner->at < scanner->end && *scanner->at == ';')
		scanner->at++;
	return number;
}

/*
 * The next character of an attribute's value, entities decoded: one below 128,
 * or any other as 128 and more.
 */
static int
next_character(Scanner *scanner)
{
	static const struct
	{
		const char *entity;
		char		character;
	}			entities[] = {{"&Tab;", '\t'}, {"&NewLine;", '\n'}, {"&colon;", ':'}};

	for (int i = 0; i < lengthof(entities); i++)
	{
		int			length = strlen(entities[i].entity);

		if (scanner->end - scanner->at >= length &&
			memcmp(scanner->at, entities[i].entity, length) == 0)
		{
			scanner->at += length;
			return entities[i].character;
		}
	}
	if (scanner->end - scanner->at >= 3 && scanner->at[0] == '&' &&
		scanner->at[1] == '#' &&
		(isdigit((unsigned char) scanner->at[2]) ||
		 ((scanner->at[2] == 'x' || scanner->at[2] == 'X') &&
		  scanner->end - scanner->at >= 4 &&
		  isxdigit((unsigned char) scanner->at[3]))))
	{
		scanner->at += 2;
		return decode_number(scanner);
	}
	return (unsigned char) *scanner->at++;
}

/*
 * The scheme of an attribute's value that is one of those, or NULL
 */
static const char *
unsafe_scheme(const char *value, int length)
{
	Scanner		scanner = {value, value + length};
	char		head[MAX_SCHEME];
	int			n = 0;

	while (scanner.at < scanner.end && n < MAX_SCHEME)
	{
		int			c = next_character(&scanner);

		if (c == '\t' || c == '\n' || c == '\r' || (n == 0 && c <= ' '))
			continue;
		if (c >= 128)
			break;
		head[n++] = c;
		if (c == ':')
			break;
	}
	for (int i = 0; i < lengthof(schemes); i++)
	{
		if (same_ignoring_case(head, n, schemes[i]))
			return schemes[i];
	}
	return NULL;
}

/*
 * Reads the value of an attribute, after its "="
 */
static void
read_value(Scanner *scanner, const char **value, int *length)
{
	skip_spaces(scanner);
	if (scanner->at < scanner->end &&
		(*scanner->at == '"' || *scanner->at == '\''))
	{
		char		quote = *scanner->at++;
		const char *close = memchr(scanner->at, quote,
								   scanner->end - scanner->at);

		*value = scanner->at;
		*length = (close != NULL ? close : scanner->end) - scanner->at;
		scanner->at += *length + (close != NULL ? 1 : 0);
		return;
	}
	*value = scanner->at;
	while (scanner->at < scanner->end && !is_space(*scanner->at) &&
		   *scanner->at != '>')
		scanner->at++;
	*length = scanner->at - *value;
}

/*
 * Reads one attribute; false at the end of the tag.
 */
static bool
read_attribute(Scanner *scanner, const char **name, int *name_length,
			   const char **value, int *length)
{
	while (scanner->at < scanner->end &&
		   (is_space(*scanner->at) || *scanner->at == '/'))
		scanner->at++;
	if (scanner->at >= scanner->end || *scanner->at == '>')
		return false;

	*name = scanner->at++;
	while (scanner->at < scanner->end && !is_space(*scanner->at) &&
		   *scanner->at != '/' && *scanner->at != '>' && *scanner->at != '=')
		scanner->at++;
	*name_length = scanner->at - *name;
	skip_spaces(scanner);
	*value = NULL;
	*length = 0;
	if (scanner->at < scanner->end && *scanner->at == '=')
	{
		scanner->at++;
		read_value(scanner, value, length);
	}
	return true;
}

bool
html_unsafe_link(const char *html, int length, const char **attribute,
				 const char **scheme)
{
	Scanner		scanner = {html, html + length};

	while ((scanner.at = memchr(scanner.at, '<', scanner.end - scanner.at)) != NULL)
	{
		const char *name;
		const char *value;
		int			name_length;
		int			value_length;

		CHECK_FOR_INTERRUPTS();
		scanner.at++;
		if (scanner.at >= scanner.end)
			break;
		if (!isalpha((unsigned char) *scanner.at))
			continue;
		while (scanner.at < scanner.end && !is_space(*scanner.at) &&
			   *scanner.at != '/' && *scanner.at != '>')
			scanner.at++;
		while (read_attribute(&scanner, &name, &name_length, &value, &value_length))
		{
			for (int i = 0; i < lengthof(attributes); i++)
			{
				if (same_ignoring_case(name, name_length, attributes[i]) &&
					value_length > 0 &&
					(*scheme = unsafe_scheme(value, value_length)) != NULL)
				{
					*attribute = attributes[i];
					return true;
				}
			}
		}
	}
	return false;
}
