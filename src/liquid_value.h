/*-------------------------------------------------------------------------
 *
 * liquid_value.h
 *	  Values of the Liquid language, and the state of a rendering.
 *
 * A value is two words.  Strings are a pointer and a length and are not
 * terminated; those of the context point into the jsonb, so that reading a
 * variable copies nothing.  Objects exist only as jsonb, arrays as jsonb or
 * as what a filter made.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LIQUID_VALUE_H
#define LIQUID_VALUE_H

#include "liquid.h"

#include "miscadmin.h"
#include "pgtime.h"
#include "utils/numeric.h"

typedef enum LiquidKind
{
	LIQUID_NIL,
	LIQUID_FALSE,
	LIQUID_TRUE,
	LIQUID_INT,					/* int64 */
	LIQUID_BIGINT,				/* an integer past int64, as numeric */
	LIQUID_FLOAT,				/* Liquid's decimals are doubles */
	LIQUID_STRING,
	LIQUID_ARRAY,				/* LiquidArray */
	LIQUID_JARRAY,				/* array of the context */
	LIQUID_JOBJECT,				/* object of the context */
	LIQUID_RANGE,
	LIQUID_LOOP,				/* forloop, tablerowloop */
	LIQUID_TIME,				/* what in_time_zone makes */
	LIQUID_EMPTY,				/* "empty" and "blank" in a condition */
	LIQUID_BLANK
} LiquidKind;

/*
 * Where a string came from, for autoescape.  TAINTED: from the context, and
 * to be escaped in HTML.  ESCAPED: from the context, made safe; a filter that
 * decodes makes it tainted again.
 */
#define LIQUID_TAINTED	0x01
#define LIQUID_ESCAPED	0x02

typedef struct LiquidArray LiquidArray;
typedef struct LiquidLoop LiquidLoop;
typedef struct LiquidRange LiquidRange;
typedef struct LiquidTime LiquidTime;

typedef struct LiquidValue
{
	uint8		kind;			/* LiquidKind */
	uint8		flags;			/* LIQUID_TAINTED, LIQUID_ESCAPED */
	int32		len;			/* bytes of a string */
	union
	{
		int64		i;
		double		f;
		Numeric		num;
		const char *s;
		LiquidArray *array;
		JsonbContainer *json;
		LiquidRange *range;
		LiquidLoop *loop;
		LiquidTime *time;
	}			u;
} LiquidValue;

struct LiquidArray
{
	int			n;
	LiquidValue items[FLEXIBLE_ARRAY_MEMBER];
};

struct LiquidRange
{
	int64		lo;
	int64		hi;				/* inclusive; below lo: empty */
};

struct LiquidTime
{
	TimestampTz at;
	pg_tz	   *zone;
	bool		has_offset;		/* the zone is an offset without a name */
};

/* A name with its hash, made when the template is parsed */
typedef struct LiquidKey
{
	const char *s;
	int32		len;
	uint32		hash;
} LiquidKey;

struct LiquidLoop
{
	LiquidKey	name;			/* "item-collection" */
	int64		length;
	int64		index;			/* from 0 */
	LiquidLoop *parent;
	bool		is_table;
	int64		cols;			/* tablerow only */
	int64		col;
	int64		row;
};

/* A variable that the template made */
typedef struct LiquidVar
{
	LiquidKey	key;
	LiquidValue value;
} LiquidVar;

typedef struct LiquidVars
{
	int			n;
	int			max;
	LiquidVar  *vars;
} LiquidVars;

typedef enum LiquidInterrupt
{
	LIQUID_GO_ON,
	LIQUID_BREAK,
	LIQUID_CONTINUE
} LiquidInterrupt;

/*
 * One rendering.  "failed" says that an error is pending: evaluation goes
 * back up to the node that contains it, which prints it (lax) or stops the
 * rendering (strict; limits and abort in either mode).
 */
