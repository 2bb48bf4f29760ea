"""What is said of the mistakes that students make, which the cases or the code tell apart."""
import ast
import pathlib
import unittest

import layerd
from layerd.grading.planted import right
from test_grading_verdicts import VerdictTest

POOL = """
def max_pool_forward_naive(x, pool_param):
    rows, columns, stride = (pool_param[key] for key in ("pool_height", "pool_width", "stride"))
    out = np.zeros((*x.shape[:2], (x.shape[2] - rows) // stride + 1,
                    (x.shape[3] - columns) // stride + 1))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            out[:, :, i, j] = x[:, :, i * stride:i * stride + rows,
                                j * stride:j * stride + columns].max(axis=(2, 3))
    return out, (x, pool_param)
"""
POOL_BACK = """
def max_pool_backward_naive(dout, cache):
    x, pool_param = cache
    rows, columns, stride = (pool_param[key] for key in ("pool_height", "pool_width", "stride"))
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*dout.shape):
        window = x[n, c, i * stride:i * stride + rows, j * stride:j * stride + columns]
        dx[n, c, i * stride:i * stride + rows, j * stride:j * stride + columns] += (
            window == window.max()) * dout[n, c, i, j]
    return dx
"""
BATCHNORM = """
def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum, train = bn_param["eps"], bn_param["momentum"], bn_param["mode"] == "train"
    mean, var = bn_param["running_mean"], bn_param["running_var"]
    if train:
        mean, var = x.mean(0), x.var(0)
        for name, new in ("running_mean", mean), ("running_var", var):
            bn_param[name] = momentum * bn_param[name] + (1 - momentum) * new
    xhat = (x - mean) / np.sqrt(var + eps)
    return gamma * xhat + beta, (xhat, gamma, var, eps)
"""


class Syntax(unittest.TestCase):
    def test_it_is_that_of_python_3_9(self):
        paths = sorted(pathlib.Path(layerd.__file__).parent.rglob("*.py"))
        self.assertGreater(len(paths), 30)
        for path in paths:
            ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))


class Windows(VerdictTest):
    FORWARD, BACKWARD = "max_pool/forward", "max_pool/backward"

    def test_height_and_width_of_windows(self):
        self.replaced(POOL.replace("+ columns]", "+ rows]"), self.FORWARD, .6, ["window_square"],
                      "pool_height and pool_width were mixed up: a window has pool_width columns")
        self.replaced(POOL.replace("(x.shape[3] - columns)", "(x.shape[3] - rows)"), self.FORWARD,
                      .8, ["shape"], "height and width were mixed up, of x or of the windows: each")

    def test_height_and_width_of_images(self):
        self.replaced(POOL_BACK.replace("*dout.shape", "*(dout.shape[k] for k in (0, 1, 3, 2))"),
                      self.BACKWARD, .2, ["height_and_width", "raised"],
                      "it is right where out is square alone: its height and width are mixed up")

    def test_windows_that_do_not_fit(self):
        self.replaced(POOL_BACK.replace("*dout.shape", "*x.shape[:2], *(-(-size // stride) for "
                                        "size in x.shape[2:])"),
                      self.BACKWARD, .6, ["window_count", "raised"],
                      "it is right where as many windows fit as start in x")

    def test_cases_that_the_forward_fails_in_do_not_count_for_the_backward(self):
        text = POOL.replace("    out =", "    {}[rows == columns or 'no']\n    out =").replace(
            "{}[", "{True: 1}[")
        says = "max_pool_backward_naive waits for its forward: max_pool_forward_naive raised"
        test = {"operation": self.BACKWARD, "own_gradient": True}
        found = self.replaced(text, test, 1, ["raised"], says)
        self.assertEqual((found["status"], found["verdict"]), ("passed", "wrong"))
        self.assertTrue(found["words"].startswith(says))
        self.replaced(text, self.BACKWARD, .6, ["raised"], says)

    def test_what_is_wrong_where_the_forward_fails_is_found_if_that_caches_its_arguments(self):
        own = {"operation": self.BACKWARD, "own_gradient": True}
        text = POOL.replace("    out =", "    {True: 1}[rows == columns]\n    out =")
        wrong = POOL_BACK.replace("+ columns]", "+ rows]")
        self.replaced(text + wrong, own, .6, ["window_square"],
                      "pool_height and pool_width were mixed up")
        refused = text.replace("{True: 1}[rows == columns]", "assert rows == columns")
        self.replaced(refused + wrong, own, 1, ["raised"],
                      "max_pool_backward_naive waits for its forward")
        for cached in "x + 0", "x if seen else seen.append(1) or x + 0":
            self.replaced(text.replace("return out, (x", f"return out, ({cached}") + wrong +
                          "seen = []\n", own, 1, ["raised"],
                          "max_pool_backward_naive waits for its forward")

    def test_a_variable_of_two_loops(self):
        self.replaced(POOL.replace("for i in range(out.shape[2]):", "for i in range(2):\n        "
                                   "i += 0\n        for i in range(out.shape[2]):")
                      .replace("        for j", "            for j").replace("out[:", "    out[:")
                      .replace("].max", "].min"),
                      self.FORWARD, 0, ["loop_variable", "smallest"],
                      "i is the loop variable of two loops, one in the other: each needs its own")

    def test_old_division_and_what_is_wrong_beside_it(self):
        self.replaced(POOL.replace("//", "/"), self.FORWARD, 0, ["python_2"],
                      "cannot be interpreted as an integer. / gives a float in Python 3: use //")
        self.replaced(POOL.replace("//", "/").replace(".max", ".min"), self.FORWARD, 0,
                      ["python_2", "smallest"], "Beside that: out is the smallest of each window")
        self.replaced(POOL.replace("//", "/").replace("return", "x[1.0]\n    return"),
                      self.FORWARD, 0, ["python_2", "old_numpy"], "Only old NumPys took that")
        self.replaced(POOL.replace("    out =", "    -(x > 0)\n    out =", 1), self.FORWARD, 0,
                      ["old_numpy"], "Only old NumPys took that")


