#!/usr/bin/env bash
# Holds /openapi.json to the OpenAPI schema, and a daemon with small limits to /openapi.json.
#
#   tests/openapi.sh build/layerd
set -euo pipefail
layerd=$1
log=$(mktemp)
trap 'kill "$daemon" 2>/dev/null || true; rm -f "$log"' EXIT

"$layerd" --listen 127.0.0.1:0 --body-limit 64KiB --answer-limit 64KiB --cache-budget 32KiB \
    --address-connections 16 2>"$log" &
daemon=$!
url=
for _ in $(seq 500); do
    url=$(sed -n 's/.* serves on \(http:[^ ]*\) .*/\1/p' "$log")
    [ -n "$url" ] && break
    sleep 0.01
done
[ -n "$url" ] || { echo "the daemon did not start:"; cat "$log"; exit 1; }

/usr/bin/python3 -B tests/openapi/run.py "$url" || { cat "$log"; exit 1; }
kill -TERM "$daemon"
wait "$daemon" || { echo "the daemon did not stop well:"; cat "$log"; exit 1; }
