#!/usr/bin/python3
"""Writes the conformance vectors beside this file. README.md has their format.

Expected values come from oracle.py, which is first checked against numerical gradients and against
the numbers that the course CS231n publishes with its assignments.
"""
import numpy as np

import oracle
from error_cases import error_cases
from vectorfile import EXACT, SAME, USUAL, Flat, Random, step, typed, verbatim, write

DTYPES = "float64", "float32"
NAN, INF = float("nan"), float("inf")


def array(*values):
    return np.array(values, dtype=float)


def empty(*shape):
    return np.zeros(shape)


# Cases: forward and, where there is one, backward, with the answers of the oracle.

def affine(name, x, w, b, dout=None, dtype="float64", tolerance=None, query="", flat=False):
    random = Random(name, dtype)
    tolerance = tolerance or USUAL[dtype]
    if dout is None:
        dout = random.normal(x.shape[0], w.shape[1])
    dx, dw, db = oracle.affine_backward(dout, x, w)
    wrap = Flat if flat else np.asarray
    return {"name": name, "steps": [
        step("/affine/forward", typed({"x": wrap(x), "w": w, "b": wrap(b)}, dtype),
             {"out": oracle.affine_forward(x, w, b)}, tolerance, query),
        step("/affine/backward", typed({"dout": wrap(dout), "cache": "$cache"}, dtype),
             {"dx": dx, "dw": dw, "db": db}, tolerance, query)]}


def relu(name, x, dout=None, dtype="float64", tolerance=None, query="", flat=False):
    tolerance = tolerance or SAME[dtype]
    if dout is None:
        dout = Random(name, dtype).normal(*x.shape) if x.ndim else np.array(-1.5)
    wrap = Flat if flat else np.asarray
    return {"name": name, "steps": [
        step("/relu/forward", typed({"x": wrap(x)}, dtype),
             {"out": oracle.relu_forward(x)}, tolerance, query),
        step("/relu/backward", typed({"dout": wrap(dout), "cache": "$cache"}, dtype),
             {"dx": oracle.relu_backward(dout, x)}, tolerance, query)]}


def complete(param, features):
    """bn_param with the defaults of the contract"""
    whole = dict({"eps": 1e-5, "momentum": 0.9, "running_mean": np.zeros(features),
                  "running_var": np.zeros(features)}, **param)
    return {key: v.array if isinstance(v, Flat) else v for key, v in whole.items()}


def batchnorm_forward_step(x, gamma, beta, param, dtype, tolerance, query="", wrap=np.asarray):
    out, after = oracle.batchnorm_forward(x, gamma, beta, complete(param, x.shape[1]))
    request = {"x": wrap(x), "gamma": gamma, "beta": wrap(beta), "bn_param": param}
    return step("/batchnorm/forward", typed(request, dtype), {"out": out, "bn_param": after},
                tolerance, query)


def batchnorm_backward_step(dout, x, gamma, param, dtype, tolerance, query="", wrap=np.asarray):
    dx, dgamma, dbeta = oracle.batchnorm_backward(dout, x, gamma, complete(param, x.shape[1]))
    return step("/batchnorm/backward", typed({"dout": wrap(dout), "cache": "$cache"}, dtype),
                {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}, tolerance, query)


def batchnorm(name, x, param, gamma=None, beta=None, dtype="float64", tolerance=None,
              dx_tolerance=None, query="", flat=False):
    random = Random(name, dtype)
    tolerance = tolerance or USUAL[dtype]
    gamma = random.normal(x.shape[1]) if gamma is None else gamma
    beta = random.normal(x.shape[1]) if beta is None else beta
    dout = random.normal(*x.shape)
    wrap = Flat if flat else np.asarray
    return {"name": name, "steps": [
        batchnorm_forward_step(x, gamma, beta, param, dtype, tolerance, query, wrap),
        batchnorm_backward_step(dout, x, gamma, param, dtype, dx_tolerance or tolerance,
                                query, wrap)]}


