/*-------------------------------------------------------------------------
 *
 * append.c
 *	  Appends rows to pg_nudge's own tables, below SQL.
 *
 * Much of what INSERT costs for one row is planning, snapshot and privilege work
 * that says nothing about tables which only this extension writes.  Rows are
 * put into the heap and its indexes directly, with partition routing where the
 * table is partitioned, just as COPY does.
 *
 * Locking: RowExclusiveLock on the table, and on the partition that a row goes
 * to, until the end of the transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "append.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/execPartition.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "nodes/makefuncs.h"
#include "relations.h"
#include "rewrite/rewriteHandler.h"
#include "utils/rel.h"

/* Rows that a buffered appender keeps back, at most */
#define BUFFERED_ROWS 500
#define BUFFERED_BYTES (256 * 1024)

/* Rows of one table or partition, not appended yet */
typedef struct RowBuffer
{
	ResultRelInfo *target;		/* NULL: the buffer is empty */
	int			nrows;
	Size		bytes;
	int			nslots;			/* made for this target so far */
	TupleTableSlot *slots[BUFFERED_ROWS];
} RowBuffer;

struct Appender
{
	MemoryContext context;
	Relation	relation;
	EState	   *estate;
	ResultRelInfo *target;		/* of relation itself */
	TupleTableSlot *slot;		/* in the layout of relation */
	int			nsupplied;		/* columns that callers give */
	int			nlater;			/* more that callers give, by number; 0: not there */
	AttrNumber *later;
	ExprState **defaults;		/* of the columns after those; may be NULL */

	/* Partitioned tables only */
	ModifyTableState *mtstate;
	PartitionTupleRouting *routing;

	RowBuffer  *buffer;			/* NULL: rows go to the table at once */
};

/*
 * Columns that somebody added to our tables get their defaults.
 */
static void
prepare_defaults(Appender *appender)
{
	TupleDesc	desc = RelationGetDescr(appender->relation);
	int			nadded = desc->natts - appender->nsupplied;

	if (nadded <= 0)
		return;
	appender->defaults = palloc0(nadded * sizeof(ExprState *));
	for (int i = 0; i < nadded; i++)
	{
		AttrNumber	attnum = appender->nsupplied + i + 1;
		Node	   *expression = NULL;

		if (!TupleDescAttr(desc, attnum - 1)->attisdropped)
			expression = build_column_default(appender->relation, attnum);
		if (expression != NULL)
			appender->defaults[i] = ExecPrepareExpr((Expr *) expression,
													appender->estate);
	}
}

Appender *
appender_open(Oid relid, int nsupplied)
{
	Appender   *appender = palloc0(sizeof(Appender));
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	EState	   *estate;

	appender->context = CurrentMemoryContext;
	appender->relation = table_open(relid, RowExclusiveLock);

	rte->rtekind = RTE_RELATION;
	rte->relid = relid;
	rte->relkind = appender->relation->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;

	estate = CreateExecutorState();
	ExecInitRangeTable(estate, list_make1(rte));
	estate->es_output_cid = GetCurrentCommandId(true);
	appender->estate = estate;

	appender->target = makeNode(ResultRelInfo);
	InitResultRelInfo(appender->target, appender->relation, 1, NULL, 0);
	appender->slot = table_slot_create(appender->relation,
									   &estate->es_tupleTable);
	appender->nsupplied = nsupplied;
	prepare_defaults(appender);

	if (appender->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		/* Routing wants to know what statement it works for. */
		ModifyTableState *mtstate = makeNode(ModifyTableState);

		mtstate->ps.plan = NULL;
		mtstate->ps.state = estate;
		mtstate->operation = CMD_INSERT;
		mtstate->mt_nrels = 1;
		mtstate->resultRelInfo = appender->target;
		mtstate->rootResultRelInfo = appender->target;
		appender->mtstate = mtstate;
		appender->routing = ExecSetupPartitionTupleRouting(estate,
														   appender->relation);
	}
	else
		ExecOpenIndices(appender->target, false);

	return appender;
}

void
appender_later_columns(Appender *appender, const char *const *names, int nlater)
{
	appender->later = MemoryContextAlloc(appender->context,
										 nlater * sizeof(AttrNumber));
	appender->nlater = nlater;
	for (int i = 0; i < nlater; i++)
		appender->later[i] = nudge_column(RelationGetDescr(appender->relation), names[i]);
}

void
appender_set_buffered(Appender *appender)
{
	appender->buffer = MemoryContextAllocZero(appender->context, sizeof(RowBuffer));
}

static void
insert_indexes(Appender *appender, ResultRelInfo *target, TupleTableSlot *slot)
{
	if (target->ri_NumIndices > 0)
		list_free(ExecInsertIndexTuples(target, slot, appender->estate, false,
										false, NULL, NIL));
	ResetPerTupleExprContext(appender->estate);
}

