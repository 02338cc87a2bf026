/*-------------------------------------------------------------------------
 *
 * liquid_loop.c
 *	  Liquid's loops: for and tablerow, with the objects that describe them.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_tree.h"

#include "common/int.h"

/* The items that a loop goes over */
typedef struct Segment
{
	LiquidValue collection;
	int64		start;			/* index of the first */
	int64		n;
} Segment;

static LiquidLoop *
new_loop(LiquidKey name, int64 length, LiquidLoop *parent)
{
	LiquidLoop *loop = palloc0(sizeof(LiquidLoop));

	loop->name = name;
	loop->length = length;
	loop->parent = parent;
	return loop;
}

LiquidValue
liquid_loop_value(LiquidLoop *loop)
{
	LiquidValue v = {LIQUID_LOOP};

	v.u.loop = loop;
	return v;
}

/* The forloop of {% render ... for %} */
LiquidValue
liquid_new_loop(LiquidKey name, int64 length)
{
	return liquid_loop_value(new_loop(name, length, NULL));
}

/* Fields that only tablerowloop has */
static bool
table_field(const LiquidLoop *loop, const LiquidKey *key, LiquidValue *v)
{
	if (liquid_word_is(key->s, key->len, "col"))
		*v = liquid_int(loop->col);
	else if (liquid_word_is(key->s, key->len, "col0"))
		*v = liquid_int(loop->col - 1);
	else if (liquid_word_is(key->s, key->len, "row"))
		*v = liquid_int(loop->row);
	else if (liquid_word_is(key->s, key->len, "col_first"))
		*v = liquid_bool(loop->col == 1);
	else if (liquid_word_is(key->s, key->len, "col_last"))
		*v = liquid_bool(loop->col == loop->cols);
	else
		return false;
	return true;
}

/* A field of forloop or tablerowloop; false where there is none. */
bool
liquid_loop_field(const LiquidLoop *loop, const LiquidKey *key,
				  LiquidValue *v)
{
	if (liquid_word_is(key->s, key->len, "index"))
		*v = liquid_int(loop->index + 1);
	else if (liquid_word_is(key->s, key->len, "index0"))
		*v = liquid_int(loop->index);
	else if (liquid_word_is(key->s, key->len, "first"))
		*v = liquid_bool(loop->index == 0);
	else if (liquid_word_is(key->s, key->len, "last"))
		*v = liquid_bool(loop->index == loop->length - 1);
	else if (liquid_word_is(key->s, key->len, "length"))
		*v = liquid_int(loop->length);
	else if (liquid_word_is(key->s, key->len, "rindex"))
		*v = liquid_int(loop->length - loop->index);
	else if (liquid_word_is(key->s, key->len, "rindex0"))
		*v = liquid_int(loop->length - loop->index - 1);
	else if (loop->is_table)
		return table_field(loop, key, v);
	else if (liquid_word_is(key->s, key->len, "name"))
		*v = liquid_string(loop->name.s, loop->name.len, 0);
	else if (liquid_word_is(key->s, key->len, "parentloop"))
		*v = loop->parent == NULL ? liquid_nil() :
			liquid_loop_value(loop->parent);
	else
		return false;
	return true;
}

/* The items from "from" on, up to before "to" where there is a limit */
static Segment
slice(LiquidValue collection, int64 from, bool limited, int64 limit)
{
	Segment		segment = {collection, Max(from, 0), 0};
	int64		end = liquid_length(collection);

	/* A string is its own only item, whatever the limits are. */
	if (collection.kind == LIQUID_STRING)
	{
		segment.start = 0;
		segment.n = end;
		return segment;
	}
	if (limited)
	{
		int64		to;

		if (pg_add_s64_overflow(from, limit, &to))
			to = limit < 0 ? 0 : PG_INT64_MAX;
		end = Min(end, to);
	}
	segment.n = Max(end - segment.start, 0);
	return segment;
}

static Segment
for_segment(LiquidState *st, const LiquidFor *tag)
{
	LiquidValue v;
	LiquidValue *offset;
	Segment		segment;
	int64		from = 0;
	int64		limit = 0;
	bool		limited = false;

	if (tag->offset_continues)
	{
		offset = liquid_find_var(&st->offsets, &tag->name);
		if (offset != NULL)
			from = offset->u.i;
	}
	else if (tag->offset != NULL)
	{
		v = liquid_eval(st, tag->offset);
		if (v.kind != LIQUID_NIL)
			liquid_to_integer(st, v, &from);
	}
	if (tag->limit != NULL)
	{
		v = liquid_eval(st, tag->limit);
		limited = v.kind != LIQUID_NIL;
		if (limited)
			liquid_to_integer(st, v, &limit);
	}
	segment = slice(liquid_eval(st, tag->collection), from, limited, limit);
	if (pg_add_s64_overflow(from, segment.n, &from))
		from = PG_INT64_MAX;
	liquid_set_var(&st->offsets, tag->name, liquid_int(from));
	return segment;
}

