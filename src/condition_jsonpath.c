/*-------------------------------------------------------------------------
 *
 * condition_jsonpath.c
 *	  Paths of jsonpath conditions.
 *
 * PostgreSQL compiles them and says by errors what is wrong.  Where people are
 * writing a condition, and where rules are loaded among which one does not
 * compile, a subtransaction around it makes a fault of the error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_parser.h"

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/resowner.h"

bool
condition_input_error(int sqlstate)
{
	int			class = ERRCODE_TO_CATEGORY(sqlstate);

	return class == ERRCODE_DATA_EXCEPTION ||
		class == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ||
		class == ERRCODE_PROGRAM_LIMIT_EXCEEDED ||
		class == ERRCODE_FEATURE_NOT_SUPPORTED;
}

/*
 * Does a path refer to variables ($name)?  There are none, and evaluating them
 * would raise an error even silently.  A path is printed with every string and
 * name in double quotes, so that outside of those $" starts a variable.
 */
static bool
has_variables(JsonPath *jsonpath)
{
	const char *text =
	DatumGetCString(DirectFunctionCall1(jsonpath_out, PointerGetDatum(jsonpath)));

	for (const char *p = text; *p != '\0'; p++)
	{
		if (p[0] == '$' && p[1] == '"')
			return true;
		if (*p != '"')
			continue;
		for (p++; *p != '\0' && *p != '"'; p++)
		{
			if (p[0] == '\\' && p[1] != '\0')
				p++;
		}
		if (*p == '\0')
			break;
	}
	return false;
}

/*
 * Raises PostgreSQL's error for a template of .datetime() that is no template:
 * evaluation would raise it too, silent or not.
 */
static void
check_datetime_template(JsonPathItem *item)
{
	char	   *template;
	int32		length;
	Oid			typid;
	int32		typmod;
	int			tz;
	bool		have_error = false;

	template = jspGetString(item, &length);
	parse_datetime(cstring_to_text("2020-01-01"),
				   cstring_to_text_with_len(template, length),
				   DEFAULT_COLLATION_OID, true, &typid, &typmod, &tz,
				   &have_error);
}

static void check_templates(JsonPathItem *item);

static void
check_operands(JsonPathItem *item)
{
	JsonPathItem operand;

	jspGetLeftArg(item, &operand);
	check_templates(&operand);
	jspGetRightArg(item, &operand);
	check_templates(&operand);
}

static void
check_subscripts(JsonPathItem *item)
{
	for (int i = 0; i < item->content.array.nelems; i++)
	{
		JsonPathItem from;
		JsonPathItem to;

		if (jspGetArraySubscript(item, &from, &to, i))
			check_templates(&to);
		check_templates(&from);
	}
}

/*
 * Checks the templates in an item, its arguments and what comes after.
 */
static void
check_templates(JsonPathItem *item)
{
	JsonPathItem other;

	check_stack_depth();
	switch (item->type)
	{
		case jpiAnd:
		case jpiOr:
		case jpiEqual:
		case jpiNotEqual:
		case jpiLess:
		case jpiGreater:
		case jpiLessOrEqual:
		case jpiGreaterOrEqual:
		case jpiAdd:
		case jpiSub:
		case jpiMul:
		case jpiDiv:
		case jpiMod:
		case jpiStartsWith:
			check_operands(item);
			break;
		case jpiNot:
		case jpiIsUnknown:
		case jpiFilter:
		case jpiExists:
		case jpiPlus:
		case jpiMinus:
			jspGetArg(item, &other);
			check_templates(&other);
			break;
		case jpiLikeRegex:
			jspInitByBuffer(&other, item->base, item->content.like_regex.expr);
			check_templates(&other);
			break;
		case jpiIndexArray:
			check_subscripts(item);
			break;
		case jpiDatetime:
			if (item->content.arg != 0)
			{
				jspGetArg(item, &other);
				check_datetime_template(&other);
			}
			break;
		default:
			break;
	}
	if (jspGetNext(item, &other))
		check_templates(&other);
}

static JsonPath *
compile_jsonpath(const char *text)
{
	JsonPath   *jsonpath = DatumGetJsonPathP(DirectFunctionCall1(jsonpath_in,
																 CStringGetDatum(text)));
	JsonPathItem root;

	jspInit(&root, jsonpath);
	check_templates(&root);
	return jsonpath;
}

/*
 * Compiles in a subtransaction, so that an error becomes a fault like any other.
 */
static JsonPath *
compile_caught(FaultList *faults, const char *path, const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	JsonPath   *volatile jsonpath = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		jsonpath = compile_jsonpath(text);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;

		if (!condition_input_error(error->sqlerrcode))
			ReThrowError(error);
		fault_add(faults, error->sqlerrcode, path, error->hint, "%s%s%s",
				  error->message, error->detail != NULL ? ": " : "",
				  error->detail != NULL ? error->detail : "");
		FreeErrorData(error);
		jsonpath = NULL;
	}
	PG_END_TRY();
	return jsonpath;
}

void
parse_jsonpath(Parser *parser)
{
	const JsonbValue *path = require_string(parser, PARAMETER_PATH);
	JsonPath   *jsonpath;
	char	   *text;

	if (path == NULL)
		return;
	text = json_string(path);
	jsonpath = parser->catch_errors ?
		compile_caught(parser->faults, parameter_path(parser, PARAMETER_PATH), text) :
		compile_jsonpath(text);
	if (jsonpath == NULL)
		return;
	if (has_variables(jsonpath))
		fault_add(parser->faults, ERRCODE_UNDEFINED_OBJECT,
				  parameter_path(parser, PARAMETER_PATH),
				  "A path reads $.user and $.action.",
				  "jsonpath has a variable, but there are none");
	parser->condition->jsonpath = jsonpath;
}

void
check_jsonpath(FaultList *faults, const char *path, const char *text,
			   const char *hint)
{
	JsonPath   *jsonpath = compile_caught(faults, path, text);

	if (jsonpath != NULL && has_variables(jsonpath))
		fault_add(faults, ERRCODE_UNDEFINED_OBJECT, path, hint,
				  "jsonpath has a variable, but there are none");
}
