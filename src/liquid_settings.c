/*-------------------------------------------------------------------------
 *
 * liquid_settings.c
 *	  The settings nudge.template_*: what errors do, and limits.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid.h"

#include "access/xact.h"
#include "liquid_settings.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

/* In kilobytes; keeps every buffer far from PostgreSQL's own limit */
#define MOST_OUTPUT		(64 * 1024)
#define MOST_NESTING	1000

typedef enum TemplateErrors
{
	ERRORS_STRICT,
	ERRORS_LAX
} TemplateErrors;

static const struct config_enum_entry template_errors_options[] = {
	{"strict", ERRORS_STRICT, false},
	{"lax", ERRORS_LAX, false},
	{NULL, 0, false}
};

static int	template_errors = ERRORS_STRICT;

int			liquid_max_output = 1024;
int			liquid_max_steps = 100000;
int			liquid_max_nesting = 100;
int			liquid_timeout = 1000;

/* Defines the settings; called once, when the module is loaded. */
void
liquid_define_settings(void)
{
	DefineCustomEnumVariable("nudge.template_errors",
							 "What an error in rendering a template does.",
							 "strict fails the rendering; lax puts the error's text in place.",
							 &template_errors, ERRORS_STRICT,
							 template_errors_options,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("nudge.template_max_output",
							"Longest text that a template may render to.",
							NULL, &liquid_max_output, 1024, 1, MOST_OUTPUT,
							PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("nudge.template_max_steps",
							"Loop iterations and array elements that a rendering may take.",
							NULL, &liquid_max_steps, 100000, 1, 100000000,
							PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("nudge.template_max_nesting",
							"Blocks, partials and expressions that may stand inside one another.",
							NULL, &liquid_max_nesting, 100, 1, MOST_NESTING,
							PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("nudge.template_timeout",
							"Time that a rendering may take; 0 means any.",
							NULL, &liquid_timeout, 1000, 0, PG_INT32_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
}

/*
 * Sets options to what the settings say: text, in nudge.timezone, at the
 * start of the transaction, without partials.
 */
void
liquid_default_options(LiquidOptions *options)
{
	memset(options, 0, sizeof(LiquidOptions));
	options->lax = template_errors == ERRORS_LAX;
	options->now = GetCurrentTransactionStartTimestamp();
	options->max_output = liquid_max_output * 1024;
	options->max_steps = liquid_max_steps;
	options->max_nesting = liquid_max_nesting;
	options->timeout = liquid_timeout;
}
