/*-------------------------------------------------------------------------
 *
 * segment_sql.h
 *	  Segments as SQL queries.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_SEGMENT_SQL_H
#define NUDGE_SEGMENT_SQL_H

#include "postgres.h"

#include "rules.h"

/*
 * A query for the user ids of a segment; result is what it selects of them.  The
 * search path is to be pg_catalog.
 */
extern char *segment_query(const Rules *rules, const Segment *segment,
						   TimestampTz now, const char *result);

#endif							/* NUDGE_SEGMENT_SQL_H */
