#!/bin/sh
# Builds the development tools that tools/go.mod pins into .cache/bin. Building
# the linter takes minutes, so it is done again only when a version changes.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

bin=$PWD/.cache/bin
want=$(cat tools/go.mod tools/go.sum scripts/tools.sh | cksum; go version)
[ "$(cat "$bin/.built" 2>/dev/null || true)" = "$want" ] && exit 0

say "building the development tools (a few minutes, once)"
mkdir -p "$bin"
(
	cd tools
	CGO_ENABLED=0 go build -o "$bin/" \
		github.com/golangci/golangci-lint/v2/cmd/golangci-lint \
		mvdan.cc/gofumpt \
		golang.org/x/perf/cmd/benchstat \
		github.com/a-h/templ/cmd/templ
)
printf '%s' "$want" >"$bin/.built"