typedef struct LiquidState
{
	const LiquidOptions *options;
	JsonbContainer *root;
	StringInfo	out;			/* the result, or what is being captured */
	MemoryContext cxt;			/* everything that dies with the rendering */

	/* Variables, looked up in this order and then in the root */
	LiquidVars	locals;			/* of loops and of partials */
	LiquidVars	globals;		/* assign, capture */
	LiquidVars	counters;		/* increment, decrement */
	LiquidVars	registers;		/* cycle, ifchanged */
	LiquidVars	offsets;		/* where loops ended, for offset: continue */
	LiquidLoop *loop;			/* the innermost */
	LiquidInterrupt interrupt;
	bool		isolated;		/* inside a partial of {% render %} */

	/* The pending error */
	bool		failed;
	bool		fatal;			/* not even lax goes on */
	LiquidStatus status;
	int			sqlstate;
	char	   *message;
	const char *reason;			/* it without values of the context */
	int			line;

	/* Limits */
	int64		out_limit;
	int64		bytes_left;		/* of strings that filters may build */
	int64		steps_left;
	int			depth;
	uint32		ticks;			/* until the clock is looked at again */
	int64		deadline;		/* microseconds; 0: none */

	/* Partials that were asked for */
	int			npartials;
	int			max_partials;
	struct LiquidLoaded *partials;

	/* Looked up on first use */
	pg_tz	   *zone;
	bool		zone_is_set;	/* a time zone was asked for */
	int			locale;			/* index into the locale table; -1: not yet */
} LiquidState;

/* Makers */

static inline LiquidValue
liquid_nil(void)
{
	LiquidValue v = {LIQUID_NIL};

	return v;
}

static inline LiquidValue
liquid_bool(bool b)
{
	LiquidValue v = {b ? LIQUID_TRUE : LIQUID_FALSE};

	return v;
}

static inline LiquidValue
liquid_int(int64 i)
{
	LiquidValue v = {LIQUID_INT};

	v.u.i = i;
	return v;
}

static inline LiquidValue
liquid_float(double f)
{
	LiquidValue v = {LIQUID_FLOAT};

	v.u.f = f;
	return v;
}

static inline LiquidValue
liquid_string(const char *s, int len, uint8 flags)
{
	LiquidValue v = {LIQUID_STRING, flags, len};

	v.u.s = s;
	return v;
}

static inline LiquidValue
liquid_array(LiquidArray *array)
{
	LiquidValue v = {LIQUID_ARRAY};

	v.u.array = array;
	return v;
}

static inline bool
liquid_truthy(LiquidValue v)
{
	return v.kind != LIQUID_NIL && v.kind != LIQUID_FALSE;
}

static inline bool
liquid_is_number(LiquidValue v)
{
	return v.kind >= LIQUID_INT && v.kind <= LIQUID_FLOAT;
}

static inline bool
liquid_is_array(LiquidValue v)
{
	return v.kind == LIQUID_ARRAY || v.kind == LIQUID_JARRAY;
}

static inline uint32
liquid_hash(const char *s, int len)
{
	uint32		h = 2166136261u;

	for (int i = 0; i < len; i++)
		h = (h ^ (uint8) s[i]) * 16777619u;
	return h;
}

static inline LiquidKey
liquid_key(const char *s, int len)
{
	LiquidKey	key = {s, len, liquid_hash(s, len)};

	return key;
}

static inline bool
liquid_key_equal(const LiquidKey *a, const LiquidKey *b)
{
	return a->hash == b->hash && a->len == b->len &&
		memcmp(a->s, b->s, a->len) == 0;
}

static inline bool
liquid_word_is(const char *s, int len, const char *word)
{
	return len == (int) strlen(word) && memcmp(s, word, len) == 0;
}

static inline bool
liquid_is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What liquid_compare says of values without a common order */
#define LIQUID_UNORDERED	2

/* Bytes of the longest string that a filter takes */
#define LIQUID_MAX_STRING	(64 * 1024 * 1024)

/* Room for any decimal as text */
#define LIQUID_FLOAT_LENGTH 40

/* liquid_value.c */
extern LiquidValue liquid_json_element(JsonbContainer *json, int index);
extern bool liquid_json_member(JsonbContainer *json, const char *key, int len,
							   LiquidValue *v);
extern LiquidArray *liquid_new_array(LiquidState *st, int64 n);
extern int64 liquid_length(LiquidValue v);
extern LiquidValue liquid_item(LiquidValue v, int64 index);
extern bool liquid_size(LiquidValue v, int64 *size);
extern LiquidValue liquid_end_item(LiquidValue v, bool last);
extern LiquidValue liquid_command(LiquidValue v, const LiquidKey *key);
extern bool liquid_member(LiquidValue v, const LiquidKey *key,
						  LiquidValue *member);
extern LiquidValue liquid_at(LiquidValue v, LiquidValue index);
extern bool liquid_equal(LiquidValue a, LiquidValue b);
extern int	liquid_compare(LiquidValue a, LiquidValue b);
extern const char *liquid_find(const char *s, const char *end,
							   const char *what, int len);
