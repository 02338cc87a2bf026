/*-------------------------------------------------------------------------
 *
 * timer_schedule.c
 *	  rules.schedule: what time, instead of an action, makes a rule fire.
 *
 * The document is an object whose key "kind" says which other keys it has.  All
 * faults are gathered.  What is read here is what C needs; the jsonpaths and the
 * lists that only look at past actions are left to the SQL that looks at them
 * (47_timers.sql).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "timer_schedule.h"

#include "datatype/timestamp.h"
#include "document.h"
#include "fmgr.h"
#include "json_input.h"
#include "rule_checks.h"
#include "send_window.h"
#include "softtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

PG_FUNCTION_INFO_V1(nudge_schedule_is_good);

#define DEFAULT_AT (9 * USECS_PER_HOUR)

/* No interval may be longer than this */
#define MAX_YEARS 100

/* An anniversary's offset stays within a year, so that years cannot pass by. */
#define MAX_OFFSET_DAYS 366

/* The shortest time between occurrences of a recurring schedule */
#define MIN_EVERY USECS_PER_HOUR

#define MAX_ACTION_TYPE 1024

typedef enum ScheduleKey
{
	KEY_KIND,
	KEY_ATTRIBUTE,
	KEY_OFFSET,
	KEY_AT,
	KEY_AFTER,
	KEY_START,
	KEY_UNLESS,
	KEY_WITHIN,
	KEY_KEY,
	KEY_RESTART,
	KEY_TYPES,
	KEY_ACTION,
	KEY_PATH,
	KEY_EVERY,
	KEY_DAYS,
	KEY_STARTING,
	KEY_GRACE,
	NUM_KEYS
} ScheduleKey;

static const char *const key_names[NUM_KEYS] = {
	"kind", "attribute", "offset", "at", "after", "start", "unless", "within",
	"key", "restart", "types", "action", "path", "every", "days", "starting",
	"grace"
};

#define BIT(key) (1u << (key))

/* What people write, and what belongs to it */
static const struct
{
	const char *name;
	TimerKind	kind;
	uint32		required;
	uint32		optional;		/* besides kind and grace */
}			kinds[] = {
	{"anniversary", TIMER_ANNIVERSARY, BIT(KEY_ATTRIBUTE), BIT(KEY_OFFSET) | BIT(KEY_AT)},
	{"milestone", TIMER_MILESTONE, BIT(KEY_ATTRIBUTE) | BIT(KEY_AFTER), BIT(KEY_AT)},
	{"abandonment", TIMER_ABANDONMENT, BIT(KEY_START) | BIT(KEY_UNLESS) | BIT(KEY_WITHIN),
	BIT(KEY_KEY) | BIT(KEY_RESTART)},
	{"decline", TIMER_DECLINE, BIT(KEY_AFTER), BIT(KEY_TYPES)},
	{"reminder", TIMER_REMINDER, 0,
		BIT(KEY_ATTRIBUTE) | BIT(KEY_ACTION) | BIT(KEY_PATH) | BIT(KEY_OFFSET) |
	BIT(KEY_AT) | BIT(KEY_UNLESS) | BIT(KEY_KEY)},
	{"recurring", TIMER_RECURRING, 0,
	BIT(KEY_EVERY) | BIT(KEY_DAYS) | BIT(KEY_AT) | BIT(KEY_STARTING)},
	{"engagement_decline", TIMER_DECLINE, BIT(KEY_AFTER), BIT(KEY_TYPES)},
};

/* A schedule while it is read */
typedef struct Reader
{
	FaultList  *faults;
	const char *path;
	bool		checking;		/* jsonpaths are compiled to check them */
	TimerSchedule *schedule;
	JsonField	fields[NUM_KEYS];
} Reader;

bool
timer_is_of_attribute(const TimerSchedule *schedule)
{
	return schedule->kind == TIMER_ANNIVERSARY || schedule->kind == TIMER_MILESTONE ||
		(schedule->kind == TIMER_REMINDER && schedule->has_attribute);
}

bool
timer_is_of_actions(const TimerSchedule *schedule)
{
	return schedule->kind == TIMER_ABANDONMENT || schedule->kind == TIMER_DECLINE ||
		(schedule->kind == TIMER_REMINDER && !schedule->has_attribute);
}

static char *
key_path(const Reader *reader, ScheduleKey key)
{
	return psprintf("%s.%s", reader->path, key_names[key]);
}

