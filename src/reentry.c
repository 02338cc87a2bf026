/*-------------------------------------------------------------------------
 *
 * reentry.c
 *	  Whether a user may enter a rule again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "reentry.h"

#include "action.h"
#include "condition_parser.h"
#include "document.h"
#include "fmgr.h"
#include "json_input.h"
#include "rule_checks.h"
#include "schedule.h"
#include "send_window.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* Longer keys are told apart by a digest: an index entry has a limit. */
#define MAX_KEY_LENGTH 1024
#define SHA256_LENGTH 32

/* Well after what the longest interval is added to */
#define LATEST_ENTRY (END_TIMESTAMP - 1000 * INT64CONST(366) * USECS_PER_DAY)

#define HINT "Re-entry is \"always\", \"once\", {\"after\": \"7 days\"} or {\"key\": \"$.order_id\"}."

static const char *const kind_names[] = {
	[REENTRY_ALWAYS] = "always",
	[REENTRY_ONCE] = "once",
	[REENTRY_AFTER] = "after",
	[REENTRY_KEY] = "key",
};

/* Keys of the object */
enum
{
	FIELD_AFTER,
	FIELD_KEY,
	NUM_FIELDS
};

static const char *const field_names[NUM_FIELDS] = {"after", "key"};

const char *
reentry_kind_name(ReentryKind kind)
{
	return kind_names[kind];
}

static void
read_word(Reentry *reentry, FaultList *faults, const char *path,
		  const JsonbValue *value)
{
	const char *word = json_string(value);

	if (strcmp(word, kind_names[REENTRY_ALWAYS]) == 0)
		reentry->kind = REENTRY_ALWAYS;
	else if (strcmp(word, kind_names[REENTRY_ONCE]) == 0)
		reentry->kind = REENTRY_ONCE;
	else
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, HINT,
				  "unknown re-entry %s", json_excerpt(value));
}

static void
read_after(Reentry *reentry, FaultList *faults, const char *path,
		   const JsonbValue *value)
{
	reentry->kind = REENTRY_AFTER;
	if (read_interval_text(faults, path, value, &reentry->after))
		check_span(faults, path,
				   "Write \"always\" where users may enter again at any time.",
				   &reentry->after);
}

static void
read_key(Reentry *reentry, FaultList *faults, const char *path,
		 const JsonbValue *value, bool catch_errors)
{
	char	   *text;

	reentry->kind = REENTRY_KEY;
	if (value->type != jbvString)
	{
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, HINT,
				  "%s must be a jsonpath as a string, not %s", path,
				  json_kind(value));
		return;
	}
	text = json_string(value);
	reentry->key = catch_errors ? jsonpath_check(faults, path, text) :
		jsonpath_compile(text);
	if (reentry->key != NULL && jsonpath_has_variables(reentry->key))
		fault_add(faults, ERRCODE_UNDEFINED_OBJECT, path,
				  "A path reads the action's data, for example \"$.order_id\".",
				  "jsonpath has a variable, but there are none");
}

static void
read_object(Reentry *reentry, FaultList *faults, const char *path,
			const JsonbValue *value, bool catch_errors)
{
	JsonField	fields[NUM_FIELDS];
	List	   *unknown = json_read_object(value->val.binary.data, field_names,
										   NUM_FIELDS, fields);
	ListCell   *lc;

	foreach(lc, unknown)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, HINT,
				  "unknown key \"%s\" of %s", (char *) lfirst(lc), path);
	if (fields[FIELD_AFTER].given && fields[FIELD_KEY].given)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, HINT,
				  "%s must have after or key, not both", path);
	else if (fields[FIELD_AFTER].given)
		read_after(reentry, faults, psprintf("%s.after", path),
				   &fields[FIELD_AFTER].value);
	else if (fields[FIELD_KEY].given)
		read_key(reentry, faults, psprintf("%s.key", path),
				 &fields[FIELD_KEY].value, catch_errors);
	else if (unknown == NIL)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, HINT,
				  "%s must have after or key", path);
}

static void
read_reentry(Reentry *reentry, FaultList *faults, const char *path,
			 const Jsonb *document, bool catch_errors)
{
	JsonbContainer *root = (JsonbContainer *) &document->root;
	JsonbValue	value;

	memset(reentry, 0, sizeof(Reentry));
	if (!JsonContainerIsScalar(root) || !JsonbExtractScalar(root, &value))
	{
		value.type = jbvBinary;
		value.val.binary.data = root;
		value.val.binary.len = VARSIZE(document) - VARHDRSZ;
	}
	if (value.type == jbvString)
		read_word(reentry, faults, path, &value);
	else if (json_is_object(&value))
		read_object(reentry, faults, path, &value, catch_errors);
	else
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE, path, HINT,
				  "%s must be a string or an object, not %s", path,
				  json_kind(&value));
}