def batchnorm_chain(name, dtype):
    """Two batches in train mode, each given the bn_param of the one before, then a test batch."""
    random, tolerance = Random(name, dtype), USUAL[dtype]
    gamma, beta = random.normal(3), random.normal(3)
    param, steps = {"mode": "train"}, []
    for mode in "train", "train", "test":
        x, param = random.normal(5, 3, scale=2, offset=1), dict(param, mode=mode)
        steps += [batchnorm_forward_step(x, gamma, beta, param, dtype, tolerance),
                  batchnorm_backward_step(random.normal(5, 3), x, gamma, param, dtype, tolerance)]
        _, param = oracle.batchnorm_forward(x, gamma, beta, complete(param, 3))
        for key in "running_mean", "running_var":
            param[key] = param[key].astype(dtype).astype(float)
    return {"name": name, "steps": steps}


# out = x * mask / p may be computed as x * (1 / p) * mask: an ulp or two.
DROPOUT = {"float64": (1e-15, 0.0), "float32": (4e-7, 0.0)}


def dropout(name, x, p, seed, mode="train", dtype="float64", query="", flat=False, dout=None):
    param = {"p": p, "mode": mode, "seed": seed}
    if dout is None:
        dout = Random(name, dtype).short(*x.shape)
    wrap = Flat if flat else np.asarray
    return {"name": name, "steps": [
        step("/dropout/forward", typed({"x": wrap(x), "dropout_param": param}, dtype),
             {"out": oracle.dropout(x, param), "dropout_param": param}, DROPOUT[dtype], query),
        step("/dropout/backward", typed({"dout": wrap(dout), "cache": "$cache"}, dtype),
             {"dx": oracle.dropout(dout, param)}, DROPOUT[dtype], query)]}


def masked(name, x, mask, p=0.5, mode="train", dtype="float64", query="", wrap=np.asarray):
    """A mask in the place of the seed. Neither comes back."""
    back = {"p": p, "mode": mode}
    param = dict(back, mask=np.asarray(mask))
    dout = Random(name, dtype).short(*x.shape)
    sent = dict(back, mask=wrap(mask))
    return {"name": name, "steps": [
        step("/dropout/forward", typed({"x": x, "dropout_param": sent}, dtype),
             {"out": oracle.dropout(x, param), "dropout_param": back}, DROPOUT[dtype], query),
        step("/dropout/backward", typed({"dout": dout, "cache": "$cache"}, dtype),
             {"dx": oracle.dropout(dout, param)}, DROPOUT[dtype], query)]}


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


def without_cache(case, query="cache=none"):
    """Its forward alone, nothing kept."""
    forward = dict(case["steps"][0], query=query)
    return {"name": case["name"], "steps": [forward]}


# The files.

def course_affine():
    x = np.linspace(-0.1, 0.5, num=2 * 4 * 5 * 6).reshape(2, 4, 5, 6)
    w = np.linspace(-0.2, 0.3, num=4 * 5 * 6 * 3).reshape(120, 3)
    b = np.linspace(-0.3, 0.1, num=3)
    published = [[1.49834967, 1.70660132, 1.91485297], [3.25553199, 3.5141327, 3.77273342]]
    assert np.allclose(oracle.affine_forward(x, w, b).astype(float), published, rtol=0, atol=1e-8)
    return affine("course: affine forward of linspaces", x, w, b)


