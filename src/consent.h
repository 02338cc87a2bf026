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
 * Why messages of a rule must not go to an address of a user by a channel:
 * opted_out (of the channel), unsubscribed (from the topic) or suppressed (user or
 * address); NULL where they may.  The rule may be NULL, of a message whose rule is
 * gone; the address may be 0, not known.
 */
extern const char *consent_refusal(History *history, const Rule *rule,
								   const UserRow *user, const char *channel,
								   Datum address);

/*
 * An address in the form in which nudge.suppressions has it: without blanks
 * around it; of a mail address small letters, of a phone number plus and digits.
 */
extern text *consent_normal_address(Datum address);

#endif							/* NUDGE_CONSENT_H */
