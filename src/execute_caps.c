/*-------------------------------------------------------------------------
 *
 * execute_caps.c
 *	  Frequency caps, decided for good.
 *
 * Every message is counted in its user's row of nudge.cap_usage, also where no
 * cap applies yet, so that a cap that is made later counts what its window has
 * already seen; that takes a fifth to a quarter of the executor's time.  A trigger belongs to the window of the user's local day on which
 * it fired.
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

#include "cap_check.h"
#include "utils/builtins.h"

/*
 * Counts are kept for two months, and for as long as a trigger may wait, since
 * it counts in the window in which it fired.
 */
#define KEEP_DAYS 62

/* Days that the slowest rule lets its triggers wait */
static int
longest_delay(const Rules *rules)
{
	double		longest = 0.0;

	for (int i = 0; i < rules->nrules; i++)
	{
		const Interval *delay = &rules->rules[i].delay;
		double		days = delay->month * 31.0 + delay->day +
		(double) delay->time / USECS_PER_DAY;

		longest = Max(longest, days);
	}
	return (int) Min(longest + 1.0, 1e6);
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
	bool		allowed = false;

	if (user->usage == NULL)
		user->usage = usage_store_row(batch->usage, user->user_id);
	if (user->usage->state == USAGE_BUSY)
	{
		trigger->outcome = OUTCOME_LEFT;
		return;
	}
	for (int i = 0; i < trigger->nmessages; i++)
	{
		BatchMessage *message = &trigger->messages[i];
		const char *channel = message->template->channel;

		message->cap = caps_forbid_message(batch->rules, rule,
										   &user->usage->usage, channel, day);
		if (message->cap != NULL)
			continue;
		allowed = true;
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
