/*-------------------------------------------------------------------------
 *
 * plan.h
 *	  SPI plans that are prepared once a backend.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_PLAN_H
#define NUDGE_PLAN_H

#include "postgres.h"

#include "executor/spi.h"

/*
 * The plan in *slot, prepared first if there is none.  SPI must be connected.
 * The plan is made without a look at the parameters: ours are arrays whose
 * lengths vary, which would be planned anew each time.
 */
extern SPIPlanPtr plan_get(SPIPlanPtr *slot, const char *query, int nargs,
						   const Oid *types);

#endif							/* NUDGE_PLAN_H */
