/*-------------------------------------------------------------------------
 *
 * condition_sql.h
 *	  Conditions on users as SQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CONDITION_SQL_H
#define NUDGE_CONDITION_SQL_H

#include "postgres.h"

#include "condition.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "rules.h"

/*
 * How much an expression has to say: all three values, or no more than whether it
 * is true.  The latter leaves room for tests that an index can answer.
 */
typedef enum SqlSense
{
	SQL_EXACT,
	SQL_TRUE_ONLY
} SqlSense;

/*
 * Appends an expression over a row u of nudge.users: true where the condition
 * scores yes, false where it scores no, null where it cannot be computed.  Groups
 * and conditions on segments are the caller's.  The search path is to be
 * pg_catalog.
 */
extern void condition_to_sql(StringInfo sql, const Condition *condition,
							 const WrittenCondition *written,
							 const Rules *rules, TimestampTz now,
							 SqlSense sense);

#endif							/* NUDGE_CONDITION_SQL_H */
