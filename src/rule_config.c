/*-------------------------------------------------------------------------
 *
 * rule_config.c
 *	  Reads a rule that is written as one JSON document.
 *
 * A fault does not end the reading, so that all faults are found.  Pure but for
 * compiling jsonpaths, which takes a subtransaction each.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "rule_config.h"

#include <math.h>

#include "action.h"
#include "document.h"
#include "fmgr.h"
#include "json_input.h"
#include "send_window.h"
#include "miscadmin.h"
#include "relations.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define MAX_NAME_BYTES 1024

typedef enum ConfigKey
{
	KEY_NAME,
	KEY_DESCRIPTION,
	KEY_TYPE,
	KEY_TEMPLATE_ID,
	KEY_PRIORITY,
	KEY_STATUS,
	KEY_DELAY_SECONDS,
	KEY_EXPIRY_HOURS,
	KEY_MAX_FREQUENCY,
	KEY_CONDITIONS,
	KEY_SEGMENTATION_RULES,
	KEY_PERSONALIZATION_CONFIG,
	KEY_CHANNELS,
	KEY_CANCEL_ON,
	KEY_REENTRY,
	KEY_SCHEDULE,
	KEY_TOPIC,
	KEY_SEND_BETWEEN,
	KEY_SEND_ON,
	KEY_HOLDOUT_PERCENT,
	KEY_URGENCY,
	KEY_CHANNEL_STRATEGY,
	KEY_FALLBACK_AFTER,
	KEY_SEND_TIME,
	KEY_ALLOCATION,
	KEY_GOAL,
	KEY_AUTO_OPTIMIZE
} ConfigKey;

static const char *const key_names[] = {
	[KEY_NAME] = "name",
	[KEY_DESCRIPTION] = "description",
	[KEY_TYPE] = "type",
	[KEY_TEMPLATE_ID] = "template_id",
	[KEY_PRIORITY] = "priority",
	[KEY_STATUS] = "status",
	[KEY_DELAY_SECONDS] = "delay_seconds",
	[KEY_EXPIRY_HOURS] = "expiry_hours",
	[KEY_MAX_FREQUENCY] = "max_frequency",
	[KEY_CONDITIONS] = "conditions",
	[KEY_SEGMENTATION_RULES] = "segmentation_rules",
	[KEY_PERSONALIZATION_CONFIG] = "personalization_config",
	[KEY_CHANNELS] = "channels",
	[KEY_CANCEL_ON] = "cancel_on",
	[KEY_REENTRY] = "reentry",
	[KEY_SCHEDULE] = "schedule",
	[KEY_TOPIC] = "topic",
	[KEY_SEND_BETWEEN] = "send_between",
	[KEY_SEND_ON] = "send_on",
	[KEY_HOLDOUT_PERCENT] = "holdout_percent",
	[KEY_URGENCY] = "urgency",
	[KEY_CHANNEL_STRATEGY] = "channel_strategy",
	[KEY_FALLBACK_AFTER] = "fallback_after",
	[KEY_SEND_TIME] = "send_time",
	[KEY_ALLOCATION] = "allocation",
	[KEY_GOAL] = "goal",
	[KEY_AUTO_OPTIMIZE] = "auto_optimize",
};

#define NUM_KEYS (KEY_AUTO_OPTIMIZE + 1)

/* Of columns that are text with a CHECK constraint */
static const char *const send_times[] = {"asap", "best"};
static const char *const allocations[] = {"fixed", "thompson"};
static const char *const goals[] = {"open", "click", "conversion", "revenue"};

/* A document while it is read */
typedef struct Reader
{
	RuleConfig *config;
	FaultList  *faults;
	JsonField	fields[NUM_KEYS];
} Reader;

#define refuse(faults, path, hint, ...) \
	fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, hint, __VA_ARGS__)

/*
 * The value of a key; NULL where it is missing or null, which says the same.
 */
