/*-------------------------------------------------------------------------
 *
 * sync.h
 *	  Keeps nudge.users in step with an application's own table of users.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_SYNC_H
#define NUDGE_SYNC_H

#include "postgres.h"

#include "user_attributes.h"

/*
 * Places of attributes: columns of nudge.users that hold text, then its documents
 */
enum
{
	SYNC_EMAIL,
	SYNC_PHONE,
	SYNC_PUSH_TOKEN,
	SYNC_TIMEZONE,
	SYNC_LOCALE,
	SYNC_COLUMNS,
	SYNC_PROFILE = SYNC_COLUMNS,
	SYNC_BEHAVIOR,
	SYNC_PREFERENCES,
	SYNC_END
};

#define SYNC_DOCUMENTS (SYNC_END - SYNC_COLUMNS)

/* What of nudge.users is mapped */
typedef struct SyncMapped
{
	bool		columns[SYNC_COLUMNS];
	int			npaths[SYNC_DOCUMENTS];
	const char **paths[SYNC_DOCUMENTS];
} SyncMapped;

/* A value at a path of a document */
typedef struct SyncValue
{
	AttributeSteps path;
	JsonbValue	value;
} SyncValue;

/* What a row says of its user */
typedef struct SyncUser
{
	const text *user_id;
	text	   *columns[SYNC_COLUMNS];	/* NULL: none */
	int			nvalues[SYNC_DOCUMENTS];
	int			maxvalues[SYNC_DOCUMENTS];
	AttributeSteps *paths[SYNC_DOCUMENTS];
	JsonbValue *values[SYNC_DOCUMENTS];
} SyncUser;

typedef struct Sync Sync;
typedef struct SyncWriter SyncWriter;

/*
 * Place of an attribute, and in *path, for those in a document, the path in it:
 * "profile.first_name" has "first_name".
 */
extern int	sync_place(const char *attribute, const char **path);

extern void sync_mapped_path(SyncMapped *mapped, int place, const char *path);

/* What is wrong with a text for a column; NULL where nothing is. */
extern const char *sync_fault(int place, const text *value);

extern void sync_user_value(SyncUser *user, int document,
							const AttributeSteps *path, const JsonbValue *value);

/* Writes nudge.users, many rows at a time; mapped must live as long. */
extern SyncWriter *sync_writer_open(const SyncMapped *mapped);
extern void sync_writer_add(SyncWriter *writer, const SyncUser *user);

/* A row no longer belongs to a user, but to another one, or (NULL) to none. */
extern void sync_writer_depart(SyncWriter *writer, const text *old_user,
							   const text *new_user);

/* Gives users their new ids; before rows are added. */
extern void sync_writer_rename(SyncWriter *writer);

/* Writes what is left, and removes those who departed. */
extern void sync_writer_close(SyncWriter *writer);

/* Records an event sync_error. */
extern void sync_event(const text *user_id, const char *reason,
					   const char *table, const char *attribute,
					   const char *column, int64 rows);

#endif							/* NUDGE_SYNC_H */
