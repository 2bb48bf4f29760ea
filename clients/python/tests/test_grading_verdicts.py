"""What is right and what is said of what is wrong."""
import contextlib
import io
from unittest import mock

from submissions import GradingTest

from layerd.grading import check, command
from layerd.grading.command import bundled_rubrics
from layerd.grading.planted import FAULTS, right, with_fault


def fault_of(function, says):
    found, = [(name, fault) for name, faults in FAULTS.items() for fault in faults
              if (fault.function, fault.says) == (function, says)]
    return found


class VerdictTest(GradingTest):
    def planted(self, function, says):
        """A submission with a planted fault."""
        name, fault = fault_of(function, says)
        return self.submission(**{name[:-len(".py")]: with_fault(name, fault)})

    def check(self, root, test, points, faults, words):
        found, = self.results_of(root, test).values()
        self.assertEqual((round(found["points"], 3), found["faults"]), (round(points, 3), faults),
                         found["words"])
        self.assertIn(words, found["words"])
        return found

    def replaced(self, text, test, points, faults, words):
        """A submission with a function replaced."""
        return self.check(self.submission(text), test, points, faults, words)


class Verdicts(VerdictTest):
    def test_faults_are_found(self):
        norms = self.rubric(*[f"{layer}/{way}" for layer in ("layernorm", "spatial_groupnorm")
                              for way in ("forward", "backward")])
        for rubric, points, faults in (("cs231n-a1", 20, 16), ("ece-c147-hw4", 20, 25),
                                       ("ece-c147-hw5", 20, 11), (norms, 4, 6)):
            with self.subTest(rubric):
                status, out, told = self.command("--rubric", rubric, "--check-rubric", "--jobs", 2)
                self.assertEqual((status, told), (0, ""))
                self.assertRegex(out, rf"^the right answer has {points} of {points} points\n")
                self.assertRegex(out, rf"\n{faults} of {faults} faults are found\n$")

    def test_right_answers_have_all_points_of_each_rubric(self):
        for name in bundled_rubrics():
            with self.subTest(name), mock.patch.object(check, "FAULTS", {}):
                told = io.StringIO()
                with contextlib.redirect_stdout(told):
                    status = command.main(["--rubric", name, "--check-rubric"])
                self.assertEqual(status, 0)
                self.assertRegex(told.getvalue(),
                                 r"^the right answer has (\d+) of \1 points\n0 of 0")

    def test_rubric_that_nothing_wrong_fails_is_told(self):
        rubric = self.rubric({"operation": "affine/backward", "cases": ["one"]})
        status, out, _ = self.command("--rubric", rubric, "--check-rubric")
        self.assertEqual(status, 0)
        self.assertIn("affine_backward: db is a mean: NOT FOUND\n", out)
        self.assertIn("1 of 3 faults are found\n", out)

    def test_names_of_faults_are_the_daemons(self):
        self.check(self.planted("affine_forward", "b is not added"), "affine/forward", 0,
                   ["bias_missing"], "b was not added")

    def test_part_of_what_is_right_counts(self):
        root = self.planted("affine_backward", "db is of shape (1, M)")
        self.check(root, "affine/backward", .667, ["shape_only"],
                   "the values of db are right, but it has shape (1, 3), where (3,) is wanted")
        self.check(root, {"operation": "affine/backward", "partial": False}, 0, ["shape_only"], "")

    def test_dx_keeps_the_shape_of_x(self):
        self.check(self.planted("affine_backward", "dx keeps the flattened shape"),
                   {"operation": "affine/backward", "cases": ["images"]}, .667, ["shape_only"],
                   "the values of dx are right, but it has shape (4, 12), where (4, 2, 3, 2) is")

    def test_empty_gradient_where_pad_is_0(self):
        self.check(self.planted("conv_backward_naive", "dx is empty where pad is 0"),
                   {"operation": "conv/backward", "cases": ["plain", "unpadded"]}, .833,
                   ["pad_zero"], "dx is empty because pad is 0: a slice from pad to -pad")

    def test_overlapping_windows(self):
        root = self.planted("max_pool_backward_naive", "overlapping windows are not added up")
        self.check(root, {"operation": "max_pool/backward", "cases": ["plain", "overlap"]}, .5,
                   ["overlap_not_added"], "(case overlap)")

    def test_square_images_alone(self):
        self.replaced("""
_conv = conv_forward_naive
def conv_forward_naive(x, w, b, conv_param):
    assert x.shape[2] == x.shape[3], 'not square'
    return _conv(x, w, b, conv_param)
""", {"operation": "conv/forward", "cases": ["square", "plain", "wide"]}, .333,
                      ["height_and_width", "raised"],
                      "it is right for square images and windows alone")

    def test_gradient_formula(self):
        self.replaced("""
def batchnorm_backward(dout, cache):
    normal, inverse, gamma, _ = cache
    dx = dout * gamma * inverse
    dx = dx - dx.mean(axis=0) + normal * (dx * normal).mean(axis=0)
    return dx, (dout * normal).sum(axis=0), dout.sum(axis=0)
""", {"operation": "batchnorm/backward", "cases": ["plain"]}, .667, ["gradient_formula"],
                      "dgamma and dbeta are right, dx is not")

    def test_matrices_alone(self):
        self.replaced("def relu_forward(x):\n    n, d = x.shape\n    return np.maximum(x, 0), x\n",
                      "relu/forward", .5, ["matrices_only", "raised"],
                      "relu_forward raised ValueError at line")


