/*-------------------------------------------------------------------------
 *
 * rules_cache.c
 *	  Compiled rules, cached in each backend.
 *
 * The cache is stale, loading or valid.  A trigger on the configuration tables
 * sends a relcache invalidation of nudge.rules (rule_checks.c), at commit to all
 * backends and at once to this one; its callback only marks the cache as stale.
 * A load becomes valid only if nothing was invalidated meanwhile, so that no
 * change is lost.
 *
 * Rules are loaded under a snapshot taken at the time of the load, not under the
 * transaction's: under REPEATABLE READ the latter would keep showing the rules
 * of its start, and a cache outlives transactions anyhow.  All tables are read
 * under the same one, as a rule that changes meanwhile would otherwise be seen
 * twice, or without its conditions.  The scans themselves see every version of a
 * row and ask the snapshot about each (load_table).
 *
 * A generation of rules is pinned while a statement uses it; one that has been
 * replaced is freed with its last pin, or at the end of the transaction if an
 * error left pins behind.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "rules.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "channels.h"
#include "document.h"
#include "miscadmin.h"
#include "relations.h"
#include "rule_checks.h"
#include "rule_index.h"
#include "rules_cache.h"
#include "segment_graph.h"
#include "send_window.h"
#include "timer_index.h"
#include "variants.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* How often a load is repeated when rules change under it */
#define MAX_LOADS 3

/* Columns, as 02_config_tables.sql creates them */
enum
{
	Anum_rules_rule_id = 1,
	Anum_rules_name,
	Anum_rules_description,
	Anum_rules_trigger_type,
	Anum_rules_priority,
	Anum_rules_status,
	Anum_rules_template_id,
	Anum_rules_delay,
	Anum_rules_expiry,
	Anum_rules_segments,
	Anum_rules_personalization,
	Anum_rules_channels,
	Anum_rules_cancel_on,

	/* Since 0.3.0: found by name, then in this order */
	Anum_rules_reentry,
	Anum_rules_schedule,
	Anum_rules_topic,
	Anum_rules_send_between,
	Anum_rules_send_on,
	Anum_rules_holdout_percent,
	Anum_rules_urgency,
	Anum_rules_channel_strategy,
	Anum_rules_fallback_after,

	/* Since 0.4.0 */
	Anum_rules_allocation,
	Anum_rules_goal,
	Anum_rules_send_time
};

/* The columns that tables have had from the first version on, and those since */
typedef struct TableColumns
{
	NudgeRelation table;
	int			nfirst;
	int			nlater;
	const char *const *later;
} TableColumns;

static const char *const later_rules_columns[] = {
	"reentry", "schedule", "topic", "send_between", "send_on", "holdout_percent",
	"urgency", "channel_strategy", "fallback_after", "allocation", "goal", "send_time"
};

static const TableColumns rules_columns = {
	NUDGE_RULES, Anum_rules_cancel_on, lengthof(later_rules_columns),
	later_rules_columns
};

/* No table has more columns than that. */
#define MAX_COLUMNS 32

enum
{
	Anum_conditions_rule_id = 1,
	Anum_conditions_position,
	Anum_conditions_condition_type,
	Anum_conditions_operator,
	Anum_conditions_parameters,
	Anum_conditions_weight
};

static const TableColumns conditions_columns = {
	NUDGE_CONDITIONS, Anum_conditions_weight, 0, NULL
};

enum
{
	Anum_frequency_caps_cap_id = 1,
	Anum_frequency_caps_rule_id,
	Anum_frequency_caps_channel,
	Anum_frequency_caps_period,
	Anum_frequency_caps_max_messages
};

static const TableColumns frequency_caps_columns = {
	NUDGE_FREQUENCY_CAPS, Anum_frequency_caps_max_messages, 0, NULL
};

enum
{
	Anum_segments_name = 1,
	Anum_segments_description,
	Anum_segments_created_at,

	/* Since 0.3.0 */
	Anum_segments_conditions,
	Anum_segments_match
};

static const char *const later_segments_columns[] = {"conditions", "match"};

static const TableColumns segments_columns = {
	NUDGE_SEGMENTS, Anum_segments_created_at, lengthof(later_segments_columns),
	later_segments_columns
};

