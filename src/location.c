/*-------------------------------------------------------------------------
 *
 * location.c
 *	  Conditions on where a user is.
 *
 * An action tells it by context.location or action_data.location (not to segments,
 * which do not look at the action), else the user's profile.location does; of these the first counts that has what the condition
 * asks for: lat and lon, or country or region.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition_scorer.h"

#include <math.h>

#include "json_input.h"

/* Mean radius of the earth, R1 of the IUGG (Moritz, "Geodetic Reference System
 * 1980", Journal of Geodesy 74, 2000) */
#define EARTH_RADIUS_KM 6371.0088

#define LOCATION "location"

/*
 * Great-circle distance by the haversine formula (Sinnott, "Virtues of the
 * Haversine", Sky and Telescope 68, 1984), which is exact for small distances too.
 * Degrees in, kilometres out.
 */
static double
distance_km(double lat1, double lon1, double lat2, double lon2)
{
	double		to_radians = M_PI / 180.0;
	double		by_lat = sin((lat2 - lat1) * to_radians / 2.0);
	double		by_lon = sin((lon2 - lon1) * to_radians / 2.0);
	double		h = by_lat * by_lat + by_lon * by_lon *
	cos(lat1 * to_radians) * cos(lat2 * to_radians);

	/* Rounding may carry antipodes past 1. */
	return 2.0 * EARTH_RADIUS_KM * asin(sqrt(Min(h, 1.0)));
}

static bool
member(JsonbContainer *object, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(object, key, strlen(key), value) != NULL &&
		value->type != jbvNull;
}

static Bytes
member_string(JsonbContainer *object, const char *key)
{
	JsonbValue	value;
	Bytes		bytes = {NULL, 0};

	if (member(object, key, &value) && value.type == jbvString)
	{
		bytes.data = value.val.string.val;
		bytes.length = value.val.string.len;
	}
	return bytes;
}

/*
 * Degrees in a range; *bad where there is something else.
 */
static bool
member_degrees(JsonbContainer *object, const char *key, double most,
			   double *degrees, bool *bad)
{
	JsonbValue	value;

	if (!member(object, key, &value))
		return false;
	if (value.type == jbvNumeric)
	{
		*degrees = json_double(&value);
		if (*degrees >= -most && *degrees <= most)
			return true;
	}
	*bad = true;
	return false;
}

/*
 * Does "location" of a document tell what is asked?
 */
static bool
location_in(Jsonb *document, const Place *place, Location *location, bool *bad)
{
	JsonbValue	value;
	JsonbContainer *object;

	memset(location, 0, sizeof(Location));
	if (!JB_ROOT_IS_OBJECT(document) ||
		!member(&document->root, LOCATION, &value) || !json_is_object(&value))
		return false;
	object = value.val.binary.data;
	location->country = member_string(object, "country");
	location->region = member_string(object, "region");
	if (!place->circle)
		return location->country.length > 0 || location->region.length > 0;
	location->located = member_degrees(object, "lat", 90.0, &location->lat, bad);
	location->located &= member_degrees(object, "lon", 180.0, &location->lon, bad);
	return location->located;
}

bool
location_known(Evaluator *evaluator, const Place *place, Location *location,
			   bool *bad)
{
	const UserRow *user;

	*bad = false;
	if (!evaluator->in_segment)
	{
		if (location_in(action_context(&evaluator->action), place, location, bad) || *bad)
			return !*bad;
		if (location_in(action_data(&evaluator->action), place, location, bad) || *bad)
			return !*bad;
	}
	user = evaluator_user(evaluator);
	return user->found &&
		location_in(DatumGetJsonbP(user->values[Anum_users_profile - 1]), place,
					location, bad) && !*bad;
}

static bool
same_code(Bytes a, Bytes b)
{
	return a.length == b.length && pg_strncasecmp(a.data, b.data, a.length) == 0;
}

/*
 * Is it the region?  Regions are known by their ISO 3166-2 code, such as DE-BY,
 * and within their country also by the part after the country's code.
 */
static bool
same_region(const Location *location, Bytes region)
{
	int			country = location->country.length;
	Bytes		rest = {region.data + country + 1, region.length - country - 1};

	if (same_code(location->region, region))
		return true;
	return country > 0 && rest.length > 0 && region.data[country] == '-' &&
		pg_strncasecmp(location->country.data, region.data, country) == 0 &&
		same_code(location->region, rest);
}

double
location_distance_km(const Place *place, const Location *location)
{
	return distance_km(place->lat, place->lon, location->lat, location->lon);
}

static bool
is_in_place(const Place *place, const Location *location)
{
	if (place->circle)
		return location_distance_km(place, location) <= place->radius_km;
	for (int i = 0; i < place->ncountries; i++)
	{
		if (same_code(location->country, place->countries[i]))
			return true;
	}
	for (int i = 0; i < place->nregions; i++)
	{
		if (location->region.length > 0 &&
			same_region(location, place->regions[i]))
			return true;
	}
	return false;
}

Score
score_location(Evaluator *evaluator, const Condition *condition)
{
	Location	location;
	bool		bad;
	bool		known = location_known(evaluator, condition->place, &location,
									   &bad);
	Score		within;

	if (bad)
		return score_error(evaluator, "lat and lon of the location are not degrees");
	within = score_of(known && is_in_place(condition->place, &location));
	return condition->op == OPERATOR_NOT_IN ? score_negated(within) : within;
}