static const JsonbValue *
given(const Reader *reader, ConfigKey key)
{
	const JsonField *field = &reader->fields[key];

	return field->given && field->value.type != jbvNull ? &field->value : NULL;
}

static bool
is_kind(FaultList *faults, const char *path, const JsonbValue *value,
		bool good, const char *wanted, const char *hint)
{
	if (!good)
		refuse(faults, path, hint, "%s must be %s, not %s", path, wanted,
			   json_kind(value));
	return good;
}

static void
refuse_unknown(FaultList *faults, const char *path, const List *unknown,
			   const char *const *names, int nnames, const char *of)
{
	ListCell   *cell;

	foreach(cell, unknown)
	{
		char	   *key = lfirst(cell);

		refuse(faults, path[0] == '\0' ? key : psprintf("%s.%s", path, key),
			   nnames == 1 ? psprintf("The key of %s is %s.", of, names[0]) :
			   psprintf("Keys of %s are %s.", of, enumerate(names, nnames)),
			   "unknown key \"%s\"", key);
	}
}

/*
 * An optional string; NULL where there is none.
 */
static char *
read_string(Reader *reader, ConfigKey key)
{
	const JsonbValue *value = given(reader, key);

	if (value == NULL || !is_kind(reader->faults, key_names[key], value,
								  value->type == jbvString, "a string", NULL))
		return NULL;
	return json_string(value);
}

static void
read_name(Reader *reader)
{
	char	   *name = read_string(reader, KEY_NAME);

	if (given(reader, KEY_NAME) == NULL)
		refuse(reader->faults, "name", "Every rule has a name of its own.",
			   "name is missing");
	else if (name != NULL && (name[0] == '\0' || strlen(name) > MAX_NAME_BYTES))
	{
		fault_add(reader->faults, ERRCODE_CHECK_VIOLATION, "name",
				  psprintf("A name has 1 to %d bytes.", MAX_NAME_BYTES),
				  "name is %s", name[0] == '\0' ? "empty" : "too long");
		name = NULL;
	}
	reader->config->name = name;
}

/*
 * Labels of one of our enums, for hints
 */
static const char *
labels_hint(NudgeEnum type, const char *what)
{
	const char *labels[16];
	int			n = 0;

	while (n < lengthof(labels) &&
		   (labels[n] = nudge_enum_label(type, n)) != NULL)
		n++;
	return psprintf("%s %s.", what, enumerate(labels, n));
}

/*
 * A label of one of our enums as its ordinal; otherwise where there is none.
 */
static int
read_label(Reader *reader, ConfigKey key, NudgeEnum type, const char *what,
		   const char *hint, int otherwise)
{
	char	   *label = read_string(reader, key);
	int			ordinal;

	if (label == NULL)
		return otherwise;
	ordinal = nudge_enum_parse(type, label);
	if (ordinal >= 0)
		return ordinal;
	refuse(reader->faults, key_names[key], labels_hint(type, hint),
		   "unknown %s \"%s\"", what, label);
	return otherwise;
}

static void
read_type(Reader *reader)
{
	if (given(reader, KEY_TYPE) == NULL)
		refuse(reader->faults, "type",
			   labels_hint(NUDGE_TRIGGER_TYPE, "Types of rules are"),
			   "type is missing");
	reader->config->trigger_type =
		read_label(reader, KEY_TYPE, NUDGE_TRIGGER_TYPE, "type",
				   "Types of rules are", TRIGGER_BEHAVIORAL);
}

/*
 * A number from 1, which is the highest, or a name
 */
