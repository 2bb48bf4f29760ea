"""A daemon that asks for tokens: the page has a field for one, keeps it for its tab, and sends it."""
import os
import re
import subprocess
import tempfile

import case
from browser import Tab
from case import Case, curl_line, field, run_button, status

RELU = "/relu/forward"
FIELD = "document.querySelector('#token input')"
SHOWN = "document.querySelector('#token').checkVisibility()"
LIVE = "document.querySelector('#live').checkVisibility()"


class Tokens(Case):
    def setUp(self):
        lines, self.tokens = [], {}
        for name, scopes in ("reader", "compute"), ("all", "compute,admin"):
            made = subprocess.run([os.environ["LAYERD"], "--new-token", name], capture_output=True,
                                  text=True, check=True)
            self.tokens[name] = made.stdout.strip()
            lines.append(made.stderr.replace(" compute ", f" {scopes} "))
        file = tempfile.NamedTemporaryFile("w")
        file.writelines(lines)
        file.flush()
        self.addCleanup(file.close)
        command = [os.environ["LAYERD"], "--listen", "127.0.0.1:0", "--tokens", file.name]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        self.addCleanup(process.stderr.close)
        self.url = re.search(r"serves on (\S+)", process.stderr.readline())[1]

    def open(self, fragment="#relu"):
        tab = Tab(case.browser, self.url + "/" + fragment)
        self.addCleanup(tab.close)
        tab.until("document.querySelector('.operation') !== null")
        return tab

    def enter(self, tab, token):
        tab.run(f"{FIELD}.focus()")
        tab.press("a", 2)
        tab.type(token)
        tab.press("Enter")
        tab.run(f"{FIELD}.blur()")

    def test_a_call_goes_out_with_it(self):
        tab = self.open()
        self.assertTrue(tab.run(SHOWN))
        tab.click(run_button(RELU))
        tab.until(f"{status(RELU)}.startsWith('401')")
        self.assertNotIn("Authorization", tab.run(curl_line(RELU)))
        self.enter(tab, self.tokens["reader"])
        self.run_operation(tab, RELU)
        line = tab.run(curl_line(RELU))
        self.assertIn('-H "Authorization: Bearer $LAYERD_TOKEN"', line)
        self.assertNotIn(self.tokens["reader"], line)
        self.assertNotIn(self.tokens["reader"], tab.run("document.documentElement.outerHTML"))

    def test_it_is_kept_for_the_tab_alone(self):
        tab = self.open()
        self.enter(tab, self.tokens["reader"])
        tab.run("window.before = true, void setTimeout(() => location.reload())")
        tab.until("!window.before && document.querySelector('.operation') !== null")
        self.assertEqual(tab.run(f"{FIELD}.value"), self.tokens["reader"])
        self.run_operation(tab, RELU)
        other = self.open()
        self.assertEqual(other.run(f"{FIELD}.value"), "")
        self.assertEqual(tab.run("localStorage.length + document.cookie.length"), 0)

    def test_figures_are_for_those_who_may_see_them(self):
        tab = self.open()
        tab.until(f"!{LIVE}")
        self.enter(tab, self.tokens["reader"])
        self.run_operation(tab, RELU)
        self.assertFalse(tab.run(LIVE))
        self.enter(tab, self.tokens["all"])
        tab.until(f"{LIVE} && document.querySelector('.chart svg').ariaLabel !== null")


class Open(Case):
    def test_without_tokens_there_is_no_field(self):
        tab = self.open()
        self.assertFalse(tab.run(SHOWN))
        self.assertTrue(tab.run(f"{field('/affine/forward', 'x')} !== undefined"))
