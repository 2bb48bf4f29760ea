#!/usr/bin/env bash
# Trains on the handwritten digits through a daemon of its own, and holds both to their exit status.
#
#   tests/digits.sh build/layerd build/digits
set -euo pipefail
layerd=$1
digits=$2
log=$(mktemp)
trap 'kill "$daemon" 2>/dev/null || true; rm -f "$log"' EXIT

"$layerd" --listen 127.0.0.1:0 2>"$log" &
daemon=$!
url=
for _ in $(seq 500); do
    url=$(sed -n 's/.* serves on \(http:[^ ]*\) .*/\1/p' "$log")
    [ -n "$url" ] && break
    sleep 0.01
done
[ -n "$url" ] || { echo "the daemon did not start:"; cat "$log"; exit 1; }

"$digits" --url "$url" --data tests/data/digits.csv
kill -TERM "$daemon"
wait "$daemon" || { echo "the daemon did not stop well:"; cat "$log"; exit 1; }
echo "digits: 1 passed, 0 failed"
