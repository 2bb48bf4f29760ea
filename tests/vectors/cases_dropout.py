"""Vectors of dropout."""
import numpy as np

import oracle
from vectorfile import DTYPES, INF, NAN, Flat, Random, array, empty, step, typed, without_cache


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
