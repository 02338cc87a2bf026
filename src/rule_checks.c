/*-------------------------------------------------------------------------
 *
 * rule_checks.c
 *	  Checks of what a rule consists of, whichever way it was written.
 *
 * Triggers (rule_triggers.c) apply these to rows, nudge.create_rule
 * (rule_config.c) to a document.  Each adds what it finds to a list of faults.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "rule_checks.h"

#include "catalog/pg_type.h"
#include "channel_names.h"
#include "document.h"
#include "executor/spi.h"
#include "json_input.h"
#include "owner.h"
#include "plan.h"
#include "queries.h"
#include "relations.h"
#include "rule_personalization.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define MAX_YEARS 100
#define MAX_TOPIC_BYTES 1024

TextList
text_list_from_array(Datum array, const char *path)
{
	TextList	list = {0, NULL, path, 1};
	Datum	   *elements;
	bool	   *nulls;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, &list.n);
	list.items = palloc(Max(list.n, 1) * sizeof(char *));
	for (int i = 0; i < list.n; i++)
		list.items[i] = nulls[i] ? NULL : TextDatumGetCString(elements[i]);
	return list;
}

char *
text_list_path(const TextList *list, int i)
{
	return psprintf("%s[%d]", list->path, list->base + i);
}

/*
 * Length in microseconds, as PostgreSQL compares intervals: a month has 30 days.
 */
static double
interval_length(const Interval *interval)
{
	return ((double) interval->month * DAYS_PER_MONTH + interval->day) *
		USECS_PER_DAY + interval->time;
}

/*
 * Each part is bound, and none is negative: parts that make up for each other may
 * still leave the range of timestamps one by one.
 */
static void
check_too_long(FaultList *faults, const char *path, const Interval *interval)
{
	if (interval->month < 0 || interval->day < 0 || interval->time < 0)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path,
				  "Give years, months, days and time of the same sign.",
				  "%s must not have a negative part", path);
	else if (interval_length(interval) >
			 (double) MAX_YEARS * MONTHS_PER_YEAR * DAYS_PER_MONTH * USECS_PER_DAY)
		fault_add(faults, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, path,
				  psprintf("Give no more than %d years.", MAX_YEARS),
				  "%s is out of range", path);
}

void
check_delay(FaultList *faults, const char *path, const Interval *delay)
{
	if (interval_length(delay) < 0)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path,
				  "Without a delay a rule is due at once.",
				  "%s must not be negative", path);
	else
		check_too_long(faults, path, delay);
}

void
check_expiry(FaultList *faults, const char *path, const Interval *expiry)
{
	check_span(faults, path, "Leave it out where triggers do not expire.", expiry);
}

void
check_fallback_after(FaultList *faults, const char *path, const Interval *after)
{
	check_span(faults, path, "Leave it out for a day.", after);
}

void
check_span(FaultList *faults, const char *path, const char *hint,
		   const Interval *span)
{
	if (interval_length(span) <= 0)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, hint,
				  "%s must be greater than 0", path);
	else
		check_too_long(faults, path, span);
}

static void
add_unknown_channel(FaultList *faults, const char *path, const char *channel)
{
	fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, channel_names_hint(),
			  "unknown channel \"%s\"", channel);
}

void
check_channel(FaultList *faults, const char *path, const char *channel)
{
	if (!*channel_names_lock(&channel, 1))
		add_unknown_channel(faults, path, channel);
}

static bool
occurs_before(const TextList *list, int i)
{
	for (int j = 0; j < i; j++)
	{
		if (list->items[j] != NULL && strcmp(list->items[j], list->items[i]) == 0)
			return true;
	}
	return false;
}

/*
 * Is an element a string with something in it?  Adds a fault if not.
 */
static bool
check_item(FaultList *faults, const TextList *list, int i, const char *what)
{
	const char *item = list->items[i];

	if (item != NULL && item[0] != '\0')
		return true;
	fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, text_list_path(list, i),
			  NULL, "%s must not be %s", what, item == NULL ? "null" : "empty");
	return false;
}

