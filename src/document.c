/*-------------------------------------------------------------------------
 *
 * document.c
 *	  JSON documents of a user and an action.
 *
 * jsonpath conditions and templates see a user and an action as JSON.  Building a
 * document recurses as deep as its parts are nested, and raises an error where
 * the stack does not suffice; the depth is therefore looked at before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "document.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/numeric.h"

int
jsonb_depth(Jsonb *document, int limit)
{
	JsonbIterator *iterator = JsonbIteratorInit(&document->root);
	JsonbValue	value;
	JsonbIteratorToken token;
	int			depth = 0;
	int			deepest = 0;

	while (deepest <= limit &&
		   (token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY)
		{
			depth++;
			deepest = Max(deepest, depth);
		}
		else if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
			depth--;
	}
	return deepest;
}

void
push_key(JsonbParseState **state, const char *key)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = (char *) key;
	value.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &value);
}

void
push_text(JsonbParseState **state, const char *key, Datum text, bool isnull)
{
	JsonbValue	value;

	push_key(state, key);
	if (isnull)
		value.type = jbvNull;
	else
	{
		Bytes		bytes = bytes_of_text(PointerGetDatum(PG_DETOAST_DATUM_PACKED(text)));

		value.type = jbvString;
		value.val.string.val = bytes.data;
		value.val.string.len = bytes.length;
	}
	pushJsonbValue(state, WJB_VALUE, &value);
}

void
push_int64(JsonbParseState **state, const char *key, int64 number)
{
	JsonbValue	value;

	push_key(state, key);
	value.type = jbvNumeric;
	value.val.numeric = int64_to_numeric(number);
	pushJsonbValue(state, WJB_VALUE, &value);
}

/* As ISO 8601 in UTC, whatever the session's time zone */
void
push_timestamptz(JsonbParseState **state, const char *key, TimestampTz time)
{
	static const int utc = 0;
	JsonbValue	value;

	push_key(state, key);
	value.type = jbvString;
	value.val.string.val = JsonEncodeDateTime(palloc(MAXDATELEN + 1),
											  TimestampTzGetDatum(time),
											  TIMESTAMPTZOID, &utc);
	value.val.string.len = strlen(value.val.string.val);
	pushJsonbValue(state, WJB_VALUE, &value);
}

void
push_jsonb(JsonbParseState **state, const char *key, Jsonb *document)
{
	JsonbValue	value;

	push_key(state, key);
	value.type = jbvBinary;
	value.val.binary.data = &document->root;
	value.val.binary.len = VARSIZE_ANY_EXHDR(document);
	pushJsonbValue(state, WJB_VALUE, &value);
}

void
push_user(JsonbParseState **state, const UserRow *user)
{
	static const struct
	{
		const char *key;
		AttrNumber	attnum;
	}			texts[] = {
		{"user_id", Anum_users_user_id},
		{"email", Anum_users_email},
		{"phone", Anum_users_phone},
		{"timezone", Anum_users_timezone},
		{"locale", Anum_users_locale},
	},
				documents[] = {
		{"profile", Anum_users_profile},
		{"behavior", Anum_users_behavior},
		{"preferences", Anum_users_preferences},
	};

	push_key(state, "user");
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	if (user->found)
	{
		for (int i = 0; i < lengthof(texts); i++)
			push_text(state, texts[i].key, user->values[texts[i].attnum - 1],
					  user->nulls[texts[i].attnum - 1]);
		for (int i = 0; i < lengthof(documents); i++)
			push_jsonb(state, documents[i].key,
					   DatumGetJsonbP(user->values[documents[i].attnum - 1]));
		push_timestamptz(state, "created_at",
						 DatumGetTimestampTz(user->values[Anum_users_created_at - 1]));
	}
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

void
push_action(JsonbParseState **state, Action *action)
{
	Datum		type = PointerGetDatum(cstring_to_text_with_len(action->action_type.data,
																action->action_type.length));

	push_key(state, "action");
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	if (action->recorded)
		push_int64(state, "action_id", action->action_id);
	push_text(state, "user_id", action->user_id_datum, false);
	push_text(state, "type", type, false);
	push_text(state, "action_type", type, false);
	push_jsonb(state, "data", action_data(action));
	push_jsonb(state, "action_data", action_data(action));
	push_jsonb(state, "context", action_context(action));
	push_text(state, "session_id", action->session_id_datum,
			  action->session_id_datum == (Datum) 0);
	push_text(state, "source", action->source_datum,
			  action->source_datum == (Datum) 0);
	push_timestamptz(state, "occurred_at", action->occurred_at);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static bool
too_deep(Jsonb *document)
{
	return jsonb_depth(document, DOCUMENT_MAX_DEPTH) > DOCUMENT_MAX_DEPTH;
}

Jsonb *
document_of(Action *action, const UserRow *user)
{
	JsonbParseState *state = NULL;
	Size		total = 0;

	if (action != NULL)
	{
		/* The action's data stands in the document twice. */
		total = 2 * (Size) VARSIZE(action_data(action)) +
			VARSIZE(action_context(action));
		if (too_deep(action_data(action)) || too_deep(action_context(action)))
			return NULL;
	}
	if (user->found)
	{
		for (AttrNumber attnum = Anum_users_profile;
			 attnum <= Anum_users_preferences; attnum++)
		{
			Jsonb	   *document = DatumGetJsonbP(user->values[attnum - 1]);

			if (too_deep(document))
				return NULL;
			total += VARSIZE(document);
		}
	}

	if (total > DOCUMENT_MAX_SIZE)
		return NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_user(&state, user);
	if (action != NULL)
		push_action(&state, action);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}
