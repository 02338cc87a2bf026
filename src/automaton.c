/*-------------------------------------------------------------------------
 *
 * automaton.c
 *	  Finds which of many substrings occur in a text, in one pass.
 *
 * This is the automaton of Aho and Corasick, "Efficient String Matching: An Aid
 * to Bibliographic Search" (CACM 18:6, 1975), over a head of each pattern: the
 * shortest head that no other pattern shares, or the whole pattern.  Where a
 * head is found the rest is compared with the text.  Patterns of a marketing
 * database share long heads ("/products/…") and differ soon after, so that the
 * automaton has a few states a pattern and stays in the processor's caches.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "automaton.h"

#include "miscadmin.h"

/* Nodes with more edges than this get a table of all 256 */
#define MAX_SPARSE_EDGES 12

/* A search looks for interrupts every so many bytes */
#define INTERRUPT_BYTES 4096

#define NO_NODE (-1)
#define NO_PATTERN (-1)

typedef struct State
{
	int32		fail;			/* longest proper suffix that is a node */
	int32		pattern;		/* whose head ends here */
	int32		report;			/* nearest node on the fail path, this one
								 * included, where a head ends */
	int32		edges;			/* first edge, or table of 256 targets */
	int16		nedges;			/* -1: edges is a table */
	bool		whole;			/* heads reported from here are whole patterns */
} State;

struct Automaton
{
	const Bytes *patterns;
	int		   *head_lengths;
	State	   *nodes;
	int			nnodes;
	unsigned char *edge_bytes;
	int32	   *edge_targets;
	int32	   *tables;
	int32		root[256];		/* targets of the root, itself included */

	/* By state: the last search that reported it and all behind it */
	uint64	   *reported;
	uint64		search;
};

/* The trie while it is built: children as linked lists */
typedef struct TrieNode
{
	int32		first_child;
	int32		next_sibling;
	int32		pattern;
	int32		depth;
	unsigned char byte;
} TrieNode;

typedef struct Trie
{
	TrieNode   *nodes;
	int			nnodes;
	int			maxnodes;
} Trie;

static int32
trie_add(Trie *trie, int32 parent, unsigned char byte)
{
	TrieNode   *node;

	if (trie->nnodes == trie->maxnodes)
	{
		trie->maxnodes *= 2;
		trie->nodes = repalloc_huge(trie->nodes,
									(Size) trie->maxnodes * sizeof(TrieNode));
	}
	node = &trie->nodes[trie->nnodes];
	node->first_child = NO_NODE;
	node->pattern = NO_PATTERN;
	node->byte = byte;
	if (parent == NO_NODE)
	{
		node->next_sibling = NO_NODE;
		node->depth = 0;
	}
	else
	{
		node->next_sibling = trie->nodes[parent].first_child;
		node->depth = trie->nodes[parent].depth + 1;
		trie->nodes[parent].first_child = trie->nnodes;
	}
	return trie->nnodes++;
}

static int32
trie_child(const Trie *trie, int32 parent, unsigned char byte)
{
	int32		child = trie->nodes[parent].first_child;

	while (child != NO_NODE && trie->nodes[child].byte != byte)
		child = trie->nodes[child].next_sibling;
	return child;
}

static int
compare_patterns(const void *a, const void *b, void *arg)
{
	const Bytes *patterns = arg;
	Bytes		left = patterns[*(const int *) a];
	Bytes		right = patterns[*(const int *) b];
	int			result = memcmp(left.data, right.data,
								Min(left.length, right.length));

	return result != 0 ? result : left.length - right.length;
}

static int
common_length(Bytes a, Bytes b)
{
	int			limit = Min(a.length, b.length);
	int			n = 0;

	while (n < limit && a.data[n] == b.data[n])
		n++;
	return n;
}

/*
 * Sorted, a pattern shares its longest head with a neighbour; one byte more
 * tells it from all others.
 */
