#!/usr/bin/env bash
# Holds /metrics of a daemon of its own to the readers that will read it: promtool for the text
# form, Prometheus's Python client for OpenMetrics.
#
#   tests/metrics.sh build/layerd build
set -euo pipefail
. tests/daemon.sh
build=$2

# Debian 12 has promtool only in the package of the server, which would start one; 13 has a package of
# its own. Unpacked, not installed.
promtool=$(command -v promtool || echo "$build/promtool")
if [ ! -x "$promtool" ]; then
    folder=$(mktemp -d)
    (cd "$folder" && package=$(apt-cache show promtool >/dev/null 2>&1 && echo promtool || echo prometheus) &&
        apt-get download -q "$package" && dpkg-deb --fsys-tarfile "$package"_*.deb |
        tar x ./usr/bin/promtool) >"$log" 2>&1 || { cat "$log"; exit 1; }
    mv "$folder/usr/bin/promtool" "$promtool"
    rm -r "$folder"
fi

start_daemon "$1"

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
stop_daemon
echo "metrics: 2 passed, 0 failed"