def affine_usual():
    for dtype in DTYPES:
        random = Random("affine usual", dtype).normal
        short = Random("affine longer", dtype).short
        of = " of " + dtype
        yield affine("x of rank 2" + of, random(7, 5), random(5, 4), random(4), dtype=dtype)
        yield affine("x of rank 3" + of, random(4, 3, 2), random(6, 5), random(5), dtype=dtype)
        yield affine("x of rank 4" + of, random(2, 3, 2, 2), random(12, 5), random(5), dtype=dtype)
        yield affine("x of rank 1 is N examples of one feature" + of, random(6), random(1, 3),
                     random(3), dtype=dtype)
        yield affine("N = 1" + of, random(1, 5), random(5, 3), random(3), dtype=dtype)
        yield affine("D = 1" + of, random(4, 1), random(1, 3), random(3), dtype=dtype)
        yield affine("M = 1" + of, random(4, 5), random(5, 1), random(1), dtype=dtype)
        yield affine("one number" + of, random(1, 1), random(1, 1), random(1), dtype=dtype)
        yield affine("sizes past a vector register" + of, short(17, 9), short(9, 5), short(5),
                     short(17, 5), dtype)
        yield affine("a long sum" + of, short(2, 301), short(301, 1), short(1), short(2, 1), dtype,
                     (1e-12, 1e-12) if dtype == "float64" else (2e-5, 1e-4))
        yield affine("flat and nested mixed in the request" + of, random(3, 4), random(4, 2),
                     random(2), dtype=dtype, flat=True)
        yield affine("flat answer" + of, random(3, 2, 2), random(4, 2), random(2), dtype=dtype,
                     query="tensors=flat")
        yield affine("N = 0" + of, empty(0, 3), random(3, 2), random(2), dtype=dtype)
        yield without_cache(affine("nothing kept" + of, random(3, 4), random(4, 2), random(2),
                                   dtype=dtype))


def affine_edges():
    random = Random("affine edges", "float64").normal
    yield affine("N = 0, flat answer", empty(0, 3, 2), random(6, 2), random(2),
                 query="tensors=flat")
    yield affine("N = 0, x of rank 1", empty(0), random(1, 2), random(2))
    yield affine("D = 0: out is b", empty(3, 0), empty(0, 2), random(2))
    yield affine("M = 0: out has no columns", random(3, 2), empty(2, 0), empty(0))
    yield affine("NaN and infinities spread by the rules of IEEE 754",
                 array([NAN, 1, 2], [INF, 1, 2], [1, -INF, 2], [1, 2, 3]),
                 array([1, 0], [2, 1], [3, -1]), array(1, 2), array([1, 2], [0, 1], [1, 1], [2, 3]))
    yield affine("NaN in w and infinity in b", array([1, 2], [3, 4]), array([NAN, 1], [1, 1]),
                 array(0, INF), array([1, 0], [1, 1]))
    yield affine("huge and tiny magnitudes cancel", array([1e300, 1e-300], [-1e300, 3]),
                 array([1e-300, 1], [1e300, 2]), array(0.5, -0.25), array([1, 2], [3, 4]))
    yield affine("a product that overflows is infinite", array([1e200], [-1e200]),
                 array([1e200, 1]), array(0, 0), array([1, 1], [1, 2]))
    yield affine("subnormals are kept", array([5e-324, 0], [0, 1e-310]), array([1, 2], [3, 1]),
                 array(0, 0), array([5e-324, 0], [0, 2e-310]), tolerance=EXACT)
    yield affine("the tiniest of float32 are kept", array([2.0**-149, 0], [0, 2.0**-140]),
                 array([1, 2], [3, 1]), array(0, 0), array([1, 2], [3, 1]), dtype="float32",
                 tolerance=(0.5, 0.0))
    yield without_cache(affine("nothing kept, flat answer", random(2, 2), random(2, 2), random(2),
                               query="tensors=flat"), "tensors=flat&cache=none")


def course_relu():
    x = np.linspace(-0.5, 0.5, num=12).reshape(3, 4)
    published = [[0, 0, 0, 0], [0, 0, 0.04545455, 0.13636364],
                 [0.22727273, 0.31818182, 0.40909091, 0.5]]
    assert np.allclose(oracle.relu_forward(x).astype(float), published, rtol=0, atol=1e-8)
    return relu("course: relu forward of a linspace", x)


