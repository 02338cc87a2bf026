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

#include "personalize.h"
#include "templates.h"

/*
 * Chooses the channel and renders its template.  On entry subject has all but
 * channel and recipient, which are filled in, as is message_id unless
 * is_preview.  message->status is MESSAGE_SKIPPED where no channel will do,
 * and MESSAGE_DEFERRED where another hour will.
 *
 * Never raises an error for a reason that lies in the template or its data.  The
 * result goes to result_context; the current context is for scratch.
 */
extern void compose(MessageSubject *subject, const Templates *templates,
					const MessageTemplate **template,
					MemoryContext result_context, RenderedMessage *message);

#endif							/* NUDGE_COMPOSE_H */
