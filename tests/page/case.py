"""What the tests share: a tab with the page in it, and the page's parts as expressions."""
import json
import unittest

from browser import Tab

url = browser = None  # set by run.py


def panel(path):
    return f"document.querySelector('[data-path=\"{path}\"]')"


def run_button(path):
    return panel(path) + ".querySelector('button[type=submit]')"


def field(path, name):
    """The control whose label begins with that name."""
    return (f"[...{panel(path)}.querySelectorAll('label')]"
            f".find((label) => label.firstChild.textContent === '{name}').control")


def status(path):
    return panel(path) + ".querySelector('[role=status]').textContent"


def curl_line(path):
    return panel(path) + ".querySelector('.curl code').textContent"


class Case(unittest.TestCase):
    def open(self, fragment="", **options):
        tab = Tab(browser, url + "/" + fragment, **options)
        self.addCleanup(tab.close)
        tab.until("document.querySelector('.operation') !== null")
        return tab

    def run_operation(self, tab, path):
        """Clicks on Run, and waits for a good answer."""
        tab.click(run_button(path))
        tab.until(f"{status(path)}.startsWith('200')")

    def set(self, tab, path, name, text):
        tab.run(f"{field(path, name)}.focus()")
        tab.press("a", 2)
        tab.type(text)

    def table(self, tab, path, name):
        """The numbers of an answer, as its table tells them when pointed at."""
        return tab.run(f"""[...{panel(path)}.querySelectorAll('.answer figure')]
            .find((figure) => figure.querySelector('b').textContent === '{name}')
            .querySelectorAll('tr').values().map((row) => [...row.cells]
                .map((cell) => Number(cell.title.split(' = ')[1]))).toArray()""")

    def fields(self, tab, path, names):
        return {name: json.loads(tab.run(f"{field(path, name)}.value")) for name in names}
