/*-------------------------------------------------------------------------
 *
 * personalize.h
 *	  A message's text: what templates see, and how they are rendered.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_PERSONALIZE_H
#define NUDGE_PERSONALIZE_H

#include "postgres.h"

#include "history.h"
#include "lib/stringinfo.h"
#include "liquid.h"
#include "rules.h"
#include "user.h"
#include "utils/jsonb.h"

/* What is rendered; in the order of the columns of nudge.messages */
typedef enum MessageField
{
	FIELD_SUBJECT,
	FIELD_BODY_TEXT,
	FIELD_BODY_HTML,
	FIELD_SENDER_NAME,
	FIELD_SENDER_ADDRESS,
	FIELD_REPLY_TO
} MessageField;

#define NUM_MESSAGE_FIELDS 6

/* A row of nudge.templates, parsed */
typedef struct MessageTemplate
{
	char	   *template_id;
	char	   *channel;
	char	   *error;			/* why it cannot be used, or NULL */
	int			sqlstate;		/* of the error */
	const LiquidTemplate *fields[NUM_MESSAGE_FIELDS];	/* NULL: none */
} MessageTemplate;

/* The action that fired a rule; documents may be NULL */
typedef struct MessageAction
{
	bool		has_id;
	int64		action_id;
	Datum		action_type;	/* 0 where NULL, as below */
	Jsonb	   *data;
	Jsonb	   *context;
	bool		has_occurred_at;
	TimestampTz occurred_at;
} MessageAction;

/* What a message is made for */
typedef struct MessageSubject
{
	History    *history;
	const UserRow *user;
	const MessageAction *action;
	const Rules *rules;			/* asked for quiet hours; NULL: at any hour */
	const Rule *rule;
	const Jsonb *rule_object;	/* message_rule_object(rule), or NULL */
	const char *channel;
	Datum		recipient;
	int64		message_id;		/* 0 of a preview */
	TimestampTz now;			/* "now" of templates */
	const Jsonb *recommendations;	/* an array, or NULL: none */
	bool		is_preview;
	bool		hide_addresses;
} MessageSubject;

typedef enum MessageStatus
{
	MESSAGE_RENDERED,
	MESSAGE_SKIPPED,			/* it must not be sent; reason says why */
	MESSAGE_DEFERRED,			/* nor now, but at "until"; reason says why */
	MESSAGE_ABORTED,			/* the template gave up; reason says why */
	MESSAGE_FAILED				/* reason is the error */
} MessageStatus;

typedef struct RenderedMessage
{
	MessageStatus status;
	char	   *reason;
	int			sqlstate;		/* of a failure */
	TimestampTz until;			/* of a deferral */
	Datum		fields[NUM_MESSAGE_FIELDS]; /* text, or 0 */
	Size		size;			/* bytes of all fields */
} RenderedMessage;

/*
 * The jsonb object that templates see: user, action, rule, personalization,
 * message, and what personalization asks for.  NULL where it would be larger than jsonb can be.
 */
extern Jsonb *message_context(const MessageSubject *subject);

/* What templates see of a rule; the same for all its messages */
extern Jsonb *message_rule_object(const Rule *rule);

/*
 * Parses the texts of a template, any of which may be 0, into template->fields;
 * a syntax error goes to template->error.  Lives as long as the current memory
 * context.
 */
extern void message_template_parse(MessageTemplate *template, const Datum *texts);

/*
 * The template with another subject, which goes to *copy, where it has one at all
 */
extern const MessageTemplate *message_template_with_subject(MessageTemplate *copy,
															const MessageTemplate *template,
															const char *subject);

/*
 * Checks what the rule requires, and renders.  Never raises an error for a
 * reason that lies in the template or its data.  The result goes to the context
 * "result_context"; the current one is for scratch.
 */
extern void message_render(const MessageTemplate *template,
						   const MessageSubject *subject,
						   MemoryContext result_context,
						   RenderedMessage *message);

#endif							/* NUDGE_PERSONALIZE_H */
