/*-------------------------------------------------------------------------
 *
 * never_fires.h
 *	  Rules that can never fire, and the warning about them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_NEVER_FIRES_H
#define NUDGE_NEVER_FIRES_H

#include "postgres.h"

#include "rules.h"

/*
 * Why a rule with these conditions can never fire, or NULL if it can.  Of
 * jsonpath conditions only the weight is looked at.
 */
extern const char *rule_never_fires(TriggerType trigger_type,
									const Condition *conditions, int n);

/* Raises the WARNING */
extern void warn_never_fires(const char *name, const char *reason);

/*
 * A rule is judged once a transaction, at its end, unless it changed after it
 * was judged.
 */
extern void rule_judged(int64 rule_id);
extern void rule_changed(int64 rule_id);

#endif							/* NUDGE_NEVER_FIRES_H */
