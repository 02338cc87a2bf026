/*-------------------------------------------------------------------------
 *
 * preview.c
 *	  nudge.preview: what a rule would send a user.
 *
 * The message is composed by what the executor calls as well, with no effect.  It
 * is read with the rights of the tables' owner, since whoever writes templates need
 * not be one who may read users.  In return addresses are hidden from those who
 * may not read them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
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
 * Composes the message as the tables' owner.
 */
static void
compose_preview(MessageSubject *subject, Datum user_id, RenderedMessage *message)
{
	MemoryContext context = CurrentMemoryContext;
	RecommendationRequest request = {user_id, subject->action->data};
	Personalization wanted;
	Templates	templates;
	const MessageTemplate *template;
	char	   *id = subject->rule->template_id;
	OwnerScope	scope;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	owner_begin(&scope);
	templates_load(&templates, &id, id != NULL ? 1 : 0);
	personalization_read(subject->rule->personalization, &wanted);
	request.amount = wanted.recommendations;
	recommendations_fetch(&request, request.amount > 0 ? 1 : 0, subject->now);
	subject->recommendations = request.items;
	compose(subject, &templates, &template, context, message);
	owner_end(&scope);
	SPI_finish();
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
 * preview(rule_id, user_id, action_type, action_data, occurred_at, context)
 */
Datum
nudge_preview(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MessageSubject subject = {0};
	MessageAction action;
	RenderedMessage message = {0};
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
	if (!user.found)
		tell_no_message(user_id, subject.rule, "no_user");
	else
	{
		compose_preview(&subject, user_id, &message);
		switch (message.status)
		{
			case MESSAGE_RENDERED:
				put_message(result, subject.channel, &message);
				break;
			case MESSAGE_SKIPPED:
			case MESSAGE_DEFERRED:
			case MESSAGE_ABORTED:
				tell_no_message(user_id, subject.rule, message.reason);
				break;
			case MESSAGE_FAILED:
				ereport(ERROR,
						(errcode(message.sqlstate),
						 errmsg("message of rule \"%s\" cannot be rendered: %s",
								subject.rule->name, message.reason),
						 errdetail("Its trigger would fail with this error."),
						 errhint("Mend the template \"%s\", or what it is given.",
								 subject.rule->template_id)));
		}
	}
	history_close(history);
	rules_release(rules);
	return (Datum) 0;
}
