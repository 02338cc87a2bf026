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
 * Keeps rows back and appends many at a time, which costs less.  They are there
 * after appender_close only.
 */
extern void appender_set_buffered(Appender *appender);

/* Appends a row; values and nulls are those of the first nsupplied columns. */
extern void appender_insert(Appender *appender, const Datum *values, const bool *nulls);

extern void appender_close(Appender *appender);

#endif							/* NUDGE_APPEND_H */