#define key_fault(reader, key, hint, ...) \
	fault_add((reader)->faults, ERRCODE_INVALID_PARAMETER_VALUE, \
			  key_path(reader, key), hint, __VA_ARGS__)

/* A key's value, NULL where it is not given */
static const JsonbValue *
given(const Reader *reader, ScheduleKey key)
{
	return reader->fields[key].given ? &reader->fields[key].value : NULL;
}

/* A key's string; NULL where it is not given, or after a fault */
static const JsonbValue *
read_string(Reader *reader, ScheduleKey key, const char *wanted, const char *hint)
{
	const JsonbValue *value = given(reader, key);

	if (value == NULL || value->type == jbvString)
		return value;
	key_fault(reader, key, hint, "%s must be %s, not %s", key_path(reader, key),
			  wanted, json_kind(value));
	return NULL;
}

static char *
enumerate_keys(uint32 keys)
{
	const char *names[NUM_KEYS];
	int			n = 0;

	for (ScheduleKey key = 0; key < NUM_KEYS; key++)
	{
		if (keys & BIT(key))
			names[n++] = key_names[key];
	}
	return enumerate(names, n);
}

/*
 * An interval within bounds; positive: more than none, and no part of it negative.
 */
static bool
read_span(Reader *reader, ScheduleKey key, bool positive, Interval *span)
{
	const JsonbValue *value = given(reader, key);
	char	   *path = key_path(reader, key);

	if (value == NULL ||
		!read_interval_text(reader->faults, path, value, span))
		return false;
	if (positive && (span->month < 0 || span->day < 0 || span->time < 0 ||
					 (span->month == 0 && span->day == 0 && span->time == 0)))
	{
		key_fault(reader, key, "Give an interval such as \"1 hour\" or \"30 days\".",
				  "%s must be a positive interval", path);
		return false;
	}
	if (abs(span->month) > MAX_YEARS * MONTHS_PER_YEAR ||
		abs(span->day) > MAX_YEARS * 366 ||
		span->time > MAX_YEARS * 366 * USECS_PER_DAY ||
		span->time < -MAX_YEARS * 366 * USECS_PER_DAY)
	{
		fault_add(reader->faults, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, path,
				  psprintf("The most is %d years.", MAX_YEARS),
				  "%s is out of range", path);
		return false;
	}
	return true;
}

/*
 * Splits a path at its dots; false where a part is empty.
 */
static bool
split_attribute(const JsonbValue *value, AttributePath *path)
{
	char	   *text = json_string(value);
	int			n = 1;

	for (const char *p = text; *p != '\0'; p++)
		n += *p == '.';
	path->nsteps = n;
	path->steps = palloc0(n * sizeof(PathStep));
	for (int i = 0; i < n; i++)
	{
		path->steps[i].name = text;
		path->steps[i].length = strcspn(text, ".");
		if (path->steps[i].length == 0)
			return false;
		text += path->steps[i].length;
		*text++ = '\0';
	}
	return true;
}

/*
 * Which attribute of the user holds the date
 */
static void
read_attribute(Reader *reader)
{
	static const struct
	{
		const char *name;
		AttributeRoot root;
	}			roots[] = {
		{"profile", ROOT_PROFILE}, {"behavior", ROOT_BEHAVIOR},
		{"preferences", ROOT_PREFERENCES}
	};
	const char *hint = "Name created_at, or a path below profile, behavior or preferences, such as profile.birthday.";
	const JsonbValue *value = read_string(reader, KEY_ATTRIBUTE, "a string", hint);
	AttributePath *path = &reader->schedule->attribute;

	if (value == NULL)
		return;
	reader->schedule->has_attribute = true;
	if (!split_attribute(value, path))
	{
		key_fault(reader, KEY_ATTRIBUTE, hint, "attribute %s has an empty part",
				  json_excerpt(value));
		return;
	}
	path->root = ROOT_USER_COLUMN;
	if (path->nsteps == 1 && strcmp(path->steps[0].name, "created_at") == 0)
		return;
	for (int i = 0; i < lengthof(roots) && path->nsteps > 1; i++)
	{
		if (strcmp(path->steps[0].name, roots[i].name) == 0)
		{
			path->root = roots[i].root;
			path->steps++;
			path->nsteps--;
			return;
		}
	}
	key_fault(reader, KEY_ATTRIBUTE, hint, "attribute %s can hold no date",
			  json_excerpt(value));
}

