/*-------------------------------------------------------------------------
 *
 * preview.c
 *	  nudge.preview: what a rule would send a user.
 *
 * The messages are composed by what the executor calls as well, with no effect.
 * They are read with the rights of the tables' owner, since whoever writes
 * templates need not be one who may read users.  In return addresses are hidden
 * from those who may not read them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "channel_engagement.h"
#include "compose.h"
#include "evaluate_functions.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "history.h"
#include "miscadmin.h"
#include "owner.h"
#include "recommendations.h"
#include "relations.h"
#include "rule_personalization.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "variant_store.h"

PG_FUNCTION_INFO_V1(nudge_preview);

/* Arguments */
enum
{
	ARG_RULE_ID,
	ARG_USER_ID,
	ARG_ACTION_TYPE,
	ARG_ACTION_DATA,
	ARG_OCCURRED_AT,
	ARG_CONTEXT
};

/* Columns of the result: the channel, and the first fields of a message */
#define NUM_COLUMNS 4

static const Rule *
rule_argument(FunctionCallInfo fcinfo, const Rules *rules)
{
	const Rule *rule;

	if (PG_ARGISNULL(ARG_RULE_ID))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rule_id must not be null"),
				 errdetail("A preview is of one rule."),
				 errhint("Pass a rule_id of nudge.rules.")));
	rule = rules_find(rules, PG_GETARG_INT64(ARG_RULE_ID));
	if (rule == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("rule %lld does not exist",
						(long long) PG_GETARG_INT64(ARG_RULE_ID)),
				 errdetail("There is no such row in nudge.rules."),
				 errhint("SELECT rule_id, name FROM nudge.rules tells which there are.")));
	return rule;
}

static void
action_arguments(FunctionCallInfo fcinfo, MessageAction *action)
{
	Datum		data;
	Datum		context;

	memset(action, 0, sizeof(*action));
	check_action_id(fcinfo, ARG_USER_ID, "user_id");
	if (!PG_ARGISNULL(ARG_ACTION_TYPE))
	{
		check_action_id(fcinfo, ARG_ACTION_TYPE, "action_type");
		action->action_type = PG_GETARG_DATUM(ARG_ACTION_TYPE);
	}
	data = object_argument(fcinfo, ARG_ACTION_DATA, "action_data");
	context = object_argument(fcinfo, ARG_CONTEXT, "context");
	action->data = data != (Datum) 0 ? DatumGetJsonbP(data) : NULL;
	action->context = context != (Datum) 0 ? DatumGetJsonbP(context) : NULL;
	action->has_occurred_at = !PG_ARGISNULL(ARG_OCCURRED_AT);
	if (action->has_occurred_at)
		action->occurred_at = check_occurred_at(PG_GETARG_TIMESTAMPTZ(ARG_OCCURRED_AT));
}