extern bool liquid_contains(LiquidState *st, LiquidValue a, LiquidValue b);
extern bool liquid_is_empty(LiquidValue v);
extern bool liquid_is_blank(LiquidValue v);
extern const char *liquid_type_name(LiquidValue v);

/* liquid_text.c */
extern int	liquid_format_float(double f, char *buf);
extern void liquid_append_escaped(StringInfo buf, const char *s, int len);
extern void liquid_append(LiquidState *st, StringInfo buf, LiquidValue v);
extern void liquid_append_inspected(LiquidState *st, StringInfo buf,
									LiquidValue v);
extern uint8 liquid_taint(LiquidValue v);
extern LiquidValue liquid_copy_string(LiquidState *st, const char *s, int len,
									  uint8 flags);
extern LiquidValue liquid_built_string(LiquidState *st, StringInfo buf,
									   uint8 flags);
extern LiquidValue liquid_make_safe(LiquidState *st, LiquidValue v);
extern void liquid_blend(LiquidState *st, LiquidValue *a, LiquidValue *b);
extern LiquidValue liquid_to_string(LiquidState *st, LiquidValue v);
extern void liquid_emit(LiquidState *st, const char *s, int len);
extern void liquid_emit_value(LiquidState *st, LiquidValue v);

/* liquid_number.c */
extern bool liquid_short_decimal(double f, int64 *mantissa, int *scale);
extern LiquidValue liquid_from_numeric(Numeric num);
extern LiquidValue liquid_parse_number(const char *s, int len);
extern int64 liquid_leading_integer(LiquidValue v);
extern LiquidValue liquid_to_number(LiquidValue v);
extern bool liquid_to_integer(LiquidState *st, LiquidValue v, int64 *result);
extern bool liquid_truncate_to_int(LiquidState *st, LiquidValue v,
								   int64 *result);
extern int	liquid_compare_numbers(LiquidValue a, LiquidValue b);

/* liquid_arithmetic.c */
extern LiquidValue liquid_arithmetic(LiquidState *st, char op,
									 LiquidValue a, LiquidValue b);
extern LiquidValue liquid_round(LiquidState *st, LiquidValue v, int64 digits);
extern LiquidValue liquid_floor(LiquidState *st, LiquidValue v, bool ceiling);
extern LiquidValue liquid_absolute(LiquidState *st, LiquidValue v);

/* liquid_state.c */
extern void liquid_fail(LiquidState *st, int sqlstate,
						const char *fmt,...) pg_attribute_printf(3, 4);
extern void liquid_fail_with_value(LiquidState *st, int sqlstate,
								   const char *reason, const char *fmt,...)
			pg_attribute_printf(4, 5);
extern void liquid_fail_limit(LiquidState *st, const char *setting,
							  const char *what);
extern void liquid_look_at_clock(LiquidState *st);
extern bool liquid_spend(LiquidState *st, int64 bytes);
extern bool liquid_enter(LiquidState *st);
extern LiquidValue *liquid_find_var(const LiquidVars *vars,
									const LiquidKey *key);
extern void liquid_push_var(LiquidVars *vars, LiquidKey key,
							LiquidValue value);
extern void liquid_set_var(LiquidVars *vars, LiquidKey key,
						   LiquidValue value);

/* How many steps or strings go by before the clock is looked at */
#define LIQUID_TICKS	64

/* Counts loop steps; false once the state has failed. */
static inline bool
liquid_step(LiquidState *st, int64 n)
{
	st->steps_left -= n;
	if (st->steps_left < 0)
		liquid_fail_limit(st, "nudge.template_max_steps",
						  "the template takes too many steps");
	CHECK_FOR_INTERRUPTS();
	if (++st->ticks >= LIQUID_TICKS)
		liquid_look_at_clock(st);
	return !st->failed;
}

static inline void
liquid_leave(LiquidState *st)
{
	st->depth--;
}

/* liquid_date.c */
extern pg_tz *liquid_zone(LiquidState *st);
extern bool liquid_to_time(LiquidState *st, LiquidValue v, LiquidTime *time);

/* liquid_strftime.c */
extern bool liquid_strftime(LiquidState *st, StringInfo buf,
							const LiquidTime *time, const char *format,
							int len);
extern void liquid_append_time(LiquidState *st, StringInfo buf,
							   const LiquidTime *time);

#endif							/* LIQUID_VALUE_H */
