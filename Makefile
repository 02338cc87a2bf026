# pg_nudge: behavioural marketing automation inside PostgreSQL.
#
# On a fresh Debian 12, "make test", "make demo" and "make bench" do all by
# themselves, from missing packages to a throw-away server.  Plain "make",
# "make install" and "make installcheck" work as with any PGXS extension.

EXTENSION = pg_nudge
EXTVERSION = 0.4.0

MODULE_big = pg_nudge
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers

# The scripts are put together from the numbered parts in sql/.  A version adds
# parts: its install script has all of them, its upgrade script the new ones, so
# that an upgraded database is like a new one by construction.  Parts of a version
# that has been released stay as they are.  Part 99 is for install scripts only.
PARTS_0.1.0 = $(sort $(wildcard sql/0[0-9]_*.sql sql/1[0-9]_*.sql sql/2[0-9]_*.sql))
PARTS_0.2.0 = $(sort $(wildcard sql/3[0-9]_*.sql))
PARTS_0.3.0 = $(sort $(wildcard sql/4[0-9]_*.sql))
PARTS_0.4.0 = $(sort $(wildcard sql/5[0-9]_*.sql))
PARTS_LAST = $(sort $(wildcard sql/99_*.sql))
DATA_built = pg_nudge--$(EXTVERSION).sql \
	pg_nudge--0.1.0.sql pg_nudge--0.1.0--0.2.0.sql \
	pg_nudge--0.2.0.sql pg_nudge--0.2.0--0.3.0.sql \
	pg_nudge--0.3.0.sql pg_nudge--0.3.0--0.4.0.sql

# installcheck needs a running server, whose data it puts aside: a database of
# its own.  TAP_TESTS stays unset, as TAP tests start servers and therefore fail
# for root; provecheck runs them.
REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --load-extension=pg_nudge
ISOLATION = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=pg_nudge
PROVE_TESTS = $(sort $(wildcard test/t/*.pl))

EXTRA_CLEAN = src/queries.h log tmp_check

# Where pg_config is missing, "make test" and its like still work: their scripts
# install it and call make again.
PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)

include $(PGXS)

pg_nudge--0.1.0.sql: $(PARTS_0.1.0) $(PARTS_LAST)
	cat $^ > $@

pg_nudge--0.2.0.sql: $(PARTS_0.1.0) $(PARTS_0.2.0) $(PARTS_LAST)
	cat $^ > $@

pg_nudge--0.3.0.sql: $(PARTS_0.1.0) $(PARTS_0.2.0) $(PARTS_0.3.0) $(PARTS_LAST)
	cat $^ > $@

pg_nudge--0.4.0.sql: $(PARTS_0.1.0) $(PARTS_0.2.0) $(PARTS_0.3.0) $(PARTS_0.4.0) $(PARTS_LAST)
	cat $^ > $@

# The first line keeps psql from running it by itself, as part 01 does.
pg_nudge--0.1.0--0.2.0.sql: $(PARTS_0.2.0)
	printf '%s\n' "\\echo Use \"ALTER EXTENSION pg_nudge UPDATE TO '0.2.0'\" to load this file. \\quit" | cat - $^ > $@

pg_nudge--0.2.0--0.3.0.sql: $(PARTS_0.3.0)
	printf '%s\n' "\\echo Use \"ALTER EXTENSION pg_nudge UPDATE TO '0.3.0'\" to load this file. \\quit" | cat - $^ > $@

pg_nudge--0.3.0--0.4.0.sql: $(PARTS_0.4.0)
	printf '%s\n' "\\echo Use \"ALTER EXTENSION pg_nudge UPDATE TO '0.4.0'\" to load this file. \\quit" | cat - $^ > $@

# Queries of the C code are SQL in files of their own: src/queries/NAME.sql
# becomes the string constant query_NAME.
src/queries.h: $(sort $(wildcard src/queries/*.sql)) src/queries/embed.pl
	perl src/queries/embed.pl $(filter %.sql,$^) > $@

$(OBJS): $(wildcard src/*.h) src/queries.h

.PHONY: provecheck
provecheck:
	$(prove_installcheck)

else

.PHONY: all install installcheck provecheck clean
all install installcheck provecheck clean:
	@echo 'make: $(PG_CONFIG) knows of no PostgreSQL to build for.' >&2
	@echo 'Install postgresql-server-dev-15, or give PG_CONFIG=/path/to/pg_config.' >&2
	@echo '"make test" and "make demo" install what they need by themselves.' >&2
	@exit 1

endif

.PHONY: test demo bench typedefs

# GROUP chooses among regress, isolation, pgtap and tap; ONLY=TEXT leaves the
# tests whose name has TEXT in it.
test:
	@GROUP='$(GROUP)' ONLY='$(ONLY)' test/run

demo:
	@demo/run

# ONLY=TEXT leaves the benchmarks whose name has TEXT in it.
bench:
	@ONLY='$(ONLY)' bench/run

# The list of our types that pgindent needs
typedefs: $(sort $(wildcard src/*.[ch]))
	perl tools/typedefs.pl $^ > src/typedefs.list