/*
 * One action type or more, as a string or an array; added to the types that the
 * schedule wants to hear of if told to.
 */
static void
read_types(Reader *reader, ScheduleKey key, bool heard)
{
	const char *hint = "Give an action type, or an array of them.";
	const JsonbValue *value = given(reader, key);
	TimerSchedule *schedule = reader->schedule;
	JsonbValue	single;
	JsonbValue *elements = &single;
	int			n = 1;

	if (value == NULL)
		return;
	single = *value;
	if (json_is_array(value))
		elements = json_elements(value, &n);
	if (n == 0)
		key_fault(reader, key, hint, "%s is an empty list", key_path(reader, key));
	if (heard)
		schedule->types = schedule->types == NULL ? palloc(Max(n, 1) * sizeof(char *)) :
			repalloc(schedule->types, (schedule->ntypes + n) * sizeof(char *));
	for (int i = 0; i < n; i++)
	{
		if (elements[i].type != jbvString)
			key_fault(reader, key, hint, "an action type must be a string, not %s",
					  json_kind(&elements[i]));
		else if (elements[i].val.string.len < 1 ||
				 elements[i].val.string.len > MAX_ACTION_TYPE)
			key_fault(reader, key, hint,
					  "an action type must be between 1 and %d bytes long",
					  MAX_ACTION_TYPE);
		else if (heard)
			schedule->types[schedule->ntypes++] = json_string(&elements[i]);
	}
}

/*
 * A jsonpath into action_data
 */
static void
read_path(Reader *reader, ScheduleKey key)
{
	const char *hint = "A path reads action_data, as in \"$.cart_id\".";
	const JsonbValue *value = read_string(reader, key, "a jsonpath as a string", hint);

	if (value != NULL && reader->checking)
		check_jsonpath(reader->faults, key_path(reader, key), json_string(value), hint);
}

static void
read_at(Reader *reader)
{
	TimerSchedule *schedule = reader->schedule;
	const JsonbValue *value = given(reader, KEY_AT);

	schedule->at = DEFAULT_AT;
	if (value == NULL ||
		!read_time_of_day(reader->faults, key_path(reader, KEY_AT), value,
						  &schedule->at))
		return;
	schedule->has_at = true;
	if (schedule->at >= USECS_PER_DAY)
		key_fault(reader, KEY_AT, "Write \"00:00\" for midnight.",
				  "%s must be before 24:00", key_path(reader, KEY_AT));
}

static void
read_restart(Reader *reader)
{
	const JsonbValue *value = given(reader, KEY_RESTART);

	if (value != NULL && value->type != jbvBool)
		key_fault(reader, KEY_RESTART, "Give true or false.",
				  "%s must be a boolean, not %s", key_path(reader, KEY_RESTART),
				  json_kind(value));
}

static void
read_days(Reader *reader)
{
	const JsonbValue *value = given(reader, KEY_DAYS);
	TextList	days = {0};
	JsonbValue *elements;

	if (value == NULL)
		return;
	days.path = key_path(reader, KEY_DAYS);
	if (!json_is_array(value))
	{
		key_fault(reader, KEY_DAYS, "Give an array such as [\"mon\", \"thu\"].",
				  "%s must be an array, not %s", days.path, json_kind(value));
		return;
	}
	elements = json_elements(value, &days.n);
	days.items = palloc0(Max(days.n, 1) * sizeof(char *));
	for (int i = 0; i < days.n; i++)
	{
		if (elements[i].type == jbvString)
			days.items[i] = json_string(&elements[i]);
	}
	check_weekdays(reader->faults, &days);
	reader->schedule->days = weekdays_mask(&days);
}

static void
read_starting(Reader *reader)
{
	const char *hint = "Write a date like \"2030-01-31\".";
	const JsonbValue *value = read_string(reader, KEY_STARTING, "a date as a string", hint);
	struct pg_tm tm;
	int			year;
	int			month;
	int			day;
	int			end = 0;

	if (value == NULL)
		return;
	memset(&tm, 0, sizeof(tm));
	if (sscanf(json_string(value), "%4d-%2d-%2d%n", &year, &month, &day, &end) != 3 ||
		end != value->val.string.len || year < 1 || month < 1 ||
		month > MONTHS_PER_YEAR || day < 1 || day > day_tab[isleap(year)][month - 1])
	{
		key_fault(reader, KEY_STARTING, hint, "%s is not a date", json_excerpt(value));
		return;
	}
	reader->schedule->has_starting = true;
	reader->schedule->starting = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
}