static void
read_priority(Reader *reader)
{
	static const char *const hint = "Priorities are 1 to 5, or";
	const JsonbValue *value = given(reader, KEY_PRIORITY);
	double		number;

	reader->config->priority = PRIORITY_NORMAL;
	if (value == NULL)
		return;
	if (value->type != jbvNumeric)
	{
		if (is_kind(reader->faults, "priority", value,
					value->type == jbvString, "a number or a string",
					labels_hint(NUDGE_PRIORITY_TYPE, hint)))
			reader->config->priority =
				read_label(reader, KEY_PRIORITY, NUDGE_PRIORITY_TYPE,
						   "priority", hint, PRIORITY_NORMAL);
		return;
	}
	number = json_double(value);
	if (number >= 1 && number <= NUM_PRIORITIES && number == floor(number))
		reader->config->priority = (int) number - 1;
	else
		refuse(reader->faults, "priority",
			   labels_hint(NUDGE_PRIORITY_TYPE, hint), "unknown priority %s",
			   DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(value->val.numeric))));
}

/*
 * A number of units as an interval.  What is out of range becomes the longest
 * interval there is, which the checks refuse.
 */
static bool
read_interval(Reader *reader, ConfigKey key, int64 usecs_per_unit,
			  Interval *interval)
{
	const JsonbValue *value = given(reader, key);
	double		units;

	memset(interval, 0, sizeof(Interval));
	if (value == NULL || !is_kind(reader->faults, key_names[key], value,
								  value->type == jbvNumeric, "a number", NULL))
		return false;
	units = json_double(value);
	if (fabs(units) * usecs_per_unit >= (double) PG_INT64_MAX)
		interval->time = units > 0 ? PG_INT64_MAX : -PG_INT64_MAX;
	else
		interval->time = (int64) rint(units * usecs_per_unit);
	return true;
}

static void
read_times(Reader *reader)
{
	RuleConfig *config = reader->config;

	if (read_interval(reader, KEY_DELAY_SECONDS, USECS_PER_SEC, &config->delay))
		check_delay(reader->faults, "delay_seconds", &config->delay);
	config->has_expiry = read_interval(reader, KEY_EXPIRY_HOURS, USECS_PER_HOUR,
									   &config->expiry);
	if (config->has_expiry)
		check_expiry(reader->faults, "expiry_hours", &config->expiry);
}

static int32
read_cap(Reader *reader, const char *path, const JsonbValue *value)
{
	double		number;

	if (!is_kind(reader->faults, path, value, value->type == jbvNumeric,
				 "a number", NULL))
		return 0;
	number = json_double(value);
	if (number > PG_INT32_MAX)
		fault_add(reader->faults, ERRCODE_INVALID_PARAMETER_VALUE, path,
				  "Leave it out where there is no cap.", "%s is out of range",
				  path);
	else if (number > 0 && number != floor(number))
		refuse(reader->faults, path, NULL, "%s must be a whole number", path);
	else
	{
		check_max_messages(reader->faults, path, (int64) Max(number, PG_INT32_MIN));
		return (int32) Max(number, 0);
	}
	return 0;
}

static void
read_caps(Reader *reader)
{
	const JsonbValue *value = given(reader, KEY_MAX_FREQUENCY);
	const char *periods[NUM_CAP_PERIODS];
	JsonField	fields[NUM_CAP_PERIODS];
	List	   *unknown;

	if (value == NULL ||
		!is_kind(reader->faults, "max_frequency", value, json_is_object(value),
				 "an object", "Write it like {\"daily\": 1, \"weekly\": 2, \"monthly\": 5}."))
		return;
	for (int i = 0; i < NUM_CAP_PERIODS; i++)
		periods[i] = nudge_enum_label(NUDGE_CAP_PERIOD_TYPE, i);
	unknown = json_read_object(value->val.binary.data, periods, NUM_CAP_PERIODS,
							   fields);
	refuse_unknown(reader->faults, "max_frequency", unknown, periods,
				   NUM_CAP_PERIODS, "max_frequency");
	for (int i = 0; i < NUM_CAP_PERIODS; i++)
	{
		if (fields[i].given && fields[i].value.type != jbvNull)
			reader->config->caps[i] =
				read_cap(reader, psprintf("max_frequency.%s", periods[i]),
						 &fields[i].value);
	}
}

