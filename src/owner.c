/*-------------------------------------------------------------------------
 *
 * owner.c
 *	  Runs our own statements as the owner of pg_nudge's tables.
 *
 * Checks across tables must see and lock rows that the user may have no
 * privilege on, as foreign keys do.  Only statements from src/queries run so, in
 * which every name is qualified.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "owner.h"

#include "miscadmin.h"
#include "relations.h"

void
owner_begin(OwnerScope *scope)
{
	Oid			owner = nudge_owner();

	GetUserIdAndSecContext(&scope->user, &scope->security_context);
	SetUserIdAndSecContext(owner,
						   scope->security_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
}

void
owner_end(const OwnerScope *scope)
{
	SetUserIdAndSecContext(scope->user, scope->security_context);
}
