/*-------------------------------------------------------------------------
 *
 * cart.h
 *	  The cart that an action tells of, as templates see it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_CART_H
#define NUDGE_CART_H

#include "postgres.h"

#include "utils/jsonb.h"

/*
 * {"items": […], "value": …} out of an action's data, which may be NULL.
 *
 * items is the first array of "items", "cart_items" and "products"; where there
 * is none, a product that the data names (product_id or product) is the one item.
 * value is the first number of "value" and "cart_value", else the sum over items
 * of price × quantity (which is 1 where it is missing); null where nothing has a
 * price.  The result is NULL where it would be larger than jsonb can be.
 */
extern Jsonb *cart_of_action(const Jsonb *data);

#endif							/* NUDGE_CART_H */
