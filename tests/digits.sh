#!/usr/bin/env bash
# Trains on the handwritten digits through a daemon of its own, and holds both to their exit status.
#
#   tests/digits.sh build/layerd build/digits
set -euo pipefail
. tests/daemon.sh
start_daemon "$1"
for network in affine convolution; do
    "$2" --url "$url" --data tests/data/digits.csv --network $network
done
stop_daemon
echo "digits: 2 passed, 0 failed"
