#!/bin/sh
# Shows everything on this machine: a server, a demo provider to connect to, and
# a receiver of webhooks. With ONCE=1 it goes through all of it without a person
# and says by its exit code whether that worked. Arguments are passed on to
# "linkspan demo".
set -eu
cd "$(dirname "$0")/.."

case ${ONCE:-} in
'' | 0 | no | false) ;;
*) set -- --once "$@" ;;
esac
exec bin/linkspan demo "$@"
