/*-------------------------------------------------------------------------
 *
 * channel.h
 *	  Which of a rule's channels a message takes.
 *
 * A plan is made in two steps: which candidates are eligible, and, where there is
 * a choice, how they rank for the user.  In between the caller finds out how the
 * user engages with them (channel_engagement.h), for many plans at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CHANNEL_H
#define NUDGE_CHANNEL_H

#include "postgres.h"

#include "channels.h"
#include "history.h"
#include "rules.h"
#include "user.h"

/* What we know of nobody */
#define STRANGERS_ENGAGEMENT 0.5

typedef struct ChannelCandidate
{
	const char *name;
	const Channel *channel;		/* NULL: there is no such channel (any more) */
	const char *refusal;		/* why it drops out; NULL: it is eligible */
	const void *template;		/* as found by a ChannelTemplate */
	Datum		address;		/* of an eligible one */
	double		engagement;
	double		modifier;
	double		score;			/* base × engagement × modifier */
} ChannelCandidate;

typedef struct ChannelPlan
{
	int			n;
	ChannelCandidate *candidates;	/* the eligible ones first */
	int			neligible;
	int			nchosen;		/* so many of these get the message */
	bool		ranked;			/* scores decide, the best first */
	const char *reason;			/* where none is eligible: what the one lacked
								 * that came furthest */
} ChannelPlan;

/* What the rule's template has for a channel; NULL: nothing */
typedef const void *(*ChannelTemplate) (const Rule *rule, const char *channel,
										void *arg);

/*
 * Which of some channels are eligible for messages of a rule to a user, in the
 * order given.  find_template NULL: none is needed.  The plan lives in the current
 * memory context; names must live as long.
 */
extern void channel_plan_begin(ChannelPlan *plan, History *history,
							   const Rules *rules, const Rule *rule,
							   const UserRow *user, char *const *names, int n,
							   ChannelTemplate find_template, void *arg);

/* The same where there is no such user, and so nothing is eligible */
extern void channel_plan_unknown(ChannelPlan *plan, const Rules *rules,
								 char *const *names, int n);

/* Whether engagement matters: there is a choice */
extern bool channel_plan_is_open(const ChannelPlan *plan);

/*
 * Computes scores, ranks the eligible candidates if "rank", and chooses.
 */
extern void channel_plan_end(ChannelPlan *plan, ChannelStrategy strategy,
							 Urgency urgency, bool rank);

/*
 * The candidates as a JSON array, for people: [{"channel", "eligible", "chosen",
 * "reason" where not eligible, else "score"}]
 */
extern void channel_plan_push(JsonbParseState **state, const ChannelPlan *plan);

#endif							/* NUDGE_CHANNEL_H */
