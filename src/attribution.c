/*-------------------------------------------------------------------------
 *
 * attribution.c
 *	  Shares of a conversion among the messages that came before it.
 *
 * What has to be read is read by SQL (nudge.attribution_shares); here is what a
 * model of attribution makes of the touches of one conversion, since it is asked
 * for each conversion and model.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* Shares are rounded to so many digits, all of which a double has. */
#define SHARE_DIGITS 15
#define SHARE_UNIT 1e15

PG_FUNCTION_INFO_V1(nudge_share_touches);

typedef enum ModelKind
{
	FIRST_TOUCH,
	LAST_TOUCH,
	LINEAR,
	POSITION_DECAY,
	MARKOV
} ModelKind;

typedef struct Model
{
	ModelKind	kind;
	/* position_decay: seconds, and factors */
	double		decay;
	double		floor;
	double		first;
	double		last;
	double		middle;
	/* markov: removal effects, by ascending rule */
	int			neffects;
	const int64 *effect_rules;
	const float8 *effects;
	double		average_effect;
} Model;

typedef struct Touches
{
	int			n;
	const TimestampTz *at;
	const int64 *messages;
	const int64 *rules;
	double	   *weights;
} Touches;

/* The elements of an array of 8-byte values without nulls; sets their number. */
static const void *
eight_byte_elements(FunctionCallInfo fcinfo, int arg, int *n)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(arg);

	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (ARR_NDIM(array) > 1 || ARR_HASNULL(array))
		elog(ERROR, "argument %d is no plain array", arg + 1);
	return ARR_DATA_PTR(array);
}

static ModelKind
model_kind(const char *name)
{
	static const char *const names[] = {
		[FIRST_TOUCH] = "first_touch", [LAST_TOUCH] = "last_touch",
		[LINEAR] = "linear", [POSITION_DECAY] = "position_decay",
		[MARKOV] = "markov"
	};

	for (int i = 0; i < lengthof(names); i++)
		if (strcmp(name, names[i]) == 0)
			return (ModelKind) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown kind of attribution model \"%s\"", name),
			 errhint("Correct the model in nudge.attribution_models.")));
	return LINEAR;				/* keep the compiler quiet */
}

/* Arguments 0 to 3: kind, parameters, rules and their removal effects */
static Model
read_model(FunctionCallInfo fcinfo)
{
	Model		model = {model_kind(text_to_cstring(PG_GETARG_TEXT_PP(0)))};
	int			n;

	if (model.kind == POSITION_DECAY)
	{
		const float8 *parameters = eight_byte_elements(fcinfo, 1, &n);

		if (n != 5)
			elog(ERROR, "a model has 5 parameters, not %d", n);
		model.decay = parameters[0];
		model.floor = parameters[1];
		model.first = parameters[2];
		model.last = parameters[3];
		model.middle = parameters[4];
	}
	if (model.kind == MARKOV)
	{
		model.effect_rules = eight_byte_elements(fcinfo, 2, &model.neffects);
		model.effects = eight_byte_elements(fcinfo, 3, &n);
		if (n != model.neffects)
			elog(ERROR, "there are %d effects of %d rules", n, model.neffects);
		for (int i = 0; i < n; i++)
			model.average_effect += model.effects[i] / n;
	}
	return model;
}

/*
 * A rule that has come since the effects were computed has the average of the
 * others.
 */
static double
removal_effect(const Model *model, int64 rule)
{
	int			low = 0;
	int			high = model->neffects;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (model->effect_rules[middle] < rule)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < model->neffects && model->effect_rules[low] == rule)
		return model->effects[low];
	return model->average_effect;
}

static double
position_decay(const Model *model, const Touches *touches, int i,
			   TimestampTz converted_at)
{
	double		age = (double) (converted_at - touches->at[i]) / USECS_PER_SEC;
	double		recency = Max(model->floor, 1 - age / model->decay);

	if (i == 0)
		return recency * model->first;
	if (i == touches->n - 1)
		return recency * model->last;
	return recency * model->middle / Max(1, touches->n - 2);
}

/* Leaves the touches since a time; of those the first or the last, if only one counts. */
static void
choose_touches(Touches *touches, ModelKind kind, TimestampTz since)
{
	int			skip = 0;

	while (skip < touches->n && touches->at[skip] < since)
		skip++;
	if (kind == LAST_TOUCH && skip < touches->n)
		skip = touches->n - 1;
	touches->n -= skip;
	touches->at += skip;
	touches->messages += skip;
	touches->rules += skip;
	if (kind == FIRST_TOUCH)
		touches->n = Min(touches->n, 1);
}

