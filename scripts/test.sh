#!/bin/sh
# Every check, in the order of how soon it fails: formatting, vet, lint,
# generated files, the other platforms, and all tests with the race detector on
# SQLite and PostgreSQL. Installs what is missing on a Debian system that has
# Go, Node and npm.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

# Tests that would skip for want of a tool fail instead.
export CI=true
# Nothing here needs C but the race detector: all else is compiled once, as it is
# for the program itself.
export CGO_ENABLED=0

command -v go >/dev/null || die "Go is missing: see https://go.dev/doc/install"
command -v npm >/dev/null || die "Node and npm are missing: the end-to-end tests need them"
need_package cc gcc libc6-dev # the race detector links with it
command -v google-chrome >/dev/null || need_package chromium chromium

scripts/tools.sh

say "formatting"
unformatted=$(git ls-files -co --exclude-standard '*.go' ':!*_templ.go' | xargs .cache/bin/gofumpt -l)
[ -z "$unformatted" ] || die "not formatted (run make fmt): $unformatted"

say "vet"
go vet ./...

say "lint"
.cache/bin/golangci-lint run --allow-parallel-runners ./...

say "generated files"
scripts/verify.sh

say "types of the prelude"
[ -x sdk/functions/node_modules/.bin/tsc ] || (cd sdk/functions && npm ci --no-audit --no-fund --ignore-scripts)
(cd sdk/functions && npx --no-install tsc --noEmit)
say "types for authors"
for dir in sdk/functions/types/tests examples integrations; do
	sdk/functions/node_modules/.bin/tsc -p $dir
done

say "other platforms"
# Each system and each architecture is built once. What is left are pairs of the
# two, for which nothing here differs: they need only be there in all modules.
for target in linux/arm64 darwin/arm64 windows/amd64; do
	GOOS=${target%/*} GOARCH=${target#*/} go build -o /dev/null ./cmd/linkspan ||
		die "does not build for $target"
done
for target in darwin/amd64 windows/arm64; do
	GOOS=${target%/*} GOARCH=${target#*/} go list -deps ./cmd/linkspan >/dev/null ||
		die "a module has nothing for $target"
done
say "the sandbox without copy-on-write"
go test -tags portable ./internal/sandbox

say "packages of the tests"
# Not "npm ci": it wants the lock file to list native packages of all platforms,
# which some registries don't have. This keeps to the lock file as well.
for dir in e2e e2e/published internal/function/bundle/testdata/npm; do
	[ "$dir/node_modules/.package-lock.json" -nt "$dir/package-lock.json" ] ||
		(cd "$dir" && npm install --no-save --no-audit --no-fund --ignore-scripts)
done

say "hostile functions" # memory can be judged only without the race detector
go test -count=1 -run 'TestHostileFunctions' ./e2e

say "tests"
exec scripts/with-postgres.sh scripts/race.sh -timeout 30m "$@" ./...