static const TableColumns channels_columns = {
	NUDGE_CHANNELS, Anum_channels_enabled, 0, NULL
};

static const TableColumns channel_urgency_columns = {
	NUDGE_CHANNEL_URGENCY, Anum_channel_urgency_modifier, 0, NULL
};

static const TableColumns quiet_hours_columns = {
	NUDGE_QUIET_HOURS, Anum_quiet_hours_action, 0, NULL
};

static const TableColumns variants_columns = {
	NUDGE_VARIANTS, Anum_variants_enabled, 0, NULL
};

typedef struct CachedRules
{
	Rules		rules;			/* first, so that pointers convert */
	int			pins;
	struct CachedRules *next;	/* among the replaced */
} CachedRules;

/* A condition as read, before it is known how many its rule has */
typedef struct LoadedCondition
{
	int64		rule_id;
	int32		position;
	bool		good;
	Condition	condition;
} LoadedCondition;

static enum
{
	CACHE_STALE,
	CACHE_LOADING,
	CACHE_VALID
}			cache_state = CACHE_STALE;
static CachedRules *current = NULL;
static CachedRules *replaced = NULL;

/* A growing array of fixed-size elements */
typedef struct Vector
{
	Size		size;
	int			n;
	int			max;
	char	   *elements;
} Vector;

static void *
vector_add(Vector *vector)
{
	if (vector->n == vector->max)
	{
		vector->max = Max(64, vector->max * 2);
		vector->elements = vector->elements == NULL ?
			palloc_extended(vector->max * vector->size, MCXT_ALLOC_HUGE) :
			repalloc_huge(vector->elements, vector->max * vector->size);
	}
	return memset(vector->elements + vector->size * vector->n++, 0,
				  vector->size);
}

/*
 * Invalidation callback: marks, and nothing more.
 */
static void
rules_invalidated(Datum arg, Oid relid)
{
	if (nudge_relations_invalidate(relid))
		cache_state = CACHE_STALE;
}

/*
 * Frees the replaced generations that nobody uses.
 */
static void
free_replaced(void)
{
	CachedRules **link = &replaced;

	while (*link != NULL)
	{
		CachedRules *cached = *link;

		if (cached->pins == 0)
		{
			*link = cached->next;
			MemoryContextDelete(cached->rules.context);
		}
		else
			link = &cached->next;
	}
}

/*
 * At the end of a transaction no statement uses rules any more, whatever errors
 * kept it from saying so.
 */
static void
rules_xact_callback(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;
	if (current != NULL)
		current->pins = 0;
	for (CachedRules *cached = replaced; cached != NULL; cached = cached->next)
		cached->pins = 0;
	free_replaced();
}

void
rules_cache_init(void)
{
	CacheRegisterRelcacheCallback(rules_invalidated, (Datum) 0);
	RegisterXactCallback(rules_xact_callback, NULL);
}

static char **
load_text_array(Datum datum, bool isnull, int *n)
{
	Datum	   *elements;
	bool	   *nulls;
	int			nelements;
	char	  **result;

	*n = 0;
	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(datum), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, &nelements);
	result = palloc(Max(nelements, 1) * sizeof(char *));
	for (int i = 0; i < nelements; i++)
	{
		if (!nulls[i])
			result[(*n)++] = TextDatumGetCString(elements[i]);
	}
	return result;
}

static Urgency
urgency_of(Priority priority)
{
	switch (priority)
	{
		case PRIORITY_IMMEDIATE:
			return URGENCY_CRITICAL;
		case PRIORITY_HIGH:
			return URGENCY_HIGH;
		case PRIORITY_NORMAL:
			return URGENCY_NORMAL;
		case PRIORITY_LOW:
		case PRIORITY_BATCH:
			break;
	}
	return URGENCY_LOW;
}

static void
load_send_between(Rule *rule, Datum array)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TIMEOID, sizeof(TimeADT),
					  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements, &nulls, &n);
	if (n != 2 || nulls[0] || nulls[1])
		return;
	rule->has_send_between = true;
	rule->send_between[0] = DatumGetTimeADT(elements[0]);
	rule->send_between[1] = DatumGetTimeADT(elements[1]);
}

