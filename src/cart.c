/*-------------------------------------------------------------------------
 *
 * cart.c
 *	  The cart that an action tells of, as templates see it.
 *
 * Nothing here raises an error for what a document may hold.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cart.h"

#include "flat_jsonb.h"
#include "fmgr.h"
#include "json_input.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/* Longest string that is taken for a price */
#define MAX_PRICE_LENGTH 30

/*
 * The first of some keys whose value is of a kind; NULL where there is none.
 */
static const JsonbValue *
first_of(const Jsonb *data, const char *const *keys, int nkeys,
		 bool (*is_kind) (const JsonbValue *value), JsonbValue *buffer)
{
	for (int i = 0; i < nkeys; i++)
	{
		JsonbValue *value =
		getKeyJsonValueFromContainer((JsonbContainer *) &data->root, keys[i],
									 strlen(keys[i]), buffer);

		if (value != NULL && is_kind(value))
			return value;
	}
	return NULL;
}

static bool
is_product(const JsonbValue *value)
{
	return value->type == jbvString || value->type == jbvNumeric ||
		json_is_object(value);
}

static bool
is_number(const JsonbValue *value)
{
	return value->type == jbvNumeric;
}

/*
 * Digits, with a point or without: "39.90".
 */
static bool
is_decimal(const char *text, int length)
{
	int			points = 0;

	if (length == 0 || length > MAX_PRICE_LENGTH || text[0] == '.' ||
		text[length - 1] == '.')
		return false;
	for (int i = 0; i < length; i++)
	{
		if (text[i] == '.')
			points++;
		else if (text[i] < '0' || text[i] > '9')
			return false;
	}
	return points <= 1;
}

/*
 * A number, or a string that is one; NULL where there is none.
 */
static Numeric
member_number(JsonbContainer *object, const char *key)
{
	JsonbValue	buffer;
	JsonbValue *value = getKeyJsonValueFromContainer(object, key, strlen(key),
													 &buffer);

	if (value == NULL)
		return NULL;
	if (value->type == jbvNumeric)
		return value->val.numeric;
	if (value->type == jbvString &&
		is_decimal(value->val.string.val, value->val.string.len))
		return DatumGetNumeric(DirectFunctionCall3(numeric_in,
												   CStringGetDatum(json_string(value)),
												   ObjectIdGetDatum(InvalidOid),
												   Int32GetDatum(-1)));
	return NULL;
}

/*
 * Sum over the items that have a price; NULL where none has, or the sum is out
 * of range.
 */
static Numeric
sum_of_items(const Jsonb *items)
{
	JsonbIterator *iterator = JsonbIteratorInit((JsonbContainer *) &items->root);
	JsonbIteratorToken token;
	JsonbValue	element;
	Numeric		sum = NULL;

	while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE)
	{
		Numeric		price;
		Numeric		quantity;
		bool		is_over = false;

		CHECK_FOR_INTERRUPTS();
		if (token != WJB_ELEM || !json_is_object(&element))
			continue;
		price = member_number(element.val.binary.data, "price");
		if (price == NULL)
			continue;
		quantity = member_number(element.val.binary.data, "quantity");
		if (quantity != NULL)
			price = numeric_mul_opt_error(price, quantity, &is_over);
		if (!is_over && sum != NULL)
			price = numeric_add_opt_error(sum, price, &is_over);
		if (is_over)
			return NULL;
		sum = price;
	}
	return sum;
}

static Jsonb *
items_of(const Jsonb *data)
{
	static const char *const lists[] = {"items", "cart_items", "products"};
	static const char *const products[] = {"product", "product_id"};
	JsonbValue	buffer;
	const JsonbValue *value;
	const Jsonb *item;

	value = first_of(data, lists, lengthof(lists), json_is_array, &buffer);
	if (value != NULL)
		return flat_document(value);
	value = first_of(data, products, lengthof(products), is_product, &buffer);
	if (value == NULL)
		return flat_array(NULL, 0);
	item = json_is_object(value) ? flat_document(value) : data;
	return flat_array(&item, 1);
}

Jsonb *
cart_of_action(const Jsonb *data)
{
	static const char *const values[] = {"value", "cart_value"};
	JsonbValue	buffer;
	JsonbValue	sum;
	const JsonbValue *value = NULL;
	FlatObject	cart = {0};
	Jsonb	   *items;

	if (data == NULL || !JB_ROOT_IS_OBJECT(data))
		items = flat_array(NULL, 0);
	else
	{
		items = items_of(data);
		value = first_of(data, values, lengthof(values), is_number, &buffer);
	}
	if (items == NULL)
		return NULL;
	if (value == NULL && (sum.val.numeric = sum_of_items(items)) != NULL)
	{
		sum.type = jbvNumeric;
		value = &sum;
	}
	flat_jsonb(&cart, "items", items);
	if (value != NULL)
		flat_value(&cart, "value", value);
	else
		flat_null(&cart, "value");
	return flat_build(&cart);
}
