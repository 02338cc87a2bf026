/*-------------------------------------------------------------------------
 *
 * variant_store.c
 *	  What users were given of variants, and what is known of the variants.
 *
 * Only rules with variants come here, so tables are opened for each question.
 *
 * Locking: RowExclusiveLock on the table where it is written.  Rows of a user are
 * written by whoever holds the user's row of nudge.cap_usage, so that of two
 * executors one draws, and the other sees it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "variant_store.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "action.h"
#include "append.h"
#include "catalog/pg_collation.h"
#include "relations.h"
#include "user.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Columns, as 54_variants.sql creates them */
enum
{
	Anum_assignments_user_id = 1,
	Anum_assignments_rule_id,
	Anum_assignments_variant,
	Anum_assignments_assigned_at,
	Natts_assignments = Anum_assignments_assigned_at
};

enum
{
	Anum_bandit_arms_rule_id = 1,
	Anum_bandit_arms_variant,
	Anum_bandit_arms_trials,
	Anum_bandit_arms_successes,
	Anum_bandit_arms_value
};

/*
 * Finds a user's assignment; false where there is none.
 */
static bool
find_assignment(Relation table, int64 rule_id, Datum user_id, char **name,
				ItemPointer tid)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyEntryInitialize(&keys[0], 0, Anum_assignments_user_id,
						   BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID,
						   F_TEXTEQ, user_id);
	ScanKeyInit(&keys[1], Anum_assignments_rule_id, BTEqualStrategyNumber,
				F_INT8EQ, Int64GetDatum(rule_id));
	scan = systable_beginscan(table, RelationGetPrimaryKeyIndex(table), true,
							  SnapshotSelf, 2, keys);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;

		*name = TextDatumGetCString(heap_getattr(tuple, Anum_assignments_variant,
												 RelationGetDescr(table), &isnull));
		*tid = tuple->t_self;
	}
	systable_endscan(scan);
	return found;
}

const Variant *
variant_given(const Rule *rule, Datum user_id)
{
	Relation	table = table_open(nudge_relation(NUDGE_VARIANT_ASSIGNMENTS),
								   AccessShareLock);
	ItemPointerData tid;
	char	   *name;
	const Variant *result = NULL;

	if (find_assignment(table, rule->rule_id, user_id, &name, &tid))
		result = variants_find(rule, name);
	table_close(table, AccessShareLock);
	return result;
}

static bool
delete_assignment(Relation table, ItemPointer tid)
{
	TM_FailureData failure;

	/* What was inserted by this command could not be deleted by it. */
	CommandCounterIncrement();
	return table_tuple_delete(table, tid, GetCurrentCommandId(true),
							  GetActiveSnapshot(), InvalidSnapshot, false,
							  &failure, false) == TM_Ok;
}

bool
variant_give(const Variant *variant, Datum user_id)
{
	Oid			relid = nudge_relation(NUDGE_VARIANT_ASSIGNMENTS);
	Relation	table = table_open(relid, RowExclusiveLock);
	Appender   *appender;
	ItemPointerData tid;
	char	   *name;
	bool		free = true;
	Datum		values[Natts_assignments];
	bool		nulls[Natts_assignments] = {false};

	if (find_assignment(table, variant->rule_id, user_id, &name, &tid))
		free = delete_assignment(table, &tid);
	if (free)
	{
		values[Anum_assignments_user_id - 1] = user_id;
		values[Anum_assignments_rule_id - 1] = Int64GetDatum(variant->rule_id);
		values[Anum_assignments_variant - 1] = CStringGetTextDatum(variant->name);
		values[Anum_assignments_assigned_at - 1] =
			TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
		appender = appender_open(relid, Natts_assignments);
		appender_insert(appender, values, nulls);
		appender_close(appender);
	}
	table_close(table, NoLock);
	return free;
}

/*
 * What is known of a rule's variants, in their order, by what has been committed
 */
static BanditArm *
load_arms(const Rule *rule)
{
	BanditArm  *arms = palloc0(rule->nvariants * sizeof(BanditArm));
	Relation	table = table_open(nudge_relation(NUDGE_BANDIT_ARMS), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(table);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_bandit_arms_rule_id, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(rule->rule_id));
	scan = systable_beginscan(table, RelationGetPrimaryKeyIndex(table), true,
							  snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		char	   *name = TextDatumGetCString(heap_getattr(tuple,
															Anum_bandit_arms_variant,
															desc, &isnull));
		const Variant *variant = variants_find(rule, name);
		BanditArm  *arm;

		if (variant == NULL)
			continue;
		arm = &arms[variant - rule->variants];
		arm->trials = DatumGetInt64(heap_getattr(tuple, Anum_bandit_arms_trials,
												 desc, &isnull));
		arm->successes = DatumGetInt64(heap_getattr(tuple, Anum_bandit_arms_successes,
													desc, &isnull));
		arm->value = DatumGetFloat8(heap_getattr(tuple, Anum_bandit_arms_value,
												 desc, &isnull));
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(table, AccessShareLock);
	return arms;
}

const Variant *
variant_draw(const Rule *rule, Datum user_id)
{
	return variants_choose(rule, bytes_of_text(user_id),
						   rule->by_draw ? load_arms(rule) : NULL);
}

const Rule *
variant_rule_for(const Rule *rule, Datum user_id)
{
	const Variant *variant;

	if (rule->nvariants == 0)
		return rule;
	variant = variant_given(rule, user_id);
	if (variant == NULL)
		variant = variant_draw(rule, user_id);
	return variant != NULL ? variant->rule : rule;
}
