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
 * user is asked for at most once, and only where rules are told apart by it.
 */
typedef const UserRow *(*UserSource) (void *arg);
extern int	rule_index_candidates(RuleIndex *index, Action *action,
								  UserSource user, void *arg,
								  const Rule ***candidates);

#endif							/* NUDGE_RULE_INDEX_H */
