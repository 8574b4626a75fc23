#!/bin/sh
# Fails when a generated file or go.mod is not what its generator makes.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

state() { git status --porcelain && git diff; }

before=$(state)
go generate ./...
[ "$(state)" = "$before" ] || {
	git status --short >&2
	die "generated files are not current: run make generate and commit the result"
}
go mod tidy -diff || die "go.mod or go.sum is not tidy: run go mod tidy"
