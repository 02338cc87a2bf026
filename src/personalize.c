/*-------------------------------------------------------------------------
 *
 * personalize.c
 *	  A message's text: what templates see, and how they are rendered.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "personalize.h"

#include "access/attnum.h"
#include "cart.h"
#include "flat_jsonb.h"
#include "html_check.h"
#include "mb/pg_wchar.h"
#include "relations.h"
#include "rule_personalization.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Errors are kept in the trigger and in events */
#define MAX_REASON 1000

/* What templates see of an address that is hidden */
#define HIDDEN "(hidden)"

static const struct
{
	const char *name;
	bool		is_html;		/* escapes what it prints */
	bool		is_header;		/* refuses line breaks */
}			field_traits[NUM_MESSAGE_FIELDS] = {
	[FIELD_SUBJECT] = {"subject", false, true},
	[FIELD_BODY_TEXT] = {"body_text", false, false},
	[FIELD_BODY_HTML] = {"body_html", true, false},
	[FIELD_SENDER_NAME] = {"sender_name", false, true},
	[FIELD_SENDER_ADDRESS] = {"sender_address", false, true},
	[FIELD_REPLY_TO] = {"reply_to", false, true},
};

static Jsonb *
user_object(const UserRow *user, bool hide_addresses)
{
	static const struct
	{
		const char *key;
		AttrNumber	attnum;
		bool		is_address;
	}			texts[] = {
		{"email", Anum_users_email, true},
		{"phone", Anum_users_phone, true},
		{"locale", Anum_users_locale},
		{"user_id", Anum_users_user_id},
		{"timezone", Anum_users_timezone},
	},
				documents[] = {
		{"profile", Anum_users_profile},
		{"behavior", Anum_users_behavior},
		{"preferences", Anum_users_preferences},
	};
	FlatObject	object = {0};

	if (!user->found)
		return flat_build(&object);
	for (int i = 0; i < lengthof(texts); i++)
	{
		AttrNumber	attnum = texts[i].attnum;

		if (hide_addresses && texts[i].is_address && !user->nulls[attnum - 1])
			flat_string(&object, texts[i].key, HIDDEN, strlen(HIDDEN));
		else
			flat_text(&object, texts[i].key, user->values[attnum - 1],
					  user->nulls[attnum - 1]);
	}
	for (int i = 0; i < lengthof(documents); i++)
		flat_jsonb(&object, documents[i].key,
				   DatumGetJsonbP(user->values[documents[i].attnum - 1]));
	flat_timestamptz(&object, "created_at",
					 DatumGetTimestampTz(user->values[Anum_users_created_at - 1]));
	return flat_build(&object);
}

static Jsonb *
action_object(const MessageAction *action)
{
	FlatObject	object = {0};
	bool		no_type = action->action_type == (Datum) 0;

	flat_text(&object, "type", action->action_type, no_type);
	flat_text(&object, "action_type", action->action_type, no_type);
	flat_jsonb(&object, "data", action->data);
	flat_jsonb(&object, "action_data", action->data);
	flat_jsonb(&object, "context", action->context);
	if (action->has_id)
		flat_int64(&object, "action_id", action->action_id);
	else
		flat_null(&object, "action_id");
	if (action->has_occurred_at)
		flat_timestamptz(&object, "occurred_at", action->occurred_at);
	else
		flat_null(&object, "occurred_at");
	return flat_build(&object);
}

Jsonb *
message_rule_object(const Rule *rule)
{
	const char *priority = nudge_enum_label(NUDGE_PRIORITY_TYPE, rule->priority);
	const char *type = nudge_enum_label(NUDGE_TRIGGER_TYPE, rule->trigger_type);
	FlatObject	object = {0};

	flat_int64(&object, "rule_id", rule->rule_id);
	flat_string(&object, "name", rule->name, strlen(rule->name));
	flat_string(&object, "priority", priority, strlen(priority));
	flat_string(&object, "trigger_type", type, strlen(type));
	return flat_build(&object);
}

static Jsonb *
message_object(const MessageSubject *subject)
{
	FlatObject	object = {0};

	flat_int64(&object, "message_id", subject->message_id);
	flat_string(&object, "channel", subject->channel, strlen(subject->channel));
	if (subject->hide_addresses)
		flat_string(&object, "recipient", HIDDEN, strlen(HIDDEN));
	else
		flat_text(&object, "recipient", subject->recipient, false);
	return flat_build(&object);
}

/*
 * Adds what the rule's personalization asks for; false where that would be too
 * large.
 */
