/*-------------------------------------------------------------------------
 *
 * execute_caps.c
 *	  Frequency caps and entries into rules, decided for good.
 *
 * Every message is counted in its user's row of nudge.cap_usage, also where no
 * cap applies yet, so that a cap that is made later counts what its window has
 * already seen; that takes a fifth to a quarter of the executor's time.  A trigger belongs to the window of the user's local day on which
 * it fired.
 *
 * An entry is made with the message, in the same order of firing and under the
 * same lock, so that no user enters a rule more often than it lets them.
 *
 * Locking: the row's lock is held until the end of the transaction, so nobody
 * else decides for this user meanwhile.  Where somebody else holds it, the
 * triggers of that user are left for a later call; nobody waits (see
 * usage_store.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "execute.h"

#include "action.h"
#include "cap_check.h"
#include "utils/builtins.h"
#include "variants.h"

/*
 * Counts are kept for two months, and for as long as a trigger may wait, since
 * it counts in the window in which it fired.
 */
#define KEEP_DAYS 62

static double
days_of(const Interval *delay)
{
	return delay->month * 31.0 + delay->day + (double) delay->time / USECS_PER_DAY;
}

/* Days that the slowest rule lets its triggers wait, one of them for an hour */
static int
longest_delay(const Rules *rules)
{
	double		longest = 0.0;

	for (int i = 0; i < rules->nrules; i++)
	{
		const Rule *rule = &rules->rules[i];

		longest = Max(longest, days_of(&rule->delay));
		for (int j = 0; j < rule->nvariants; j++)
			longest = Max(longest, days_of(&rule->variants[j].rule->delay));
	}
	return (int) Min(longest + 2.0, 1e6);
}

/*
 * The key with which a trigger enters its rule; false where there is none.  The
 * one from the time of firing counts, unless the rule has changed its kind.
 */
static bool
entry_key(const BatchTrigger *trigger, Datum *key)
{
	const DueTrigger *due = &trigger->due;
	const Reentry *reentry = &trigger->rule->reentry;
	Jsonb	   *data = NULL;

	if (!due->nulls[Anum_pending_reentry_key - 1])
		*key = PointerGetDatum(PG_DETOAST_DATUM(due->values[Anum_pending_reentry_key - 1]));
	if (!due->nulls[Anum_pending_reentry_key - 1] &&
		(bytes_of_text(*key).length > 0) == (reentry->kind == REENTRY_KEY))
		return true;
	if (!due->nulls[Anum_pending_action_data - 1])
		data = DatumGetJsonbP(due->values[Anum_pending_action_data - 1]);
	return reentry_key(reentry, data, key);
}

/*
 * Whether the trigger's user may enter its rule; if so, *key is what to enter
 * with, or 0.  What follows up an entry's own message may, whatever there is.
 */
static bool
may_enter(Batch *batch, BatchTrigger *trigger, Datum *key)
{
	bool		follows_up = !trigger->due.nulls[Anum_pending_fallback_of - 1];

	*key = (Datum) 0;
	if (trigger->rule->reentry.kind == REENTRY_ALWAYS)
		return true;
	if (!usage_store_take(batch->usage, trigger->user->usage))
	{
		trigger->outcome = OUTCOME_LEFT;
		return false;
	}
	if (!entry_key(trigger, key))
	{
		if (!follows_up)
			trigger_skip(trigger, "no_key");
		return follows_up;
	}
	if (entry_store_ask(batch->entries, trigger->rule, &trigger->due,
						*key) == ENTRY_OPEN)
		return true;
	if (!follows_up)
		trigger_skip(trigger, "reentry");
	*key = (Datum) 0;
	return follows_up;
}

/*
 * Makes the entry; with the first message of the trigger that caps allow.
 */
static bool
enter(Batch *batch, BatchTrigger *trigger, Datum key)
{
	if (key == (Datum) 0 ||
		entry_store_enter(batch->entries, trigger->rule, &trigger->due,
						  key) == ENTRY_OPEN)
		return true;
	trigger->outcome = OUTCOME_LEFT;
	return false;
}

/*
 * Messages of a trigger are decided on in the order of preference, each counting
 * for those after it.
 */
static void
decide(Batch *batch, BatchTrigger *trigger, int keep_days)
{
	const Rule *rule = trigger->rule;
	BatchUser  *user = trigger->user;
	pg_tz	   *tz = caps_timezone(user_timezone(&user->row));
	DateADT		day = caps_local_day(trigger->due.fired_at, tz);
	Datum		key;
	bool		allowed = false;

	if (user->usage == NULL)
		user->usage = usage_store_row(batch->usage, user->user_id);
	if (user->usage->state == USAGE_BUSY)
	{
		trigger->outcome = OUTCOME_LEFT;
		return;
	}
	if (!may_enter(batch, trigger, &key))
		return;
	for (int i = 0; i < trigger->nmessages; i++)
	{
		BatchMessage *message = &trigger->messages[i];
		const char *channel = message->template->channel;

		message->cap = caps_forbid_message(batch->rules, rule,
										   &user->usage->usage, channel, day);
		if (message->cap != NULL)
			continue;
		if (!allowed && !enter(batch, trigger, key))
			return;
		allowed = true;
		message->week_before = usage_count_week(&user->usage->usage, day);
		usage_store_add(batch->usage, user->usage, rule->rule_id, channel, day,
						caps_local_day(batch->as_of, tz) - keep_days);
	}
	if (!allowed)
		trigger_skip(trigger, "capped");
}

void
execute_caps(Batch *batch, int from, int to)
{
	int			keep_days = KEEP_DAYS + longest_delay(batch->rules);
	bool	   *concerned = palloc0((to - from) * sizeof(bool));

	for (int i = from; i < to; i++)
	{
		BatchTrigger *trigger = &batch->triggers[i];

		concerned[i - from] = trigger->outcome == OUTCOME_MESSAGE;
		if (concerned[i - from])
			decide(batch, trigger, keep_days);
	}

	/* Where a rival has made a user's first row, what was decided is void. */
	for (int i = from; i < to; i++)
	{
		BatchTrigger *trigger = &batch->triggers[i];

		if (concerned[i - from] &&
			!usage_store_claim(batch->usage, trigger->user->usage))
			trigger->outcome = OUTCOME_LEFT;
	}
	pfree(concerned);
}
