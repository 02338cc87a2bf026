/*-------------------------------------------------------------------------
 *
 * caps.c
 *	  Frequency caps: windows in the user's calendar, and counts.
 *
 * Nothing here touches a table or takes a lock: a Usage is what the caller read
 * from a row of nudge.cap_usage, and is good as long as the caller holds that
 * row's lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "caps.h"
#include "pg_nudge.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

/* Must be a power of two */
#define ZONE_SLOTS 64

/*
 * pg_tzset knows the zones that it loaded, but looks for a file whenever it is
 * asked for one that does not exist; so remember what became of a name.
 */
typedef struct ZoneSlot
{
	char		name[TZ_STRLEN_MAX + 1];
	bool		used;
	pg_tz	   *zone;			/* NULL: there is no such zone */
} ZoneSlot;

static ZoneSlot zone_slots[ZONE_SLOTS];

pg_tz *
caps_timezone(const char *tz)
{
	pg_tz	   *zone = NULL;

	if (tz != NULL && tz[0] != '\0' && strlen(tz) <= TZ_STRLEN_MAX)
	{
		uint32		hash = hash_bytes((const unsigned char *) tz, strlen(tz));
		ZoneSlot   *slot = &zone_slots[hash & (ZONE_SLOTS - 1)];

		if (!slot->used || strcmp(slot->name, tz) != 0)
		{
			slot->used = false;
			slot->zone = pg_tzset(tz);
			strcpy(slot->name, tz);
			slot->used = true;
		}
		zone = slot->zone;
	}
	if (zone == NULL)
		zone = pg_tzset(nudge_timezone);
	return zone != NULL ? zone : pg_tzset("GMT");
}

DateADT
caps_local_day(TimestampTz instant, pg_tz *tz)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;

	if (TIMESTAMP_IS_NOBEGIN(instant))
		return DATEVAL_NOBEGIN;
	if (TIMESTAMP_IS_NOEND(instant))
		return DATEVAL_NOEND;
	if (timestamp2tm(instant, &offset, &tm, &fsec, NULL, tz) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE;
}

void
caps_window(CapPeriod period, DateADT day, DateADT *first, DateADT *last)
{
	int			julian = day + POSTGRES_EPOCH_JDATE;
	int			year;
	int			month;
	int			mday;

	*first = *last = day;
	if (DATE_NOT_FINITE(day))
		return;

	switch (period)
	{
		case CAP_DAILY:
			break;
		case CAP_WEEKLY:
			/* j2day says 0 on Sunday; an ISO week starts on Monday */
			*first = day - (j2day(julian) + 6) % 7;
			*last = *first + 6;
			break;
		case CAP_MONTHLY:
			j2date(julian, &year, &month, &mday);
			*first = day - (mday - 1);
			*last = *first + day_tab[isleap(year)][month - 1] - 1;
			break;
	}
}

/* Room for an array as it is stored with a short header */
typedef union ArrayBuffer
{
	char		bytes[VARHDRSZ + VARATT_SHORT_MAX];
	int64		aligned;
} ArrayBuffer;

/*
 * The array behind a datum.  One with a short header, as most are, is copied to
 * buffer, where its elements are aligned; that needs no memory of the context,
 * in which the executor keeps many users' counts.
 */
static ArrayType *
open_array(Datum datum, ArrayBuffer *buffer, int *n)
{
	struct varlena *stored = (struct varlena *) DatumGetPointer(datum);
	ArrayType  *array;

	if (VARATT_IS_SHORT(stored))
	{
		Size		size = VARSIZE_SHORT(stored) - VARHDRSZ_SHORT;

		memcpy(buffer->bytes + VARHDRSZ, VARDATA_SHORT(stored), size);
		SET_VARSIZE(buffer->bytes, VARHDRSZ + size);
		array = (ArrayType *) buffer->bytes;
	}
	else
		array = DatumGetArrayTypeP(datum);
	*n = ARR_HASNULL(array) ? 0 :
		ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	return array;
}

/*
 * Sets the entries' channels.  Neighbours of one channel share its name, which
 * nobody changes or frees.
 */
static void
set_channels(Usage *usage, const ArrayType *array)
{
	const char *at = ARR_DATA_PTR(array);
	const char *last = NULL;
	int			last_length = 0;

	for (int i = 0; i < usage->nentries; i++)
	{
		int			length = VARSIZE_ANY_EXHDR(at);

		if (i > 0 && length == last_length &&
			memcmp(VARDATA_ANY(at), last, length) == 0)
			usage->entries[i].channel = usage->entries[i - 1].channel;
		else
			usage->entries[i].channel = pnstrdup(VARDATA_ANY(at), length);
		last = VARDATA_ANY(at);
		last_length = length;
		at = (const char *) INTALIGN(at + VARSIZE_ANY(at));
	}
}

void
usage_from_arrays(Usage *usage, Datum rule_ids, Datum channels,
				  Datum days, Datum counts)
{
	ArrayBuffer buffers[4];
	int			nrules;
	int			ndays;
	int			ncounts;
	int			nchannels;
	ArrayType  *rule_array = open_array(rule_ids, &buffers[0], &nrules);
	ArrayType  *day_array = open_array(days, &buffers[1], &ndays);
	ArrayType  *count_array = open_array(counts, &buffers[2], &ncounts);
	ArrayType  *channel_array = open_array(channels, &buffers[3], &nchannels);

	if (nrules != ndays || nrules != ncounts || nrules != nchannels)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("arrays of a row of nudge.cap_usage differ in length"),
				 errdetail("There are %d rules, %d channels, %d days and %d counts.",
						   nrules, nchannels, ndays, ncounts)));

	/* Most often one entry is added. */
	usage->nentries = nrules;
	usage->maxentries = nrules + 1;
	usage->entries = palloc(usage->maxentries * sizeof(UsageEntry));
	for (int i = 0; i < nrules; i++)
	{
		UsageEntry *entry = &usage->entries[i];

		entry->rule_id = ((int64 *) ARR_DATA_PTR(rule_array))[i];
		entry->day = ((DateADT *) ARR_DATA_PTR(day_array))[i];
		entry->count = ((int32 *) ARR_DATA_PTR(count_array))[i];
	}
	set_channels(usage, channel_array);
}

