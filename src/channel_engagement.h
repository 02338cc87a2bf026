/*-------------------------------------------------------------------------
 *
 * channel_engagement.h
 *	  What users did with the messages that they got.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CHANNEL_ENGAGEMENT_H
#define NUDGE_CHANNEL_ENGAGEMENT_H

#include "postgres.h"

#include "channel.h"

/* How a user engages with a channel */
typedef struct ChannelEngagement
{
	Datum		user_id;
	const char *channel;
	double		engagement;		/* (engaged + 1) / (delivered + 2) */
} ChannelEngagement;

/*
 * Fills in the engagement of all at once.  Of the last 50 messages that were sent
 * to a user by a channel, those count that did not bounce; engaged with are those
 * that a person opened or clicked.  SPI must be connected.
 */
extern void channel_engagement_fetch(ChannelEngagement *asked, int n);

/*
 * Completes the open ones among some plans: finds engagement out.  SPI must be
 * connected.
 */
extern void channel_plans_engage(ChannelPlan *const *plans, const Datum *user_ids,
								 int nplans);

/* Which of some messages a person has opened or clicked, as of right now */
extern void messages_engaged(const int64 *message_ids, int n, bool *engaged);

#endif							/* NUDGE_CHANNEL_ENGAGEMENT_H */