/*
 * An array of strings; false where it is not.
 */
static bool
read_text_list(FaultList *faults, const char *path, const JsonbValue *value,
			   TextList *list)
{
	JsonbValue *elements;
	bool		good = true;

	list->path = path;
	if (!is_kind(faults, path, value, json_is_array(value),
				 "an array of strings", NULL))
		return false;
	elements = json_elements(value, &list->n);
	list->items = palloc(Max(list->n, 1) * sizeof(char *));
	for (int i = 0; i < list->n; i++)
		good &= is_kind(faults, text_list_path(list, i), &elements[i],
						elements[i].type == jbvString, "a string", NULL);
	for (int i = 0; good && i < list->n; i++)
		list->items[i] = json_string(&elements[i]);
	if (!good)
		list->n = 0;
	return good;
}

/*
 * Names of segments, by themselves or as "segments" of an object
 */
static void
read_segments(Reader *reader)
{
	static const char *const names[] = {"segments"};
	const JsonbValue *value = given(reader, KEY_SEGMENTATION_RULES);
	const char *path = "segmentation_rules";
	JsonField	segments;

	if (value == NULL)
		return;
	if (json_is_object(value))
	{
		List	   *unknown = json_read_object(value->val.binary.data, names, 1,
											   &segments);

		refuse_unknown(reader->faults, path, unknown, names, 1, path);
		if (!segments.given)
			return;
		value = &segments.value;
		path = "segmentation_rules.segments";
	}
	read_text_list(reader->faults, path, value, &reader->config->segments);
}

static void
read_channels(Reader *reader)
{
	static char *email[] = {"email"};
	TextList   *channels = &reader->config->channels;
	const JsonbValue *value = given(reader, KEY_CHANNELS);

	if (value == NULL)
		*channels = (TextList) {1, email, "channels", 0};
	else if (read_text_list(reader->faults, "channels", value, channels))
		check_channels(reader->faults, channels);
}

static void
read_cancel_on(Reader *reader)
{
	TextList   *types = &reader->config->cancel_on;
	const JsonbValue *value = given(reader, KEY_CANCEL_ON);

	types->path = "cancel_on";
	if (value != NULL &&
		read_text_list(reader->faults, "cancel_on", value, types))
		check_cancel_on(reader->faults, types);
}

static void
read_personalization(Reader *reader)
{
	const JsonbValue *value = given(reader, KEY_PERSONALIZATION_CONFIG);
	const char *path = "personalization_config";

	reader->config->personalization = jsonb_empty_object();
	if (value == NULL ||
		!is_kind(reader->faults, path, value, json_is_object(value),
				 "an object", NULL))
		return;
	reader->config->personalization = JsonbValueToJsonb(unconstify(JsonbValue *, value));
	check_personalization(reader->faults, path, reader->config->personalization);
}

static void
read_condition(Reader *reader, int i, const JsonbValue *value)
{
	RuleConfig *config = reader->config;
	char	   *path = psprintf("conditions[%d]", i);
	WrittenCondition *written = &config->written[i];

	config->good[i] = condition_read(written, value, true, reader->faults, path) &&
		condition_check(&config->conditions[i], written->type,
						written->operator, written->parameters, written->weight,
						reader->faults, path);
}

static void
read_conditions(Reader *reader)
{
	RuleConfig *config = reader->config;
	const JsonbValue *value = given(reader, KEY_CONDITIONS);
	JsonbValue *elements;
	int			n;

	if (value == NULL ||
		!is_kind(reader->faults, "conditions", value, json_is_array(value),
				 "an array of objects", NULL))
		return;
	elements = json_elements(value, &n);
	config->nconditions = n;
	config->written = palloc0(Max(n, 1) * sizeof(WrittenCondition));
	config->conditions = palloc0(Max(n, 1) * sizeof(Condition));
	config->good = palloc0(Max(n, 1) * sizeof(bool));
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_condition(reader, i, &elements[i]);
	}
}