/*
 * An array of n elements without nulls that take "size" bytes altogether, which
 * the caller fills in.
 */
static ArrayType *
new_array(int n, Oid type, Size size)
{
	Size		total = ARR_OVERHEAD_NONULLS(1) + size;
	ArrayType  *array;

	if (n == 0)
		return construct_empty_array(type);
	array = palloc0(total);
	SET_VARSIZE(array, total);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = type;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	return array;
}

static ArrayType *
make_channel_array(const Usage *usage)
{
	ArrayType  *array;
	Size		size = 0;
	char	   *at;

	for (int i = 0; i < usage->nentries; i++)
		size += INTALIGN(VARHDRSZ + strlen(usage->entries[i].channel));
	array = new_array(usage->nentries, TEXTOID, size);
	at = ARR_DATA_PTR(array);
	for (int i = 0; i < usage->nentries; i++)
	{
		Size		length = strlen(usage->entries[i].channel);

		SET_VARSIZE(at, VARHDRSZ + length);
		memcpy(VARDATA(at), usage->entries[i].channel, length);
		at += INTALIGN(VARHDRSZ + length);
	}
	return array;
}

void
usage_to_arrays(const Usage *usage, Datum *rule_ids, Datum *channels,
				Datum *days, Datum *counts)
{
	int			n = usage->nentries;
	ArrayType  *rule_array = new_array(n, INT8OID, n * sizeof(int64));
	ArrayType  *day_array = new_array(n, DATEOID, n * sizeof(DateADT));
	ArrayType  *count_array = new_array(n, INT4OID, n * sizeof(int32));

	for (int i = 0; i < n; i++)
	{
		const UsageEntry *entry = &usage->entries[i];

		((int64 *) ARR_DATA_PTR(rule_array))[i] = entry->rule_id;
		((DateADT *) ARR_DATA_PTR(day_array))[i] = entry->day;
		((int32 *) ARR_DATA_PTR(count_array))[i] = entry->count;
	}
	*rule_ids = PointerGetDatum(rule_array);
	*channels = PointerGetDatum(make_channel_array(usage));
	*days = PointerGetDatum(day_array);
	*counts = PointerGetDatum(count_array);
}

/* Removes entry i; their order does not matter. */
static void
remove_entry(Usage *usage, int i)
{
	usage->entries[i] = usage->entries[--usage->nentries];
}

static void
append_entry(Usage *usage, const UsageEntry *entry)
{
	if (usage->nentries == usage->maxentries)
	{
		usage->maxentries = Max(4, 2 * usage->maxentries);
		if (usage->entries == NULL)
			usage->entries = palloc(usage->maxentries * sizeof(UsageEntry));
		else
			usage->entries = repalloc(usage->entries,
									  usage->maxentries * sizeof(UsageEntry));
	}
	usage->entries[usage->nentries++] = *entry;
}

void
usage_add(Usage *usage, int64 rule_id, const char *channel, DateADT day,
		  int32 delta)
{
	UsageEntry	added;

	for (int i = 0; i < usage->nentries; i++)
	{
		UsageEntry *entry = &usage->entries[i];

		if (entry->rule_id != rule_id || entry->day != day ||
			strcmp(entry->channel, channel) != 0)
			continue;
		if (pg_add_s32_overflow(entry->count, delta, &entry->count))
			entry->count = PG_INT32_MAX;
		if (entry->count <= 0)
			remove_entry(usage, i);
		return;
	}
	if (delta <= 0)
		return;
	added.rule_id = rule_id;
	added.channel = pstrdup(channel);
	added.day = day;
	added.count = delta;
	append_entry(usage, &added);
}

void
usage_forget(Usage *usage, DateADT oldest)
{
	for (int i = usage->nentries - 1; i >= 0; i--)
	{
		if (usage->entries[i].day < oldest)
			remove_entry(usage, i);
	}
}

int64
usage_count(const Usage *usage, const FrequencyCap *cap, DateADT day,
			UsageExempt exempt, void *arg)
{
	DateADT		first;
	DateADT		last;
	int64		total = 0;

	caps_window(cap->period, day, &first, &last);
	for (int i = 0; i < usage->nentries; i++)
	{
		const UsageEntry *entry = &usage->entries[i];

		if (entry->day < first || entry->day > last)
			continue;
		if (cap->channel != NULL && strcmp(cap->channel, entry->channel) != 0)
			continue;
		if (cap->rule_id != 0 ? entry->rule_id != cap->rule_id :
			exempt != NULL && exempt(entry->rule_id, arg))
			continue;
		total += entry->count;
	}
	return total;
}

int32
usage_count_week(const Usage *usage, DateADT day)
{
	int32		count = 0;

	for (int i = 0; i < usage->nentries; i++)
	{
		const UsageEntry *entry = &usage->entries[i];

		if (entry->day > day - 7 && entry->day <= day)
			count += entry->count;
	}
	return count;
}
