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

bool
compose_has_template(const Rule *rule, const char *channel, void *templates)
{
	return templates_find(templates, rule->template_id, channel) != NULL;
}

void
compose(MessageSubject *subject, const ChannelCandidate *candidate,
		const Templates *templates, const MessageTemplate **template,
		MemoryContext result_context, RenderedMessage *message)
{
	subject->channel = candidate->name;
	subject->recipient = candidate->address;
	*template = templates_find(templates, subject->rule->template_id,
							   candidate->name);
	if (!subject->is_preview)
		subject->message_id = nudge_nextval(NUDGE_MESSAGES_SEQ);
	message_render(*template, subject, result_context, message);
}
