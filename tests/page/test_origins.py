"""A page of another origin, which a browser lets send what it wants, leaves nothing behind."""
import http.server
import re
import threading
import urllib.request

import case
from browser import Tab

# A plain body needs no leave: it is sent, whatever is answered.
FILL = """(async () => {
    const body = new Blob(['{"x": [1, 2, 3]}']);
    const ways = [{mode: 'no-cors'}, {mode: 'cors'}, {mode: 'no-cors', credentials: 'include'}];
    let opaque = 0;
    for (const way of ways)
        opaque += await fetch('%s/relu/forward', {method: 'POST', body, ...way})
            .then((answer) => answer.type === 'opaque', () => false);
    navigator.sendBeacon('%s/relu/forward', body);
    return opaque;
})()"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Origins(case.Case):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def figure(self, pattern):
        with urllib.request.urlopen(case.url + "/metrics") as answer:
            return sum(int(n) for n in re.findall(pattern + r" (\d+)\n", answer.read().decode()))

    def test_it_fills_no_cache(self):
        kept = 'layerd_requests_total{layer="relu",operation="forward",status="200"}'
        before = self.figure(re.escape(kept))
        refused = self.figure(r'status="403"}')
        tab = Tab(case.browser, "http://127.0.0.1:%d/" % self.server.server_port)
        self.addCleanup(tab.close)
        tab.until(f"location.port === '{self.server.server_port}'")
        self.assertEqual(tab.run(FILL % (case.url, case.url)), 2)
        self.assertEqual(self.figure(re.escape(kept)), before)
        self.assertGreaterEqual(self.figure(r'status="403"}'), refused + 3)
