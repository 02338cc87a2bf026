/*-------------------------------------------------------------------------
 *
 * liquid_arithmetic.c
 *	  Arithmetic of the Liquid language.
 *
 * Integers stay exact.  With a decimal among the operands, both are taken as
 * the decimal fractions that they show, the result is computed from those and
 * only then becomes a double: 0.1 plus 0.2 is 0.3.  Mantissas that fit into
 * 64 bits take the short way, everything else goes through numeric, whose
 * errors are caught before they are raised.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_value.h"

#include <math.h>

#include "common/int.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "utils/builtins.h"

#define EXACT_DOUBLE	(INT64CONST(1) << 53)

/* Longer integers would take too long to multiply. */
#define MAX_INTEGER_DIGITS	1000

/* mantissa / 10 ^ scale */
typedef struct Decimal
{
	int64		mantissa;
	int			scale;
} Decimal;

/* 10 ^ n, for n up to 18 */
static int64
power_of_ten(int n)
{
	int64		power = 1;

	while (n-- > 0)
		power *= 10;
	return power;
}

/* The shortest decimal that is this double */
static Decimal
decimal_from_double(double f)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];
	const char *s = text;
	Decimal		d = {0, 0};
	bool		after_point = false;

	if (liquid_short_decimal(f, &d.mantissa, &d.scale))
		return d;
	d.scale = 0;
	double_to_shortest_decimal_buf(f, text);
	if (*s == '-')
		s++;
	for (; *s != '\0' && *s != 'e'; s++)
	{
		if (*s == '.')
			after_point = true;
		else
		{
			d.mantissa = d.mantissa * 10 + (*s - '0');
			d.scale += after_point;
		}
	}
	if (*s == 'e')
		d.scale -= atoi(s + 1);
	if (f < 0)
		d.mantissa = -d.mantissa;
	return d;
}

static Decimal
decimal_from(LiquidValue v)
{
	Decimal		d = {v.u.i, 0};

	return v.kind == LIQUID_FLOAT ? decimal_from_double(v.u.f) : d;
}

/* The double nearest to a decimal */
static double
decimal_to_double(Decimal d)
{
	char		text[64];

	while (d.scale > 0 && d.mantissa % 10 == 0 && d.mantissa != 0)
	{
		d.mantissa /= 10;
		d.scale--;
	}
	if (d.scale >= 0 && d.scale <= 18 &&
		d.mantissa <= EXACT_DOUBLE && d.mantissa >= -EXACT_DOUBLE)
		return (double) d.mantissa / (double) power_of_ten(d.scale);
	snprintf(text, sizeof(text), INT64_FORMAT "e%d", d.mantissa, -d.scale);
	return strtod(text, NULL);
}

/* Brings two decimals to the same scale; false where they do not fit. */
static bool
align(Decimal *a, Decimal *b)
{
	Decimal    *coarse = a->scale < b->scale ? a : b;
	int			scale = Max(a->scale, b->scale);
	int			shift = scale - coarse->scale;

	if (shift > 18 ||
		pg_mul_s64_overflow(coarse->mantissa, power_of_ten(shift),
							&coarse->mantissa))
		return false;
	coarse->scale = scale;
	return true;
}

/* The remainder with the sign of the divisor, which is not zero */
static int64
floor_modulo(int64 a, int64 b)
{
	int64		m;

	if (b == -1)
		return 0;
	m = a % b;
	return m != 0 && (m < 0) != (b < 0) ? m + b : m;
}

/* The short way; false where it does not fit. */
static bool
decimal_arithmetic(char op, Decimal a, Decimal b, double *result)
{
	Decimal		d;

	switch (op)
	{
		case '+':
		case '-':
			if (!align(&a, &b))
				return false;
			d.scale = a.scale;
			if (op == '+' ?
				pg_add_s64_overflow(a.mantissa, b.mantissa, &d.mantissa) :
				pg_sub_s64_overflow(a.mantissa, b.mantissa, &d.mantissa))
				return false;
			break;
		case '*':
			d.scale = a.scale + b.scale;
			if (pg_mul_s64_overflow(a.mantissa, b.mantissa, &d.mantissa))
				return false;
			break;
		case '%':
			if (!align(&a, &b))
				return false;
			d.scale = a.scale;
			d.mantissa = floor_modulo(a.mantissa, b.mantissa);
			break;
		default:
			if (!align(&a, &b) ||
				a.mantissa > EXACT_DOUBLE || a.mantissa < -EXACT_DOUBLE ||
				b.mantissa > EXACT_DOUBLE || b.mantissa < -EXACT_DOUBLE)
				return false;
			*result = (double) a.mantissa / (double) b.mantissa;
			return true;
	}
	*result = decimal_to_double(d);
	return true;
}

