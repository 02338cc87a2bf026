/*-------------------------------------------------------------------------
 *
 * html_check.h
 *	  Finds links in rendered HTML that run code.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_HTML_CHECK_H
#define NUDGE_HTML_CHECK_H

#include "postgres.h"

/*
 * Looks for an href or src whose value begins with javascript:, vbscript: or
 * data:, as a browser reads it.  Returns false where there is none; else
 * *attribute and *scheme are constants that name the first.
 */
extern bool html_unsafe_link(const char *html, int length,
							 const char **attribute, const char **scheme);

#endif							/* NUDGE_HTML_CHECK_H */
