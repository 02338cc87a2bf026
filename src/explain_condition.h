/*-------------------------------------------------------------------------
 *
 * explain_condition.h
 *	  What a condition saw, for nudge.explain.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_EXPLAIN_CONDITION_H
#define NUDGE_EXPLAIN_CONDITION_H

#include "postgres.h"

#include "evaluate.h"
#include "lib/stringinfo.h"

/* Push "key": value onto an object that is being built; value may be NULL. */
extern void push_cstring(JsonbParseState **state, const char *key,
						 const char *value);
extern void push_float8(JsonbParseState **state, const char *key, double number);
extern void push_bool(JsonbParseState **state, const char *key, bool boolean);

/*
 * Pushes a condition that has been scored, as an object, and adds it to the text
 * of those that failed.  error is why it could not be computed, or NULL.
 */
extern void explain_condition(JsonbParseState **state, Evaluator *evaluator,
							  const Condition *condition, int i, double score,
							  const char *error, StringInfo failed);

#endif							/* NUDGE_EXPLAIN_CONDITION_H */
