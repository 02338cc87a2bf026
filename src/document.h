/*-------------------------------------------------------------------------
 *
 * document.h
 *	  JSON documents of a user and an action.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_DOCUMENT_H
#define NUDGE_DOCUMENT_H

#include "postgres.h"

#include "action.h"
#include "user.h"
#include "utils/jsonb.h"

/* Documents nested deeper than this are not looked into. */
#define DOCUMENT_MAX_DEPTH 256

/* Nor are larger ones built; jsonb itself ends at 256 MB. */
#define DOCUMENT_MAX_SIZE (100 * 1024 * 1024)

/* How deep a document is nested; stops counting past limit. */
extern int	jsonb_depth(Jsonb *document, int limit);

/* Push "key": value onto an object that is being built. */
extern void push_key(JsonbParseState **state, const char *key);
extern void push_text(JsonbParseState **state, const char *key, Datum text,
					  bool isnull);
extern void push_int64(JsonbParseState **state, const char *key, int64 value);
extern void push_timestamptz(JsonbParseState **state, const char *key,
							 TimestampTz value);
extern void push_jsonb(JsonbParseState **state, const char *key, Jsonb *value);

/* "user": the columns and documents of the row, {} where there is none */
extern void push_user(JsonbParseState **state, const UserRow *user);

/*
 * "action": under the columns' names, and type and data for short
 */
extern void push_action(JsonbParseState **state, Action *action);

/*
 * {"user": …, "action": …}, or without the action where it is NULL; NULL where a part is nested too deeply, or the whole
 * would be too large.
 */
extern Jsonb *document_of(Action *action, const UserRow *user);

#endif							/* NUDGE_DOCUMENT_H */
