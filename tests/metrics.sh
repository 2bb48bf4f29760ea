#!/usr/bin/env bash
# Holds /metrics of a daemon of its own to the readers that will read it: promtool for the text
# form, Prometheus's Python client for OpenMetrics.
#
#   tests/metrics.sh build/layerd build
set -euo pipefail
layerd=$1
build=$2
log=$(mktemp)
trap 'kill "$daemon" 2>/dev/null || true; rm -f "$log"' EXIT

# Debian has promtool only in the package of the server, which would start one: unpacked, not
# installed.
promtool=$(command -v promtool || echo "$build/promtool")
if [ ! -x "$promtool" ]; then
    folder=$(mktemp -d)
    (cd "$folder" && apt-get download -q prometheus && dpkg-deb --fsys-tarfile prometheus_*.deb |
        tar x ./usr/bin/promtool) >"$log" 2>&1 || { cat "$log"; exit 1; }
    mv "$folder/usr/bin/promtool" "$promtool"
    rm -r "$folder"
fi

"$layerd" --listen 127.0.0.1:0 2>"$log" &
daemon=$!
url=
for _ in $(seq 500); do
    url=$(sed -n 's/.* serves on \(http:[^ ]*\) .*/\1/p' "$log")
    [ -n "$url" ] && break
    sleep 0.01
done
[ -n "$url" ] || { echo "the daemon did not start:"; cat "$log"; exit 1; }

call() { curl -sS -o /dev/null -H 'Content-Type: application/json' -d "$2" "$url$1"; }
call /relu/forward '{"x": [1, -2]}'
call /svm/loss '{"x": [[1, 2]], "y": [0]}'
call /relu/forward '{'
call '/no"\where' '{}'

curl -sS "$url/metrics" | "$promtool" check metrics
curl -sS -H 'Accept: application/openmetrics-text' "$url/metrics" | /usr/bin/python3 -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
samples = {(s.name, tuple(sorted(s.labels.items()))): s.value
           for family in text_string_to_metric_families(sys.stdin.read()) for s in family.samples}
for status, count in (("200", 1), ("400", 1)):
    labels = (("layer", "relu"), ("operation", "forward"), ("status", status))
    assert samples["layerd_requests_total", labels] == count, (status, samples)
'
kill -TERM "$daemon"
wait "$daemon" || { echo "the daemon did not stop well:"; cat "$log"; exit 1; }
echo "metrics: 2 passed, 0 failed"