static bool
add_personalization(const MessageSubject *subject, FlatObject *object)
{
	const UserRow *user = subject->user;
	Personalization wanted;
	Jsonb	   *cart;

	personalization_read(subject->rule->personalization, &wanted);
	if (wanted.cart)
	{
		cart = cart_of_action(subject->action->data);
		if (cart == NULL)
			return false;
		flat_jsonb(object, "cart", cart);
	}
	if (wanted.has_discount)
		flat_value(object, "discount", &wanted.discount);
	if (wanted.preferences && user->found)
		flat_jsonb(object, "preferences",
				   DatumGetJsonbP(user->values[Anum_users_preferences - 1]));
	if (wanted.recommendations > 0)
		flat_jsonb(object, "recommendations",
				   subject->recommendations != NULL ? subject->recommendations :
				   flat_array(NULL, 0));
	return true;
}

Jsonb *
message_context(const MessageSubject *subject)
{
	Jsonb	   *user = user_object(subject->user, subject->hide_addresses);
	Jsonb	   *action = action_object(subject->action);
	FlatObject	object = {0};

	if (user == NULL || action == NULL)
		return NULL;
	flat_jsonb(&object, "user", user);
	flat_jsonb(&object, "action", action);
	flat_jsonb(&object, "rule", subject->rule_object != NULL ?
			   subject->rule_object : message_rule_object(subject->rule));
	flat_jsonb(&object, "personalization", subject->rule->personalization);
	flat_jsonb(&object, "message", message_object(subject));
	if (!add_personalization(subject, &object))
		return NULL;
	return flat_build(&object);
}

void
message_template_parse(MessageTemplate *template, const Datum *texts)
{
	template->error = NULL;
	for (int i = 0; i < NUM_MESSAGE_FIELDS; i++)
	{
		char	   *error = NULL;
		text	   *source;

		template->fields[i] = NULL;
		if (texts[i] == (Datum) 0)
			continue;
		source = DatumGetTextPP(texts[i]);
		template->fields[i] = liquid_cached_or_error(VARDATA_ANY(source),
													 VARSIZE_ANY_EXHDR(source),
													 &error);
		if (error != NULL && template->error == NULL)
		{
			template->error = psprintf("%s: %s", field_traits[i].name, error);
			template->sqlstate = ERRCODE_SYNTAX_ERROR;
		}
	}
}

const MessageTemplate *
message_template_with_subject(MessageTemplate *copy,
							  const MessageTemplate *template,
							  const char *subject)
{
	char	   *error = NULL;

	if (template->error != NULL || template->fields[FIELD_SUBJECT] == NULL)
		return template;
	*copy = *template;
	copy->fields[FIELD_SUBJECT] = liquid_cached_or_error(subject, strlen(subject),
														 &error);
	if (error != NULL)
	{
		copy->error = psprintf("subject of the variant: %s", error);
		copy->sqlstate = ERRCODE_SYNTAX_ERROR;
	}
	return copy;
}

static void
set_outcome(RenderedMessage *message, MemoryContext context,
			MessageStatus status, const char *reason)
{
	int			length = strlen(reason);

	message->status = status;
	message->reason = MemoryContextStrdup(context, reason);
	if (length > MAX_REASON)
		message->reason[pg_mbcliplen(reason, length, MAX_REASON)] = '\0';
}

static void
set_failure(RenderedMessage *message, MemoryContext context, int sqlstate,
			const char *reason)
{
	set_outcome(message, context, MESSAGE_FAILED, reason);
	message->sqlstate = sqlstate;
}

/*
 * The first of the variables in personalization.required that the context does
 * not have, or NULL.
 */
static char *
missing_variable(const Rule *rule, const Jsonb *context)
{
	JsonbValue	buffer;
	JsonbValue *required = NULL;
	uint32		n;

	if (rule->personalization != NULL && JB_ROOT_IS_OBJECT(rule->personalization))
		required = getKeyJsonValueFromContainer(&rule->personalization->root,
												"required", 8, &buffer);
	if (required == NULL || required->type != jbvBinary ||
		!JsonContainerIsArray(required->val.binary.data))
		return NULL;

	n = JsonContainerSize(required->val.binary.data);
	for (uint32 i = 0; i < n; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(required->val.binary.data, i);
		char	   *path;

		if (element == NULL || element->type != jbvString)
			continue;
		path = pnstrdup(element->val.string.val, element->val.string.len);
		if (!liquid_path_exists(context, path))
			return path;
	}
	return NULL;
}

