/*-------------------------------------------------------------------------
 *
 * action.h
 *	  An action in hand, and values in its JSON documents.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_ACTION_H
#define NUDGE_ACTION_H

#include "postgres.h"

#include "condition.h"
#include "datatype/timestamp.h"
#include "executor/tuptable.h"
#include "utils/timestamp.h"
#include "utils/jsonb.h"

/* Columns of nudge.actions, as 03_runtime_tables.sql creates them */
enum
{
	Anum_actions_action_id = 1,
	Anum_actions_user_id,
	Anum_actions_action_type,
	Anum_actions_action_data,
	Anum_actions_context,
	Anum_actions_session_id,
	Anum_actions_source,
	Anum_actions_occurred_at,
	Anum_actions_recorded_at,
	Natts_actions = Anum_actions_recorded_at
};

/* actions.source of what the engine records, which users did not do themselves */
#define ACTION_SOURCE_ENGINE "pg_nudge"

typedef struct Action
{
	bool		recorded;		/* false: only thought of (evaluate, explain) */
	bool		ends_history;	/* thought of at recorded_at: nothing later counts */
	bool		replayed;		/* recorded by a transaction of the past */
	int64		action_id;		/* where recorded */
	Datum		user_id_datum;
	Bytes		user_id;
	Bytes		action_type;
	Datum		data_datum;		/* 0 where NULL; toasted as it came */
	Datum		context_datum;
	Datum		session_id_datum;
	Datum		source_datum;
	TimestampTz occurred_at;
	TimestampTz recorded_at;

	/* Detoasted at first use */
	Jsonb	   *data;
	Jsonb	   *context;
} Action;

/* Points action into the tuple in slot; good until the slot changes. */
extern void action_from_slot(Action *action, TupleTableSlot *slot);

/*
 * Whether an action with this source was recorded by the engine, instead of being the
 * user's own; 0 is NULL.
 */
extern bool source_is_engine(Datum source);

/* action_data and context; an empty object where they are NULL. */
extern Jsonb *action_data(Action *action);
extern Jsonb *action_context(Action *action);
extern Jsonb *jsonb_empty_object(void);

/* action_data.page_url, if it is a string */
extern bool action_page_url(Action *action, Bytes *url);

/*
 * The value at a path below a document.  False where there is none, or it is
 * null.
 */
extern bool jsonb_at_path(Jsonb *document, const PathStep *steps, int nsteps,
						  JsonbValue *value);
extern bool container_at_path(JsonbContainer *container, const PathStep *steps,
							  int nsteps, JsonbValue *value);

/* Value of an action_attribute */
extern bool action_attribute(Action *action, const AttributePath *path,
							 JsonbValue *value);

static inline Bytes
bytes_of_text(Datum datum)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(datum);
	Bytes		result;

	result.data = VARDATA_ANY(value);
	result.length = VARSIZE_ANY_EXHDR(value);
	return result;
}

#endif							/* NUDGE_ACTION_H */
