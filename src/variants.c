/*-------------------------------------------------------------------------
 *
 * variants.c
 *	  Variants of rules: nudge.variants, compiled, and who gets which.
 *
 * A user's place among the variants is a hash of the user and the rule, the one
 * that PostgreSQL promises to keep (holdout.c).  It has a seed of its own: by that
 * of holdouts, the first variant would lose all users who are held out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "variants.h"

#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define VARIANT_SEED UINT64CONST(0x6e756467650a0003)

void
variant_load(Variant *variant, const Datum *values, const bool *nulls)
{
	variant->rule_id = DatumGetInt64(values[Anum_variants_rule_id - 1]);
	variant->name = TextDatumGetCString(values[Anum_variants_name - 1]);
	if (!nulls[Anum_variants_template_id - 1])
		variant->template_id =
			TextDatumGetCString(values[Anum_variants_template_id - 1]);
	if (!nulls[Anum_variants_subject - 1])
		variant->subject = TextDatumGetCString(values[Anum_variants_subject - 1]);
	variant->has_delay = !nulls[Anum_variants_delay - 1];
	if (variant->has_delay)
		variant->delay = *DatumGetIntervalP(values[Anum_variants_delay - 1]);
	variant->hour = nulls[Anum_variants_hour - 1] ? -1 :
		DatumGetInt16(values[Anum_variants_hour - 1]);
	if (!nulls[Anum_variants_channel - 1])
		variant->channel = TextDatumGetCString(values[Anum_variants_channel - 1]);
	variant->share = DatumGetFloat8(values[Anum_variants_share - 1]);
	variant->enabled = DatumGetBool(values[Anum_variants_enabled - 1]);
}

static int
compare_variants(const void *a, const void *b)
{
	const Variant *left = a;
	const Variant *right = b;

	if (left->rule_id != right->rule_id)
		return left->rule_id > right->rule_id ? 1 : -1;
	return strcmp(left->name, right->name);
}

/*
 * The rule with the variant in place
 */
static Rule *
variant_rule(const Rule *rule, Variant *variant)
{
	Rule	   *result = palloc(sizeof(Rule));

	*result = *rule;
	result->nvariants = 0;
	result->also_as_is = false;
	result->variant = variant;
	if (variant->template_id != NULL)
		result->template_id = variant->template_id;
	if (variant->has_delay)
		result->delay = variant->delay;
	if (variant->channel != NULL)
	{
		result->nchannels = 1;
		result->channels = &variant->channel;
	}
	return result;
}

void
variants_assign(Rules *rules, Variant *variants, int n)
{
	int			kept = 0;

	for (int i = 0; i < n; i++)
	{
		if (variants[i].enabled)
			variants[kept++] = variants[i];
	}
	if (kept > 1)
		qsort(variants, kept, sizeof(Variant), compare_variants);
	for (int i = 0; i < kept; i++)
	{
		Rule	   *rule = unconstify(Rule *, rules_find(rules, variants[i].rule_id));

		if (rule == NULL)
			continue;
		variants[i].rule = variant_rule(rule, &variants[i]);
		if (rule->variants == NULL)
		{
			rule->variants = &variants[i];
			rule->also_as_is = true;
		}
		rule->also_as_is &= variants[i].share <= 0.0;
		rule->nvariants++;
		rule->channel_varies |= variants[i].channel != NULL;
	}
}

const Variant *
variants_find(const Rule *rule, const char *name)
{
	for (int i = 0; i < rule->nvariants; i++)
	{
		if (strcmp(rule->variants[i].name, name) == 0)
			return &rule->variants[i];
	}
	return NULL;
}

static const Variant *
choose_by_share(const Rule *rule, uint64 hash)
{
	const Variant *last = NULL;
	double		total = 0.0;
	double		place;

	for (int i = 0; i < rule->nvariants; i++)
		total += rule->variants[i].share;
	/* 53 bits are what a double holds exactly */
	place = (hash >> 11) * (1.0 / (UINT64CONST(1) << 53));
	for (int i = 0; i < rule->nvariants; i++)
	{
		const Variant *variant = &rule->variants[i];

		if (variant->share <= 0.0)
			continue;
		last = variant;
		place -= variant->share / total;
		if (place < 0.0)
			break;
	}
	return last;
}

static const Variant *
choose_by_draw(const Rule *rule, uint64 hash, const BanditArm *arms)
{
	const Variant **open = palloc(rule->nvariants * sizeof(Variant *));
	BanditArm  *open_arms = palloc(rule->nvariants * sizeof(BanditArm));
	pg_prng_state random;
	int			n = 0;
	const Variant *result = NULL;

	for (int i = 0; i < rule->nvariants; i++)
	{
		if (rule->variants[i].share <= 0.0)
			continue;
		open[n] = &rule->variants[i];
		open_arms[n++] = arms[i];
	}
	pg_prng_seed(&random, hash);
	if (n > 0)
		result = open[rule->by_value ? bandit_draw_value(open_arms, n, &random) :
					  bandit_draw(open_arms, n, &random)];
	pfree(open);
	pfree(open_arms);
	return result;
}

const Variant *
variants_choose(const Rule *rule, Bytes user_id, const BanditArm *arms)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) user_id.data,
										   user_id.length,
										   hash_combine64(VARIANT_SEED, rule->rule_id));

	return arms != NULL ? choose_by_draw(rule, hash, arms) :
		choose_by_share(rule, hash);
}
