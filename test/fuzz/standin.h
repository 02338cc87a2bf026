/*-------------------------------------------------------------------------
 *
 * standin.h
 *	  What the fuzz targets call of standin.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef STANDIN_H
#define STANDIN_H

extern void standin_start(void);
extern void standin_note_stack(char *base);

#endif							/* STANDIN_H */
