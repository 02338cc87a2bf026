/*-------------------------------------------------------------------------
 *
 * user.h
 *	  A row of nudge.users in hand.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_USER_H
#define NUDGE_USER_H

#include "postgres.h"

#include "access/htup.h"
#include "access/tupdesc.h"
#include "condition.h"

/* Columns of nudge.users, as 02_config_tables.sql creates them */
enum
{
	Anum_users_user_id = 1,
	Anum_users_email,
	Anum_users_phone,
	Anum_users_push_token,
	Anum_users_timezone,
	Anum_users_locale,
	Anum_users_profile,
	Anum_users_behavior,
	Anum_users_preferences,
	Anum_users_created_at,
	Anum_users_updated_at,

	/* Since 0.3.0: found by name, then in this order */
	Anum_users_lifecycle_stage,
	Natts_users = Anum_users_lifecycle_stage
};

#define NFIRST_USERS Anum_users_updated_at

typedef struct UserRow
{
	bool		found;
	Datum		values[Natts_users];
	bool		nulls[Natts_users];
} UserRow;

/* The later column, for nudge_column */
#define USERS_STAGE_COLUMN "lifecycle_stage"

/*
 * The columns of a tuple of nudge.users, to which they point; stage is the number
 * of USERS_STAGE_COLUMN, or 0.
 */
extern void user_from_tuple(UserRow *user, HeapTuple tuple, TupleDesc desc,
							AttrNumber stage);

/* The time zone as a C string; NULL where there is none. */
extern char *user_timezone(const UserRow *user);

/* The document at a root of user_attribute, of a user who has a row */
extern Jsonb *user_document(const UserRow *user, AttributeRoot root);

/* Value of a user_attribute; false where it is missing or null. */
extern bool user_attribute(const UserRow *user, const AttributePath *path,
						   JsonbValue *value);

/* Whether nudge.users takes it for a time zone: the name of one, no rule (user_triggers.c) */
extern bool is_iana_timezone(const char *name);

#endif							/* NUDGE_USER_H */
