/*-------------------------------------------------------------------------
 *
 * consent.h
 *	  Whether a user wants messages, by a channel and about a topic.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CONSENT_H
#define NUDGE_CONSENT_H

#include "postgres.h"

#include "history.h"
#include "rules.h"
#include "user.h"

/*
 * Why messages of a rule must not go to an address of a user by a channel: a
 * reason such as "opted_out", which stays good; NULL where they may.
 */
extern const char *consent_refusal(History *history, const Rule *rule,
								   const UserRow *user, const char *channel,
								   Datum address);

#endif							/* NUDGE_CONSENT_H */
