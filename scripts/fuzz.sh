#!/bin/sh
# Runs every fuzz test for FUZZTIME (30s unless set).
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

for package in $(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u); do
	for name in $(go test -list '^Fuzz' "./$package" | grep '^Fuzz'); do
		say "$package $name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-30s}" "./$package"
	done
done
