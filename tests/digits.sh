#!/usr/bin/env bash
# Runs the examples of the C client, which train on handwritten digits and on XOR, through a daemon of
# its own, and holds all to their exit status.
#
#   tests/digits.sh build/layerd build/digits build/xor
set -euo pipefail
. tests/daemon.sh
start_daemon "$1"
for network in affine convolution; do
    "$2" --url "$url" --data tests/data/digits.csv --network $network
done
"$3" "$url"
stop_daemon

# with tokens, and one from a file
"$1" --new-token digits >"$log.token" 2>"$log.tokens"
start_daemon "$1" --tokens "$log.tokens"
"$2" --url "$url" --data tests/data/digits.csv --epochs 1 2>/dev/null && exit 1
"$2" --url "$url" --token-file "$log.tokens" --epochs 1 2>/dev/null && exit 1
"$2" --url "$url" --token-file "$log.token" --data tests/data/digits.csv --epochs 3
stop_daemon
echo "digits: 3 passed, 0 failed"
