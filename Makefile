# pg_nudge: behavioural marketing automation inside PostgreSQL.
#
# Plain "make", "make install" and "make installcheck" work as with any PGXS
# extension.

EXTENSION = pg_nudge
EXTVERSION = 0.1.0

MODULE_big = pg_nudge
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers

# The install script is put together from the numbered parts in sql/; upgrade
# scripts lie there under their own names.
DATA_built = pg_nudge--$(EXTVERSION).sql
DATA = $(sort $(wildcard sql/pg_nudge--*--*.sql))

REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --load-extension=pg_nudge
ISOLATION = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=pg_nudge

EXTRA_CLEAN = src/queries.h

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

pg_nudge--$(EXTVERSION).sql: $(sort $(wildcard sql/[0-9][0-9]_*.sql))
	cat $^ > $@

# Queries of the C code are SQL in files of their own: src/queries/NAME.sql
# becomes the string constant query_NAME.
src/queries.h: $(sort $(wildcard src/queries/*.sql)) src/queries/embed.pl
	perl src/queries/embed.pl $(filter %.sql,$^) > $@

$(OBJS): $(wildcard src/*.h) src/queries.h
