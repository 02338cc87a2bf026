/*-------------------------------------------------------------------------
 *
 * compose.c
 *	  A rule's message for a user, whoever asks for it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose.h"

#include "channel.h"
#include "relations.h"
#include "send_time.h"

static bool
has_template(const Rule *rule, const char *channel, void *arg)
{
	return templates_find(arg, rule->template_id, channel) != NULL;
}

/*
 * Whether the message may go out at this hour; says what becomes of it if not.
 */
static bool
may_go_out(const MessageSubject *subject, RenderedMessage *message)
{
	bool		drop;
	const char *reason;
	TimestampTz until;

	if (subject->rules == NULL)
		return true;
	until = send_time_allowed(subject->rules, subject->rule, subject->user,
							  subject->channel, subject->now, &drop, &reason);
	if (reason == NULL)
		return true;
	memset(message, 0, sizeof(*message));
	message->status = drop || TIMESTAMP_IS_NOEND(until) ? MESSAGE_SKIPPED :
		MESSAGE_DEFERRED;
	message->reason = unconstify(char *, reason);
	message->until = until;
	return false;
}

void
compose(MessageSubject *subject, const Templates *templates,
		const MessageTemplate **template, MemoryContext result_context,
		RenderedMessage *message)
{
	ChannelOutcome outcome = channel_choose(subject->history, subject->rule,
											subject->user,
											has_template, (void *) templates,
											&subject->channel,
											&subject->recipient);

	if (outcome != CHANNEL_FOUND)
	{
		memset(message, 0, sizeof(*message));
		message->status = MESSAGE_SKIPPED;
		message->reason = unconstify(char *, channel_outcome_reason(outcome));
		return;
	}
	if (!may_go_out(subject, message))
		return;
	*template = templates_find(templates, subject->rule->template_id,
							   subject->channel);
	if (!subject->is_preview)
		subject->message_id = nudge_nextval(NUDGE_MESSAGES_SEQ);
	message_render(*template, subject, result_context, message);
}
