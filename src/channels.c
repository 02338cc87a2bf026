/*-------------------------------------------------------------------------
 *
 * channels.c
 *	  The channels there are: nudge.channels and nudge.channel_urgency, compiled.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "channels.h"

#include "relations.h"
#include "user_path.h"
#include "utils/builtins.h"

/* No address is longer. */
#define MAX_ADDRESS_BYTES 4096

/* Columns of nudge.users that hold addresses */
static const struct
{
	const char *name;
	AttrNumber	attnum;
}			address_columns[] = {
	{"email", Anum_users_email},
	{"phone", Anum_users_phone},
	{"push_token", Anum_users_push_token},
};

static AttrNumber
address_column(const char *path)
{
	for (int i = 0; i < lengthof(address_columns); i++)
	{
		if (strcmp(address_columns[i].name, path) == 0)
			return address_columns[i].attnum;
	}
	return 0;
}

/*
 * A path that came past the checks and cannot be read leads to no address.
 */
static void
set_path(Channel *channel, const char *path)
{
	UserPathFault fault;

	channel->attnum = address_column(path);
	channel->has_path = channel->attnum == 0 &&
		user_path_read(path, &channel->path, &fault);
}

void
channel_load(Channel *channel, const Datum *values, const bool *nulls)
{
	channel->name = TextDatumGetCString(values[Anum_channels_name - 1]);
	channel->base = DatumGetFloat8(values[Anum_channels_base_score - 1]);
	channel->enabled = DatumGetBool(values[Anum_channels_enabled - 1]);
	for (int i = 0; i < NUM_URGENCIES; i++)
		channel->modifiers[i] = 1.0;
	set_path(channel, TextDatumGetCString(values[Anum_channels_address_path - 1]));
}

void
channel_modifier_load(ChannelModifier *modifier, const Datum *values,
					  const bool *nulls)
{
	modifier->channel = TextDatumGetCString(values[Anum_channel_urgency_channel - 1]);
	modifier->urgency =
		nudge_enum_ordinal(NUDGE_URGENCY_TYPE,
						   DatumGetObjectId(values[Anum_channel_urgency_urgency - 1]));
	modifier->modifier = DatumGetFloat8(values[Anum_channel_urgency_modifier - 1]);
}

static int
compare_channels(const void *a, const void *b)
{
	return strcmp(((const Channel *) a)->name, ((const Channel *) b)->name);
}

const Channel *
channels_find(const Rules *rules, const char *name)
{
	Channel		key;

	if (rules->nchannels == 0)
		return NULL;
	key.name = unconstify(char *, name);
	return bsearch(&key, rules->channels, rules->nchannels, sizeof(Channel),
				   compare_channels);
}

void
channels_assign(Rules *rules, Channel *channels, int nchannels,
				const ChannelModifier *modifiers, int nmodifiers)
{
	if (nchannels > 1)
		qsort(channels, nchannels, sizeof(Channel), compare_channels);
	rules->channels = channels;
	rules->nchannels = nchannels;
	for (int i = 0; i < nmodifiers; i++)
	{
		Channel    *channel = unconstify(Channel *,
										 channels_find(rules, modifiers[i].channel));

		if (channel != NULL)
			channel->modifiers[modifiers[i].urgency] = modifiers[i].modifier;
	}
}

void
channels_assign_first(Rules *rules)
{
	static const char *const first[][2] = {
		{"email", "email"}, {"sms", "phone"}, {"push", "push_token"}
	};
	Channel    *channels = palloc0(lengthof(first) * sizeof(Channel));

	for (int i = 0; i < lengthof(first); i++)
	{
		channels[i].name = unconstify(char *, first[i][0]);
		channels[i].enabled = true;
		channels[i].attnum = address_column(first[i][1]);
	}
	channels_assign(rules, channels, lengthof(first), NULL, 0);
	rules->unscored = true;
}

/*
 * Documents of users hold anything: an address is a string, or a number, without
 * control characters.
 */
static bool
address_of_value(const JsonbValue *value, Datum *address)
{
	if (value->type == jbvNumeric)
	{
		*address = PointerGetDatum(cstring_to_text(DatumGetCString(
			DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)))));
		return true;
	}
	if (value->type != jbvString || value->val.string.len == 0 ||
		value->val.string.len > MAX_ADDRESS_BYTES)
		return false;
	for (int i = 0; i < value->val.string.len; i++)
	{
		unsigned char c = value->val.string.val[i];

		if (c < ' ' || c == 0x7f)
			return false;
	}
	*address = PointerGetDatum(cstring_to_text_with_len(value->val.string.val,
														value->val.string.len));
	return true;
}

bool
channel_address(const Channel *channel, const UserRow *user, Datum *address)
{
	JsonbValue	value;

	if (channel->attnum > 0)
	{
		*address = user->values[channel->attnum - 1];
		return !user->nulls[channel->attnum - 1];
	}
	return channel->has_path && user_attribute(user, &channel->path, &value) &&
		address_of_value(&value, address);
}
