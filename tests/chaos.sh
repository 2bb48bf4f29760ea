#!/usr/bin/env bash
# Callers who behave badly, and a daemon that is killed under load: tests/chaos.sh build/layerd
set -euo pipefail
/usr/bin/python3 -B tests/chaos/chaos.py "$1" 8
/usr/bin/python3 -B tests/chaos/restarts.py "$1" 4
