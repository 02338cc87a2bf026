/*-------------------------------------------------------------------------
 *
 * channel.c
 *	  Which of a rule's channels a message takes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "channel.h"

#include "access/attnum.h"
#include "consent.h"

/* Where users have their addresses */
static const struct
{
	const char *channel;
	AttrNumber	attnum;
}			addresses[] = {
	{"email", Anum_users_email},
	{"sms", Anum_users_phone},
	{"push", Anum_users_push_token},
};

static bool
find_address(const UserRow *user, const char *channel, Datum *address)
{
	for (int i = 0; i < lengthof(addresses); i++)
	{
		AttrNumber	attnum = addresses[i].attnum;

		if (strcmp(addresses[i].channel, channel) != 0)
			continue;
		if (user->nulls[attnum - 1])
			return false;
		*address = user->values[attnum - 1];
		return true;
	}
	return false;
}

static ChannelOutcome
ask_consent(History *history, const Rule *rule, const UserRow *user,
			const char *channel, Datum address)
{
	const char *refusal = consent_refusal(history, rule, user, channel, address);

	if (refusal == NULL)
		return CHANNEL_FOUND;
	if (strcmp(refusal, "opted_out") == 0)
		return CHANNEL_OPTED_OUT;
	return strcmp(refusal, "unsubscribed") == 0 ? CHANNEL_UNSUBSCRIBED :
		CHANNEL_SUPPRESSED;
}

ChannelOutcome
channel_choose(History *history, const Rule *rule, const UserRow *user,
			   ChannelHasTemplate has_template, void *arg,
			   const char **channel, Datum *address)
{
	ChannelOutcome furthest = CHANNEL_NO_TEMPLATE;

	for (int i = 0; i < rule->nchannels; i++)
	{
		ChannelOutcome outcome;

		if (!has_template(rule, rule->channels[i], arg))
			outcome = CHANNEL_NO_TEMPLATE;
		else if (!find_address(user, rule->channels[i], address))
			outcome = CHANNEL_NO_ADDRESS;
		else
			outcome = ask_consent(history, rule, user, rule->channels[i], *address);
		if (outcome == CHANNEL_FOUND)
		{
			*channel = rule->channels[i];
			return CHANNEL_FOUND;
		}
		furthest = Max(furthest, outcome);
	}
	return furthest;
}

const char *
channel_outcome_reason(ChannelOutcome outcome)
{
	switch (outcome)
	{
		case CHANNEL_NO_TEMPLATE:
			return "no_template";
		case CHANNEL_NO_ADDRESS:
			return "no_address";
		case CHANNEL_OPTED_OUT:
			return "opted_out";
		case CHANNEL_UNSUBSCRIBED:
			return "unsubscribed";
		case CHANNEL_SUPPRESSED:
			return "suppressed";
		case CHANNEL_FOUND:
			break;
	}
	elog(ERROR, "channel outcome %d is not a reason", outcome);
	return NULL;				/* keep compiler quiet */
}
