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

const void *
compose_find_template(const Rule *rule, const char *channel, void *templates)
{
	return templates_find(templates, rule->template_id, channel);
}

void
compose(MessageSubject *subject, const ChannelCandidate *candidate,
		MemoryContext result_context, RenderedMessage *message)
{
	subject->channel = candidate->name;
	subject->recipient = candidate->address;
	if (!subject->is_preview)
		subject->message_id = nudge_nextval(NUDGE_MESSAGES_SEQ);
	message_render(candidate->template, subject, result_context, message);
}
