/*-------------------------------------------------------------------------
 *
 * user_path.h
 *	  Paths to attributes of users, outside of conditions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_USER_PATH_H
#define NUDGE_USER_PATH_H

#include "postgres.h"

#include "condition.h"

/* What is wrong with a path, and what to do */
typedef struct UserPathFault
{
	const char *message;
	const char *hint;
} UserPathFault;

/*
 * Reads a path such as profile.tier or email, by the rules for user_attribute.
 * False where it is none.  The result lives in the current memory context.
 */
extern bool user_path_read(const char *text, AttributePath *path,
						   UserPathFault *fault);

#endif							/* NUDGE_USER_PATH_H */
