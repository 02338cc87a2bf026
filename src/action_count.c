/*-------------------------------------------------------------------------
 *
 * action_count.c
 *	  Conditions on how often the user did something.
 *
 * Past actions are counted by looking into the index on user, type and time, no
 * further than it takes to decide.  A count is remembered for the action in hand,
 * so that many conditions on the same actions cost one look; and for the user, so
 * that the next action of a statement only counts what came in between.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_scorer.h"

#include "bytesmap.h"
#include "document.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* How far a user's actions have been counted */
typedef struct CountNote
{
	bool		known;
	int64		upto_id;		/* up to and including this action */
	int64		count;			/* at least so many, if equal to the limit */
	int64		limit;
	const char *error;
} CountNote;

/* A count while it is taken */
typedef struct Counting
{
	const ActionCount *what;
	TimestampTz since;
	int64		count;
	int64		limit;
	const char *error;			/* an action could not be looked into */
	MemoryContext context;		/* reset after each action */
	TimestampTz *times;			/* of the counted ones, if asked for */
} Counting;

/* So many actions are told apart when it is asked how long a count will hold. */
#define MAX_TIMES 10000

/*
 * What the path sees: the action's data, and what is not in it under action,
 * action_data, action_type and context.  Keys of the data come first.
 */
static Jsonb *
past_document(Action *action)
{
	Jsonb	   *data = action_data(action);
	JsonbParseState *state = NULL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_action(&state, action);
	push_text(&state, "action_type",
			  PointerGetDatum(cstring_to_text_with_len(action->action_type.data,
													   action->action_type.length)),
			  false);
	push_jsonb(&state, "action_data", data);
	push_jsonb(&state, "context", action_context(action));
	iterator = JsonbIteratorInit(&data->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY || token == WJB_VALUE)
			pushJsonbValue(&state, token, &value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static bool
is_too_deep(Jsonb *document)
{
	return jsonb_depth(document, DOCUMENT_MAX_DEPTH) > DOCUMENT_MAX_DEPTH;
}

/*
 * Does an action count, as far as "where" goes?
 */
static bool
satisfies(Counting *counting, Action *action)
{
	const ActionCount *what = counting->what;
	Jsonb	   *data = action_data(action);

	if (is_too_deep(data) || !JB_ROOT_IS_OBJECT(data) ||
		(what->where_document &&
		 (is_too_deep(action_context(action)) ||
		  (Size) VARSIZE(data) * 4 + (Size) VARSIZE(action_context(action)) * 2 >
		  DOCUMENT_MAX_SIZE)))
	{
		counting->error = "a past action is nested too deeply, or too large";
		return false;
	}
	return jsonpath_holds(what->where,
						  what->where_document ? past_document(action) : data);
}

/*
 * Counts one action; a PastActionVisitor.
 */
static bool
count_action(TupleTableSlot *slot, void *arg)
{
	Counting   *counting = arg;
	bool		isnull;
	TimestampTz occurred_at =
	DatumGetTimestampTz(slot_getattr(slot, Anum_actions_occurred_at, &isnull));

	if (occurred_at < counting->since)
		return true;
	if (counting->what->any_type &&
		source_is_engine(slot_getattr(slot, Anum_actions_source, &isnull)))
		return true;
	if (counting->times != NULL)
		counting->times[counting->count] =
			Min(occurred_at,
				DatumGetTimestampTz(slot_getattr(slot, Anum_actions_recorded_at,
												 &isnull)));
	if (counting->what->where == NULL)
		counting->count++;
	else
	{
		MemoryContext old = MemoryContextSwitchTo(counting->context);
		Action		action;

		action_from_slot(&action, slot);
		counting->count += satisfies(counting, &action);
		MemoryContextSwitchTo(old);
		MemoryContextReset(counting->context);
	}
	return counting->count < counting->limit;
}

/*
 * Is the action in hand of a type that counts?  Segments are asked without one.
 */
static bool
is_counted_type(const ActionCount *what, Bytes type)
{
	if (what->any_type)
		return type.length > 0;
	for (int i = 0; i < what->ntypes; i++)
	{
		if (bytes_equal(what->types[i], type))
			return true;
	}
	return false;
}

/*
 * An action that is only thought of is in no table yet, but part of the history.
 */
static void
count_thought(Counting *counting, Evaluator *evaluator)
{
	Action	   *action = &evaluator->action;

	if (!action->recorded && action->occurred_at >= counting->since &&
		is_counted_type(counting->what, action->action_type) &&
		!(counting->what->any_type && source_is_engine(action->source_datum)) &&
		(counting->what->where == NULL || satisfies(counting, action)))
		counting->count++;
}

static void
count_past(Counting *counting, Evaluator *evaluator, int64 after_id)
{
	const ActionCount *what = counting->what;

	if (what->where != NULL)
		counting->context = AllocSetContextCreate(CurrentMemoryContext,
												  "pg_nudge past action",
												  ALLOCSET_DEFAULT_SIZES);
	if (what->any_type)
		history_visit_actions(evaluator->history, &evaluator->action, (Datum) 0,
							  counting->since, after_id, count_action, counting);
	for (int i = 0; i < what->ntypes && counting->count < counting->limit; i++)
	{
		Datum		type =
		PointerGetDatum(cstring_to_text_with_len(what->types[i].data,
												 what->types[i].length));

		history_visit_actions(evaluator->history, &evaluator->action, type,
							  counting->since, after_id, count_action, counting);
		pfree(DatumGetPointer(type));
	}
	if (counting->context != NULL)
		MemoryContextDelete(counting->context);
}

/*
 * Is a count that was taken up to a limit good for one up to another?  One that was
 * cut off is good for lower limits only.
 */
static inline bool
is_good_for(int64 count, int64 limit, int64 needed)
{
	return count < limit || count >= needed;
}

/*
 * Counts as far as needed, going on from what is known of the user.  Where a count
 * was cut off too early, twice as far, so that conditions which each want to know a
 * little more do not make it start again each time.
 */
static void
take_count(Counting *counting, Evaluator *evaluator, int64 needed)
{
	const Action *action = &evaluator->action;
	CountNote  *note = history_note(evaluator->history, action,
									counting->what->key, sizeof(CountNote));
	int64		after_id = PG_INT64_MIN;

	counting->limit = needed;
	if (note != NULL && note->known)
	{
		if (note->upto_id <= action->action_id &&
			is_good_for(note->count, note->limit, needed))
		{
			after_id = note->upto_id;
			counting->count = note->count;
			counting->error = note->error;
			counting->limit = Max(needed, note->limit);
		}
		else if (note->limit < PG_INT64_MAX / 2)
			counting->limit = Max(needed, note->limit * 2);
	}
	if (after_id == PG_INT64_MIN)
		count_thought(counting, evaluator);
	count_past(counting, evaluator, after_id);
	if (note != NULL)
		*note = (CountNote) {true, action->action_id, counting->count,
			counting->limit, counting->error};
}

/*
 * Brings evaluator->count up to date, at least as far as needed.
 */
static void
ensure_count(Evaluator *evaluator, const ActionCount *what, int64 needed)
{
	Counting	counting = {what, window_begin(evaluator, what->window)};

	if (evaluator->count_known && bytes_equal(evaluator->count_key, what->key) &&
		is_good_for(evaluator->count, evaluator->count_limit, needed))
		return;
	take_count(&counting, evaluator, needed);
	evaluator->count_known = true;
	evaluator->count_key = what->key;
	evaluator->count = counting.count;
	evaluator->count_limit = counting.limit;
	evaluator->count_error = counting.error;
}

/*
 * How far a count has to go until it is decided
 */
static int64
count_needed(const ActionCount *what)
{
	return what->most == PG_INT64_MAX ? what->least : what->most + 1;
}

int64
action_count_seen(Evaluator *evaluator, const ActionCount *what)
{
	ensure_count(evaluator, what, count_needed(what));
	return evaluator->count;
}

Score
score_action_count(Evaluator *evaluator, const Condition *condition)
{
	const ActionCount *what = condition->count;
	int64		needed = count_needed(what);
	bool		holds;

	if (!history_is_complete(evaluator->history))
		return score_error(evaluator, INCOMPLETE_HISTORY);
	ensure_count(evaluator, what, needed);
	/* What could not be looked into might have made the count larger. */
	if (evaluator->count_error != NULL && evaluator->count < needed)
		return score_error(evaluator, evaluator->count_error);
	holds = evaluator->count >= what->least && evaluator->count <= what->most;
	return score_of(holds != what->negated);
}

static int
compare_times_descending(const void *a, const void *b)
{
	TimestampTz left = *(const TimestampTz *) a;
	TimestampTz right = *(const TimestampTz *) b;

	return left < right ? 1 : left > right ? -1 : 0;
}

/*
 * When the nth last of some actions leaves the window
 */
static TimestampTz
leaves_window(const Counting *counting, int64 n)
{
	TimestampTz leaves;

	if (n < 1 || n > counting->count ||
		pg_add_s64_overflow(counting->times[n - 1], counting->what->window + 1,
							&leaves))
		return PG_INT64_MAX;
	return leaves;
}

TimestampTz
action_count_holds_until(Evaluator *evaluator, const ActionCount *what)
{
	Counting	counting = {what, window_begin(evaluator, what->window)};
	TimestampTz until;

	/* The whole history only grows. */
	if (what->window == 0 || !history_is_complete(evaluator->history))
		return PG_INT64_MAX;
	counting.limit = MAX_TIMES;
	counting.times = palloc(MAX_TIMES * sizeof(TimestampTz));
	count_past(&counting, evaluator, PG_INT64_MIN);
	qsort(counting.times, counting.count, sizeof(TimestampTz),
		  compare_times_descending);

	/* Falling below least, and falling to most */
	until = leaves_window(&counting, what->least);
	if (what->most < PG_INT64_MAX)
		until = Min(until, leaves_window(&counting, what->most + 1));
	if (counting.count == MAX_TIMES)
		until = Min(until, leaves_window(&counting, MAX_TIMES));
	pfree(counting.times);
	return until;
}
