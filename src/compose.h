/*-------------------------------------------------------------------------
 *
 * compose.h
 *	  A rule's message for a user, whoever asks for it: the executor to send it,
 *	  nudge.preview to show it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_COMPOSE_H
#define NUDGE_COMPOSE_H

#include "postgres.h"

#include "channel.h"
#include "personalize.h"
#include "templates.h"

/* The MessageTemplate of a channel; a ChannelTemplate over Templates */
extern const void *compose_find_template(const Rule *rule, const char *channel,
										 void *templates);

/*
 * Renders the message for a candidate found with compose_find_template.  On entry subject has
 * all but channel and recipient, which are filled in, as is message_id unless
 * is_preview.
 *
 * Never raises an error for a reason that lies in the template or its data.  The
 * result goes to result_context; the current context is for scratch.
 */
extern void compose(MessageSubject *subject, const ChannelCandidate *candidate,
					MemoryContext result_context, RenderedMessage *message);

#endif							/* NUDGE_COMPOSE_H */
