#!/usr/bin/env bash
# Runs the commands of the manual's pages, each page's in one shell and against a daemon of its own:
# each must print what its page says. The README.md files in tests/ and findings/ are not among them:
# they are for who works on the project, and their commands make the files that they tell of again.
#
#   tests/readme.sh build/layerd [page...]
set -euo pipefail
. tests/daemon.sh
layerd=$1
pages=("${@:2}")
[ ${#pages[@]} != 0 ] || mapfile -t pages < <(/usr/bin/python3 -B tests/readme/pages.py)
/usr/bin/python3 -B tests/readme/facts.py "$layerd"
for page in "${pages[@]}"; do
    start_daemon "$layerd"
    /usr/bin/python3 -B tests/readme/run.py "$layerd" "$url" "$page"
    stop_daemon
done
