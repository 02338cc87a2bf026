/*-------------------------------------------------------------------------
 *
 * rule_personalization.h
 *	  What a rule's personalization asks the engine for.
 *
 * The keys that the engine knows put more into a template's context; all other
 * keys are the template's own affair.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_RULE_PERSONALIZATION_H
#define NUDGE_RULE_PERSONALIZATION_H

#include "postgres.h"

#include "faults.h"
#include "utils/jsonb.h"

/* Recommendations that a rule may ask for */
#define MAX_RECOMMENDATIONS 50

typedef struct Personalization
{
	bool		cart;			/* include_cart_items: "cart" */
	bool		preferences;	/* user_preferences: "preferences" */
	int			recommendations;	/* include_recommendations, related_products:
									 * how many; 0: none */
	bool		has_discount;	/* discount_offer: "discount" */
	JsonbValue	discount;		/* points into the document */
} Personalization;

/*
 * Reads a rule's document, or NULL.  A value of a wrong type, which a rule may
 * have from before it was checked, asks for nothing.
 */
extern void personalization_read(const Jsonb *document, Personalization *result);

/* Adds a fault for each value of a wrong type; path is that of the object. */
extern void personalization_check(FaultList *faults, const char *path,
								  Jsonb *document);

#endif							/* NUDGE_RULE_PERSONALIZATION_H */