static bool
text_column_is(const Datum *values, const bool *nulls, AttrNumber attnum,
			   const char *value)
{
	return !nulls[attnum - 1] &&
		strcmp(TextDatumGetCString(values[attnum - 1]), value) == 0;
}

/*
 * Columns since 0.3.0; before an upgrade they are all null.
 */
static void
load_delivery(Rule *rule, const Datum *values, const bool *nulls,
			  bool catch_errors)
{
	if (!nulls[Anum_rules_reentry - 1] &&
		!reentry_read(&rule->reentry,
					  DatumGetJsonbP(values[Anum_rules_reentry - 1]), catch_errors))
		rule->broken = true;
	if (!nulls[Anum_rules_schedule - 1])
		rule->schedule =
			timer_schedule_read(DatumGetJsonbP(values[Anum_rules_schedule - 1]));
	if (!nulls[Anum_rules_topic - 1])
		rule->topic = TextDatumGetCString(values[Anum_rules_topic - 1]);
	if (!nulls[Anum_rules_send_between - 1])
		load_send_between(rule, values[Anum_rules_send_between - 1]);
	if (!nulls[Anum_rules_send_on - 1])
	{
		TextList	days = text_list_from_array(values[Anum_rules_send_on - 1], "");

		rule->send_on = weekdays_mask(&days);
	}
	if (!nulls[Anum_rules_holdout_percent - 1])
		rule->holdout_percent =
			DatumGetFloat8(values[Anum_rules_holdout_percent - 1]);
	rule->urgency = nulls[Anum_rules_urgency - 1] ? urgency_of(rule->priority) :
		nudge_enum_ordinal(NUDGE_URGENCY_TYPE,
						   DatumGetObjectId(values[Anum_rules_urgency - 1]));
	if (!nulls[Anum_rules_channel_strategy - 1])
		rule->channel_strategy =
			nudge_enum_ordinal(NUDGE_CHANNEL_STRATEGY_TYPE,
							   DatumGetObjectId(values[Anum_rules_channel_strategy - 1]));
	if (!nulls[Anum_rules_fallback_after - 1])
		rule->fallback_after =
			*DatumGetIntervalP(values[Anum_rules_fallback_after - 1]);
	rule->best_time = text_column_is(values, nulls, Anum_rules_send_time, "best");
	rule->by_draw = text_column_is(values, nulls, Anum_rules_allocation, "thompson");
	rule->by_value = text_column_is(values, nulls, Anum_rules_goal, "revenue");
}

static void
load_rule_by(Rule *rule, const Datum *values, const bool *nulls,
			 bool catch_errors)
{
	rule->rule_id = DatumGetInt64(values[Anum_rules_rule_id - 1]);
	rule->name = TextDatumGetCString(values[Anum_rules_name - 1]);
	rule->trigger_type =
		nudge_enum_ordinal(NUDGE_TRIGGER_TYPE,
						   DatumGetObjectId(values[Anum_rules_trigger_type - 1]));
	rule->priority =
		nudge_enum_ordinal(NUDGE_PRIORITY_TYPE,
						   DatumGetObjectId(values[Anum_rules_priority - 1]));
	rule->status =
		nudge_enum_ordinal(NUDGE_RULE_STATUS_TYPE,
						   DatumGetObjectId(values[Anum_rules_status - 1]));
	rule->template_id = nulls[Anum_rules_template_id - 1] ? NULL :
		TextDatumGetCString(values[Anum_rules_template_id - 1]);
	rule->delay = *DatumGetIntervalP(values[Anum_rules_delay - 1]);
	rule->has_expiry = !nulls[Anum_rules_expiry - 1];
	if (rule->has_expiry)
		rule->expiry = *DatumGetIntervalP(values[Anum_rules_expiry - 1]);
	rule->segments = load_text_array(values[Anum_rules_segments - 1],
									 nulls[Anum_rules_segments - 1],
									 &rule->nsegments);
	rule->personalization =
		DatumGetJsonbPCopy(values[Anum_rules_personalization - 1]);
	rule->channels = load_text_array(values[Anum_rules_channels - 1],
									 nulls[Anum_rules_channels - 1],
									 &rule->nchannels);
	rule->cancel_on = load_text_array(values[Anum_rules_cancel_on - 1],
									  nulls[Anum_rules_cancel_on - 1],
									  &rule->ncancel_on);
	load_delivery(rule, values, nulls, catch_errors);
}

