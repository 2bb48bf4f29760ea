"""Vectors of svm and softmax."""
import numpy as np

import oracle
from vectorfile import DTYPES, INF, USUAL, Flat, Random, array, step, typed


def loss(layer, name, x, y, dtype="float64", tolerance=None, query="", flat=False, labels=None):
    """`labels`: how y is written, where that differs."""
    y = np.asarray(y, dtype=int)
    if layer == "svm":  # a margin must be 0 or well away from it, or rounding decides dx
        margins = np.abs(oracle.svm_margins(x, y))
        assert np.all((margins == 0) | (margins > 1e-5)), name
    value, dx = getattr(oracle, layer + "_loss")(x, y)
    wrap = Flat if flat else np.asarray
    request = {"x": wrap(x), "y": wrap(y) if labels is None else labels}
    return {"name": name, "steps": [step("/%s/loss" % layer, typed(request, dtype),
                                         {"loss": value, "dx": dx},
                                         tolerance or USUAL[dtype], query)]}


def course_losses(layer, expected):
    random = Random("course losses", "float64")
    x, y = random.normal(50, 10, scale=0.001), random.labels(50, 10)
    case = loss(layer, "course: loss of small random scores is about %g" % expected, x, y)
    assert abs(case["steps"][0]["answer"]["loss"] - expected) < 0.01
    return case


def losses(layer):
    for dtype in DTYPES:
        random = Random("losses usual", dtype)
        normal, of = random.normal, " of " + dtype
        yield loss(layer, "7 examples, 5 classes" + of, normal(7, 5), random.labels(7, 5), dtype)
        yield loss(layer, "scores far apart" + of, normal(6, 4, scale=30), random.labels(6, 4),
                   dtype)
        yield loss(layer, "N = 1" + of, normal(1, 4), [2], dtype)
        yield loss(layer, "C = 2" + of, normal(5, 2), [0, 1, 1, 0, 1], dtype)
        yield loss(layer, "C = 1: no loss" + of, normal(4, 1), [0, 0, 0, 0], dtype)
        yield loss(layer, "first and last class" + of, normal(2, 6), [0, 5], dtype)
        yield loss(layer, "equal scores" + of, np.full((3, 4), 2.5), [0, 1, 3], dtype)
        yield loss(layer, "sizes past a vector register" + of, normal(9, 19), random.labels(9, 19),
                   dtype)
        yield loss(layer, "flat request, nested answer" + of, normal(3, 4), [1, 0, 3], dtype,
                   flat=True)
        yield loss(layer, "flat answer" + of, normal(3, 4), [1, 0, 3], dtype,
                   query="tensors=flat")
    short = Random("losses edges", "float64").short
    yield loss(layer, "labels written as 2.0", short(3, 4), [2, 0, 3], labels=array(2, 0, 3))
    yield loss(layer, "x nested, y flat", short(3, 4), [2, 0, 3], labels=Flat([2, 0, 3]))


def svm_cases():
    yield course_losses("svm", 9)
    yield from losses("svm")
    for dtype in DTYPES:
        yield loss("svm", "margins exactly 0 give no gradient of " + dtype,
                   array([1, 2, 3], [0.5, -0.5, -0.5], [4, 2, 3]), [2, 0, 0], dtype)
        yield loss("svm", "no margin is positive of " + dtype, array([9, 1, 2], [0, 7, -3]), [0, 1],
                   dtype)
        yield loss("svm", "scores of 1e30 of " + dtype,
                   array([2.0**100, -2.0**100, 0], [0, 2.0**99, 1]), [1, 0], dtype)
    yield loss("svm", "scores of 1e300", array([1e300, -1e300, 0], [0, 1e300, 1]), [1, 0])
    yield loss("svm", "equal scores so large that x + 1 = x", np.full((2, 4), 1e17), [0, 3])
    yield loss("svm", "subnormal scores", array([5e-324, 1e-310, 0]), [0])


def softmax_cases():
    yield course_losses("softmax", 2.3)
    yield from losses("softmax")
    for dtype in DTYPES:
        of = " of " + dtype
        yield loss("softmax", "scores of 1e4" + of, array([1e4, 1e4, -1e4], [-1e4, -1e4, -1e4]),
                   [0, 2], dtype)
        yield loss("softmax", "the label 2e4 below the rest" + of, array([1e4, -1e4], [1e4, -1e4]),
                   [1, 1], dtype)
        yield loss("softmax", "scores 700 apart" + of, array([0, 700, -700], [700, 0, 0]), [0, 0],
                   dtype)
        yield loss("softmax", "scores 40 apart: certain but for rounding" + of,
                   array([0, 40], [40, 0]), [1, 0], dtype)
        yield loss("softmax", "a class masked by -Infinity" + of, array([1, -INF, 2], [-INF, 0, 0]),
                   [0, 2], dtype)
    yield loss("softmax", "scores of 1e300", array([1e300, -1e300, 0], [1e300, 1e300, 0]), [0, 1])
    yield loss("softmax", "subnormal scores", array([5e-324, 1e-310, 0]), [0])
