"""Forms: what they compute, what flows from one to the next, and the line for a shell."""
import json
import subprocess

import case
from case import Case, curl_line, field, panel, run_button, status

FORWARD, BACKWARD = "/affine/forward", "/affine/backward"


def product(a, b):
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]


def transposed(a):
    return [list(row) for row in zip(*a)]


class Forms(Case):
    def test_forward_flows_into_backward(self):
        tab = self.open()
        self.run_operation(tab, FORWARD)
        given = self.fields(tab, FORWARD, "xwb")
        out = product(given["x"], given["w"])
        self.assertEqual(self.table(tab, FORWARD, "out"),
                         [[value + b for value, b in zip(row, given["b"])] for row in out])

        tab.click(f"[...{panel(FORWARD)}.querySelectorAll('button')].at(-1)")
        handle = tab.run(f"{panel(FORWARD)}.querySelector('.handle').textContent")
        self.assertEqual(tab.run(f"{field(BACKWARD, 'cache')}.value"), handle)
        ones = [[1 for _ in row] for row in out]
        self.assertEqual(self.fields(tab, BACKWARD, ["dout"])["dout"], ones)

        self.run_operation(tab, BACKWARD)
        self.assertEqual(self.table(tab, BACKWARD, "dx"), product(ones, transposed(given["w"])))
        self.assertEqual(self.table(tab, BACKWARD, "dw"), product(transposed(given["x"]), ones))
        self.assertEqual(self.table(tab, BACKWARD, "db"), [[float(len(ones))] * len(ones[0])])

    def test_the_times_are_told(self):
        tab = self.open()
        self.run_operation(tab, FORWARD)
        self.assertRegex(tab.run(status(FORWARD)), r"read [\d.]+ .s · compute [\d.]+ .s · write [\d.]+ .s")

    def test_the_line_for_a_shell_gives_the_same_answer(self):
        tab = self.open("#svm")
        path = "/svm/loss"
        self.set(tab, path, "x", "[[1.5, -2, \"NaN\"],\n [0.25, 3, 1e-3]]")
        self.set(tab, path, "y", "[2, 0]")
        self.run_operation(tab, path)
        line = tab.run(curl_line(path))
        said = subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, check=True).stdout
        shown = tab.run(f"{panel(path)}.querySelector('.answer pre').textContent")
        self.assertEqual(json.loads(said), json.loads(shown))
        self.assertEqual(json.loads(said)["loss"], "NaN")

    def test_options_go_into_the_query_and_the_body(self):
        tab = self.open()
        tab.click(f"{panel(FORWARD)}.querySelector('summary')")
        tab.click(f"{panel(FORWARD)}.querySelector('input[value=\"cache=none\"]')")
        tab.run(f"{{ const dtype = {field(FORWARD, 'dtype')}; dtype.value = 'float32';"
                "dtype.dispatchEvent(new Event('input', {bubbles: true})); }")
        line = tab.run(curl_line(FORWARD))
        self.assertIn(f"'{case.url}/affine/forward?cache=none'", line)
        self.assertIn('"dtype": "float32"', line)
        self.run_operation(tab, FORWARD)
        self.assertFalse(tab.run(f"{panel(FORWARD)}.querySelector('.handle') !== null"))

    def test_a_mask_stands_in_the_place_of_the_seed(self):
        tab = self.open("#dropout")
        path = "/dropout/forward"
        self.set(tab, path, "x", "[[1, 2], [3, 4]]")
        self.set(tab, path, "p", "0.5")
        self.set(tab, path, "mask", "[[1, 0], [0, 1]]")
        tab.click(run_button(path))
        tab.until(f"{field(path, 'mask')}.getAttribute('aria-invalid') === 'true'")
        self.set(tab, path, "seed", "")
        self.run_operation(tab, path)
        self.assertEqual(self.table(tab, path, "out"), [[2, 0], [0, 8]])

    def test_a_quote_does_not_break_out_of_the_line(self):
        tab = self.open()
        self.set(tab, FORWARD, "x", "'; echo broken; '")
        line = tab.run(curl_line(FORWARD))
        said = subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(json.loads(said)["code"], "invalid_json")

    def test_the_line_can_be_copied(self):
        case.browser.send("Browser.grantPermissions", permissions=["clipboardReadWrite"])
        tab = self.open()
        button = f"{panel(FORWARD)}.querySelector('.curl button')"
        tab.click(button)
        tab.until(f"{button}.textContent === 'Copied'")
        self.assertEqual(tab.run("navigator.clipboard.readText()"), tab.run(curl_line(FORWARD)))

    def test_large_tensors_are_text(self):
        tab = self.open("#relu")
        path = "/relu/forward"
        self.set(tab, path, "x", json.dumps([1] * 1025))
        self.run_operation(tab, path)
        self.assertEqual(tab.run(f"{panel(path)}.querySelectorAll('table').length"), 0)
        self.assertIn("1025", tab.run(f"{panel(path)}.querySelector('figcaption').textContent"))

    def test_a_range_tells_which_of_its_ends_are_open(self):
        tab = self.open("#adam")
        for name, range_ in (("beta1", "from 0 to below 1, default 0.9"),
                             ("epsilon", "above 0, default 1e-8"), ("t", "from 0, default 0")):
            label = f"{field('/adam/update', name)}.labels[0]"
            self.assertEqual(tab.run(f"{label}.querySelector('.hint').textContent"), range_)

    def test_a_step_comes_back_to_be_sent_with_the_next(self):
        tab = self.open("#sgd_momentum")
        path = "/sgd_momentum/update"
        for name, text in (("w", "[1, 2]"), ("dw", "[10, -10]"), ("learning_rate", "0.5"),
                           ("velocity", "[2, 4]"), ("momentum", "0.25")):
            self.set(tab, path, name, text)
        self.run_operation(tab, path)
        self.assertEqual(self.table(tab, path, "next_w"), [[-3.5, 8]])
        self.assertIn("−4.5", tab.run(f"{panel(path)}.querySelector('.params').textContent"))
        self.assertFalse(tab.run(f"{panel(path)}.querySelector('.handle') !== null"))
