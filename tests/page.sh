#!/usr/bin/env bash
# Uses the page for people as people do, in Chromium without a screen, on a daemon of its own.
#
#   tests/page.sh build/layerd
set -euo pipefail
. tests/daemon.sh
start_daemon "$1"
/usr/bin/python3 -B tests/page/run.py "$url"
stop_daemon
