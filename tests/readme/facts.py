"""What the pages say of themselves and of the daemon's options, and that a page with a mistake does
not pass: facts.py build/layerd"""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import elsewhere
import matching
import page
import pages
from run import run_page
from shell import Shell

HANDLE = "61b0630b763eed10aeba4d88016ba2dc"
layerd = ""


def read(name):
    return (pages.TOP / name).read_text()


class Pages(unittest.TestCase):
    def test_the_front_page_is_short(self):
        self.assertLessEqual(len(read("README.md").splitlines()), 200)

    def test_the_options_are_those_of_the_help(self):
        text = subprocess.run([layerd, "--help"], capture_output=True, text=True, check=True).stdout
        helps = [(line[2:24].strip(), re.match(r"\S*", line[24:])[0]) for line in text.splitlines()
                 if line.startswith("  --")]
        table = re.findall(r"^\| `(--[a-z-]+)` \| (?:`([^`]+)`)?", read("server/README.md"),
                           re.MULTILINE)
        self.assertEqual(table + [("--help", ""), ("--version", "")], helps)

    def test_links_lead_somewhere(self):
        for name in pages.pages():
            for to, part in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", read(name)):
                path = (pages.TOP / name).parent / to if to else pages.TOP / name
                self.assertTrue(path.exists(), f"{name}: {to}")
                if part:
                    titles = re.findall(r"^#+ (.*)", path.read_text(), re.MULTILINE)
                    anchors = [re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles]
                    self.assertIn(part, anchors, name)

    def test_what_is_not_run_stands_on_a_page(self):
        found = [block for name in pages.pages() for block in page.blocks(read(name))]
        commands = [command.text for block in found if block.language == "console"
                    for command in page.commands(block)]
        for start in list(elsewhere.COMMANDS) + [word + " " for word in elsewhere.LANGUAGES]:
            self.assertTrue(any(text.startswith(start) for text in commands), start)
        self.assertLessEqual(set(elsewhere.BLOCKS), {block.language for block in found})


class Runner(unittest.TestCase):
    def run_text(self, text):
        with tempfile.TemporaryDirectory() as place:
            with Shell(place, {"PATH": "/usr/bin:/bin"}) as shell:
                passed, faults, _ = run_page(text, pathlib.Path(place), shell, "127.0.0.1:1")
                self.assertEqual(shell.end_jobs(), "")
        return passed, len(faults)

    def test_one_shell_runs_a_page(self):
        self.assertEqual(self.run_text("```console\n$ A=b\n$ echo $A \\\n    c\nb c\n```\n"
                                       "```console\n$ echo \"$A\"; echo; echo d >&2\nb\n\nd\n```\n"),
                         (3, 0))

    def test_a_command_may_have_lines(self):
        self.assertEqual(self.run_text("```console\n$ echo 'a\n  b' \\\n    c\na\n  b c\n"
                                       "$ echo it\\'s\nit's\n```\n"), (2, 0))

    def test_a_mismatch_fails(self):
        for command in ("echo a\nb", "echo a", "true\na", "false", "echo a; false\na",
                        "printf 'a\\n\\nb'\na\nb", "no-such-command", "echo 'a\na"):
            self.assertEqual(self.run_text(f"```console\n$ {command}\n```\n"), (0, 1), command)

    def test_code_is_written_under_the_name_that_runs_it(self):
        self.assertEqual(self.run_text("```python\n1\n```\n```console\n$ cat a.py\n1\n```\n"), (1, 0))
        for text in ("```python\n1\n```\n```console\n$ cat x/a.py\n```\n",
                     "```python\n1\n```\n", "```sh\n$ a\n```\n"):
            with self.assertRaises(ValueError):
                self.run_text(text)

    def test_addresses_of_daemons_are_replaced_and_no_others(self):
        self.assertEqual(self.run_text("```console\n$ echo localhost:8080 | tr : .\n127.0.0.1.1\n"
                                       "$ echo localhost:8081 | tr : .\nlocalhost.8081\n```\n"),
                         (2, 0))
        listens = "```console\n$ echo --listen 127.0.0.1:80 127.0.0.1:8081 | tr : .\n"
        self.assertEqual(self.run_text(listens + "--listen 127.0.0.1.80 127.0.0.1.8081\n```\n"),
                         (0, 1))
        self.assertEqual(self.run_text(listens.replace("tr : .", "cut -d' ' -f3") +
                                       "127.0.0.1:8081\n```\n"), (1, 0))

    def test_what_varies_varies_narrowly(self):
        for expected, printed, right in (
                (f'"{HANDLE}"', f'"{HANDLE[::-1]}"', True),
                (f'"{HANDLE}"', f'"{HANDLE[1:]}"', False),
                (f'"{HANDLE}"', '""', False),
                ('"dropout_param.seed":"1"', '"dropout_param.seed":"4294967295"', True),
                ('"dropout_param.p":"1"', '"dropout_param.p":"2"', False),
                ("read right, after 0.3 s", "read right, after 1.0 s", True),
                ("loss 1.165 -> 0.283", "loss 1.165 -> 0.284", False),
                ("out = 8.5", "out = 8x5", False)):
            self.assertEqual(matching.matches(expected, printed), right, printed)


if __name__ == "__main__":
    layerd = sys.argv.pop()
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]).run(result)
    failed = result.failures + result.errors
    for test, text in failed:
        print(f"{test}\n{text}")
    print(f"pages: {result.testsRun - len(failed)} passed, {len(failed)} failed")
    sys.exit(bool(failed))