def literals(name, texts, values, dtype="float64", tolerance=EXACT):
    """Positive numbers written in a way of their own, which relu gives back."""
    request = typed({"x": ["@%s@" % text for text in texts]}, dtype)
    answer = {"out": array(*values)}
    return {"name": name, "steps": [verbatim(step("/relu/forward", request, answer, tolerance))]}


def relu_literals():
    hard = ["1e-400", "2.4703282292062327e-324", "2.4703282292062328e-324",
            "2.2250738585072011e-308", "1.7976931348623158e308", "9007199254740993", "1E2", "7",
            "0.500000000000000166533453693773481063544750213623046875",
            "123456789012345678901234567890", "0.000000000000000000000000000000000000001"]
    yield literals("numbers are read correctly rounded", hard, [float(text) for text in hard])
    yield literals("numbers are rounded once to float32, not by way of float64",
                   ["1.00000017881393432617187499999"], [1 + 2.0**-23], "float32", (5e-8, 0.0))
    plain = relu("NaN and infinities as bare words", array(NAN, INF, -INF))["steps"][0]
    bare = '{"x": [NaN, Infinity, -Infinity]}'
    yield {"name": "NaN and infinities as bare words", "steps": [dict(plain, request_text=bare)]}


def relu_cases():
    yield course_relu()
    yield from relu_literals()
    for dtype in DTYPES:
        random = Random("relu usual", dtype).normal
        of = " of " + dtype
        yield relu("rank 0" + of, np.array(2.5), dtype=dtype)
        yield relu("rank 0, below zero" + of, np.array(-2.5), dtype=dtype)
        yield relu("rank 1, not a multiple of 8" + of, random(37), dtype=dtype)
        yield relu("rank 2" + of, random(7, 5), dtype=dtype)
        yield relu("rank 4" + of, random(2, 3, 4, 5), dtype=dtype)
        yield relu("empty" + of, empty(0), dtype=dtype)
        yield relu("empty, of shape (0, 3)" + of, empty(0, 3), dtype=dtype)
        yield relu("empty, of shape (2, 0, 3)" + of, empty(2, 0, 3), dtype=dtype)
        yield relu("flat request, nested answer" + of, random(3, 4), dtype=dtype, flat=True)
        yield relu("flat answer" + of, random(3, 4), dtype=dtype, query="tensors=flat")
        yield without_cache(relu("nothing kept" + of, random(3, 4), dtype=dtype))
        yield relu("NaN stays, -Infinity becomes 0" + of, array(NAN, INF, -INF, 0.0, -0.0, 1, -1),
                   array(1, 2, 3, 4, 5, 6, 7), dtype=dtype)
        yield relu("NaN and infinities come back where x > 0 only" + of, array(1, 1, 1, -1, 0, NAN),
                   array(NAN, INF, -INF, NAN, INF, NAN), dtype=dtype)
    yield relu("rank 0, flat answer", np.array(2.5), query="tensors=flat")
    yield relu("rank 32", array(1.5, -1.5).reshape((1,) * 31 + (2,)))
    yield relu("rank 32, flat", array(1.5, -1.5).reshape((1,) * 31 + (2,)), flat=True,
               query="tensors=flat")
    yield relu("empty, flat answer", empty(2, 0, 3), query="tensors=flat")
    yield relu("magnitudes to both ends of float64",
               array(1e300, -1e300, 1e-300, -1e-300, 5e-324, -5e-324, 2.2250738585072014e-308,
                     2.225073858507201e-308, 1.7976931348623157e308),
               array(5e-324, 1, 1e-310, 1, 1e300, 1, -5e-324, 0.1, -1e300))
    yield relu("magnitudes to both ends of float32",
               array(3.4028234663852886e38, 2.0**-126, -2.0**-149, 1e-30, -1e30).astype("f4"),
               array(2.0**-126, 3.4028234663852886e38, 1, -0.1, 1).astype("f4"), dtype="float32")
    yield relu("subnormals of float32 are kept", array(2.0**-149, 2.0**-140, -2.0**-149),
               array(2.0**-149, -2.0**-140, 1), dtype="float32", tolerance=(0.5, 0.0))
    yield relu("numbers with many digits", array(0.1, 1 / 3, 2 / 3, 123456789.12345679,
                                                 9007199254740993.0, 0.30000000000000004))