class OwnForward(VerdictTest):
    """A backward is judged with the student's own forward: one fault is marked once."""

    TWICE = "def relu_forward(x):\n    return np.maximum(x, 0) * 2, x\n" \
        "def relu_backward(dout, cache):\n    return 2 * np.where(cache > 0, dout, 0)\n"
    BACKWARD = {"operation": "relu/backward"}
    SAYS = "your backward is the exact gradient of your forward; the fault is in forward"

    def test_exact_gradient_of_a_wrong_forward(self):
        self.replaced(self.TWICE, self.BACKWARD, 0, ["inherited"], self.SAYS)
        self.replaced(self.TWICE, {**self.BACKWARD, "own_gradient": True}, 1, ["inherited"], "")

    def test_in_affine(self):
        self.replaced("""
def affine_forward(x, w, b):
    return np.tanh(x.reshape(len(x), -1) @ w) + 2 * b, (x, w)
def affine_backward(dout, cache):
    x, w = cache
    d = dout * (1 - np.tanh(x.reshape(len(x), -1) @ w) ** 2)
    return (d @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ d, 2 * dout.sum(axis=0)
""", {"operation": "affine/backward", "own_gradient": True}, 1, ["inherited"], self.SAYS)

    def test_almost_the_gradient_is_not(self):
        self.replaced(self.TWICE.replace("2 * np.where", "2.0001 * np.where"),
                      {**self.BACKWARD, "own_gradient": True}, 0, ["inherited"],
                      "relu_forward, whose cache it is made of, is not right either: mend that")

    def test_zeros_are_no_gradient(self):
        self.replaced("def relu_forward(x):\n    return 0 * x, x\n"
                      "def relu_backward(dout, cache):\n    return 0 * dout\n",
                      {**self.BACKWARD, "own_gradient": True}, 0, ["zeros"], "")

    def test_right_backward_of_a_wrong_forward_is_right(self):
        self.replaced("def relu_forward(x):\n    return np.maximum(x, 0) + 1, x\n", self.BACKWARD,
                      1, [], "")

    def test_cache_of_the_students_own_making(self):
        self.replaced("class Mine:\n    pass\n"
                      "def relu_forward(x):\n    c = Mine()\n    c.x = x\n"
                      "    return np.maximum(x, 0), c\n"
                      "def relu_backward(dout, cache):\n    return dout * (cache.x > 0)\n",
                      self.BACKWARD, 1, [], "")

    def test_loss(self):
        self.replaced("""
_svm = svm_loss
def svm_loss(x, y):
    loss, dx = _svm(x, y)
    return loss * len(x), dx * len(x)
""", {"operation": "svm/loss", "cases": ["plain"]}, 0, ["sum_not_mean", "inherited"],
                      "dx is the exact gradient of your loss; the fault is in the loss")

    def test_forward_that_fails(self):
        self.replaced("def relu_forward(x):\n    return x.nothing, x\n", self.BACKWARD, 0,
                      ["raised"], "relu_backward waits for its forward: relu_forward raised "
                      "AttributeError at line")
        self.replaced("def relu_forward(x):\n    pass\n", self.BACKWARD, 0, ["not_written"],
                      "relu_backward waits for its forward: relu_forward returns None")
        self.replaced("del relu_forward", self.BACKWARD, 0, ["not_there"],
                      "relu_backward waits for its forward: there is no relu_forward in cs231n/")


