#!/bin/sh
# Runs the server. The first time, on a new ./linkspan-data, it also makes an
# integration to play with and prints two commands that lead to a proxied call.
# Arguments are passed on to "linkspan serve".
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

bin=bin/linkspan

# With a database of one's own, or after the first time, there is nothing to add.
if [ $# -gt 0 ] || [ -e linkspan-data ] || ! command -v curl >/dev/null; then
	exec "$bin" serve "$@"
fi

# Keys are random UUIDs.
key=$(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen | tr A-F a-f)
host=http://localhost:3003
LINKSPAN_SECRET_KEY_DEV=$key "$bin" serve &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; exit 0' INT TERM

until curl -fs -o /dev/null "$host/ready"; do
	kill -0 "$server" 2>/dev/null || {
		wait "$server" || exit $?
		exit 1
	}
	sleep 0.1
done

curl -fs -o /dev/null "$host/integrations" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' \
	-d '{"provider":"private-api-bearer","unique_key":"my-api"}'

cat <<TEXT

Your dev key is $key (shown only now). Two commands to a proxied call:

1. Import a connection: an end user's account at an API, here with a token.

  curl $host/connections -H 'Authorization: Bearer $key' -H 'Content-Type: application/json' \\
    -d '{"provider_config_key":"my-api","connection_id":"alice","credentials":{"type":"API_KEY","apiKey":"alices-token"}}'

2. Call that API. Linkspan adds the token; your code never sees it.

  curl $host/proxy/bearer -H 'Authorization: Bearer $key' -H 'Provider-Config-Key: my-api' -H 'Connection-Id: alice' \\
    -H 'Base-Url-Override: https://httpbin.org'

Ctrl-C stops the server; ./linkspan-data keeps everything.

TEXT
wait "$server"