/* Takes what ended the body, if anything did; false where it was a break. */
static inline bool
goes_on(LiquidState *st)
{
	LiquidInterrupt interrupt = st->interrupt;

	st->interrupt = LIQUID_GO_ON;
	return interrupt != LIQUID_BREAK;
}

void
liquid_render_for(LiquidState *st, const LiquidFor *tag)
{
	Segment		segment = for_segment(st, tag);
	int			base = st->locals.n;
	LiquidLoop *parent = st->loop;
	LiquidLoop *loop;

	if (st->failed)
		return;
	if (segment.n == 0)
	{
		if (tag->has_else)
			liquid_render_block(st, &tag->otherwise);
		return;
	}
	loop = new_loop(tag->name, segment.n, parent);
	st->loop = loop;
	liquid_push_var(&st->locals, liquid_key("forloop", 7),
					liquid_loop_value(loop));
	liquid_push_var(&st->locals, tag->variable, liquid_nil());
	while (loop->index < segment.n && liquid_step(st, 1))
	{
		int64		i = tag->reversed ? segment.n - 1 - loop->index :
		loop->index;

		st->locals.vars[base + 1].value =
			liquid_item(segment.collection, segment.start + i);
		liquid_render_block(st, &tag->body);
		loop->index++;
		if (st->failed || !goes_on(st))
			break;
	}
	st->locals.n = base;
	st->loop = parent;
}

/* An attribute of a tablerow as an integer, or its default */
static int64
table_attribute(LiquidState *st, const LiquidExpr *expr, int64 otherwise)
{
	int64		i = otherwise;

	if (expr != NULL)
		liquid_truncate_to_int(st, liquid_eval(st, expr), &i);
	return i;
}

static void
emit_text(LiquidState *st, const char *text)
{
	liquid_emit(st, text, strlen(text));
}

/* Opens a cell or row, whose class has a number. */
static void
emit_numbered(LiquidState *st, const char *before, int64 number,
			  const char *after)
{
	char		text[64];

	snprintf(text, sizeof(text), "%s" INT64_FORMAT "%s", before, number,
			 after);
	emit_text(st, text);
}

static void
next_cell(LiquidLoop *loop)
{
	loop->index++;
	if (loop->col == loop->cols)
	{
		loop->col = 1;
		loop->row++;
	}
	else
		loop->col++;
}

static void
render_cells(LiquidState *st, const LiquidFor *tag, const Segment *segment,
			 LiquidLoop *loop, int item)
{
	while (loop->index < segment->n && liquid_step(st, 1))
	{
		st->locals.vars[item].value =
			liquid_item(segment->collection, segment->start + loop->index);
		emit_numbered(st, "<td class=\"col", loop->col, "\">");
		liquid_render_block(st, &tag->body);
		if (st->failed)
			return;
		emit_text(st, "</td>");
		if (!goes_on(st))
			return;
		if (loop->col == loop->cols && loop->index != loop->length - 1)
			emit_numbered(st, "</tr>\n<tr class=\"row", loop->row + 1, "\">");
		next_cell(loop);
	}
}

/* {% tablerow %}: table rows of "cols" cells each */
void
liquid_render_tablerow(LiquidState *st, const LiquidFor *tag)
{
	LiquidValue collection = liquid_eval(st, tag->collection);
	int			base = st->locals.n;
	LiquidLoop *loop;
	Segment		segment;
	int64		from;
	int64		limit;

	if (st->failed || !liquid_truthy(collection))
		return;
	from = table_attribute(st, tag->offset, 0);
	limit = table_attribute(st, tag->limit, 0);
	segment = slice(collection, from, tag->limit != NULL, limit);
	loop = new_loop(tag->name, segment.n, NULL);
	loop->is_table = true;
	loop->row = loop->col = 1;
	loop->cols = table_attribute(st, tag->cols, segment.n);
	if (st->failed)
		return;

	emit_text(st, "<tr class=\"row1\">\n");
	liquid_push_var(&st->locals, liquid_key("tablerowloop", 12),
					liquid_loop_value(loop));
	liquid_push_var(&st->locals, tag->variable, liquid_nil());
	render_cells(st, tag, &segment, loop, base + 1);
	st->locals.n = base;
	if (!st->failed)
		emit_text(st, "</tr>\n");
}
