/*-------------------------------------------------------------------------
 *
 * history_actions.c
 *	  A user's actions up to the action in hand: how many, and when.
 *
 * history.c tells what is seen; history_types.c, of which types they are.  What has been found out is kept for the next
 * action of the same user in the statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "history_probe.h"

#include "access/stratnum.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Keys of a scan of actions: user, type, two ends of times, two ends of ids */
#define NUM_ACTION_KEYS 6

/* So many users of a statement are remembered. */
#define MAX_MEMOS 4096

/* So many notes about users of a statement are kept. */
#define MAX_NOTES 100000

/* What is known of a user's history up to a row of the statement */
typedef struct Memo
{
	const char *count_type;		/* NULL: nothing */
	int64		count_id;		/* up to and including this action */
	int64		count;
	int64		count_limit;

	const char *last_type;		/* NULL: nothing */
	int64		last_id;
	TimestampTz since;			/* what was asked */
	TimestampTz enough;
	bool		found;
	TimestampTz last;
} Memo;

/*
 * A partition without the index that looks up by user and type makes the history
 * incomplete.
 */
void
history_open_actions(History *history)
{
	static const AttrNumber wanted[] = {
		Anum_actions_user_id, Anum_actions_action_type,
		Anum_actions_recorded_at, Anum_actions_action_id
	};

	if (history->actions_open)
		return;
	history->actions = probe_partitions(history, NUDGE_ACTIONS, wanted,
										lengthof(wanted), NUM_ACTION_KEYS,
										&history->nactions,
										&history->incomplete);
	history->actions_open = true;
}

bool
history_is_complete(History *history)
{
	history_open_actions(history);
	return !history->incomplete;
}

/* Actions of one user and type that were recorded in a range of time, and in a
 * range of ids */
typedef struct ActionRange
{
	TimestampTz from;			/* inclusive, as is to */
	TimestampTz to;
	int64		after_id;		/* exclusive */
	int64		upto_id;		/* inclusive */
} ActionRange;

static void
rescan_actions(History *history, Probe *probe, const Action *action, Datum type,
			   const ActionRange *range)
{
	ScanKeyData keys[NUM_ACTION_KEYS];

	key_text(&keys[0], 1, action->user_id_datum);
	if (DatumGetPointer(type) != NULL)
		key_text(&keys[1], 2, type);
	else
		ScanKeyEntryInitialize(&keys[1], 0, 2, BTGreaterEqualStrategyNumber,
							   InvalidOid, C_COLLATION_OID, F_TEXT_GE,
							   PointerGetDatum(cstring_to_text("")));
	ScanKeyInit(&keys[2], 3, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(range->from));
	ScanKeyInit(&keys[3], 3, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE,
				TimestampTzGetDatum(range->to));
	ScanKeyInit(&keys[4], 4, BTGreaterStrategyNumber, F_INT8GT,
				Int64GetDatum(range->after_id));
	ScanKeyInit(&keys[5], 4, BTLessEqualStrategyNumber, F_INT8LE,
				Int64GetDatum(range->upto_id));
	probe_rescan(history, probe, keys, NUM_ACTION_KEYS);
}

/* Whether a partition has nothing that was recorded in the range of time */
static inline bool
is_outside(const Probe *probe, const ActionRange *range)
{
	return probe->before <= range->from || probe->from > range->to;
}

/* What was recorded before the action in hand, no earlier than since */
static ActionRange
actions_before(const Action *action, TimestampTz since)
{
	ActionRange range = {since, PG_INT64_MAX, PG_INT64_MIN, PG_INT64_MAX};

	if (action->recorded)
		range.to = action->recorded_at - 1;
	else if (action->ends_history)
		range.to = action->recorded_at;
	return range;
}

/* What was recorded in the same transaction, after an id, up to the action */
static ActionRange
actions_beside(const Action *action, int64 after_id)
{
	ActionRange range = {action->recorded_at, action->recorded_at, after_id,
	action->action_id};

	return range;
}

/* An action that is only thought of is itself the last of its type. */
static bool
is_thought_of(const Action *action, const char *type)
{
	return !action->recorded && action->action_type.length == strlen(type) &&
		memcmp(action->action_type.data, type, strlen(type)) == 0;
}

/*
 * What is remembered of the action's user, to be carried on from row to row of
 * the statement; NULL where nothing is.  Counting anew for each row would make
 * many rows of one user cost the square of their number.
 */
static Memo *
find_memo(History *history, const Action *action)
{
	MemoryContext old;
	BytesMapEntry *entry;
	Bytes		key = action->user_id;
	bool		found;

	/* Rows that are replayed are of many transactions: nothing carries on. */
	if (!action->recorded || action->replayed)
		return NULL;
	old = MemoryContextSwitchTo(history->context);
	if (history->memos == NULL)
		history->memos = bytesmap_create(history->context, 64, NULL);
	entry = bytesmap_lookup(history->memos, key);
	if (entry == NULL && history->memos->members < MAX_MEMOS)
	{
		key.data = memcpy(palloc(key.length), key.data, key.length);
		entry = bytesmap_insert(history->memos, key, &found);
		entry->value = palloc0(sizeof(Memo));
	}
	MemoryContextSwitchTo(old);
	return entry != NULL ? entry->value : NULL;
}

/*
 * Counts the actions in a range, as long as count stays below limit.
 */
static int64
count_range(History *history, const Action *action, Datum type,
			ActionRange range, int64 count, int64 limit)
{
	for (int i = 0; i < history->nactions && count < limit; i++)
	{
		Probe	   *probe = &history->actions[i];

		if (is_outside(probe, &range))
			continue;
		rescan_actions(history, probe, action, type, &range);
		while (count < limit &&
			   probe_next(history, probe, ForwardScanDirection))
		{
			CHECK_FOR_INTERRUPTS();
			count++;
		}
		ExecClearTuple(probe->slot);
	}
	return count;
}