def course_batchnorm():
    random = Random("course batchnorm", "float64")
    x = random.normal(20, 10).dot(random.normal(10, 3)).round(3) * 3 + 1
    gamma, beta = array(1, 2, 3), array(11, 12, 13)
    plain = batchnorm("course: columns of mean 0 and variance 1", x, {"mode": "train"},
                      np.ones(3), np.zeros(3))
    scaled = batchnorm("course: columns of mean beta and deviation gamma", x, {"mode": "train"},
                       gamma, beta)
    out = np.array(plain["steps"][0]["answer"]["out"])
    assert np.allclose(out.mean(axis=0), 0) and np.allclose(out.std(axis=0), 1, atol=1e-4)
    out = np.array(scaled["steps"][0]["answer"]["out"])
    assert np.allclose(out.mean(axis=0), beta) and np.allclose(out.std(axis=0), gamma, atol=1e-3)
    return [plain, scaled]


def near_a_large_mean(mean, noise, rows=8):
    """Multiples of `noise` around `mean`, whose sum is exact in the case's dtype. The mean of the
    squares less the square of the mean has no correct digit here."""
    offsets = Random("noise %g" % mean, "float64").state.randint(-9, 10, size=(rows, 3))
    return mean + noise * offsets.astype(float)


def batchnorm_usual():
    for dtype in DTYPES:
        random = Random("batchnorm usual", dtype).normal
        of = " of " + dtype
        given = {"running_mean": random(5), "running_var": random(5) ** 2 + 0.5}
        given["running_var"] = given["running_var"].astype(dtype).astype(float)
        train, test = dict(given, mode="train"), dict(given, mode="test")
        loose = USUAL[dtype] if dtype == "float64" else (2e-5, 2e-5)
        yield batchnorm("train" + of, random(7, 5, scale=2, offset=1), {"mode": "train"},
                        dtype=dtype)
        yield batchnorm("train, running statistics given" + of, random(7, 5), train, dtype=dtype)
        yield batchnorm("test" + of, random(7, 5), test, dtype=dtype)
        yield batchnorm("test, another eps" + of, random(6, 5), dict(test, eps=0.125), dtype=dtype)
        yield batchnorm("momentum 0: the statistics of the last batch" + of, random(6, 5),
                        dict(train, momentum=0.0), dtype=dtype)
        yield batchnorm("momentum 1: the statistics stay" + of, random(6, 5),
                        dict(train, momentum=1.0), dtype=dtype)
        yield batchnorm("another eps and momentum" + of, random(6, 5),
                        dict(train, eps=0.125, momentum=0.75), dtype=dtype)
        yield batchnorm("N = 1: out is beta" + of, random(1, 5), train, dtype=dtype,
                        tolerance=loose)
        yield batchnorm("N = 1, test" + of, random(1, 5), test, dtype=dtype)
        yield batchnorm("D = 1" + of, random(9, 1), {"mode": "train"}, dtype=dtype)
        yield batchnorm("N = 2" + of, random(2, 3, scale=4), {"mode": "train"}, dtype=dtype,
                        tolerance=loose)
        yield batchnorm("constant columns" + of, np.array([[3.0, 0.0, -1024.0, 0.5]] * 5),
                        {"mode": "train"}, dtype=dtype,
                        dx_tolerance=(1e-11, 1e-11) if dtype == "float64" else (2e-4, 1e-3))
        yield batchnorm("sizes past a vector register" + of, random(17, 5), {"mode": "train"},
                        dtype=dtype, tolerance=loose)
        yield batchnorm("flat and nested mixed in the request" + of, random(4, 3),
                        {"mode": "train", "running_mean": Flat(np.zeros(3))}, dtype=dtype,
                        flat=True)
        yield batchnorm("flat answer" + of, random(4, 3), {"mode": "train"}, dtype=dtype,
                        query="tensors=flat")
        yield without_cache(batchnorm("nothing kept" + of, random(4, 3), {"mode": "train"},
                                      dtype=dtype))
        yield batchnorm_chain("two batches in train mode, then test" + of, dtype)


