/*-------------------------------------------------------------------------
 *
 * reentry.c
 *	  Whether a user may enter a rule again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "reentry.h"

void
check_reentry(FaultList *faults, const char *path, const Jsonb *document)
{
}

void
reentry_read(Reentry *reentry, const Jsonb *document)
{
	reentry->kind = REENTRY_ALWAYS;
}
