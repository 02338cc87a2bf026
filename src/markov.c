/*-------------------------------------------------------------------------
 *
 * markov.c
 *	  Removal effects of the states of a Markov chain, for attribution.
 *
 * Journeys are walks from a start through states (rules) to one of two ends,
 * conversion or none.  The removal effect of a state is the part of all
 * conversions that would be lost if whoever gets to the state were lost there:
 * E. Anderl, I. Becker, F. von Wangenheim, J. H. Schumann, "Mapping the customer
 * journey: Lessons learned from graph-based online attribution modeling",
 * International Journal of Research in Marketing 33 (2016), first-order chain.
 *
 * Let C be the steps counted from state to state, D the diagonal matrix of all
 * steps out of each state, c those to conversion, s those from the start, and
 * M = inverse(D - C).  Then x = M c is the probability of conversion from each
 * state, and (s M)[i] / M[i][i] that of ever getting to state i, times the number
 * of journeys.  A walk that converts either gets to i and converts from there, or
 * never gets to i, so that one inversion has all removal effects:
 *
 *		effect[i] = (s M)[i] / M[i][i] * x[i] / (s x)
 *
 * D - C is a weakly chained diagonally dominant M-matrix if an end can be reached
 * from each state.  Elimination needs no pivoting then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

/* The matrix has to fit one allocation, and time grows with the third power. */
#define MOST_STATES 5000

PG_FUNCTION_INFO_V1(nudge_removal_effects);

typedef struct Chain
{
	int			n;				/* states */
	double	   *matrix;			/* n by n: D - C, then its inverse */
	double	   *from_start;		/* s */
	double	   *to_conversion;	/* c */
} Chain;

/* Elements of an array of one dimension without nulls; NULL if it is none. */
static void *
elements(ArrayType *array, int n)
{
	if (ARR_HASNULL(array) || ARR_NDIM(array) > 1 ||
		ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) != n)
		return NULL;
	return ARR_DATA_PTR(array);
}

static int
count_states(const int32 *sources, const int32 *targets, int nsteps)
{
	int			n = 0;

	for (int i = 0; i < nsteps; i++)
		n = Max(n, Max(sources[i], targets[i]));
	if (n > MOST_STATES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many states for a Markov chain: %d", n),
				 errdetail("There can be %d at most.", MOST_STATES),
				 errhint("Use a model of another kind.")));
	return n;
}

static void
count_step(Chain *chain, int32 source, int32 target, double times)
{
	if (source < 0 || target < -1 || (source == 0 && target <= 0) ||
		!(times > 0 && times <= 1e15))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid step of a journey from %d to %d, %g times",
						source, target, times),
				 errdetail("A step goes from a state or the start (0) to a state, or from a state to conversion (0) or none (-1)."),
				 errhint("Number states from 1.")));
	if (source == 0)
	{
		chain->from_start[target - 1] += times;
		return;
	}
	if (target > 0)
		chain->matrix[(Size) (source - 1) * chain->n + target - 1] -= times;
	else if (target == 0)
		chain->to_conversion[source - 1] += times;
	chain->matrix[(Size) (source - 1) * chain->n + source - 1] += times;
}

/* Replaces the matrix by its inverse, in place, by Gauss-Jordan elimination. */
static void
invert(double *matrix, int n)
{
	for (int k = 0; k < n; k++)
	{
		double	   *pivot_row = matrix + (Size) k * n;
		double		pivot = pivot_row[k];

		CHECK_FOR_INTERRUPTS();
		if (!(pivot > 0))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("no journey ends after state %d of the Markov chain", k + 1),
					 errhint("Pass whole journeys, each with its last step to conversion (0) or none (-1).")));
		pivot_row[k] = 1;
		for (int j = 0; j < n; j++)
			pivot_row[j] /= pivot;
		for (int i = 0; i < n; i++)
		{
			double	   *row = matrix + (Size) i * n;
			double		factor = row[k];

			if (i == k || factor == 0)
				continue;
			row[k] = 0;
			for (int j = 0; j < n; j++)
				row[j] -= factor * pivot_row[j];
		}
	}
}

static ArrayType *
removal_effects(const Chain *chain)
{
	int			n = chain->n;
	Datum	   *effects = palloc(Max(n, 1) * sizeof(Datum));
	double	   *reach = palloc0(Max(n, 1) * sizeof(double));	/* s M */
	double	   *converts = palloc0(Max(n, 1) * sizeof(double)); /* x */
	double		conversions = 0;

	for (int i = 0; i < n; i++)
	{
		const double *row = chain->matrix + (Size) i * n;

		for (int j = 0; j < n; j++)
		{
			converts[i] += row[j] * chain->to_conversion[j];
			reach[j] += chain->from_start[i] * row[j];
		}
		conversions += chain->from_start[i] * converts[i];
	}
	for (int i = 0; i < n; i++)
	{
		double		effect = 0;

		if (conversions > 0)
			effect = reach[i] / chain->matrix[(Size) i * n + i] *
				converts[i] / conversions;
		effects[i] = Float8GetDatum(Min(Max(effect, 0), 1));
	}
	return construct_array(effects, n, FLOAT8OID, sizeof(float8),
						   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/*
 * removal_effects(sources integer[], targets integer[], times float8[]) float8[]:
 * the steps of all journeys, each kind of step with its number; states are numbered
 * from 1, source 0 is the start, target 0 conversion, target -1 the other end.
 * Element i of the result is the removal effect of state i, 0 where nothing
 * converts.  22023: arrays that do not fit, steps that cannot be, states without
 * an end; 54000: too many states.
 */
Datum
nudge_removal_effects(PG_FUNCTION_ARGS)
{
	ArrayType  *times_array = PG_GETARG_ARRAYTYPE_P(2);
	int			nsteps = ArrayGetNItems(ARR_NDIM(times_array), ARR_DIMS(times_array));
	const int32 *sources = elements(PG_GETARG_ARRAYTYPE_P(0), nsteps);
	const int32 *targets = elements(PG_GETARG_ARRAYTYPE_P(1), nsteps);
	const float8 *times = elements(times_array, nsteps);
	Chain		chain;

	if (sources == NULL || targets == NULL || times == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("sources, targets and times must be arrays of the same length without nulls"),
				 errhint("Pass an element for each kind of step.")));
	chain.n = count_states(sources, targets, nsteps);
	chain.matrix = palloc0(Max((Size) chain.n * chain.n, 1) * sizeof(double));
	chain.from_start = palloc0(Max(chain.n, 1) * sizeof(double));
	chain.to_conversion = palloc0(Max(chain.n, 1) * sizeof(double));
	for (int i = 0; i < nsteps; i++)
		count_step(&chain, sources[i], targets[i], times[i]);
	invert(chain.matrix, chain.n);
	PG_RETURN_ARRAYTYPE_P(removal_effects(&chain));
}
