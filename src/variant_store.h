/*-------------------------------------------------------------------------
 *
 * variant_store.h
 *	  What users were given of variants: nudge.variant_assignments, and what is
 *	  known of the variants: nudge.bandit_arms.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_VARIANT_STORE_H
#define NUDGE_VARIANT_STORE_H

#include "postgres.h"

#include "variants.h"

/*
 * The variant that a user was given of a rule, if it is still enabled; else NULL.
 * As of now (SnapshotSelf), whatever the transaction's snapshot shows.
 */
extern const Variant *variant_given(const Rule *rule, Datum user_id);

/*
 * Gives a user a variant, in place of any other.  The caller holds the user's row
 * of nudge.cap_usage (usage_store.h), and has asked under it what was given
 * before.  False where somebody else has removed that just now.
 */
extern bool variant_give(const Variant *variant, Datum user_id);

/* variants_choose with what is known of the rule's variants */
extern const Variant *variant_draw(const Rule *rule, Datum user_id);

/*
 * The rule as it is for a user, for those who only ask: with the variant that the
 * user has or would get.
 */
extern const Rule *variant_rule_for(const Rule *rule, Datum user_id);

#endif							/* NUDGE_VARIANT_STORE_H */
