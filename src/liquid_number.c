/*-------------------------------------------------------------------------
 *
 * liquid_number.c
 *	  Numbers of the Liquid language: reading, converting and comparing them.
 *
 * Integers are exact (int64, past it numeric); decimals are doubles.  A
 * number of the context is decoded from numeric's stored form, which is part
 * of PostgreSQL's on-disk format: digits to base 10,000, most significant
 * first, the first of which counts 10,000 ^ weight.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_value.h"

#include <math.h>

#include "common/int.h"
#include "fmgr.h"
#include "utils/builtins.h"

#define BASE			10000
#define BASE_DIGITS		4

/* Doubles hold every integer up to here */
#define EXACT_DOUBLE	(INT64CONST(1) << 53)

/* Longer runs of digits are read as a double */
#define MAX_DIGITS		1000

static const double powers_of_ten[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
	1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
};

/*
 * The decimal with at most four digits after the point that this double is,
 * as mantissa / 10 ^ scale; false where it is none.  Up to 15 digits, only one
 * decimal is nearest to a double, so that this is also its shortest form.
 */
bool
liquid_short_decimal(double f, int64 *mantissa, int *scale)
{
	if (!(fabs(f) < 1e11))
		return false;
	for (*scale = 0; *scale <= 4; (*scale)++)
	{
		double		m = rint(f * powers_of_ten[*scale]);

		if (m / powers_of_ten[*scale] == f)
		{
			*mantissa = (int64) m;
			return true;
		}
	}
	return false;
}

/* numeric's stored form, taken apart */
typedef struct Stored
{
	bool		special;		/* NaN, infinity */
	bool		negative;
	int			scale;			/* digits shown after the point */
	int			weight;
	int			ndigits;
	const int16 *digits;
} Stored;

static Stored
take_apart(Numeric num)
{
	const char *data = VARDATA_ANY((struct varlena *) num);
	int			len = VARSIZE_ANY_EXHDR((struct varlena *) num);
	uint16		header;
	Stored		stored = {false};

	memcpy(&header, data, sizeof(header));
	if ((header & 0xC000) == 0xC000)
		stored.special = true;
	else if ((header & 0x8000) != 0)
	{
		/* short: sign 1 bit, scale 6, weight 7 with sign extension */
		stored.negative = (header & 0x2000) != 0;
		stored.scale = (header & 0x1F80) >> 7;
		stored.weight = (header & 0x003F) -
			((header & 0x0040) != 0 ? 0x0040 : 0);
		stored.digits = (const int16 *) (data + sizeof(uint16));
		stored.ndigits = (len - sizeof(uint16)) / sizeof(int16);
	}
	else
	{
		int16		weight;

		memcpy(&weight, data + sizeof(uint16), sizeof(weight));
		stored.negative = (header & 0xC000) == 0x4000;
		stored.scale = header & 0x3FFF;
		stored.weight = weight;
		stored.digits = (const int16 *) (data + 2 * sizeof(uint16));
		stored.ndigits = (len - 2 * sizeof(uint16)) / sizeof(int16);
	}
	return stored;
}

static double
slow_double(Numeric num)
{
	Datum		text = DirectFunctionCall1(numeric_out, NumericGetDatum(num));

	return strtod(DatumGetCString(text), NULL);
}

static LiquidValue
integer_of(Numeric num, const Stored *stored)
{
	LiquidValue v = {LIQUID_BIGINT};
	int64		i = 0;

	v.u.num = num;
	if (stored->ndigits == 0)
		return liquid_int(0);
	for (int d = 0; d <= stored->weight; d++)
	{
		int64		digit = d < stored->ndigits ? stored->digits[d] : 0;

		if (pg_mul_s64_overflow(i, BASE, &i) ||
			pg_sub_s64_overflow(i, digit, &i))
			return v;
	}
	if (stored->negative)
		return liquid_int(i);
	return i == PG_INT64_MIN ? v : liquid_int(-i);
}

