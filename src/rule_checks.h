/*-------------------------------------------------------------------------
 *
 * rule_checks.h
 *	  Checks of what a rule consists of, whichever way it was written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_RULE_CHECKS_H
#define NUDGE_RULE_CHECKS_H

#include "postgres.h"

#include "condition.h"
#include "datatype/timestamp.h"
#include "faults.h"
#include "utils/array.h"
#include "utils/jsonb.h"

/* No document of a rule may be nested deeper. */
#define MAX_NESTING 64

/* Strings of an array or of a JSON array; NULL where an element is null */
typedef struct TextList
{
	int			n;
	char	  **items;
	const char *path;			/* of the whole, for faults */
	int			base;			/* subscript of the first element */
} TextList;

extern TextList text_list_from_array(Datum array, const char *path);
extern char *text_list_path(const TextList *list, int i);

extern void check_delay(FaultList *faults, const char *path,
						const Interval *delay);
extern void check_expiry(FaultList *faults, const char *path,
						 const Interval *expiry);
extern void check_fallback_after(FaultList *faults, const char *path,
								 const Interval *after);

/* An interval that must be greater than 0; the hint is for one that is not. */
extern void check_span(FaultList *faults, const char *path, const char *hint,
					   const Interval *span);

/* Lock the channels against removal until the end of the transaction. */
extern void check_channel(FaultList *faults, const char *path,
						  const char *channel);
extern void check_channels(FaultList *faults, const TextList *channels);

extern void check_cancel_on(FaultList *faults, const TextList *types);

/* Locks the segments against removal until the end of the transaction. */
extern void check_segments(FaultList *faults, const TextList *segments);

/*
 * Segments and rules that a condition refers to; path is that of the condition,
 * which may be empty.  own_name, if given, is a rule that is going to exist.
 */
extern void check_condition_references(FaultList *faults, const char *path,
									   const Condition *condition,
									   const char *own_name);

/*
 * The same for lifecycle stages, apart since stages may refer to each other and are
 * checked when all are there
 */
extern void check_condition_stages(FaultList *faults, const char *path,
								   const Condition *condition);

/* required, and the keys that the engine knows; path is that of the object */
extern void check_personalization(FaultList *faults, const char *path,
								  Jsonb *personalization);
extern void check_topic(FaultList *faults, const char *path, const char *topic);

/* 0 to 100 */
extern void check_percent(FaultList *faults, const char *path, double percent);
extern void check_max_messages(FaultList *faults, const char *path,
							   int64 max_messages);

#endif							/* NUDGE_RULE_CHECKS_H */