class Conventions(VerdictTest):
    """What differs among right answers is right, and named."""

    def test_dropout_may_drop_with_p(self):
        text = """
def dropout_forward(x, dropout_param):
    p = dropout_param["p"]
    if dropout_param["mode"] == "test":
        return x, None
    mask = (np.random.rand(*x.shape) >= p) / (1 - p)
    return x * mask, mask
"""
        self.replaced(text, "dropout/forward", 1, [],
                      "Note: you take p as the probability of dropping an element")
        self.replaced(text, "dropout/backward", 1, [], "")
        self.replaced(text.replace("rand(*x.shape) >= p", "binomial(1, 1 - p, x.shape) > 0"),
                      "dropout/forward", 1, [], "dropping")

    def test_dropout_in_float32(self):
        self.replaced("_drop = dropout_forward\ndef dropout_forward(x, p):\n"
                      "    out, cache = _drop(np.float32(x), p)\n    return np.float32(out), cache",
                      "dropout/forward", 1, [], "keeping")

    def test_faults_of_dropout(self):
        for says, fault in (("what is kept is not scaled", "not_scaled"),
                            ("p drops, and yet divides", "scaled_by_dropping"),
                            ("the draw is normal", "mask_probability"),
                            ("a mask for all rows", "mask_by_row"),
                            ("test mode is scaled", "test_scaled")):
            root = self.planted("dropout_forward", says)
            points = .75 if says.startswith("test") else .25
            self.check(root, "dropout/forward", points, [fault], "")
            self.check(root, "dropout/backward", points, ["inherited"],
                       "your backward is the exact gradient of your forward; the fault is in "
                       "forward: ")

    def test_dropout_backward(self):
        self.check(self.planted("dropout_backward", "the mask is forgotten"), "dropout/backward",
                   .25, ["mask_missing"], "dx is dout: what was dropped has no gradient")
        self.replaced("def dropout_backward(dout, cache):\n"
                      "    return dout * (np.random.rand(*dout.shape) < .3) / .3\n",
                      "dropout/backward", 0, ["other_mask", "test_mode"],
                      "dx does not follow the mask that forward drew")

    def test_sizes_that_leave_a_remainder_may_be_refused(self):
        for check in "assert rest == 0, 'odd'", "if rest: exit()", \
                "if rest:\n        raise ValueError('odd')":
            text = f"""
_conv = conv_forward_naive
def conv_forward_naive(x, w, b, conv_param):
    pad, stride = conv_param['pad'], conv_param['stride']
    rest = sum((x.shape[i] + 2 * pad - w.shape[i]) % stride for i in (2, 3))
    {check}
    return _conv(x, w, b, conv_param)
"""
            for way in "forward", "backward":
                self.replaced(text, f"conv/{way}", 1, [], "Note: you refuse sizes that leave a "
                              "remainder when divided by the stride: not counted (case wide)")

    def test_what_refuses_everything_is_not_right(self):
        self.replaced("def conv_forward_naive(x, w, b, conv_param):\n"
                      "    assert len(x) > 9, 'few'\n    return x, x\n", "conv/forward", 0,
                      ["raised"], "raised AssertionError")

    def test_relu_of_integers_and_where(self):
        self.replaced("def relu_forward(x):\n    return x * (x > 0), x\n", "relu/forward", 1, [],
                      "")

    def test_gradient_in_doutputs_own_memory(self):
        self.replaced("def relu_backward(dout, cache):\n    dout[cache <= 0] = 0\n    return dout",
                      "relu/backward", 1, [],
                      "Note: dout is overwritten: a second use of it would be wrong")

    def test_gradient_in_the_memory_of_x(self):
        self.replaced("def relu_backward(dout, cache):\n    cache *= 0\n    cache += dout\n"
                      "    return cache\nrelu_forward = lambda x: (x, x)\n", "relu/backward", 0,
                      ["inherited"], "Note: x is overwritten: a second use of it would be wrong")

    def test_sgd_changes_w(self):
        found = self.check(self.submission(), {"operation": "sgd/update",
                                               "file": "cs231n/optim.py"}, 1, [], "")
        self.assertEqual(found["words"], "")

    def test_float64_of_float32(self):
        for text in "", "_relu = relu_forward\ndef relu_forward(x):\n" \
                "    return _relu(x)[0].astype(float), x\n":
            self.replaced(text, {"operation": "relu/forward", "dtype": "float32"}, 1, [], "")

    def test_names_of_old_numpy_and_python(self):
        self.replaced("from past.builtins import xrange\ndef relu_forward(x):\n"
                      "    for _ in xrange(np.int(1)): pass\n"
                      "    return np.maximum(x, 0), x\n", "relu/forward", 1, [], "")

    def test_file_of_a_name_that_python_has(self):
        root = self.submission()
        for path in "random.py", "my layers.py", "a-b/layers.py":
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_text((root / "cs231n" / "layers.py").read_text())
            self.check(root, {"operation": "relu/forward", "file": path}, 1, [], "")

    def test_another_name_for_a_function(self):
        self.replaced("def mine(x):\n    return np.maximum(x, 0), -x\n"
                      "def mine_back(dout, cache):\n    return dout * (cache < 0)\n",
                      {"operation": "relu/backward", "function": "mine_back", "forward": "mine"},
                      1, [], "")

    def test_relative_imports_and_packages(self):
        root = self.submission(helper="from .other import twice\n", other="def twice(x):\n"
                               "    return 2 * x\n", layers="import numpy as np\n"
                               "from .helper import *\nfrom cs231n.other import twice as t\n"
                               "def relu_forward(x):\n"
                               "    return (np.maximum(x, 0) + twice(t(x))) - 4 * x, x\n")
        self.check(root, "relu/forward", 1, [], "")

    def test_modules_that_are_not_here(self):
        root = self.submission("from matplotlib import pyplot as plt\nimport matplotlib.cm\n"
                               "from .absent import *\nfrom cs231n.other import twice\n"
                               "def relu_backward(dout, cache):\n    return twice(dout)\n")
        self.check(root, "relu/forward", 1, [], "")
        self.check(root, "relu/backward", 0, ["raised"], "No module named 'cs231n.other'")

    def test_names_of_another_course(self):
        root = self.submission(optim="""
import numpy as np
def adam(w, dw, config):
    c = config
    c['t'] = c.get('t', 0) + 1
    c['v'] = c['beta1'] * c.get('v', 0) + (1 - c['beta1']) * dw
    c['a'] = c['beta2'] * c.get('a', 0) + (1 - c['beta2']) * dw * dw
    mean, square = c['v'] / (1 - c['beta1'] ** c['t']), c['a'] / (1 - c['beta2'] ** c['t'])
    return w - c['learning_rate'] * mean / (np.sqrt(square) + c['epsilon']), c
""")
        rubric = self.rubric({"operation": "adam/update", "file": "cs231n/optim.py"},
                             course="ece_c147")
        status, out, _ = self.command("--rubric", rubric, "--submission", root)
        self.assertEqual((status, out), (0, "sub: 1 of 1\n  adam: 1 of 1\n"))


