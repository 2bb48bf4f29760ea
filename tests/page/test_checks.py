"""Checks: what is claimed beside a form is judged, and what is found is told in words."""
import json

from case import Case, field, panel, run_button, status

FORWARD, BACKWARD = "/affine/forward", "/affine/backward"


def claim(path, name):
    """The control of a claim, whose label begins with that name."""
    return (f"[...{panel(path)}.querySelectorAll('details:has(form) label')]"
            f".find((label) => label.firstChild.textContent === '{name}').control")


class Checks(Case):
    def claim(self, tab, path, claims, verdict):
        """Claims outputs, by their names; returns what is told."""
        check = f"{panel(path)}.querySelector('details:has(form)')"
        if not tab.run(f"{check}.open"):
            tab.click(f"{check}.querySelector('summary')")
        for name, value in claims.items():
            tab.run(f"{claim(path, name)}.focus()")
            tab.press("a", 2)
            tab.type(json.dumps(value))
        tab.run(f"{panel(path)}.querySelector('.content').replaceChildren()")
        tab.click(f"{check}.querySelector('button[type=submit]')")
        tab.until(f"{panel(path)}.querySelector('.content p') !== null")
        self.assertTrue(tab.run(status(path)).endswith(verdict), tab.run(status(path)))
        return tab.run(f"[...{panel(path)}.querySelectorAll('.content > p')]"
                       ".map((line) => line.textContent)")

    def out(self, tab):
        """x · w + b of what stands in the form."""
        given = self.fields(tab, FORWARD, "xwb")
        return [[sum(x * w for x, w in zip(row, column)) + b
                 for column, b in zip(zip(*given["w"]), given["b"])] for row in given["x"]]

    def test_right_and_wrong(self):
        tab = self.open()
        out = self.out(tab)
        self.assertEqual(self.claim(tab, FORWARD, {"out": out}, "right"), ["out is right."])
        negated = [[-value for value in row] for row in out]
        self.assertEqual(self.claim(tab, FORWARD, {"out": negated}, "wrong"),
                         ["out is wrong: every element has the wrong sign."])
        self.assertEqual(self.claim(tab, FORWARD, {"out": out[0]}, "wrong")[0][:26],
                         "out is wrong: out has shap")

    def test_it_is_of_what_stands_in_the_form(self):
        tab = self.open()
        self.set(tab, FORWARD, "b", "[0, 0]")
        told, = self.claim(tab, FORWARD, {"out": self.out(tab)}, "undecided")
        self.assertIn("out is undecided: a fault would give the same here", told)

    def test_a_backward_is_of_forwards_fields_too(self):
        tab = self.open()
        self.set(tab, FORWARD, "x", "[[1, 2], [3, 4]]")
        self.set(tab, FORWARD, "w", "[[0.5], [-1]]")
        self.set(tab, FORWARD, "b", "[10]")
        self.set(tab, BACKWARD, "dout", "[[1], [1]]")
        told = self.claim(tab, BACKWARD, {"dw": [[4], [6]], "db": [1]}, "wrong")
        self.assertEqual(told[0], "dw is right.")
        self.assertIn("db is wrong: the gradient was divided by N", told[1])

    def test_parameters_that_come_back_are_claimed(self):
        tab = self.open("#sgd_momentum")
        path = "/sgd_momentum/update"
        for name, text in (("w", "[1, 2]"), ("dw", "[10, -10]"), ("learning_rate", "0.5"),
                           ("velocity", "[2, 4]"), ("momentum", "0.25")):
            self.set(tab, path, name, text)
        told = self.claim(tab, path, {"next_w": [-3.5, 8], "velocity": [-4.5, 5]}, "wrong")
        self.assertEqual(told[0], "next_w is right.")
        self.assertEqual(told[1], "velocity is wrong.")

    def test_what_cannot_be_read_is_marked(self):
        tab = self.open()
        for text in ("", "[[1], [2, 3]]", "[1,"):
            tab.run(f"{panel(FORWARD)}.querySelector('details:has(form)').open = true")
            tab.run(f"{claim(FORWARD, 'out')}.value = '{text}'")
            tab.run(f"{panel(FORWARD)}.querySelector('details:has(form) form').requestSubmit()")
            tab.until(f"{claim(FORWARD, 'out')}.matches('[aria-invalid]')")
            self.claim(tab, FORWARD, {"out": self.out(tab)}, "right")
            self.assertFalse(tab.run(f"{claim(FORWARD, 'out')}.matches('[aria-invalid]')"))

    def test_the_keyboard_checks(self):
        tab = self.open()
        tab.run(f"{panel(FORWARD)}.querySelector('details:has(form)').open = true")
        tab.run(f"{claim(FORWARD, 'out')}.focus()")
        tab.type(json.dumps(self.out(tab)))
        tab.press("Enter", 2)
        tab.until(f"{status(FORWARD)}.endsWith('right')")
        tab.run(f"{field(FORWARD, 'x')}.focus()")
        tab.press("Enter", 2)
        tab.until(f"{status(FORWARD)}.includes('out 2 × 2')")
        self.assertEqual(tab.run(f"{run_button(FORWARD)}.textContent"), "Run")
