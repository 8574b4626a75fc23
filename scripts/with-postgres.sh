#!/bin/sh
# Runs a command with LINKSPAN_TEST_POSTGRES naming a PostgreSQL server:
#
#   scripts/with-postgres.sh go test ./internal/store
#
# The server is a throw-away one on loopback that ends with the command, unless
# the variable names one already. PostgreSQL is installed when it is absent.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

[ -n "${LINKSPAN_TEST_POSTGRES:-}" ] && exec "$@"

# find_bin prints the folder of the newest server. Debian keeps it off PATH.
find_bin() {
	newest=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
	[ -z "$newest" ] && newest=$(command -v initdb || true)
	[ -n "$newest" ] && dirname "$newest"
}

bin=$(find_bin || true)
if [ -z "$bin" ]; then
	need_package initdb postgresql postgresql-client
	bin=$(find_bin) || die "PostgreSQL was installed but initdb is not to be found"
fi
need_package psql postgresql-client

# PostgreSQL refuses to run as root.
user=$(id -un)
if [ "$(id -u)" -eq 0 ]; then
	user=postgres
	id "$user" >/dev/null 2>&1 || user=nobody
fi
as_server() {
	if [ "$(id -u)" -eq 0 ]; then
		(cd / && runuser -u "$user" -- "$@")
	else
		"$@"
	fi
}

dir=$(mktemp -d -t linkspan-postgres.XXXXXX)
[ "$(id -u)" -eq 0 ] && chown "$user" "$dir"

stop() {
	as_server "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "starting a throw-away PostgreSQL"
as_server "$bin/initdb" -D "$dir/data" -U linkspan -A trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1 || {
	cat "$dir/initdb.log" >&2
	die "initdb failed"
}
# Durability is not what these tests are about; speed is.
cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 300
CONF

# The port is chosen at random; another one is tried when it is taken.
tries=0
until
	port=$(awk -v seed="$$$tries" 'BEGIN { srand(seed); print int(20000 + rand() * 12000) }')
	as_server "$bin/pg_ctl" -D "$dir/data" -o "-p $port" -l "$dir/server.log" -w -t 30 start >/dev/null 2>&1
do
	tries=$((tries + 1))
	[ "$tries" -lt 5 ] || {
		tail -n 20 "$dir/server.log" >&2
		die "PostgreSQL does not start"
	}
done

export LINKSPAN_TEST_POSTGRES="postgres://linkspan@127.0.0.1:$port/postgres?sslmode=disable"
"$@"