/*
 * A document within the document, of any kind
 */
static Jsonb *
read_document(Reader *reader, ConfigKey key)
{
	const JsonbValue *value = given(reader, key);

	return value == NULL ? NULL :
		JsonbValueToJsonb(unconstify(JsonbValue *, value));
}

/*
 * Two times of day: ["09:00", "18:00"], or {"from": "09:00", "to": "18:00"}
 */
static void
read_send_between(Reader *reader)
{
	static const char *const names[] = {"from", "to"};
	static const char *const hint = "Write it like [\"09:00\", \"18:00\"].";
	RuleConfig *config = reader->config;
	const JsonbValue *value = given(reader, KEY_SEND_BETWEEN);
	JsonField	fields[2] = {0};
	bool		good = true;

	if (value == NULL)
		return;
	if (json_is_object(value))
		refuse_unknown(reader->faults, "send_between",
					   json_read_object(value->val.binary.data, names, 2, fields),
					   names, 2, "send_between");
	else if (is_kind(reader->faults, "send_between", value, json_is_array(value),
					 "an array of two times", hint))
	{
		int			n;
		JsonbValue *elements = json_elements(value, &n);

		for (int i = 0; i < Min(n, 2); i++)
			fields[i] = (JsonField) {true, elements[i]};
		if (n > 2)
			fields[0].given = false;
	}
	else
		return;
	if (!fields[0].given || !fields[1].given)
	{
		refuse(reader->faults, "send_between", hint,
			   "send_between must have two times");
		return;
	}
	for (int i = 0; i < 2; i++)
		good &= read_time_of_day(reader->faults, "send_between", &fields[i].value,
								 &config->send_between[i]);
	if (good)
		check_send_between(reader->faults, "send_between", config->send_between);
	config->has_send_between = good;
}

static void
read_send_on(Reader *reader)
{
	TextList   *days = &reader->config->send_on;
	const JsonbValue *value = given(reader, KEY_SEND_ON);

	if (value == NULL ||
		!read_text_list(reader->faults, "send_on", value, days))
		return;
	reader->config->has_send_on = true;
	check_weekdays(reader->faults, days);
}

static void
read_holdout_percent(Reader *reader)
{
	const JsonbValue *value = given(reader, KEY_HOLDOUT_PERCENT);

	if (value == NULL ||
		!is_kind(reader->faults, "holdout_percent", value,
				 value->type == jbvNumeric, "a number", NULL))
		return;
	reader->config->holdout_percent = json_double(value);
	check_percent(reader->faults, "holdout_percent",
				  reader->config->holdout_percent);
}

/*
 * An interval as PostgreSQL writes it, such as "4 hours"
 */
static void
read_fallback_after(Reader *reader)
{
	RuleConfig *config = reader->config;
	const JsonbValue *value = given(reader, KEY_FALLBACK_AFTER);

	config->fallback_after = (Interval) {.day = 1};
	if (value == NULL)
		return;
	if (read_interval_text(reader->faults, "fallback_after", value,
						   &config->fallback_after))
		check_fallback_after(reader->faults, "fallback_after",
							 &config->fallback_after);
}

/*
 * When, to whom and how messages go out
 */
