/*-------------------------------------------------------------------------
 *
 * faults.h
 *	  Faults of a rule, gathered so that all are reported at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_FAULTS_H
#define NUDGE_FAULTS_H

#include "postgres.h"

#include "nodes/pg_list.h"

typedef struct Fault
{
	int			sqlstate;
	char	   *path;			/* where, for example "conditions[1].operator" */
	char	   *message;		/* what is wrong, naming the bad thing */
	char	   *hint;			/* what is allowed, or NULL */
} Fault;

typedef struct FaultList
{
	List	   *faults;			/* of Fault, in the order they were found */
} FaultList;

extern void fault_add(FaultList *list, int sqlstate, const char *path,
					  const char *hint, const char *fmt,...) pg_attribute_printf(5, 6);

/* Raises one error that tells of all faults; returns if there are none. */
extern void fault_report(const FaultList *list, const char *what);

#endif							/* NUDGE_FAULTS_H */
