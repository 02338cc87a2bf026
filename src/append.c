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
#include "utils/rel.h"

struct Appender
{
	Relation	relation;
	EState	   *estate;
	ResultRelInfo *target;		/* of relation itself */
	TupleTableSlot *slot;		/* in the layout of relation */

	/* Partitioned tables only */
	ModifyTableState *mtstate;
	PartitionTupleRouting *routing;
};

Appender *
appender_open(Oid relid)
{
	Appender   *appender = palloc0(sizeof(Appender));
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	EState	   *estate;

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
appender_insert(Appender *appender, const Datum *values, const bool *nulls)
{
	EState	   *estate = appender->estate;
	TupleTableSlot *slot = appender->slot;
	ResultRelInfo *target = appender->target;
	int			natts = slot->tts_tupleDescriptor->natts;

	ExecClearTuple(slot);
	memcpy(slot->tts_values, values, natts * sizeof(Datum));
	memcpy(slot->tts_isnull, nulls, natts * sizeof(bool));
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

	slot->tts_tableOid = RelationGetRelid(target->ri_RelationDesc);
	table_tuple_insert(target->ri_RelationDesc, slot, estate->es_output_cid,
					   0, NULL);
	if (target->ri_NumIndices > 0)
		list_free(ExecInsertIndexTuples(target, slot, estate, false, false,
										NULL, NIL));
	ResetPerTupleExprContext(estate);
}

void
appender_close(Appender *appender)
{
	EState	   *estate = appender->estate;

	if (appender->routing != NULL)
		ExecCleanupTupleRouting(appender->mtstate, appender->routing);
	else
		ExecCloseIndices(appender->target);
	ExecResetTupleTable(estate->es_tupleTable, false);
	table_close(appender->relation, NoLock);
	FreeExecutorState(estate);
	pfree(appender);
}
