#!/usr/bin/env bash
# Uses the page for people as people do, in Chromium without a screen, on a daemon of its own, and
# once more behind a proxy that serves it under a path prefix.
#
#   tests/page.sh build/layerd
set -euo pipefail
. tests/daemon.sh
. tests/proxy.sh
start_daemon "$1"
LAYERD=$1 /usr/bin/python3 -B tests/page/run.py "$url"
start_proxy
echo -n "behind a proxy: "
LAYERD=$1 /usr/bin/python3 -B tests/page/run.py "$proxied"
stop_proxy
stop_daemon
