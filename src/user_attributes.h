/*-------------------------------------------------------------------------
 *
 * user_attributes.h
 *	  Attributes of users that come from an application's table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_USER_ATTRIBUTES_H
#define NUDGE_USER_ATTRIBUTES_H

#include "postgres.h"

#include "utils/jsonb.h"

/* Where in a document of nudge.users a value belongs */
typedef struct AttributeSteps
{
	int			n;
	char	  **steps;
} AttributeSteps;

/* Splits "address.city". */
extern AttributeSteps attribute_steps(const char *path);

/*
 * A document that has values[i] at paths[i]; null ones are left out.  No path is
 * the beginning of another one.
 */
extern Jsonb *attributes_document(const AttributeSteps *paths,
								  JsonbValue *values, int n);

#endif							/* NUDGE_USER_ATTRIBUTES_H */
