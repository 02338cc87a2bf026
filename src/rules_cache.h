/*-------------------------------------------------------------------------
 *
 * rules_cache.h
 *	  Set-up of the cache of compiled rules; rules.h has its use.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_RULES_CACHE_H
#define NUDGE_RULES_CACHE_H

/* Registers the callbacks; once a backend. */
extern void rules_cache_init(void);

#endif							/* NUDGE_RULES_CACHE_H */
