"""Vectors of affine and relu."""
import numpy as np

import oracle
from vectorfile import (DTYPES, EXACT, INF, NAN, SAME, USUAL, Flat, Random, array, empty, step, typed,
                        verbatim, without_cache)


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


def affine_cases():
    yield course_affine()
    yield from affine_usual()
    yield from affine_edges()
