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
 * Moves the trigger on to when it is due for its user.  Its expiry is that of the
 * variant that is due last.
 */
static void
check_due(Batch *batch, BatchTrigger *trigger)
{
	TimestampTz due_at = send_time_due(trigger->rule, &trigger->user->row,
									   trigger->due.fired_at);

	if (due_at > batch->as_of)
		trigger_defer(trigger, due_at, "variant");
	else if (trigger->rule->has_expiry &&
			 !trigger->due.nulls[Anum_pending_expires_at - 1] &&
			 schedule_add_interval(due_at, &trigger->rule->expiry) <= batch->as_of)
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
		{
			trigger->outcome = OUTCOME_LEFT;
			continue;
		}
		if (variant != NULL)
			trigger->rule = variant->rule;
		/* What follows up a message has its own time. */
		if (trigger->due.nulls[Anum_pending_fallback_of - 1])
			check_due(batch, trigger);
	}
}
