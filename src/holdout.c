/*-------------------------------------------------------------------------
 *
 * holdout.c
 *	  Users who get nothing, so that what messages bring about can be measured.
 *
 * A user's place between 0 and 100 is a hash of the id, and for a rule of the id
 * and the rule's.  The hash is the one that PostgreSQL promises to keep for the
 * sake of its partitions, with seeds of our own: with partitioning's seed, a node
 * that has but some partitions of the users would have a biased group.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "holdout.h"

#include "common/hashfn.h"
#include "pg_nudge.h"

#define CONTROL_GROUP_SEED UINT64CONST(0x6e756467650a0001)
#define HOLDOUT_SEED UINT64CONST(0x6e756467650a0002)

static bool
is_within(double percent, Bytes user_id, uint64 seed)
{
	uint64		hash;

	if (!(percent > 0.0))
		return false;
	hash = hash_bytes_extended((const unsigned char *) user_id.data,
							   user_id.length, seed);
	/* 53 bits are what a double holds exactly */
	return (hash >> 11) * (100.0 / (UINT64CONST(1) << 53)) < percent;
}

const char *
holdout_reason(const Rule *rule, Bytes user_id)
{
	if (rule->trigger_type != TRIGGER_TRANSACTIONAL &&
		is_within(nudge_control_group_percent, user_id, CONTROL_GROUP_SEED))
		return "control_group";
	if (is_within(rule->holdout_percent, user_id,
				  hash_combine64(HOLDOUT_SEED, rule->rule_id)))
		return "holdout";
	return NULL;
}
