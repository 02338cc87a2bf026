/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  SPI plans that are prepared once a backend.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan.h"

#include "nodes/parsenodes.h"

SPIPlanPtr
plan_get(SPIPlanPtr *slot, const char *query, int nargs, const Oid *types)
{
	SPIPlanPtr	plan;

	if (*slot != NULL)
		return *slot;
	plan = SPI_prepare_cursor(query, nargs, (Oid *) types,
							  CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_keepplan failed");
	*slot = plan;
	return plan;
}
