/*-------------------------------------------------------------------------
 *
 * entry_check.c
 *	  Whether a user may enter a rule when it fires.
 *
 * As with caps, the insert path reads entries and waiting triggers without locks
 * and drops what they forbid.  It may let through more than may enter, since it
 * does not see what other sessions have not committed; the executor decides for
 * good (execute_caps.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "entry_check.h"

#include "document.h"

/* What is looked for among waiting triggers */
typedef struct Waiting
{
	const Rule *rule;
	TimestampTz now;
	EntryState *state;
} Waiting;

static bool
look_at_waiting(int64 rule_id, TimestampTz fired_at, void *arg)
{
	Waiting    *waiting = arg;

	if (!reentry_forbids(&waiting->rule->reentry, fired_at, waiting->now))
		return true;
	waiting->state->reason = "reentry";
	waiting->state->waiting = true;
	waiting->state->waiting_since = fired_at;
	return false;
}

bool
entry_check(Evaluator *evaluator, const Rule *rule, EntryState *state)
{
	const Reentry *reentry = &rule->reentry;
	Action	   *action = &evaluator->action;
	Waiting		waiting = {rule, evaluator->now, state};
	Jsonb	   *data = NULL;

	memset(state, 0, sizeof(EntryState));
	if (reentry->kind == REENTRY_ALWAYS)
		return true;
	if (reentry->kind == REENTRY_KEY)
		data = action_data(action);
	if (!reentry_key(reentry, data, &state->key))
	{
		state->reason = "no_key";
		return false;
	}
	state->entered = history_entry(evaluator->history, action->user_id_datum,
								   rule->rule_id, state->key,
								   &state->entered_at);
	if (state->entered &&
		reentry_forbids(reentry, state->entered_at, evaluator->now))
	{
		state->reason = "reentry";
		return false;
	}
	history_pending_entries(evaluator->history, action->user_id_datum,
							rule->rule_id, state->key, look_at_waiting, &waiting);
	return !state->waiting;
}

void
push_entry(JsonbParseState **parse_state, const Rule *rule,
		   const EntryState *state)
{
	if (rule->reentry.kind == REENTRY_KEY)
		push_text(parse_state, "key", state->key, state->key == (Datum) 0);
	if (state->entered)
		push_timestamptz(parse_state, "entered_at", state->entered_at);
	if (state->waiting)
		push_timestamptz(parse_state, "waiting_since", state->waiting_since);
}
