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
echo "digits: 3 passed, 0 failed"