def batchnorm_edges():
    random = Random("batchnorm edges", "float64").normal
    yield batchnorm("test, no running statistics: zeros", random(4, 3), {"mode": "test"},
                    tolerance=(1e-12, 1e-11))
    yield batchnorm("test, N = 0", empty(0, 3), {"mode": "test"})
    yield batchnorm("D = 0", empty(3, 0), {"mode": "train"})
    yield batchnorm("small noise on 1e8", near_a_large_mean(1e8, 2.0**-10), {"mode": "train"},
                    tolerance=(1e-10, 1e-10), dx_tolerance=(1e-10, 1e-7))
    yield batchnorm("small noise on 4096 of float32", near_a_large_mean(4096, 2.0**-6),
                    {"mode": "train"}, dtype="float32", tolerance=(2e-5, 1e-5),
                    dx_tolerance=(1e-4, 1e-3))
    yield batchnorm("small noise on 1e8, the mean not exact", near_a_large_mean(1e8, 2.0**-6, 7),
                    {"mode": "train"}, tolerance=(1e-6, 1e-6), dx_tolerance=(1e-5, 1e-4))
    for name, number, rows in ("many digits", 33333333333333.332, 11), ("1e300", 1e300, 5):
        yield batchnorm("equal numbers, of " + name, np.full((rows, 2), number), {"mode": "train"})
    yield batchnorm("1e12 and a hundredth", 1e12 + 0.01 * array([1], [-1], [1], [-1], [-1]),
                    {"mode": "train"}, dx_tolerance=(1e-11, 1e-11))
    yield batchnorm("columns of very different magnitude",
                    random(6, 4) * array(1e-150, 1e-8, 1e8, 1e150), {"mode": "train"},
                    tolerance=(1e-11, 1e-13), dx_tolerance=(1e-11, 1e-11))
    yield batchnorm("columns of 1e-300", 1e-300 * array([1], [2], [3], [4]), {"mode": "train"},
                    array(1), array(0), tolerance=(1e-12, 0.0), dx_tolerance=(1e-12, 1e-11))
    yield batchnorm("NaN stays in its column", array([NAN, 1], [1, 2], [2, 4]), {"mode": "train"})
    yield batchnorm("a tiny eps", random(5, 2), {"mode": "train", "eps": 1e-300})


def course_dropout():
    x = Random("course dropout", "float64").short(20, 25) + 10
    for p in 0.25, 0.4, 0.7:
        case = dropout("course: dropout keeps the mean, p = %g" % p, x, p, 123)
        out = np.array(case["steps"][0]["answer"]["out"])
        assert abs(out.mean() - 10) < 1.5 and abs((out == 0).mean() - (1 - p)) < 0.06
        case["steps"].pop()  # backward has cases enough
        yield case


