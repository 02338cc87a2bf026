/*-------------------------------------------------------------------------
 *
 * rules.h
 *	  Compiled rules: the per-backend cache and what it holds.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_RULES_H
#define NUDGE_RULES_H

#include "postgres.h"

#include "caps.h"
#include "condition.h"
#include "datatype/timestamp.h"
#include "quiet_hours.h"
#include "reentry.h"
#include "timer_schedule.h"
#include "utils/date.h"
#include "utils/jsonb.h"

/* In the order of the SQL enums */
typedef enum TriggerType
{
	TRIGGER_BEHAVIORAL,
	TRIGGER_TIME_BASED,
	TRIGGER_DATA_CHANGE,
	TRIGGER_LIFECYCLE,
	TRIGGER_ENGAGEMENT,
	TRIGGER_TRANSACTIONAL
} TriggerType;

typedef enum Priority
{
	PRIORITY_IMMEDIATE,
	PRIORITY_HIGH,
	PRIORITY_NORMAL,
	PRIORITY_LOW,
	PRIORITY_BATCH
} Priority;

#define NUM_PRIORITIES 5

typedef enum RuleStatus
{
	RULE_ACTIVE,
	RULE_PAUSED,
	RULE_DISABLED,
	RULE_TESTING
} RuleStatus;

typedef enum PendingStatus
{
	PENDING_WAITING,
	PENDING_FAILED,
	PENDING_DEAD
} PendingStatus;

/* How urgent a message is, in the order of the SQL enum */
typedef enum Urgency
{
	URGENCY_LOW,
	URGENCY_NORMAL,
	URGENCY_HIGH,
	URGENCY_CRITICAL
} Urgency;

#define NUM_URGENCIES 4

/* One of the ways to send a rule's message (variants.h) */
typedef struct Variant Variant;

typedef enum ChannelStrategy
{
	STRATEGY_BEST,
	STRATEGY_TOP2,
	STRATEGY_ALL,
	STRATEGY_FALLBACK
} ChannelStrategy;

typedef struct Rule
{
	int64		rule_id;
	char	   *name;
	TriggerType trigger_type;
	Priority	priority;
	RuleStatus	status;
	Interval	delay;
	bool		has_expiry;
	Interval	expiry;
	char	   *template_id;	/* or NULL */
	Jsonb	   *personalization;

	int			nsegments;
	char	  **segments;
	int			nchannels;
	char	  **channels;
	int			ncancel_on;
	char	  **cancel_on;

	Reentry		reentry;
	TimerSchedule *schedule;	/* NULL: actions make it fire */
	char	   *topic;			/* or NULL */
	bool		has_send_between;
	TimeADT		send_between[2];
	uint8		send_on;		/* bits of weekdays, Monday first; 0: any day */
	double		holdout_percent;
	Urgency		urgency;		/* stated, or from the priority */
	ChannelStrategy channel_strategy;
	Interval	fallback_after;

	bool		best_time;		/* messages wait for the best hour */
	bool		by_draw;		/* variants are drawn by Thompson sampling */
	bool		by_value;		/* what they are worth counts, not how often */
	bool		channel_varies;	/* some variant goes by another channel */
	bool		also_as_is;		/* there are variants, none for new users */
	int			nvariants;
	const Variant *variants;	/* the enabled ones, by name */
	const Variant *variant;		/* NULL, or that which this is the rule with */

	int			nconditions;
	Condition  *conditions;		/* by position */

	int			ncaps;
	FrequencyCap *caps;			/* the rule's own, not the global ones */

	bool		broken;			/* cannot be read in full: never fires */
	int			ordinal;		/* place in Rules.rules */
} Rule;

/*
 * A segment: who is listed in nudge.segment_members, and whom its conditions hold
 * for
 */
typedef struct Segment
{
	char	   *name;
	bool		match_any;
	bool		broken;			/* its conditions hold for nobody */
	Jsonb	   *document;		/* the conditions as they were written */
	int			nconditions;
	Condition  *conditions;
	int			ordinal;		/* place in Rules.segments */
} Segment;

typedef struct RuleIndex RuleIndex;
typedef struct TimerIndex TimerIndex;

/* A way to reach a user (channels.h) */
typedef struct Channel Channel;

typedef struct Rules
{
	MemoryContext context;		/* owns all */
	int			nrules;
	Rule	   *rules;			/* by rule_id, whatever their status */
	const Rule **by_name;		/* sorted by name */
	int			nglobal_caps;
	FrequencyCap *global_caps;	/* rule_id 0 */
	int			nquiet_hours;
	QuietHours *quiet_hours;
	RuleIndex  *index;			/* of those that the trigger evaluates */
	int			nsegments;
	Segment    *segments;		/* by name, byte by byte */
	int			nchannels;
	Channel    *channels;		/* by name */
	bool		unscored;		/* before an upgrade: channels go by a rule's order */
	TimerIndex *timers;			/* of those with a schedule */
} Rules;

/*
 * The rules as of now: committed changes of other sessions count, and those of
 * this transaction.  The result stays good until rules_release, whatever
 * invalidations come in.
 */
extern const Rules *rules_acquire(void);
extern void rules_release(const Rules *rules);

/* NULL where there is no such rule */
extern const Rule *rules_find(const Rules *rules, int64 rule_id);

/* NULL where there is no such segment */
extern const Segment *rules_find_segment(const Rules *rules, const char *name);

extern const Rule *rules_find_named(const Rules *rules, const char *name);

/* Whether a rule's messages are left out of global caps; a UsageExempt over Rules */
extern bool rules_exempt(int64 rule_id, void *rules);

#endif							/* NUDGE_RULES_H */
