#!/bin/sh
# Fetches the JavaScript engine of the sandbox again, exactly the version that is
# committed, and compares. It never replaces anything: another version is a
# decision, and means another version and checksum here.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

version=3.6.2
want=d4c9375f2b1ca4dc95f72c8aa2982a7a9951ac8011490d79c6582df732b4bbd9

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd "$tmp" && npm pack --silent "quickjs-wasi@$version" >/dev/null) || die "could not fetch quickjs-wasi $version"
tar -xzf "$tmp/quickjs-wasi-$version.tgz" -C "$tmp"

[ "$(sha256sum <"$tmp/package/quickjs.wasm" | cut -d' ' -f1)" = "$want" ] ||
	die "quickjs.wasm of quickjs-wasi $version is not what it was: do not use it"
cmp "$tmp/package/quickjs.wasm" internal/sandbox/quickjs.wasm || die "internal/sandbox/quickjs.wasm is not the one of quickjs-wasi $version"
cmp "$tmp/package/LICENSE" internal/sandbox/quickjs.LICENSE || die "internal/sandbox/quickjs.LICENSE is not the one of quickjs-wasi $version"
say "internal/sandbox/quickjs.wasm is the one of quickjs-wasi $version"
