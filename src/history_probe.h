/*-------------------------------------------------------------------------
 *
 * history_probe.h
 *	  How the files that read a user's history look into tables.
 *
 * history.c opens and closes the tables and has the probes; history_actions.c
 * reads actions, history_types.c their types, history_consent.c what users said
 * about messages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_HISTORY_PROBE_H
#define NUDGE_HISTORY_PROBE_H

#include "postgres.h"

#include "access/genam.h"
#include "access/skey.h"
#include "bytesmap.h"
#include "executor/tuptable.h"
#include "history.h"
#include "relations.h"
#include "utils/rel.h"

/* A table, open for look-ups through one of its indexes */
typedef struct Probe
{
	Relation	table;
	Relation	index;
	IndexScanDesc scan;
	IndexScanDesc seek;			/* of the index alone; opened at first use */
	TupleTableSlot *slot;

	/* A partition's rows were recorded from then on, and before the other */
	TimestampTz from;
	TimestampTz before;
} Probe;

struct History
{
	MemoryContext context;		/* lives as long as the statement */
	Probe		users;
	AttrNumber	users_stage;	/* a column of users; 0: not there */
	Probe		segment_members;
	Probe		cap_usage;
	Probe		pending;
	Probe		subscriptions;
	Probe		user_suppressions;
	Probe		address_suppressions;
	Probe		pending_entries;	/* pending by another index */
	Probe		entries;
	bool		suppressions_known; /* whether there are any */
	bool		no_suppressions;
	bool		actions_open;
	int			nactions;		/* one a partition */
	Probe	   *actions;
	bool		incomplete;		/* a partition cannot be looked into */
	bytesmap_hash *memos;		/* of Memo, by user */
	bytesmap_hash *notes;		/* of history_note, by user and key */
	bytesmap_hash *wanted;		/* of WantedTypes, by their list's address */
	bool		events_open;
	int			nevents;		/* one a partition */
	Probe	   *events;
	bool		events_incomplete;
};

/* Opens the partitions of nudge.actions, if they are not open yet. */
extern void history_open_actions(History *history);

extern void key_text(ScanKey key, AttrNumber attnum, Datum value);

/* A table's probe by its primary key, opened at first use */
extern Probe *probe_by_key(History *history, Probe *probe, NudgeRelation table,
						   int nkeys);

/* The same by another index; NULL where there is none of the name. */
extern Probe *probe_by_index(History *history, Probe *probe,
							 NudgeRelation table, const char *index_name,
							 int nkeys);

/*
 * Opens the partitions of a table, each by its index on the columns wanted.  One
 * that somebody made without it cannot be looked into: *incomplete.  Those that are
 * empty as yet are left out.
 */
extern Probe *probe_partitions(History *history, NudgeRelation table,
							   const AttrNumber *wanted, int nwanted, int nkeys,
							   int *nprobes, bool *incomplete);

/*
 * Scans run in the statement's context: what an index access method allocates
 * on the way lives as long as the scan, not as the action in hand.
 */
extern void probe_rescan(History *history, Probe *probe, ScanKey keys, int nkeys);
extern bool probe_next(History *history, Probe *probe, ScanDirection direction);

#endif							/* NUDGE_HISTORY_PROBE_H */
