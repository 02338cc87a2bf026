/*-------------------------------------------------------------------------
 *
 * bandit.c
 *	  Thompson sampling: an arm is drawn as often as it is probably the best.
 *
 * W. R. Thompson, "On the likelihood that one unknown probability exceeds another
 * in view of the evidence of two samples", Biometrika 25 (1933).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bandit.h"

#include <math.h>

/*
 * Normally distributed, by Marsaglia's polar method
 */
static double
sample_normal(pg_prng_state *random)
{
	double		u;
	double		v;
	double		square;

	do
	{
		u = 2.0 * pg_prng_double(random) - 1.0;
		v = 2.0 * pg_prng_double(random) - 1.0;
		square = u * u + v * v;
	} while (square >= 1.0 || square == 0.0);
	return u * sqrt(-2.0 * log(square) / square);
}

/*
 * Gamma distributed with a shape of at least 1.  G. Marsaglia and W. W. Tsang, "A
 * simple method for generating gamma variables", ACM TOMS 26 (2000).
 */
static double
sample_gamma(double shape, pg_prng_state *random)
{
	double		d = shape - 1.0 / 3.0;
	double		c = 1.0 / sqrt(9.0 * d);

	Assert(shape >= 1.0);
	for (;;)
	{
		double		x = sample_normal(random);
		double		v = 1.0 + c * x;
		double		u;

		if (v <= 0.0)
			continue;
		v = v * v * v;
		u = 1.0 - pg_prng_double(random);	/* never 0 */
		if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
			return d * v;
	}
}

double
bandit_sample(const BanditArm *arm, pg_prng_state *random)
{
	double		for_it = sample_gamma(1.0 + arm->successes, random);
	double		against = sample_gamma(1.0 + (arm->trials - arm->successes), random);

	return for_it / (for_it + against);
}

int
bandit_draw(const BanditArm *arms, int n, pg_prng_state *random)
{
	double		highest = -1.0;
	int			best = 0;

	for (int i = 0; i < n; i++)
	{
		double		draw = bandit_sample(&arms[i], random);

		if (draw > highest)
		{
			highest = draw;
			best = i;
		}
	}
	return best;
}

int
bandit_draw_value(const BanditArm *arms, int n, pg_prng_state *random)
{
	double		value = 0.0;
	double		successes = 0.0;
	double		mean;
	double		highest = -1.0;
	int			best = 0;

	for (int i = 0; i < n; i++)
	{
		value += arms[i].value;
		successes += arms[i].successes;
	}
	mean = value > 0.0 && successes > 0.0 ? value / successes : 1.0;

	for (int i = 0; i < n; i++)
	{
		double		worth = (arms[i].value + mean) / (arms[i].successes + 1.0);
		double		draw = bandit_sample(&arms[i], random) * worth;

		if (draw > highest)
		{
			highest = draw;
			best = i;
		}
	}
	return best;
}
