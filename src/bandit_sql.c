/*-------------------------------------------------------------------------
 *
 * bandit_sql.c
 *	  What SQL asks of Thompson sampling: simulations and probabilities.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "bandit.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(nudge_probability_to_be_best);
PG_FUNCTION_INFO_V1(nudge_simulate_bandit);

#define MAX_ARMS 100
#define MAX_SENDS 10000000
#define DRAWS 20000

/* The draws for probabilities are the same each time. */
#define PROBABILITY_SEED UINT64CONST(0x6e756467650b0001)

/*
 * Elements of an array of one dimension without nulls
 */
static Datum *
array_elements(ArrayType *array, const char *name, Oid type, int *n)
{
	Datum	   *elements;

	if (ARR_NDIM(array) > 1 || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be an array of one dimension without nulls", name),
				 errhint("Pass one element for each arm.")));
	deconstruct_array(array, type, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, NULL, n);
	return elements;
}

static BanditArm *
arms_of_arrays(ArrayType *successes, ArrayType *trials, int *n)
{
	int			ntrials;
	Datum	   *won = array_elements(successes, "successes", INT8OID, n);
	Datum	   *tried = array_elements(trials, "trials", INT8OID, &ntrials);
	BanditArm  *arms = palloc0(Max(*n, 1) * sizeof(BanditArm));

	if (*n != ntrials)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("successes has %d elements, but trials %d", *n, ntrials),
				 errhint("Pass one element of both for each arm.")));
	if (*n > MAX_ARMS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("successes has %d elements, but no more than %d are allowed",
						*n, MAX_ARMS),
				 errhint("Leave out the arms that cannot be the best.")));
	for (int i = 0; i < *n; i++)
	{
		arms[i].successes = DatumGetInt64(won[i]);
		arms[i].trials = DatumGetInt64(tried[i]);
		if (arms[i].successes < 0 || arms[i].successes > arms[i].trials)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("successes[%d] is %lld, with %lld trials", i + 1,
							(long long) arms[i].successes,
							(long long) arms[i].trials),
					 errhint("There are at least 0 successes, and at most as many as trials.")));
	}
	return arms;
}

/*
 * probability_to_be_best(successes, trials)
 */
Datum
nudge_probability_to_be_best(PG_FUNCTION_ARGS)
{
	int			n;
	int64	   *best;
	BanditArm  *arms;
	Datum	   *result;
	pg_prng_state random;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	arms = arms_of_arrays(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_ARRAYTYPE_P(1), &n);
	best = palloc0(Max(n, 1) * sizeof(int64));
	result = palloc(Max(n, 1) * sizeof(Datum));
	pg_prng_seed(&random, PROBABILITY_SEED);
	for (int i = 0; i < DRAWS && n > 0; i++)
	{
		CHECK_FOR_INTERRUPTS();
		best[bandit_draw(arms, n, &random)]++;
	}
	for (int i = 0; i < n; i++)
		result[i] = Float8GetDatum((double) best[i] / DRAWS);
	PG_RETURN_ARRAYTYPE_P(construct_array(result, n, FLOAT8OID, sizeof(float8),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static double *
check_rates(ArrayType *array, int *n)
{
	Datum	   *elements = array_elements(array, "rates", FLOAT8OID, n);
	double	   *rates;

	if (*n < 2 || *n > MAX_ARMS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rates must have 2 to %d elements, not %d", MAX_ARMS, *n),
				 errhint("Pass the true rate of each arm, such as ARRAY[0.02, 0.05].")));
	rates = palloc(*n * sizeof(double));
	for (int i = 0; i < *n; i++)
	{
		rates[i] = DatumGetFloat8(elements[i]);
		if (isnan(rates[i]) || rates[i] < 0.0 || rates[i] > 1.0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("rates[%d] must be from 0 to 1, not %g", i + 1, rates[i]),
					 errhint("2 %% is 0.02.")));
	}
	return rates;
}

static void
check_not_null(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be null", name),
				 errhint("nudge.simulate_bandit(ARRAY[0.02, 0.05], 20000) is a good call.")));
}

static void
put_arms(ReturnSetInfo *result, const BanditArm *arms, const double *rates,
		 const int64 *recent, int n, int64 sends, int64 last)
{
	double		best = 0.0;

	for (int i = 0; i < n; i++)
		best = Max(best, rates[i]);
	for (int i = 0; i < n; i++)
	{
		Datum		values[7];
		bool		nulls[7] = {false};

		values[0] = Int32GetDatum(i + 1);
		values[1] = Float8GetDatum(rates[i]);
		values[2] = Int64GetDatum(arms[i].trials);
		values[3] = Int64GetDatum(arms[i].successes);
		values[4] = Float8GetDatum((double) arms[i].trials / sends);
		values[5] = Float8GetDatum((double) recent[i] / last);
		values[6] = Float8GetDatum(arms[i].trials * (best - rates[i]));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/*
 * simulate_bandit(rates, sends, seed)
 */
Datum
nudge_simulate_bandit(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"rates", "sends", "seed"};
	int			n;
	int			sends;
	int			last;
	double	   *rates;
	BanditArm  *arms;
	int64	   *recent;
	pg_prng_state random;

	for (int i = 0; i < lengthof(names); i++)
		check_not_null(fcinfo, i, names[i]);
	rates = check_rates(PG_GETARG_ARRAYTYPE_P(0), &n);
	sends = PG_GETARG_INT32(1);
	if (sends < 1 || sends > MAX_SENDS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("sends must be from 1 to %d, not %d", MAX_SENDS, sends),
				 errhint("Say how many messages are sent.")));
	InitMaterializedSRF(fcinfo, 0);

	arms = palloc0(n * sizeof(BanditArm));
	recent = palloc0(n * sizeof(int64));
	last = Max(sends / 10, 1);
	pg_prng_seed(&random, (uint64) PG_GETARG_INT64(2));
	for (int i = 0; i < sends; i++)
	{
		int			arm;

		CHECK_FOR_INTERRUPTS();
		arm = bandit_draw(arms, n, &random);
		arms[arm].trials++;
		if (pg_prng_double(&random) < rates[arm])
			arms[arm].successes++;
		if (i >= sends - last)
			recent[arm]++;
	}
	put_arms((ReturnSetInfo *) fcinfo->resultinfo, arms, rates, recent, n, sends,
			 last);
	return (Datum) 0;
}