def dropout_cases():
    yield from course_dropout()
    for dtype in DTYPES:
        random = Random("dropout usual", dtype).normal
        of = " of " + dtype
        for seed in 0, 1, 42, 2**32 - 1:
            yield dropout("ones, seed %d" % seed + of, np.ones((5, 7)), 0.5, seed, dtype=dtype)
        for p in 0.1, 0.3, 0.75, 1.0:
            yield dropout("p = %g" % p + of, random(4, 6), p, 42, dtype=dtype)
        yield dropout("test: out is x" + of, random(4, 6), 0.3, 42, "test", dtype=dtype)
        yield dropout("rank 0" + of, np.array(3.0), 0.5, 42, dtype=dtype, dout=np.array(2.0))
        yield dropout("rank 0, dropped" + of, np.array(3.0), 0.25, 42, dtype=dtype,
                      dout=np.array(2.0))
        yield dropout("rank 1, not a multiple of 8" + of, random(13), 0.6, 7, dtype=dtype)
        yield dropout("rank 4" + of, random(2, 3, 2, 3), 0.6, 8, dtype=dtype)
        yield dropout("empty" + of, empty(0, 3), 0.5, 1, dtype=dtype)
        yield dropout("flat request, nested answer" + of, random(3, 4), 0.5, 9, dtype=dtype,
                      flat=True)
        yield dropout("flat answer" + of, random(3, 4), 0.5, 10, dtype=dtype, query="tensors=flat")
        yield without_cache(dropout("nothing kept" + of, random(3, 4), 0.5, 11, dtype=dtype))
        first = np.random.RandomState(42).rand()
        yield dropout("p is the first random number: dropped, for it is not below" + of,
                      np.ones(4), first, 42, dtype=dtype)
        yield dropout("p is just above the first random number: kept" + of, np.ones(4),
                      float(np.nextafter(first, 1)), 42, dtype=dtype)
        mask = np.random.RandomState(7).randint(2, size=(3, 5))
        yield masked("a mask" + of, random(3, 5), mask, 0.3, dtype=dtype)
        yield masked("a mask as NumPy makes it" + of, random(3, 5), mask.astype(float), 0.8,
                     dtype=dtype)
        yield masked("a mask, flat" + of, random(3, 5), mask, dtype=dtype, wrap=Flat)
        yield masked("a mask that keeps all" + of, random(4), np.ones(4, int), dtype=dtype)
        yield masked("a mask that drops all" + of, random(4), np.zeros(4, int), dtype=dtype)
        yield masked("a mask in test mode is not used" + of, random(3, 5), mask, 0.3, "test", dtype)
        yield masked("a mask of rank 4" + of, random(2, 3, 2, 3),
                     np.random.RandomState(8).randint(2, size=(2, 3, 2, 3)), dtype=dtype)
        yield masked("an empty mask" + of, empty(0, 3), np.zeros((0, 3), int), dtype=dtype)
        yield masked("a mask longer than what is read at a time" + of,
                     Random("dropout long mask", dtype).short(25, 23),
                     np.random.RandomState(9).randint(2, size=(25, 23)), 0.9, dtype=dtype)
        yield without_cache(masked("a mask, nothing kept" + of, random(3, 5), mask, dtype=dtype))
    many = Random("dropout many", "float64").short
    yield dropout("more numbers than the generator makes at once", many(25, 28), 0.5, 2024)
    yield dropout("ones, more numbers than the generator makes at once", np.ones((3, 11, 19)), 0.8,
                  3, dtype="float32", dout=np.ones((3, 11, 19)))
    yield dropout("magnitudes", array(1e300, -1e300, 1e-300, 5e-324, -1e-310, 1e16), 0.5, 5)
    yield dropout("the smallest p", array(1, -2, 1e300), 5e-324, 42)
    yield dropout("infinities and NaN in test mode", array(NAN, INF, -INF, -1), 0.5, 1, "test")


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


def main():
    oracle.check()
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        write("affine", "affine: out = reshape(x, (N, D)) . w + b",
              [course_affine(), *affine_usual(), *affine_edges()])
        write("relu", "relu: out = max(x, 0)", list(relu_cases()))
        write("batchnorm", "batchnorm: normalisation of each feature over the batch",
              [*course_batchnorm(), *batchnorm_usual(), *batchnorm_edges()])
        write("dropout", "dropout: inverted dropout with NumPy's legacy random numbers",
              list(dropout_cases()))
        write("svm", "svm: multiclass hinge loss of margin 1", list(svm_cases()))
        write("softmax", "softmax: cross-entropy", list(softmax_cases()))
    write("errors", "requests that are refused, each for one reason", error_cases())


if __name__ == "__main__":
    main()
