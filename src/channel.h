/*-------------------------------------------------------------------------
 *
 * channel.h
 *	  Which of a rule's channels a message takes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CHANNEL_H
#define NUDGE_CHANNEL_H

#include "postgres.h"

#include "history.h"
#include "rules.h"
#include "user.h"

/* In the order in which a channel is tested */
typedef enum ChannelOutcome
{
	CHANNEL_NO_TEMPLATE,
	CHANNEL_NO_ADDRESS,
	CHANNEL_OPTED_OUT,
	CHANNEL_UNSUBSCRIBED,
	CHANNEL_SUPPRESSED,
	CHANNEL_FOUND
} ChannelOutcome;

/* Whether the rule's template has a row for a channel */
typedef bool (*ChannelHasTemplate) (const Rule *rule, const char *channel,
									void *arg);

/*
 * Chooses the first of the rule's channels that has a template, an address and
 * the user's consent.  Where there is none, says what the channel lacked that
 * came furthest.
 */
extern ChannelOutcome channel_choose(History *history,
									 const Rule *rule, const UserRow *user,
									 ChannelHasTemplate has_template, void *arg,
									 const char **channel, Datum *address);

/* Reason of a skip, for example "no_address" */
extern const char *channel_outcome_reason(ChannelOutcome outcome);

#endif							/* NUDGE_CHANNEL_H */
