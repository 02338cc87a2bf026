/*-------------------------------------------------------------------------
 *
 * statistics.c
 *	  What figures need of mathematics that SQL does not have.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"

PG_FUNCTION_INFO_V1(nudge_two_proportion_test);

/*
 * nudge.two_proportion_test(successes1, trials1, successes2, trials2) → p: the
 * two-sided pooled z-test of whether two shares differ; NULL where a sample is empty
 * or holds more successes than trials.
 *
 * p = erfc(|z| / √2), z = (p1 − p2) / √(p (1 − p) (1/n1 + 1/n2)), p of both samples
 * together (Fleiss, Levin, Paik: Statistical Methods for Rates and Proportions, 3rd
 * ed., 3.2, without correction for continuity).
 */
Datum
nudge_two_proportion_test(PG_FUNCTION_ARGS)
{
	double		successes1 = PG_GETARG_INT64(0);
	double		trials1 = PG_GETARG_INT64(1);
	double		successes2 = PG_GETARG_INT64(2);
	double		trials2 = PG_GETARG_INT64(3);
	double		pooled;
	double		deviation;

	if (successes1 < 0 || successes1 > trials1 || trials1 <= 0 ||
		successes2 < 0 || successes2 > trials2 || trials2 <= 0)
		PG_RETURN_NULL();
	pooled = (successes1 + successes2) / (trials1 + trials2);
	deviation = sqrt(pooled * (1 - pooled) * (1 / trials1 + 1 / trials2));

	/* All or none in both: they are alike */
	if (deviation == 0)
		PG_RETURN_FLOAT8(1.0);
	PG_RETURN_FLOAT8(erfc(fabs(successes1 / trials1 - successes2 / trials2) /
						  deviation / M_SQRT2));
}

PG_FUNCTION_INFO_V1(nudge_wilson_low);
PG_FUNCTION_INFO_V1(nudge_wilson_high);

/*
 * A bound of the 95 % Wilson score interval of a share, the lower (side -1) or the
 * upper (side 1); more successes than trials count as all.
 *
 * E. B. Wilson: Probable inference, the law of succession, and statistical inference,
 * JASA 22 (1927).
 */
static double
wilson_bound(double successes, double trials, int side)
{
	const double z2 = 3.841458820694124;	/* square of the 97.5 % quantile */
	double		p = Min(Max(successes, 0), trials) / trials;
	double		bound = (p + z2 / (2 * trials) +
						 side * sqrt(z2 * (p * (1 - p) + z2 / (4 * trials)) / trials)) /
		(1 + z2 / trials);

	return Min(Max(bound, 0.0), 1.0);
}

/*
 * nudge.wilson_low(successes, trials), nudge.wilson_high: NULL without trials.
 */
Datum
nudge_wilson_low(PG_FUNCTION_ARGS)
{
	if (PG_GETARG_INT64(1) <= 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(wilson_bound(PG_GETARG_INT64(0), PG_GETARG_INT64(1), -1));
}

Datum
nudge_wilson_high(PG_FUNCTION_ARGS)
{
	if (PG_GETARG_INT64(1) <= 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(wilson_bound(PG_GETARG_INT64(0), PG_GETARG_INT64(1), 1));
}