/* Raises an error for a jsonpath that does not compile, as load_condition does */
static void
load_rule(Rule *rule, const Datum *values, const bool *nulls)
{
	load_rule_by(rule, values, nulls, false);
}

static void
load_rule_caught(Rule *rule, const Datum *values, const bool *nulls)
{
	load_rule_by(rule, values, nulls, true);
}

/*
 * Rows are checked when they are written, but a row that came past the checks
 * (with triggers disabled, say) must not make the application's INSERT fail: its
 * rule is broken and never fires.
 */
static void
load_condition_by(bool (*parse) (Condition *, const char *, const char *,
								 const Jsonb *, double, FaultList *,
								 const char *),
				  LoadedCondition *loaded, const Datum *values)
{
	FaultList	faults = {NIL};
	Jsonb	   *parameters =
	DatumGetJsonbP(values[Anum_conditions_parameters - 1]);

	loaded->rule_id = DatumGetInt64(values[Anum_conditions_rule_id - 1]);
	loaded->position = DatumGetInt32(values[Anum_conditions_position - 1]);
	loaded->good = jsonb_depth(parameters, MAX_NESTING) <= MAX_NESTING &&
		parse(&loaded->condition,
			  TextDatumGetCString(values[Anum_conditions_condition_type - 1]),
			  TextDatumGetCString(values[Anum_conditions_operator - 1]),
			  parameters,
			  DatumGetFloat8(values[Anum_conditions_weight - 1]),
			  &faults, "");
}

/* Raises an error for a jsonpath that does not compile */
static void
load_condition(LoadedCondition *loaded, const Datum *values, const bool *nulls)
{
	load_condition_by(condition_parse, loaded, values);
}

/* Takes a subtransaction for each jsonpath, and raises nothing */
static void
load_condition_caught(LoadedCondition *loaded, const Datum *values,
					  const bool *nulls)
{
	load_condition_by(condition_check, loaded, values);
}

/*
 * Conditions that came past the checks hold for nobody.
 */
static void
load_segment_by(Condition *(*parse) (const Jsonb *, FaultList *, const char *, int *),
				Segment *segment, const Datum *values, const bool *nulls)
{
	FaultList	faults = {NIL};

	segment->name = TextDatumGetCString(values[Anum_segments_name - 1]);
	if (nulls[Anum_segments_conditions - 1])
		return;
	segment->match_any = !nulls[Anum_segments_match - 1] &&
		strcmp(TextDatumGetCString(values[Anum_segments_match - 1]), "any") == 0;
	segment->document =
		DatumGetJsonbPCopy(values[Anum_segments_conditions - 1]);
	segment->conditions = parse(segment->document, &faults, "conditions",
								&segment->nconditions);
	segment->broken = faults.faults != NIL;
	for (int i = 0; i < segment->nconditions && !segment->broken; i++)
		segment->broken = condition_needs_action(&segment->conditions[i]);
	if (segment->broken)
		segment->nconditions = 0;
}

/* Raises an error for a jsonpath that does not compile */
static void
load_segment(Segment *segment, const Datum *values, const bool *nulls)
{
	load_segment_by(conditions_parse_array, segment, values, nulls);
}

/* Takes a subtransaction for each jsonpath, and raises nothing */
static void
load_segment_caught(Segment *segment, const Datum *values, const bool *nulls)
{
	load_segment_by(conditions_check_array, segment, values, nulls);
}

