/*-------------------------------------------------------------------------
 *
 * json_input.h
 *	  Reads the JSON documents that people write, without errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_JSON_INPUT_H
#define NUDGE_JSON_INPUT_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/* A member of an object; value points into the document */
typedef struct JsonField
{
	bool		given;
	JsonbValue	value;
} JsonField;

/*
 * Reads an object whose keys should be among names: fields[i] is filled for
 * names[i].  Keys that are not are returned as a list of strings.
 */
extern List *json_read_object(JsonbContainer *object, const char *const *names,
							  int nnames, JsonField *fields);

/* "a string", "a number", … for messages */
extern const char *json_kind(const JsonbValue *value);

extern bool json_is_object(const JsonbValue *value);
extern bool json_is_array(const JsonbValue *value);

/* Elements of an array, in palloc'd memory; they point into the document. */
extern JsonbValue *json_elements(const JsonbValue *array, int *n);

/* A terminated copy of a string */
extern char *json_string(const JsonbValue *string);

/* A string as messages show it: quoted, and cut after 64 bytes */
extern const char *json_excerpt(const JsonbValue *string);

/* A number as a double, infinite where it is too large */
extern double json_double(const JsonbValue *number);

/* Sign of a number: -1, 0 or 1 */
extern int	json_sign(const JsonbValue *number);

/* A copy that lives in the current memory context; value is a scalar. */
extern JsonbValue json_copy_scalar(const JsonbValue *value);
extern Numeric json_copy_numeric(const JsonbValue *number);

/* "a, b and c" */
extern char *enumerate(const char *const *names, int n);

#endif							/* NUDGE_JSON_INPUT_H */