/*
 * What makes a text unfit for a field, or NULL.  Filters that decode can make
 * bytes that are no text.
 */
static const char *
unfit(const char *text, int length, bool is_header)
{
	if (memchr(text, '\0', length) != NULL)
		return "contains a NUL byte";
	if (is_header &&
		(memchr(text, '\n', length) != NULL || memchr(text, '\r', length) != NULL))
		return "contains a line break";
	if (!pg_verifymbstr(text, length, true))
		return "is not valid in the database's encoding";
	return NULL;
}

static bool
check_recipient(Datum recipient, MemoryContext context, RenderedMessage *message)
{
	text	   *address = DatumGetTextPP(recipient);
	const char *fault = unfit(VARDATA_ANY(address), VARSIZE_ANY_EXHDR(address),
							  true);

	if (fault != NULL)
		set_failure(message, context, ERRCODE_DATA_EXCEPTION,
					psprintf("recipient %s", fault));
	return fault == NULL;
}

/*
 * Renders one field into out; false where the message ends here.  What is kept
 * of an error are reasons, which are shown to people who must not see addresses,
 * and so no message that holds values.
 */
static bool
render_field(const MessageTemplate *template, MessageField field,
			 const Jsonb *data, LiquidOptions *options, StringInfo out,
			 MemoryContext context, RenderedMessage *message)
{
	const char *name = field_traits[field].name;
	const char *fault;
	const char *attribute;
	const char *scheme;
	LiquidResult result = {0};

	resetStringInfo(out);
	options->autoescape = field_traits[field].is_html;
	switch (liquid_render(template->fields[field], data, options, out, &result))
	{
		case LIQUID_OK:
			break;
		case LIQUID_ABORT:

			set_outcome(message, context, MESSAGE_ABORTED, result.reason);
			return false;
		case LIQUID_ERROR:
			set_failure(message, context,
						result.sqlstate ? result.sqlstate : ERRCODE_DATA_EXCEPTION,
						psprintf("%s: %s", name, result.reason));
			return false;
	}

	fault = unfit(out->data, out->len, field_traits[field].is_header);
	if (fault != NULL)
	{
		set_failure(message, context, ERRCODE_DATA_EXCEPTION,
					psprintf("%s %s", name, fault));
		return false;
	}
	if (field_traits[field].is_html &&
		html_unsafe_link(out->data, out->len, &attribute, &scheme))
	{
		set_failure(message, context, ERRCODE_DATA_EXCEPTION,
					psprintf("%s: attribute %s begins with \"%s\"", name,
							 attribute, scheme));
		return false;
	}
	return true;
}

static void
render_fields(const MessageTemplate *template, const Jsonb *data,
			  LiquidOptions *options, MemoryContext context,
			  RenderedMessage *message)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < NUM_MESSAGE_FIELDS; i++)
	{
		MemoryContext old;

		if (template->fields[i] == NULL)
			continue;
		if (!render_field(template, i, data, options, &out, context, message))
			return;
		old = MemoryContextSwitchTo(context);
		message->fields[i] = PointerGetDatum(cstring_to_text_with_len(out.data,
																	  out.len));
		MemoryContextSwitchTo(old);
		message->size += out.len;
	}
}

static void
render_options(const UserRow *user, TimestampTz now, LiquidOptions *options)
{
	liquid_default_options(options);
	options->timezone = user_timezone(user);
	if (user->found && !user->nulls[Anum_users_locale - 1])
		options->locale =
			TextDatumGetCString(user->values[Anum_users_locale - 1]);
	options->now = now;
	options->loader = liquid_load_partial;
}

void
message_render(const MessageTemplate *template, const MessageSubject *subject,
			   MemoryContext result_context, RenderedMessage *message)
{
	LiquidOptions options;
	Jsonb	   *data;
	char	   *missing;

	memset(message, 0, sizeof(*message));
	message->status = MESSAGE_RENDERED;
	if (template->error != NULL)
	{
		set_failure(message, result_context, template->sqlstate, template->error);
		return;
	}
	if (!check_recipient(subject->recipient, result_context, message))
		return;
	data = message_context(subject);
	if (data == NULL)
	{
		set_failure(message, result_context, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
					"the template's context is too large");
		return;
	}
	missing = missing_variable(subject->rule, data);
	if (missing != NULL)
	{
		set_failure(message, result_context, ERRCODE_NULL_VALUE_NOT_ALLOWED,
					psprintf("missing variable \"%s\"", missing));
		return;
	}
	render_options(subject->user, subject->now, &options);
	render_fields(template, data, &options, result_context, message);
}
