#!/usr/bin/env bash
# Holds /openapi.json to the OpenAPI schema, and a daemon with small limits to /openapi.json.
#
#   tests/openapi.sh build/layerd
set -euo pipefail
. tests/daemon.sh
start_daemon "$1" --body-limit 64KiB --answer-limit 64KiB --cache-budget 256KiB \
    --address-connections 16 --challenges 1 --challenge-lifetime 2s
/usr/bin/python3 -B tests/openapi/run.py "$url" || { cat "$log"; exit 1; }
stop_daemon