/* The sum of the weights.  Where nothing has a weight all have the same. */
static double
weigh(const Model *model, Touches *touches, TimestampTz converted_at)
{
	double		total = 0;

	touches->weights = palloc(touches->n * sizeof(double));
	for (int i = 0; i < touches->n; i++)
	{
		double		weight = 1;

		if (model->kind == POSITION_DECAY)
			weight = position_decay(model, touches, i, converted_at);
		else if (model->kind == MARKOV)
			weight = removal_effect(model, touches->rules[i]);
		touches->weights[i] = weight;
		total += weight;
	}
	return total;
}

static ArrayType *
int8_array(const int64 *values, int n)
{
	Datum	   *datums = palloc(n * sizeof(Datum));

	for (int i = 0; i < n; i++)
		datums[i] = Int64GetDatum(values[i]);
	return construct_array(datums, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
						   TYPALIGN_DOUBLE);
}

static ArrayType *
float8_array(const double *values, int n)
{
	Datum	   *datums = palloc(n * sizeof(Datum));

	for (int i = 0; i < n; i++)
		datums[i] = Float8GetDatum(values[i]);
	return construct_array(datums, n, FLOAT8OID, sizeof(float8),
						   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/*
 * Shares and revenues are differences of rounded running sums, and so add up to 1
 * and to the value exactly.
 */
static void
share_value(const Touches *touches, double total, Datum value, int32 decimals,
			ArrayType **shares, ArrayType **revenues)
{
	Datum	   *share = palloc(touches->n * sizeof(Datum));
	Datum	   *revenue = palloc(touches->n * sizeof(Datum));
	int64		units_before = 0;
	Datum		revenue_before = NumericGetDatum(int64_to_numeric(0));
	double		running = 0;

	for (int i = 0; i < touches->n; i++)
	{
		int64		units = SHARE_UNIT;
		Datum		revenue_to = value;

		running += total > 0 ? touches->weights[i] / total : 1.0 / touches->n;
		if (i < touches->n - 1)
		{
			units = (int64) rint(Min(running, 1) * SHARE_UNIT);
			revenue_to = DirectFunctionCall2(numeric_mul, value,
											 NumericGetDatum(int64_div_fast_to_numeric(units, SHARE_DIGITS)));
		}
		revenue_to = DirectFunctionCall2(numeric_round, revenue_to,
										 Int32GetDatum(decimals));
		share[i] = NumericGetDatum(int64_div_fast_to_numeric(units - units_before,
															 SHARE_DIGITS));
		revenue[i] = DirectFunctionCall2(numeric_sub, revenue_to, revenue_before);
		units_before = units;
		revenue_before = revenue_to;
	}
	*shares = construct_array(share, touches->n, NUMERICOID, -1, false, TYPALIGN_INT);
	*revenues = construct_array(revenue, touches->n, NUMERICOID, -1, false, TYPALIGN_INT);
}

/*
 * share_touches(kind text, parameters float8[], effect_rules bigint[], effects float8[],
 *				 converted_at timestamptz, since timestamptz, value numeric, decimals integer,
 *				 touched_at timestamptz[], message_ids bigint[], rule_ids bigint[])
 *	  record (message_ids bigint[], rule_ids bigint[], weights float8[],
 *			  shares numeric[], revenues numeric[])
 *
 * Touches come in the order of time; those before "since" do not count.  NULL where
 * none does.
 */
Datum
nudge_share_touches(PG_FUNCTION_ARGS)
{
	Model		model = read_model(fcinfo);
	TimestampTz converted_at = PG_GETARG_TIMESTAMPTZ(4);
	Touches		touches = {0};
	ArrayType  *shares;
	ArrayType  *revenues;
	double		total;
	int			nmessages;
	int			nrules;
	Datum		values[5];
	bool		nulls[5] = {false};
	TupleDesc	row;

	touches.at = eight_byte_elements(fcinfo, 8, &touches.n);
	touches.messages = eight_byte_elements(fcinfo, 9, &nmessages);
	touches.rules = eight_byte_elements(fcinfo, 10, &nrules);
	if (nmessages != touches.n || nrules != touches.n)
		elog(ERROR, "touches have arrays of different lengths");
	choose_touches(&touches, model.kind, PG_GETARG_TIMESTAMPTZ(5));
	if (touches.n == 0)
		PG_RETURN_NULL();
	total = weigh(&model, &touches, converted_at);
	share_value(&touches, total, PG_GETARG_DATUM(6), PG_GETARG_INT32(7),
				&shares, &revenues);

	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "share_touches returns no row");
	values[0] = PointerGetDatum(int8_array(touches.messages, touches.n));
	values[1] = PointerGetDatum(int8_array(touches.rules, touches.n));
	values[2] = PointerGetDatum(float8_array(touches.weights, touches.n));
	values[3] = PointerGetDatum(shares);
	values[4] = PointerGetDatum(revenues);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row),
													  values, nulls)));
}
