/*-------------------------------------------------------------------------
 *
 * consent.c
 *	  Whether a user wants messages, by a channel and about a topic.
 *
 *					opted out	unsubscribed	suppressed because
 *					of channel	from topic		unsubscribed	another reason
 *	transactional	refused		sent			sent			refused
 *	any other rule	refused		refused			refused			refused
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "consent.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"

/*
 * Channels that users must opt into; every other may be used until they opt out.
 */
static bool
enabled_by_default(const char *channel)
{
	return strcmp(channel, "sms") != 0;
}

/*
 * Users opt out of a channel, or into it, with preferences.<channel>_enabled, which
 * says something only if it is true or false.
 */
static bool
opted_out(const UserRow *user, const char *channel)
{
	Jsonb	   *preferences = DatumGetJsonbP(user->values[Anum_users_preferences - 1]);
	char	   *key;
	JsonbValue	buffer;
	JsonbValue *enabled = NULL;

	if (JB_ROOT_IS_OBJECT(preferences) && JB_ROOT_COUNT(preferences) > 0)
	{
		key = psprintf("%s_enabled", channel);
		enabled = getKeyJsonValueFromContainer(&preferences->root, key,
											   strlen(key), &buffer);
	}
	if (enabled == NULL || enabled->type != jbvBool)
		return !enabled_by_default(channel);
	return !enabled->val.boolean;
}

/* What suppressions are held against */
typedef struct Suppressible
{
	const char *channel;
	bool		transactional;
	bool		suppressed;
} Suppressible;

static bool
visit_suppression(const char *channel, const char *reason, void *arg)
{
	Suppressible *message = arg;

	if (channel != NULL && strcmp(channel, message->channel) != 0)
		return true;
	/* Who unsubscribes means marketing, not the receipt of the next order. */
	if (message->transactional && strcmp(reason, "unsubscribed") == 0)
		return true;
	message->suppressed = true;
	return false;
}

static bool
suppressed(History *history, const UserRow *user, const char *channel,
		   Datum address, bool transactional)
{
	Suppressible message = {channel, transactional};

	if (!history_has_suppressions(history))
		return false;
	if (address != (Datum) 0)
		address = PointerGetDatum(consent_normal_address(address));
	history_suppressions(history, user->values[Anum_users_user_id - 1], address,
						 visit_suppression, &message);
	return message.suppressed;
}

const char *
consent_refusal(History *history, const Rule *rule, const UserRow *user,
				const char *channel, Datum address)
{
	bool		transactional = rule != NULL &&
	rule->trigger_type == TRIGGER_TRANSACTIONAL;

	if (opted_out(user, channel))
		return "opted_out";
	if (rule != NULL && rule->topic != NULL && !transactional &&
		!history_subscribed(history, user->values[Anum_users_user_id - 1],
							rule->topic))
		return "unsubscribed";
	if (suppressed(history, user, channel, address, transactional))
		return "suppressed";
	return NULL;
}

static bool
is_phone_number(const char *text, int length)
{
	bool		has_digit = false;

	for (int i = 0; i < length; i++)
	{
		if (text[i] >= '0' && text[i] <= '9')
			has_digit = true;
		else if (strchr("+ ()-./", text[i]) == NULL)
			return false;
	}
	return has_digit;
}

text *
consent_normal_address(Datum address)
{
	Bytes		given = bytes_of_text(address);
	const char *from = given.data;
	int			length = given.length;
	bool		is_mail;
	bool		is_phone;
	text	   *result;
	char	   *to;

	while (length > 0 && *from == ' ')
	{
		from++;
		length--;
	}
	while (length > 0 && from[length - 1] == ' ')
		length--;
	is_mail = memchr(from, '@', length) != NULL;
	is_phone = is_phone_number(from, length);

	result = palloc(VARHDRSZ + length);
	to = VARDATA(result);
	for (int i = 0; i < length; i++)
	{
		if (!is_phone || from[i] == '+' || (from[i] >= '0' && from[i] <= '9'))
			*to++ = is_mail ? pg_ascii_tolower((unsigned char) from[i]) : from[i];
	}
	SET_VARSIZE(result, to - (char *) result);
	return result;
}
