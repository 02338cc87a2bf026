# Shared by test/run, demo/run and bench/run: brings a fresh Debian 12 to where
# the extension is built and installed, and starts a throw-away server.
#
# A script sources this file and calls, in this order,
#
#     install_packages PACKAGE...     what is missing, with apt-get
#     find_postgres                   sets bindir and the like
#     make_workdir                    sets work, whose contents go at the end
#     build_and_install               from a copy of the tree
#     start_server [SETTING=VALUE]... a server that listens on a socket in work
#
# and may then use psql and the other clients, which find the server through
# PGHOST.  Whatever happens, an exit trap stops the server and removes work.
#
# PG_CONFIG, if set, names the PostgreSQL to use; nothing is then installed with
# apt-get.  Without it, that is Debian's PostgreSQL 15.  As root, servers and
# tests run as the user postgres, since PostgreSQL refuses root; as another user
# they run as that user, and sudo is asked where root is needed.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What the caller's make and shell set must not reach ours.
wanted_pg_config=${PG_CONFIG:-}
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CDPATH
unset "${!PG@}"
export LANG=C.UTF-8 LC_ALL=C.UTF-8

work=                   # directory of this run
child=                  # process that "limited" waits for
installed_by_us=        # set where the extension was not installed before

say()  { printf '== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die()  { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

#
# Who does what
#

# The user that runs the server and the tests: never root.
server_prefix=()
server_user=$(id -un)
if [ "$(id -u)" = 0 ]; then
    server_user=postgres
    server_prefix=(runuser -u postgres --)
fi
as_server() { "${server_prefix[@]}" "$@"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "needs root for: $*"
    fi
}

# Runs a command with a time limit in seconds, as the server's user; unlike a
# plain command it is stopped, with all its children, as soon as this script is.
limited() {
    local seconds=$1 status=0
    shift
    timeout -k 10 "$seconds" "${server_prefix[@]}" "$@" </dev/null &
    child=$!
    wait "$child" || status=$?
    child=
    return "$status"
}

#
# Packages
#

missing_packages() {
    local package
    for package in "$@"; do
        if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            printf '%s\n' "$package"
        fi
    done
}

# Quietly, but for what went wrong
apt() {
    local log status=0
    log=$(mktemp)
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" \
        </dev/null >"$log" 2>&1 || status=$?
    [ "$status" = 0 ] || tail -n 30 "$log"
    rm -f "$log"
    return "$status"
}

# PostgreSQL's package starts a server on the default port as it is installed.
# Nobody asked for one, so that is turned off for as long as it takes.
install_packages() {
    [ -z "$wanted_pg_config" ] || return 0
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        die "this is not Debian: install PostgreSQL 15, pg_cron and pgTAP, and set PG_CONFIG"
    fi

    local missing confdir=/etc/postgresql-common/createcluster.d status=0
    mapfile -t missing < <(missing_packages "$@")
    if [ ${#missing[@]} = 0 ]; then
        say "All packages that this needs are there"
        return 0
    fi
    say "Installing packages: ${missing[*]}"
    apt update || note "apt-get update failed; trying with the package lists as they are"
    apt install --no-install-recommends postgresql-common || die "apt-get could not install postgresql-common"
    as_root mkdir -p "$confdir"
    echo 'create_main_cluster = false' | as_root tee "$confdir/pg_nudge-setup.conf" >/dev/null
    apt install --no-install-recommends "${missing[@]}" || status=$?
    as_root rm -f "$confdir/pg_nudge-setup.conf"
    [ "$status" = 0 ] || die "apt-get could not install ${missing[*]}"
}

#
# Where things are
#

find_postgres() {
    pg_config=${wanted_pg_config:-/usr/lib/postgresql/15/bin/pg_config}
    command -v "$pg_config" >/dev/null || die "there is no $pg_config"
    bindir=$("$pg_config" --bindir)
    sharedir=$("$pg_config" --sharedir)
    pkglibdir=$("$pg_config" --pkglibdir)
    pgxsdir=${pkglibdir}/pgxs
    [ -f "$("$pg_config" --pgxs)" ] || die "$pg_config has no server headers: install postgresql-server-dev-15"
    export PATH=$bindir:$PATH
    export PG_CONFIG=$pg_config
}

# In /tmp, as a socket's path may have 107 bytes at most.
make_workdir() {
    trap cleanup EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    umask 022
    work=$(mktemp -d /tmp/pg_nudge.XXXXXX)
    mkdir "$work/home" "$work/log"
    chown -R "$server_user" "$work"
    # The server's user may not be allowed to be where the caller is.
    cd "$work"
    export HOME=$work/home TMPDIR=$work
}

# Stops every server whose data lies in a directory.
stop_servers_below() {
    local pidfile
    find "$1" -name postmaster.pid -print 2>/dev/null | while IFS= read -r pidfile; do
        as_server "$bindir/pg_ctl" -D "${pidfile%/*}" -m immediate -w -t 30 stop >/dev/null 2>&1 || true
    done
}

cleanup() {
    local status=$?
    trap '' HUP INT TERM
    trap - EXIT
    set +e
    if [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null
        wait "$child" 2>/dev/null
    fi
    if [ -n "$work" ]; then
        cd /
        stop_servers_below "$work"
        rm -rf "$work" 2>/dev/null || as_root rm -rf "$work"
    fi
    exit "$status"
}

#
# The extension
#

# Packs up the tree without what an earlier build left, so that neither the
# caller's files nor their owner change.
copy_tree() {
    mkdir "$work/src"
    tar -C "$root" -cf - --exclude=./.git --exclude='*.o' --exclude='*.so' --exclude='*.bc' \
        --exclude='./pg_nudge--*.sql' --exclude=./src/queries.h --exclude=./results \
        --exclude=./output_iso --exclude=./tmp_check --exclude=./log . |
        tar -C "$work/src" --no-same-owner -xf -
    chown -R "$server_user" "$work/src"
}

build_and_install() {
    local log=$work/log/build.log jobs
    jobs=$(nproc)
    copy_tree
    say "Building pg_nudge with $pg_config"
    # Bitcode for JIT inlining would double the time and change nothing here.
    if ! limited 1200 make -C "$work/src" -j"$jobs" with_llvm=no PG_CONFIG="$pg_config" >"$log" 2>&1; then
        tail -n 60 "$log"
        die "the build failed"
    fi
    [ -e "$sharedir/extension/pg_nudge.control" ] || installed_by_us=yes
    say "Installing it into $sharedir/extension"
    with_write_access make -C "$work/src" install with_llvm=no PG_CONFIG="$pg_config" >>"$log" 2>&1 || {
        tail -n 20 "$log"
        die "the installation failed"
    }
}

with_write_access() {
    if [ -w "$sharedir/extension" ] && [ -w "$pkglibdir" ]; then "$@"; else as_root "$@"; fi
}

# Takes the extension away again where there was none before.
uninstall_if_ours() {
    [ -n "$installed_by_us" ] || return 0
    say "Uninstalling the extension, as it was not there before"
    with_write_access make -C "$work/src" uninstall with_llvm=no PG_CONFIG="$pg_config" >/dev/null 2>&1
}

#
# The server
#

# Arguments are settings; a later one wins.
start_server() {
    [ -f "$sharedir/extension/pg_cron.control" ] || die "pg_cron is not installed below $sharedir"
    local data=$work/data setting
    if ! as_server "$bindir/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N \
            >"$work/log/initdb.log" 2>&1; then
        cat "$work/log/initdb.log"
        die "initdb failed"
    fi
    {
        # Reached by this socket only, so that the port can clash with nobody's.
        printf "%s = '%s'\n" listen_addresses '' unix_socket_directories "$work" port 5432 \
            cron.host "$work" shared_preload_libraries pg_cron cron.database_name postgres \
            timezone UTC log_timezone UTC log_line_prefix '%m [%p] %q%a ' fsync off
        for setting in "$@"; do
            printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"
        done
    } | as_server tee -a "$data/postgresql.conf" >/dev/null
    export PGHOST=$work PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
    if ! as_server "$bindir/pg_ctl" -D "$data" -l "$work/server.log" -w -t 60 start >/dev/null; then
        tail -n 30 "$work/server.log"
        die "the server did not start"
    fi
}
