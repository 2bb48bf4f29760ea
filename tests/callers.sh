#!/usr/bin/env bash
# Whoever sends what is refused on the way reads the answer, though libraries and proxies send on
# before they look: Python, Node and curl, straight and through nginx.
#
#   tests/callers.sh build/layerd
set -euo pipefail
. tests/daemon.sh
. tests/proxy.sh
start_daemon "$1" --body-limit 1MiB
start_proxy
body=$(mktemp -p "$proxy_folder")
head -c 3000000 /dev/zero >"$body"
for to in "$url" "$proxied"; do
    echo "$to"
    /usr/bin/python3 -B tests/callers/refused.py "$to"
    node tests/callers/refused.mjs "$to"
    for _ in 1 2 3 4 5 6; do
        code=$(curl -sS -o /dev/null -w '%{http_code}' --data-binary "@$body" "$to/relu/forward")
        [ "$code" = 413 ] || { echo "curl: $code"; exit 1; }
    done
    echo "curl: 6 passed, 0 failed"
done
stop_proxy
stop_daemon
