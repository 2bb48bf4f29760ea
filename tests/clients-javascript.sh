#!/usr/bin/env bash
# Runs the JavaScript client's tests against a daemon of their own.
#
#   tests/clients-javascript.sh build/layerd
set -euo pipefail
. tests/daemon.sh
start_daemon "$1"
if ! report=$(LAYERD_URL=$url timeout 300 node --test --test-reporter=tap clients/javascript/test/*.test.js 2>&1); then
    echo "$report"
    exit 1
fi
stop_daemon
count() { sed -n "s/^# $1 //p" <<<"$report"; }
echo "javascript client: $(count pass) passed, $(count fail) failed"
