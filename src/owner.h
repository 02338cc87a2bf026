/*-------------------------------------------------------------------------
 *
 * owner.h
 *	  Runs our own statements as the owner of pg_nudge's tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_OWNER_H
#define NUDGE_OWNER_H

#include "postgres.h"

typedef struct OwnerScope
{
	Oid			user;
	int			security_context;
} OwnerScope;

/*
 * Everything in between runs as the owner.  An error needs no care: the end of
 * the (sub)transaction gives the user id back.
 */
extern void owner_begin(OwnerScope *scope);
extern void owner_end(const OwnerScope *scope);

#endif							/* NUDGE_OWNER_H */
