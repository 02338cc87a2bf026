/*-------------------------------------------------------------------------
 *
 * action.c
 *	  An action in hand, and values in its JSON documents.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "action.h"

#include "fmgr.h"

static Datum
attribute_or_zero(TupleTableSlot *slot, AttrNumber attnum)
{
	return slot->tts_isnull[attnum - 1] ? (Datum) 0 :
		slot->tts_values[attnum - 1];
}

/* Ids and types have a length limit, so they are never stored out of line, but
 * the row in hand may come from another table, where they were compressed. */
static Datum
plain_text(Datum datum)
{
	if (datum == (Datum) 0)
		return datum;
	return PointerGetDatum(PG_DETOAST_DATUM_PACKED(datum));
}

void
action_from_slot(Action *action, TupleTableSlot *slot)
{
	slot_getallattrs(slot);

	action->recorded = true;
	action->action_id = DatumGetInt64(slot->tts_values[Anum_actions_action_id - 1]);
	action->user_id_datum =
		plain_text(slot->tts_values[Anum_actions_user_id - 1]);
	action->user_id = bytes_of_text(action->user_id_datum);
	action->action_type = bytes_of_text(plain_text(slot->tts_values[Anum_actions_action_type - 1]));
	action->data_datum = attribute_or_zero(slot, Anum_actions_action_data);
	action->context_datum = attribute_or_zero(slot, Anum_actions_context);
	action->session_id_datum = attribute_or_zero(slot, Anum_actions_session_id);
	action->source_datum = attribute_or_zero(slot, Anum_actions_source);
	action->occurred_at =
		DatumGetTimestampTz(slot->tts_values[Anum_actions_occurred_at - 1]);
	action->recorded_at =
		DatumGetTimestampTz(slot->tts_values[Anum_actions_recorded_at - 1]);
	action->data = NULL;
	action->context = NULL;
}

bool
source_is_engine(Datum source)
{
	static const Bytes engine = {ACTION_SOURCE_ENGINE,
	sizeof(ACTION_SOURCE_ENGINE) - 1};
	Bytes		bytes;

	if (DatumGetPointer(source) == NULL)
		return false;
	bytes = bytes_of_text(PointerGetDatum(PG_DETOAST_DATUM_PACKED(source)));
	return bytes.length == engine.length &&
		memcmp(bytes.data, engine.data, bytes.length) == 0;
}

Jsonb *
jsonb_empty_object(void)
{
	/* varlena header, then a container header that says object of none */
	static union
	{
		Jsonb		jsonb;
		char		space[VARHDRSZ + sizeof(uint32)];
	}			empty;

	SET_VARSIZE(&empty.jsonb, VARHDRSZ + sizeof(uint32));
	empty.jsonb.root.header = JB_FOBJECT;
	return &empty.jsonb;
}

Jsonb *
action_data(Action *action)
{
	if (action->data == NULL)
		action->data = action->data_datum == (Datum) 0 ?
			jsonb_empty_object() : DatumGetJsonbP(action->data_datum);
	return action->data;
}

Jsonb *
action_context(Action *action)
{
	if (action->context == NULL)
		action->context = action->context_datum == (Datum) 0 ?
			jsonb_empty_object() : DatumGetJsonbP(action->context_datum);
	return action->context;
}

bool
action_page_url(Action *action, Bytes *url)
{
	JsonbValue	buffer;
	JsonbValue *value;
	Jsonb	   *data = action_data(action);

	if (!JB_ROOT_IS_OBJECT(data))
		return false;
	value = getKeyJsonValueFromContainer(&data->root, "page_url",
										 strlen("page_url"), &buffer);
	if (value == NULL || value->type != jbvString)
		return false;
	url->data = value->val.string.val;
	url->length = value->val.string.len;
	return true;
}

bool
jsonb_at_path(Jsonb *document, const PathStep *steps, int nsteps,
			  JsonbValue *value)
{
	return container_at_path(&document->root, steps, nsteps, value);
}

bool
container_at_path(JsonbContainer *container, const PathStep *steps, int nsteps,
				  JsonbValue *value)
{
	for (int i = 0; i < nsteps; i++)
	{
		JsonbValue *found = NULL;

		if (JsonContainerIsObject(container))
			found = getKeyJsonValueFromContainer(container, steps[i].name,
												 steps[i].length, value);
		else if (steps[i].is_index && JsonContainerIsArray(container))
		{
			int64		index = steps[i].index;

			if (index < 0)
				index += JsonContainerSize(container);
			if (index >= 0 && index < JsonContainerSize(container))
			{
				found = getIthJsonbValueFromContainer(container, (uint32) index);
				if (found != NULL)
					*value = *found;
			}
		}
		if (found == NULL)
			return false;
		if (i == nsteps - 1)
			return value->type != jbvNull;
		if (value->type != jbvBinary)
			return false;
		container = value->val.binary.data;
	}
	return false;
}

bool
action_attribute(Action *action, const AttributePath *path, JsonbValue *value)
{
	switch (path->root)
	{
		case ROOT_ACTION_DATA:
			return jsonb_at_path(action_data(action), path->steps, path->nsteps,
								 value);
		case ROOT_CONTEXT:
			return jsonb_at_path(action_context(action), path->steps,
								 path->nsteps, value);
		case ROOT_ACTION_ANY:
			return jsonb_at_path(action_data(action), path->steps, path->nsteps,
								 value) ||
				jsonb_at_path(action_context(action), path->steps, path->nsteps,
							  value);
		default:
			elog(ERROR, "attribute root %d is not one of an action", path->root);
			return false;		/* keep compiler quiet */
	}
}
