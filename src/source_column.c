/*-------------------------------------------------------------------------
 *
 * source_column.c
 *	  Columns of application tables, and their values as JSON and as text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "source_column.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "document.h"
#include "nodes/makefuncs.h"
#include "soft_call.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

/* Longest user_id that nudge.actions takes */
#define MAX_USER_ID 1024

/* A conversion, for soft_call */
typedef struct Conversion
{
	SourceColumn *column;
	Datum		value;
	JsonbValue *json;
	text	   *text;
	bool		shown;
} Conversion;

static SourceKind
kind_of_type(Oid type)
{
	switch (type)
	{
		case BOOLOID:
			return SOURCE_BOOLEAN;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return SOURCE_INTEGER;
		case NUMERICOID:
			return SOURCE_NUMERIC;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return SOURCE_TEXT;
		case JSONBOID:
			return SOURCE_JSONB;
		default:
			return SOURCE_OTHER;
	}
}

/*
 * Conversions of a user's own types run the user's own code, and text that calls
 * itself json may hold what jsonb refuses.
 */
static bool
type_is_risky(Oid type)
{
	switch (type)
	{
		case FLOAT4OID:
		case FLOAT8OID:
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
		case UUIDOID:
		case NAMEOID:
		case OIDOID:
			return false;
		default:
			return kind_of_type(type) == SOURCE_OTHER &&
				get_typtype(type) != TYPTYPE_ENUM;
	}
}

void
source_column_init(SourceColumn *column, TupleDesc desc, AttrNumber attnum)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, attnum - 1);

	memset(column, 0, sizeof(SourceColumn));
	column->context = CurrentMemoryContext;
	column->attnum = attnum;
	column->name = NameStr(attribute->attname);
	column->type = attribute->atttypid < FirstNormalObjectId ?
		attribute->atttypid : getBaseType(attribute->atttypid);
	column->length = attribute->attlen;
	column->by_value = attribute->attbyval;
	column->kind = kind_of_type(column->type);
	column->is_risky = type_is_risky(column->type);
}

bool
source_column_find(SourceColumn *column, TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped &&
			strcmp(NameStr(attribute->attname), name) == 0)
		{
			source_column_init(column, desc, i + 1);
			return true;
		}
	}
	return false;
}

bool
source_values_same(const SourceColumn *column, Datum a, bool a_null,
				   Datum b, bool b_null)
{
	if (a_null || b_null)
		return a_null && b_null;
	return datum_image_eq(a, b, column->by_value, column->length);
}

static int64
integer_value(Oid type, Datum value)
{
	if (type == INT2OID)
		return DatumGetInt16(value);
	return type == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);
}

/*
 * A finished document as a value: a scalar, or one that points into it
 */
static bool
value_of_document(Jsonb *document, JsonbValue *json)
{
	if (jsonb_depth(document, DOCUMENT_MAX_DEPTH) > DOCUMENT_MAX_DEPTH)
		return false;
	if (JB_ROOT_IS_SCALAR(document))
		return JsonbExtractScalar(&document->root, json);
	json->type = jbvBinary;
	json->val.binary.data = &document->root;
	json->val.binary.len = VARSIZE(document) - VARHDRSZ;
	return true;
}

/*
 * to_jsonb() learns its argument's type from the expression that calls it.
 */
static bool
other_value_json(SourceColumn *column, Datum value, JsonbValue *json)
{
	Jsonb	   *document;

	if (!OidIsValid(column->to_jsonb.fn_oid))
	{
		MemoryContext old = MemoryContextSwitchTo(column->context);
		Const	   *argument = makeNullConst(column->type, -1, InvalidOid);

		fmgr_info(F_TO_JSONB, &column->to_jsonb);
		fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID,
												 list_make1(argument),
												 InvalidOid, InvalidOid,
												 COERCE_EXPLICIT_CALL),
						   &column->to_jsonb);
		MemoryContextSwitchTo(old);
	}
	document = DatumGetJsonbP(FunctionCall1(&column->to_jsonb, value));
	if (VARSIZE(document) > SOURCE_MAX_VALUE)
		return false;
	return value_of_document(document, json);
}

static void
convert_to_json(void *arg)
{
	Conversion *conversion = arg;

	conversion->shown = other_value_json(conversion->column, conversion->value,
										 conversion->json);
}

