/*-------------------------------------------------------------------------
 *
 * consent_sql.c
 *	  What SQL calls about consent: triggers that check its tables, and the
 *	  question that a claim asks once more of messages that wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "consent.h"
#include "funcapi.h"
#include "json_input.h"
#include "miscadmin.h"
#include "row_trigger.h"
#include "rule_checks.h"
#include "send_time.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(nudge_normal_address);
PG_FUNCTION_INFO_V1(nudge_check_suppression);
PG_FUNCTION_INFO_V1(nudge_check_subscription);
PG_FUNCTION_INFO_V1(nudge_message_refusals);

/* An index entry holds a user id, an address, a channel and a reason. */
#define MAX_BYTES 1024

/*
 * normal_address(address text)
 */
Datum
nudge_normal_address(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(consent_normal_address(PG_GETARG_DATUM(0)));
}

static void
check_length(FaultList *faults, const char *path, const char *value)
{
	if (value != NULL && (value[0] == '\0' || strlen(value) > MAX_BYTES))
		fault_add(faults, ERRCODE_CHECK_VIOLATION, path,
				  psprintf("It has 1 to %d bytes.", MAX_BYTES),
				  "%s is %s", path, value[0] == '\0' ? "empty" : "too long");
}

static void
check_reason(FaultList *faults, const char *reason)
{
	static const char *const reasons[] = {
		"unsubscribed", "bounced", "complained", "manual"
	};

	for (int i = 0; i < lengthof(reasons); i++)
	{
		if (strcmp(reason, reasons[i]) == 0)
			return;
	}
	fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, "reason",
			  psprintf("Reasons are %s.", enumerate(reasons, lengthof(reasons))),
			  "unknown reason \"%s\"", reason);
}

/*
 * Trigger on suppressions, before INSERT and UPDATE of a row
 */
Datum
nudge_check_suppression(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_suppression");
	HeapTuple	row = trigger_row(trigger);
	FaultList	faults = {NIL};
	char	   *user_id = row_text(trigger, row, "user_id");
	char	   *address = row_text(trigger, row, "address");
	char	   *channel = row_text(trigger, row, "channel");
	char	   *reason = row_text(trigger, row, "reason");

	if (address != NULL)
		address = text_to_cstring(consent_normal_address(CStringGetTextDatum(address)));
	if (user_id == NULL && address == NULL)
		fault_add(&faults, ERRCODE_INVALID_PARAMETER_VALUE, "user_id",
				  "Name a user, or an address.",
				  "neither user_id nor address is given");
	check_length(&faults, "user_id", user_id);
	check_length(&faults, "address", address);
	if (channel != NULL)
		check_channel(&faults, "channel", channel);
	if (reason != NULL)
		check_reason(&faults, reason);
	fault_report(&faults, "suppression");
	if (address != NULL)
		row = row_with_column(trigger, row, "address", CStringGetTextDatum(address));
	return PointerGetDatum(row);
}

/*
 * Trigger on subscriptions, before INSERT and UPDATE of a row
 */
Datum
nudge_check_subscription(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = before_row_trigger(fcinfo, "check_subscription");
	HeapTuple	row = trigger_row(trigger);
	FaultList	faults = {NIL};
	char	   *topic = row_text(trigger, row, "topic");

	check_length(&faults, "user_id", row_text(trigger, row, "user_id"));
	if (topic != NULL)
		check_topic(&faults, "topic", topic);
	fault_report(&faults, "subscription");
	return PointerGetDatum(row_touched(trigger, row));
}

/* Arguments of message_refusals: arrays of a length, an element a message */
enum
{
	ARG_USER_IDS,
	ARG_RULE_IDS,
	ARG_CHANNELS,
	ARG_RECIPIENTS,
	NUM_ARGS
};

/* A message that waits to be claimed, and what is to become of it */
typedef struct WaitingMessage
{
	Datum		values[NUM_ARGS];
	bool		nulls[NUM_ARGS];
	const char *reason;			/* NULL: it may go out */
	TimestampTz until;			/* held so long; 0: refused for good */
} WaitingMessage;

static WaitingMessage *
waiting_messages(FunctionCallInfo fcinfo, int *n)
{
	static const Oid types[NUM_ARGS] = {TEXTOID, INT8OID, TEXTOID, TEXTOID};
	WaitingMessage *messages = NULL;

	for (int arg = 0; arg < NUM_ARGS; arg++)
	{
		bool		is_id = types[arg] == INT8OID;
		Datum	   *elements;
		bool	   *nulls;
		int			nelements;

		deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), types[arg],
						  is_id ? sizeof(int64) : -1, is_id ? FLOAT8PASSBYVAL : false,
						  is_id ? TYPALIGN_DOUBLE : TYPALIGN_INT,
						  &elements, &nulls, &nelements);
		if (arg == 0)
		{
			*n = nelements;
			messages = palloc0(Max(nelements, 1) * sizeof(WaitingMessage));
		}
		if (nelements != *n)
			elog(ERROR, "arrays of messages differ in length");
		for (int i = 0; i < nelements; i++)
		{
			if (nulls[i] && (arg == ARG_USER_IDS || arg == ARG_CHANNELS))
				elog(ERROR, "a message has no user or no channel");
			messages[i].values[arg] = elements[i];
			messages[i].nulls[arg] = nulls[i];
		}
	}
	return messages;
}

/*
 * Asks what the executor asked when it made the message.  The rule's send window
 * is left to the executor: a mailer that polls would miss a narrow one.
 */
static void
judge(History *history, const Rules *rules, TimestampTz now,
	  WaitingMessage *message)
{
	const Rule *rule = message->nulls[ARG_RULE_IDS] ? NULL :
	rules_find(rules, DatumGetInt64(message->values[ARG_RULE_IDS]));
	char	   *channel = TextDatumGetCString(message->values[ARG_CHANNELS]);
	Datum		address = message->nulls[ARG_RECIPIENTS] ? (Datum) 0 :
	message->values[ARG_RECIPIENTS];
	UserRow		user;
	TimestampTz until;
	bool		drop;

	history_user(history, message->values[ARG_USER_IDS], &user);
	if (!user.found)
	{
		message->reason = "no_user";
		return;
	}
	message->reason = consent_refusal(history, rule, &user, channel, address);
	if (message->reason != NULL)
		return;
	until = quiet_hours_over(rules, rule, &user, channel, now, &drop);
	if (until == now)
		return;
	message->reason = "quiet_hours";
	message->until = drop ? 0 : until;
}

/*
 * message_refusals(user_ids text[], rule_ids bigint[], channels text[],
 * recipients text[]): of the messages that must not go out, their places in the
 * arrays, why, and until when they are held, if not for good.
 */
Datum
nudge_message_refusals(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			n;
	WaitingMessage *messages = waiting_messages(fcinfo, &n);
	const Rules *rules;
	History    *history;
	TimestampTz now = GetCurrentTimestamp();
	MemoryContext context;
	MemoryContext old;

	InitMaterializedSRF(fcinfo, 0);
	rules = rules_acquire();
	history = history_open();
	context = AllocSetContextCreate(CurrentMemoryContext, "pg_nudge consent",
									ALLOCSET_SMALL_SIZES);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(context);
		judge(history, rules, now, &messages[i]);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	history_close(history);
	rules_release(rules);

	for (int i = 0; i < n; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false, false, messages[i].until == 0};

		if (messages[i].reason == NULL)
			continue;
		values[0] = Int32GetDatum(i + 1);
		values[1] = CStringGetTextDatum(messages[i].reason);
		values[2] = TimestampTzGetDatum(messages[i].until);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
