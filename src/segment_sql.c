/*-------------------------------------------------------------------------
 *
 * segment_sql.c
 *	  Segments as SQL queries.
 *
 * A segment becomes one query:
 *
 *		WITH s1 AS (SELECT u.user_id FROM nudge.users u WHERE <conditions>
 *					UNION
 *					SELECT m.user_id FROM nudge.segment_members m
 *					WHERE m.segment = <name>)
 *		SELECT user_id FROM s1
 *
 * with one such part for each segment that its conditions ask for, before the
 * parts that ask.  Those are joined from the left, which takes hashing or merging
 * however many users there are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "segment_sql.h"

#include "condition_sql.h"
#include "json_input.h"
#include "miscadmin.h"
#include "segment_graph.h"
#include "utils/builtins.h"

typedef struct SegmentSql
{
	const Rules *rules;
	TimestampTz now;
	StringInfoData sql;			/* the parts */
	bool	   *written;		/* by Segment.ordinal */
} SegmentSql;

static void append_conditions(SegmentSql *query, StringInfo sql, bool any,
							  const Condition *conditions, int n,
							  const Jsonb *document, SqlSense sense);

/*
 * Whether the user is in another segment; nobody is in one that does not exist.
 */
static void
append_segment(SegmentSql *query, StringInfo sql, const Condition *condition)
{
	const Segment *segment = rules_find_segment(query->rules,
												condition->patterns[0].data);
	bool		negated = condition->op == OPERATOR_NOT_EQUALS;

	if (segment == NULL)
		appendStringInfoString(sql, negated ? "true" : "false");
	else
		appendStringInfo(sql, "s%d.user_id IS %sNULL", segment->ordinal,
						 negated ? "" : "NOT ");
}

/*
 * A condition and the document that it was made from.
 */
static void
append_condition(SegmentSql *query, StringInfo sql, const Condition *condition,
				 const JsonbValue *document, SqlSense sense)
{
	FaultList	faults = {NIL};
	WrittenCondition written;

	condition_read(&written, document, false, &faults, "");
	switch (condition->type)
	{
		case CONDITION_SEGMENT:
			append_segment(query, sql, condition);
			break;
		case CONDITION_ALL:
		case CONDITION_ANY:
			append_conditions(query, sql, condition->type == CONDITION_ANY,
							  condition->members, condition->nmembers,
							  written.parameters, sense);
			break;
		case CONDITION_NOT:
			appendStringInfoString(sql, "NOT ");
			append_conditions(query, sql, false, condition->members,
							  condition->nmembers, written.parameters, SQL_EXACT);
			break;
		default:
			condition_to_sql(sql, condition, &written, query->rules,
							 query->now, sense);
			break;
	}
}

/*
 * The documents of conditions: an array, or a group's parameters, which have an
 * array or a single one as "conditions".
 */
static JsonbValue *
condition_documents(const Jsonb *document)
{
	static const char *const names[] = {"conditions"};
	JsonField	field;
	JsonbValue *elements;
	int			n;

	field.value.type = jbvBinary;
	field.value.val.binary.data = (JsonbContainer *) &document->root;
	field.value.val.binary.len = VARSIZE_ANY_EXHDR(document);
	if (json_is_object(&field.value))
		json_read_object((JsonbContainer *) &document->root, names, 1, &field);
	if (json_is_array(&field.value))
		return json_elements(&field.value, &n);
	elements = palloc(sizeof(JsonbValue));
	elements[0] = field.value;
	return elements;
}

static void
append_conditions(SegmentSql *query, StringInfo sql, bool any,
				  const Condition *conditions, int n, const Jsonb *document,
				  SqlSense sense)
{
	JsonbValue *documents = condition_documents(document);

	check_stack_depth();
	appendStringInfoChar(sql, '(');
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			appendStringInfoString(sql, any ? " OR " : " AND ");
		append_condition(query, sql, &conditions[i], &documents[i], sense);
	}
	appendStringInfoChar(sql, ')');
}

/*
 * Writes the part of a segment, after those of the segments that it refers to.
 */
static void
write_part(SegmentSql *query, const Segment *segment)
{
	StringInfoData joins;
	StringInfo	sql = &query->sql;
	List	   *references = segment->broken ? NIL : segment_references(segment);
	List	   *joined = NIL;
	ListCell   *lc;

	check_stack_depth();
	initStringInfo(&joins);
	foreach(lc, references)
	{
		const Segment *other = rules_find_segment(query->rules, lfirst(lc));

		if (other == NULL || list_member_int(joined, other->ordinal))
			continue;
		if (!query->written[other->ordinal])
			write_part(query, other);
		joined = lappend_int(joined, other->ordinal);
		appendStringInfo(&joins, " LEFT JOIN s%d ON s%d.user_id = u.user_id",
						 other->ordinal, other->ordinal);
	}

	query->written[segment->ordinal] = true;
	appendStringInfo(sql, "%ss%d AS (", sql->len > 0 ? ",\n" : "WITH ",
					 segment->ordinal);
	if (segment->nconditions > 0 && !segment->broken)
	{
		appendStringInfo(sql, "SELECT u.user_id FROM nudge.users u%s WHERE ",
						 joins.data);
		append_conditions(query, sql, segment->match_any, segment->conditions,
						  segment->nconditions, segment->document,
						  SQL_TRUE_ONLY);
		appendStringInfoString(sql, " UNION ");
	}
	appendStringInfo(sql,
					 "SELECT m.user_id FROM nudge.segment_members m WHERE m.segment = %s)",
					 quote_literal_cstr(segment->name));
}

char *
segment_query(const Rules *rules, const Segment *segment, TimestampTz now,
			  const char *result)
{
	SegmentSql	query = {rules, now};

	initStringInfo(&query.sql);
	query.written = palloc0(rules->nsegments * sizeof(bool));
	write_part(&query, segment);
	appendStringInfo(&query.sql, "\nSELECT %s FROM s%d AS s", result,
					 segment->ordinal);
	return query.sql.data;
}