/*
 * Appends what has been kept back.
 */
static void
flush_buffer(Appender *appender)
{
	RowBuffer  *buffer = appender->buffer;
	ResultRelInfo *target = buffer->target;
	MemoryContext old;

	if (buffer->nrows == 0)
		return;
	old = MemoryContextSwitchTo(GetPerTupleMemoryContext(appender->estate));
	table_multi_insert(target->ri_RelationDesc, buffer->slots, buffer->nrows,
					   appender->estate->es_output_cid, 0, NULL);
	MemoryContextSwitchTo(old);
	for (int i = 0; i < buffer->nrows; i++)
	{
		insert_indexes(appender, target, buffer->slots[i]);
		ExecClearTuple(buffer->slots[i]);
	}
	buffer->nrows = 0;
	buffer->bytes = 0;
}

/*
 * Slots of another partition have another layout.
 */
static void
point_buffer(Appender *appender, ResultRelInfo *target)
{
	RowBuffer  *buffer = appender->buffer;

	if (buffer->target == target)
		return;
	flush_buffer(appender);
	for (int i = 0; i < buffer->nslots; i++)
		ExecDropSingleTupleTableSlot(buffer->slots[i]);
	buffer->nslots = 0;
	buffer->target = target;
}

static void
keep_row(Appender *appender, ResultRelInfo *target, TupleTableSlot *slot)
{
	RowBuffer  *buffer = appender->buffer;
	TupleTableSlot *kept;

	point_buffer(appender, target);
	if (buffer->nrows == buffer->nslots)
	{
		MemoryContext old = MemoryContextSwitchTo(appender->context);

		buffer->slots[buffer->nslots++] = table_slot_create(target->ri_RelationDesc,
															NULL);
		MemoryContextSwitchTo(old);
	}
	kept = buffer->slots[buffer->nrows++];
	ExecCopySlot(kept, slot);
	kept->tts_tableOid = RelationGetRelid(target->ri_RelationDesc);
	buffer->bytes += ExecFetchSlotHeapTuple(kept, false, NULL)->t_len;
	if (buffer->nrows == BUFFERED_ROWS || buffer->bytes >= BUFFERED_BYTES)
		flush_buffer(appender);
}

void
appender_insert(Appender *appender, const Datum *values, const bool *nulls)
{
	EState	   *estate = appender->estate;
	TupleTableSlot *slot = appender->slot;
	ResultRelInfo *target = appender->target;
	int			nadded = slot->tts_tupleDescriptor->natts - appender->nsupplied;

	ExecClearTuple(slot);
	memcpy(slot->tts_values, values, appender->nsupplied * sizeof(Datum));
	memcpy(slot->tts_isnull, nulls, appender->nsupplied * sizeof(bool));
	for (int i = 0; i < nadded; i++)
	{
		int			column = appender->nsupplied + i;

		slot->tts_isnull[column] = true;
		if (appender->defaults[i] != NULL)
			slot->tts_values[column] =
				ExecEvalExpr(appender->defaults[i],
							 GetPerTupleExprContext(estate),
							 &slot->tts_isnull[column]);
	}
	for (int i = 0; i < appender->nlater; i++)
	{
		int			column = appender->later[i] - 1;

		if (column < 0)
			continue;
		slot->tts_values[column] = values[appender->nsupplied + i];
		slot->tts_isnull[column] = nulls[appender->nsupplied + i];
	}
	ExecStoreVirtualTuple(slot);

	if (appender->routing != NULL)
	{
		TupleConversionMap *map;

		target = ExecFindPartition(appender->mtstate, appender->target,
								   appender->routing, slot, estate);
		map = target->ri_RootToPartitionMap;
		if (map != NULL)
			slot = execute_attr_map_slot(map->attrMap, slot,
										 target->ri_PartitionTupleSlot);
	}

	if (appender->buffer != NULL)
	{
		keep_row(appender, target, slot);
		return;
	}
	slot->tts_tableOid = RelationGetRelid(target->ri_RelationDesc);
	table_tuple_insert(target->ri_RelationDesc, slot, estate->es_output_cid,
					   0, NULL);
	insert_indexes(appender, target, slot);
}

void
appender_close(Appender *appender)
{
	EState	   *estate = appender->estate;

	if (appender->buffer != NULL)
	{
		point_buffer(appender, NULL);
		pfree(appender->buffer);
	}
	if (appender->routing != NULL)
		ExecCleanupTupleRouting(appender->mtstate, appender->routing);
	else
		ExecCloseIndices(appender->target);
	ExecResetTupleTable(estate->es_tupleTable, false);
	table_close(appender->relation, NoLock);
	FreeExecutorState(estate);
	pfree(appender);
}