static void
load_cap(FrequencyCap *cap, const Datum *values, const bool *nulls)
{
	cap->cap_id = DatumGetInt64(values[Anum_frequency_caps_cap_id - 1]);
	cap->rule_id = nulls[Anum_frequency_caps_rule_id - 1] ? 0 :
		DatumGetInt64(values[Anum_frequency_caps_rule_id - 1]);
	cap->channel = nulls[Anum_frequency_caps_channel - 1] ? NULL :
		TextDatumGetCString(values[Anum_frequency_caps_channel - 1]);
	cap->period =
		nudge_enum_ordinal(NUDGE_CAP_PERIOD_TYPE,
						   DatumGetObjectId(values[Anum_frequency_caps_period - 1]));
	cap->max_messages =
		DatumGetInt32(values[Anum_frequency_caps_max_messages - 1]);
}

typedef void (*RowLoader) (void *element, const Datum *values,
						   const bool *nulls);

#define LOADER(function) ((RowLoader) (void (*) (void)) (function))

/*
 * Reads a whole table into a vector.
 *
 * The scan is one of SnapshotAny, and the snapshot is asked about each tuple:
 * under SERIALIZABLE a scan with an MVCC snapshot takes predicate locks, with
 * which a change of rules could make the application's transaction fail.
 */
static void
load_table(const TableColumns *columns, Snapshot snapshot, Vector *vector,
		   RowLoader loader)
{
	Relation	table = table_open(nudge_relation(columns->table), AccessShareLock);
	AttrNumber	later[MAX_COLUMNS];
	Datum		values[MAX_COLUMNS];
	bool		nulls[MAX_COLUMNS];
	TableScanDesc scan = table_beginscan(table, SnapshotAny, 0, NULL);
	TupleTableSlot *slot = table_slot_create(table, NULL);

	for (int i = 0; i < columns->nlater; i++)
		later[i] = nudge_column(RelationGetDescr(table), columns->later[i]);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (!table_tuple_satisfies_snapshot(table, slot, snapshot))
			continue;
		slot_getallattrs(slot);
		memcpy(values, slot->tts_values, columns->nfirst * sizeof(Datum));
		memcpy(nulls, slot->tts_isnull, columns->nfirst * sizeof(bool));
		for (int i = 0; i < columns->nlater; i++)
		{
			int			at = columns->nfirst + i;

			nulls[at] = later[i] == 0 || slot->tts_isnull[later[i] - 1];
			values[at] = nulls[at] ? (Datum) 0 : slot->tts_values[later[i] - 1];
		}
		loader(vector_add(vector), values, nulls);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	table_close(table, AccessShareLock);
}

static int
compare_rules(const void *a, const void *b)
{
	int64		left = ((const Rule *) a)->rule_id;
	int64		right = ((const Rule *) b)->rule_id;

	return (left > right) - (left < right);
}

static int
compare_segments(const void *a, const void *b)
{
	return strcmp(((const Segment *) a)->name, ((const Segment *) b)->name);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp((*(const Rule *const *) a)->name, (*(const Rule *const *) b)->name);
}

static void
sort_by_name(Rules *rules)
{
	rules->by_name = palloc(Max(rules->nrules, 1) * sizeof(Rule *));
	for (int i = 0; i < rules->nrules; i++)
		rules->by_name[i] = &rules->rules[i];
	if (rules->nrules > 1)
		qsort(rules->by_name, rules->nrules, sizeof(Rule *), compare_names);
}

static int
compare_conditions(const void *a, const void *b)
{
	const LoadedCondition *left = a;
	const LoadedCondition *right = b;

	if (left->rule_id != right->rule_id)
		return left->rule_id > right->rule_id ? 1 : -1;
	return (left->position > right->position) -
		(left->position < right->position);
}

static int
compare_caps(const void *a, const void *b)
{
	const FrequencyCap *left = a;
	const FrequencyCap *right = b;

	if (left->rule_id != right->rule_id)
		return left->rule_id > right->rule_id ? 1 : -1;
	return (left->cap_id > right->cap_id) - (left->cap_id < right->cap_id);
}

/*
 * Gives each rule its conditions; both are sorted by rule.
 */
