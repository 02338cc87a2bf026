/*-------------------------------------------------------------------------
 *
 * variants.h
 *	  Variants of rules: nudge.variants, compiled, and who gets which.
 *
 * They are part of the compiled rules and live as long.  A variant has its rule as
 * it is with the variant in place, so that who composes and sends needs to know of
 * no variants.  variant_store.h has what users were given before.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_VARIANTS_H
#define NUDGE_VARIANTS_H

#include "postgres.h"

#include "bandit.h"
#include "condition.h"
#include "rules.h"

struct Variant
{
	int64		rule_id;
	char	   *name;
	char	   *template_id;	/* this and what follows: or NULL, as in the rule */
	char	   *subject;
	bool		has_delay;
	Interval	delay;
	int			hour;			/* -1: none */
	char	   *channel;
	double		share;
	bool		enabled;
	Rule	   *rule;			/* as this variant has it */
};

/* Columns, as 54_variants.sql creates them */
enum
{
	Anum_variants_rule_id = 1,
	Anum_variants_name,
	Anum_variants_template_id,
	Anum_variants_subject,
	Anum_variants_delay,
	Anum_variants_hour,
	Anum_variants_channel,
	Anum_variants_share,
	Anum_variants_enabled
};

/* Rows into structs, for rules_cache.c */
extern void variant_load(Variant *variant, const Datum *values, const bool *nulls);

/*
 * Puts enabled variants into their rules, which are otherwise complete, in the
 * current memory context.
 */
extern void variants_assign(Rules *rules, Variant *variants, int n);

/* An enabled variant of a rule; NULL where there is none of the name */
extern const Variant *variants_find(const Rule *rule, const char *name);

/*
 * The variant for a user who has none: by shares, or, where arms are given, one for
 * each of the rule's variants, by Thompson sampling.  A function of its arguments
 * alone, so that who asks beforehand hears what will be.  NULL where no variant is
 * for new users.
 */
extern const Variant *variants_choose(const Rule *rule, Bytes user_id,
									  const BanditArm *arms);

#endif							/* NUDGE_VARIANTS_H */