int64
history_count_actions(History *history, const Action *action, const char *type,
					  int64 limit)
{
	Datum		type_datum = CStringGetTextDatum(type);
	Memo	   *memo = find_memo(history, action);
	int64		count = is_thought_of(action, type) ? 1 : 0;

	history_open_actions(history);

	/* What was cut off at a limit is good for limits up to that one only. */
	if (memo != NULL && memo->count_type == type &&
		memo->count_id <= action->action_id &&
		(memo->count < memo->count_limit || memo->count >= limit))
		count = count_range(history, action, type_datum,
							actions_beside(action, memo->count_id), memo->count,
							limit);
	else
	{
		count = count_range(history, action, type_datum,
							actions_before(action, PG_INT64_MIN), count, limit);
		if (action->recorded)
			count = count_range(history, action, type_datum,
								actions_beside(action, PG_INT64_MIN), count, limit);
	}
	if (memo != NULL)
	{
		memo->count_type = type;
		memo->count_id = action->action_id;
		memo->count = count;
		memo->count_limit = limit;
	}
	pfree(DatumGetPointer(type_datum));
	return count;
}

/*
 * Looks for the latest occurred_at in a range, from its end, until there is one
 * that is not before enough.
 */
static void
last_in_range(History *history, const Action *action, Datum type,
			  ActionRange range, TimestampTz enough, bool *found,
			  TimestampTz *last)
{
	for (int i = 0; i < history->nactions; i++)
	{
		Probe	   *probe = &history->actions[i];

		if (is_outside(probe, &range))
			continue;
		rescan_actions(history, probe, action, type, &range);
		while (!(*found && *last >= enough) &&
			   probe_next(history, probe, BackwardScanDirection))
		{
			TimestampTz occurred_at;
			bool		isnull;

			CHECK_FOR_INTERRUPTS();
			occurred_at =
				DatumGetTimestampTz(slot_getattr(probe->slot,
												 Anum_actions_occurred_at,
												 &isnull));
			if (!*found || occurred_at > *last)
				*last = occurred_at;
			*found = true;
		}
		ExecClearTuple(probe->slot);
	}
}

bool
history_last_action(History *history, const Action *action, const char *type,
					TimestampTz since, TimestampTz enough, TimestampTz *last)
{
	Datum		type_datum = CStringGetTextDatum(type);
	Memo	   *memo = find_memo(history, action);
	bool		found = is_thought_of(action, type);
	int64		after_id = PG_INT64_MIN;

	if (found)
		*last = action->occurred_at;
	history_open_actions(history);

	if (memo != NULL && memo->last_type == type && memo->since == since &&
		memo->enough == enough && memo->last_id <= action->action_id)
	{
		found = memo->found;
		*last = memo->last;
		after_id = memo->last_id;
	}
	if (action->recorded)
		last_in_range(history, action, type_datum,
					  actions_beside(action, after_id), enough, &found, last);
	if (after_id == PG_INT64_MIN)
		last_in_range(history, action, type_datum, actions_before(action, since),
					  enough, &found, last);
	if (memo != NULL)
	{
		memo->last_type = type;
		memo->last_id = action->action_id;
		memo->since = since;
		memo->enough = enough;
		memo->found = found;
		memo->last = *last;
	}
	pfree(DatumGetPointer(type_datum));
	return found;
}

/*
 * Shows the actions in a range; false once the visitor has seen enough.
 */
static bool
visit_range(History *history, const Action *action, Datum type,
			ActionRange range, PastActionVisitor visit, void *arg)
{
	bool		more = true;

	for (int i = 0; i < history->nactions && more; i++)
	{
		Probe	   *probe = &history->actions[i];

		if (is_outside(probe, &range))
			continue;
		rescan_actions(history, probe, action, type, &range);
		while (more && probe_next(history, probe, BackwardScanDirection))
		{
			CHECK_FOR_INTERRUPTS();
			more = visit(probe->slot, arg);
		}
		ExecClearTuple(probe->slot);
	}
	return more;
}

void
history_visit_actions(History *history, const Action *action, Datum type,
					  TimestampTz since, int64 after_id,
					  PastActionVisitor visit, void *arg)
{
	bool		more = true;

	history_open_actions(history);
	if (action->recorded)
		more = visit_range(history, action, type,
						   actions_beside(action, after_id), visit, arg);
	if (more && after_id == PG_INT64_MIN)
		visit_range(history, action, type, actions_before(action, since), visit,
					arg);
}

void *
history_note(History *history, const Action *action, Bytes key, Size size)
{
	char		space[256];
	Bytes		whole = {space, action->user_id.length + 1 + key.length};
	BytesMapEntry *entry;
	bool		found;

	if (!action->recorded || action->replayed)
		return NULL;
	if (history->notes == NULL)
		history->notes = bytesmap_create(history->context, 64, NULL);
	if (whole.length > sizeof(space))
		whole.data = palloc(whole.length);
	memcpy(whole.data, action->user_id.data, action->user_id.length);
	whole.data[action->user_id.length] = '\0';	/* is in no user_id */
	memcpy(whole.data + action->user_id.length + 1, key.data, key.length);

	entry = bytesmap_lookup(history->notes, whole);
	if (entry == NULL && history->notes->members < MAX_NOTES)
	{
		MemoryContext old = MemoryContextSwitchTo(history->context);

		whole.data = memcpy(palloc(whole.length), whole.data, whole.length);
		entry = bytesmap_insert(history->notes, whole, &found);
		entry->value = palloc0(size);
		MemoryContextSwitchTo(old);
	}
	return entry != NULL ? entry->value : NULL;
}
