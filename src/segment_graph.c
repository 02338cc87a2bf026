/*-------------------------------------------------------------------------
 *
 * segment_graph.c
 *	  Segments whose conditions ask for other segments.
 *
 * A segment has one level more than the highest of those that it refers to.
 * Levels are found in rounds and not by recursion, as there may be any number of
 * segments, one within the other: each round lets them grow by one, and what
 * still grows after the highest level that is allowed is too deep, or circular.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "segment_graph.h"

#include "miscadmin.h"
#include "utils/memutils.h"

/* A segment and those that it refers to, by their places */
typedef struct SegmentNode
{
	int			nreferences;
	int		   *references;
	int			level;
	bool		contains;		/* the segment that is asked about */
} SegmentNode;

List *
segment_references(const Segment *segment)
{
	List	   *names = NIL;

	for (int i = 0; i < segment->nconditions; i++)
		names = condition_segments(&segment->conditions[i], names);
	return names;
}

/*
 * Names that are no segments lead nowhere.
 */
static void
set_references(const Rules *rules, SegmentNode *node, List *names)
{
	ListCell   *lc;

	node->nreferences = 0;
	node->references = palloc(Max(list_length(names), 1) * sizeof(int));
	foreach(lc, names)
	{
		const Segment *segment = rules_find_segment(rules, lfirst(lc));

		if (segment != NULL)
			node->references[node->nreferences++] = segment->ordinal;
	}
}

static bool
raise_level(SegmentNode *nodes, int i)
{
	int			level = 1;

	for (int j = 0; j < nodes[i].nreferences; j++)
		level = Max(level, nodes[nodes[i].references[j]].level + 1);
	if (level <= nodes[i].level)
		return false;
	nodes[i].level = level;
	return true;
}

/*
 * Levels above the highest that is allowed are not told apart.
 */
static void
find_levels(SegmentNode *nodes, int n)
{
	bool		raised = true;

	for (int round = 0; round <= SEGMENT_MAX_LEVELS && raised; round++)
	{
		CHECK_FOR_INTERRUPTS();
		raised = false;
		for (int i = 0; i < n; i++)
			raised |= raise_level(nodes, i);
	}
}

static SegmentNode *
make_nodes(const Rules *rules)
{
	SegmentNode	   *nodes = palloc0(Max(rules->nsegments, 1) * sizeof(SegmentNode));

	for (int i = 0; i < rules->nsegments; i++)
		set_references(rules, &nodes[i],
					   segment_references(&rules->segments[i]));
	return nodes;
}

void
segments_break_circles(Rules *rules)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "pg_nudge segments",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	SegmentNode	   *nodes = make_nodes(rules);

	find_levels(nodes, rules->nsegments);
	for (int i = 0; i < rules->nsegments; i++)
	{
		if (nodes[i].level > SEGMENT_MAX_LEVELS)
			rules->segments[i].broken = true;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/*
 * Marks the segments that contain a segment, itself among them.
 */
static void
find_containing(SegmentNode *nodes, int n, int place)
{
	bool		found = true;

	nodes[place].contains = true;
	while (found)
	{
		CHECK_FOR_INTERRUPTS();
		found = false;
		for (int i = 0; i < n; i++)
		{
			for (int j = 0; j < nodes[i].nreferences && !nodes[i].contains; j++)
			{
				nodes[i].contains = nodes[nodes[i].references[j]].contains;
				found |= nodes[i].contains;
			}
		}
	}
}

SegmentGraphFault
segments_fault(const Rules *rules, const Segment *segment)
{
	SegmentNode *nodes = make_nodes(rules);
	SegmentNode *node = &nodes[segment->ordinal];

	find_containing(nodes, rules->nsegments, segment->ordinal);
	for (int i = 0; i < node->nreferences; i++)
	{
		if (nodes[node->references[i]].contains)
			return SEGMENTS_CIRCULAR;
	}
	find_levels(nodes, rules->nsegments);
	for (int i = 0; i < rules->nsegments; i++)
	{
		if (nodes[i].contains && nodes[i].level > SEGMENT_MAX_LEVELS)
			return SEGMENTS_TOO_DEEP;
	}
	return SEGMENTS_GOOD;
}