static void
read_delivery(Reader *reader)
{
	RuleConfig *config = reader->config;

	for (ConfigKey key = KEY_REENTRY; key <= KEY_FALLBACK_AFTER; key++)
		config->has_delivery |= given(reader, key) != NULL;
	config->reentry = read_document(reader, KEY_REENTRY);
	if (config->reentry != NULL)
		check_reentry(reader->faults, "reentry", config->reentry);
	config->schedule = read_document(reader, KEY_SCHEDULE);
	if (config->schedule != NULL)
		check_timer_schedule(reader->faults, "schedule", config->schedule);
	config->topic = read_string(reader, KEY_TOPIC);
	if (config->topic != NULL)
		check_topic(reader->faults, "topic", config->topic);
	read_send_between(reader);
	read_send_on(reader);
	read_holdout_percent(reader);
	config->urgency = read_label(reader, KEY_URGENCY, NUDGE_URGENCY_TYPE,
								 "urgency", "Urgencies are", -1);
	config->channel_strategy =
		read_label(reader, KEY_CHANNEL_STRATEGY, NUDGE_CHANNEL_STRATEGY_TYPE,
				   "channel strategy", "Channel strategies are", STRATEGY_BEST);
	read_fallback_after(reader);
}

/*
 * One of some words; NULL where the key is missing, or after a fault.
 */
static char *
read_word(Reader *reader, ConfigKey key, const char *const *words, int n)
{
	char	   *word = read_string(reader, key);

	for (int i = 0; i < n && word != NULL; i++)
	{
		if (strcmp(word, words[i]) == 0)
			return word;
	}
	if (word != NULL)
		refuse(reader->faults, key_names[key],
			   psprintf("It is one of %s.", enumerate(words, n)),
			   "unknown %s \"%s\"", key_names[key], word);
	return NULL;
}

/*
 * What finds out by itself what is best
 */
static void
read_optimization(Reader *reader)
{
	RuleConfig *config = reader->config;
	const JsonbValue *automatic = given(reader, KEY_AUTO_OPTIMIZE);

	config->send_time = read_word(reader, KEY_SEND_TIME, send_times,
								  lengthof(send_times));
	if (config->send_time != NULL && strcmp(config->send_time, "best") == 0 &&
		config->trigger_type == TRIGGER_TRANSACTIONAL)
		refuse(reader->faults, "send_time", "Leave it out, or write \"asap\".",
			   "transactional messages do not wait for the best hour");
	config->allocation = read_word(reader, KEY_ALLOCATION, allocations,
								   lengthof(allocations));
	config->goal = read_word(reader, KEY_GOAL, goals, lengthof(goals));
	if (automatic != NULL &&
		is_kind(reader->faults, "auto_optimize", automatic,
				automatic->type == jbvBool, "true or false", NULL))
		config->auto_optimize = automatic->val.boolean;
}

void
rule_config_read(RuleConfig *config, Jsonb *document, FaultList *faults)
{
	Reader		reader = {config, faults};
	List	   *unknown;

	memset(config, 0, sizeof(RuleConfig));
	if (!JB_ROOT_IS_OBJECT(document))
	{
		refuse(faults, "",
			   psprintf("Keys of a rule are %s.", enumerate(key_names, NUM_KEYS)),
			   "config must be an object");
		return;
	}
	if (jsonb_depth(document, MAX_NESTING) > MAX_NESTING)
	{
		fault_add(faults, ERRCODE_STATEMENT_TOO_COMPLEX, "",
				  psprintf("No more than %d levels are allowed.", MAX_NESTING),
				  "config is nested too deeply");
		return;
	}

	unknown = json_read_object(&document->root, key_names, NUM_KEYS,
							   reader.fields);
	refuse_unknown(faults, "", unknown, key_names, NUM_KEYS, "a rule");
	read_name(&reader);
	config->description = read_string(&reader, KEY_DESCRIPTION);
	read_type(&reader);
	config->template_id = read_string(&reader, KEY_TEMPLATE_ID);
	read_priority(&reader);
	config->status = read_label(&reader, KEY_STATUS, NUDGE_RULE_STATUS_TYPE,
								"status", "States of rules are", RULE_ACTIVE);
	read_times(&reader);
	read_caps(&reader);
	read_conditions(&reader);
	read_segments(&reader);
	read_personalization(&reader);
	read_channels(&reader);
	read_cancel_on(&reader);
	read_delivery(&reader);
	read_optimization(&reader);
}