class Norms(VerdictTest):
    FORWARD = "batchnorm/forward"

    def test_right(self):
        self.replaced(BATCHNORM, self.FORWARD, 1, [], "")

    def test_statistics_that_nothing_is_known_of(self):
        self.replaced(BATCHNORM.replace("* new", "* (new + 3 * mean)"), self.FORWARD, 7 / 15, [],
                      "running_mean is to be momentum · running_mean + (1 − momentum) · the batch's")

    def test_variance_that_cancels_where_the_mean_is_far_off(self):
        text = BATCHNORM.replace("x.var(0)", "(x ** 2).mean(0) - x.mean(0) ** 2")
        self.replaced(text, self.FORWARD, 1, [], "Note: the variance was computed as mean(x²)")

    def test_test_mode(self):
        self.replaced(BATCHNORM.replace("xhat + beta,", "xhat + beta * (train or x[0]),"),
                      self.FORWARD, 14 / 15, ["test_mode"], "it is right except in test mode")

    def test_a_single_row_tells_no_fault_from_another(self):
        self.replaced(BATCHNORM.replace("bn_param[name] = momentum", "bn_param['lost'] = momentum"),
                      self.FORWARD, 7 / 15, ["running_lost"],
                      "the running statistic did not move in train mode (case plain, one, far, "
                      "flat)")
        text = BATCHNORM.replace("np.sqrt(var + eps)", "(np.sqrt(var) + eps)") + """
def batchnorm_backward(dout, cache):
    xhat, gamma, var, eps = cache
    s = np.sqrt(var)
    g = dout * gamma / (s + eps)
    dx = g - g.mean(0) - xhat * (g * xhat).mean(0) * (s + eps) / s
    return dx, (dout * xhat).sum(0), dout.sum(0)
"""
        self.replaced(text, {"operation": "batchnorm/backward", "own_gradient": True}, 1,
                      ["inherited"], "the fault is in forward: eps was added to the root")

    def test_a_row_far_off_tells_no_fault_from_another(self):
        self.replaced("def layernorm_forward(x, gamma, beta, ln_param):\n"
                      "    s = np.sqrt(x.var(0) + ln_param['eps'])\n"
                      "    return gamma * (x - x.mean(1, keepdims=True)) / s + beta, None\n",
                      "layernorm/forward", 0, [], "out is wrong (case plain, one, flat)")


class OwnGradients(VerdictTest):
    """Backwards that are right for the student's own, wrong forward."""

    TEST = {"operation": "affine/backward", "own_gradient": True}
    AFFINE = """
def affine_forward(x, w, b):
    return {out}, (x, w, b)
def affine_backward(dout, cache):
    x, w, b = cache
    {dout}
    return dout.dot(w.T).reshape(x.shape), x.reshape(len(x), -1).T.dot(dout), {db}
"""

    def test_of_zeros(self):
        text = self.AFFINE.format(out="x.reshape(len(x), -1).dot(w)", dout="pass", db="0 * b")
        self.replaced(text, self.TEST, 1, ["inherited"], "out is x · w: b was not added")
        text = self.AFFINE.format(out="x.reshape(len(x), -1).dot(w) - b", dout="pass", db="0 * b")
        self.replaced(text, self.TEST, 2 / 3, ["zeros"], "db: every element is 0")

    def test_of_an_out_in_another_shape(self):
        text = self.AFFINE.format(out="(x.reshape(len(x), -1).dot(w) + b).T", dout="dout = dout.T",
                                  db="dout.sum(0)")
        self.replaced(text, self.TEST, 1, ["inherited"], "the fault is in forward: out has shape")
        self.replaced(text.replace("dout.sum(0)", "dout.sum()"), self.TEST, 0, ["raised"],
                      "affine_backward raised ValueError")


