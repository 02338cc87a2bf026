/*-------------------------------------------------------------------------
 *
 * compose.c
 *	  A rule's message for a user, whoever asks for it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose.h"

#include "relations.h"
#include "send_time.h"
#include "variants.h"

const void *
compose_find_template(const Rule *rule, const char *channel, void *templates)
{
	return templates_find(templates, rule->template_id, channel);
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
compose(MessageSubject *subject, const ChannelCandidate *candidate,
		MemoryContext result_context, RenderedMessage *message)
{
	const MessageTemplate *template = candidate->template;
	MessageTemplate with_subject;

	subject->channel = candidate->name;
	subject->recipient = candidate->address;
	if (!may_go_out(subject, message))
		return;
	if (!subject->is_preview)
		subject->message_id = nudge_nextval(NUDGE_MESSAGES_SEQ);
	if (subject->rule->variant != NULL && subject->rule->variant->subject != NULL)
		template = message_template_with_subject(&with_subject, template,
												 subject->rule->variant->subject);
	message_render(template, subject, result_context, message);
}