static void
assign_conditions(Rules *rules, const Vector *loaded)
{
	LoadedCondition *conditions = (LoadedCondition *) loaded->elements;
	int			next = 0;

	for (int i = 0; i < rules->nrules; i++)
	{
		Rule	   *rule = &rules->rules[i];
		int			first;

		while (next < loaded->n && conditions[next].rule_id < rule->rule_id)
			next++;
		first = next;
		while (next < loaded->n && conditions[next].rule_id == rule->rule_id)
			next++;

		rule->ordinal = i;
		rule->nconditions = next - first;
		rule->conditions = palloc(Max(rule->nconditions, 1) * sizeof(Condition));
		for (int j = 0; j < rule->nconditions; j++)
		{
			rule->conditions[j] = conditions[first + j].condition;
			rule->broken |= !conditions[first + j].good;
		}
	}
}

/*
 * Gives each rule its caps; the global ones, of rule 0, come first.
 */
static void
assign_caps(Rules *rules, const Vector *loaded)
{
	FrequencyCap *caps = (FrequencyCap *) loaded->elements;
	int			next = 0;

	rules->global_caps = caps;
	while (next < loaded->n && caps[next].rule_id == 0)
		next++;
	rules->nglobal_caps = next;

	for (int i = 0; i < rules->nrules; i++)
	{
		Rule	   *rule = &rules->rules[i];

		while (next < loaded->n && caps[next].rule_id < rule->rule_id)
			next++;
		rule->caps = caps + next;
		while (next < loaded->n && caps[next].rule_id == rule->rule_id)
		{
			rule->ncaps++;
			next++;
		}
	}
}

static void
assign_segments(Rules *rules, const Vector *loaded)
{
	rules->nsegments = loaded->n;
	rules->segments = (Segment *) loaded->elements;
	for (int i = 0; i < rules->nsegments; i++)
		rules->segments[i].ordinal = i;
	segments_break_circles(rules);
}

static void
sort_vector(Vector *vector, int (*compare) (const void *, const void *))
{
	if (vector->n > 1)
		qsort(vector->elements, vector->n, vector->size, compare);
}

static void
load_channels(Rules *rules, Snapshot snapshot)
{
	Vector		channels = {sizeof(Channel)};
	Vector		modifiers = {sizeof(ChannelModifier)};

	if (!nudge_relation_exists(NUDGE_CHANNELS) ||
		!nudge_relation_exists(NUDGE_CHANNEL_URGENCY))
	{
		channels_assign_first(rules);
		return;
	}
	load_table(&channels_columns, snapshot, &channels, LOADER(channel_load));
	load_table(&channel_urgency_columns, snapshot, &modifiers,
			   LOADER(channel_modifier_load));
	channels_assign(rules, (Channel *) channels.elements, channels.n,
					(ChannelModifier *) modifiers.elements, modifiers.n);
}

/*
 * Loads a generation of rules into a context.
 */
static CachedRules *
load_rules(MemoryContext context, RowLoader rule_loader,
		   RowLoader condition_loader, RowLoader segment_loader)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	CachedRules *cached = palloc0(sizeof(CachedRules));
	Rules	   *rules = &cached->rules;
	Vector		rows = {sizeof(Rule)};
	Vector		conditions = {sizeof(LoadedCondition)};
	Vector		caps = {sizeof(FrequencyCap)};
	Vector		segments = {sizeof(Segment)};
	Vector		quiet_hours = {sizeof(QuietHours)};
	Vector		variants = {sizeof(Variant)};
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	load_table(&rules_columns, snapshot, &rows, rule_loader);
	load_table(&conditions_columns, snapshot, &conditions, condition_loader);
	load_table(&frequency_caps_columns, snapshot, &caps, LOADER(load_cap));
	load_table(&segments_columns, snapshot, &segments, segment_loader);
	load_channels(rules, snapshot);
	if (nudge_relation_exists(NUDGE_QUIET_HOURS))
		load_table(&quiet_hours_columns, snapshot, &quiet_hours,
				   LOADER(quiet_hours_load));
	if (nudge_relation_exists(NUDGE_VARIANTS))
		load_table(&variants_columns, snapshot, &variants, LOADER(variant_load));
	UnregisterSnapshot(snapshot);

	sort_vector(&rows, compare_rules);
	sort_vector(&conditions, compare_conditions);
	sort_vector(&caps, compare_caps);
	sort_vector(&segments, compare_segments);

	rules->context = context;
	rules->nrules = rows.n;
	rules->rules = (Rule *) rows.elements;
	sort_by_name(rules);
	assign_conditions(rules, &conditions);
	if (conditions.elements != NULL)
		pfree(conditions.elements);
	assign_caps(rules, &caps);
	assign_segments(rules, &segments);
	rules->nquiet_hours = quiet_hours.n;
	rules->quiet_hours = (QuietHours *) quiet_hours.elements;
	variants_assign(rules, (Variant *) variants.elements, variants.n);
	rules->index = rule_index_build(rules);
	rules->timers = timer_index_build(rules);

	MemoryContextSwitchTo(old);
	return cached;
}

