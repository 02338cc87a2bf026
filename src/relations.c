/*-------------------------------------------------------------------------
 *
 * relations.c
 *	  Object ids of pg_nudge's tables, sequences and types.
 *
 * The ids are looked up by name once a backend and kept until nudge.rules is
 * invalidated, which happens when the extension is dropped, and whenever a rule
 * changes (rules_cache.c).  The look-up is then done again at the next use, so
 * that nobody holds a pointer into what an invalidation takes away.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "relations.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#define MAX_LABELS 6

/* What version 0.1.0 has; the rest may be missing before an upgrade. */
#define LAST_FIRST_RELATION NUDGE_EVENTS_SEQ
#define LAST_FIRST_TYPE NUDGE_MESSAGE_STATUS_TYPE

static const char *const relation_names[] = {
	[NUDGE_USERS] = "users",
	[NUDGE_TEMPLATES] = "templates",
	[NUDGE_SEGMENT_MEMBERS] = "segment_members",
	[NUDGE_RULES] = "rules",
	[NUDGE_CONDITIONS] = "conditions",
	[NUDGE_FREQUENCY_CAPS] = "frequency_caps",
	[NUDGE_ACTIONS] = "actions",
	[NUDGE_PENDING] = "pending",
	[NUDGE_CAP_USAGE] = "cap_usage",
	[NUDGE_MESSAGES] = "messages",
	[NUDGE_MESSAGE_QUEUE] = "message_queue",
	[NUDGE_MESSAGE_BLOCKS] = "message_blocks",
	[NUDGE_EVENTS] = "events",
	[NUDGE_TALLIES] = "tallies",
	[NUDGE_PENDING_SEQ] = "pending_pending_id_seq",
	[NUDGE_MESSAGES_SEQ] = "messages_message_id_seq",
	[NUDGE_EVENTS_SEQ] = "events_event_id_seq",
	[NUDGE_SEGMENTS] = "segments",
	[NUDGE_RULE_ENTRIES] = "rule_entries",
	[NUDGE_CHANNELS] = "channels",
	[NUDGE_CHANNEL_URGENCY] = "channel_urgency",
	[NUDGE_QUIET_HOURS] = "quiet_hours",
	[NUDGE_SUBSCRIPTIONS] = "subscriptions",
	[NUDGE_SUPPRESSIONS] = "suppressions",
	[NUDGE_TIMERS] = "timers",
	[NUDGE_TIMER_SIGNALS] = "timer_signals",
	[NUDGE_LIFECYCLE_STAGES] = "lifecycle_stages",
	[NUDGE_VARIANTS] = "variants",
	[NUDGE_VARIANT_ASSIGNMENTS] = "variant_assignments",
	[NUDGE_BANDIT_ARMS] = "bandit_arms",
};

/* Labels in the order of the C enums of rules.h and caps.h */
static const struct
{
	const char *type;
	const char *labels[MAX_LABELS + 1];
}			enums[] = {
	[NUDGE_PRIORITY_TYPE] = {"priority",
	{"immediate", "high", "normal", "low", "batch"}},
	[NUDGE_TRIGGER_TYPE] = {"trigger_type",
		{"behavioral", "time_based", "data_change", "lifecycle", "engagement",
	"transactional"}},
	[NUDGE_RULE_STATUS_TYPE] = {"rule_status",
	{"active", "paused", "disabled", "testing"}},
	[NUDGE_CAP_PERIOD_TYPE] = {"cap_period", {"daily", "weekly", "monthly"}},
	[NUDGE_PENDING_STATUS_TYPE] = {"pending_status",
	{"waiting", "failed", "dead"}},
	[NUDGE_MESSAGE_STATUS_TYPE] = {"message_status",
	{"ready", "claimed", "sent", "failed", "dead"}},
	[NUDGE_URGENCY_TYPE] = {"urgency", {"low", "normal", "high", "critical"}},
	[NUDGE_CHANNEL_STRATEGY_TYPE] = {"channel_strategy",
	{"best", "top2", "all", "fallback"}},
};

/* What was looked up; only an untouched load becomes valid */
static struct
{
	enum
	{
		STALE,
		LOADING,
		VALID
	}			state;
	Oid			relations[lengthof(relation_names)];
	Oid			enum_values[lengthof(enums)][MAX_LABELS];
	Oid			owner;
}			known;

/*
 * Oid of a value of an enum type of ours.
 */
