/*-------------------------------------------------------------------------
 *
 * standin.c
 *	  Stands in for the server where Liquid is fuzzed outside of it.
 *
 * Memory contexts are lists of single allocations, each from malloc, so that
 * the sanitizers see every overrun, every use after a reset and every leak.
 * An error that is raised ends the process: neither parser nor renderer may
 * raise one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/ilist.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "standin.h"

/* A context; "header" comes first, as the server's macros expect */
typedef struct Context
{
	MemoryContextData header;
	dlist_head	chunks;
	dlist_head	children;
	dlist_node	sibling;
	struct Context *parent;
} Context;

typedef struct Chunk
{
	dlist_node	node;
	Size		size;
	Context    *context;
} Chunk;

#define CHUNK_HEADER	MAXALIGN(sizeof(Chunk))

static Context top;				/* set up by standin_start */

MemoryContext TopMemoryContext = &top.header;
MemoryContext CurrentMemoryContext = &top.header;
sigjmp_buf *PG_exception_stack = NULL;
ErrorContextCallback *error_context_stack = NULL;
volatile sig_atomic_t InterruptPending = false;
int			DateOrder = DATEORDER_MDY;
int			DateStyle = USE_ISO_DATES;
int			IntervalStyle = INTSTYLE_POSTGRES;
char	   *nudge_timezone = "UTC";

void
standin_start(void)
{
	dlist_init(&top.chunks);
	dlist_init(&top.children);
	top.header.type = T_AllocSetContext;
	SetDatabaseEncoding(PG_UTF8);
}

/* Memory */

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	Context    *c = (Context *) context;
	Chunk	   *chunk;

	if (!AllocSizeIsValid(size))
		abort();
	chunk = malloc(CHUNK_HEADER + size);
	chunk->size = size;
	chunk->context = c;
	dlist_push_tail(&c->chunks, &chunk->node);
	return (char *) chunk + CHUNK_HEADER;
}

static Chunk *
chunk_of(void *pointer)
{
	return (Chunk *) ((char *) pointer - CHUNK_HEADER);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return memset(MemoryContextAlloc(context, size), 0, size);
}

void *
MemoryContextAllocZeroAligned(MemoryContext context, Size size)
{
	return MemoryContextAllocZero(context, size);
}

void *
palloc(Size size)
{
	return MemoryContextAlloc(CurrentMemoryContext, size);
}

void *
palloc0(Size size)
{
	return MemoryContextAllocZero(CurrentMemoryContext, size);
}

void *
palloc_extended(Size size, int flags)
{
	return palloc0(size);
}

void
pfree(void *pointer)
{
	Chunk	   *chunk = chunk_of(pointer);

	dlist_delete(&chunk->node);
	free(chunk);
}

void *
repalloc(void *pointer, Size size)
{
	Chunk	   *chunk = chunk_of(pointer);
	void	   *fresh = MemoryContextAlloc(&chunk->context->header, size);

	memcpy(fresh, pointer, Min(size, chunk->size));
	pfree(pointer);
	return fresh;
}

char *
MemoryContextStrdup(MemoryContext context, const char *s)
{
	return strcpy(MemoryContextAlloc(context, strlen(s) + 1), s);
}

char *
pstrdup(const char *s)
{
	return MemoryContextStrdup(CurrentMemoryContext, s);
}

char *
pnstrdup(const char *s, Size len)
{
	char	   *copy;

	len = strnlen(s, len);
	copy = palloc(len + 1);
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name,
							  Size min, Size initial, Size max)
{
	Context    *c = calloc(1, sizeof(Context));

	c->header.type = T_AllocSetContext;
	c->header.name = name;
	dlist_init(&c->chunks);
	dlist_init(&c->children);
	c->parent = (Context *) parent;
	dlist_push_tail(&c->parent->children, &c->sibling);
	return &c->header;
}

void
MemoryContextRegisterResetCallback(MemoryContext context,
								   MemoryContextCallback *cb)
{
	cb->next = context->reset_cbs;
	context->reset_cbs = cb;
}

void
MemoryContextReset(MemoryContext context)
{
	Context    *c = (Context *) context;

	while (context->reset_cbs != NULL)
	{
		MemoryContextCallback *cb = context->reset_cbs;

		context->reset_cbs = cb->next;
		cb->func(cb->arg);
	}
	while (!dlist_is_empty(&c->children))
		MemoryContextDelete(&dlist_head_element(Context, sibling,
												&c->children)->header);
	while (!dlist_is_empty(&c->chunks))
		pfree((char *) dlist_head_element(Chunk, node, &c->chunks) +
			  CHUNK_HEADER);
}

void
MemoryContextDelete(MemoryContext context)
{
	Context    *c = (Context *) context;

	MemoryContextReset(context);
	dlist_delete(&c->sibling);
	free(c);
}

void
MemoryContextSetParent(MemoryContext context, MemoryContext parent)
{
	Context    *c = (Context *) context;

	dlist_delete(&c->sibling);
	c->parent = (Context *) parent;
	dlist_push_tail(&c->parent->children, &c->sibling);
}

void
MemoryContextSetIdentifier(MemoryContext context, const char *id)
{
	context->ident = id;
}

Size
MemoryContextMemAllocated(MemoryContext context, bool recurse)
{
	Context    *c = (Context *) context;
	Size		size = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &c->chunks)
		size += dlist_container(Chunk, node, iter.cur)->size;
	return size;
}

/* Errors: none may be raised */

static bool
is_error(int level)
{
	if (level < ERROR)
		return false;
	fprintf(stderr, "an error was raised\n");
	abort();
}

bool
errstart(int elevel, const char *domain)
{
	return is_error(elevel);
}

bool
errstart_cold(int elevel, const char *domain)
{
	return is_error(elevel);
}

void
ExceptionalCondition(const char *condition, const char *type,
					 const char *file, int line)
{
	fprintf(stderr, "failed: %s\n", condition);
	abort();
}

/* The rest of the server */

void
ProcessInterrupts(void)
{
}

/* Deep recursion ends long before the stack does, as in the server. */
static char *stack_base;

void
standin_note_stack(char *base)
{
	stack_base = base;
}

bool
stack_is_too_deep(void)
{
	char		here;

	return labs((long) (stack_base - &here)) > 1024 * 1024;
}

void
check_stack_depth(void)
{
	if (stack_is_too_deep())
		abort();
}

TimestampTz
GetCurrentTransactionStartTimestamp(void)
{
	return 0;
}

/* Folders, for the names of time zones */
DIR *
AllocateDir(const char *dirname)
{
	return opendir(dirname);
}

struct dirent *
ReadDirExtended(DIR *dir, const char *dirname, int elevel)
{
	return dir == NULL ? NULL : readdir(dir);
}

int
FreeDir(DIR *dir)
{
	return dir == NULL ? 0 : closedir(dir);
}