static MemoryContext
rules_context(void)
{
	return AllocSetContextCreate(CurrentMemoryContext, "pg_nudge rules",
								 ALLOCSET_DEFAULT_SIZES);
}

/*
 * Loads a generation of rules, whatever is wrong with them.  Nearly always all
 * jsonpaths compile, so that one subtransaction around the load is enough; only
 * where one does not, each gets its own.
 */
static CachedRules *
load_rules_safely(void)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context = rules_context();
	CachedRules *volatile cached = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old);
	PG_TRY();
	{
		cached = load_rules(context, LOADER(load_rule), LOADER(load_condition),
							LOADER(load_segment));
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(old);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(old);
		CurrentResourceOwner = owner;
		MemoryContextDelete(context);

		if (!condition_input_error(error->sqlerrcode))
			ReThrowError(error);
		FreeErrorData(error);
		cached = NULL;
	}
	PG_END_TRY();

	if (cached == NULL)
		cached = load_rules(rules_context(), LOADER(load_rule_caught),
							LOADER(load_condition_caught),
							LOADER(load_segment_caught));
	return cached;
}

/*
 * Puts a fresh generation in place of the current one.
 */
static void
refresh(void)
{
	for (int i = 0; i < MAX_LOADS && cache_state != CACHE_VALID; i++)
	{
		CachedRules *cached;

		cache_state = CACHE_LOADING;
		cached = load_rules_safely();
		MemoryContextSetParent(cached->rules.context, CacheMemoryContext);

		if (current != NULL)
		{
			current->next = replaced;
			replaced = current;
		}
		current = cached;
		free_replaced();

		/* A change that came in meanwhile has made it stale again. */
		AcceptInvalidationMessages();
		if (cache_state == CACHE_LOADING)
			cache_state = CACHE_VALID;
	}
}

const Rules *
rules_acquire(void)
{
	/*
	 * A transaction that holds its lock on nudge.actions already does not look
	 * for invalidations when it locks it again, so look here.
	 */
	AcceptInvalidationMessages();
	if (cache_state != CACHE_VALID)
		refresh();
	current->pins++;
	return &current->rules;
}

void
rules_release(const Rules *rules)
{
	CachedRules *cached = (CachedRules *) rules;

	Assert(cached->pins > 0);
	cached->pins--;
	if (cached != current)
		free_replaced();
}

const Rule *
rules_find(const Rules *rules, int64 rule_id)
{
	Rule		key;

	key.rule_id = rule_id;
	return bsearch(&key, rules->rules, rules->nrules, sizeof(Rule),
				   compare_rules);
}

const Segment *
rules_find_segment(const Rules *rules, const char *name)
{
	Segment		key;

	key.name = (char *) name;
	if (rules->nsegments == 0)
		return NULL;
	return bsearch(&key, rules->segments, rules->nsegments, sizeof(Segment),
				   compare_segments);
}

const Rule *
rules_find_named(const Rules *rules, const char *name)
{
	Rule		rule;
	const Rule *key = &rule;
	const Rule **found;

	rule.name = unconstify(char *, name);
	found = bsearch(&key, rules->by_name, rules->nrules, sizeof(Rule *),
					compare_names);
	return found != NULL ? *found : NULL;
}

bool
rules_exempt(int64 rule_id, void *rules)
{
	const Rule *rule = rules_find(rules, rule_id);

	return rule != NULL && rule->trigger_type == TRIGGER_TRANSACTIONAL;
}
