/*-------------------------------------------------------------------------
 *
 * relations.h
 *	  Object ids of pg_nudge's tables, sequences and types.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_RELATIONS_H
#define NUDGE_RELATIONS_H

#include "postgres.h"

#include "access/tupdesc.h"

typedef enum NudgeRelation
{
	NUDGE_USERS,
	NUDGE_TEMPLATES,
	NUDGE_SEGMENT_MEMBERS,
	NUDGE_RULES,
	NUDGE_CONDITIONS,
	NUDGE_FREQUENCY_CAPS,
	NUDGE_ACTIONS,
	NUDGE_PENDING,
	NUDGE_CAP_USAGE,
	NUDGE_MESSAGES,
	NUDGE_MESSAGE_QUEUE,
	NUDGE_MESSAGE_BLOCKS,
	NUDGE_EVENTS,
	NUDGE_TALLIES,
	NUDGE_PENDING_SEQ,
	NUDGE_MESSAGES_SEQ,
	NUDGE_EVENTS_SEQ,

	/* Since 0.3.0 */
	NUDGE_SEGMENTS,
	NUDGE_RULE_ENTRIES,
	NUDGE_CHANNELS,
	NUDGE_CHANNEL_URGENCY,
	NUDGE_QUIET_HOURS,
	NUDGE_SUBSCRIPTIONS,
	NUDGE_SUPPRESSIONS,
	NUDGE_TIMERS,
	NUDGE_TIMER_SIGNALS,
	NUDGE_LIFECYCLE_STAGES,

	/* Since 0.4.0 */
	NUDGE_VARIANTS,
	NUDGE_VARIANT_ASSIGNMENTS,
	NUDGE_BANDIT_ARMS
} NudgeRelation;

/* Oid of a table or sequence; error 55000 where the extension is not installed. */
extern Oid	nudge_relation(NudgeRelation which);

/*
 * Whether there is such a table: before an upgrade of the extension, there are
 * none of those that came later.
 */
extern bool nudge_relation_exists(NudgeRelation which);

/*
 * Number of a column that came with a later version than its table, after what
 * users may have added; 0 where there is none.
 */
extern AttrNumber nudge_column(TupleDesc desc, const char *column);

/* Next value of one of the sequences, without a privilege check. */
extern int64 nudge_nextval(NudgeRelation sequence);

/* Values of the SQL enums, from and to their place in the list of labels. */
typedef enum NudgeEnum
{
	NUDGE_PRIORITY_TYPE,
	NUDGE_TRIGGER_TYPE,
	NUDGE_RULE_STATUS_TYPE,
	NUDGE_CAP_PERIOD_TYPE,
	NUDGE_PENDING_STATUS_TYPE,
	NUDGE_MESSAGE_STATUS_TYPE,

	/* Since 0.3.0 */
	NUDGE_URGENCY_TYPE,
	NUDGE_CHANNEL_STRATEGY_TYPE
} NudgeEnum;

extern Oid	nudge_enum_value(NudgeEnum type, int ordinal);
extern int	nudge_enum_ordinal(NudgeEnum type, Oid value);

/* Labels by ordinal, NULL past the last; and back: -1 where there is no such label. */
extern const char *nudge_enum_label(NudgeEnum type, int ordinal);
extern int	nudge_enum_parse(NudgeEnum type, const char *label);

/* Owner of the extension's tables: whom its own SQL runs as. */
extern Oid	nudge_owner(void);

/* For the relcache callback in rules_cache.c */
extern bool nudge_relations_invalidate(Oid relid);

#endif							/* NUDGE_RELATIONS_H */