void
check_channels(FaultList *faults, const TextList *channels)
{
	bool	   *known;

	if (channels->n == 0)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, channels->path,
				  channel_names_hint(), "a rule needs at least one channel");
	known = channel_names_lock((const char *const *) channels->items, channels->n);
	for (int i = 0; i < channels->n; i++)
	{
		if (!check_item(faults, channels, i, "a channel"))
			continue;
		if (occurs_before(channels, i))
			fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE,
					  text_list_path(channels, i), "Name each channel once.",
					  "channel \"%s\" is named twice", channels->items[i]);
		else if (!known[i])
			add_unknown_channel(faults, text_list_path(channels, i),
								channels->items[i]);
	}
}

void
check_cancel_on(FaultList *faults, const TextList *types)
{
	for (int i = 0; i < types->n; i++)
		check_item(faults, types, i, "an action type in cancel_on");
}

/*
 * Which of the names a query returns that locks the rows of some of them; the
 * result lives in the caller's context.
 */
static bool *
find_names(SPIPlanPtr *plan, const char *query, const TextList *list)
{
	static const Oid types[] = {TEXTARRAYOID};
	bool	   *found = palloc0(list->n * sizeof(bool));
	Datum	   *names = palloc(list->n * sizeof(Datum));
	OwnerScope	scope;
	Datum		array;
	int			n = 0;

	for (int i = 0; i < list->n; i++)
	{
		if (list->items[i] != NULL)
			names[n++] = CStringGetTextDatum(list->items[i]);
	}
	array = PointerGetDatum(construct_array(names, n, TEXTOID, -1, false,
											TYPALIGN_INT));

	SPI_connect();
	owner_begin(&scope);
	if (SPI_execute_plan(plan_get(plan, query, 1, types), &array, NULL, false,
						 0) != SPI_OK_SELECT)
		elog(ERROR, "names could not be read");
	owner_end(&scope);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		char	   *name = SPI_getvalue(SPI_tuptable->vals[row],
										SPI_tuptable->tupdesc, 1);

		for (int i = 0; i < list->n; i++)
			found[i] |= list->items[i] != NULL &&
				strcmp(list->items[i], name) == 0;
	}
	SPI_finish();
	return found;
}

static bool *
find_segments(const TextList *segments)
{
	static SPIPlanPtr plan = NULL;

	return find_names(&plan, query_segments_lock, segments);
}

/*
 * Before an upgrade, which brings the table, there are no stages.
 */
static bool *
find_stages(const TextList *stages)
{
	static SPIPlanPtr plan = NULL;

	if (!nudge_relation_exists(NUDGE_LIFECYCLE_STAGES))
		return palloc0(stages->n * sizeof(bool));
	return find_names(&plan, query_lifecycle_stages_lock, stages);
}

void
check_segments(FaultList *faults, const TextList *segments)
{
	bool	   *found;

	if (segments->n == 0)
		return;
	found = find_segments(segments);
	for (int i = 0; i < segments->n; i++)
	{
		if (check_item(faults, segments, i, "a segment") && !found[i])
			fault_add(faults, ERRCODE_FOREIGN_KEY_VIOLATION,
					  text_list_path(segments, i),
					  "Insert it into nudge.segments first.",
					  "segment \"%s\" does not exist", segments->items[i]);
	}
}

/*
 * Is there a rule of this name, or of this id after '#'?
 */
static bool
rule_exists(const char *name)
{
	static SPIPlanPtr plan = NULL;
	static const Oid types[] = {TEXTOID, INT8OID};
	bool		by_id = name[0] == '#';
	Datum		arguments[] = {
		CStringGetTextDatum(name),
		Int64GetDatum(by_id ? strtoi64(name + 1, NULL, 10) : 0)
	};
	OwnerScope	scope;
	bool		found;

	SPI_connect();
	owner_begin(&scope);
	if (SPI_execute_plan(plan_get(&plan, query_rule_known, 2, types), arguments,
						 by_id ? "n " : " n", false, 1) != SPI_OK_SELECT)
		elog(ERROR, "rules could not be read");
	owner_end(&scope);
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

static void
check_rule_references(FaultList *faults, const char *path, const List *names,
					  const char *own_name)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		const char *name = lfirst(cell);

		if ((own_name != NULL && strcmp(name, own_name) == 0) ||
			rule_exists(name))
			continue;
		fault_add(faults, ERRCODE_FOREIGN_KEY_VIOLATION, path,
				  "Create that rule first.",
				  name[0] == '#' ? "rule %s does not exist" :
				  "rule \"%s\" does not exist", name[0] == '#' ? name + 1 : name);
	}
}

