/*-------------------------------------------------------------------------
 *
 * flat_jsonb.h
 *	  Puts a jsonb object together out of finished parts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_FLAT_JSONB_H
#define NUDGE_FLAT_JSONB_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/jsonb.h"

#define FLAT_MAX_MEMBERS 12

typedef struct FlatMember
{
	const char *key;
	int			key_length;
	uint32		type;			/* JENTRY_IS… */
	const char *data;
	int64		length;
} FlatMember;

typedef struct FlatObject
{
	int			n;
	FlatMember	members[FLAT_MAX_MEMBERS];	/* in the order of jsonb's keys */
} FlatObject;

/*
 * Add a member.  Keys and values are pointed to, not copied; a key is given
 * once.  Text may be toasted.
 */
extern void flat_null(FlatObject *object, const char *key);
extern void flat_string(FlatObject *object, const char *key,
						const char *data, int length);
extern void flat_text(FlatObject *object, const char *key, Datum text,
					  bool isnull);
extern void flat_int64(FlatObject *object, const char *key, int64 value);

/* As ISO 8601 in UTC */
extern void flat_timestamptz(FlatObject *object, const char *key,
							 TimestampTz value);

/* A document that is not an object or an array becomes an empty object. */
extern void flat_jsonb(FlatObject *object, const char *key, const Jsonb *value);

/* A number, an object or an array; anything else becomes null. */
extern void flat_value(FlatObject *object, const char *key,
					   const JsonbValue *value);

/* NULL where the object is larger than jsonb can be */
extern Jsonb *flat_build(const FlatObject *object);

/* A copy of an object or an array inside a document, as a document */
extern Jsonb *flat_document(const JsonbValue *value);

/* An array of documents; NULL where it is larger than jsonb can be */
extern Jsonb *flat_array(const Jsonb *const *elements, int n);

#endif							/* NUDGE_FLAT_JSONB_H */
