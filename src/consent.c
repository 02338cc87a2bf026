/*-------------------------------------------------------------------------
 *
 * consent.c
 *	  Whether a user wants messages, by a channel and about a topic.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "consent.h"

#include "utils/jsonb.h"

/*
 * Users opt out of a channel, or into it, with preferences.<channel>_enabled.
 */
static bool
opted_out(const UserRow *user, const char *channel)
{
	Jsonb	   *preferences = DatumGetJsonbP(user->values[Anum_users_preferences - 1]);
	char	   *key;
	JsonbValue	buffer;
	JsonbValue *enabled;

	if (!JB_ROOT_IS_OBJECT(preferences) || JB_ROOT_COUNT(preferences) == 0)
		return false;
	key = psprintf("%s_enabled", channel);
	enabled = getKeyJsonValueFromContainer(&preferences->root, key, strlen(key),
										   &buffer);
	return enabled != NULL && enabled->type == jbvBool && !enabled->val.boolean;
}

const char *
consent_refusal(History *history, const Rule *rule, const UserRow *user,
				const char *channel, Datum address)
{
	return opted_out(user, channel) ? "opted_out" : NULL;
}
