/*-------------------------------------------------------------------------
 *
 * liquid.h
 *	  Liquid templates over jsonb: what the rest of pg_nudge calls.
 *
 * A template is parsed once (liquid_parse, or liquid_cached, which keeps it
 * for the backend) and rendered any number of times.  Parsing raises a syntax
 * error; rendering never raises for a reason that lies in the template or its
 * data, but reports it in a LiquidResult, so that one bad row does not undo
 * its batch.  Only running out of memory, a cancel, and what a partial loader
 * itself raises end a rendering with an error.
 *
 * Words:
 *	template	a parsed text
 *	context		the jsonb object whose keys are a template's variables
 *	partial		a template that another one renders or includes by name
 *
 *-------------------------------------------------------------------------
 */
#ifndef LIQUID_H
#define LIQUID_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/jsonb.h"
#include "utils/palloc.h"

/* A parsed template; it lives in the context into which it was parsed. */
typedef struct LiquidTemplate LiquidTemplate;

typedef enum LiquidStatus
{
	LIQUID_OK,
	LIQUID_ERROR,				/* message and sqlstate say why */
	LIQUID_ABORT				/* {% abort %}; message is its reason */
} LiquidStatus;

/*
 * Finds the source of a partial: sets *source (in the current memory context)
 * and *len and returns true, or returns false where there is none.
 */
typedef bool (*LiquidPartialLoader) (void *arg, const char *name,
									 const char **source, int *len);

typedef struct LiquidOptions
{
	/* Behaviour */
	bool		autoescape;		/* HTML: escape what comes from the context */
	bool		lax;			/* errors become text in place */
	const char *timezone;		/* IANA name; NULL: nudge.timezone */
	const char *locale;			/* "de", "pt_BR"; NULL: English */
	TimestampTz now;			/* what "now" and "today" mean */

	/* Partials */
	LiquidPartialLoader loader; /* NULL: there are none */
	void	   *loader_arg;

	/* Limits; zero means none */
	int			max_output;		/* bytes */
	int			max_steps;		/* loop iterations, array elements */
	int			max_nesting;	/* blocks and partials inside one another */
	int			timeout;		/* milliseconds */
} LiquidOptions;

typedef struct LiquidResult
{
	LiquidStatus status;
	int			sqlstate;		/* of an error, else 0 */
	char	   *message;		/* in the caller's memory context, or NULL */
	char	   *reason;			/* the message without values of the context */
	int			line;			/* of the template, from 1; 0: unknown */
} LiquidResult;

/* liquid_parse.c: raises 42601 with line and column on a syntax error */
extern LiquidTemplate *liquid_parse(const char *source, int len,
									MemoryContext cxt);

/*
 * liquid_cache.c: the same from the backend's cache.  The template stays good
 * until the caller's current memory context is reset or deleted.
 */
extern const LiquidTemplate *liquid_cached(const char *source, int len);

/* The same without raising: NULL and a message where the text is wrong */
extern const LiquidTemplate *liquid_cached_or_error(const char *source,
													int len, char **error);

/*
 * liquid_render.c: appends to "out".  Whatever the status is, "out" may hold
 * what was rendered before the end.
 */
extern LiquidStatus liquid_render(const LiquidTemplate *template,
								  const Jsonb *context,
								  const LiquidOptions *options,
								  StringInfo out, LiquidResult *result);

/* Is a dotted path present in the context, and not null? */
extern bool liquid_path_exists(const Jsonb *context, const char *path);

/* liquid_settings.c: the settings nudge.template_*, and options from them */
extern void liquid_define_settings(void);
extern void liquid_default_options(LiquidOptions *options);

/* liquid_sql.c: finds partials among nudge.templates; loader_arg is unused */
extern bool liquid_load_partial(void *arg, const char *name,
								const char **source, int *len);

#endif							/* LIQUID_H */
