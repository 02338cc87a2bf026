/*-------------------------------------------------------------------------
 *
 * segment_graph.h
 *	  Segments whose conditions ask for other segments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_SEGMENT_GRAPH_H
#define NUDGE_SEGMENT_GRAPH_H

#include "postgres.h"

#include "rules.h"

/* So many segments may stand one within the other. */
#define SEGMENT_MAX_LEVELS 64

typedef enum SegmentGraphFault
{
	SEGMENTS_GOOD,
	SEGMENTS_CIRCULAR,
	SEGMENTS_TOO_DEEP
} SegmentGraphFault;

/* Segments that a segment's conditions name, as a list of C strings */
extern List *segment_references(const Segment *segment);

/*
 * Marks segments as broken that contain themselves, or too many levels: what is
 * left can be scored by recursion.
 */
extern void segments_break_circles(Rules *rules);

/* Does a segment contain itself, or is it one level too many for another? */
extern SegmentGraphFault segments_fault(const Rules *rules,
										const Segment *segment);

#endif							/* NUDGE_SEGMENT_GRAPH_H */
