/*-------------------------------------------------------------------------
 *
 * rule_config.h
 *	  A rule as one JSON document, read and written into the tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_RULE_CONFIG_H
#define NUDGE_RULE_CONFIG_H

#include "postgres.h"

#include "caps.h"
#include "faults.h"
#include "rule_checks.h"
#include "rules.h"

#define NUM_CAP_PERIODS (CAP_MONTHLY + 1)

/* What is missing in the document has the default of its column. */
typedef struct RuleConfig
{
	char	   *name;			/* NULL only after a fault */
	char	   *description;	/* or NULL */
	TriggerType trigger_type;
	char	   *template_id;	/* or NULL */
	Priority	priority;
	RuleStatus	status;
	Interval	delay;
	bool		has_expiry;
	Interval	expiry;
	int32		caps[NUM_CAP_PERIODS];	/* 0: none */
	TextList	segments;
	TextList	channels;
	TextList	cancel_on;
	Jsonb	   *personalization;

	bool		has_delivery;	/* some of these is stated */
	Jsonb	   *reentry;		/* NULL: always */
	Jsonb	   *schedule;		/* or NULL */
	char	   *topic;			/* or NULL */
	bool		has_send_between;
	TimeADT		send_between[2];
	bool		has_send_on;
	TextList	send_on;
	double		holdout_percent;
	int			urgency;		/* -1: from the priority */
	ChannelStrategy channel_strategy;
	Interval	fallback_after;

	char	   *send_time;		/* these three NULL where not stated */
	char	   *allocation;
	char	   *goal;
	bool		auto_optimize;

	/* conditions[i] is what written[i] became */
	int			nconditions;
	WrittenCondition *written;
	Condition  *conditions;
	bool	   *good;			/* whether conditions[i] is without fault */
} RuleConfig;

/*
 * Reads a document, and adds what is wrong with it to faults.  Nothing is looked
 * up in tables.
 */
extern void rule_config_read(RuleConfig *config, Jsonb *document,
							 FaultList *faults);

/* Adds what it names and does not exist: template, segments (create_rule.c). */
extern void rule_config_check_references(const RuleConfig *config,
										 FaultList *faults);

#endif							/* NUDGE_RULE_CONFIG_H */