static TextList
text_list_from_names(const List *names)
{
	TextList	list = {list_length(names)};

	list.items = palloc(Max(list.n, 1) * sizeof(char *));
	for (int i = 0; i < list.n; i++)
		list.items[i] = list_nth(names, i);
	return list;
}

static char *
parameters_path(const char *path)
{
	return psprintf("%s%sparameters", path, path[0] == '\0' ? "" : ".");
}

void
check_condition_references(FaultList *faults, const char *path,
						   const Condition *condition, const char *own_name)
{
	TextList	segments = text_list_from_names(condition_segments(condition, NIL));
	char	   *at = parameters_path(path);
	bool	   *found;

	check_rule_references(faults, at, condition_rules(condition, NIL), own_name);
	if (segments.n == 0)
		return;
	found = find_segments(&segments);
	for (int i = 0; i < segments.n; i++)
	{
		if (!found[i])
			fault_add(faults, ERRCODE_FOREIGN_KEY_VIOLATION, at,
					  "Insert it into nudge.segments first.",
					  "segment \"%s\" does not exist", segments.items[i]);
	}
}

void
check_condition_stages(FaultList *faults, const char *path,
					   const Condition *condition)
{
	TextList	stages = text_list_from_names(condition_stages(condition, NIL));
	bool	   *found;

	if (stages.n == 0)
		return;
	found = find_stages(&stages);
	for (int i = 0; i < stages.n; i++)
	{
		if (!found[i])
			fault_add(faults, ERRCODE_FOREIGN_KEY_VIOLATION, parameters_path(path),
					  "Insert it into nudge.lifecycle_stages first; names are case-sensitive.",
					  "lifecycle stage \"%s\" does not exist", stages.items[i]);
	}
}

/*
 * required: names of variables that the template needs
 */
static void
check_required(FaultList *faults, const char *path, const JsonbValue *required)
{
	const char *hint = "List variables as the template names them, such as \"user.profile.name\".";
	JsonbValue *elements;
	int			n;

	if (!json_is_array(required))
	{
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, hint,
				  "required must be an array of strings, not %s",
				  json_kind(required));
		return;
	}
	elements = json_elements(required, &n);
	for (int i = 0; i < n; i++)
	{
		if (elements[i].type != jbvString || elements[i].val.string.len == 0)
			fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE,
					  psprintf("%s[%d]", path, i), hint,
					  elements[i].type == jbvString ?
					  "a variable in required must not be empty" :
					  "a variable in required must be a string, not %s",
					  json_kind(&elements[i]));
	}
}

void
check_personalization(FaultList *faults, const char *path,
					  Jsonb *personalization)
{
	static const char *const names[] = {"required"};
	JsonField	required;

	if (!JB_ROOT_IS_OBJECT(personalization))
	{
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, NULL,
				  "%s must be an object", path);
		return;
	}
	if (jsonb_depth(personalization, MAX_NESTING) > MAX_NESTING)
	{
		fault_add(faults, ERRCODE_STATEMENT_TOO_COMPLEX, path,
				  psprintf("No more than %d levels are allowed.", MAX_NESTING),
				  "%s is nested too deeply", path);
		return;
	}
	json_read_object(&personalization->root, names, 1, &required);
	if (required.given)
		check_required(faults, psprintf("%s.required", path), &required.value);
	personalization_check(faults, path, personalization);
}

void
check_topic(FaultList *faults, const char *path, const char *topic)
{
	if (topic[0] == '\0' || strlen(topic) > MAX_TOPIC_BYTES)
		fault_add(faults, ERRCODE_CHECK_VIOLATION, path,
				  psprintf("A topic has 1 to %d bytes.", MAX_TOPIC_BYTES),
				  "%s is %s", path, topic[0] == '\0' ? "empty" : "too long");
}

void
check_percent(FaultList *faults, const char *path, double percent)
{
	if (!(percent >= 0.0 && percent <= 100.0))
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path,
				  "Give a number from 0 to 100.", "%s must be from 0 to 100, not %g",
				  path, percent);
}

void
check_max_messages(FaultList *faults, const char *path, int64 max_messages)
{
	if (max_messages < 1)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path,
				  "Pause a rule that is to send nothing.",
				  "a cap must be at least 1, not " INT64_FORMAT, max_messages);
}
