/*-------------------------------------------------------------------------
 *
 * rule_index.h
 *	  Finds the few rules that an action may fire.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_RULE_INDEX_H
#define NUDGE_RULE_INDEX_H

#include "postgres.h"

#include "action.h"
#include "history.h"
#include "rules.h"

/* Indexes the active and testing rules; everything lives in the current context. */
extern RuleIndex *rule_index_build(const Rules *rules);

/* Whether no rule at all can fire for actions of a type. */
extern bool rule_index_rejects(RuleIndex *index, Bytes action_type);

/*
 * The rules that may fire for an action, by rule_id; the others cannot.  Returns
 * their number; the array belongs to the index and is good until the next call.
 * The user's row and history are asked for only where rules are told apart by them.
 */
typedef struct UserSource
{
	const UserRow *(*row) (void *arg);

	/* As history_types_done, of the user and history of the action in hand */
	const int  *(*types_done) (const Bytes *types, int ntypes, int *n, void *arg);
	void	   *arg;
} UserSource;

extern int	rule_index_candidates(RuleIndex *index, Action *action,
								  const UserSource *user,
								  const Rule ***candidates);

#endif							/* NUDGE_RULE_INDEX_H */