static int *
measure_heads(const Bytes *patterns, int npatterns)
{
	int		   *order = palloc(npatterns * sizeof(int));
	int		   *lengths = palloc(npatterns * sizeof(int));

	for (int i = 0; i < npatterns; i++)
		order[i] = i;
	qsort_arg(order, npatterns, sizeof(int), compare_patterns,
			  (void *) patterns);

	for (int i = 0; i < npatterns; i++)
	{
		Bytes		pattern = patterns[order[i]];
		int			shared = 0;

		if (i > 0)
			shared = common_length(pattern, patterns[order[i - 1]]);
		if (i < npatterns - 1)
			shared = Max(shared,
						 common_length(pattern, patterns[order[i + 1]]));
		lengths[order[i]] = Min(shared + 1, pattern.length);
	}
	pfree(order);
	return lengths;
}

static void
build_trie(Trie *trie, const Bytes *patterns, const int *lengths, int npatterns)
{
	trie->maxnodes = 256;
	trie->nnodes = 0;
	trie->nodes = palloc(trie->maxnodes * sizeof(TrieNode));
	trie_add(trie, NO_NODE, 0);

	for (int i = 0; i < npatterns; i++)
	{
		int32		node = 0;

		for (int j = 0; j < lengths[i]; j++)
		{
			unsigned char byte = (unsigned char) patterns[i].data[j];
			int32		child = trie_child(trie, node, byte);

			node = child != NO_NODE ? child : trie_add(trie, node, byte);
		}
		trie->nodes[node].pattern = i;
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Turns the trie's lists of children into runs of edges and tables.
 */
static void
lay_out_edges(Automaton *automaton, const Trie *trie)
{
	int			nsparse = 0;
	int			ntables = 0;
	int			edge = 0;
	int			table = 0;

	automaton->nnodes = trie->nnodes;
	automaton->nodes = palloc_extended((Size) trie->nnodes * sizeof(State),
									   MCXT_ALLOC_HUGE);

	for (int i = 0; i < trie->nnodes; i++)
	{
		State	   *node = &automaton->nodes[i];
		int			n = 0;

		for (int32 child = trie->nodes[i].first_child; child != NO_NODE;
			 child = trie->nodes[child].next_sibling)
			n++;
		node->pattern = trie->nodes[i].pattern;
		node->nedges = n > MAX_SPARSE_EDGES ? -1 : n;
		if (n > MAX_SPARSE_EDGES)
			ntables++;
		else
			nsparse += n;
	}

	automaton->edge_bytes = palloc(nsparse + 1);
	automaton->edge_targets = palloc_extended((nsparse + 1) * sizeof(int32),
											  MCXT_ALLOC_HUGE);
	automaton->tables = palloc_extended((Size) ntables * 256 * sizeof(int32) + 1,
										MCXT_ALLOC_HUGE);

	for (int i = 0; i < trie->nnodes; i++)
	{
		State	   *node = &automaton->nodes[i];

		if (node->nedges < 0)
		{
			node->edges = table;
			memset(automaton->tables + table, -1, 256 * sizeof(int32));
			table += 256;
		}
		else
			node->edges = edge;
		for (int32 child = trie->nodes[i].first_child; child != NO_NODE;
			 child = trie->nodes[child].next_sibling)
		{
			if (node->nedges < 0)
				automaton->tables[node->edges + trie->nodes[child].byte] = child;
			else
			{
				automaton->edge_bytes[edge] = trie->nodes[child].byte;
				automaton->edge_targets[edge] = child;
				edge++;
			}
		}
	}
}

static inline int32
follow(const Automaton *automaton, int32 from, unsigned char byte)
{
	const State *node = &automaton->nodes[from];

	if (node->nedges < 0)
		return automaton->tables[node->edges + byte];
	for (int i = 0; i < node->nedges; i++)
	{
		if (automaton->edge_bytes[node->edges + i] == byte)
			return automaton->edge_targets[node->edges + i];
	}
	return NO_NODE;
}

/* Where the automaton goes from a node by a byte, over fail links if need be. */
static inline int32
step(const Automaton *automaton, int32 node, unsigned char byte)
{
	while (node != 0)
	{
		int32		next = follow(automaton, node, byte);

		if (next != NO_NODE)
			return next;
		node = automaton->nodes[node].fail;
	}
	return automaton->root[byte];
}

/*
 * Sets fail and report, breadth first, so that those of shorter heads are known.
 */
static void
link_failures(Automaton *automaton, const Trie *trie)
{
	int32	   *queue = palloc_extended((Size) trie->nnodes * sizeof(int32),
										MCXT_ALLOC_HUGE);
	int			head = 0;
	int			tail = 0;

	automaton->nodes[0].fail = 0;
	automaton->nodes[0].report = NO_NODE;
	automaton->nodes[0].whole = true;
	memset(automaton->root, 0, sizeof(automaton->root));
	for (int32 child = trie->nodes[0].first_child; child != NO_NODE;
		 child = trie->nodes[child].next_sibling)
		automaton->root[trie->nodes[child].byte] = child;

	queue[tail++] = 0;
	while (head < tail)
	{
		int32		parent = queue[head++];

		for (int32 child = trie->nodes[parent].first_child; child != NO_NODE;
			 child = trie->nodes[child].next_sibling)
		{
			State	   *node = &automaton->nodes[child];

			node->fail = parent == 0 ? 0 :
				step(automaton, automaton->nodes[parent].fail,
					 trie->nodes[child].byte);
			node->report = node->pattern != NO_PATTERN ? child :
				automaton->nodes[node->fail].report;
			node->whole = automaton->nodes[node->fail].whole &&
				(node->pattern == NO_PATTERN ||
				 automaton->head_lengths[node->pattern] ==
				 automaton->patterns[node->pattern].length);
			queue[tail++] = child;
		}
		CHECK_FOR_INTERRUPTS();
	}
	pfree(queue);
}

Automaton *
automaton_build(const Bytes *patterns, int npatterns)
{
	Automaton  *automaton = palloc0(sizeof(Automaton));
	Trie		trie;

	automaton->patterns = patterns;
	automaton->head_lengths = measure_heads(patterns, npatterns);
	build_trie(&trie, patterns, automaton->head_lengths, npatterns);
	lay_out_edges(automaton, &trie);
	link_failures(automaton, &trie);
	automaton->reported = palloc_extended((Size) trie.nnodes * sizeof(uint64),
										  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	pfree(trie.nodes);
	return automaton;
}

/*
 * Reports the patterns whose head ends before text[end].  Where only whole
 * patterns are left to report and they have been reported for this text before,
 * there is no need to go on: patterns that are part of each other would
 * otherwise cost their number at each byte.
 */
static void
report(Automaton *automaton, int32 at, const char *text, int end,
	   int length, AutomatonMatch match, void *arg)
{
	while (at != NO_NODE)
	{
		const State *node = &automaton->nodes[at];
		int			pattern = node->pattern;
		int			head = automaton->head_lengths[pattern];
		int			rest = automaton->patterns[pattern].length - head;

		if (node->whole)
		{
			if (automaton->reported[at] == automaton->search)
				return;
			automaton->reported[at] = automaton->search;
		}
		if (rest <= length - end &&
			memcmp(automaton->patterns[pattern].data + head, text + end,
				   rest) == 0)
			match(pattern, arg);
		at = automaton->nodes[node->fail].report;
	}
}

void
automaton_search(Automaton *automaton, const char *text, int length,
				 AutomatonMatch match, void *arg)
{
	int32		node = 0;

	automaton->search++;
	for (int i = 0; i < length; i++)
	{
		node = step(automaton, node, (unsigned char) text[i]);
		if (automaton->nodes[node].report != NO_NODE)
			report(automaton, automaton->nodes[node].report, text, i + 1,
				   length, match, arg);
		if (i % INTERRUPT_BYTES == 0)
			CHECK_FOR_INTERRUPTS();
	}
}