static Numeric
numeric_from_text(const char *text)
{
	return DatumGetNumeric(DirectFunctionCall3(numeric_in,
											   CStringGetDatum(text),
											   ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1)));
}

static char *
numeric_to_text(Numeric num)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out,
											   NumericGetDatum(num)));
}

/* A finite number as numeric */
static Numeric
numeric_from(LiquidValue v)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (v.kind == LIQUID_INT)
		return int64_to_numeric(v.u.i);
	if (v.kind == LIQUID_BIGINT)
		return v.u.num;
	double_to_shortest_decimal_buf(v.u.f, text);
	return numeric_from_text(text);
}

/* Rounds towards minus infinity, or plus infinity. */
static Numeric
numeric_floor_of(Numeric num, bool ceiling)
{
	return DatumGetNumeric(DirectFunctionCall1(ceiling ? numeric_ceil :
											   numeric_floor,
											   NumericGetDatum(num)));
}

static int
numeric_sign_of(Numeric num)
{
	Datum		zero = NumericGetDatum(int64_to_numeric(0));

	return DatumGetInt32(DirectFunctionCall2(numeric_cmp,
											 NumericGetDatum(num), zero));
}

/* The remainder with the sign of the divisor */
static Numeric
numeric_modulo(Numeric a, Numeric b, bool *error)
{
	Numeric		m = numeric_mod_opt_error(a, b, error);

	if (*error)
		return m;
	if (numeric_sign_of(m) * numeric_sign_of(b) < 0)
		m = numeric_add_opt_error(m, b, error);
	return m;
}

/*
 * The quotient: of integers the next lower integer, else with digits enough
 * for a double whatever the operands' sizes are.
 */
static Numeric
numeric_quotient(Numeric a, Numeric b, bool whole, bool *error)
{
	static const char many[] = "1e40";
	Numeric		q;

	if (whole)
	{
		Numeric		m = numeric_modulo(a, b, error);

		q = *error ? a : numeric_sub_opt_error(a, m, error);
		return *error ? q : numeric_div_opt_error(q, b, error);
	}
	q = numeric_mul_opt_error(a, numeric_from_text(many), error);
	return *error ? q : numeric_div_opt_error(q, b, error);
}

/* The long way, for finite operands and divisors that are not zero */
static LiquidValue
numeric_arithmetic(LiquidState *st, char op, LiquidValue a, LiquidValue b)
{
	bool		whole = a.kind != LIQUID_FLOAT && b.kind != LIQUID_FLOAT;
	Numeric		x = numeric_from(a);
	Numeric		y = numeric_from(b);
	Numeric		result;
	bool		error = false;
	char	   *text;

	switch (op)
	{
		case '+':
			result = numeric_add_opt_error(x, y, &error);
			break;
		case '-':
			result = numeric_sub_opt_error(x, y, &error);
			break;
		case '*':
			result = numeric_mul_opt_error(x, y, &error);
			break;
		case '%':
			result = numeric_modulo(x, y, &error);
			break;
		default:
			result = numeric_quotient(x, y, whole, &error);
			break;
	}
	if (error)
	{
		liquid_fail(st, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
					"number out of range");
		return liquid_nil();
	}
	text = numeric_to_text(whole ? numeric_floor_of(result, false) : result);
	if (whole && strlen(text) > MAX_INTEGER_DIGITS)
	{
		liquid_fail(st, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
					"number out of range");
		return liquid_nil();
	}
	if (whole)
		return liquid_from_numeric(numeric_from_text(text));
	if (op == '/')
		text = psprintf("%se-40", text);
	return liquid_float(strtod(text, NULL));
}

static inline bool
is_zero(LiquidValue v)
{
	return v.kind == LIQUID_INT ? v.u.i == 0 :
		v.kind == LIQUID_FLOAT && v.u.f == 0.0;
}

/* Integers that fit; false where the result does not. */
static bool
int_arithmetic(char op, int64 a, int64 b, int64 *result)
{
	switch (op)
	{
		case '+':
			return !pg_add_s64_overflow(a, b, result);
		case '-':
			return !pg_sub_s64_overflow(a, b, result);
		case '*':
			return !pg_mul_s64_overflow(a, b, result);
		case '%':
			*result = floor_modulo(a, b);
			return true;
		default:
			if (a == PG_INT64_MIN && b == -1)
				return false;
			*result = a / b - (a % b != 0 && (a < 0) != (b < 0));
			return true;
	}
}

/* Of operands that are infinite or zero: what is exact in doubles too */
static double
double_arithmetic(char op, double a, double b)
{
	switch (op)
	{
		case '+':
			return a + b;
		case '-':
			return a - b;
		case '*':
			return a * b;
		case '%':
			return fmod(a, b);
		default:
			return a / b;
	}
}

