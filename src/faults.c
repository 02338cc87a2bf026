/*-------------------------------------------------------------------------
 *
 * faults.c
 *	  Faults of a rule, gathered so that all are reported at once.
 *
 * The list lives in the memory context that is current when a fault is added;
 * there is no locking.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "faults.h"

#include "lib/stringinfo.h"

void
fault_add(FaultList *list, int sqlstate, const char *path, const char *hint,
		  const char *fmt,...)
{
	Fault	   *fault = palloc(sizeof(Fault));
	StringInfoData message;

	initStringInfo(&message);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&message, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}

	fault->sqlstate = sqlstate;
	fault->path = pstrdup(path);
	fault->message = message.data;
	fault->hint = hint != NULL ? pstrdup(hint) : NULL;
	list->faults = lappend(list->faults, fault);
}

static void
report_one(const Fault *fault)
{
	ereport(ERROR,
			(errcode(fault->sqlstate),
			 errmsg_internal("%s", fault->message),
			 fault->path[0] == '\0' ? 0 :
			 errdetail("The fault is at %s.", fault->path),
			 fault->hint == NULL ? 0 : errhint("%s", fault->hint)));
}

/*
 * Has an earlier fault the same hint?
 */
static bool
hint_is_new(const FaultList *list, const Fault *fault)
{
	ListCell   *cell;

	foreach(cell, list->faults)
	{
		const Fault *earlier = lfirst(cell);

		if (earlier == fault)
			return true;
		if (earlier->hint != NULL && strcmp(earlier->hint, fault->hint) == 0)
			return false;
	}
	return true;
}

static void
append_line(StringInfo text, const char *line)
{
	if (text->len > 0)
		appendStringInfoChar(text, '\n');
	appendStringInfoString(text, line);
}

/*
 * One fault is reported as it is.  Several share one error: it has the SQLSTATE
 * of the first, lists all in its detail, and all that is allowed in its hint.
 */
void
fault_report(const FaultList *list, const char *what)
{
	const Fault *first;
	StringInfoData detail;
	StringInfoData hint;
	ListCell   *cell;

	if (list->faults == NIL)
		return;
	first = linitial(list->faults);
	if (list_length(list->faults) == 1)
		report_one(first);

	initStringInfo(&detail);
	initStringInfo(&hint);
	foreach(cell, list->faults)
	{
		const Fault *fault = lfirst(cell);

		append_line(&detail, fault->path[0] == '\0' ? fault->message :
					psprintf("%s: %s", fault->path, fault->message));
		if (fault->hint != NULL && hint_is_new(list, fault))
			append_line(&hint, fault->hint);
	}
	ereport(ERROR,
			(errcode(first->sqlstate),
			 errmsg("%s has %d faults, the first: %s", what,
					list_length(list->faults), first->message),
			 errdetail_internal("%s", detail.data),
			 hint.len == 0 ? 0 : errhint("%s", hint.data)));
}
