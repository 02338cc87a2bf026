/*-------------------------------------------------------------------------
 *
 * channel_names.h
 *	  Names of channels, as configuration is checked against them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CHANNEL_NAMES_H
#define NUDGE_CHANNEL_NAMES_H

#include "postgres.h"

/* As the name of a channel may look: what templates.channel allows */
extern bool channel_name_is_good(const char *name);

/*
 * Which of some names (NULL: none) are channels, in palloc'd memory.  Locks those
 * against removal until the end of the transaction.
 */
extern bool *channel_names_lock(const char *const *names, int n);

/* "Channels are email, push and sms." */
extern char *channel_names_hint(void);

#endif							/* NUDGE_CHANNEL_NAMES_H */