static double
as_double(LiquidValue v)
{
	return v.kind == LIQUID_INT ? (double) v.u.i :
		v.kind == LIQUID_FLOAT ? v.u.f :
		strtod(numeric_to_text(v.u.num), NULL);
}

/*
 * a op b, for op among + - * / %.  Dividing by zero fails the state, except
 * for decimals by "/", whose quotient is infinite or not a number.
 */
LiquidValue
liquid_arithmetic(LiquidState *st, char op, LiquidValue a, LiquidValue b)
{
	bool		whole = a.kind != LIQUID_FLOAT && b.kind != LIQUID_FLOAT;
	int64		i;
	double		f;

	if (is_zero(b) && (op == '%' || (op == '/' && whole)))
	{
		liquid_fail(st, ERRCODE_DIVISION_BY_ZERO, "divided by 0");
		return liquid_nil();
	}
	if (a.kind == LIQUID_INT && b.kind == LIQUID_INT &&
		int_arithmetic(op, a.u.i, b.u.i, &i))
		return liquid_int(i);
	if ((a.kind == LIQUID_FLOAT && !isfinite(a.u.f)) ||
		(b.kind == LIQUID_FLOAT && !isfinite(b.u.f)))
		return liquid_float(double_arithmetic(op, as_double(a), as_double(b)));
	/* Decimals here have no sign of zero, but Liquid's do */
	if (!whole && op != '%' && (is_zero(a) || is_zero(b)))
		return liquid_float(double_arithmetic(op, as_double(a), as_double(b)));
	if (!whole && a.kind != LIQUID_BIGINT && b.kind != LIQUID_BIGINT &&
		decimal_arithmetic(op, decimal_from(a), decimal_from(b), &f))
		return liquid_float(f);
	return numeric_arithmetic(st, op, a, b);
}

/* A whole double as an integer value */
static LiquidValue
integer_from_double(LiquidState *st, double f)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (!isfinite(f))
	{
		liquid_fail(st, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "%s",
					isnan(f) ?
					"Computation results in 'NaN' (Not a Number)" :
					f < 0 ? "Computation results in '-Infinity'" :
					"Computation results in 'Infinity'");
		return liquid_nil();
	}
	if (fabs(f) < 9.0e18)
		return liquid_int((int64) f);
	double_to_shortest_decimal_buf(f, text);
	return liquid_from_numeric(numeric_floor_of(numeric_from_text(text),
												false));
}

/* Rounds a mantissa's last digits away, halves away from zero. */
static int64
drop_digits(int64 mantissa, int64 n)
{
	int64		power;
	int64		rest;

	if (n > 18)
		return 0;
	power = power_of_ten(n);
	rest = mantissa % power;
	mantissa /= power;
	if (rest >= power - rest)
		mantissa++;
	else if (-rest >= power + rest)
		mantissa--;
	return mantissa;
}

/*
 * Rounds to so many digits after the point; to none, or to digits before it
 * (where negative), the result is an integer.
 */
LiquidValue
liquid_round(LiquidState *st, LiquidValue v, int64 digits)
{
	Decimal		d;

	if (v.kind == LIQUID_BIGINT)
		return v;
	if (v.kind == LIQUID_INT)
	{
		int64		rounded;

		if (digits >= 0)
			return v;
		rounded = digits < -18 ? 0 : drop_digits(v.u.i, -digits);
		return liquid_arithmetic(st, '*', liquid_int(rounded),
								 liquid_int(digits < -18 ? 1 :
											power_of_ten(-digits)));
	}
	if (!isfinite(v.u.f))
		return digits <= 0 ? integer_from_double(st, v.u.f) : v;
	d = decimal_from_double(v.u.f);
	if (digits < d.scale)
	{
		d.mantissa = drop_digits(d.mantissa, d.scale - digits);
		d.scale = digits < -400 ? 0 : digits;
	}
	return digits <= 0 ? integer_from_double(st, decimal_to_double(d)) :
		liquid_float(copysign(decimal_to_double(d), v.u.f));
}

/* The next lower integer, or the next higher one */
LiquidValue
liquid_floor(LiquidState *st, LiquidValue v, bool ceiling)
{
	if (v.kind != LIQUID_FLOAT)
		return v;
	return integer_from_double(st, ceiling ? ceil(v.u.f) : floor(v.u.f));
}

LiquidValue
liquid_absolute(LiquidState *st, LiquidValue v)
{
	if (v.kind == LIQUID_FLOAT)
		return liquid_float(fabs(v.u.f));
	if (liquid_compare_numbers(v, liquid_int(0)) >= 0)
		return v;
	return liquid_arithmetic(st, '-', liquid_int(0), v);
}