static Oid
lookup_enum_value(Oid namespace, const char *type_name, const char *label)
{
	Oid			type;
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						   CStringGetDatum(type_name),
						   ObjectIdGetDatum(namespace));
	if (!OidIsValid(type))
		return InvalidOid;
	tuple = SearchSysCache2(ENUMTYPOIDNAME, ObjectIdGetDatum(type),
							CStringGetDatum(label));
	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_enum) GETSTRUCT(tuple))->oid;
		ReleaseSysCache(tuple);
	}
	return result;
}

static void
not_installed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("extension pg_nudge is not installed in this database"),
			 errdetail("Its tables or types in schema \"nudge\" are missing."),
			 errhint("Run CREATE EXTENSION pg_nudge.")));
}

static void
look_up(void)
{
	Oid			namespace = get_namespace_oid("nudge", true);
	HeapTuple	tuple;

	/* An invalidation, or an error, while we look things up must not be lost. */
	known.state = LOADING;

	if (!OidIsValid(namespace))
		not_installed();

	for (int i = 0; i < lengthof(relation_names); i++)
	{
		known.relations[i] = get_relname_relid(relation_names[i], namespace);
		if (!OidIsValid(known.relations[i]) && i <= LAST_FIRST_RELATION)
			not_installed();
	}

	for (int i = 0; i < lengthof(enums); i++)
	{
		for (int j = 0; enums[i].labels[j] != NULL; j++)
		{
			known.enum_values[i][j] =
				lookup_enum_value(namespace, enums[i].type, enums[i].labels[j]);
			if (!OidIsValid(known.enum_values[i][j]) && i <= LAST_FIRST_TYPE)
				not_installed();
		}
	}

	tuple = SearchSysCache1(RELOID,
							ObjectIdGetDatum(known.relations[NUDGE_ACTIONS]));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u",
			 known.relations[NUDGE_ACTIONS]);
	known.owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);

	if (known.state == LOADING)
		known.state = VALID;
}

/*
 * Forgets what is known if relid is the table that stands for all (InvalidOid:
 * any relation may have changed).  Called from an invalidation callback, so it
 * only marks.  Returns whether that was so.
 */
bool
nudge_relations_invalidate(Oid relid)
{
	if (OidIsValid(relid) && known.relations[NUDGE_RULES] != relid)
		return false;
	known.state = STALE;
	return true;
}

Oid
nudge_relation(NudgeRelation which)
{
	if (!nudge_relation_exists(which))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation nudge.%s does not exist", relation_names[which]),
				 errdetail("The library of pg_nudge is newer than what is installed in this database."),
				 errhint("Run ALTER EXTENSION pg_nudge UPDATE.")));
	return known.relations[which];
}

bool
nudge_relation_exists(NudgeRelation which)
{
	if (known.state != VALID)
		look_up();
	return OidIsValid(known.relations[which]);
}

AttrNumber
nudge_column(TupleDesc desc, const char *column)
{
	return Max(SPI_fnumber(desc, column), 0);
}

int64
nudge_nextval(NudgeRelation sequence)
{
	return nextval_internal(nudge_relation(sequence), false);
}

Oid
nudge_enum_value(NudgeEnum type, int ordinal)
{
	Assert(ordinal >= 0 && ordinal < MAX_LABELS);
	if (known.state != VALID)
		look_up();
	return known.enum_values[type][ordinal];
}

int
nudge_enum_ordinal(NudgeEnum type, Oid value)
{
	if (known.state != VALID)
		look_up();
	for (int i = 0; i < MAX_LABELS; i++)
	{
		if (known.enum_values[type][i] == value)
			return i;
	}
	elog(ERROR, "enum value %u is not one of nudge.%s", value, enums[type].type);
	return -1;					/* keep compiler quiet */
}

const char *
nudge_enum_label(NudgeEnum type, int ordinal)
{
	Assert(ordinal >= 0 && ordinal <= MAX_LABELS);
	return enums[type].labels[ordinal];
}

int
nudge_enum_parse(NudgeEnum type, const char *label)
{
	for (int i = 0; enums[type].labels[i] != NULL; i++)
	{
		if (strcmp(enums[type].labels[i], label) == 0)
			return i;
	}
	return -1;
}

Oid
nudge_owner(void)
{
	if (known.state != VALID)
		look_up();
	return known.owner;
}
