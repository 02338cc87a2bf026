/*-------------------------------------------------------------------------
 *
 * append.h
 *	  Appends rows to pg_nudge's own tables, below SQL.
 *
 * The insert path and the executor append to tables that have no triggers, no
 * row security and no foreign keys, so they can do without the planner and the
 * privilege checks of INSERT.  Constraints of the tables are the caller's duty.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_APPEND_H
#define NUDGE_APPEND_H

#include "postgres.h"

typedef struct Appender Appender;

/*
 * Opens a plain or partitioned table (RowExclusiveLock) in the current context.
 * Rows are given with their first nsupplied columns; those that somebody added
 * after them get their defaults.
 */
extern Appender *appender_open(Oid relid, int nsupplied);

/*
 * Rows are given with nlater more columns, which came with later versions and are
 * found by name; those that the table does not have are let go.
 */
extern void appender_later_columns(Appender *appender,
								   const char *const *names, int nlater);

/*
 * Keeps rows back and appends many at a time, which costs less.  They are there
 * after appender_close only.
 */
extern void appender_set_buffered(Appender *appender);

/* Appends a row; values and nulls are those of the columns supplied. */
extern void appender_insert(Appender *appender, const Datum *values, const bool *nulls);

extern void appender_close(Appender *appender);

#endif							/* NUDGE_APPEND_H */
