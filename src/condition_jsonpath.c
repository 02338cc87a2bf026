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

static const char *
jsonpath_text(JsonPath *jsonpath)
{
	return DatumGetCString(DirectFunctionCall1(jsonpath_out,
											   PointerGetDatum(jsonpath)));
}

/*
 * The end of a string that begins at text, which is a double quote
 */
static const char *
end_of_string(const char *text)
{
	for (text++; *text != '\0' && *text != '"'; text++)
	{
		if (text[0] == '\\' && text[1] != '\0')
			text++;
	}
	return text;
}

/*
 * A path is printed with every string and name in double quotes, so that outside
 * of those $" starts a variable.
 */
bool
jsonpath_has_variables(JsonPath *jsonpath)
{
	for (const char *p = jsonpath_text(jsonpath); *p != '\0'; p++)
	{
		if (p[0] == '$' && p[1] == '"')
			return true;
		if (*p == '"')
			p = end_of_string(p);
		if (*p == '\0')
			break;
	}
	return false;
}

bool
jsonpath_reads_key(JsonPath *jsonpath, const char *key)
{
	int			length = strlen(key);

	for (const char *p = jsonpath_text(jsonpath); *p != '\0'; p++)
	{
		const char *end;

		if (*p != '"')
			continue;
		end = end_of_string(p);
		if (end - p - 1 == length && memcmp(p + 1, key, length) == 0)
			return true;
		p = end;
		if (*p == '\0')
			break;
	}
	return false;
}

bool
jsonpath_reads_user_only(JsonPath *jsonpath)
{
	static const char user[] = "$.\"user\"";

	for (const char *p = jsonpath_text(jsonpath); *p != '\0'; p++)
	{
		if (*p == '$' && strncmp(p, user, strlen(user)) != 0)
			return false;
		if (*p == '"')
			p = end_of_string(p);
		if (*p == '\0')
			break;
	}
	return true;
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

JsonPath *
jsonpath_compile(const char *text)
{
	JsonPath   *jsonpath = DatumGetJsonPathP(DirectFunctionCall1(jsonpath_in,
																 CStringGetDatum(text)));
	JsonPathItem root;

	jspInit(&root, jsonpath);
	check_templates(&root);
	return jsonpath;
}

JsonPath *
jsonpath_check(FaultList *faults, const char *path, const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	JsonPath   *volatile jsonpath = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		jsonpath = jsonpath_compile(text);
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

JsonPath *
compile_parameter(Parser *parser, Parameter parameter, const char *hint)
{
	const JsonbValue *path = require_string(parser, parameter);
	JsonPath   *jsonpath;
	char	   *text;

	if (path == NULL)
		return NULL;
	text = json_string(path);
	jsonpath = !parser->catch_errors ? jsonpath_compile(text) :
		jsonpath_check(parser->faults, parameter_path(parser, parameter), text);
	if (jsonpath != NULL && jsonpath_has_variables(jsonpath))
		fault_add(parser->faults, ERRCODE_UNDEFINED_OBJECT,
				  parameter_path(parser, parameter), hint,
				  "jsonpath has a variable, but there are none");
	return jsonpath;
}

void
parse_jsonpath(Parser *parser)
{
	parser->condition->jsonpath =
		compile_parameter(parser, PARAMETER_PATH,
						  "A path reads $.user and $.action.");
}

void
check_jsonpath(FaultList *faults, const char *path, const char *text,
			   const char *hint)
{
	JsonPath   *jsonpath = jsonpath_check(faults, path, text);

	if (jsonpath != NULL && jsonpath_has_variables(jsonpath))
		fault_add(faults, ERRCODE_UNDEFINED_OBJECT, path, hint,
				  "jsonpath has a variable, but there are none");
}
