/*-------------------------------------------------------------------------
 *
 * liquid_filters_mail.c
 *	  Liquid's filters for dates and defaults, and those that mail adds:
 *	  money, number_with_delimiter, pluralize, in_time_zone.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_filters.h"

#include <math.h>

#include "liquid_locale.h"
#include "utils/numeric.h"

/* The default takes the place of nil, false and what is empty. */
static LiquidValue
filter_default(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue otherwise = args->n > 0 ? args->v[0] :
	liquid_string("", 0, 0);
	bool		allow_false = liquid_truthy(liquid_named_arg(args,
															 "allow_false"));
	bool		missing = allow_false ? in.kind == LIQUID_NIL :
	!liquid_truthy(in);

	return missing || liquid_is_empty(in) ? otherwise : in;
}

/* What is no date stays as it is. */
static LiquidValue
filter_date(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue format = liquid_to_string(st, liquid_arg(args, 0));
	LiquidTime	time;
	StringInfoData buf;

	if (format.len == 0 || !liquid_to_time(st, in, &time))
		return in;
	initStringInfo(&buf);
	if (!liquid_strftime(st, &buf, &time, format.u.s, format.len))
		return in;
	return liquid_built_string(st, &buf, format.flags);
}

/* The same time, seen from another place */
static LiquidValue
filter_in_time_zone(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue name = liquid_to_string(st, liquid_arg(args, 0));
	LiquidTime *time = palloc(sizeof(LiquidTime));
	LiquidValue v = {LIQUID_TIME};

	if (!liquid_to_time(st, in, time))
		return in;
	if (name.len < TZ_STRLEN_MAX && memchr(name.u.s, '\0', name.len) == NULL)
		time->zone = pg_tzset(pnstrdup(name.u.s, name.len));
	else
		time->zone = NULL;
	if (time->zone == NULL)
	{
		liquid_fail_with_value(st, ERRCODE_INVALID_PARAMETER_VALUE,
							   "time zone not recognized",
							   "time zone \"%.*s\" not recognized",
							   name.len, name.u.s);
		return liquid_nil();
	}
	time->has_offset = false;
	v.u.time = time;
	return v;
}

/* Is it a number, or text that is one and nothing else? */
static bool
looks_numeric(LiquidValue v)
{
	int			i = 0;
	int			digits = 0;

	if (liquid_is_number(v))
		return v.kind != LIQUID_FLOAT || isfinite(v.u.f);
	if (v.kind != LIQUID_STRING)
		return false;
	if (v.len > 0 && v.u.s[0] == '-')
		i++;
	for (; i < v.len && v.u.s[i] >= '0' && v.u.s[i] <= '9'; i++)
		digits++;
	if (digits > 0 && i + 1 < v.len && v.u.s[i] == '.')
	{
		i++;
		while (i < v.len && v.u.s[i] >= '0' && v.u.s[i] <= '9')
			i++;
	}
	return digits > 0 && i == v.len;
}

/* A number's text in plain digits; "decimals" < 0 keeps what it has. */
static char *
plain_digits(LiquidState *st, LiquidValue v, int decimals)
{
	StringInfoData buf;
	char		zeros[] = "0000";

	if (v.kind == LIQUID_FLOAT && decimals >= 0)
	{
		v = liquid_round(st, v, decimals);
		if (v.kind == LIQUID_FLOAT)
			return psprintf("%.*f", decimals, v.u.f);
	}
	if (v.kind == LIQUID_FLOAT && fabs(v.u.f) >= 1e15)
		return psprintf("%.1f", v.u.f);
	initStringInfo(&buf);
	liquid_append(st, &buf, v);
	if (decimals > 0)
		appendStringInfo(&buf, ".%.*s", decimals, zeros);
	return buf.data;
}

/* Appends digits with separators, without their sign. */
static void
append_grouped(StringInfo buf, const char *digits, const char *group,
			   int group_len, const char *decimal, int decimal_len)
{
	int			whole;

	if (*digits == '-')
		digits++;
	whole = strcspn(digits, ".e");
	for (int i = 0; i < whole; i++)
	{
		if (i > 0 && (whole - i) % 3 == 0)
			appendBinaryStringInfo(buf, group, group_len);
		appendStringInfoChar(buf, digits[i]);
	}
	if (digits[whole] == '.')
	{
		appendBinaryStringInfo(buf, decimal, decimal_len);
		whole++;
	}
	appendStringInfoString(buf, digits + whole);
}