void
check_reentry(FaultList *faults, const char *path, const Jsonb *document)
{
	Reentry		reentry;

	read_reentry(&reentry, faults, path, document, true);
}

bool
reentry_read(Reentry *reentry, const Jsonb *document, bool catch_errors)
{
	FaultList	faults = {NIL};

	read_reentry(reentry, &faults, "", document, catch_errors);
	if (faults.faults == NIL)
		return true;
	*reentry = (Reentry) {REENTRY_KEY};
	return false;
}

/*
 * The first value that a path finds, or NULL.  Documents that are nested too
 * deeply, or too large, are not looked into: either might raise an error.
 */
static Jsonb *
find_key(const Reentry *reentry, Jsonb *data)
{
	LOCAL_FCINFO(fcinfo, 4);
	FmgrInfo	flinfo = {0};
	Datum		result;

	if (reentry->key == NULL || data == NULL ||
		VARSIZE(data) > DOCUMENT_MAX_SIZE ||
		jsonb_depth(data, DOCUMENT_MAX_DEPTH) > DOCUMENT_MAX_DEPTH)
		return NULL;

	InitFunctionCallInfoData(*fcinfo, &flinfo, 4, InvalidOid, NULL, NULL);
	flinfo.fn_mcxt = CurrentMemoryContext;
	fcinfo->args[0].value = JsonbPGetDatum(data);
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = PointerGetDatum(reentry->key);
	fcinfo->args[1].isnull = false;
	fcinfo->args[2].value = JsonbPGetDatum(jsonb_empty_object());
	fcinfo->args[2].isnull = false;
	fcinfo->args[3].value = BoolGetDatum(true);
	fcinfo->args[3].isnull = false;
	result = jsonb_path_query_first_tz(fcinfo);
	return fcinfo->isnull ? NULL : DatumGetJsonbP(result);
}

/*
 * A value as text: numbers without zeros at their end, so that 7 and 7.0 are one
 * key; NULL where the value is null or an empty string.
 */
static text *
key_text_of(Jsonb *found)
{
	JsonbValue	value;
	Datum		number;

	if (!JB_ROOT_IS_SCALAR(found))
		return cstring_to_text(JsonbToCString(NULL, &found->root, VARSIZE(found)));
	if (!JsonbExtractScalar(&found->root, &value))
		return NULL;
	switch (value.type)
	{
		case jbvString:
			return value.val.string.len == 0 ? NULL :
				cstring_to_text_with_len(value.val.string.val,
										 value.val.string.len);
		case jbvNumeric:
			number = DirectFunctionCall1(numeric_trim_scale,
										 NumericGetDatum(value.val.numeric));
			return cstring_to_text(DatumGetCString(DirectFunctionCall1(numeric_out,
																	   number)));
		case jbvBool:
			return cstring_to_text(value.val.boolean ? "true" : "false");
		default:
			return NULL;
	}
}

/*
 * Stands for a key that is too long for an index: sha256:<digest>
 */
static text *
digest_of(text *key)
{
	static const char prefix[] = "sha256:";
	bytea	   *digest = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea,
															 PointerGetDatum(key)));
	char		result[sizeof(prefix) + 2 * SHA256_LENGTH];

	strcpy(result, prefix);
	hex_encode(VARDATA_ANY(digest), SHA256_LENGTH, result + strlen(prefix));
	return cstring_to_text_with_len(result, sizeof(result) - 1);
}

bool
reentry_key(const Reentry *reentry, Jsonb *data, Datum *key)
{
	text	   *result = NULL;

	if (reentry->kind != REENTRY_KEY)
		result = cstring_to_text("");
	else
	{
		Jsonb	   *found = find_key(reentry, data);

		if (found != NULL)
			result = key_text_of(found);
		if (result != NULL && VARSIZE(result) - VARHDRSZ > MAX_KEY_LENGTH)
			result = digest_of(result);
	}
	*key = PointerGetDatum(result);
	return result != NULL;
}

bool
reentry_forbids(const Reentry *reentry, TimestampTz entered_at,
				TimestampTz fired_at)
{
	/* A trigger that fired earlier may come later. */
	TimestampTz first = Min(entered_at, fired_at);
	TimestampTz last = Max(entered_at, fired_at);

	if (reentry->kind != REENTRY_AFTER || first >= LATEST_ENTRY)
		return true;
	return last < schedule_add_interval(first, &reentry->after);
}