/*
 * Strings stand for the numbers that JSON does not have.
 */
static void
numeric_json(Datum value, JsonbValue *json)
{
	Numeric		number = DatumGetNumeric(value);

	if (numeric_is_nan(number) || numeric_is_inf(number))
	{
		json->type = jbvString;
		json->val.string.val =
			DatumGetCString(DirectFunctionCall1(numeric_out,
												NumericGetDatum(number)));
		json->val.string.len = strlen(json->val.string.val);
		return;
	}
	json->type = jbvNumeric;
	json->val.numeric = number;
}

bool
source_value_json(SourceColumn *column, Datum value, bool isnull,
				  JsonbValue *json)
{
	Conversion	conversion = {column, value, json};

	json->type = jbvNull;
	if (isnull)
		return true;
	if (column->length == -1 && toast_raw_datum_size(value) > SOURCE_MAX_VALUE)
		return false;
	switch (column->kind)
	{
		case SOURCE_BOOLEAN:
			json->type = jbvBool;
			json->val.boolean = DatumGetBool(value);
			return true;
		case SOURCE_INTEGER:
			json->type = jbvNumeric;
			json->val.numeric =
				int64_to_numeric(integer_value(column->type, value));
			return true;
		case SOURCE_NUMERIC:
			numeric_json(value, json);
			return true;
		case SOURCE_TEXT:
			{
				text	   *string = DatumGetTextPP(value);

				json->type = jbvString;
				json->val.string.val = VARDATA_ANY(string);
				json->val.string.len = VARSIZE_ANY_EXHDR(string);
				return true;
			}
		case SOURCE_JSONB:
			return value_of_document(DatumGetJsonbP(value), json);
		case SOURCE_OTHER:
			break;
	}
	if (!column->is_risky)
		convert_to_json(&conversion);
	else if (!soft_call(convert_to_json, &conversion))
		conversion.shown = false;
	if (!conversion.shown)
		json->type = jbvNull;
	return conversion.shown;
}

static void
convert_to_text(void *arg)
{
	Conversion *conversion = arg;
	SourceColumn *column = conversion->column;

	if (!OidIsValid(column->output.fn_oid))
	{
		Oid			function;
		bool		is_varlena;

		getTypeOutputInfo(column->type, &function, &is_varlena);
		fmgr_info_cxt(function, &column->output, column->context);
	}
	conversion->text = cstring_to_text(OutputFunctionCall(&column->output,
														  conversion->value));
}

/*
 * As the cast to text does
 */
static text *
without_padding(text *string)
{
	int			length = VARSIZE_ANY_EXHDR(string);

	while (length > 0 && VARDATA_ANY(string)[length - 1] == ' ')
		length--;
	return cstring_to_text_with_len(VARDATA_ANY(string), length);
}

text *
source_value_text(SourceColumn *column, Datum value, bool isnull)
{
	Conversion	conversion = {column, value};

	if (isnull ||
		(column->length == -1 && toast_raw_datum_size(value) > SOURCE_MAX_VALUE))
		return NULL;
	if (column->kind == SOURCE_TEXT)
	{
		text	   *string = DatumGetTextPP(value);

		return column->type == BPCHAROID ? without_padding(string) : string;
	}
	if (!column->is_risky)
		convert_to_text(&conversion);
	else if (!soft_call(convert_to_text, &conversion))
		return NULL;
	return conversion.text;
}

text *
source_user_id(SourceColumn *column, Datum value, bool isnull)
{
	text	   *user_id = source_value_text(column, value, isnull);

	if (user_id == NULL || VARSIZE_ANY_EXHDR(user_id) < 1 ||
		VARSIZE_ANY_EXHDR(user_id) > MAX_USER_ID)
		return NULL;
	return user_id;
}

bool
first_in_session(Oid trigger, const char *column)
{
	static HTAB *seen = NULL;
	struct
	{
		Oid			trigger;
		uint32		column;
	}			key = {trigger, string_hash(column, NAMEDATALEN)};
	bool		found;

	if (seen == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(key);
		control.entrysize = sizeof(key);
		seen = hash_create("pg_nudge warnings given", 16, &control,
						   HASH_ELEM | HASH_BLOBS);
	}
	hash_search(seen, &key, HASH_ENTER, &found);
	return !found;
}