class Memory(VerdictTest):
    def test_a_gradient_that_is_built_in_x(self):
        self.replaced(POOL_BACK.replace("np.zeros_like(x)", "x"), "max_pool/backward", 0,
                      ["aliasing"], "dx is built in x itself, which was still to be read")
        text = "def relu_backward(dout, cache):\n    dout[cache <= 0] = 0\n    return dout\n"
        self.replaced(text, "relu/backward", 1, [], "Note: dout is overwritten: a second use of it "
                      "would be wrong; dx is built in it")

    def test_a_list_is_as_good_as_an_array_but_for_a_note(self):
        text = OwnGradients.AFFINE.format(out="x.reshape(len(x), -1).dot(w) + b", dout="pass",
                                          db="[column.sum() for column in dout.T]")
        self.replaced(text, "affine/backward", 1, [], "Note: db is a list: others who use it count")
        self.replaced(text.replace("column.sum()", "[column.sum()]"), "affine/backward", 2 / 3,
                      ["shape_only"], "the values of db are right, but it has shape (3, 1)")
        self.replaced(text.replace("column.sum()", "'1'"), "affine/backward", 2 / 3, ["type"],
                      "db is of type list, where a NumPy array is wanted")


class Counts(VerdictTest):
    def test_steps_that_are_not_counted(self):
        root = self.submission(optim=right("optim.py") + "\ncounted = adam\n"
                               "def adam(w, dw, config):\n    t = config.get('t', 0)\n"
                               "    w, config = counted(w, dw, config)\n"
                               "    return w, {**config, 't': t}\n")
        self.check(root, {"operation": "adam/update", "file": "cs231n/optim.py"}, .75,
                   ["t_not_stored"], "t in config is that of before the step: it counts steps")


class NotWritten(VerdictTest):
    def test_what_is_handed_out(self):
        self.replaced("def dropout_forward(x, dropout_param):\n    out = None\n"
                      "    out = out.astype(x.dtype)\n    return out, None\n", "dropout/forward", 0,
                      ["not_written"], "dropout_forward is not written yet: out is None at line")
        self.replaced("def batchnorm_forward(x, gamma, beta, bn_param):\n    return None, None\n",
                      "batchnorm/forward", 0, ["not_written"], "out is None: not written yet")
        root = self.submission(optim="def sgd_momentum(w, dw, config):\n"
                               "    config['velocity'] = 0 * w\n    return None, config\n")
        self.check(root, {"operation": "sgd_momentum/update", "file": "cs231n/optim.py"}, 0,
                   ["not_written"], "next_w is None: not written yet")
        self.replaced("def relu_forward(x):\n    return np.zeros(1), x\n", "relu/forward", 0,
                      ["not_written"], "out is a single 0: not written yet")
        self.replaced("def affine_backward(dout, cache):\n    return 0, 0, 0\n",
                      "affine/backward", 0, ["not_written"], "dw is a single 0: not written yet")

    def test_zeros_everywhere(self):
        found = self.replaced("def relu_backward(dout, cache):\n    return np.zeros_like(dout)\n",
                              "relu/backward", 0, ["zeros"], "every element of dx is 0: not")
        self.assertEqual(found["verdict"], "missing")

    def test_no_cache(self):
        self.replaced("def relu_forward(x):\n    return np.maximum(x, 0), None\n", "relu/backward",
                      0, ["no_cache"], "relu_backward waits for its forward: relu_forward returns "
                      "None in the place of its cache")

    def test_no_out(self):
        found = self.replaced("def relu_forward(x):\n    out = None\n    return out, x\n",
                              "relu/backward", 0, ["not_written"],
                              "relu_backward waits for its forward: relu_forward returns None")
        self.assertEqual(found["verdict"], "missing")

    def test_masked_array(self):
        self.replaced("def relu_forward(x):\n    return np.ma.masked_less(x, 0), x\n",
                      "relu/forward", 0, ["masked"], "out is a masked array")


class Absent(VerdictTest):
    """Modules that are not here."""

    def test_what_runs_as_the_file_is_imported(self):
        self.replaced("""
import nothing.much as much
from nowhere import jit, Base
much.rcParams["size"] = (1, 2)
much.set_up(much.AUTO).twice = [each for each in much.all()]
class Mine(Base, much.Other):
    pass
@jit
def once(x):
    return x
@jit(fast=True)
def relu_forward(x):
    return np.maximum(once(x), 0), x
""", "relu/forward", 1, [], "")

    def test_way_of_a_students_own(self):
        self.replaced("try:\n    from nowhere import twice\nexcept ImportError:\n"
                      "    twice = lambda x: 2 * x\n"
                      "def relu_forward(x):\n    return np.maximum(twice(x) / 2, 0), x\n",
                      "relu/forward", 1, [], "")

    def test_file_runs_once(self):
        found, = self.results_of(self.submission("print('hello')\nimport nothing, nowhere\n"),
                                 "relu/forward").values()
        self.assertEqual(found["printed"], "hello\n")

    def test_names_of_what_is_not_here(self):
        self.replaced("from nowhere import *\ndef relu_forward(x):\n    return much(x), x\n",
                      "relu/forward", 0, ["raised"], "name 'much' is not defined. It may be of "
                      "nowhere, which is not here")
