#!/usr/bin/env bash
# Asks a daemon of its own whether right answers are right and wrong ones wrong; words after the
# interpreter pick operations whose names hold one.
#
#   tests/checks.sh build/layerd /usr/bin/python3 [word...]
set -euo pipefail
. tests/daemon.sh
start_daemon "$1"
OMP_NUM_THREADS=1 "$2" -B tests/checks/run.py "$url" "${@:3}"
stop_daemon