static bool
may_read(Oid table, AttrNumber column)
{
	return pg_class_aclcheck(table, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck(table, column, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

static bool
may_read_addresses(void)
{
	Oid			users = nudge_relation(NUDGE_USERS);

	return may_read(users, Anum_users_email) &&
		may_read(users, Anum_users_phone) &&
		may_read(users, Anum_users_push_token);
}

/*
 * What is composed for a preview
 */
typedef struct PreviewMessage
{
	const char *channel;
	RenderedMessage rendered;
} PreviewMessage;

/*
 * Plans the channels and composes a message for each, as the tables' owner.
 * Returns how many there are; where there is none, *reason says why.
 */
static int
compose_preview(MessageSubject *subject, const Rules *rules, Datum user_id,
				PreviewMessage **messages, const char **reason)
{
	MemoryContext context = CurrentMemoryContext;
	const Rule *rule = subject->rule;
	RecommendationRequest request = {user_id, subject->action->data};
	Personalization wanted;
	Templates	templates;
	char	   *id = rule->template_id;
	ChannelPlan *plan = palloc(sizeof(ChannelPlan));
	OwnerScope	scope;

	*messages = palloc0(rule->nchannels * sizeof(PreviewMessage) + 1);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	owner_begin(&scope);
	templates_load(&templates, &id, id != NULL ? 1 : 0);
	personalization_read(rule->personalization, &wanted);
	request.amount = wanted.recommendations;
	recommendations_fetch(&request, request.amount > 0 ? 1 : 0, subject->now);
	subject->recommendations = request.items;

	channel_plan_begin(plan, subject->history, rules, rule, subject->user,
					   rule->channels, rule->nchannels, compose_find_template,
					   &templates);
	channel_plans_engage(&plan, &user_id, 1);
	channel_plan_end(plan, rule->channel_strategy, rule->urgency, true);
	*reason = plan->reason;
	for (int i = 0; i < plan->nchosen; i++)
	{
		PreviewMessage *message = &(*messages)[i];

		message->channel = plan->candidates[i].name;
		compose(subject, &plan->candidates[i], context, &message->rendered);
	}
	owner_end(&scope);
	SPI_finish();
	return plan->nchosen;
}

static void
put_message(ReturnSetInfo *result, const char *channel,
			const RenderedMessage *message)
{
	static const MessageField fields[NUM_COLUMNS - 1] = {
		FIELD_SUBJECT, FIELD_BODY_TEXT, FIELD_BODY_HTML
	};
	Datum		values[NUM_COLUMNS];
	bool		nulls[NUM_COLUMNS] = {false};

	values[0] = CStringGetTextDatum(channel);
	for (int i = 1; i < NUM_COLUMNS; i++)
	{
		values[i] = message->fields[fields[i - 1]];
		nulls[i] = values[i] == (Datum) 0;
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
tell_no_message(Datum user_id, const Rule *rule, const char *reason)
{
	ereport(NOTICE,
			(errmsg("user \"%s\" would get no message of rule \"%s\": %s",
					TextDatumGetCString(user_id), rule->name, reason)));
}

/*
 * A row for each message; those of templates that give up are left out, as the
 * executor does.
 */
static void
put_messages(ReturnSetInfo *result, const Rule *rule, Datum user_id,
			 const PreviewMessage *messages, int n, const char *reason)
{
	bool		any = false;

	for (int i = 0; i < n; i++)
	{
		const RenderedMessage *message = &messages[i].rendered;

		if (message->status == MESSAGE_FAILED)
			ereport(ERROR,
					(errcode(message->sqlstate),
					 errmsg("message of rule \"%s\" cannot be rendered: %s",
							rule->name, message->reason),
					 errdetail("Its trigger would fail with this error."),
					 errhint("Mend the template \"%s\", or what it is given.",
							 rule->template_id)));
		if (message->status == MESSAGE_RENDERED)
			put_message(result, messages[i].channel, message);
		else
			reason = message->reason;
		any |= message->status == MESSAGE_RENDERED;
	}
	if (!any)
		tell_no_message(user_id, rule, reason);
}

/*
 * preview(rule_id, user_id, action_type, action_data, occurred_at, context)
 */
Datum
nudge_preview(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MessageSubject subject = {0};
	MessageAction action;
	PreviewMessage *messages;
	const char *reason;
	UserRow		user;
	History    *history;
	const Rules *rules;
	Datum		user_id;

	InitMaterializedSRF(fcinfo, 0);
	rules = rules_acquire();
	subject.rule = rule_argument(fcinfo, rules);
	action_arguments(fcinfo, &action);
	user_id = PG_GETARG_DATUM(ARG_USER_ID);
	history = history_open();
	history_user(history, user_id, &user);

	subject.history = history;
	subject.user = &user;
	subject.action = &action;
	subject.now = GetCurrentTimestamp();
	subject.is_preview = true;
	subject.hide_addresses = !may_read_addresses();
	if (user.found && subject.hide_addresses)
		channels_hide_addresses(rules, &user, "(hidden)");
	if (!user.found)
		tell_no_message(user_id, subject.rule, "no_user");
	else
	{
		int			n;

		subject.rule = variant_rule_for(subject.rule, user_id);
		n = compose_preview(&subject, rules, user_id, &messages,
										&reason);

		put_messages(result, subject.rule, user_id, messages, n, reason);
	}
	history_close(history);
	rules_release(rules);
	return (Datum) 0;
}
