/*-------------------------------------------------------------------------
 *
 * templates.h
 *	  Templates of messages, read out of nudge.templates.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_TEMPLATES_H
#define NUDGE_TEMPLATES_H

#include "postgres.h"

#include "personalize.h"

/* By id and channel */
typedef struct Templates
{
	int			n;
	MessageTemplate *templates;
} Templates;

/*
 * Reads all channels of some templates, and parses them.  Ids may occur more
 * than once; the array is sorted.  SPI must be connected.  The result lives in
 * the current memory context.
 */
extern void templates_load(Templates *templates, char **ids, int nids);

/* NULL where there is no such template, or id is NULL */
extern const MessageTemplate *templates_find(const Templates *templates,
											 const char *id,
											 const char *channel);

#endif							/* NUDGE_TEMPLATES_H */
