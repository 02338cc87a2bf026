/*-------------------------------------------------------------------------
 *
 * user.c
 *	  A row of nudge.users in hand.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "user.h"

#include "access/htup_details.h"
#include "action.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"

/* Columns that user_attribute names; the documents have roots of their own */
static const struct
{
	const char *name;
	AttrNumber	attnum;
	Oid			type;
}			columns[] = {
	{"user_id", Anum_users_user_id, TEXTOID},
	{"email", Anum_users_email, TEXTOID},
	{"phone", Anum_users_phone, TEXTOID},
	{"push_token", Anum_users_push_token, TEXTOID},
	{"timezone", Anum_users_timezone, TEXTOID},
	{"locale", Anum_users_locale, TEXTOID},
	{"created_at", Anum_users_created_at, TIMESTAMPTZOID},
	{"updated_at", Anum_users_updated_at, TIMESTAMPTZOID},
	{"lifecycle_stage", Anum_users_lifecycle_stage, TEXTOID},
};

void
user_from_tuple(UserRow *user, HeapTuple tuple, TupleDesc desc, AttrNumber stage)
{
	/* Somebody may have added columns. */
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));

	heap_deform_tuple(tuple, desc, values, nulls);
	memcpy(user->values, values, NFIRST_USERS * sizeof(Datum));
	memcpy(user->nulls, nulls, NFIRST_USERS * sizeof(bool));
	user->nulls[Anum_users_lifecycle_stage - 1] = stage == 0 || nulls[stage - 1];
	if (stage > 0)
		user->values[Anum_users_lifecycle_stage - 1] = values[stage - 1];
}

char *
user_timezone(const UserRow *user)
{
	if (!user->found || user->nulls[Anum_users_timezone - 1])
		return NULL;
	return TextDatumGetCString(user->values[Anum_users_timezone - 1]);
}

static bool
user_column(const UserRow *user, const char *name, JsonbValue *value)
{
	for (int i = 0; i < lengthof(columns); i++)
	{
		Datum		datum;

		if (strcmp(columns[i].name, name) != 0)
			continue;
		if (user->nulls[columns[i].attnum - 1])
			return false;
		datum = user->values[columns[i].attnum - 1];
		value->type = jbvString;
		if (columns[i].type == TEXTOID)
			value->val.string.val = TextDatumGetCString(datum);
		else
			value->val.string.val =
				JsonEncodeDateTime(palloc(MAXDATELEN + 1), datum,
								   columns[i].type, NULL);
		value->val.string.len = strlen(value->val.string.val);
		return true;
	}
	return false;
}

Jsonb *
user_document(const UserRow *user, AttributeRoot root)
{
	switch (root)
	{
		case ROOT_PROFILE:
			return DatumGetJsonbP(user->values[Anum_users_profile - 1]);
		case ROOT_BEHAVIOR:
			return DatumGetJsonbP(user->values[Anum_users_behavior - 1]);
		case ROOT_PREFERENCES:
			return DatumGetJsonbP(user->values[Anum_users_preferences - 1]);
		default:
			elog(ERROR, "attribute root %d is not a document of a user", root);
			return NULL;		/* keep compiler quiet */
	}
}

bool
user_attribute(const UserRow *user, const AttributePath *path,
			   JsonbValue *value)
{
	if (!user->found)
		return false;
	if (path->root == ROOT_USER_COLUMN)
		return user_column(user, path->steps[0].name, value);
	return jsonb_at_path(user_document(user, path->root), path->steps,
						 path->nsteps, value);
}
