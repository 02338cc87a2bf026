/*-------------------------------------------------------------------------
 *
 * execute_variants.c
 *	  Which variant of its rule a trigger is sent as, and when that is due.
 *
 * The insert path knows of no variants: triggers of a rule that has some are due
 * when the first of them is, and the executor moves them on to the time of the
 * user's own.  From then on the trigger's rule is the rule with the variant in
 * place.
 *
 * A variant is drawn once for a user and a rule, when the first trigger is due, and
 * kept from then on, whatever comes of the trigger.  It is drawn under the lock of
 * the user's row of nudge.cap_usage, so that two executors do not give the user two.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "execute.h"

#include "send_hours.h"
#include "send_time.h"
#include "variant_store.h"

/*
 * Draws a variant for a user who has none.  False where somebody else has the
 * user's row: the trigger is left for a later call.  *variant is NULL where the
 * rule is sent as it is.
 */
static bool
draw_variant(Batch *batch, BatchTrigger *trigger, const Variant **variant)
{
	BatchUser  *user = trigger->user;

	if (user->usage == NULL)
		user->usage = usage_store_row(batch->usage, user->user_id);
	if (user->usage->state == USAGE_BUSY ||
		!usage_store_take(batch->usage, user->usage))
		return false;
	*variant = variant_given(trigger->rule, user->user_id);
	if (*variant != NULL)
		return true;
	*variant = variant_draw(trigger->rule, user->user_id);
	return *variant == NULL || variant_give(*variant, user->user_id);
}

/*
 * A trigger of its own time: what follows up a message has another.
 */
static bool
has_due_time(const BatchTrigger *trigger)
{
	return trigger->outcome == OUTCOME_OPEN &&
		(trigger->rule->variant != NULL || trigger->rule->nvariants > 0 ||
		 trigger->rule->best_time) &&
		trigger->due.nulls[Anum_pending_fallback_of - 1];
}

/*
 * Moves the trigger on to when it is due for its user.  It expires by its own due
 * time; that in the table is for the last that there may be.
 */
static void
check_due(Batch *batch, BatchTrigger *trigger, int best_hour)
{
	const Rule *rule = trigger->rule;
	TimestampTz due_at = send_time_due(rule, &trigger->user->row,
									   trigger->due.fired_at, best_hour);

	if (due_at > batch->as_of)
		trigger_defer(trigger, due_at, best_hour >= 0 ? "best_time" : "variant");
	else if (rule->has_expiry && !trigger->due.nulls[Anum_pending_expires_at - 1] &&
			 schedule_add_interval(due_at, &rule->expiry) <= batch->as_of)
		trigger_skip(trigger, "expired");
}

void
choose_variants(Batch *batch)
{
	for (int i = 0; i < batch->ntriggers; i++)
	{
		BatchTrigger *trigger = &batch->triggers[i];
		const Variant *variant;

		if (trigger->outcome != OUTCOME_OPEN || trigger->rule->nvariants == 0)
			continue;
		variant = variant_given(trigger->rule, trigger->user->user_id);
		if (variant == NULL && !draw_variant(batch, trigger, &variant))
			trigger->outcome = OUTCOME_LEFT;
		else if (variant != NULL)
			trigger->rule = variant->rule;
	}
}

void
check_due_times(Batch *batch)
{
	int			n = batch->ntriggers;
	SendHour   *asked = NULL;
	int			nasked = 0;
	int			next = 0;

	for (int i = 0; i < n; i++)
	{
		const BatchTrigger *trigger = &batch->triggers[i];

		if (!has_due_time(trigger) || !send_time_is_best(trigger->rule))
			continue;
		if (asked == NULL)
			asked = palloc(n * sizeof(SendHour));
		asked[nasked].user_id = trigger->user->user_id;
		asked[nasked++].rule_id = trigger->rule->rule_id;
	}
	if (nasked > 0)
		send_hours_fetch(asked, nasked, batch->as_of);
	for (int i = 0; i < n; i++)
	{
		BatchTrigger *trigger = &batch->triggers[i];

		if (has_due_time(trigger))
			check_due(batch, trigger, send_time_is_best(trigger->rule) ?
					  asked[next++].hour : -1);
	}
}