class Words(VerdictTest):
    """What is said of a function that gives nothing."""

    def relu(self, body, faults, words):
        self.replaced(f"def relu_forward(x):\n{body}\n", "relu/forward", 0, faults, words)

    def test_exceptions_have_a_line_and_a_name(self):
        self.relu("    return y + 1, x", ["not_written"], "relu_forward is not written yet: "
                  "name 'y' is not defined at line")
        self.relu("    y = z + 1\n    return y, x", ["raised"],
                  "relu_forward raised NameError at line")
        self.relu("    raise KeyError('eps')", ["raised"], "of cs231n/layers.py: 'eps'")

    def test_loop_variable_that_hides_an_argument(self):
        self.relu("    for x in range(3): pass\n    return x.copy(), x", ["raised"],
                  "The loop variable x hides the argument of that name")

    def test_division_of_python_2(self):
        self.relu("    return np.zeros((len(x) / 1, 2)), x", ["python_2", "shape"],
                  "/ gives a float in Python 3: use //\nBeside that: out has shape (4, 2), but must")
        self.relu("    return np.maximum(x, 0)[:len(x) / 1], x", ["python_2"], "Python 3: use //")

    def test_recursion(self):
        self.relu("    return relu_forward(x)", ["recursion"], "calls itself without end at line")

    def test_missing_function(self):
        self.replaced("del relu_forward", "relu/forward", 0, ["not_there"],
                      "there is no relu_forward in cs231n/layers.py")

    def test_what_moves_and_was_not_stored(self):
        root = self.submission(optim="def sgd_momentum(w, dw, config):\n"
                               "    return w - config['learning_rate'] * dw + config['momentum'] *"
                               " config.get('velocity', 0), {}\n")
        self.check(root, {"operation": "sgd_momentum/update", "file": "cs231n/optim.py"}, .5,
                   ["not_stored"], "config has no velocity after the call: it was not stored")

    def test_step_that_was_not_counted_or_is_an_array(self):
        for step, fault, words in (("pop('t')", "not_stored", "config has no t after the call"),
                                   ("update(t=np.ones(1))", "shape", "config.t has shape (1,), but "
                                    "must be one number"),
                                   ("update(t='1')", "type", "config.t is of type str")):
            root = self.submission(optim=f"{right('optim.py')}\n_adam = adam\n"
                                   "def adam(*given):\n    w, config = _adam(*given)\n"
                                   f"    config.{step}\n    return w, config\n")
            self.check(root, {"operation": "adam/update", "file": "cs231n/optim.py"}, .75, [fault],
                       words)

    def test_results_that_are_far_too_large(self):
        self.replaced("def relu_forward(x):\n    return np.zeros(200000), x\n", "relu/forward", 0,
                      ["too_large"], "out is of shape (200000,): far too large")

    def test_loss_that_is_no_number(self):
        self.replaced("_softmax = softmax_loss\ndef softmax_loss(x, y):\n"
                      "    loss, dx = _softmax(x, y)\n    return np.array([loss]), dx\n",
                      "softmax/loss", .5, ["shape"], "loss has shape (1,), but must be one number")

    def test_part_that_is_not_written(self):
        self.replaced("_affine = affine_backward\ndef affine_backward(dout, cache):\n"
                      "    return None, *_affine(dout, cache)[1:]\n", "affine/backward", .667,
                      ["not_written"], "dx is None: not written yet")
