"""The document: its headers, and what the browser makes of them."""
import json
import urllib.parse
import urllib.request

import case
from case import Case, panel


class Document(Case):
    def test_its_headers_are_strict(self):
        for method in ("GET", "HEAD"):
            with urllib.request.urlopen(urllib.request.Request(case.url + "/", method=method)) as answer:
                headers, text = answer.headers, answer.read()
            self.assertEqual(headers["Content-Type"], "text/html; charset=utf-8")
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
            self.assertEqual(headers["Cache-Control"], "no-cache")
            policy = headers["Content-Security-Policy"]
            for part in ("default-src 'none'", "connect-src 'self'", "base-uri 'none'",
                         "form-action 'none'", "frame-ancestors 'none'", "script-src 'sha256-"):
                self.assertIn(part, policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(len(text), 0 if method == "HEAD" else int(headers["Content-Length"]))
            self.assertLess(int(headers["Content-Length"]), 70_000)

    def test_it_loads_without_a_complaint_and_asks_nobody_else(self):
        tab = self.open()
        tab.until("document.querySelector('.line').hasAttribute('d')")
        self.assertEqual(tab.complaints(), [])
        self.assertGreaterEqual(len(tab.requests()), 4)
        for address in tab.requests():
            self.assertTrue(address.startswith((case.url + "/", "data:")), address)

    def test_an_injected_script_is_refused(self):
        tab = self.open()
        tab.run("""{
            const script = document.createElement('script');
            script.textContent = 'window.injected = true';
            document.body.append(script);
            document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.injected = true">');
        }""")
        self.assertIsNone(tab.run("window.injected"))
        texts = [c["entry"]["text"] for c in tab.complaints() if "entry" in c]
        self.assertTrue(any("Content Security Policy" in text for text in texts), texts)

    def test_its_links_lead_to_the_documents(self):
        tab = self.open()
        links = tab.run("[...document.querySelectorAll('header nav a')].map((link) => link.href)")
        self.assertGreaterEqual(len(links), 4)
        for link in links:
            self.assertTrue(link.startswith(case.url + "/"), link)
            with urllib.request.urlopen(link) as answer:
                self.assertEqual(answer.status, 200, link)

    def test_the_server_of_the_description_is_the_one_that_gave_it(self):
        address = case.url + "/openapi.json"
        with urllib.request.urlopen(address) as answer:
            server = json.load(answer)["servers"][0]["url"]
        self.assertEqual(urllib.parse.urljoin(address, server), case.url + "/")

    def test_it_names_the_version(self):
        tab = self.open()
        with urllib.request.urlopen(case.url + "/version") as answer:
            version = json.load(answer)
        shown = tab.run("document.getElementById('version').textContent")
        self.assertIn(version["version"], shown)
        self.assertIn(version["commit"], shown)

    def test_every_operation_of_the_description_has_a_form_and_runs(self):
        with urllib.request.urlopen(case.url + "/openapi.json") as answer:
            paths = json.load(answer)["paths"]
        wanted = {path: item["post"]["x-layerd"] for path, item in paths.items()
                  if "x-layerd" in item.get("post", {})}
        tab = self.open()
        shown = tab.run("[...document.querySelectorAll('[data-path]')].map((node) => node.dataset.path)")
        self.assertEqual(sorted(shown), sorted([*wanted, "/graph"]))
        for path, row in wanted.items():
            if row["cache"] != "taken":
                tab.click(f"document.querySelector('#layers a[href=\"#{row['layer']}\"]')")
            else:  # the handle comes from the layer's forward, which has run
                tab.click(f"[...{panel('/' + row['layer'] + '/forward')}"
                          ".querySelectorAll('button')].at(-1)")
            self.run_operation(tab, path)
