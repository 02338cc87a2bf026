/*-------------------------------------------------------------------------
 *
 * path_index.h
 *	  Entries filed under a value at a path of a JSON document.
 *
 * Paths form a tree by their steps.  A search goes through the tree and the document
 * together, at each object by whichever has fewer keys there, so that it costs no more
 * than the document has members, however many paths there are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_PATH_INDEX_H
#define NUDGE_PATH_INDEX_H

#include "postgres.h"

#include "condition.h"

/* A search goes as deep as the longest path; this keeps it off the stack's limit. */
#define PATH_INDEX_MAX_STEPS 64

typedef struct PathIndex PathIndex;

/* An index with nothing in it, in the current memory context */
extern PathIndex *path_index_make(void);

/*
 * The entry for a value at a path of at most PATH_INDEX_MAX_STEPS, made in the current memory context (zeroed, of
 * that size) if it is new; NULL where no value equals it (null, say).  Steps are
 * pointed to, not copied.
 */
extern void *path_index_entry(PathIndex *index, const PathStep *steps, int nsteps,
							  const JsonbValue *value, Size size);

/* Calls found for each entry whose value the document has at its path. */
extern void path_index_search(const PathIndex *index, JsonbContainer *document,
							  void (*found) (void *entry, void *arg), void *arg);

/* The same where what has values by the first step is not a document. */
typedef bool (*PathFetch) (const PathStep *step, JsonbValue *value, const void *source);
extern void path_index_search_by(const PathIndex *index, PathFetch fetch,
								 const void *source,
								 void (*found) (void *entry, void *arg), void *arg);

/*
 * A scalar as a key: values that are equal have equal keys.  False where it equals
 * nothing.
 */
extern bool value_key(const JsonbValue *value, Bytes *key);

#endif							/* NUDGE_PATH_INDEX_H */
