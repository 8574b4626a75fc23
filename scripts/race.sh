#!/bin/sh
# Runs "go test" with the race detector on our code and on all modules but those
# that only compute: SQLite, translated from C. Watching each of its accesses to
# memory would take ten times as long as the tests, and find nothing of ours.
set -eu
cd "$(dirname "$0")/.."

unwatched='-race=false -d=checkptr=0'
export CGO_ENABLED=1 # the race detector needs it
exec go test -race -shuffle=on \
	"-gcflags=modernc.org/sqlite/lib=$unwatched" \
	"-gcflags=modernc.org/libc=$unwatched" \
	"$@"
