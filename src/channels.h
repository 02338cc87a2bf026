/*-------------------------------------------------------------------------
 *
 * channels.h
 *	  The channels there are: nudge.channels and nudge.channel_urgency, compiled.
 *
 * They are part of the compiled rules and live as long.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CHANNELS_H
#define NUDGE_CHANNELS_H

#include "postgres.h"

#include "access/attnum.h"
#include "condition.h"
#include "rules.h"
#include "user.h"

struct Channel
{
	char	   *name;
	double		base;
	bool		enabled;
	double		modifiers[NUM_URGENCIES];

	/* Where a user's address is: a column, or else a path */
	AttrNumber	attnum;
	bool		has_path;
	AttributePath path;
};

/* Columns, as 46_channels.sql creates them */
enum
{
	Anum_channels_name = 1,
	Anum_channels_base_score,
	Anum_channels_address_path,
	Anum_channels_enabled
};

enum
{
	Anum_channel_urgency_urgency = 1,
	Anum_channel_urgency_channel,
	Anum_channel_urgency_modifier
};

/* A row of nudge.channel_urgency as read */
typedef struct ChannelModifier
{
	char	   *channel;
	Urgency		urgency;
	double		modifier;
} ChannelModifier;

/* Rows into structs, for rules_cache.c */
extern void channel_load(Channel *channel, const Datum *values, const bool *nulls);
extern void channel_modifier_load(ChannelModifier *modifier, const Datum *values,
								  const bool *nulls);

/* Puts them into rules, in the current memory context. */
extern void channels_assign(Rules *rules, Channel *channels, int nchannels,
							const ChannelModifier *modifiers, int nmodifiers);

/* Before an upgrade, which brings the tables: email, sms and push, without scores */
extern void channels_assign_first(Rules *rules);

/* NULL where there is no such channel */
extern const Channel *channels_find(const Rules *rules, const char *name);

/* A user's address; false where there is none that a message can go to. */
extern bool channel_address(const Channel *channel, const UserRow *user,
							Datum *address);

#endif							/* NUDGE_CHANNELS_H */