static void
read_recurring(Reader *reader)
{
	TimerSchedule *schedule = reader->schedule;
	bool		every = given(reader, KEY_EVERY) != NULL;
	bool		days = given(reader, KEY_DAYS) != NULL;

	read_days(reader);
	read_starting(reader);
	if (every == days)
		fault_add(reader->faults, ERRCODE_INVALID_PARAMETER_VALUE, reader->path,
				  "Give every, an interval such as \"7 days\", or days, an array such as [\"mon\", \"thu\"].",
				  every ? "a recurring schedule has either every or days, not both" :
				  "a recurring schedule needs every or days");
	if (read_span(reader, KEY_EVERY, true, &schedule->span) &&
		schedule->span.month == 0 && schedule->span.day == 0 &&
		schedule->span.time < MIN_EVERY)
		key_fault(reader, KEY_EVERY, "The least is \"1 hour\".",
				  "%s is too short", key_path(reader, KEY_EVERY));
}

static void
read_reminder(Reader *reader)
{
	bool		attribute = given(reader, KEY_ATTRIBUTE) != NULL;
	bool		action = given(reader, KEY_ACTION) != NULL;

	(void) read_span(reader, KEY_OFFSET, false, &reader->schedule->span);
	if (attribute == action)
		fault_add(reader->faults, ERRCODE_INVALID_PARAMETER_VALUE, reader->path,
				  "Give attribute, such as profile.renewal_date, or action and path, such as appointment_booked and $.starts_at.",
				  attribute ? "a reminder has either an attribute or an action, not both" :
				  "a reminder needs an attribute or an action");
	if (action && given(reader, KEY_PATH) == NULL)
		key_fault(reader, KEY_PATH, "Give a jsonpath into action_data, such as \"$.starts_at\".",
				  "schedule key \"path\" is missing");
	for (int i = 0; attribute && i < 3; i++)
	{
		static const ScheduleKey of_action[] = {KEY_PATH, KEY_UNLESS, KEY_KEY};

		if (given(reader, of_action[i]) != NULL)
			key_fault(reader, of_action[i], "It belongs to reminders of an action.",
					  "schedule key \"%s\" goes with \"action\" only",
					  key_names[of_action[i]]);
	}
	read_types(reader, KEY_ACTION, true);
	read_types(reader, KEY_UNLESS, true);
	read_path(reader, KEY_PATH);
	read_path(reader, KEY_KEY);
}

static void
read_anniversary(Reader *reader)
{
	Interval   *offset = &reader->schedule->span;

	if (read_span(reader, KEY_OFFSET, false, offset) &&
		(abs(offset->month) > MONTHS_PER_YEAR ||
		 abs(offset->day) > MAX_OFFSET_DAYS ||
		 offset->time > MAX_OFFSET_DAYS * USECS_PER_DAY ||
		 offset->time < -MAX_OFFSET_DAYS * USECS_PER_DAY))
		fault_add(reader->faults, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
				  key_path(reader, KEY_OFFSET), "The most is a year.",
				  "%s is out of range", key_path(reader, KEY_OFFSET));
}

/*
 * What belongs to the kind
 */
static void
read_kind(Reader *reader)
{
	TimerSchedule *schedule = reader->schedule;
	Interval	grace;

	switch (schedule->kind)
	{
		case TIMER_ANNIVERSARY:
			read_anniversary(reader);
			break;
		case TIMER_MILESTONE:
			(void) read_span(reader, KEY_AFTER, true, &schedule->span);
			break;
		case TIMER_ABANDONMENT:
			read_types(reader, KEY_START, true);
			read_types(reader, KEY_UNLESS, false);
			(void) read_span(reader, KEY_WITHIN, true, &schedule->span);
			read_path(reader, KEY_KEY);
			read_restart(reader);
			break;
		case TIMER_DECLINE:
			read_types(reader, KEY_TYPES, true);
			schedule->any_type = given(reader, KEY_TYPES) == NULL;
			(void) read_span(reader, KEY_AFTER, true, &schedule->span);
			break;
		case TIMER_REMINDER:
			read_reminder(reader);
			break;
		case TIMER_RECURRING:
			read_recurring(reader);
			break;
		case TIMER_BROKEN:
			return;
	}
	read_attribute(reader);
	read_at(reader);
	(void) read_span(reader, KEY_GRACE, true, &grace);
}

