#!/usr/bin/env bash
# Runs the Python client's tests against a daemon of their own; words after the interpreter pick
# those whose names hold one.
#
#   tests/clients-python.sh build/layerd /usr/bin/python3 [word...]
set -euo pipefail
. tests/daemon.sh
start_daemon "$1"
LAYERD=$1 LAYERD_URL=$url "$2" -X dev -B clients/python/tests/run.py "${@:3}"
stop_daemon
