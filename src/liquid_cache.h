/*-------------------------------------------------------------------------
 *
 * liquid_cache.h
 *	  The backend's cache of parsed Liquid templates, for the renderer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LIQUID_CACHE_H
#define LIQUID_CACHE_H

#include "liquid_parse.h"

/* As liquid_cached, but a template that does not parse gives NULL. */
extern const LiquidTemplate *liquid_cached_softly(const char *source, int len,
												  LiquidParser *parser);

#endif							/* LIQUID_CACHE_H */
