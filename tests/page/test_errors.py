"""Errors: explained, with the field at fault marked."""
from case import Case, field, panel, run_button

FORWARD, BATCHNORM = "/affine/forward", "/batchnorm/forward"


class Errors(Case):
    def complaint(self, tab, path, name, text):
        """Runs with a field that is wrong; returns what the page says of it."""
        self.set(tab, path, name, text)
        tab.click(run_button(path))
        tab.until(f"{panel(path)}.querySelector('.problem') && {field(path, name)}.matches('[aria-invalid]')")
        self.assertEqual(tab.run(f"{panel(path)}.querySelectorAll('[aria-invalid]').length"), 1)
        self.assertTrue(tab.run(f"document.activeElement === {field(path, name)}"))
        return tab.run(f"{panel(path)}.querySelector('.problem').textContent")

    def test_a_shape_that_does_not_fit(self):
        tab = self.open()
        said = self.complaint(tab, FORWARD, "w", "[[1]]")
        for part in ("Two shapes do not fit each other", "(1, 1)", "shape_mismatch", "/w"):
            self.assertIn(part, said)
        beside = f"document.getElementById({field(FORWARD, 'w')}.getAttribute('aria-describedby')).textContent"
        self.assertIn("(1, 1)", tab.run(beside))

        self.set(tab, FORWARD, "w", "[[1], [1], [1]]")
        self.set(tab, FORWARD, "b", "[0]")
        self.run_operation(tab, FORWARD)
        self.assertEqual(tab.run(f"{panel(FORWARD)}.querySelectorAll('[aria-invalid], .problem').length"), 0)
        self.assertEqual(tab.run(beside), "")

    def test_a_place_within_an_array(self):
        self.assertIn("ragged_array at /x/1", self.complaint(self.open(), FORWARD, "x", "[[1, 2, 3], [4]]"))

    def test_a_field_that_is_missing(self):
        self.assertIn("missing_field", self.complaint(self.open(), FORWARD, "b", " "))

    def test_a_parameter_within_its_object(self):
        tab = self.open("#batchnorm")
        self.assertIn("invalid_param at /bn_param/momentum", self.complaint(tab, BATCHNORM, "momentum", "1.5"))

    def test_text_that_is_no_json(self):
        tab = self.open("#batchnorm")
        self.assertIn("invalid_json", self.complaint(tab, BATCHNORM, "gamma", "[1, ε, 1]"))
        tab = self.open("#batchnorm")
        self.assertIn("invalid_json", self.complaint(tab, BATCHNORM, "eps", "small"))

    def test_a_handle_that_is_not_known(self):
        said = self.complaint(self.open(), "/affine/backward", "cache", "nothing")
        self.assertIn("unknown_cache", said)