/* 1234567.5 | number_with_delimiter is 1,234,567.5, as the locale has it. */
static LiquidValue
filter_number_with_delimiter(LiquidState *st, LiquidValue in,
							 const LiquidArgs *args)
{
	const LiquidLocale *locale = liquid_locale(st);
	LiquidValue group = liquid_string(locale->group, strlen(locale->group),
									  0);
	LiquidValue decimal = liquid_string(locale->decimal,
										strlen(locale->decimal), 0);
	StringInfoData buf;
	char	   *digits;

	if (!looks_numeric(in))
		return in;
	if (args->n > 0)
		group = liquid_to_string(st, args->v[0]);
	if (args->n > 1)
		decimal = liquid_to_string(st, args->v[1]);
	digits = plain_digits(st, liquid_to_number(in), -1);
	initStringInfo(&buf);
	if (*digits == '-')
		appendStringInfoChar(&buf, '-');
	append_grouped(&buf, digits, group.u.s, group.len, decimal.u.s,
				   decimal.len);
	return liquid_built_string(st, &buf, group.flags | decimal.flags);
}

typedef struct Currency
{
	const char *code;
	const char *symbol;
	int			decimals;
} Currency;

static const Currency currencies[] = {
	{"USD", "$", 2}, {"EUR", "€", 2}, {"GBP", "£", 2}, {"JPY", "¥", 0},
	{"AUD", "A$", 2}, {"BRL", "R$", 2}, {"CAD", "CA$", 2}, {"CHF", "CHF", 2},
	{"CLP", "CLP", 0}, {"CNY", "CN¥", 2}, {"CZK", "Kč", 2}, {"DKK", "kr", 2},
	{"HKD", "HK$", 2}, {"HUF", "Ft", 2}, {"ILS", "₪", 2}, {"INR", "₹", 2},
	{"KRW", "₩", 0}, {"MXN", "MX$", 2}, {"NOK", "kr", 2}, {"NZD", "NZ$", 2},
	{"PHP", "₱", 2}, {"PLN", "zł", 2}, {"RON", "RON", 2}, {"SEK", "kr", 2},
	{"SGD", "S$", 2}, {"THB", "฿", 2}, {"TRY", "₺", 2}, {"UAH", "₴", 2},
	{"VND", "₫", 0}, {"ZAR", "R", 2}
};

/* A currency by its code; what is no known code is itself the symbol. */
static Currency
find_currency(LiquidState *st, LiquidValue code)
{
	Currency	currency = {"", NULL, 2};

	if (code.kind == LIQUID_NIL)
		return currencies[0];
	code = liquid_to_string(st, code);
	for (int i = 0; i < lengthof(currencies); i++)
	{
		if (code.len == 3 &&
			pg_strncasecmp(code.u.s, currencies[i].code, 3) == 0)
			return currencies[i];
	}
	currency.symbol = pnstrdup(code.u.s, code.len);
	return currency;
}

/* Do letters end the symbol, so that a space must follow? */
static bool
ends_in_letter(const char *symbol)
{
	int			len = strlen(symbol);

	return len > 1 && ((symbol[len - 1] >= 'A' && symbol[len - 1] <= 'Z') ||
					   (symbol[len - 1] >= 'a' && symbol[len - 1] <= 'z'));
}

/*
 * An amount, in whole units, as money: 1234.5 is $1,234.50, with "EUR"
 * €1,234.50, and 1.234,50 € where the locale writes it so.
 */
static LiquidValue
filter_money(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	const LiquidLocale *locale = liquid_locale(st);
	Currency	currency;
	bool		symbol_first = strcmp(locale->language, "en") == 0;
	StringInfoData buf;
	char	   *digits;

	if (!looks_numeric(in))
		return in;
	currency = find_currency(st, liquid_arg(args, 0));
	digits = plain_digits(st, liquid_to_number(in), currency.decimals);
	initStringInfo(&buf);
	if (*digits == '-')
		appendStringInfoChar(&buf, '-');
	if (symbol_first)
	{
		appendStringInfoString(&buf, currency.symbol);
		if (ends_in_letter(currency.symbol))
			appendStringInfoChar(&buf, ' ');
	}
	append_grouped(&buf, digits, locale->group, strlen(locale->group),
				   locale->decimal, strlen(locale->decimal));
	if (!symbol_first)
		appendStringInfo(&buf, "\xC2\xA0%s", currency.symbol);
	return liquid_built_string(st, &buf,
							   args->n > 0 ? args->v[0].flags : 0);
}

/* The first word for one, the second (or with an "s") for any other number */
static LiquidValue
filter_pluralize(LiquidState *st, LiquidValue in, const LiquidArgs *args)
{
	LiquidValue one = liquid_to_string(st, liquid_arg(args, 0));
	LiquidValue n = liquid_to_number(in);
	StringInfoData buf;

	if (liquid_compare_numbers(n, liquid_int(1)) == 0)
		return one;
	if (args->n > 1)
		return args->v[1];
	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, one.u.s, one.len);
	appendStringInfoChar(&buf, 's');
	return liquid_built_string(st, &buf, one.flags);
}

const LiquidFilter liquid_mail_filters[] = {
	{"date", filter_date, 1, 1},
	{"default", filter_default, 0, 2},
	{"in_time_zone", filter_in_time_zone, 1, 1},
	{"money", filter_money, 0, 1},
	{"number_with_delimiter", filter_number_with_delimiter, 0, 2},
	{"pluralize", filter_pluralize, 1, 2},
	{NULL}
};