static LiquidValue
decimal_of(Numeric num, const Stored *stored)
{
	int64		mantissa = 0;
	int			scale = BASE_DIGITS * (stored->ndigits - 1 - stored->weight);
	double		f;

	if (stored->ndigits == 0)
		return liquid_float(0.0);
	if (stored->ndigits > 4 || scale < 0 || scale >= lengthof(powers_of_ten))
		return liquid_float(slow_double(num));
	for (int d = 0; d < stored->ndigits; d++)
		mantissa = mantissa * BASE + stored->digits[d];
	while (mantissa % 10 == 0 && scale > 0)
	{
		mantissa /= 10;
		scale--;
	}
	if (mantissa > EXACT_DOUBLE)
		return liquid_float(slow_double(num));

	/* Both are exact, so that the quotient is rounded once: correctly */
	f = (double) mantissa / powers_of_ten[scale];
	return liquid_float(stored->negative ? -f : f);
}

/* The value of a number of the context: with a fraction, a decimal */
LiquidValue
liquid_from_numeric(Numeric num)
{
	Stored		stored = take_apart(num);

	if (stored.special)
		return liquid_float(slow_double(num));
	return stored.scale == 0 ? integer_of(num, &stored) :
		decimal_of(num, &stored);
}

/* Reads well-formed digits with perhaps a sign and a fraction. */
LiquidValue
liquid_parse_number(const char *s, int len)
{
	char	   *text;
	int64		i = 0;
	bool		negative = *s == '-';
	LiquidValue v = {LIQUID_BIGINT};

	if (memchr(s, '.', len) == NULL && len <= 18)
	{
		for (int c = negative; c < len; c++)
			i = i * 10 + (s[c] - '0');
		return liquid_int(negative ? -i : i);
	}
	text = pnstrdup(s, len);
	if (memchr(s, '.', len) != NULL || len > MAX_DIGITS)
		return liquid_float(strtod(text, NULL));
	v.u.num = DatumGetNumeric(DirectFunctionCall3(numeric_in,
												  CStringGetDatum(text),
												  ObjectIdGetDatum(InvalidOid),
												  Int32GetDatum(-1)));
	return liquid_from_numeric(v.u.num);
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * The digits at the start of a string, after space and a sign, as Ruby's
 * to_i reads them: single underscores may stand between them.
 */
static LiquidValue
leading_number(const char *s, int len)
{
	const char *end = s + len;
	char		digits[MAX_DIGITS + 2];
	int			n = 0;

	while (s < end && liquid_is_space(*s))
		s++;
	if (s < end && (*s == '-' || *s == '+'))
	{
		if (*s == '-')
			digits[n++] = '-';
		s++;
	}
	for (; s < end && is_digit(*s) && n < MAX_DIGITS; s++)
	{
		digits[n++] = *s;
		if (end - s >= 3 && s[1] == '_' && is_digit(s[2]))
			s++;
	}
	if (n == 0 || digits[n - 1] == '-')
		return liquid_int(0);
	return liquid_parse_number(digits, n);
}

/* Is the string a decimal, such as " -1.50 ", and nothing else? */
static bool
is_decimal(const char **start, int *len)
{
	const char *s = *start;
	const char *end = s + *len;
	const char *c;

	while (s < end && liquid_is_space(*s))
		s++;
	while (s < end && liquid_is_space(end[-1]))
		end--;
	*start = s;
	*len = end - s;
	c = s < end && *s == '-' ? s + 1 : s;
	if (c >= end || !is_digit(*c))
		return false;
	while (c < end && is_digit(*c))
		c++;
	if (end - c < 2 || *c != '.')
		return false;
	for (c++; c < end; c++)
	{
		if (!is_digit(*c))
			return false;
	}
	return true;
}

/* What a mathematical filter makes of its input: anything odd is zero. */
LiquidValue
liquid_to_number(LiquidValue v)
{
	const char *s = v.u.s;
	int			len = v.len;

	if (liquid_is_number(v))
		return v;
	if (v.kind != LIQUID_STRING)
		return liquid_int(0);
	if (is_decimal(&s, &len))
		return liquid_parse_number(s, len);
	return leading_number(v.u.s, v.len);
}

/* An integer clamped into int64 */
static int64
clamp(LiquidValue v)
{
	LiquidValue zero = liquid_int(0);

	if (v.kind == LIQUID_INT)
		return v.u.i;
	return liquid_compare_numbers(v, zero) < 0 ? PG_INT64_MIN : PG_INT64_MAX;
}

/* The integer at the start of a string, or 0 */
int64
liquid_leading_integer(LiquidValue v)
{
	return clamp(leading_number(v.u.s, v.len));
}

/* Value of a digit to bases up to 16, or 99 */
static int
digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* The base that a prefix of digits names; moves past the prefix */
static int
read_base(const char **s, const char *end)
{
	if (end - *s < 2 || **s != '0')
		return 10;
	switch ((*s)[1])
	{
		case 'x':
		case 'X':
			*s += 2;
			return 16;
		case 'b':
		case 'B':
			*s += 2;
			return 2;
		case 'o':
		case 'O':
			*s += 2;
			return 8;
		default:
			*s += 1;
			return 8;
	}
}

/* A string that is an integer and nothing else, as Ruby's Integer() has it */
static bool
whole_integer(const char *s, int len, int64 *result)
{
	const char *end = s + len;
	bool		negative = false;
	bool		after_digit = false;
	int			base;
	int64		i = 0;

	while (s < end && liquid_is_space(*s))
		s++;
	while (s < end && liquid_is_space(end[-1]))
		end--;
	if (s < end && (*s == '-' || *s == '+'))
		negative = *s++ == '-';
	if (s < end && is_digit(*s))
		after_digit = *s == '0' && end - s == 1;
	base = read_base(&s, end);
	for (; s < end; s++)
	{
		int			digit = digit_value(*s);

		if (*s == '_' && after_digit && end - s >= 2)
		{
			after_digit = false;
			continue;
		}
		if (digit >= base)
			return false;
		after_digit = true;
		if (pg_mul_s64_overflow(i, base, &i) ||
			pg_add_s64_overflow(i, digit, &i))
			i = PG_INT64_MAX;
	}
	*result = negative ? -i : i;
	return after_digit;
}

/* What an argument that counts something must be; else the state fails. */
bool
liquid_to_integer(LiquidState *st, LiquidValue v, int64 *result)
{
	if (v.kind == LIQUID_INT || v.kind == LIQUID_BIGINT)
	{
		*result = clamp(v);
		return true;
	}
	if (v.kind == LIQUID_STRING && whole_integer(v.u.s, v.len, result))
		return true;
	liquid_fail(st, ERRCODE_INVALID_PARAMETER_VALUE, "invalid integer");
	return false;
}

/* Ruby's to_i, of the attributes of a table; else the state fails. */
bool
liquid_truncate_to_int(LiquidState *st, LiquidValue v, int64 *result)
{
	if (v.kind == LIQUID_NIL)
		*result = 0;
	else if (v.kind == LIQUID_STRING)
		*result = liquid_leading_integer(v);
	else if (v.kind == LIQUID_FLOAT)
		*result = isnan(v.u.f) ? 0 :
			v.u.f >= 9.2e18 ? PG_INT64_MAX :
			v.u.f <= -9.2e18 ? PG_INT64_MIN : (int64) v.u.f;
	else
		return liquid_to_integer(st, v, result);
	return true;
}

static double
as_double(LiquidValue v)
{
	if (v.kind == LIQUID_INT)
		return (double) v.u.i;
	if (v.kind == LIQUID_BIGINT)
		return slow_double(v.u.num);
	return v.u.f;
}

static Numeric
as_numeric(LiquidValue v)
{
	return v.kind == LIQUID_INT ? int64_to_numeric(v.u.i) : v.u.num;
}

/* -1, 0, 1, or LIQUID_UNORDERED with a NaN */
int
liquid_compare_numbers(LiquidValue a, LiquidValue b)
{
	double		x;
	double		y;

	if (a.kind == LIQUID_INT && b.kind == LIQUID_INT)
		return a.u.i < b.u.i ? -1 : a.u.i > b.u.i;
	if (a.kind != LIQUID_FLOAT && b.kind != LIQUID_FLOAT)
	{
		Datum		m = NumericGetDatum(as_numeric(a));
		Datum		n = NumericGetDatum(as_numeric(b));

		return DatumGetInt32(DirectFunctionCall2(numeric_cmp, m, n));
	}
	x = as_double(a);
	y = as_double(b);
	if (isnan(x) || isnan(y))
		return LIQUID_UNORDERED;
	return x < y ? -1 : x > y;
}
