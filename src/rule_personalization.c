/*-------------------------------------------------------------------------
 *
 * rule_personalization.c
 *	  What a rule's personalization asks the engine for.
 *
 * Pure: no catalogs, no locks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "rule_personalization.h"

#include <math.h>

#include "json_input.h"

#define DEFAULT_RECOMMENDATIONS 4

enum
{
	KEY_CART,
	KEY_PREFERENCES,
	KEY_DISCOUNT,
	KEY_RECOMMENDATIONS,
	KEY_RELATED,
	NUM_KEYS
};

static const char *const key_names[NUM_KEYS] = {
	[KEY_CART] = "include_cart_items",
	[KEY_PREFERENCES] = "user_preferences",
	[KEY_DISCOUNT] = "discount_offer",
	[KEY_RECOMMENDATIONS] = "include_recommendations",
	[KEY_RELATED] = "related_products",
};

/* A key that is null is as good as missing. */
static bool
given(const JsonField *field)
{
	return field->given && field->value.type != jbvNull;
}

static bool
is_true(const JsonField *field)
{
	return field->given && field->value.type == jbvBool && field->value.val.boolean;
}

static bool
is_discount(const JsonbValue *value)
{
	return value->type == jbvNumeric || json_is_object(value);
}

static bool
is_amount(const JsonbValue *value)
{
	double		number;

	if (value->type != jbvNumeric)
		return false;
	number = json_double(value);
	return number >= 1 && number <= MAX_RECOMMENDATIONS && number == floor(number);
}

static int
amount(const JsonField *field)
{
	if (is_true(field))
		return DEFAULT_RECOMMENDATIONS;
	if (field->given && is_amount(&field->value))
		return (int) json_double(&field->value);
	return 0;
}

void
personalization_read(const Jsonb *document, Personalization *result)
{
	JsonField	fields[NUM_KEYS];

	memset(result, 0, sizeof(*result));
	if (document == NULL || !JB_ROOT_IS_OBJECT(document) ||
		JB_ROOT_COUNT(document) == 0)
		return;
	for (int i = 0; i < NUM_KEYS; i++)
		fields[i].given =
			getKeyJsonValueFromContainer((JsonbContainer *) &document->root,
										 key_names[i], strlen(key_names[i]),
										 &fields[i].value) != NULL;
	result->cart = is_true(&fields[KEY_CART]);
	result->preferences = is_true(&fields[KEY_PREFERENCES]);
	result->recommendations = Max(amount(&fields[KEY_RECOMMENDATIONS]),
								  amount(&fields[KEY_RELATED]));
	result->has_discount = fields[KEY_DISCOUNT].given &&
		is_discount(&fields[KEY_DISCOUNT].value);
	result->discount = fields[KEY_DISCOUNT].value;
}

static void
refuse(FaultList *faults, const char *path, int key, const char *wanted,
	   const char *hint, const JsonbValue *value)
{
	fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE,
			  psprintf("%s.%s", path, key_names[key]), hint,
			  "%s must be %s, not %s", key_names[key], wanted, json_kind(value));
}

static void
check_amount(FaultList *faults, const char *path, int key,
			 const JsonField *field)
{
	static const char *const hint = "true means 4 items.";

	if (!given(field) || field->value.type == jbvBool || is_amount(&field->value))
		return;
	if (field->value.type == jbvNumeric)
		fault_add(faults, ERRCODE_INVALID_PARAMETER_VALUE,
				  psprintf("%s.%s", path, key_names[key]), hint,
				  "%s must be a whole number from 1 to %d", key_names[key],
				  MAX_RECOMMENDATIONS);
	else
		refuse(faults, path, key,
			   psprintf("a boolean or a number from 1 to %d", MAX_RECOMMENDATIONS),
			   hint, &field->value);
}

void
personalization_check(FaultList *faults, const char *path, Jsonb *document)
{
	static const int booleans[] = {KEY_CART, KEY_PREFERENCES};
	JsonField	fields[NUM_KEYS];

	json_read_object(&document->root, key_names, NUM_KEYS, fields);
	for (int i = 0; i < lengthof(booleans); i++)
	{
		const JsonField *field = &fields[booleans[i]];

		if (given(field) && field->value.type != jbvBool)
			refuse(faults, path, booleans[i], "a boolean", NULL, &field->value);
	}
	if (given(&fields[KEY_DISCOUNT]) && !is_discount(&fields[KEY_DISCOUNT].value))
		refuse(faults, path, KEY_DISCOUNT, "a number or an object",
			   "Write it like 10, or {\"percent\": 10, \"code\": \"BACK10\"}.",
			   &fields[KEY_DISCOUNT].value);
	check_amount(faults, path, KEY_RECOMMENDATIONS, &fields[KEY_RECOMMENDATIONS]);
	check_amount(faults, path, KEY_RELATED, &fields[KEY_RELATED]);
}