/*
 * The place in kinds; -1 after a fault
 */
static int
find_kind(Reader *reader)
{
	const JsonbValue *value = given(reader, KEY_KIND);
	const char *names[lengthof(kinds)];
	char	   *hint;

	/* The last is another name of one before. */
	for (int i = 0; i < lengthof(kinds); i++)
		names[i] = kinds[i].name;
	hint = psprintf("Kinds are %s.", enumerate(names, lengthof(kinds) - 1));
	if (value == NULL)
		key_fault(reader, KEY_KIND, hint, "schedule key \"kind\" is missing");
	else if (value->type != jbvString)
		key_fault(reader, KEY_KIND, hint, "%s must be a string, not %s",
				  key_path(reader, KEY_KIND), json_kind(value));
	else
	{
		for (int i = 0; i < lengthof(kinds); i++)
		{
			if (strcmp(json_string(value), names[i]) == 0)
				return i;
		}
		key_fault(reader, KEY_KIND, hint, "unknown kind of schedule %s",
				  json_excerpt(value));
	}
	return -1;
}

static void
check_keys(Reader *reader, int kind, const List *unknown)
{
	uint32		allowed = kinds[kind].required | kinds[kind].optional |
	BIT(KEY_KIND) | BIT(KEY_GRACE);
	char	   *hint = psprintf("Keys of kind %s are %s.", kinds[kind].name,
								enumerate_keys(allowed));
	ListCell   *lc;

	foreach(lc, unknown)
		fault_add(reader->faults, ERRCODE_INVALID_PARAMETER_VALUE,
				  psprintf("%s.%s", reader->path, (char *) lfirst(lc)), hint,
				  "unknown schedule key \"%s\"", (char *) lfirst(lc));
	for (ScheduleKey key = 0; key < NUM_KEYS; key++)
	{
		if (given(reader, key) != NULL && !(allowed & BIT(key)))
		{
			key_fault(reader, key, hint, "kind %s has no schedule key \"%s\"",
					  kinds[kind].name, key_names[key]);
			reader->fields[key].given = false;
		}
		if (given(reader, key) == NULL && (kinds[kind].required & BIT(key)))
			key_fault(reader, key, hint, "schedule key \"%s\" is missing",
					  key_names[key]);
	}
}

static void
read_schedule(FaultList *faults, const char *path, const Jsonb *document,
			  bool checking, TimerSchedule *schedule)
{
	Reader		reader = {faults, path, checking, schedule};
	List	   *unknown;
	int			kind;

	schedule->kind = TIMER_BROKEN;
	if (!JB_ROOT_IS_OBJECT(document))
	{
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path,
				  "For example {\"kind\": \"recurring\", \"days\": [\"mon\"], \"at\": \"09:00\"}.",
				  "%s must be an object", path);
		return;
	}
	unknown = json_read_object((JsonbContainer *) &document->root, key_names,
							   NUM_KEYS, reader.fields);
	kind = find_kind(&reader);
	if (kind < 0)
		return;
	schedule->kind = kinds[kind].kind;
	check_keys(&reader, kind, unknown);
	read_kind(&reader);
}

void
check_timer_schedule(FaultList *faults, const char *path, const Jsonb *document)
{
	TimerSchedule schedule = {0};

	read_schedule(faults, path, document, true, &schedule);
}

TimerSchedule *
timer_schedule_read(const Jsonb *document)
{
	TimerSchedule *schedule = palloc0(sizeof(TimerSchedule));
	FaultList	faults = {NIL};

	read_schedule(&faults, "", document, false, schedule);
	if (faults.faults != NIL)
		schedule->kind = TIMER_BROKEN;
	return schedule;
}

/*
 * nudge.schedule_is_good(schedule jsonb): whether it passes the checks
 */
Datum
nudge_schedule_is_good(PG_FUNCTION_ARGS)
{
	FaultList	faults = {NIL};

	check_timer_schedule(&faults, "schedule", PG_GETARG_JSONB_P(0));
	PG_RETURN_BOOL(faults.faults == NIL);
}
