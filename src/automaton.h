/*-------------------------------------------------------------------------
 *
 * automaton.h
 *	  Finds which of many substrings occur in a text, in one pass.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_AUTOMATON_H
#define NUDGE_AUTOMATON_H

#include "postgres.h"

#include "condition.h"

typedef struct Automaton Automaton;

/* Called at least once for each pattern that occurs. */
typedef void (*AutomatonMatch) (int pattern, void *arg);

/*
 * Builds an automaton over patterns, which must be distinct, not empty, and live
 * as long as the automaton.
 */
extern Automaton *automaton_build(const Bytes *patterns, int npatterns);

extern void automaton_search(Automaton *automaton, const char *text, int length,
							 AutomatonMatch match, void *arg);

#endif							/* NUDGE_AUTOMATON_H */
